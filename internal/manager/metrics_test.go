// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/events"

	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/kubetest"
)

// TestMetricsAreServedWithPodgatesOwn: whoever reads the metrics trusts podgate's own Secret, as the ServiceMonitor does, also
// while the webhook is served with an offered certificate.
func TestMetricsAreServedWithPodgatesOwn(t *testing.T) {
	const namespace = "podgate-system"
	name := certificate.DNSNames(namespace)[0]
	kube := fake.NewClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: certificate.OfferedName}, Data: kubetest.SelfSigned(t, name)})
	pair := &certificate.Keypair{}
	runner, err := certificate.New(kube, pair, certificate.Options{
		Namespace: namespace, Offered: certificate.OfferedName, Policy: certificate.DefaultPolicy(namespace),
		Registerer: prometheus.NewRegistry(), Recorder: events.NewFakeRecorder(10), Log: logr.Discard(),
	})
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- runner.Start(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	c := Config{}
	c.Listen.SecureMetrics = true
	var metrics, webhook tls.Config
	for _, option := range newMetricsServer(c, pair).TLSOpts {
		option(&metrics)
	}
	pair.Configure(&webhook)

	trusted := func(by string, conf *tls.Config) error {
		secret, err := kube.CoreV1().Secrets(namespace).Get(ctx, by, metav1.GetOptions{})
		if err != nil {
			return err
		}
		crt, err := conf.GetCertificate(nil)
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(secret.Data["ca.crt"])
		_, err = crt.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
		return err
	}

	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := errors.Join(trusted(certificate.SecretName, &metrics), trusted(certificate.OfferedName, &webhook))
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
