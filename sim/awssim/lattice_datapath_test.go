// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/sim/awssim/lattice"
)

// instantLattice is VPC Lattice with a data path without delays.
func instantLattice() Config {
	return Config{DataPath: DataPath{EphemeralPorts: true}, Throttle: ThrottleOff, Lattice: Lattice{Timing: &Profile{InitialHealthyChecks: 1}}}
}

// latticeAddress is where a network really answers; empty when it does not.
func (e *env) latticeAddress(port int) string {
	for _, n := range e.sim.ServiceNetworks() {
		if n.Port == port {
			return n.Address
		}
	}
	return ""
}

// host is a request's Host header.
func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// named answers with its name.
func named(t *testing.T, name string) Target {
	return listenHTTP(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
}

// served makes a service in a network that a VPC can reach, with a listener on port 80.
func (e *env) latticeServed(action types.RuleAction) (service *vpclattice.CreateServiceOutput, listener *string) {
	e.Helper()
	service = e.latticeService("web")
	listener = e.latticeListen(service.Id, "http", types.ListenerProtocolHttp, 80, action).Id
	network := e.latticeNetwork("shop")
	e.latticeJoin(network, service.Id)
	e.latticeEnter(network)
	return service, listener
}

// latticeBehind makes a group with targets that are healthy by script.
func (e *env) latticeBehind(name string, targets ...Target) *string {
	e.Helper()
	group := e.latticeGroup(name)
	e.script(*group.Arn, Script{State: "HEALTHY"})
	if len(targets) > 0 {
		e.latticeRegister(group.Id, targets...)
	}
	return group.Id
}

// A request finds its service by host, and its rule by ascending priority.
func TestLatticeRoutes(t *testing.T) {
	e := start(t, instantLattice())
	fallback, api, admin := e.latticeBehind("fallback", named(t, "fallback")), e.latticeBehind("api", named(t, "api")), e.latticeBehind("admin", named(t, "admin"))
	service, listener := e.latticeServed(toGroups(weigh(fallback, 1)))
	rule := func(name string, priority int32, match types.RuleMatch, action types.RuleAction) {
		does(e, e.lattice.CreateRule)(&vpclattice.CreateRuleInput{ServiceIdentifier: service.Id, ListenerIdentifier: listener, Name: &name, Priority: &priority, Match: match, Action: action})
	}
	rule("api", 50, pathPrefix("/api"), toGroups(weigh(api, 1)))
	rule("admin", 10, pathPrefix("/api/admin"), toGroups(weigh(admin, 1)))
	rule("gone", 20, pathPrefix("/gone"), answerWith(500))
	rule("head", 30, &types.RuleMatchMemberHttpMatch{Value: types.HttpMatch{
		Method: aws.String("GET"), HeaderMatches: []types.HeaderMatch{{Name: aws.String("X-Canary"), Match: &types.HeaderMatchTypeMemberContains{Value: "YES"}}},
	}}, answerWith(404))
	address, name := e.latticeAddress(80), *service.DnsEntry.DomainName

	cases := map[string]struct {
		reason, path, host string
		header             string
		status             int
		body               string
	}{
		"Default":   {reason: "no rule matches", path: "/", host: name, status: 200, body: "fallback"},
		"Case":      {reason: "hosts know no case", path: "/", host: strings.ToUpper(name), status: 200, body: "fallback"},
		"Prefix":    {reason: "a prefix", path: "/api/users?x=1", host: name, status: 200, body: "api"},
		"Priority":  {reason: "the lower number goes first", path: "/api/admin", host: name, status: 200, body: "admin"},
		"Sensitive": {reason: "this path minds its case", path: "/API", host: name, status: 200, body: "fallback"},
		"Fixed":     {reason: "a fixed answer", path: "/gone", host: name, status: 500, body: "Internal Server Error"},
		"Header":    {reason: "values of headers know no case", path: "/", host: name, header: "oh yes", status: 404, body: "Not Found"},
		"Unknown":   {reason: "a host that no service has", path: "/", host: "other.example.com", status: 404, body: "Not Found"},
	}
	for test, tc := range cases {
		t.Run(test, func(t *testing.T) {
			status, body, _ := e.get(address, tc.path, host(tc.host), func(r *http.Request) {
				if tc.header != "" {
					r.Header.Set("X-Canary", tc.header)
				}
			})
			if status != tc.status || body != tc.body {
				t.Errorf("%s: got %d %q, want %d %q", tc.reason, status, body, tc.status, tc.body)
			}
		})
	}
}

// Weights divide requests between groups, and a group of weight 0 gets none.
func TestLatticeWeights(t *testing.T) {
	e := start(t, instantLattice())
	old, fresh, none := e.latticeBehind("old", named(t, "old")), e.latticeBehind("fresh", named(t, "fresh")), e.latticeBehind("none", named(t, "none"))
	service, _ := e.latticeServed(toGroups(weigh(old, 3), weigh(fresh, 1), weigh(none, 0)))
	counts := map[string]int{}
	for range 40 {
		_, body, _ := e.get(e.latticeAddress(80), "/", host(*service.DnsEntry.DomainName))
		counts[body]++
	}
	if diff := cmp.Diff(map[string]int{"old": 30, "fresh": 10}, counts); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// What a client says of itself is replaced by what is true.
func TestLatticeHeaders(t *testing.T) {
	e := start(t, instantLattice())
	got := make(chan http.Header, 1)
	group := e.latticeBehind("web", listenHTTP(t, func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	service, _ := e.latticeServed(toGroups(weigh(group, 1)))
	e.get(e.latticeAddress(80), "/", host(*service.DnsEntry.DomainName), func(r *http.Request) {
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Amzn-Lattice-Identity"} {
			r.Header.Set(name, "forged")
		}
	})

	header := <-got
	if header.Get("X-Forwarded-For") != "127.0.0.1" || header.Get("X-Forwarded-Proto") != "http" || !strings.Contains(header.Get("X-Amzn-Lattice-Identity"), latticeVPC) ||
		!strings.Contains(header.Get("X-Amzn-Lattice-Target"), *service.Arn) || header.Get("X-Amzn-Trace-Id") != "" {
		t.Errorf("the target sees %v", header)
	}
}

// Without a VPC association, or out of its network, a service answers nobody.
func TestLatticeReach(t *testing.T) {
	e := start(t, instantLattice())
	service := e.latticeService("web")
	e.latticeListen(service.Id, "http", types.ListenerProtocolHttp, 80, answerWith(404))
	network := e.latticeNetwork("shop")
	join := e.latticeJoin(network, service.Id)
	if address := e.latticeAddress(80); address != "" {
		t.Errorf("no VPC is associated, and the network answers at %s", address)
	}

	e.latticeEnter(network)
	address := e.latticeAddress(80)
	e.get(address, "/", host(*service.DnsEntry.DomainName))
	does(e, e.lattice.DeleteServiceNetworkServiceAssociation)(&vpclattice.DeleteServiceNetworkServiceAssociationInput{ServiceNetworkServiceAssociationIdentifier: join})
	if left := e.latticeAddress(80); left != "" {
		t.Errorf("the service has left, and the network answers at %s", left)
	}
	e.until("the port is closed", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

// Targets are really checked, and a group without a healthy one fails open.
func TestLatticeChecksAndFailsOpen(t *testing.T) {
	cfg := instantLattice()
	cfg.TimeScale, cfg.Lattice.Relaxed = 50, true
	e := start(t, cfg)
	var sick atomic.Bool
	target := listenHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" && sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, "ok")
	})
	group := e.latticeGroup("web", func(c *types.TargetGroupConfig) {
		c.HealthCheck = &types.HealthCheckConfig{Path: aws.String("/ready"), HealthCheckIntervalSeconds: aws.Int32(1), HealthCheckTimeoutSeconds: aws.Int32(1), HealthyThresholdCount: aws.Int32(2)}
	}).Id
	service, _ := e.latticeServed(toGroups(weigh(group, 1)))
	if status, _, _ := e.get(e.latticeAddress(80), "/", host(*service.DnsEntry.DomainName)); status != http.StatusServiceUnavailable {
		t.Errorf("a group without targets answers %d", status)
	}

	e.latticeRegister(group, target)
	e.until("the target is healthy", func() bool { return e.latticeStates(group)[target] == "HEALTHY" })
	sick.Store(true)
	e.until("it is unhealthy", func() bool { return e.latticeStates(group)[target] == "UNHEALTHY" })
	if status, body, _ := e.get(e.latticeAddress(80), "/", host(*service.DnsEntry.DomainName)); status != 200 || body != "ok" {
		t.Errorf("no target is healthy, and the answer is %d %q", status, body)
	}
	sick.Store(false)
	e.until("it has recovered", func() bool { return e.latticeStates(group)[target] == "HEALTHY" })
}

// HTTPS ends here, and TLS passthrough goes to the targets as it is, at the same port.
func TestLatticeTLS(t *testing.T) {
	e := start(t, instantLattice())
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "passed through") }))
	t.Cleanup(target.Close)
	hostname, port, _ := net.SplitHostPort(target.Listener.Addr().String())
	number, _ := strconv.Atoi(port)
	tcp := e.latticeGroup("tcp", func(c *types.TargetGroupConfig) { c.Protocol = types.TargetGroupProtocolTcp })
	e.script(*tcp.Arn, Script{State: "healthy"})
	e.latticeRegister(tcp.Id, Target{ID: hostname, Port: number})

	plain := e.latticeBehind("plain", named(t, "ended here"))
	network := e.latticeNetwork("shop")
	e.latticeEnter(network)
	ends := e.latticeService("ends")
	e.latticeListen(ends.Id, "https", types.ListenerProtocolHttps, 443, toGroups(weigh(plain, 1)))
	e.latticeJoin(network, ends.Id)
	passes := does(e, e.lattice.CreateService)(&vpclattice.CreateServiceInput{Name: aws.String("passes"), CustomDomainName: aws.String("tls.example.com")})
	e.latticeListen(passes.Id, "tls", types.ListenerProtocolTlsPassthrough, 443, toGroups(weigh(tcp.Id, 1)))
	e.latticeJoin(network, passes.Id)
	address := e.latticeAddress(443)

	ask := func(name string) (int, string) {
		t.Helper()
		client := &http.Client{Timeout: patience, Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: name},
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", address)
			},
		}}
		response, err := client.Get("https://" + name + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}

	for name, want := range map[string]string{*ends.DnsEntry.DomainName: "ended here", "tls.example.com": "passed through"} {
		if status, body := ask(name); status != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", name, status, body, want)
		}
	}
	if status, _ := ask("other.example.com"); status != http.StatusNotFound {
		t.Errorf("an unknown server name is answered %d", status)
	}
	if status, _, _ := e.get(address, "/", host(*ends.DnsEntry.DomainName)); status != http.StatusNotFound {
		t.Errorf("an HTTPS listener asked without TLS answers %d", status)
	}
}

