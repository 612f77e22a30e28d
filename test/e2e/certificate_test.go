// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestCertificateRotation rotates the webhook's certificate and then its authority,
// while a thousand pods are created. The waits of a rotation are shortened: 8 s until a
// certificate of the new authority is served, 15 s until the old one is dropped.
func TestCertificateRotation(t *testing.T) {
	w := start(t, options{podgate: []string{"--webhook-ca-propagation=8s", "--webhook-ca-overlap=15s"}})
	s := w.wire(application(), targetGroup())
	w.settleTrust()
	authority := w.trusted()[0]
	bundles := w.watchBundles()

	s.createPods(1000, func() {
		before := w.served()
		w.rotate("serving")
		w.waitServed("a new certificate", func(c *x509.Certificate) bool {
			return c.CheckSignatureFrom(authority) == nil && !slices.ContainsFunc(before, c.Equal)
		})
		w.rotate("ca")
		w.waitServed("a certificate of a new authority", func(c *x509.Certificate) bool {
			return c.CheckSignatureFrom(authority) != nil
		})
		w.settleTrust()
	})

	next := w.trusted()[0]
	if next.Equal(authority) {
		t.Error("the webhook's authority is the old one, want a new one")
	}

	for _, c := range w.served() {
		if err := c.CheckSignatureFrom(next); err != nil {
			t.Errorf("a replica serves a certificate that the authority has not signed: %v", err)
		}
	}

	assertOverlap(t, bundles(), authority, next)
}

// assertOverlap asserts that the old authority was trusted alone, then both, then the
// new one alone.
func assertOverlap(t *testing.T, history [][]*x509.Certificate, before, after *x509.Certificate) {
	t.Helper()
	var got []string
	for _, bundle := range history {
		for _, c := range bundle {
			if !c.Equal(before) && !c.Equal(after) {
				t.Errorf("caBundle held an authority %s that is neither the old nor the new one", c.Subject)
			}
		}
		step := fmt.Sprintf("old %t new %t", slices.ContainsFunc(bundle, before.Equal), slices.ContainsFunc(bundle, after.Equal))
		if len(got) == 0 || got[len(got)-1] != step {
			got = append(got, step)
		}
	}

	want := []string{"old true new false", "old true new true", "old false new true"}
	if !slices.Equal(got, want) {
		t.Errorf("caBundle went through %q, want %q", got, want)
	}
}

// rotate asks podgate for a new certificate or authority.
func (w *world) rotate(what string) {
	w.t.Helper()
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = podgateNamespace, "podgate-webhook-cert"
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"podgate.dev/rotate":%q}}}`, what)
	w.must(w.cluster.Patch(w.ctx, secret, client.RawPatch("application/merge-patch+json", patch)))
}

// settleTrust waits until one authority is trusted and no other.
func (w *world) settleTrust() {
	w.t.Helper()
	w.eventually("one authority to be trusted", func(ctx context.Context) (bool, error) {
		c, err := w.configuration(ctx)
		if err != nil {
			return false, err
		}
		bundle, err := bundleOf(c)
		return len(bundle) == 1, err
	})
}

// trusted are the authorities in caBundle.
func (w *world) trusted() []*x509.Certificate {
	w.t.Helper()
	c, err := w.configuration(w.ctx)
	w.must(err)
	bundle, err := bundleOf(c)
	w.must(err)
	return bundle
}

// bundleOf are the certificates in the caBundle of a configuration's entries, which all
// have the same.
func bundleOf(c *admissionv1.MutatingWebhookConfiguration) ([]*x509.Certificate, error) {
	if len(c.Webhooks) == 0 {
		return nil, fmt.Errorf("webhook configuration %s has no entry", c.Name)
	}

	rest := c.Webhooks[0].ClientConfig.CABundle
	for _, each := range c.Webhooks {
		if !bytes.Equal(each.ClientConfig.CABundle, rest) {
			return nil, fmt.Errorf("webhook %s has a caBundle of its own", each.Name)
		}
	}

	var all []*x509.Certificate
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return all, nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read caBundle: %w", err)
		}
		all = append(all, cert)
	}
}

// served is the certificate that each replica serves, by its own address.
func (w *world) served() []*x509.Certificate {
	w.t.Helper()
	all, err := w.dialReplicas(w.ctx)
	w.must(err)
	return all
}

func (w *world) dialReplicas(ctx context.Context) ([]*x509.Certificate, error) {
	pods, err := w.podgatePods(ctx)
	if err != nil {
		return nil, err
	}

	// Whom to trust is what is being found out.
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: "podgate-webhook.podgate-system.svc"}}
	var all []*x509.Certificate
	for _, p := range pods {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(p.Status.PodIP, "9443"))
		if err != nil {
			return nil, fmt.Errorf("call replica %s: %w", p.Name, err)
		}
		secured, ok := conn.(*tls.Conn)
		if !ok {
			return nil, fmt.Errorf("call replica %s: no TLS", p.Name)
		}
		all = append(all, secured.ConnectionState().PeerCertificates[0])
		if err := conn.Close(); err != nil {
			return nil, fmt.Errorf("call replica %s: %w", p.Name, err)
		}
	}

	return all, nil
}

// waitServed waits until both replicas serve a certificate that is as wanted.
func (w *world) waitServed(what string, wanted func(*x509.Certificate) bool) {
	w.t.Helper()
	w.eventually("both replicas to serve "+what, func(ctx context.Context) (bool, error) {
		certs, err := w.dialReplicas(ctx)
		return len(certs) == 2 && !slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return !wanted(c) }), err
	})
}

// watchBundles records what caBundle holds from now on, until it is asked for it.
func (w *world) watchBundles() func() [][]*x509.Certificate {
	w.t.Helper()
	changes, err := w.cluster.Watch(w.ctx, &admissionv1.MutatingWebhookConfigurationList{}, client.MatchingFields{"metadata.name": webhookConfiguration})
	w.must(err)
	var history [][]*x509.Certificate
	var failed error
	ending, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for event := range changes.ResultChan() {
			c, ok := event.Object.(*admissionv1.MutatingWebhookConfiguration)
			if !ok || event.Type == watch.Deleted {
				select {
				case <-ending: // the connection that Stop closes may end in an error event
				default:
					failed = fmt.Errorf("watch webhook configuration: %s: %w", event.Type, apierrors.FromObject(event.Object))
				}
				return
			}

			bundle, err := bundleOf(c)
			if err != nil {
				failed = err
				return
			}

			history = append(history, bundle)
		}
	}()

	w.t.Cleanup(changes.Stop)
	return func() [][]*x509.Certificate {
		w.t.Helper()
		close(ending)
		changes.Stop()
		<-done
		w.must(failed)
		return history
	}
}
