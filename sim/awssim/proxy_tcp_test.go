// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// frontTCP is front for a network load balancer.
func (e *env) frontTCP(targets ...Target) (group, address string) {
	e.Helper()
	group = e.group("web", network)
	listener := e.balance(group, types.LoadBalancerTypeEnumNetwork)
	e.script(group, Script{State: "healthy"})
	if len(targets) > 0 {
		e.register(group, targets...)
	}
	return group, e.sim.ListenerAddress(listener)
}

// dial connects to a load balancer for the length of a test.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestNetworkLoadBalancerRoutesConnections(t *testing.T) {
	cfg := instant()
	cfg.NLB.DrainRoutingDelay = time.Hour
	e := start(t, cfg)
	a, b := serve(t, say("a")), serve(t, say("b"))
	group, address := e.frontTCP(a.Target, b.Target)
	conn := dial(t, address)
	r := bufio.NewReader(conn)
	ask := func() string {
		t.Helper()
		if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}

		response, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}

		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}

		return string(body)
	}

	first := ask()
	e.deregister(group, a.Target, b.Target)

	for range 3 {
		if got := ask(); got != first {
			t.Errorf("one connection went to %q and then to %q", first, got)
		}
	}

	seen := map[string]bool{}
	for range 4 {
		_, body, _ := e.get(address, "/")
		seen[body] = true
	}

	if !seen["a"] || !seen["b"] {
		t.Errorf("new connections while both drain went to %v, want both", seen)
	}
}

func TestNetworkLoadBalancerPassesFailuresOn(t *testing.T) {
	e := start(t, instant())
	group, address := e.frontTCP()
	connect := func() error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		_, err = conn.Read(make([]byte, 1))
		return err
	}
	if err := connect(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an empty group: %v, want a reset", err)
	}

	e.register(group, vacant(t))
	if err := connect(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a target that refuses: %v, want a reset", err)
	}
}

func TestNetworkLoadBalancerPassesHalfCloses(t *testing.T) {
	e := start(t, instant())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	heard := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			heard <- err.Error()
			return
		}
		all, _ := io.ReadAll(conn)
		_, _ = io.WriteString(conn, "bye")
		_ = conn.Close()
		heard <- string(all)
	}()

	defer func() { _ = l.Close() }()
	_, address := e.frontTCP(Target{ID: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port})
	conn := dial(t, address)
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}

	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}

	all, err := io.ReadAll(conn)
	if got := <-heard; err != nil || string(all) != "bye" || got != "hello" {
		t.Errorf("target heard %q, client heard %q, %v", got, all, err)
	}
}

func TestConnectionTerminationAtTheEndOfTheDelay(t *testing.T) {
	cfg := instant()
	cfg.TimeScale = 20
	e := start(t, cfg)
	entered := make(chan struct{})
	b := serve(t, func(c net.Conn, _ *http.Request, _ int64) bool {
		close(entered)
		_, _ = c.Read(make([]byte, 1))
		return false
	})

	group, address := e.frontTCP(b.Target)
	e.attribute(group, "deregistration_delay.timeout_seconds", "2")
	e.attribute(group, "deregistration_delay.connection_termination.enabled", "true")
	conn := dial(t, address)
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}

	<-entered
	e.deregister(group, b.Target)

	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection outlived its target's deregistration delay")
	}
}

func TestUnhealthyTargetsConnectionsAreReset(t *testing.T) {
	e := start(t, instant())
	entered := make(chan struct{})
	b := serve(t, func(c net.Conn, _ *http.Request, _ int64) bool {
		close(entered)
		_, _ = c.Read(make([]byte, 1))
		return false
	})

	group, address := e.frontTCP(b.Target)
	conn := dial(t, address)
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}

	<-entered
	e.register(group, Target{ID: "127.0.0.2", Port: 1}) // healthy, so that the group does not fail open

	if err := e.sim.SetHealth(group, &b.Target, Script{State: "unhealthy"}); err != nil {
		t.Fatal(err)
	}

	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client saw %v, want a reset", err)
	}
}

// TestNetworkListenerProtocols: a listener forwards to target groups whose protocol goes with its own.
func TestNetworkListenerProtocols(t *testing.T) {
	e := start(t, instant())
	b := e.balancer("net", types.LoadBalancerTypeEnumNetwork)
	port := int32(0)
	for listener, good := range map[types.ProtocolEnum][]types.ProtocolEnum{
		types.ProtocolEnumTcp:    {types.ProtocolEnumTcp, types.ProtocolEnumTcpUdp},
		types.ProtocolEnumUdp:    {types.ProtocolEnumUdp, types.ProtocolEnumTcpUdp},
		types.ProtocolEnumTcpUdp: {types.ProtocolEnumTcpUdp},
	} {
		for _, protocol := range []types.ProtocolEnum{types.ProtocolEnumTcp, types.ProtocolEnumUdp, types.ProtocolEnumTcpUdp, types.ProtocolEnumTls} {
			port++
			group := e.group(fmt.Sprintf("g-%d", port), network, func(in *elbv2.CreateTargetGroupInput) { in.Protocol = protocol })
			_, err := e.elb.CreateListener(t.Context(), &elbv2.CreateListenerInput{LoadBalancerArn: &b, Port: &port, Protocol: listener, DefaultActions: []types.Action{forwardTo(group)}})
			want := "IncompatibleProtocols"
			if slices.Contains(good, protocol) {
				want = ""
			}
			if got := codeOf(err); got != want {
				t.Errorf("%s to %s: got %q, want %q", listener, protocol, got, want)
			}
		}
	}
}
