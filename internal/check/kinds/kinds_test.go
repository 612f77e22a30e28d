// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/allow"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/network/networktest"
	"github.com/podgate/podgate/internal/observe/checks"
)

func port(number int32) *intstr.IntOrString { return new(intstr.FromInt32(number)) }

// makes makes checks whose connections go to a server of the test, wherever they are meant to go.
func makes(t *testing.T, serve http.HandlerFunc) Maker {
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	secure := httptest.NewTLSServer(serve)
	t.Cleanup(secure.Close)

	m := Maker{
		Objects: objects{found: []map[string]any{{"metadata": map[string]any{"name": "migrate"}}}},
		Dial: func(ctx context.Context, to network.Destination) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(to.HostPort())
			address := server.Listener.Addr().String()
			if port == "443" {
				address = secure.Listener.Addr().String()
			}
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		Labels: func(_ context.Context, namespace string) (map[string]string, error) {
			if namespace == "gone" {
				return nil, errors.New("no such namespace")
			}
			return map[string]string{"team": namespace}, nil
		},
	}
	if err := m.Allowed.Set("team=shop => http://status.example.com/* https://status.example.com/* db.example.com:80"); err != nil {
		t.Fatal(err)
	}
	return m
}

// job is a check of the object migrate of a kind.
func job(kind, expression string) *v1alpha1.ResourceCheck {
	return &v1alpha1.ResourceCheck{APIVersion: "v1", Kind: kind, Name: "migrate", ServiceAccountName: "gatekeeper", Expression: expression}
}

// shop is a ReadinessGate of the namespace shop.
func shop() *v1alpha1.ReadinessGate {
	return &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "warm"}}
}

