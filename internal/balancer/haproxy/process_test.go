// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	runner "github.com/podgate/podgate/test/haproxy"
)

// patience is how long a test waits for what HAProxy does in its own time.
const patience = runner.Patience

// configuration is what every HAProxy of the tests has; %[1]s is its folder.
const configuration = `
    stats socket %[1]s/user.sock mode 600 level user
    stats socket %[1]s/severity.sock mode 600 level admin severity-output string
    external-check
    insecure-fork-wanted
defaults
    mode http
    timeout connect 1s
    timeout client 20s
    timeout server 20s
    timeout check 1s
backend static-algorithm
    balance source
backend round-static
    balance static-rr
`

// haproxy is a running HAProxy of Debian's.
type haproxy struct {
	*runner.Process
	t *testing.T
}

// startHAProxy runs HAProxy with more configuration and ends it with the test.
func startHAProxy(t *testing.T, more string) *haproxy {
	t.Helper()
	p, err := runner.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := &haproxy{Process: p, t: t}
	t.Cleanup(func() { h.must(h.Close()) })
	h.configure(more)
	h.start()
	return h
}

func (h *haproxy) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// configure writes the configuration that the next start or reload reads.
func (h *haproxy) configure(more string) {
	h.t.Helper()
	h.must(h.Configure(fmt.Sprintf(configuration, h.Folder) + more))
}

func (h *haproxy) start()  { h.t.Helper(); h.must(h.Start()) }
func (h *haproxy) reload() { h.t.Helper(); h.must(h.Reload()) }
func (h *haproxy) stop()   { h.t.Helper(); h.must(h.Stop()) }

func (h *haproxy) admin() string { return h.Admin() }
func (h *haproxy) user() string  { return filepath.Join(h.Folder, "user.sock") }

// say gives a command by hand and gives the answer, empty when there is none.
func (h *haproxy) say(command string) string { return h.Say(command) }

// servers gives the names of the servers of the backend that has a frontend.
func (h *haproxy) servers() []string { return h.Servers(backend) }

func eventually(t *testing.T, what string, wanted func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !wanted(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s not yet: %s", patience, what)
		}
	}
}

// freePort gives a port of 127.0.0.1 that nothing listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
