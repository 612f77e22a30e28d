// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/env"
)

// dualStack is the local cluster's handler for pods that have an IPv6 address as well, and the tests' RuntimeClass for it.
const dualStack = "dual-stack"

// asksPods asks pods at ports of theirs: one with servers of all kinds, one on the node's network, one with addresses of both
// families, and one behind a packet filter. The servers run in the test, and listen in the pods' networks.
func asksPods(w *world) {
	l := w.lab()
	identity := kubetest.SelfSigned(l.t, "cart.example.com")
	trusts := func(name string) string {
		return fmt.Sprintf("tls: {serverName: %s, caBundle: %s}", name, base64.StdEncoding.EncodeToString(identity["ca.crt"]))
	}

	says := map[gateOf]verdict{}
	pods := map[string][]corev1.PodConditionType{}
	for _, each := range []struct {
		pod, gate, check string
		says             verdict
	}{
		{"web", "http", "http: {port: http, path: /warm}", passes()},
		{"web", "http-fails", "http: {port: 8080, path: /healthz}", fails("HTTP status 503")},
		{"web", "https", "http: {port: 9443, scheme: HTTPS, " + trusts("cart.example.com") + "}", passes()},
		{"web", "https-other", "http: {port: 9443, scheme: HTTPS, " + trusts("bank.example.com") + "}", fails("TLS certificate not trusted")},
		{"web", "tcp", "tcp: {port: http}", passes()},
		{"web", "tcp-closed", "tcp: {port: 8081}", fails("connection refused")},
		{"web", "grpc", "grpc: {port: 9000, service: shop.Cart}", passes()},
		{"web", "grpc-fails", "grpc: {port: 9000, service: shop.Bank}", fails("NOT_SERVING")},
		{"web", "grpc-unknown", "grpc: {port: 9000, service: shop.Nobody}", fails("SERVICE_UNKNOWN")},
		{"web", "grpc-none", "grpc: {port: 9001}", fails("UNIMPLEMENTED")},
		{"web", "grpc-tls", "grpc: {port: 9002, " + trusts("cart.example.com") + "}", passes()},
		{"web", "grpc-untrusted", "grpc: {port: 9002, tls: {serverName: cart.example.com}}", fails("TLS certificate not trusted")},
		{"web", "grpc-unverified", "grpc: {port: 9002, tls: {verify: None}}", passes()},
		{"web", "ipv6-lacks", "http: {port: http, ipFamily: ipv6}", noAnswer("the pod has no such address")},

		{"host", "host", "http: {port: http, path: /warm}", passes()},
		{"host", "host-undeclared", "tcp: {port: 10250}", notAllowed("not allowed")},

		{"both", "ipv6", "tcp: {port: 9000, ipFamily: ipv6}", passes()},
		{"both", "ipv4", "tcp: {port: 9000, ipFamily: ipv4}", fails("connection refused")},

		{"shut", "silent", "http: {port: http, path: /healthz}", noAnswer("timed out")},
		{"shut", "prohibited", "tcp: {port: 8081}", noAnswer("unreachable")},
	} {
		if each.pod == "both" && !l.dualStack {
			continue
		}
		says[gateOf{each.pod, each.gate}] = each.says
		pods[each.pod] = append(pods[each.pod], l.gate(each.gate, "periodSeconds: 1, "+each.check, ""))
	}

	unhealthy := []corev1.EnvVar{{Name: "UNHEALTHY", Value: "true"}}
	web, shut, host := l.pod("web", pods["web"]...), l.pod("shut", pods["shut"]...), l.pod("host", pods["host"]...)
	web.Spec.Containers[0].Env, shut.Spec.Containers[0].Env = unhealthy, unhealthy
	host.Spec.HostNetwork = true
	host.Spec.Containers[0].Ports[0].ContainerPort = hostPort
	host.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PORT", Value: strconv.Itoa(hostPort)}}
	for _, pod := range []*corev1.Pod{web, shut, host} {
		l.create(pod)
	}

	if l.dualStack {
		both := l.pod("both", pods["both"]...)
		both.Spec.RuntimeClassName = new(dualStack)
		l.create(both)
		go accept(l.listen("both", "tcp6", 9000))
	}
	l.servesAll("web", identity)
	l.filter("shut", "tcp dport 8080 drop\ntcp dport 8081 reject with icmpx admin-prohibited")
	l.waitSaid(says)
	l.tells([]string{"explain", "-n", l.namespace, "shut"}, "silent: Unknown, Check.NoAnswer", "asked: timed out", "asked: unreachable", "find out why podgate gets no answer, such as a network policy that does not let it reach the pod")

	l.filter("shut", "")
	l.orderAt(l.podOf("shut").Status.PodIP, "heal")
	says[gateOf{"shut", "silent"}], says[gateOf{"shut", "prohibited"}] = passes(), fails("connection refused")
	l.waitSaid(says)
}

