// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
)

// TestOfferedRefusesToStart: where it is demanded, a Secret that was never good ends the start with what to do; none, and one
// that was good, do not.
func TestOfferedRefusesToStart(t *testing.T) {
	const noPEM = "tls: failed to find any PEM data in certificate input"
	cases := map[string]struct {
		reason   string
		offered  func(t *testing.T) *corev1.Secret
		demanded bool
		says     string
	}{
		"Empty": {reason: "As plain manifests ship it.", demanded: true, offered: func(*testing.T) *corev1.Secret { return &corev1.Secret{} }, says: noPEM},
		"EmptyKeys": {reason: "The same, with keys.", demanded: true, says: noPEM, offered: func(*testing.T) *corev1.Secret {
			return &corev1.Secret{Data: map[string][]byte{"tls.crt": {}, "tls.key": {}, "ca.crt": {}}}
		}},
		"Garbage": {reason: "What is no PEM cannot be served.", demanded: true, says: noPEM, offered: func(t *testing.T) *corev1.Secret { return with(theirSecret(t), "tls.crt", "x") }},
		"NoTrust": {reason: "Nobody could trust it.", demanded: true, says: "read ca.crt: no certificates", offered: func(t *testing.T) *corev1.Secret { return with(theirSecret(t), "ca.crt", "") }},
		"OtherTrust": {reason: "Nor with another authority.", demanded: true, says: "unknown authority", offered: func(t *testing.T) *corev1.Secret {
			return with(theirSecret(t), "ca.crt", string(theirSecret(t).Data["ca.crt"]))
		}},
		"OtherName": {reason: "It is another Service's.", demanded: true, says: "not podgate-webhook.podgate-system.svc", offered: func(t *testing.T) *corev1.Secret { return pairFor(t, time.Now(), "webhook-service.gwc.svc") }},
		"Expired":   {reason: "It was good, and podgate has its own.", demanded: true, offered: func(t *testing.T) *corev1.Secret { return pairFor(t, time.Now().Add(-2*testPolicy.ServingValidity)) }},
		"Later":     {reason: "It will be good.", demanded: true, offered: func(t *testing.T) *corev1.Secret { return pairFor(t, time.Now().Add(testPolicy.ServingValidity)) }},
		"Missing":   {reason: "Nobody has to offer one.", demanded: true, offered: func(*testing.T) *corev1.Secret { return nil }},
		"NotAsked":  {reason: "Without the demand podgate serves its own.", offered: func(*testing.T) *corev1.Secret { return &corev1.Secret{} }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &handle{cluster: newCluster()}
				h.offer(tc.offered(t))
				r, err := newRunner(h, &Keypair{}, Options{
					Namespace: "podgate-system", Offered: OfferedName, Demanded: tc.demanded, Policy: testPolicy, Registerer: prometheus.NewRegistry(), Recorder: &events{}, Log: logr.Discard(),
				})
				if err != nil {
					t.Fatal(err)
				}

				r.watch, r.offered = h.watch, h.Offered
				refused := make(chan error, 1)
				go func() { refused <- r.Start(t.Context()) }()
				synctest.Wait()

				if tc.says == "" {
					if r.keypair.current.Load() == nil {
						t.Errorf("%s: nothing is served", tc.reason)
					}
					return
				}

				select {
				case err = <-refused:
				default:
				}
				if err == nil {
					t.Fatalf("%s: started", tc.reason)
				}
				for _, want := range []string{tc.says, "Secret podgate-system/webhook-cert", "tls.crt and tls.key", "delete the Secret"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: want %q in %q", tc.reason, want, err)
					}
				}
			})
		})
	}
}

