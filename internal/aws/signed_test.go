// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/podgate/podgate/internal/balancer"
)

func TestEndpoint(t *testing.T) {
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	file := t.TempDir() + "/config"
	if err := os.WriteFile(file, []byte("[default]\nservices = all\n[services all]\nec2 =\n  endpoint_url = https://file.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		reason, region string
		env            map[string]string
		want           string
	}{
		{"AWS's own", "eu-west-1", nil, "https://ec2.eu-west-1.amazonaws.com"},
		{"in China", "cn-north-1", nil, "https://ec2.cn-north-1.amazonaws.com.cn"},
		{"with FIPS", "us-east-1", map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, "https://ec2-fips.us-east-1.amazonaws.com"},
		{"for the government", "us-gov-west-1", map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, "https://ec2.us-gov-west-1.amazonaws.com"},
		{"with IPv6", "us-east-1", map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://ec2.us-east-1.api.aws"},
		{"one for all", "eu-west-1", map[string]string{"AWS_ENDPOINT_URL": "https://all.example"}, "https://all.example"},
		{"one for the service", "eu-west-1", map[string]string{"AWS_ENDPOINT_URL": "https://all.example", "AWS_ENDPOINT_URL_EC2": "https://one.example"}, "https://one.example"},
		{"another service's", "eu-west-1", map[string]string{"AWS_ENDPOINT_URL_ACM": "https://one.example"}, "https://ec2.eu-west-1.amazonaws.com"},
		{"in a file", "eu-west-1", map[string]string{"AWS_CONFIG_FILE": file}, "https://file.example"},
		{"one for all in the environment goes before the file", "eu-west-1", map[string]string{"AWS_CONFIG_FILE": file, "AWS_ENDPOINT_URL": "https://all.example"}, "https://all.example"},
		{"none that is configured", "eu-west-1", map[string]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL_EC2": "https://one.example"}, "https://ec2.eu-west-1.amazonaws.com"},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			cfg, err := awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithRegion(tc.region))
			if err != nil {
				t.Fatal(err)
			}
			if got := NewSigned(cfg, "ec2", "EC2"); got.lost != nil || got.url != tc.want {
				t.Errorf("got %s, %v, want %s", got.url, got.lost, tc.want)
			}
		})
	}
}

func TestNoRegionIsSaid(t *testing.T) {
	c := Connection[*Signed]{API: NewSigned(sdk.Config{}, "ec2", "EC2"), settings: settings{timeout: DefaultCallTimeout}}
	_, err := Do(t.Context(), c, "describe subnets", "vpc-1", func(ctx context.Context) ([]byte, error) { return c.API.Post(ctx, nil, nil, nil) })
	if err == nil || !strings.Contains(err.Error(), "no AWS region is known: set podgate's --aws-region") {
		t.Errorf("got %v", err)
	}
}

// TestPostSigns: a request is signed for its service, and asks for new credentials when those it has are refused.
func TestPostSigns(t *testing.T) {
	var seen http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		w.Header().Set("X-Amzn-Requestid", "42")
		w.WriteHeader(http.StatusBadRequest)
	}))
	t.Cleanup(server.Close)
	asked := 0
	all := New(sdk.Config{
		BaseEndpoint: &server.URL,
		Credentials: sdk.NewCredentialsCache(sdk.CredentialsProviderFunc(func(ctx context.Context) (sdk.Credentials, error) {
			asked++
			return credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "session").Retrieve(ctx)
		})),
	}, "eu-test-1", Service[*Signed]{Client: func(cfg sdk.Config) *Signed { return NewSigned(cfg, "acm", "ACM") }})

	c := all.Connection(balancer.Ref{})
	for range 2 {
		_, err := Do(t.Context(), c, "list", "all", func(ctx context.Context) ([]byte, error) {
			return c.API.Post(ctx, http.Header{"X-Amz-Target": {"a"}}, []byte("{}"), func([]byte) Fault { return Fault{Code: "ExpiredTokenException", Message: "Old."} })
		})
		var failed *balancer.CallError
		if !errors.As(err, &failed) || failed.Code != "ExpiredTokenException" || failed.RequestID != "42" || !errors.Is(err, balancer.ErrDenied) {
			t.Errorf("got %#v", failed)
		}
	}

	authorization := seen.Get("Authorization")
	if !strings.Contains(authorization, "/eu-test-1/acm/aws4_request") || !strings.Contains(authorization, "x-amz-target") || seen.Get("X-Amz-Security-Token") != "session" {
		t.Errorf("sent %v", seen)
	}
	if asked != 2 {
		t.Errorf("credentials were asked for %d times, want again after they were refused", asked)
	}
}

// TestPostReadsAllOrNothing: an answer that is cut off is none, and neither is one without an end.
func TestPostReadsAllOrNothing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") == "endless" {
			for chunk := make([]byte, 1<<20); r.Context().Err() == nil; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
			return
		}
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("{}"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	all := New(sdk.Config{BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")}, "eu-test-1",
		Service[*Signed]{Client: func(cfg sdk.Config) *Signed { return NewSigned(cfg, "acm", "ACM") }})
	c := all.Connection(balancer.Ref{})
	for _, kind := range []string{"cut", "endless"} {
		_, err := Do(t.Context(), c, "list", "all", func(ctx context.Context) ([]byte, error) {
			return c.API.Post(ctx, http.Header{"X-Amz-Target": {kind}}, nil, func([]byte) Fault { return Fault{} })
		})
		if err == nil || !strings.Contains(err.Error(), "the answer cannot be read") {
			t.Errorf("%s: got %v", kind, err)
		}
	}
}

// TestAdvise: what to do is added to what AWS says, unless AWS says it or podgate has no credentials at all.
func TestAdvise(t *testing.T) {
	advice := map[string]string{"Full": "Raise the quota"}
	for _, tc := range []struct {
		reason string
		err    *balancer.CallError
		want   string
	}{
		{"a permission", &balancer.CallError{Kind: balancer.ErrDenied, Code: "Denied", Text: "No."}, "No. Allow ec2:Do in podgate's IAM policy"},
		{"a permission that is named", &balancer.CallError{Kind: balancer.ErrDenied, Code: "Denied", Text: "not authorized to perform: ec2:CreateTags"}, "not authorized to perform: ec2:CreateTags"},
		{"credentials", &balancer.CallError{Kind: balancer.ErrDenied, Code: "Denied", Text: "No.", Cause: &credentialsError{err: errNoCredentials}}, "No."},
		{"no answer of the API", &balancer.CallError{Kind: balancer.ErrDenied, Text: "No configuration."}, "No configuration."},
		{"a quota", &balancer.CallError{Kind: balancer.ErrQuota, Code: "Full", Text: "Full."}, "Full. Raise the quota"},
		{"nothing", &balancer.CallError{Code: "Other", Text: "Other."}, "Other."},
	} {
		_ = Advise(tc.err, "ec2:Do", advice)
		if tc.err.Text != tc.want {
			t.Errorf("%s: got %q, want %q", tc.reason, tc.err.Text, tc.want)
		}
	}
	if err := Advise(context.Canceled, "ec2:Do", advice); err != context.Canceled { //nolint:errorlint // it must be the same
		t.Errorf("got %v", err)
	}
}