// silentUnderTrack puts a packet filter before both pods of a gate under Track: nobody knows whose fault it is, and nothing closes.
// When one of them answers again the other one fails, and closes until it answers, too.
func silentUnderTrack(w *world) {
	l := w.lab()
	tracked := l.gate("track", "periodSeconds: 1, http: {port: http, path: /healthz}", ", gate: {mode: Track, trackAfterSeconds: 10}")
	for _, name := range []string{"one", "other"} {
		l.create(l.pod(name, tracked))
	}
	says := map[gateOf]verdict{{"one", "track"}: passes(), {"other", "track"}: passes()}
	l.waitSaid(says)
	before, err := l.said(l.ctx)
	l.must(err)

	for _, name := range []string{"one", "other"} {
		l.filter(name, "tcp dport 8080 drop")
	}
	l.eventually("the check to have no answer from both", func(ctx context.Context) (bool, error) {
		g := l.readinessGate("track")
		err := l.cluster.Get(ctx, client.ObjectKeyFromObject(g), g)
		checks, _, _ := unstructured.NestedSlice(g.Object, "status", "checks")
		return len(checks) == 1 && checks[0].(map[string]any)["noAnswer"] == int64(2), err
	})
	l.pass(15 * time.Second) // more than trackAfterSeconds
	l.waitSaid(says)
	l.assertSince(before, "one", "other")

	l.filter("other", "")
	says[gateOf{"one", "track"}] = fails("timed out")
	l.waitSaid(says)
	l.filter("one", "")
	says[gateOf{"one", "track"}] = passes()
	l.waitSaid(says)
	l.assertSince(before, "other")
}

// hostPort is a port of the node that nobody else has.
const hostPort = 18080

// hasIPv6 reports whether the kernel can give pods an IPv6 address.
func hasIPv6(t *testing.T) bool {
	_, err := os.Stat("/proc/net/if_inet6")
	if err != nil {
		t.Logf("nothing is asked over IPv6: %v", err)
	}
	return err == nil
}

// makeDualStack has the Deployments of a manifest make such pods.
func (w *world) makeDualStack(m env.Manifest) {
	w.t.Helper()
	class := &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: dualStack}, Handler: dualStack}
	w.delayed(class)
	w.must(client.IgnoreAlreadyExists(w.cluster.Create(w.ctx, class)))
	for _, d := range m.OfKind("Deployment") {
		w.must(unstructured.SetNestedField(d.Object, dualStack, "spec", "template", "spec", "runtimeClassName"))
	}
}

// servesAll serves HTTPS, and gRPC with the standard health service, without it, and with TLS, in the network of a pod.
func (l *lab) servesAll(pod string, identity map[string][]byte) {
	l.t.Helper()
	pair, err := tls.X509KeyPair(identity["tls.crt"], identity["tls.key"])
	l.must(err)
	secure := &tls.Config{Certificates: []tls.Certificate{pair}}

	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	web := &http.Server{Handler: ok, TLSConfig: secure, ReadHeaderTimeout: 10 * time.Second}
	listener := l.listen(pod, "tcp", 9443)
	go func() { _ = web.ServeTLS(listener, "", "") }()
	l.t.Cleanup(func() { _ = web.Close() })

	healthy := health.NewServer()
	healthy.SetServingStatus("shop.Cart", grpc_health_v1.HealthCheckResponse_SERVING)
	healthy.SetServingStatus("shop.Bank", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	plain, none, private := grpc.NewServer(), grpc.NewServer(), grpc.NewServer(grpc.Creds(credentials.NewTLS(secure)))
	grpc_health_v1.RegisterHealthServer(plain, healthy)
	grpc_health_v1.RegisterHealthServer(private, healthy)
	for port, server := range map[int]*grpc.Server{9000: plain, 9001: none, 9002: private} {
		listener := l.listen(pod, "tcp", port)
		go func() { _ = server.Serve(listener) }()
		l.t.Cleanup(server.Stop)
	}
}

// accept takes connections and says nothing, until the listener is closed.
func accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_ = conn.Close()
	}
}

// listen listens at a port in the network of a pod, until the test ends.
func (l *lab) listen(pod, network string, port int) (listener net.Listener) {
	l.t.Helper()
	l.inNetworkOf(pod, func() (err error) {
		listener, err = new(net.ListenConfig).Listen(l.ctx, network, net.JoinHostPort("", strconv.Itoa(port)))
		return err
	})
	l.t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// filter gives a pod's network rules for what comes in, in place of those before. The local cluster enforces no NetworkPolicy:
// this is what a network that does would do to podgate.
func (l *lab) filter(pod, rules string) {
	l.t.Helper()
	text := "add table inet checks\ndelete table inet checks\ntable inet checks {\nchain in {\ntype filter hook input priority filter\n" + rules + "\n}\n}"
	l.inNetworkOf(pod, func() error {
		out, err := exec.CommandContext(l.ctx, "nft", text).CombinedOutput()
		if err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return nil
	})
}

// inNetworkOf does something in the network of a pod.
func (l *lab) inNetworkOf(pod string, do func() error) {
	l.t.Helper()
	_, container, _ := strings.Cut(l.podOf(pod).Status.ContainerStatuses[0].ContainerID, "://")
	pid, err := processOf(container)
	l.must(err)

	done := make(chan error)
	go func() {
		// The thread is in the pod's network then, and ends with the goroutine.
		runtime.LockOSThread()
		done <- inNetwork(fmt.Sprintf("/proc/%d/ns/net", pid), do)
	}()
	l.must(<-done)
}

func inNetwork(path string, do func() error) error {
	network, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = network.Close() }()
	if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network %s: %w", path, err)
	}
	return do()
}
