// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/kubetest"
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

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ownNamespace, Name: certificate.OfferedName}, Data: kubetest.SelfSigned(t, certificate.DNSNames(ownNamespace)...)}
	a.must(t, a.Create(t.Context(), secret))
	trusted(secret.Data["ca.crt"])

	secret.Data = kubetest.SelfSigned(t, certificate.DNSNames(ownNamespace)...)
	a.must(t, a.Update(t.Context(), secret))
	trusted(secret.Data["ca.crt"])

	a.must(t, a.Delete(t.Context(), secret))
	trusted(own)
}
