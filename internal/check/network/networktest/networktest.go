// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package networktest gives tests pods with addresses, behind which the tests' own servers listen on loopback, to which
// podgate's own guard never connects.
package networktest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/network"
)

// PortName is the name of the port that each pod declares.
const PortName = "serve"

// port is the number of that port.
const port = 8080

// Refusing is an address at which nothing listens.
const Refusing = "127.0.0.1:1"

// Pods are the pods of a test.
type Pods struct {
	mu      sync.Mutex
	last    netip.Addr
	servers map[string]string
	dialled int
}

// New returns pods of which there are none yet.
func New() *Pods {
	return &Pods{last: netip.MustParseAddr("198.51.100.0"), servers: map[string]string{}}
}

// Add makes a pod with an address of documentation (RFC 5737), of which nothing answers until Serve.
func (p *Pods) Add() check.Subject {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = p.last.Next()
	return check.Subject{
		UID:   types.UID(fmt.Sprintf("uid-of-%s", p.last)),
		Addrs: []netip.Addr{p.last},
		Ports: []corev1.ContainerPort{{Name: PortName, ContainerPort: port}},
	}
}

// Serve puts a server that listens at HOST:PORT behind a pod's port. Connections to the pod hang when it is empty.
func (p *Pods) Serve(pod check.Subject, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.servers[HostPort(pod)] = address
}

// HostPort is where checks ask a pod.
func HostPort(pod check.Subject) string { return netip.AddrPortFrom(pod.Addrs[0], port).String() }

// Dial is a network.Dial that connects to the servers of the pods.
func (p *Pods) Dial(ctx context.Context, to network.Destination) (net.Conn, error) {
	p.mu.Lock()
	p.dialled++
	address := p.servers[to.HostPort()]
	p.mu.Unlock()

	if address == "" {
		<-ctx.Done()
		return nil, ctx.Err()
	}

	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// Dialled counts the connections that were tried.
func (p *Pods) Dialled() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialled
}

// Listen listens on loopback until the test ends.
func Listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}
