// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package http

import (
	"encoding/pem"
	"io"
	"log"
	nethttp "net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/checktest"
	"github.com/podgate/podgate/internal/check/expr"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/network/networktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is the port that pods of tests have.
var place = network.AtPod(intstr.FromString(networktest.PortName), "")

const (
	secretBody   = "the-body-of-the-response"
	secretHeader = "the-header-of-the-response"
	secretSent   = "the-header-of-the-request"
	secretPath   = "the-path"
)

// application is one server behind all pods, which it tells apart by the address that they are asked at.
type application struct {
	mu   sync.Mutex
	does map[string]checktest.Behaviour
}

func (a *application) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) {
	a.mu.Lock()
	does := a.does[r.Host]
	a.mu.Unlock()

	w.Header().Set("X-Secret", secretHeader)
	switch does {
	case checktest.Hangs:
		<-r.Context().Done()
	case checktest.Passes:
		_, _ = io.WriteString(w, secretBody)
	default:
		nethttp.Error(w, secretBody, nethttp.StatusServiceUnavailable)
	}
}

func (a *application) set(host string, does checktest.Behaviour) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.does[host] = does
}

func TestConformance(t *testing.T) { conform(t, false) }

func TestConformanceTLS(t *testing.T) { conform(t, true) }

func conform(t *testing.T, overTLS bool) {
	checktest.Run(t, func(t *testing.T) checktest.Harness {
		app := &application{does: map[string]checktest.Behaviour{}}
		server := quiet(app)
		settings := Settings{Path: "/" + secretPath, Headers: []Header{{Name: "X-Sent", Value: secretSent}}}
		if overTLS {
			server.StartTLS()
			settings.TLS = trusting(server)
		} else {
			server.Start()
		}
		t.Cleanup(server.Close)

		pods := networktest.New()
		checker, err := New(place, settings, timeout, pods.Dial)
		if err != nil {
			t.Fatal(err)
		}

		return checktest.Harness{
			Checker: checker,
			Timeout: timeout,
			Asked:   pods.Dialled,
			Secrets: []string{secretBody, secretHeader, secretSent, secretPath, "example.com"},
			NewPod: func(*testing.T) check.Subject {
				pod := pods.Add()
				pods.Serve(pod, server.Listener.Addr().String())
				return pod
			},
			Set: func(_ *testing.T, pod check.Subject, does checktest.Behaviour) {
				app.set(networktest.HostPort(pod), does)
			},
		}
	})
}

// quiet is a server that does not log what clients do to it.
func quiet(handler nethttp.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	return server
}

func trusting(server *httptest.Server) *network.TLS {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return &network.TLS{ServerName: "example.com", CABundle: authority}
}

// ask asks one pod once, behind which a server listens.
func ask(t *testing.T, settings Settings, address string) check.Answer {
	t.Helper()
	pods := networktest.New()
	pod := pods.Add()
	pods.Serve(pod, address)
	return askOf(t, settings, pods, pod)
}

func askOf(t *testing.T, settings Settings, pods *networktest.Pods, pod check.Subject) check.Answer {
	t.Helper()
	checker, err := New(place, settings, timeout, pods.Dial)
	if err != nil {
		t.Fatal(err)
	}
	answers, err := checker.Check(t.Context(), []check.Subject{pod})
	if err != nil {
		t.Fatal(err)
	}
	return answers[pod.UID]
}

// timeout is long enough for what does not hang, and an end for what does.
const timeout = time.Second

func TestDefaultExpression(t *testing.T) {
	for status, want := range map[int]check.Verdict{
		200: check.Pass, 204: check.Pass, 299: check.Pass,
		300: check.Fail, 301: check.Fail, 304: check.Fail, 401: check.Fail, 404: check.Fail, 500: check.Fail, 503: check.Fail, 999: check.Fail,
	} {
		server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) { w.WriteHeader(status) }))
		got := ask(t, Settings{}, server.Listener.Addr().String())
		server.Close()
		if got.Verdict != want || got.Word != check.HTTPStatus(status) {
			t.Errorf("%d: got %s (%s)", status, got.Verdict, got.Word)
		}
	}
}

