// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/x509"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
)

// theirSecret is one that somebody else fills.
func theirSecret(t *testing.T) *corev1.Secret {
	t.Helper()
	ca := mustAuthority(t, time.Now())
	s := written(t, material{signer: ca, trust: []*x509.Certificate{ca.cert}, pair: mustPair(t, ca, time.Now())})
	delete(s.Data, keySigner)
	return s
}

func TestProvidedRefusesToStart(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*corev1.Secret) *corev1.Secret
		after  time.Duration
		found  string
	}{
		"Missing": {reason: "Whoever makes it may be a little later.", change: func(*corev1.Secret) *corev1.Secret { return nil }, after: provision, found: "is missing"},
		"Empty":   {reason: "An empty one is not podgate's to fill.", change: func(s *corev1.Secret) *corev1.Secret { s.Data = nil; return s }, found: "no usable pair"},
		"Garbage": {reason: "What is no PEM cannot be served.", change: func(s *corev1.Secret) *corev1.Secret { s.Data["tls.crt"] = []byte("x"); return s }, found: "no usable pair"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				c.keep(func(*corev1.Secret) *corev1.Secret { return tc.change(theirSecret(t)) })
				h := &handle{cluster: c}
				r, err := newRunner(h, &Keypair{}, Options{
					Namespace: "podgate-system", Provided: "webhook-cert", Policy: testPolicy, Registerer: prometheus.NewRegistry(), Recorder: &events{}, Log: logr.Discard(),
				})
				if err != nil {
					t.Fatal(err)
				}

				r.watch = h.watch
				begun := time.Now()
				err = r.Start(t.Context())
				if err == nil {
					t.Fatalf("%s: started", tc.reason)
				}

				for _, want := range []string{"tls: failed to find any PEM data in certificate input", "podgate-system/webhook-cert", tc.found, "certificates.mode: self"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: want %q in %q", tc.reason, want, err)
					}
				}

				if waited := time.Since(begun); waited != tc.after {
					t.Errorf("%s: gave up after %s, want %s", tc.reason, waited, tc.after)
				}
			})
		})
	}
}

// A provided Secret is served as soon as it is there, published, and never written, not
// even when it looks like one of podgate's, is garbled, or goes.
func TestProvidedIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e := newCluster(), &events{}
		r := startReplicaWith(t, &handle{cluster: c}, Options{Provided: "webhook-cert", Policy: testPolicy, Recorder: e})
		time.Sleep(provision / 2)

		if r.Ready(nil) == nil {
			t.Error("ready without a pair")
		}

		theirs := theirSecret(t)
		c.keep(func(*corev1.Secret) *corev1.Secret { return theirs })
		time.Sleep(soon)

		if err := r.Ready(nil); err != nil {
			t.Errorf("not ready: %v", err)
		}

		served := r.serves()
		if served == nil || !served.Leaf.Equal(mustTLS(t, theirs).Leaf) {
			t.Error("their pair is not served")
		}

		for _, change := range []func(*corev1.Secret) *corev1.Secret{
			func(s *corev1.Secret) *corev1.Secret { s.Data["tls.crt"] = []byte("garbage"); return s },
			func(s *corev1.Secret) *corev1.Secret { s.Data = nil; return s },
			func(*corev1.Secret) *corev1.Secret { return nil },
		} {
			c.keep(change)
			before, _ := c.now()
			time.Sleep(time.Hour)
			after, _ := c.now()
			if (before == nil) != (after == nil) || after != nil && after.ResourceVersion != before.ResourceVersion {
				t.Error("their Secret was written")
			}
			if got := r.serves(); got == nil || !got.Leaf.Equal(served.Leaf) {
				t.Error("the last good pair is not served any more")
			}
		}

		if e.count("put it right") == 0 || e.count("have podgate make one") > 0 {
			t.Errorf("want events that say what to do, got %q", e.list())
		}
	})
}
