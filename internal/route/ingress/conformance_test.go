// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	elbapi "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/elb/apply"
	"github.com/podgate/podgate/sim/awssim"
)

// The features of Kubernetes' ingress-controller-conformance, with requests that go through a simulated load balancer. Class and
// status are those of the controller, and test/engine has them. What an ALB does otherwise is in docs/kinds/ingress.md.

// echo is what a pod answers: who it is, and what it was asked.
type echo struct{ Service, Pod, Method, Path, Proto, Host, UserAgent string }

// features is an Ingress's load balancer at a simulated AWS, with pods that answer.
type features struct {
	*testing.T
	client *http.Client
}

// serveFeatures makes the load balancer of an Ingress, with pods behind each Service that it names, and waits until they serve.
func serveFeatures(t *testing.T, pods int, of *networkingv1.Ingress) *features {
	t.Helper()
	a := simulate(t, func(c *awssim.Config) {
		c.NoDataPath, c.EphemeralPorts = false, true
		c.ALB = &awssim.Profile{InitialHealthyChecks: 1}
	})
	s := newSite()
	s.SSLPolicy = "ELBSecurityPolicy-2016-08"
	s.acm["secure.example.com"] = "arn:aws:acm:eu-west-1:111122223333:certificate/star"
	for _, name := range servicesOf(of) {
		s.services["shop/"+name] = &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}},
		}
	}

	stack, problems := s.build(of)
	// The certificate of a Secret is the one thing of the suite that people are told is not served.
	var want []string
	for _, entry := range of.Spec.TLS {
		want = append(want, fmt.Sprintf("shop/web notice NoEffect: spec.tls.secretName %q has no effect: "+
			"a load balancer has certificates of ACM only, which are found by the hosts, or named by the annotation certificate-arn", entry.SecretName))
	}
	check(t, "problems", want, told(problems))
	p := &provision{T: t, cloud: apply.New(a.cfg, "eu-west-1", nil), stack: stack, bound: map[string]elb.Binding{}}
	p.run()

	register := elbapi.NewFromConfig(a.cfg)
	waiting := map[awssim.Target]bool{}
	for arn, binding := range p.bound {
		if err := a.sim.SetHealth(arn, nil, awssim.Script{State: "healthy"}); err != nil {
			t.Fatal(err)
		}
		in := &elbapi.RegisterTargetsInput{TargetGroupArn: &arn}
		for n := range pods {
			at := servePod(t, binding.Service, fmt.Sprintf("%s-%d", binding.Service, n))
			in.Targets = append(in.Targets, types.TargetDescription{Id: &at.ID, Port: new(int32(at.Port))})
			waiting[at] = true
		}
		if _, err := register.RegisterTargets(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}

	for end := time.Now().Add(time.Minute); len(waiting) > 0; time.Sleep(time.Millisecond) {
		for _, change := range a.sim.Transitions(0) {
			if change.Clock == awssim.ClockRouting && change.To == "routable" {
				delete(waiting, change.Target)
			}
		}
		if time.Now().After(end) {
			t.Fatalf("targets that do not serve: %v", waiting)
		}
	}
	return &features{T: t, client: a.clientOf(t)}
}

// servicesOf are the names of the Services that an Ingress names.
func servicesOf(of *networkingv1.Ingress) []string {
	names := map[string]bool{}
	if b := of.Spec.DefaultBackend; b != nil {
		names[b.Service.Name] = true
	}
	for _, r := range of.Spec.Rules {
		for _, p := range r.HTTP.Paths {
			names[p.Backend.Service.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// servePod answers requests as a pod of a Service, and returns where.
func servePod(t *testing.T, service, name string) awssim.Target {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "echo")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(echo{service, name, r.Method, r.URL.Path, r.Proto, r.Host, r.UserAgent()}) // A client that went away.
	}))
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return awssim.Target{ID: host, Port: number}
}

// clientOf is a client for which every host is the load balancer.
func (a *account) clientOf(t *testing.T) *http.Client {
	t.Helper()
	ca, err := a.sim.CA()
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca)

	at := map[string]string{}
	for _, l := range a.sim.Listeners() {
		at[strconv.Itoa(int(l.Port))] = l.Address
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			if at[port] == "" {
				return nil, fmt.Errorf("port %s: refused", port)
			}
			return new(net.Dialer).DialContext(ctx, network, at[port])
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// ask sends a request, and returns the status and the answer; 0: nobody answered.
func (f *features) ask(method, to string) (int, http.Header, echo) {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), method, to, nil)
	if err != nil {
		f.Fatal(err)
	}
	resp, err := f.client.Do(r)
	if err != nil {
		f.Logf("%s: %v", to, err)
		return 0, nil, echo{}
	}
	defer func() { _ = resp.Body.Close() }()

	var got echo
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			f.Fatalf("%s: %v", to, err)
		}
	}
	return resp.StatusCode, resp.Header, got
}

