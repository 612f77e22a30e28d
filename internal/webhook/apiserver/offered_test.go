// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/certificate"
)

// testOffered: a Secret webhook-cert that somebody makes is served by all replicas and trusted by the API server, as one
// that they renew is; when it goes, podgate's own certificate is back.
func (a *apiserver) testOffered(t *testing.T) {
	own := a.bundle(t.Context())
	trusted := func(bundle []byte) {
		t.Helper()
		a.eventually(t, "caBundle is replaced", func(ctx context.Context) bool { return bytes.Equal(a.bundle(ctx), bundle) })
		a.eventually(t, "the API server trusts both replicas", func(ctx context.Context) bool {
			for i := range 4 {
				if _, err := a.createPod(ctx, fmt.Sprint("offered-", time.Now().UnixNano(), "-", i), "web"); err != nil {
					return false
				}
			}
			return true
		})
	}

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ownNamespace, Name: certificate.OfferedName}, Data: selfSigned(t)}
	a.must(t, a.Create(t.Context(), secret))
	trusted(secret.Data["ca.crt"])

	secret.Data = selfSigned(t)
	a.must(t, a.Update(t.Context(), secret))
	trusted(secret.Data["ca.crt"])

	a.must(t, a.Delete(t.Context(), secret))
	trusted(own)
}

// selfSigned is the content of a Secret as openssl req -x509 makes it: a certificate that is its own authority.
func selfSigned(t *testing.T) map[string][]byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
		DNSNames: certificate.DNSNames(ownNamespace), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}

	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}

	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return map[string][]byte{"tls.crt": crt, "ca.crt": crt, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}
}
