// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"encoding/pem"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/podgate/podgate/internal/allow"
	"github.com/podgate/podgate/internal/check"
)

// write writes a file and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// authority is the certificate of a test's server, in PEM.
func authority(f *fake) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}))
}

// TestTokens: a token is read again with each query, and the authorities too.
func TestTokens(t *testing.T) {
	f := newFake(t)
	f.StartTLS()
	f.does(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.Header.Get("Authorization") != "Bearer second" {
			raw(401, "first second")(w, r)
			return
		}
		says(byPod("web-1", "1"))(w, r)
	})

	token, ca := write(t, "token", "first\n"), write(t, "ca.crt", authority(f))
	c := checker(t, servers(t, "main="+f.URL+",tokenFile="+token+",caFile="+ca), settings())
	for _, step := range []struct {
		what, path, content string
		want                check.Word
	}{
		{"the first token", token, "first\n", check.AtServer(check.HTTPStatus(401))},
		{"the second token", token, "  second\n", check.ExpressionTrue},
		{"an empty file", token, "\n", check.TokenUnreadable},
		{"two lines", token, "second\nX-A: b", check.AtServer(check.Malformed)},
		{"the second token again", token, "second", check.ExpressionTrue},
		{"other authorities", ca, "none", check.AtServer(check.Malformed)},
		{"the authorities again", ca, authority(f), check.ExpressionTrue},
	} {
		if err := os.WriteFile(step.path, []byte(step.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := askOne(t, c, old("web-1")); got.Word != step.want {
			t.Errorf("%s: got %s (%s), want %s", step.what, got.Verdict, got.Word, step.want)
		}
	}

	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	before := f.count()
	if got := askOne(t, c, old("web-1")); got != (check.Answer{Word: check.TokenUnreadable}) || f.count() != before {
		t.Errorf("without the file: got %+v after %d more queries", got, f.count()-before)
	}
}

// TestFilesAtStart: what is wrong with the files of a server is said at the start, and what to do.
func TestFilesAtStart(t *testing.T) {
	none, empty, junk := filepath.Join(t.TempDir(), "none"), write(t, "empty", " \n"), write(t, "junk", "junk")
	for options, says := range map[string]string{
		",tokenFile=" + none:                 `prometheus server "main": token cannot be read: mount its tokenFile into podgate`,
		",tokenFile=" + empty:                "is empty",
		",caFile=" + none:                    `prometheus server "main": mount its caFile into podgate`,
		",caFile=" + write(t, "nothing", ""): "is empty",
		",caFile=" + junk:                    "no certificate in PEM",
	} {
		var f Flag
		if err := f.Set("main=https://prom" + options); err != nil {
			t.Fatal(err)
		}
		if _, err := New(f, prometheus.NewRegistry()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got the error %v, want %q", options, err, says)
		}
	}
}

// TestTenants: the server is told the gate's namespace, also when the library repeats a request with GET, and whatever the query says.
func TestTenants(t *testing.T) {
	f := started(t)
	f.does(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.Method == nethttp.MethodPost {
			raw(405, "")(w, r)
			return
		}
		says(byPod("web-1", "1"))(w, r)
	})

	c := settings()
	c.Query = `up&namespace=bank#{a="\r\nX-Scope-OrgID: bank"}`
	s := servers(t, "main="+f.URL+"/prefix,tenantParam=namespace,tenantHeader=X-Scope-OrgID")
	if got := askOne(t, checker(t, s, c), old("web-1")); got.Verdict != check.Pass {
		t.Fatalf("got %+v", got)
	}

	if f.count() != 2 {
		t.Fatalf("%d requests", f.count())
	}
	for _, r := range f.asked {
		if r.URL.Path != "/prefix/api/v1/query" {
			t.Errorf("%s: asked %s", r.Method, r.URL.Path)
		}
		if got := r.URL.Query()["namespace"]; len(got) != 1 || got[0] != namespace {
			t.Errorf("%s: the parameter is %q", r.Method, got)
		}
		if got := r.Form["namespace"]; len(got) != 1 || got[0] != namespace {
			t.Errorf("%s: the form has %q", r.Method, got)
		}
		if got := r.Header["X-Scope-Orgid"]; len(got) != 1 || got[0] != namespace {
			t.Errorf("%s: the header is %q", r.Method, got)
		}
		if got := r.Form["query"]; len(got) != 1 || got[0] != c.Query {
			t.Errorf("%s: asked %q", r.Method, got)
		}
	}
}

