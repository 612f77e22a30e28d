// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package grpc

import (
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	grpclib "google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/checktest"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/network/networktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	timeout       = time.Second
	secretService = "the-service"
	secretMessage = "the-message-of-the-server"
	serverName    = "example.com"
)

// place is the port that pods of tests have.
var place = network.AtPod(intstr.FromString(networktest.PortName), "")

// application is one server behind all pods, which it tells apart by the address that they are asked at.
type application struct {
	grpc_health_v1.UnimplementedHealthServer
	mu   sync.Mutex
	does map[string]checktest.Behaviour
}

func (a *application) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	a.mu.Lock()
	does := a.does[strings.Join(md.Get(":authority"), "")]
	a.mu.Unlock()

	_ = grpclib.SetHeader(ctx, metadata.Pairs("x-secret", secretMessage))
	switch does {
	case checktest.Hangs:
		<-ctx.Done()
		return nil, ctx.Err()
	case checktest.Passes:
		return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
	}
	return nil, status.Error(codes.NotFound, secretMessage)
}

func (a *application) set(address string, does checktest.Behaviour) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.does[address] = does
}

func TestConformance(t *testing.T) {
	checktest.Run(t, func(t *testing.T) checktest.Harness {
		app := &application{does: map[string]checktest.Behaviour{}}
		address := serve(t, app)
		pods := networktest.New()
		checker, err := New(place, Settings{Service: secretService}, timeout, pods.Dial)
		if err != nil {
			t.Fatal(err)
		}

		return checktest.Harness{
			Checker: checker,
			Timeout: timeout,
			Asked:   pods.Dialled,
			Secrets: []string{secretService, secretMessage},
			NewPod: func(*testing.T) check.Subject {
				pod := pods.Add()
				pods.Serve(pod, address)
				return pod
			},
			Set: func(_ *testing.T, pod check.Subject, does checktest.Behaviour) {
				app.set(networktest.HostPort(pod), does)
			},
		}
	})
}

// serve starts a server until the test ends; without a health service when it is nil.
func serve(t *testing.T, app grpc_health_v1.HealthServer, options ...grpclib.ServerOption) string {
	t.Helper()
	server := grpclib.NewServer(options...)
	if app != nil {
		grpc_health_v1.RegisterHealthServer(server, app)
	}

	listener := networktest.Listen(t)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-served })
	return listener.Addr().String()
}

func ask(t *testing.T, settings Settings, address string) check.Answer {
	t.Helper()
	pods := networktest.New()
	pod := pods.Add()
	pods.Serve(pod, address)
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

// TestStandardServer: what the library's own health server says of its services.
func TestStandardServer(t *testing.T) {
	server := health.NewServer()
	server.SetServingStatus("down", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	server.SetServingStatus("unknown", grpc_health_v1.HealthCheckResponse_UNKNOWN)
	address := serve(t, server)
	for service, want := range map[string]check.Answer{
		"":        {Verdict: check.Pass, Word: check.Serving},
		"down":    {Verdict: check.Fail, Word: check.NotServing},
		"unknown": {Word: check.HealthUnknown},
		"nobody":  {Verdict: check.Fail, Word: check.ServiceUnknown},
	} {
		got := ask(t, Settings{Service: service}, address)
		if want.Addr = got.Addr; got != want {
			t.Errorf("service %q: got %s (%s), want %s (%s)", service, got.Verdict, got.Word, want.Verdict, want.Word)
		}
	}
}

// saying is a health server with one answer for all.
type saying struct {
	grpc_health_v1.UnimplementedHealthServer
	status grpc_health_v1.HealthCheckResponse_ServingStatus
	err    error
}

func (s saying) Check(context.Context, *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return &grpc_health_v1.HealthCheckResponse{Status: s.status}, s.err
}

func TestServers(t *testing.T) {
	raw := func(serve func(net.Conn)) string {
		listener := networktest.Listen(t)
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() { defer func() { _ = conn.Close() }(); serve(conn) }()
			}
		}()
		return listener.Addr().String()
	}
	failing := func(code codes.Code) string { return serve(t, saying{err: status.Error(code, secretMessage)}) }

	for name, tc := range map[string]struct {
		reason  string
		address string
		want    check.Answer
	}{
		"NoHealthService":  {reason: "The server says that it has none.", address: serve(t, nil), want: check.Answer{Verdict: check.Fail, Word: check.Unimplemented}},
		"ServiceUnknown":   {reason: "Some answer by the status.", address: serve(t, saying{status: grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN}), want: check.Answer{Verdict: check.Fail, Word: check.ServiceUnknown}},
		"StatusUnheardOf":  {reason: "A later version may have more.", address: serve(t, saying{status: 99}), want: check.Answer{Word: check.HealthUnknown}},
		"Unavailable":      {reason: "It may be anything between.", address: failing(codes.Unavailable), want: check.Answer{Word: check.Malformed}},
		"Deadline":         {reason: "The server's own.", address: failing(codes.DeadlineExceeded), want: check.Answer{Word: check.TimedOut}},
		"PermissionDenied": {reason: "It says nothing of its health.", address: failing(codes.PermissionDenied), want: check.Answer{Word: check.Malformed}},
		"Refused":          {reason: "Nothing listens.", address: networktest.Refusing, want: check.Answer{Verdict: check.Fail, Word: check.Refused}},
		"Closes":           {reason: "It says nothing.", address: raw(func(net.Conn) {}), want: check.Answer{Word: check.Malformed}},
		"Silent":           {reason: "It says nothing, and keeps the connection.", address: raw(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), want: check.Answer{Word: check.TimedOut}},
		"NotGRPC": {reason: "Another protocol.", address: raw(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 "+secretMessage+"\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		}), want: check.Answer{Word: check.Malformed}},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, Settings{}, tc.address)
			if tc.want.Addr = got.Addr; got != tc.want {
				t.Errorf("%s\ngot %s (%s), want %s (%s)", tc.reason, got.Verdict, got.Word, tc.want.Verdict, tc.want.Word)
			}
		})
	}
}

