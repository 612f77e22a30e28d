// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	nethttp "net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
	realprometheus "github.com/podgate/podgate/test/prometheus"
)

// atReal returns a check of a real Prometheus.
func atReal(t *testing.T, p *realprometheus.Process, s Settings) Checker {
	t.Helper()
	c, err := servers(t, "main=http://"+p.Address).Check(s, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually asks until the answer is there: Prometheus scrapes in its own time.
func eventually(t *testing.T, c Checker, pod check.Subject, want check.Answer) {
	t.Helper()
	var got check.Answer
	for end := time.Now().Add(realprometheus.Patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = askOne(t, c, pod); got == want {
			return
		}
	}
	t.Fatalf("got %s (%s), want %s (%s)", got.Verdict, got.Word, want.Verdict, want.Word)
}

var (
	passes = check.Answer{Verdict: check.Pass, Word: check.ExpressionTrue}
	fails  = check.Answer{Verdict: check.Fail, Word: check.ExpressionFalse}
)

// exposed is what the application says of its pods.
const exposed = `
warm{namespace="shop",pod="web-1",uid="uid-of-web-1",shard="a"} 1
warm{namespace="shop",pod="web-2",uid="uid-of-web-2",shard="b"} 0
warm{namespace="bank",pod="web-3",uid="uid-of-web-3"} 1
warm{namespace="shop",pod="two",container="a"} 1
warm{namespace="shop",pod="two",container="b"} 1
zero{namespace="shop",pod="web-1"} 0
lag 1
`

func TestRealPrometheus(t *testing.T) {
	p := realprometheus.Start(t, "127.0.0.1")
	p.Expose(exposed)

	byLabel := settings()
	byLabel.Query = "warm"
	c := atReal(t, p, byLabel)
	eventually(t, c, old("web-1"), passes)

	got := ask(t, c, old("web-1"), old("web-2"), old("web-3"), old("two"), old("web-4"))
	for name, want := range map[string]check.Answer{
		"web-1": passes, "web-2": fails, "web-3": {Word: check.NoSeries}, "two": {Word: check.SeveralSeries}, "web-4": {Word: check.NoSeries},
	} {
		if got[types.UID("uid-of-"+name)] != want {
			t.Errorf("%s: got %+v, want %+v", name, got[types.UID("uid-of-"+name)], want)
		}
	}

	for name, tc := range map[string]struct {
		query, podLabel string
		pod             string
		want            check.Answer
	}{
		"Empty":       {query: "nothing_of_that_name", podLabel: "pod", want: check.Answer{Word: check.NoSeries}},
		"NaN":         {query: "zero / zero", podLabel: "pod", want: check.Answer{Word: check.NotFinite}},
		"Inf":         {query: "warm / on (namespace, pod) zero", podLabel: "pod", want: check.Answer{Word: check.NotFinite}},
		"UID":         {query: "max by (uid) (warm)", podLabel: UIDLabel, want: passes},
		"Filtered":    {query: "warm > 1", podLabel: "pod", want: check.Answer{Word: check.NoSeries}},
		"Shared":      {query: "lag", want: passes},
		"Sum":         {query: `sum(warm{namespace="shop",pod=~"web-.*"})`, want: passes},
		"Scalar":      {query: "scalar(lag)", want: passes},
		"NoScalar":    {query: "scalar(warm)", want: check.Answer{Word: check.NotFinite}},
		"Several":     {query: "warm", want: check.Answer{Word: check.SeveralValues}},
		"NoValue":     {query: "lag > 1", want: check.Answer{Word: check.NoValue}},
		"Variables":   {query: `warm{pod="$(pod.name)",namespace="$(pod.namespace)",uid="$(pod.uid)",shard="$(pod.labels['shard'])"}`, want: passes},
		"Invalid":     {query: "warm{", podLabel: "pod", want: check.Answer{Word: check.QueryInvalid}},
		"Unevaluable": {query: "lag * on () warm", podLabel: "pod", want: check.Answer{Word: check.QueryFailed}},
		"Matrix":      {query: "warm[1m]", podLabel: "pod", want: check.Answer{Word: check.NotAVector}},
		"String":      {query: `"warm"`, want: check.Answer{Word: check.AtServer(check.Malformed)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings()
			s.Query, s.PodLabel = tc.query, tc.podLabel
			pod := labelled(old("web-1"), map[string]string{"shard": "a"})
			if got := askOne(t, atReal(t, p, s), pod); got != tc.want {
				t.Errorf("%s: got %s (%s), want %s (%s)", tc.query, got.Verdict, got.Word, tc.want.Verdict, tc.want.Word)
			}
		})
	}

	t.Run("EmptyLabel", func(t *testing.T) { emptyLabel(t, p) })
	t.Run("Inherited", func(t *testing.T) { inheritedSeries(t, p) })
	t.Run("Tenant", func(t *testing.T) { tenants(t, p) })
	t.Run("Restarted", func(t *testing.T) { restarted(t, p) })
}

// emptyLabel: {shard=""} matches a series without that label, so a pod without the label must not ask so.
func emptyLabel(t *testing.T, p *realprometheus.Process) {
	s := settings()
	s.PodLabel, s.Query = "", `warm{namespace="bank",shard=""}`
	if got := askOne(t, atReal(t, p, s), old("web-1")); got != passes {
		t.Fatalf("the trap is not there: got %+v", got)
	}

	s.Query = `warm{namespace="bank",shard="$(pod.labels['shard'])"}`
	if got := askOne(t, atReal(t, p, s), old("web-1")); got != (check.Answer{Word: check.VariableUnusable}) {
		t.Errorf("got %s (%s)", got.Verdict, got.Word)
	}
}

// inheritedSeries: a pod of a StatefulSet has its predecessor's name, and Prometheus its predecessor's series.
func inheritedSeries(t *testing.T, p *realprometheus.Process) {
	const predecessor = `warm{namespace="shop",pod="db-0",uid="uid-of-predecessor"} 1` + "\n"
	byName := settings()
	byName.Query = "max by (namespace, pod) (max_over_time(warm[1m]))"
	p.Expose(exposed + predecessor)
	eventually(t, atReal(t, p, byName), old("db-0"), passes)

	// The predecessor ends, and Prometheus notices: the plain series has an end, and the range is still there.
	p.Expose(exposed)
	plain := settings()
	plain.Query = "warm"
	eventually(t, atReal(t, p, plain), old("db-0"), check.Answer{Word: check.NoSeries})
	if got := askOne(t, atReal(t, p, byName), old("db-0")); got != passes {
		t.Fatalf("the trap is not there: got %+v", got)
	}

	successor := readyFor(2*time.Minute, "db-0", "StatefulSet")
	successor.UID = "uid-of-successor"
	if got := askOne(t, atReal(t, p, byName), successor); got != (check.Answer{Word: check.LooksBack}) {
		t.Errorf("by name: got %s (%s)", got.Verdict, got.Word)
	}

	byUID := byName
	byUID.PodLabel, byUID.Query = UIDLabel, "max by (uid) (max_over_time(warm[1m]))"
	if got := askOne(t, atReal(t, p, byUID), successor); got != (check.Answer{Word: check.NoSeries}) {
		t.Errorf("by UID: got %s (%s)", got.Verdict, got.Word)
	}
}

// tenants: a proxy of tenants in front of Prometheus wants a token, and answers about the namespace that it is told.
func tenants(t *testing.T, p *realprometheus.Process) {
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: p.Address})
	f := newFake(t)
	f.StartTLS()
	f.does(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		tenant := r.URL.Query().Get("tenant")
		if r.Header.Get("Authorization") != "Bearer token" || tenant == "" || tenant != r.Header.Get("X-Scope-OrgID") {
			nethttp.Error(w, "no", nethttp.StatusForbidden)
			return
		}
		r.Form.Set("query", strings.ReplaceAll(r.Form.Get("query"), "warm", `warm{namespace="`+tenant+`"}`))
		r.Method, r.ContentLength, r.Body = nethttp.MethodGet, 0, nethttp.NoBody
		r.URL.RawQuery = r.Form.Encode()
		behind.ServeHTTP(w, r)
	})

	base := "main=" + f.URL + ",caFile=" + write(t, "ca.crt", authority(f))
	token := ",tokenFile=" + write(t, "token", "token")
	all := settings()
	all.PodLabel, all.Query = "", "count(warm)"
	for name, tc := range map[string]struct {
		flag, namespace, count string
		want                   check.Answer
	}{
		"Shop":     {flag: base + token + ",tenantParam=tenant,tenantHeader=X-Scope-OrgID", namespace: "shop", count: "4.0", want: passes},
		"Bank":     {flag: base + token + ",tenantParam=tenant,tenantHeader=X-Scope-OrgID", namespace: "bank", count: "1.0", want: passes},
		"NoTenant": {flag: base + token, namespace: "shop", count: "4.0", want: check.Answer{Word: check.AtServer(check.HTTPStatus(403))}},
		"NoToken":  {flag: base + ",tenantParam=tenant,tenantHeader=X-Scope-OrgID", namespace: "shop", count: "4.0", want: check.Answer{Word: check.AtServer(check.HTTPStatus(403))}},
	} {
		t.Run(name, func(t *testing.T) {
			all.Namespace = tc.namespace
			all.Expression = compiled("value == " + tc.count)
			c, err := servers(t, tc.flag).Check(all, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if got := askOne(t, c, old("web-1")); got != tc.want {
				t.Errorf("got %s (%s)", got.Verdict, got.Word)
			}
		})
	}
}

// restarted: while Prometheus is away nothing is known, and after that it is asked again.
func restarted(t *testing.T, p *realprometheus.Process) {
	s := settings()
	s.Query = "warm"
	c := atReal(t, p, s)
	p.Stop(t)
	if got := askOne(t, c, old("web-2")); got != (check.Answer{Word: check.AtServer(check.Refused)}) {
		t.Errorf("without a server: got %s (%s)", got.Verdict, got.Word)
	}

	p.Run(t)
	eventually(t, c, old("web-1"), passes)
}