// TestConformanceDefaultBackend: an Ingress without rules sends everything to its default backend, as it was asked.
func TestConformanceDefaultBackend(t *testing.T) {
	t.Parallel()
	of := ingress("web", nil)
	of.Spec.DefaultBackend = new(to("echo:80"))
	f := serveFeatures(t, 1, of)

	for _, asked := range []struct{ method, url string }{
		{"GET", "http://my-host"}, {"GET", "http://my-host/sub-path"}, {"POST", "http://some-host"}, {"PUT", "http://10.0.0.1/resource"},
		{"DELETE", "http://some-host/resource"}, {"PATCH", "http://my-host/resource"},
	} {
		status, header, got := f.ask(asked.method, asked.url)
		u, err := url.Parse(asked.url)
		if err != nil {
			t.Fatal(err)
		}
		path := "/" + strings.TrimPrefix(u.Path, "/")
		check(t, asked.method+" "+asked.url, echo{"echo", "echo-0", asked.method, path, "HTTP/1.1", u.Host, "Go-http-client/1.1"}, got)
		check(t, "status", http.StatusOK, status)
		for _, name := range []string{"Content-Length", "Content-Type", "Date", "Server"} {
			if header.Get(name) == "" {
				t.Errorf("%s %s: no header %s", asked.method, asked.url, name)
			}
		}
	}
}

// TestConformanceLoadBalancing: of ten pods each gets some of 100 requests.
func TestConformanceLoadBalancing(t *testing.T) {
	t.Parallel()
	of := ingress("web", nil)
	of.Spec.DefaultBackend = new(to("echo:80"))
	f := serveFeatures(t, 10, of)

	pods := map[string]bool{}
	for range 100 {
		status, _, got := f.ask(http.MethodGet, "http://load-balancing")
		check(t, "status", http.StatusOK, status)
		pods[got.Pod] = true
	}
	check(t, "pods that answered", 10, len(pods))
}

// TestConformanceRules: requests reach the Service whose host and path they have, and no other.
func TestConformanceRules(t *testing.T) {
	secret := []networkingv1.IngressTLS{{Hosts: []string{"secure.example.com"}, SecretName: "of-the-cluster"}}
	const refused = "0 "

	for name, tc := range map[string]struct {
		a     annotations
		tls   []networkingv1.IngressTLS
		rules []networkingv1.IngressRule
		want  map[string]string
	}{
		"Hosts": {
			rules: []networkingv1.IngressRule{all("*.foo.example", "wildcard:80"), all("foo.bar.example", "exact:http")},
			want: map[string]string{
				"http://foo.bar.example": "200 exact", "http://subdomain.bar.example": "404 ", "http://bar.foo.example": "200 wildcard", "http://foo.example": "404 ",
				// The suite wants 404 of more than one label. The wildcard of an ALB is for any number of them.
				"http://baz.bar.foo.example": "200 wildcard",
			},
		},
		"TLS": {
			a: annotations{"listen-ports": `[{"HTTP":80},{"HTTPS":443}]`}, tls: secret,
			rules: []networkingv1.IngressRule{all("secure.example.com", "exact:80")},
			want: map[string]string{
				"http://secure.example.com": "200 exact", "https://secure.example.com": "200 exact",
				"https://other.example.com": "404 ", "https://other.example.org": refused, // The certificate is for *.example.com.
			},
		},
		"TLSWithoutPort": {
			// The suite wants an answer to https as well. podgate serves it where listen-ports or certificate-arn say so.
			tls: secret, rules: []networkingv1.IngressRule{all("secure.example.com", "exact:80")},
			want: map[string]string{"http://secure.example.com": "200 exact", "https://secure.example.com": refused},
		},
		"Paths": {
			rules: []networkingv1.IngressRule{
				rule("exact", path("/foo", "foo-exact:80", "Exact")),
				rule("prefix", path("/foo", "foo-prefix:80", "Prefix"), path("/aaa/bbb", "bbb-prefix:80", "Prefix"), path("/aaa", "aaa-prefix:80", "Prefix")),
				rule("shortest-first", path("/aaa", "aaa-prefix:80", "Prefix"), path("/aaa/bbb", "bbb-prefix:80", "Prefix")),
				rule("mixed", path("/foo", "foo-prefix:80", "Prefix"), path("/foo", "foo-exact:80", "Exact")),
				rule("slash", path("/aaa/bbb/", "slash-prefix:80", "Prefix"), path("/foo/", "slash-exact:80", "Exact")),
			},
			want: map[string]string{
				"http://exact/foo": "200 foo-exact", "http://exact/foo/": "404 ", "http://exact/FOO": "404 ", "http://exact/bar": "404 ",

				"http://prefix/foo": "200 foo-prefix", "http://prefix/foo/": "200 foo-prefix", "http://prefix/FOO": "404 ",
				"http://prefix/aaa/bbb": "200 bbb-prefix", "http://prefix/aaa/bbb/ccc": "200 bbb-prefix", "http://prefix/aaa/ccc": "200 aaa-prefix", "http://prefix/aaaccc": "404 ",

				"http://shortest-first/aaa/bbb/ccc": "200 bbb-prefix", "http://shortest-first/aaa/c": "200 aaa-prefix",

				"http://mixed/foo": "200 foo-exact", "http://mixed/foo/bar": "200 foo-prefix",

				"http://slash/aaa/bbb": "200 slash-prefix", "http://slash/aaa/bbb/": "200 slash-prefix", "http://slash/foo": "404 ", "http://slash/foo/": "200 slash-exact",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := ingress("web", tc.a, tc.rules...)
			of.Spec.TLS = tc.tls
			f := serveFeatures(t, 1, of)
			got := map[string]string{}
			for to := range tc.want {
				status, _, answer := f.ask(http.MethodGet, to)
				got[to] = fmt.Sprint(status, " ", answer.Service)
			}
			check(t, "answers", tc.want, got)
		})
	}
}