// TestFlood: a server that makes the client answer, and reads none of it, holds the check no longer than the time-out.
func TestFlood(t *testing.T) {
	const small = 1 << 12 // Of what the kernel keeps, so that the client soon has to wait for the server.
	listener := networktest.Listen(t)
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()

		_ = conn.(*net.TCPConn).SetReadBuffer(small)
		frames := http2.NewFramer(conn, nil)
		for err = frames.WriteSettings(); err == nil; err = frames.WritePing(false, [8]byte{}) {
			continue
		}
	}()

	pods := networktest.New()
	pod := pods.Add()
	pods.Serve(pod, listener.Addr().String())
	checker, err := New(place, Settings{}, timeout, func(ctx context.Context, to network.Destination) (net.Conn, error) {
		conn, err := pods.Dial(ctx, to)
		if err == nil {
			err = conn.(*net.TCPConn).SetWriteBuffer(small)
		}
		return conn, err
	})
	if err != nil {
		t.Fatal(err)
	}

	began := time.Now()
	answers, err := checker.Check(t.Context(), []check.Subject{pod})
	if took := time.Since(began); took > timeout+3*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := answers[pod.UID]; err != nil || got.Verdict != check.NoAnswer || got.Word != check.TimedOut {
		t.Errorf("got %s (%s) and the error %v", got.Verdict, got.Word, err)
	}
	<-flooded
}

func TestTLSServers(t *testing.T) {
	// A server of net/http has a certificate for example.com, and is used for nothing else.
	certified := httptest.NewTLSServer(nil)
	defer certified.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw})
	app := saying{status: grpc_health_v1.HealthCheckResponse_SERVING}
	secure := serve(t, app, grpclib.Creds(credentials.NewServerTLSFromCert(&certified.TLS.Certificates[0])))
	plain := serve(t, app)

	serving := check.Answer{Verdict: check.Pass, Word: check.Serving}
	for name, tc := range map[string]struct {
		reason  string
		tls     *network.TLS
		address string
		want    check.Answer
	}{
		"Trusted":    {reason: "The authority is known.", tls: &network.TLS{CABundle: authority, ServerName: serverName}, address: secure, want: serving},
		"Unknown":    {reason: "The authority is not.", tls: &network.TLS{ServerName: serverName}, address: secure, want: check.Answer{Verdict: check.Fail, Word: check.NotTrusted}},
		"OtherName":  {reason: "The certificate is for another name.", tls: &network.TLS{CABundle: authority, ServerName: "example.org"}, address: secure, want: check.Answer{Verdict: check.Fail, Word: check.NotTrusted}},
		"Address":    {reason: "The certificate is not for the pod's address.", tls: &network.TLS{CABundle: authority}, address: secure, want: check.Answer{Verdict: check.Fail, Word: check.NotTrusted}},
		"SkipVerify": {reason: "The check does not mind.", tls: &network.TLS{SkipVerify: true}, address: secure, want: serving},
		"Plain":      {reason: "The server speaks no TLS.", tls: &network.TLS{SkipVerify: true}, address: plain, want: check.Answer{Verdict: check.Fail, Word: check.TLSFailed}},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, Settings{TLS: tc.tls}, tc.address)
			if tc.want.Addr = got.Addr; got != tc.want {
				t.Errorf("%s\ngot %s (%s), want %s (%s)", tc.reason, got.Verdict, got.Word, tc.want.Verdict, tc.want.Word)
			}
		})
	}

	if _, err := New(place, Settings{TLS: &network.TLS{CABundle: []byte("not PEM")}}, timeout, networktest.New().Dial); err == nil {
		t.Error("a bundle without a certificate is taken")
	}
}

// TestNotAllowed: what the guard refuses is not a failure of the pod.
func TestNotAllowed(t *testing.T) {
	a := asker{dial: network.Guard{}.Dial}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if got := a.ask(ctx, network.Destination{}); got != (check.Answer{Word: check.NotAllowed}) {
		t.Errorf("got %s (%s)", got.Verdict, got.Word)
	}
}

// TestNoProxy: a proxy would dial where the guard does not look.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://"+networktest.Refusing)
	t.Setenv("GRPC_PROXY", "http://"+networktest.Refusing)
	if got := ask(t, Settings{}, serve(t, saying{status: grpc_health_v1.HealthCheckResponse_SERVING})); got.Verdict != check.Pass {
		t.Errorf("got %s (%s)", got.Verdict, got.Word)
	}
}