// TestGoesNowhereElse: no redirect is followed, and no proxy is used.
func TestGoesNowhereElse(t *testing.T) {
	var elsewhere int
	other := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		elsewhere++
		says(byPod("web-1", "1"))(w, r)
	}))
	defer other.Close()
	t.Setenv("HTTP_PROXY", other.URL)
	t.Setenv("HTTPS_PROXY", other.URL)

	f := started(t)
	for status, want := range map[int]check.Word{301: check.HTTPStatus(301), 307: check.HTTPStatus(307), 308: check.HTTPStatus(308)} {
		f.does(func(w nethttp.ResponseWriter, r *nethttp.Request) {
			w.Header().Set("Location", other.URL+"/api/v1/query")
			w.WriteHeader(status)
		})
		if got := askOne(t, checker(t, servers(t, "main="+f.URL), settings()), old("web-1")); got != (check.Answer{Word: check.AtServer(want)}) {
			t.Errorf("%d: got %s (%s)", status, got.Verdict, got.Word)
		}
	}

	// The standard library uses no proxy for loopback, so this name stands for another host.
	if got := askOne(t, checker(t, servers(t, "main=http://nowhere.invalid"), settings()), old("web-1")); got.Word != check.AtServer(check.NameNotFound) {
		t.Errorf("with a proxy: got %s (%s)", got.Verdict, got.Word)
	}
	if elsewhere != 0 {
		t.Errorf("%d requests went elsewhere", elsewhere)
	}
}

// TestLabelsDoNotReachTheQuery: what would leave a string of PromQL is not asked at all.
func TestLabelsDoNotReachTheQuery(t *testing.T) {
	f := started(t)
	f.does(says(series{value: "1"}))
	c := settings()
	c.PodLabel, c.Query = "", `up{shard="$(pod.labels['shard'])"}`
	attacked := checker(t, servers(t, "main="+f.URL), c)

	for _, shard := range []string{`"} or vector(1) or up{x="`, `a\`, `a" or "`, "a\n", "", "a b", `{`, `}`, "`", "'"} {
		if got := askOne(t, attacked, labelled(old("web-1"), map[string]string{"shard": shard})); got != (check.Answer{Word: check.VariableUnusable}) {
			t.Errorf("%q: got %s (%s)", shard, got.Verdict, got.Word)
		}
	}
	if f.count() != 0 {
		t.Errorf("%d queries", f.count())
	}
}

func TestAllowed(t *testing.T) {
	shop := map[string]string{"team": "shop"}
	for rule, want := range map[string]bool{
		"team=shop => prometheus:main":         true,
		"team=shop => prometheus:*":            true,
		"team=shop => prometheus:ma*":          true,
		"team=shop => a:1 prometheus:main":     true,
		"team=shop => prometheus:other":        false,
		"team=shop => prometheus:mai":          false,
		"team=bank => prometheus:main":         false,
		"team=shop => *":                       false,
		"team=shop => *:*":                     false,
		"team=shop => main":                    false,
		"team=shop => https://main/*":          false,
		"team=shop => xprometheus:main":        false,
		"team=shop => https://prometheus:main": false,
	} {
		var rules allow.List
		if err := rules.Set(rule); err != nil {
			t.Fatal(err)
		}
		if got := Allowed(rules, shop, "main"); got != want {
			t.Errorf("%s: got %t", rule, got)
		}
	}
	if Allowed(nil, shop, "main") {
		t.Error("allowed without a rule")
	}
}

// TestTimeoutForServers: Prometheus reads "2s", and neither "1.5s" nor "500ms1s".
func TestTimeoutForServers(t *testing.T) {
	for timeout, want := range map[time.Duration]string{time.Second: "1s", 1500 * time.Millisecond: "2s", 500 * time.Millisecond: "1s", time.Minute: "1m0s"} {
		if got := wholeSeconds(timeout).String(); got != want {
			t.Errorf("%s: got %s, want %s", timeout, got, want)
		}
	}
}
