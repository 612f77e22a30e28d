// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

// Names that people meet in the cluster.
const (
	// SecretName is the Secret, in podgate's namespace, that holds the webhook's
	// certificates, unless Options name one that somebody else provides.
	SecretName = "podgate-webhook-cert"
	// OfferedName is the Secret, in podgate's namespace, whose certificate takes the place of
	// podgate's own where somebody puts one there.
	OfferedName = "webhook-cert"
	// ConfigurationName is the MutatingWebhookConfiguration whose caBundle podgate keeps.
	ConfigurationName = "podgate-webhook"
	// ServiceName is the Service by which API servers reach the webhook.
	ServiceName = "podgate-webhook"
	// RotateServing, as the value of v1alpha1.RotateAnnotation, asks for a new serving pair.
	RotateServing = "serving"
	// RotateCA asks for a new authority, and so for a new serving pair.
	RotateCA = "ca"

	// managedBy and managedByUs are the label that makes the Secret podgate's own.
	managedBy   = "app.kubernetes.io/managed-by"
	managedByUs = "podgate"

	keyTrust  = "ca.crt"
	keySigner = "ca.key"
)

// pair is a serving certificate with its key.
type pair struct {
	certPEM, keyPEM []byte
	tls             tls.Certificate
	leaf            *x509.Certificate
}

// same reports whether two pairs, either of which may be nil, are one.
func (p *pair) same(q *pair) bool {
	if p == nil || q == nil {
		return p == q
	}
	return bytes.Equal(p.certPEM, q.certPEM) && bytes.Equal(p.keyPEM, q.keyPEM)
}

// covers reports whether the pair is valid for all names.
func (p *pair) covers(names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return p.leaf.VerifyHostname(n) != nil })
}

// material is what the Secret holds.
type material struct {
	// exists: the Secret is there.
	exists bool
	// ours: podgate may write it, because podgate made it or because it is empty or missing.
	ours bool
	// trust is what API servers are to trust; the signer is in it.
	trust []*x509.Certificate
	// signer signs the next pair; nil when there is none that can.
	signer *authority
	// pair is what replicas serve; nil when there is none that can be served.
	pair *pair
	// rotate is RotateAnnotation's value.
	rotate string
	// problem says what of the Secret cannot be used.
	problem error
}

// readSecret reads the Secret, which is nil when it is missing. A provided one is never
// podgate's to write, whatever it holds.
func readSecret(s *corev1.Secret, provided bool) material {
	if s == nil {
		return material{ours: !provided}
	}

	m := material{exists: true, rotate: s.Annotations[v1alpha1.RotateAnnotation]}
	m.ours = !provided && (s.Labels[managedBy] == managedByUs || empty(s))
	if m.ours && empty(s) {
		return m
	}

	var problems [3]error
	if m.ours || len(s.Data[keyTrust]) > 0 {
		m.trust, problems[0] = parseCerts(s.Data[keyTrust])
	}

	if m.ours {
		m.signer, problems[1] = parseSigner(s.Data[keySigner], m.trust)
	}

	if !m.ours || len(s.Data[corev1.TLSCertKey]) > 0 {
		m.pair, problems[2] = parsePair(s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey])
	}

	if m.ours && m.pair != nil && !trusted(m.pair, m.trust) {
		m.pair, problems[2] = nil, errors.New("tls.crt is signed by no certificate of ca.crt")
	}

	m.problem = errors.Join(problems[:]...)
	return m
}

// write puts signer, trust and pair into the Secret and marks it as podgate's.
func (m material) write(s *corev1.Secret) error {
	key, err := encodeKey(m.signer.key)
	if err != nil {
		return err
	}

	if s.Data == nil {
		s.Data = map[string][]byte{}
	}

	s.Data[keySigner], s.Data[keyTrust] = key, encodeCerts(m.trust...)
	// The type kubernetes.io/tls wants both keys, be they empty.
	s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey] = []byte{}, []byte{}
	if m.pair != nil {
		s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey] = m.pair.certPEM, m.pair.keyPEM
	}

	if s.Labels == nil {
		s.Labels = map[string]string{}
	}

	s.Labels[managedBy] = managedByUs
	return nil
}

func empty(s *corev1.Secret) bool {
	for _, v := range s.Data {
		if len(v) > 0 {
			return false
		}
	}
	return true
}

func trusted(p *pair, trust []*x509.Certificate) bool {
	return slices.ContainsFunc(trust, func(c *x509.Certificate) bool { return p.leaf.CheckSignatureFrom(c) == nil })
}

// merge joins certificates without repetition, leaving out those that have expired.
func merge(now time.Time, lists ...[]*x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range slices.Concat(lists...) {
		if now.Before(c.NotAfter) && !slices.ContainsFunc(out, c.Equal) {
			out = append(out, c)
		}
	}
	return out
}

func parsePair(certPEM, keyPEM []byte) (*pair, error) {
	c, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read %s and %s: %w", corev1.TLSCertKey, corev1.TLSPrivateKeyKey, err)
	}
	return &pair{certPEM: certPEM, keyPEM: keyPEM, tls: c, leaf: c.Leaf}, nil
}

// parseSigner reads the signer's key and finds its certificate among trust.
func parseSigner(keyPEM []byte, trust []*x509.Certificate) (*authority, error) {
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, fmt.Errorf("read %s: no PEM data", keySigner)
	}

	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", keySigner, err)
	}

	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read %s: want an ECDSA key, got %T", keySigner, parsed)
	}

	for _, c := range trust {
		if c.IsCA && key.PublicKey.Equal(c.PublicKey) {
			return &authority{cert: c, key: key}, nil
		}
	}

	return nil, fmt.Errorf("%s belongs to no certificate of %s", keySigner, keyTrust)
}

// parseCerts reads a bundle. One unreadable certificate makes all of it unreadable: API
// servers refuse such a bundle.
func parseCerts(raw []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := raw; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", keyTrust, err)
		}
		out = append(out, c)
	}

	if len(out) == 0 {
		return nil, fmt.Errorf("read %s: no certificates", keyTrust)
	}

	return out, nil
}

func encodeCerts(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