// TestKinds: each kind asks as its fields say, and costs what it costs.
func TestKinds(t *testing.T) {
	m := makes(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Ask") == "no" || r.URL.Path == "/down" || r.Host == "down.example.com" || r.Method == http.MethodHead && r.URL.Path == "/get" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	pass := func(word string) string { return "Pass: " + word }

	for name, tc := range map[string]struct {
		check     v1alpha1.Check
		namespace string
		cost      checks.Cost
		want      string
	}{
		"TCP":         {check: v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Port: port(80)}}, want: pass("connected")},
		"TCPNamed":    {check: v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Port: new(intstr.FromString("none"))}}, want: "NoAnswer: no container has that port"},
		"TCPFamily":   {check: v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Port: port(80), IPFamily: "ipv6"}}, want: "NoAnswer: the pod has no such address"},
		"TCPAddress":  {check: v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Address: "db.example.com:80"}}, cost: checks.Shared, want: pass("connected")},
		"TCPRefused":  {check: v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Address: "db.example.com:81"}}, cost: checks.Local, want: "NoAnswer: not allowed"},
		"OtherTeam":   {check: v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Address: "db.example.com:80"}}, namespace: "pay", cost: checks.Local, want: "NoAnswer: not allowed"},
		"NoNamespace": {check: v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Address: "db.example.com:80"}}, namespace: "gone", cost: checks.Local, want: "NoAnswer: the check cannot be used as it is"},
		"HTTP":        {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: port(80)}}, want: pass("HTTP status 200")},
		"HTTPPath":    {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: port(80), Path: "/down"}}, want: "Fail: HTTP status 503"},
		"HTTPHost":    {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: port(80), Host: "down.example.com"}}, want: "Fail: HTTP status 503"},
		"HTTPHeader":  {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: port(80), Headers: []v1alpha1.HTTPHeader{{Name: "X-Ask", Value: "no"}}}}, want: "Fail: HTTP status 503"},
		"HTTPMethod":  {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: port(80), Method: "HEAD", Path: "/get"}}, want: "Fail: HTTP status 503"},
		"HTTPS":       {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: port(443), Scheme: "HTTPS"}}, want: "Fail: TLS certificate not trusted"},
		"Unverified":  {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: port(443), Scheme: "HTTPS", TLS: &v1alpha1.TLSVerification{Verify: v1alpha1.VerifyNone}}}, want: pass("HTTP status 200")},
		"URL":         {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{URL: "http://status.example.com/get?a=b"}}, cost: checks.Shared, want: pass("HTTP status 200")},
		"URLPath":     {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{URL: "http://status.example.com/down"}}, cost: checks.Shared, want: "Fail: HTTP status 503"},
		"URLSecure":   {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{URL: "https://status.example.com/"}}, cost: checks.Shared, want: "Fail: TLS certificate not trusted"},
		"URLRefused":  {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{URL: "http://other.example.com/"}}, cost: checks.Local, want: "NoAnswer: not allowed"},
		"Expression":  {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: port(80), Path: "/down", Expression: "response.status == 503 && pod.metadata.name == 'web-0'"}}, want: pass("HTTP status 503")},
		"URLOfAPod":   {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{URL: "http://status.example.com/", Expression: "pod.metadata.name == 'web-0'"}}, cost: checks.Local, want: "NoAnswer: the check cannot be used as it is"},
		"URLAnswer":   {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{URL: "http://status.example.com/down", Expression: "response.status == 503"}}, cost: checks.Shared, want: pass("HTTP status 503")},
		"Variable":    {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: port(80), Path: "/$(pod.labels['state'])"}}, want: "Fail: HTTP status 503"},
		"VariableOf":  {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: port(80), Headers: []v1alpha1.HTTPHeader{{Name: "X-Ask", Value: "$(pod.labels['unset'])"}}}}, want: "NoAnswer: a variable has no usable value for this pod"},
		"URLVariable": {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{URL: "http://status.example.com/$(pod.labels['state'])"}}, want: "Fail: HTTP status 503"},
		"URLPerPod":   {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{URL: "http://status.example.com/$(pod.name)", Expression: "pod.metadata.name == 'web-0'"}}, want: pass("HTTP status 200")},
		"URLHeader":   {check: v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{URL: "http://status.example.com/", Headers: []v1alpha1.HTTPHeader{{Name: "X-Ask", Value: "$(pod.labels['ask'])"}}}}, want: "Fail: HTTP status 503"},
		"Pod":         {check: v1alpha1.Check{Pod: &v1alpha1.PodCheck{Expression: "pod.metadata.name == 'web-0'"}}, cost: checks.Local, want: pass("the expression is true")},
		"PodFails":    {check: v1alpha1.Check{Pod: &v1alpha1.PodCheck{Expression: "pod.metadata.name == 'web-1'"}}, cost: checks.Local, want: "Fail: the expression is false"},
		"Resource":    {check: v1alpha1.Check{Resource: job("Job", "object.metadata.name == 'migrate' && pod.metadata.name == 'web-0'")}, cost: checks.Local, want: pass("the expression is true")},
		"Secret":      {check: v1alpha1.Check{Resource: job("Secret", "true")}, cost: checks.Local, want: "NoAnswer: not allowed"},
		"ResourceBad": {check: v1alpha1.Check{Resource: job("Job", "objects.size() > 0")}, cost: checks.Local, want: "NoAnswer: the check cannot be used as it is"},
		"PodInvalid":  {check: v1alpha1.Check{Pod: &v1alpha1.PodCheck{Expression: "pod."}}, cost: checks.Local, want: "NoAnswer: the check cannot be used as it is"},
		"Manual":      {check: v1alpha1.Check{Manual: &v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalGate}}, cost: checks.Local, want: "NoAnswer: not approved"},
		"Open":        {check: v1alpha1.Check{Manual: &v1alpha1.ManualCheck{Initially: v1alpha1.InitiallyOpen}}, cost: checks.Local, want: pass("open unless it is closed by hand")},
		"GRPC":        {check: v1alpha1.Check{GRPC: &v1alpha1.GRPCCheck{Port: port(80)}}, want: "NoAnswer: no valid answer"},
		"GRPCAddress": {check: v1alpha1.Check{GRPC: &v1alpha1.GRPCCheck{Address: "db.example.com:81"}}, cost: checks.Local, want: "NoAnswer: not allowed"},
		"NoKind":      {check: v1alpha1.Check{}, cost: checks.Local, want: "NoAnswer: the check cannot be used as it is"},
	} {
		t.Run(name, func(t *testing.T) {
			g := shop()
			if tc.namespace != "" {
				g.Namespace = tc.namespace
			}
			tc.check.Name = "warm"
			g.Spec.Checks = []v1alpha1.Check{tc.check}

			def := m.Definition(t.Context(), g)
			pod := networktest.New().Add()
			pod.Pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-0", UID: pod.UID, Labels: map[string]string{"state": "down", "ask": "no"}}}
			answers, err := def.Checks[0].Checker.Check(t.Context(), []check.Subject{pod})
			if err != nil {
				t.Fatal(err)
			}
			got := answers[pod.UID].Verdict.String() + ": " + answers[pod.UID].Word.String()
			if got != tc.want || def.Checks[0].Cost != tc.cost || def.Checks[0].Kind != tc.check.Kind() || def.Checks[0].Name != "warm" {
				t.Errorf("got %s, cost %d, want %s, cost %d", got, def.Checks[0].Cost, tc.want, tc.cost)
			}
		})
	}
}