// TestOfferedCannotBeRead: a start that waits for the answer says for what, once for each reason, and counts its attempts.
func TestOfferedCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var lines []string
		h := &handle{cluster: newCluster()}
		r, err := newRunner(h, &Keypair{}, Options{
			Namespace: "podgate-system", Offered: OfferedName, Demanded: true, Policy: testPolicy, Registerer: prometheus.NewRegistry(), Recorder: &events{},
			Log: funcr.New(func(_, args string) {
				mu.Lock()
				defer mu.Unlock()
				lines = append(lines, args)
			}, funcr.Options{}),
		})
		if err != nil {
			t.Fatal(err)
		}

		var answer atomic.Value
		answer.Store("forbidden")
		r.watch, r.offered = h.watch, func(context.Context) (*corev1.Secret, error) {
			if refused := answer.Load(); refused != "" {
				return nil, fmt.Errorf("%s", refused)
			}
			return nil, nil
		}

		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Start(ctx) }()

		for _, next := range []string{"no route to host", ""} {
			time.Sleep(time.Minute)
			synctest.Wait()
			mu.Lock()
			said := slices.Clone(lines)
			mu.Unlock()
			if last := len(said) - 1; last < 0 || !strings.Contains(said[last], answer.Load().(string)) || !strings.Contains(said[last], OfferedName) {
				t.Errorf("%v: the log says %q", answer.Load(), said)
			}
			if next == "" && len(said) != 2 {
				t.Errorf("told %d times: %q", len(said), said)
			}
			answer.Store(next)
		}

		if n := testutil.ToFloat64(r.metrics.failures); n < 100 {
			t.Errorf("%v failures are counted", n)
		}

		time.Sleep(soon)
		if r.keypair.current.Load() == nil {
			t.Error("nothing is served once it can be read")
		}

		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestOfferedTakesThePlace: replicas that run take up an offered Secret and its renewal, never write it, and go back to
// podgate's own when it goes, cannot be used any more or is about to end.
func TestOfferedTakesThePlace(t *testing.T) {
	for name, end := range map[string]func(*handle){
		"Gone":    func(h *handle) { h.offer(nil) },
		"Garbled": func(h *handle) { h.offer(with(theirSecret(t), "tls.key", "x")) },
		"Ends":    func(*handle) { time.Sleep(testPolicy.ServingValidity) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, e := newCluster(), &events{}
				var replicas [2]*replica
				for i := range replicas {
					replicas[i] = startReplicaWith(t, &handle{cluster: c, delay: 50 * time.Millisecond}, Options{Offered: OfferedName, Policy: testPolicy, Recorder: e})
				}
				time.Sleep(soon)
				own := replicas[0].serves()

				for _, offered := range []*corev1.Secret{pairFor(t, time.Now()), pairFor(t, time.Now())} {
					replicas[0].handle.offer(offered)
					time.Sleep(soon)
					for i, r := range replicas {
						if !r.serves().Leaf.Equal(mustTLS(t, offered).Leaf) {
							t.Errorf("replica %d does not serve what is offered", i)
						}
						if err := (&client{decided: map[string]error{}}).call(c, r); err != nil {
							t.Errorf("replica %d: %v", i, err)
						}
					}
				}

				_, before := c.now()
				time.Sleep(10 * time.Minute)
				if _, after := c.now(); after.ResourceVersion != before.ResourceVersion {
					t.Errorf("replicas fight: version %s, then %s", before.ResourceVersion, after.ResourceVersion)
				}

				end(replicas[0].handle)
				time.Sleep(testPolicy.Propagation + soon)
				for i, r := range replicas {
					if served := r.serves(); name != "Ends" && !served.Leaf.Equal(own.Leaf) {
						t.Errorf("replica %d does not serve podgate's own again", i)
					}
					if err := (&client{decided: map[string]error{}}).call(c, r); err != nil {
						t.Errorf("replica %d: %v", i, err)
					}
				}

				time.Sleep(10 * time.Minute)
				want := len(replicas)
				if name == "Gone" {
					want = 0
				}
				if told := e.count("podgate serves a certificate of its own instead"); told != want {
					t.Errorf("told of it %d times, want once for each replica: %q", told, e.list())
				}
			})
		})
	}
}

