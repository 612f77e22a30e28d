// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/podgate/podgate/internal/balancer/balancertest"
)

// wire stands between the provider and a HAProxy's socket and can break.
type wire struct {
	t       *testing.T
	haproxy *haproxy
	network string
	address string

	mu       sync.Mutex
	fault    balancertest.Fault
	listener net.Listener
	held     []net.Conn
}

// newWire listens on a socket of its own.
func newWire(t *testing.T, h *haproxy, network string) *wire {
	t.Helper()
	w := &wire{t: t, haproxy: h, network: network, address: filepath.Join(h.Folder, "wire.sock")}
	if network == "tcp" {
		w.address = "127.0.0.1:0"
	}
	w.listen()
	w.address = w.listener.Addr().String()
	t.Cleanup(w.down)
	return w
}

// instance is the wire's socket as a Config spells it.
func (w *wire) instance() string { return w.network + ":" + w.address }

func (w *wire) listen() {
	w.t.Helper()
	if w.network == "unix" {
		_ = os.Remove(w.address)
	}

	l, err := net.Listen(w.network, w.address)
	if err != nil {
		w.t.Fatal(err)
	}

	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // as HAProxy leaves it when it ends
	}

	w.listener = l
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.serve(conn)
		}
	}()
}

func (w *wire) down() {
	_ = w.listener.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.held {
		_ = conn.Close()
	}
	w.held = nil
}

// breakdown makes the wire fail until mend is called.
func (w *wire) breakdown(fault balancertest.Fault) (mend func()) {
	w.set(fault)
	if fault == balancertest.Down {
		w.down()
	}
	return func() {
		w.set(0)
		if fault == balancertest.Down {
			w.listen()
		}
	}
}

func (w *wire) set(fault balancertest.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

// serve carries one line to HAProxy and its answer back.
func (w *wire) serve(conn net.Conn) {
	w.mu.Lock()
	fault := w.fault
	if fault == balancertest.Hanging {
		w.held = append(w.held, conn)
		w.mu.Unlock()
		return
	}

	w.mu.Unlock()
	defer func() { _ = conn.Close() }()
	to := w.haproxy.admin()
	if fault == balancertest.Denied {
		to = w.haproxy.user()
	}

	up, err := net.Dial("unix", to)
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	go func() { _, _ = io.Copy(up, conn) }()

	if fault != balancertest.CutOff {
		_, _ = io.Copy(conn, up)
		return
	}

	answer, _ := io.ReadAll(up)
	_, _ = conn.Write(answer[:len(answer)/2])
}

// backends is the configuration of n empty backends that ask for /healthz, the first
// of which is reached at a port of 127.0.0.1.
func backends(port, n int) string {
	text := fmt.Sprintf("frontend in\n    bind 127.0.0.1:%d\n    default_backend web-0\n", port)
	for i := range n {
		text += fmt.Sprintf("backend web-%d\n    balance roundrobin\n    option httpchk GET /healthz\n", i)
	}
	return text
}