// TestNothingIsAllowedWithoutRules: a check asks the gated pod and nothing else unless an administrator allows it.
func TestNothingIsAllowedWithoutRules(t *testing.T) {
	m := makes(t, func(http.ResponseWriter, *http.Request) {})
	m.Allowed = allow.List{}
	for _, c := range []v1alpha1.Check{
		{TCP: &v1alpha1.TCPCheck{Address: "db.example.com:80"}}, {HTTP: &v1alpha1.HTTPCheck{URL: "http://status.example.com/"}}, {GRPC: &v1alpha1.GRPCCheck{Address: "db.example.com:80"}},
	} {
		if _, err := m.Check(t.Context(), shop(), &c); !errors.Is(err, network.ErrNotAllowed) {
			t.Errorf("%s: %v", c.Kind(), err)
		}
	}
}

// TestWhatIsNotServedIsRefused: what this version does not know of a check is not left out without a word.
func TestWhatIsNotServedIsRefused(t *testing.T) {
	m := makes(t, func(http.ResponseWriter, *http.Request) {})
	for name, c := range map[string]*v1alpha1.HTTPCheck{
		"expression":      {Port: port(80), Expression: "pod."},
		"variable":        {Port: port(80), Path: "/$(pod.nam)"},
		"header variable": {Port: port(80), Headers: []v1alpha1.HTTPHeader{{Name: "X-Pod", Value: "$(pod.annotations['a'])"}}},
		"CA bundle":       {Port: port(443), Scheme: "HTTPS", TLS: &v1alpha1.TLSVerification{CABundle: []byte("none")}},
	} {
		if _, err := m.Check(t.Context(), shop(), &v1alpha1.Check{HTTP: c}); err == nil {
			t.Errorf("%s: it can be used", name)
		}
	}
}

// TestRules: when a check is asked, and what its answers are about.
func TestRules(t *testing.T) {
	m := makes(t, func(http.ResponseWriter, *http.Request) {})
	c := v1alpha1.Check{Name: "warm", PeriodSeconds: 7, TimeoutSeconds: 3, InitialDelaySeconds: 20, SuccessThreshold: 4, TCP: &v1alpha1.TCPCheck{Port: port(80)}}
	made, err := m.Check(t.Context(), shop(), &c)
	if want := (check.Rules{Period: 7 * time.Second, InitialDelay: 20 * time.Second, SuccessThreshold: 4}); err != nil || made.Rules != want {
		t.Errorf("%+v, %v", made.Rules, err)
	}

	c.PeriodSeconds, c.TimeoutSeconds, c.InitialDelaySeconds, c.SuccessThreshold = 1, 1, 1, 1
	if again, _ := m.Check(t.Context(), shop(), &c); !cmp.Equal(again.Spec, made.Spec) {
		t.Error("asked at another pace, its answers are about something else")
	}
	c.TCP.Port = port(81)
	if again, _ := m.Check(t.Context(), shop(), &c); cmp.Equal(again.Spec, made.Spec) {
		t.Error("asked at another port, its answers are about the same")
	}

	any := m.Definition(t.Context(), &v1alpha1.ReadinessGate{Spec: v1alpha1.ReadinessGateSpec{Match: v1alpha1.MatchAny}})
	all := m.Definition(t.Context(), &v1alpha1.ReadinessGate{Spec: v1alpha1.ReadinessGateSpec{Match: v1alpha1.MatchAll}})
	if any.Match != check.Any || all.Match != check.All {
		t.Errorf("match %d and %d", any.Match, all.Match)
	}
}