// TestOfferedWithinItsTime: an offered certificate is served soon after its beginning, and neither long before that nor after its
// end: API servers would refuse it.
func TestOfferedWithinItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handle{cluster: newCluster()}
		r := settled(t, h, Options{Offered: OfferedName, Policy: testPolicy, Recorder: &events{}})

		offered := pairFor(t, time.Now().Add(backdate(testPolicy.ServingValidity)+testPolicy.recheck()/2))
		leaf := mustTLS(t, offered).Leaf
		h.offer(offered)

		for now := time.Now(); now.Before(leaf.NotAfter.Add(testPolicy.recheck())); now = time.Now() {
			served := r.serves().Leaf.Equal(leaf)
			if served && (now.Before(leaf.NotBefore.Add(-clocksApart)) || now.After(leaf.NotAfter)) {
				t.Fatalf("what is valid from %s to %s is served at %s", leaf.NotBefore, leaf.NotAfter, now)
			}
			if due := leaf.NotBefore.Add(testPolicy.recheck() + soon); !served && now.After(due) && now.Before(leaf.NotAfter.Add(-2*testPolicy.recheck())) {
				t.Fatalf("what is valid from %s to %s is not served at %s", leaf.NotBefore, leaf.NotAfter, now)
			}
			time.Sleep(time.Second)
		}
	})
}

// TestOwnIsKeptWhileAnotherIsOffered: an offered certificate may be served for years, and podgate's own can take its place at
// any moment. Nobody is told of its renewals meanwhile.
func TestOwnIsKeptWhileAnotherIsOffered(t *testing.T) {
	for name, start := range map[string]func(*testing.T, *handle, Options) *replica{
		"Later": settled,
		"First": func(t *testing.T, h *handle, o Options) *replica {
			h.offer(pairFor(t, time.Now()))
			return settled(t, h, o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, e := newCluster(), &events{}
				h := &handle{cluster: c, delay: 50 * time.Millisecond}
				r := start(t, h, Options{Offered: OfferedName, Policy: testPolicy, Recorder: e})

				for end := time.Now().Add(2 * testPolicy.CAValidity); time.Now().Before(end); {
					offered := pairFor(t, time.Now())
					h.offer(offered)
					time.Sleep(testPolicy.ServingValidity / 2)
					if _, config := c.now(); !bundlesOf(config).are(offered.Data["ca.crt"]) || !r.serves().Leaf.Equal(mustTLS(t, offered).Leaf) {
						t.Fatal("what is offered is not served, or not what API servers trust")
					}
					own, _ := c.now()
					if m := readSecret(own, false); m.pair == nil || time.Now().After(renewAt(m.pair.leaf)) || time.Now().After(renewAt(m.signer.cert)) {
						t.Fatal("podgate's own certificate is not renewed")
					}
					if !ofOwn(r).Leaf.Equal(mustTLS(t, own).Leaf) {
						t.Fatal("who was told of podgate's own Secret meets another certificate")
					}
					if ends := testutil.ToFloat64(r.metrics.expiry.WithLabelValues(RotateCA)); ends < float64(time.Now().Unix()) {
						t.Fatal("the metric tells of an authority that is gone")
					}
				}

				h.offer(nil)
				for range int(testPolicy.Propagation/time.Second) + 5 {
					time.Sleep(time.Second)
					if err := (&client{decided: map[string]error{}}).call(c, r); err != nil {
						t.Fatalf("after the change: %v", err)
					}
				}

				if e.count("InvalidCertificate") > 0 {
					t.Errorf("events %q", e.list())
				}
			})
		})
	}
}

// settled is a replica that was started and has done what there was to do.
func settled(t *testing.T, h *handle, o Options) *replica {
	t.Helper()
	r := startReplicaWith(t, h, o)
	time.Sleep(soon)
	return r
}

// ofOwn is the certificate that clients meet who were told of podgate's own Secret.
func ofOwn(r *replica) *tls.Certificate {
	var conf tls.Config
	r.keypair.ConfigureOwn(&conf)
	crt, _ := conf.GetCertificate(nil)
	return crt
}

// pairFor is a Secret whose pair was made at a time, with an authority of its own.
func pairFor(t *testing.T, made time.Time, names ...string) *corev1.Secret {
	t.Helper()
	ca := mustAuthority(t, made)
	return written(t, material{signer: ca, trust: []*x509.Certificate{ca.cert}, pair: mustPair(t, ca, made, names...)})
}

// with has other content at a key.
func with(s *corev1.Secret, key, value string) *corev1.Secret {
	s.Data[key] = []byte(value)
	return s
}