// A draining target loses its traffic when the data path has followed; without health checks it keeps it to the end,
// unless the simulator is told otherwise.
func TestLatticeDrainRouting(t *testing.T) {
	cases := map[string]struct {
		reason    string
		checked   bool
		unchecked bool // StopUnchecked
		want      time.Duration
	}{
		"Checked": {reason: "with health checks", checked: true, want: 5 * time.Second},
		"Off":     {reason: "without", want: time.Minute},
		"Stopped": {reason: "without, as one would wish", unchecked: true, want: 5 * time.Second},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{Lattice: Lattice{StopUnchecked: tc.unchecked}}, func(e *env) {
				group := e.latticeUsed(func(c *types.TargetGroupConfig) {
					c.HealthCheck = &types.HealthCheckConfig{Enabled: aws.Bool(tc.checked)}
				})
				e.script(*group, Script{Outcomes: []string{"pass"}})
				one := Target{ID: "10.0.0.1", Port: 80}
				e.latticeRegister(group, one)
				time.Sleep(time.Minute)
				began := time.Now()
				e.latticeDeregister(group, one)
				time.Sleep(2 * time.Minute)

				for _, move := range e.sim.Transitions(0) {
					if move.Clock == ClockRouting && move.From == "routable" {
						if took := move.Time.Sub(began); took < tc.want || took > tc.want+time.Second {
							t.Errorf("%s: traffic went on for %s, want %s", tc.reason, took, tc.want)
						}
						return
					}
				}
				t.Errorf("%s: the target was never routable, or still is: %+v", tc.reason, e.sim.Transitions(0))
			})
		})
	}
}

