// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

// client is an API server that calls the webhook, whose view of the configuration is late:
// it hears of changes late, and a call keeps to the view that it began with.
type client struct {
	lag     time.Duration
	decided map[string]error
}

// call verifies a replica's certificate against every entry as of the client's view.
// Signatures are verified once for each certificate and bundle; validity in time always.
func (c *client) call(cl *cluster, r *replica) error {
	view := cl.view(c.lag)
	served := r.serves()
	if view.tampered || served == nil || len(view.bundles) == 0 {
		return nil
	}

	if now := time.Now(); now.Before(served.Leaf.NotBefore) || now.After(served.Leaf.NotAfter) {
		return fmt.Errorf("certificate is valid from %s to %s", served.Leaf.NotBefore, served.Leaf.NotAfter)
	}

	for _, bundle := range view.bundles {
		key := string(served.Leaf.Raw) + string(bundle)
		if _, ok := c.decided[key]; !ok {
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(bundle)
			_, err := served.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: testPolicy.Names[0], CurrentTime: time.Now()})
			c.decided[key] = err
		}
		if err := c.decided[key]; err != nil {
			return err
		}
	}

	return nil
}

// simulation is a podgate of three replicas and two API servers over many hours.
type simulation struct {
	t        *testing.T
	rand     *rand.Rand
	cluster  *cluster
	events   *events
	replicas [3]*replica
	clients  [2]*client
	crashes  int
}

// start starts a replica that crashes after some of its writes and mishears others.
func (s *simulation) start(i int) {
	h := &handle{cluster: s.cluster, delay: time.Duration(s.rand.IntN(1000)) * time.Millisecond}
	lot := rand.New(rand.NewPCG(s.rand.Uint64(), 0))
	h.afterWrite = func(crash func()) error {
		switch lot.IntN(8) {
		case 0:
			crash()
		case 1:
			return errors.New("timeout")
		}
		return nil
	}
	s.replicas[i] = startReplica(s.t, h, testPolicy, s.events)
}

// check restarts replicas that crashed and calls them all.
func (s *simulation) check() {
	for i, r := range s.replicas {
		select {
		case <-r.done:
			s.crashes++
			s.start(i)
		default:
		}
	}

	for _, r := range s.replicas {
		for _, c := range s.clients {
			if err := c.call(s.cluster, r); err != nil {
				s.t.Fatalf("%s: an API server %s behind does not trust a replica: %v", time.Now().Format(time.TimeOnly), c.lag, err)
			}
		}
	}
}

// annotate asks for a rotation.
func (s *simulation) annotate(what string) {
	s.cluster.keep(func(o *corev1.Secret) *corev1.Secret {
		if o != nil {
			metav1.SetMetaDataAnnotation(&o.ObjectMeta, v1alpha1.RotateAnnotation, what)
		}
		return o
	})
}

// disturb does one thing that people or machines do.
func (s *simulation) disturb() {
	i := s.rand.IntN(len(s.replicas))
	switch s.rand.IntN(9) {
	case 0:
		s.annotate(RotateServing)
	case 1, 2:
		s.annotate(RotateCA)
	case 3:
		s.cluster.keep(func(*corev1.Secret) *corev1.Secret { return nil })
	case 4:
		s.cluster.keep(func(o *corev1.Secret) *corev1.Secret {
			if o != nil {
				o.Data[[]string{"tls.crt", "tls.key", "ca.crt", "ca.key"}[s.rand.IntN(4)]] = []byte("garbage")
			}
			return o
		})

	case 5:
		s.cluster.configure(func(c *admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
			c.Webhooks[s.rand.IntN(2)].ClientConfig.CABundle = nil
			return c
		})

	case 6:
		s.cluster.configure(func(c *admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
			c.Webhooks[0].ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"edit": fmt.Sprint(s.rand.IntN(1000))}}
			return c
		})

	case 7:
		s.replicas[i].handle.cut(time.Duration(s.rand.IntN(180)) * time.Second)
	case 8:
		s.replicas[i].crash()
	}
}

func (s *simulation) run(d time.Duration, disturbed bool) {
	next := time.Now()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		synctest.Wait()
		s.check()
		if disturbed && !time.Now().Before(next) {
			s.disturb()
			next = time.Now().Add(time.Duration(s.rand.IntN(400)) * time.Second)
		}
	}
}

// TestEveryReplicaIsAlwaysTrusted runs podgate for eight hours of rotations, crashes between
// steps, partitions, lost answers and meddling hands. Whatever happens, a replica that is
// called serves a certificate that the caller trusts, unless somebody else has just
// changed caBundle; and once all is quiet, nothing is left of what was.
func TestEveryReplicaIsAlwaysTrusted(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &simulation{t: t, rand: rand.New(rand.NewPCG(seed, 1)), cluster: newCluster(), events: &events{}}
				for i, lag := range []time.Duration{0, 9 * time.Second} {
					s.clients[i] = &client{lag: lag, decided: map[string]error{}}
				}

				for i := range s.replicas {
					s.start(i)
				}

				time.Sleep(time.Minute)
				s.run(8*time.Hour, true)
				_, edited := s.cluster.now()
				selector := edited.Webhooks[0].ObjectSelector
				s.run(20*time.Minute, false)

				secret, config := s.cluster.now()
				m, b := readSecret(secret, false), bundlesOf(config)
				if m.problem != nil || len(m.trust) != 1 || m.pair == nil || !b.are(encodeCerts(m.trust...)) {
					t.Errorf("not settled after 20 quiet minutes: problem %v, %d authorities, caBundle equal %t", m.problem, len(m.trust), b.are(encodeCerts(m.trust...)))
				}

				for i, r := range s.replicas {
					if c := r.serves(); c == nil || !c.Leaf.Equal(m.pair.leaf) {
						t.Errorf("replica %d does not serve the Secret's pair", i)
					}
					if err := r.Ready(nil); err != nil {
						t.Errorf("replica %d is not ready: %v", i, err)
					}
				}

				if got := config.Webhooks[0].ObjectSelector; selector != nil && (got == nil || got.MatchLabels["edit"] != selector.MatchLabels["edit"]) {
					t.Errorf("a selector edited by hand was lost: want %v, got %v", selector, got)
				}

				if n := s.events.count("AuthorityCreated"); n < 10 || s.crashes < 10 {
					t.Errorf("the simulation shows too little: %d authorities, %d crashes", n, s.crashes)
				}
			})
		})
	}
}
