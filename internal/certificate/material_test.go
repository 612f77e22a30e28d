// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"strings"
	"testing"
	"time"

	"crypto/x509"
	"encoding/pem"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// written is the Secret that podgate makes of a material.
func written(t *testing.T, m material) *corev1.Secret {
	t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: SecretName}}
	if err := m.write(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReadSecret(t *testing.T) {
	ca, other := mustAuthority(t, epoch), mustAuthority(t, epoch)
	good := written(t, material{signer: ca, trust: []*x509.Certificate{ca.cert}, pair: mustPair(t, ca, epoch)})
	foreign := written(t, material{signer: other, trust: []*x509.Certificate{other.cert}, pair: mustPair(t, other, epoch)})

	cases := map[string]struct {
		reason                    string
		change                    func(*corev1.Secret)
		ours, signer, trust, pair bool
		problem                   string
	}{
		"Good":     {reason: "What podgate wrote it can read.", change: func(*corev1.Secret) {}, ours: true, signer: true, trust: true, pair: true},
		"Pending":  {reason: "An authority whose pair is still to come is no problem.", change: func(s *corev1.Secret) { s.Data["tls.crt"], s.Data["tls.key"] = nil, nil }, ours: true, signer: true, trust: true},
		"NoKey":    {reason: "A pair without key cannot be served.", change: func(s *corev1.Secret) { delete(s.Data, "tls.key") }, ours: true, signer: true, trust: true, problem: "tls.crt and tls.key"},
		"OtherKey": {reason: "Nor one with somebody else's.", change: func(s *corev1.Secret) { s.Data["tls.key"] = foreign.Data["tls.key"] }, ours: true, signer: true, trust: true, problem: "private key does not match"},
		"OtherPair": {reason: "A pair that ca.crt does not vouch for would be refused by every API server.", change: func(s *corev1.Secret) {
			s.Data["tls.crt"], s.Data["tls.key"] = foreign.Data["tls.crt"], foreign.Data["tls.key"]
		}, ours: true, signer: true, trust: true, problem: "signed by no certificate"},
		"Garbage":     {reason: "A garbled ca.crt makes the pair untrusted and the signer useless.", change: func(s *corev1.Secret) { s.Data["ca.crt"] = []byte("hello") }, ours: true, problem: "read ca.crt: no certificates"},
		"HalfGarbage": {reason: "API servers refuse a bundle with one bad certificate.", change: func(s *corev1.Secret) { s.Data["ca.crt"] = append(s.Data["ca.crt"], badCertificate()...) }, ours: true, problem: "read ca.crt: x509"},
		"NoSigner":    {reason: "Without its key the authority cannot sign.", change: func(s *corev1.Secret) { delete(s.Data, "ca.key") }, ours: true, trust: true, pair: true, problem: "read ca.key: no PEM data"},
		"OtherSigner": {reason: "A key of another authority is no use.", change: func(s *corev1.Secret) { s.Data["ca.key"] = foreign.Data["ca.key"] }, ours: true, trust: true, pair: true, problem: "belongs to no certificate"},
		"Emptied":     {reason: "An empty Secret is anybody's, and no problem.", change: func(s *corev1.Secret) { s.Data, s.Labels = map[string][]byte{"tls.crt": {}}, nil }, ours: true},
		"Foreign":     {reason: "Without podgate's label the pair is served, but the signer is not for podgate to use.", change: func(s *corev1.Secret) { s.Labels = nil }, trust: true, pair: true},
		"ForeignBare": {reason: "Somebody else may publish ca.crt in his own way.", change: func(s *corev1.Secret) { s.Labels = nil; delete(s.Data, "ca.crt") }, pair: true},
		"ForeignOdd":  {reason: "Somebody else's garbage is named.", change: func(s *corev1.Secret) { s.Labels = nil; s.Data = map[string][]byte{"tls.crt": []byte("x")} }, problem: "tls: failed to find any PEM data in certificate input"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := good.DeepCopy()
			tc.change(s)
			m := readSecret(s, false)
			if m.ours != tc.ours || (m.signer != nil) != tc.signer || (len(m.trust) > 0) != tc.trust || (m.pair != nil) != tc.pair {
				t.Errorf("%s\nreadSecret: want ours %t, signer %t, trust %t, pair %t, got %t, %t, %t, %t", tc.reason,
					tc.ours, tc.signer, tc.trust, tc.pair, m.ours, m.signer != nil, len(m.trust) > 0, m.pair != nil)
			}
			if (tc.problem == "") != (m.problem == nil) || m.problem != nil && !strings.Contains(m.problem.Error(), tc.problem) {
				t.Errorf("%s\nreadSecret: want a problem with %q, got %v", tc.reason, tc.problem, m.problem)
			}
		})
	}
}

// TestIssuedPairVerifies checks a pair as an API server does.
func TestIssuedPairVerifies(t *testing.T) {
	ca := mustAuthority(t, epoch)
	p, err := ca.issue(epoch, 24*time.Hour, append(DNSNames("ns"), "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(encodeCerts(mustAuthority(t, epoch).cert, ca.cert))

	for _, name := range []string{"podgate-webhook.ns.svc", "podgate-webhook.ns.svc.cluster.local", "127.0.0.1"} {
		if _, err := p.leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: epoch.Add(time.Hour)}); err != nil {
			t.Errorf("verify for %s: %v", name, err)
		}
	}

	if p.leaf.NotAfter.After(ca.cert.NotAfter) {
		t.Errorf("the pair ends at %s, after its authority at %s", p.leaf.NotAfter, ca.cert.NotAfter)
	}

	if !p.leaf.NotBefore.Before(epoch) {
		t.Errorf("an API server whose clock is behind refuses the pair: valid from %s", p.leaf.NotBefore)
	}
}

func badCertificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("not DER")})
}
