// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

// host is the name that the certificate is for.
const host = "web.example.com"

// trust has clients trust the authority of ACM.
func (i *ingressed) trust() {
	i.t.Helper()
	ca, err := i.sim.CA(i.ctx)
	i.must(err)
	i.trusted = x509.NewCertPool()
	i.trusted.AppendCertsFromPEM(ca)
}

// requestCertificate has ACM issue a certificate.
func (i *ingressed) requestCertificate() {
	i.t.Helper()
	_, err := i.sim.ACM().RequestCertificate(i.ctx, &acm.RequestCertificateInput{DomainName: aws.String(host), KeyAlgorithm: acmtypes.KeyAlgorithmEcPrime256v1})
	i.must(err)
}

// expireCertificate has the one certificate that there is expire, and another one issued. Whatever process of podgate looks next
// has the listener get that.
func (i *ingressed) expireCertificate() {
	i.t.Helper()
	list, err := i.sim.ACM().ListCertificates(i.ctx, &acm.ListCertificatesInput{Includes: &acmtypes.Filters{KeyTypes: []acmtypes.KeyAlgorithm{acmtypes.KeyAlgorithmEcPrime256v1}}})
	i.must(err)
	if len(list.CertificateSummaryList) != 1 {
		i.t.Fatalf("there are %d certificates", len(list.CertificateSummaryList))
	}
	i.must(i.sim.ExpireCertificate(i.ctx, *list.CertificateSummaryList[0].CertificateArn))
	if err := i.askSecure(i.ctx); err == nil || !strings.Contains(err.Error(), "expired") {
		i.t.Errorf("a client that checks the certificate is told %v, want that it has expired", err)
	}
	i.requestCertificate()
}

// waitSecure waits until a client that checks the certificate is answered.
func (i *ingressed) waitSecure() {
	i.t.Helper()
	var last error
	i.t.Cleanup(func() {
		if last != nil {
			i.t.Logf("HTTPS failed last with %v", last)
		}
	})
	i.eventually("an answer by HTTPS", func(ctx context.Context) (bool, error) {
		last = i.askSecure(ctx)
		return last == nil, nil
	})
}

// askSecure asks by HTTPS, and returns why that is not answered by the application.
func (i *ingressed) askSecure(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+i.address+"/", nil)
	if err != nil {
		return err
	}
	r.Host, r.Close = host, true
	by := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{ServerName: host, RootCAs: i.trusted}}}
	answer, err := by.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}

// AWS's quotas of rules for each load balancer, and of values in each rule: paths that lead to the same share rules.
const (
	mostRules  = 100
	mostValues = 5
)

// exceedRules gives the Ingress more rules than a load balancer may have: those that it has stay.
func (i *ingressed) exceedRules() {
	i.t.Helper()
	var paths strings.Builder
	for n := range mostRules * mostValues {
		fmt.Fprintf(&paths, `{path: /closed-%d, pathType: Exact, backend: {service: {name: closed, port: {name: use-annotation}}}},`, n)
	}
	i.route(paths.String())
	i.waitTold(i.app.Namespace, "that the Ingress has too many rules", func(e corev1.Event) bool {
		return e.InvolvedObject.Kind == "Ingress" && e.Reason == v1alpha1.ReasonLimitExceeded
	})
	if got := i.ask("/closed"); got != http.StatusGone {
		i.t.Errorf("/closed is answered %d, want the rule that was there", got)
	}
}
