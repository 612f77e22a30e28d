// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"go.uber.org/goleak"

	"github.com/podgate/podgate/sim/awssim/datapath"
)

// TestRealHealthChecks are checks that go out over real sockets.
func TestRealHealthChecks(t *testing.T) {
	code := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthz" || r.UserAgent() != "ELB-HealthChecker/2.0" {
				status = http.StatusTeapot
			}
			w.WriteHeader(status)
		}
	}

	healthz := func(in *elbv2.CreateTargetGroupInput) { in.HealthCheckPath = aws.String("/healthz") }
	both := func(edits ...func(*elbv2.CreateTargetGroupInput)) func(*elbv2.CreateTargetGroupInput) {
		return func(in *elbv2.CreateTargetGroupInput) {
			for _, f := range edits {
				f(in)
			}
		}
	}

	cases := map[string]struct {
		reason string
		target func(t *testing.T) Target
		edit   func(t *testing.T, in *elbv2.CreateTargetGroupInput)
		want   string // state and reason
	}{
		"Passes": {
			reason: "200 at the path", want: "healthy ",
			target: func(t *testing.T) Target { return listenHTTP(t, code(200)) },
			edit:   func(_ *testing.T, in *elbv2.CreateTargetGroupInput) { healthz(in) },
		},
		"WrongCode": {
			reason: "503 is not 200", want: "unhealthy Health checks failed with these codes: [503]",
			target: func(t *testing.T) Target { return listenHTTP(t, code(503)) },
			edit:   func(_ *testing.T, in *elbv2.CreateTargetGroupInput) { healthz(in) },
		},
		"Matcher": {
			reason: "503 can be asked for", want: "healthy ",
			target: func(t *testing.T) Target { return listenHTTP(t, code(503)) },
			edit: func(_ *testing.T, in *elbv2.CreateTargetGroupInput) {
				both(healthz, func(in *elbv2.CreateTargetGroupInput) {
					in.Matcher = &types.Matcher{HttpCode: aws.String("200,500-504")}
				})(in)
			},
		},
		"NoRedirects": {
			reason: "a redirect is not followed", want: "unhealthy Health checks failed with these codes: [302]",
			target: func(t *testing.T) Target {
				return listenHTTP(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
			},
			edit: func(_ *testing.T, in *elbv2.CreateTargetGroupInput) { healthz(in) },
		},
		"Refused": {
			reason: "nothing listens", want: "unhealthy Health checks failed",
			target: vacant, edit: func(*testing.T, *elbv2.CreateTargetGroupInput) {},
		},
		"Timeout": {
			reason: "no answer in time", want: "unhealthy Request timed out",
			target: deaf, edit: func(*testing.T, *elbv2.CreateTargetGroupInput) {},
		},
		"HealthCheckPort": {
			reason: "the check goes to its own port", want: "healthy ",
			target: vacant,
			edit: func(t *testing.T, in *elbv2.CreateTargetGroupInput) {
				healthz(in)
				in.HealthCheckPort = aws.String(strconv.Itoa(listenHTTP(t, code(200)).Port))
			},
		},
		"TCP": {
			reason: "connecting is enough", want: "healthy ",
			target: func(t *testing.T) Target { return listenHTTP(t, code(500)) },
			edit:   func(_ *testing.T, in *elbv2.CreateTargetGroupInput) { network(in) },
		},
		"TCPRefused": {
			reason: "a network load balancer does not tell why", want: "unhealthy Health checks failed",
			target: deaf, edit: func(_ *testing.T, in *elbv2.CreateTargetGroupInput) { network(in) },
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := instant()
			cfg.TimeScale, cfg.NoDataPath = 1000, true
			e := start(t, cfg)
			group := e.group("web", func(in *elbv2.CreateTargetGroupInput) { tc.edit(t, in) })
			kind := types.LoadBalancerTypeEnumApplication
			if name == "TCP" || name == "TCPRefused" {
				kind = types.LoadBalancerTypeEnumNetwork
			}

			e.balance(group, kind)
			target := tc.target(t)
			e.register(group, target)
			var h *types.TargetHealth
			e.until("the target is no longer initial", func() bool {
				h = e.describe(group, target)[0].TargetHealth
				return h.State != types.TargetHealthStateEnumInitial
			})

			if got := string(h.State) + " " + aws.ToString(h.Description); got != tc.want {
				t.Errorf("%s: %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

// TestChecksEndWithTheirTimeout: neither connecting nor a TLS handshake goes on
// when the check has been counted as failed.
func TestChecksEndWithTheirTimeout(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = silent.Close() })
	connecting := deaf(t)
	for name, p := range map[string]datapath.Probe{
		"Connect":   {Protocol: types.ProtocolEnumHttp, Address: net.JoinHostPort(connecting.ID, strconv.Itoa(connecting.Port))},
		"Handshake": {Protocol: types.ProtocolEnumHttps, Address: silent.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			p.Path, p.Timeout = "/", 50*time.Millisecond
			if h := p.Run(t.Context()); h == nil || h.Reason != "Target.Timeout" {
				t.Errorf("%+v, want Target.Timeout", h)
			}
			goleak.VerifyNone(t, before)
		})
	}
}

// listenHTTP serves f on a port of its own.
func listenHTTP(t *testing.T, f http.HandlerFunc) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := &http.Server{Handler: f}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()

	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})

	return Target{ID: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
}

func TestHealthRecovers(t *testing.T) {
	cfg := instant()
	cfg.TimeScale = 1000
	e := start(t, cfg)
	status := make(chan int, 1)
	status <- 200
	target := listenHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		code := <-status
		status <- code
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "x")
	})

	g := e.used()
	e.register(g, target)
	is := func(want string) func() bool { return func() bool { return e.states(g)[target] == want } }
	e.until("it is healthy", is("healthy"))
	<-status
	status <- 500
	e.until("it is unhealthy", is("unhealthy"))
	<-status
	status <- 200
	e.until("it is healthy again", is("healthy"))
}
