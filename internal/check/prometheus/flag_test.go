// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"flag"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var _ flag.Value = (*Flag)(nil)

func TestFlag(t *testing.T) {
	texts := []string{
		"main=https://prom.monitoring:9090",
		"local=http://127.0.0.1:9090/prometheus,tenantParam=namespace",
		"shop-2=https://[fd12::1]/api,caFile=/etc/ca.crt",
		"all=https://thanos,tokenFile=/etc/token,caFile=/etc/ca.crt,tenantParam=namespace,tenantHeader=X-Scope-OrgID",
	}

	var got Flag
	for _, text := range texts {
		if err := got.Set(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}

	want := Flag{
		{Name: "main", URL: parsed(t, "https://prom.monitoring:9090")},
		{Name: "local", URL: parsed(t, "http://127.0.0.1:9090/prometheus"), TenantParam: "namespace"},
		{Name: "shop-2", URL: parsed(t, "https://[fd12::1]/api"), CAFile: "/etc/ca.crt"},
		{Name: "all", URL: parsed(t, "https://thanos"), TokenFile: "/etc/token", CAFile: "/etc/ca.crt", TenantParam: "namespace", TenantHeader: "X-Scope-OrgID"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := got.String(); text != strings.Join(texts, " ") {
		t.Errorf("as text: %s", text)
	}
}

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestFlagRefuses: each refusal says what is wrong, and none repeats a password.
func TestFlagRefuses(t *testing.T) {
	const url = "https://prom:9090"
	for text, says := range map[string]string{
		"":                                     "want NAME=URL",
		"main":                                 "want NAME=URL",
		"=" + url:                              `the name "" is not one`,
		"9090=" + url:                          "use a letter",
		"Main=" + url:                          "all lower case",
		"a/b=" + url:                           "the name",
		"main=":                                "want http:// or https://",
		"main=prom:9090":                       "want http:// or https://",
		"main=//prom:9090":                     "want http:// or https://",
		"main=unix:///run/prom":                "want http:// or https://",
		"main=https://":                        "a host",
		"main=https://:9090":                   "a host",
		"main=https://me:s3cret@prom":          "use tokenFile for credentials",
		"main=https://me:s3cret@prom:port":     "use tokenFile for credentials",
		"main=https://prom?":                   "want http:// or https://",
		"main=https://prom?tenant=a":           "want http:// or https://",
		"main=https://prom#a":                  "want http:// or https://",
		"main=" + url + ",":                    `no option ""`,
		"main=" + url + ",token=s3cret":        `no option "token"`,
		"main=" + url + ",tokenFile":           "not an absolute path",
		"main=" + url + ",tokenFile=token":     "not an absolute path",
		"main=" + url + ",caFile=ca.crt":       "not an absolute path",
		"main=" + url + ",caFile=/a,caFile=/b": "caFile is there twice",
		"main=" + url + ",tenantParam=":        "tenantParam",
		"main=" + url + ",tenantParam=query":   "tenantParam",
		"main=" + url + ",tenantHeader=":       "tenantHeader",
		"main=" + url + ",tenantHeader=X Y":    "tenantHeader",
		"main=" + url + ",tenantHeader=host":   "tenantHeader",
		"main=http://prom,tokenFile=/token":    "can read a token",
		"main=http://prom,caFile=/ca.crt":      "are for https",
		"old=https://other":                    "there are two servers",
	} {
		f := Flag{{Name: "old", URL: parsed(t, url)}}
		err := f.Set(text)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got the error %v, want %q", text, err, says)
		}
		if len(f) != 1 {
			t.Errorf("%s: was added", text)
		}
	}
}