// A request that is under way when the drain ends gets its answer.
func TestLatticeFinishesWhatIsUnderWay(t *testing.T) {
	cfg := instantLattice()
	cfg.TimeScale = 1000
	e := start(t, cfg)
	arrived, release := make(chan struct{}), make(chan struct{})
	target := listenHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "finished")
	})
	group := e.latticeBehind("web", target)
	service, _ := e.latticeServed(toGroups(weigh(group, 1)))

	answer := make(chan string, 1)
	go func() {
		_, body, _ := e.get(e.latticeAddress(80), "/", host(*service.DnsEntry.DomainName))
		answer <- body
	}()
	<-arrived
	e.latticeDeregister(group, target)
	e.until("the drain is over on both clocks", func() bool {
		gone := 0
		for _, move := range e.sim.Transitions(0) {
			if move.To == "absent" || move.To == "none" {
				gone++
			}
		}
		return gone == 2
	})
	close(release)
	if body := <-answer; body != "finished" {
		t.Errorf("the client got %q", body)
	}
}

// An answer that is not a target's is on the record.
func TestLatticeFailures(t *testing.T) {
	e := start(t, instantLattice())
	refused := listenHTTP(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	group := e.latticeBehind("web", refused)
	service, _ := e.latticeServed(toGroups(weigh(group, 1)))
	if status, _, _ := e.get(e.latticeAddress(80), "/", host(*service.DnsEntry.DomainName)); status != http.StatusBadGateway {
		t.Errorf("a target that closes its connection costs %d", status)
	}
	failures := e.sim.Failures(0)
	if len(failures) != 1 || failures[0].HTTPStatus != http.StatusBadGateway || failures[0].Target != refused {
		t.Errorf("the record has %+v", failures)
	}
}

// Where AWS says nothing, routing too can have it the other way.
func TestLatticeRoutingAssumptions(t *testing.T) {
	cfg := instantLattice()
	cfg.Lattice.OpenNetworks = true
	cfg.Lattice.Assumptions = lattice.Assumptions{CaseSensitivePath: true, MatchQuery: true, CloseUnknownHost: true}
	e := start(t, cfg)
	service := e.latticeService("web")
	listener := e.latticeListen(service.Id, "http", types.ListenerProtocolHttp, 80, answerWith(404)).Id
	e.latticeJoin(e.latticeNetwork("shop"), service.Id)
	does(e, e.lattice.CreateRule)(&vpclattice.CreateRuleInput{
		ServiceIdentifier: service.Id, ListenerIdentifier: listener, Name: aws.String("one"), Priority: aws.Int32(1), Action: answerWith(500),
		Match: &types.RuleMatchMemberHttpMatch{Value: types.HttpMatch{PathMatch: &types.PathMatch{Match: &types.PathMatchTypeMemberExact{Value: "/a?b=1"}}}},
	})

	for path, want := range map[string]int{"/a?b=1": 500, "/a": 404, "/A?b=1": 404} {
		if status, _, _ := e.get(e.latticeAddress(80), path, host(*service.DnsEntry.DomainName)); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.latticeAddress(80)+"/", nil)
	if response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r); err == nil {
		_ = response.Body.Close()
		t.Errorf("an unknown host is answered %d, want a closed connection", response.StatusCode)
	}
}

// Targets of an HTTPS group are spoken to and checked in TLS.
func TestLatticeHTTPSTargets(t *testing.T) {
	e := start(t, instantLattice())
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "in TLS") }))
	t.Cleanup(server.Close)
	hostname, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	number, _ := strconv.Atoi(port)
	target := Target{ID: hostname, Port: number}

	group := e.latticeGroup("web", func(c *types.TargetGroupConfig) { c.Protocol = types.TargetGroupProtocolHttps }).Id
	service, _ := e.latticeServed(toGroups(weigh(group, 1)))
	e.latticeRegister(group, target)
	e.until("the target is healthy", func() bool { return e.latticeStates(group)[target] == "HEALTHY" })
	if status, body, _ := e.get(e.latticeAddress(80), "/", host(*service.DnsEntry.DomainName)); status != 200 || body != "in TLS" {
		t.Errorf("the answer is %d %q", status, body)
	}
}