// TestRequest: what a server gets is what the check says, and nothing of podgate's own but its name.
func TestRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		reason   string
		settings Settings
		method   string
		uri      string
		host     string // empty: the address
		header   nethttp.Header
	}{
		"Nothing":   {reason: "Everything has a default.", method: "GET", uri: "/", header: nethttp.Header{"User-Agent": {"podgate"}}},
		"Head":      {reason: "The method is the check's.", settings: Settings{Method: "HEAD"}, method: "HEAD", uri: "/", header: nethttp.Header{"User-Agent": {"podgate"}}},
		"Path":      {reason: "A path may have a query.", settings: Settings{Path: "/warm%20up?cache=a%2Fb"}, method: "GET", uri: "/warm%20up?cache=a%2Fb", header: nethttp.Header{"User-Agent": {"podgate"}}},
		"Relative":  {reason: "As in probes, the slash may be left out.", settings: Settings{Path: "warm"}, method: "GET", uri: "/warm", header: nethttp.Header{"User-Agent": {"podgate"}}},
		"Authority": {reason: "A path does not name a host.", settings: Settings{Path: "//evil.example/warm"}, method: "GET", uri: "//evil.example/warm", header: nethttp.Header{"User-Agent": {"podgate"}}},
		"URL":       {reason: "A path does not name a host.", settings: Settings{Path: "http://evil.example/warm"}, method: "GET", uri: "/http://evil.example/warm", header: nethttp.Header{"User-Agent": {"podgate"}}},
		"Host":      {reason: "A server may serve several.", settings: Settings{Host: "shop.example.com"}, method: "GET", uri: "/", host: "shop.example.com", header: nethttp.Header{"User-Agent": {"podgate"}}},
		"Headers":   {reason: "They are sent along.", settings: Settings{Headers: []Header{{"x-one", "1"}, {"User-Agent", "other"}}}, method: "GET", uri: "/", header: nethttp.Header{"User-Agent": {"other"}, "X-One": {"1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got *nethttp.Request
			server := httptest.NewServer(nethttp.HandlerFunc(func(_ nethttp.ResponseWriter, r *nethttp.Request) { got = r }))
			defer server.Close()
			pods := networktest.New()
			pod := pods.Add()
			pods.Serve(pod, server.Listener.Addr().String())
			if answer := askOf(t, tc.settings, pods, pod); answer.Verdict != check.Pass {
				t.Fatalf("%s\ngot %s (%s)", tc.reason, answer.Verdict, answer.Word)
			}

			if tc.host == "" {
				tc.host = networktest.HostPort(pod)
			}
			if got.Method != tc.method || got.RequestURI != tc.uri || got.Host != tc.host {
				t.Errorf("%s\ngot %s %s of %s, want %s %s of %s", tc.reason, got.Method, got.RequestURI, got.Host, tc.method, tc.uri, tc.host)
			}
			got.Header.Del("Connection") // It says "close".
			if diff := cmp.Diff(tc.header, got.Header); diff != "" {
				t.Errorf("%s\nheader (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSettingsThatNeverWork(t *testing.T) {
	for name, settings := range map[string]Settings{
		"Method":  {Method: "POST"},
		"Connect": {Method: "CONNECT"},
		"Path":    {Path: "/%zz"},
		"NewLine": {Path: "/a\r\nHost: evil"},
		"Host":    {Host: "a\r\nX-C: d"},
		"HostURL": {Host: "evil.example/a"},
		"User":    {Host: "a@evil.example"},
		"Bundle":  {TLS: &network.TLS{CABundle: []byte("not PEM")}},
	} {
		if _, err := New(place, settings, timeout, networktest.New().Dial); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestTLSServers(t *testing.T) {
	server := quiet(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) {}))
	server.StartTLS()
	defer server.Close()
	plain := quiet(server.Config.Handler)
	plain.Start()
	defer plain.Close()

	trusted, other := trusting(server), trusting(server)
	other.ServerName = "example.org"
	for name, tc := range map[string]struct {
		reason  string
		tls     *network.TLS
		address string
		want    check.Answer
	}{
		"Trusted":    {reason: "The authority is known.", tls: trusted, address: server.Listener.Addr().String(), want: check.Answer{Verdict: check.Pass, Word: check.HTTPStatus(200)}},
		"Unknown":    {reason: "The authority is not.", tls: &network.TLS{ServerName: "example.com"}, address: server.Listener.Addr().String(), want: check.Answer{Verdict: check.Fail, Word: check.NotTrusted}},
		"OtherName":  {reason: "The certificate is another's.", tls: other, address: server.Listener.Addr().String(), want: check.Answer{Verdict: check.Fail, Word: check.NotTrusted}},
		"SkipVerify": {reason: "The check does not mind.", tls: &network.TLS{SkipVerify: true}, address: server.Listener.Addr().String(), want: check.Answer{Verdict: check.Pass, Word: check.HTTPStatus(200)}},
		"Plain":      {reason: "The server speaks no TLS.", tls: trusted, address: plain.Listener.Addr().String(), want: check.Answer{Verdict: check.Fail, Word: check.TLSFailed}},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, Settings{TLS: tc.tls}, tc.address)
			if tc.want.Addr = got.Addr; got != tc.want {
				t.Errorf("%s\ngot %s (%s)", tc.reason, got.Verdict, got.Word)
			}
		})
	}
}

// TestCompiledExpression: an expression decides by what this very pod answers, and by the pod.
func TestCompiledExpression(t *testing.T) {
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		w.Header().Set("X-Cache", "warm")
		w.WriteHeader(nethttp.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"lag": 3, "secret": "`+secretBody+`"}`)
	}))
	defer server.Close()

	for text, want := range map[string]check.Answer{
		"response.json.lag < 5 && response.headers['x-cache'] == 'warm'": {Verdict: check.Pass, Word: check.HTTPStatus(503)},
		"response.status < 500": {Verdict: check.Fail, Word: check.HTTPStatus(503)},
		"response.json.lag < int(pod.metadata.annotations.maxLag)": {Verdict: check.Pass, Word: check.HTTPStatus(503)},
		"response.json.gone < 5":                                   {Word: check.ExpressionFailed},
		"response.json[response.json.secret]":                      {Word: check.ExpressionFailed},
		"response.body.split('').all(a, response.body.split('').all(b, response.body.split('').all(c, true)))": {Word: check.ExpressionFailed},
	} {
		program, err := expr.Compile(text, expr.Response, expr.Pod)
		if err != nil {
			t.Fatal(err)
		}

		pods := networktest.New()
		pod := pods.Add()
		pods.Serve(pod, server.Listener.Addr().String())
		pod.Pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"maxLag": "4"}}}

		want.Addr = pod.Addrs[0]
		if got := askOf(t, Settings{Expression: program}, pods, pod); got != want {
			t.Errorf("%s\ngot %s (%s)", text, got.Verdict, got.Word)
		}
	}
}
