// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package acm

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/sim/awssim"
)

const region = "eu-test-1"

func clientOf(address string) *ACM {
	return New(aws.Config{
		Region: region, BaseEndpoint: &address, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}, region, nil)
}

func simulate(t *testing.T, certificates ...awssim.Certificate) (*awssim.Sim, *ACM) {
	t.Helper()
	sim, err := awssim.New(awssim.Config{
		ELB: awssim.ELB{Region: region}, DataPath: awssim.DataPath{NoDataPath: true}, ACM: awssim.ACM{Certificates: certificates}, Throttle: awssim.ThrottleOff,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	return sim, clientOf(server.URL)
}

func TestCertificates(t *testing.T) {
	var many []string
	for i := range 120 {
		many = append(many, fmt.Sprintf("h%d.example.com", i))
	}
	sim, client := simulate(t,
		awssim.Certificate{ID: "one", Domains: []string{"Example.com", "*.example.com"}},
		awssim.Certificate{ID: "ec", Domains: []string{"ec.example.com"}, KeyAlgorithm: "EC_prime256v1", Type: "IMPORTED"},
		awssim.Certificate{ID: "many", Domains: many},
		awssim.Certificate{ID: "late", Status: "PENDING_VALIDATION"},
		awssim.Certificate{ID: "old", ValidDays: -1},
	)

	all, err := client.Certificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]Certificate{}
	for _, c := range all {
		byID[c.ARN[strings.LastIndex(c.ARN, "/")+1:]] = c
	}
	if len(byID) != 5 {
		t.Fatalf("got %v", byID)
	}
	if one := byID["one"]; !slices.Equal(one.Names, []string{"example.com", "*.example.com"}) || one.Status != "ISSUED" || one.Type != "AMAZON_ISSUED" || one.Algorithm != "RSA_2048" {
		t.Errorf("got %+v", one)
	}
	if days := byID["one"].NotAfter.Sub(byID["one"].NotBefore).Hours() / 24; days < 394 || days > 396 {
		t.Errorf("valid for %v days", days)
	}
	if ec := byID["ec"]; ec.Algorithm != "EC_prime256v1" || ec.Type != "IMPORTED" {
		t.Errorf("got %+v", ec)
	}
	if got := byID["many"].Names; !slices.Equal(got, many) {
		t.Errorf("of 120 names got %d", len(got))
	}
	if late, old := byID["late"], byID["old"]; late.Status != "PENDING_VALIDATION" || old.Status != "EXPIRED" {
		t.Errorf("got %s and %s", late.Status, old.Status)
	}

	// The names of all but one are in the list.
	var calls []string
	for _, c := range sim.Calls(0) {
		calls = append(calls, c.Operation)
	}
	if !slices.Equal(calls, []string{"ListCertificates", "DescribeCertificate"}) {
		t.Errorf("called %q", calls)
	}
}

// answering serves answers by operation, one after the other.
func answering(t *testing.T, status int, bodies map[string][]string) *ACM {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "CertificateManager.")
		body := bodies[operation][0]
		if len(bodies[operation]) > 1 {
			bodies[operation] = bodies[operation][1:]
		}
		if strings.Contains(body, "__type") {
			w.WriteHeader(status)
		}
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return clientOf(server.URL)
}

func TestPages(t *testing.T) {
	const one, two = `{"CertificateSummaryList":[{"CertificateArn":"arn:1","DomainName":"a"}],"NextToken":"one"}`, `{"CertificateSummaryList":[{"CertificateArn":"arn:2","DomainName":"b"}]}`
	all, err := answering(t, http.StatusOK, map[string][]string{"ListCertificates": {one, two}}).Certificates(t.Context())
	if err != nil || len(all) != 2 || all[1].ARN != "arn:2" || !all[1].NotAfter.IsZero() {
		t.Errorf("got %v, %v", all, err)
	}
	if _, err := answering(t, http.StatusOK, map[string][]string{"ListCertificates": {one}}).Certificates(t.Context()); err == nil || !strings.Contains(err.Error(), "followed by itself") {
		t.Errorf("a page that names itself: got %v", err)
	}
	if _, err := answering(t, http.StatusOK, map[string][]string{"ListCertificates": {one, ""}}).Certificates(t.Context()); err == nil {
		t.Error("an empty answer passes")
	}
}

// TestGoneBetweenCalls: a certificate that is deleted while the list is read is no error.
func TestGoneBetweenCalls(t *testing.T) {
	client := answering(t, http.StatusBadRequest, map[string][]string{
		"ListCertificates":    {`{"CertificateSummaryList":[{"CertificateArn":"arn:1","HasAdditionalSubjectAlternativeNames":true},{"CertificateArn":"arn:2","DomainName":"b"}]}`},
		"DescribeCertificate": {`{"__type":"com.amazonaws.acm#ResourceNotFoundException:http://x","message":"Could not find it."}`},
	})
	all, err := client.Certificates(t.Context())
	if err != nil || len(all) != 1 || all[0].ARN != "arn:2" {
		t.Errorf("got %v, %v", all, err)
	}
}

func TestErrors(t *testing.T) {
	sim, client := simulate(t)
	tests := []struct {
		reason string
		fault  awssim.Fault
		kind   error
		text   string
	}{
		{"throttled", awssim.Fault{Error: &awssim.APIError{Code: "ThrottlingException", Message: "Rate exceeded"}}, balancer.ErrThrottled, `list certificates of "the region": ThrottlingException: Rate exceeded`},
		{"not allowed", awssim.Fault{Error: &awssim.APIError{Code: "AccessDeniedException", Message: "No."}}, balancer.ErrDenied, "No. Allow acm:ListCertificates in podgate's IAM policy"},
		{"a fault of AWS", awssim.Fault{Error: &awssim.APIError{Code: "InternalFailure", Message: "Oh.", Status: 500}}, nil, "Oh."},
		{"cut off", awssim.Fault{Truncate: true}, nil, "list certificates"},
	}
	for _, tc := range tests {
		id, err := sim.AddFault(tc.fault)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Certificates(t.Context())
		if err := sim.RemoveFaults(id); err != nil {
			t.Fatal(err)
		}
		if err == nil || tc.kind != nil && !errors.Is(err, tc.kind) || !strings.Contains(balancer.Message(err), tc.text) {
			t.Errorf("%s: got %q, want %q (%v)", tc.reason, balancer.Message(err), tc.text, tc.kind)
		}
	}
	if _, err := client.Certificate(t.Context(), "arn:aws:acm:eu-test-1:123456789012:certificate/none"); !errors.Is(err, balancer.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
