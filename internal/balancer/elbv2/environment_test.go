// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/podgate/podgate/internal/balancer"
)

// fromEnvironment loads a configuration as the program does, from env alone.
func fromEnvironment(t *testing.T, env map[string]string) aws.Config {
	t.Helper()
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, t.TempDir()+"/none")
	}

	t.Setenv("AWS_CA_BUNDLE", "")
	for name, value := range env {
		t.Setenv(name, value)
	}

	client := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.DisableKeepAlives = true })
	cfg, err := awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithRegion(testRegion), awsconfig.WithHTTPClient(client))
	if err != nil {
		t.Fatal(err)
	}

	return cfg
}

func TestEndpointsComeFromTheEnvironment(t *testing.T) {
	both := func(action string, _ url.Values) answer {
		if action == "AssumeRole" {
			return session("ASIAROLE")
		}
		return rows()
	}

	one, other := serve(t, both), serve(t, both)
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
	tests := []struct {
		reason   string
		env      map[string]string
		elb, sts *wire
	}{
		{"one for all", map[string]string{"AWS_ENDPOINT_URL": one.URL}, one, one},
		{"one a service", map[string]string{"AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": one.URL, "AWS_ENDPOINT_URL_STS": other.URL}, one, other},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			for name, value := range keys {
				tc.env[name] = value
			}
			before := [2]int{tc.elb.count("DescribeTargetHealth"), tc.sts.count("AssumeRole")}
			if _, err := New(fromEnvironment(t, tc.env), testRegion).Health(t.Context(), balancer.Group{Ref: foreignRef}); err != nil {
				t.Fatal(err)
			}
			if tc.elb.count("DescribeTargetHealth") != before[0]+1 || tc.sts.count("AssumeRole") != before[1]+1 {
				t.Error("asked elsewhere")
			}
		})
	}
}

func TestEnvironmentCannotSwitchRetriesOn(t *testing.T) {
	w := serve(t, always(refusal(503, "ServiceUnavailable", "later")))
	cfg := fromEnvironment(t, map[string]string{
		"AWS_ENDPOINT_URL": w.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_MAX_ATTEMPTS": "5", "AWS_RETRY_MODE": "adaptive",
	})
	_, err := New(cfg, testRegion).Health(t.Context(), balancer.Group{Ref: testRef})
	checkKind(t, err, nil)
	if n := len(w.asked); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// A pod without a role asks the instance for one, as the SDK does when nothing else
// is configured, and learns nothing.
func TestNoCredentialsInTheEnvironment(t *testing.T) {
	w := serve(t, always(rows()))
	metadata := serve(t, always(answer{http.StatusNotFound, ""}))
	cfg := fromEnvironment(t, map[string]string{
		"AWS_ENDPOINT_URL": w.URL, "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.URL,
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
	})
	_, err := New(cfg, testRegion).Health(t.Context(), balancer.Group{Ref: testRef})
	checkKind(t, err, balancer.ErrDenied)
	if !strings.Contains(balancer.Message(err), "no credentials: none are configured and the instance offers none") {
		t.Errorf("got %q", balancer.Message(err))
	}
}
