// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what HAProxy does in its own time.
const patience = 20 * time.Second

// configuration is what every HAProxy of the tests has; %[1]s is its folder.
const configuration = `
global
    stats socket %[1]s/admin.sock mode 600 level admin
    stats socket %[1]s/user.sock mode 600 level user
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
	t      *testing.T
	folder string
	// notify is where the master says that it is ready.
	notify *net.UnixConn

	command *exec.Cmd
	ended   chan struct{}
}

// startHAProxy runs HAProxy with more configuration and ends it with the test.
func startHAProxy(t *testing.T, more string) *haproxy {
	t.Helper()
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Fatal("these tests need HAProxy 2.6 or later: run `scripts/install-debian haproxy=haproxy` as root on Debian 12, or install it")
	}
	h := &haproxy{t: t, folder: t.TempDir()}
	if len(h.folder) > 80 {
		t.Fatalf("%s is too long for a socket's path: set TMPDIR", h.folder)
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(h.folder, "notify.sock"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = notify.Close() })
	h.notify = notify
	h.configure(more)
	h.start()
	t.Cleanup(h.stop)
	return h
}

// configure writes the configuration that the next start or reload reads.
func (h *haproxy) configure(more string) {
	h.t.Helper()
	text := fmt.Sprintf(configuration, h.folder) + more + "\n"
	if err := os.WriteFile(filepath.Join(h.folder, "haproxy.cfg"), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// start runs a master and its worker as systemd does, and returns when the worker
// answers and the master is ready: one that is asked to reload before forgets it.
func (h *haproxy) start() {
	h.t.Helper()
	before := h.pid()
	command := exec.Command("haproxy", "-Ws", "-f", filepath.Join(h.folder, "haproxy.cfg"))
	log, err := os.OpenFile(h.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(), "NOTIFY_SOCKET="+h.notify.LocalAddr().String())
	if err := command.Start(); err != nil {
		h.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	h.command, h.ended = command, ended
	h.awaitOther(before)
}

// reload makes a new worker, as systemctl reload does.
func (h *haproxy) reload() {
	h.t.Helper()
	before := h.pid()
	if err := h.command.Process.Signal(syscall.SIGUSR2); err != nil {
		h.t.Fatal(err)
	}
	h.awaitOther(before)
}

// awaitOther waits until the master is ready and a process other than that of before
// answers.
func (h *haproxy) awaitOther(before string) {
	h.t.Helper()
	defer func() {
		if h.t.Failed() {
			h.t.Logf("HAProxy said:\n%s", h.said())
		}
	}()
	h.awaitReady()
	eventually(h.t, "a HAProxy answers that is not "+before, func() bool {
		now := h.pid()
		return now != "" && now != before
	})
}

// awaitReady waits for the master's word to systemd (sd_notify) that it is ready.
func (h *haproxy) awaitReady() {
	h.t.Helper()
	_ = h.notify.SetReadDeadline(time.Now().Add(patience))
	message := make([]byte, 4096)
	for {
		n, err := h.notify.Read(message)
		if err != nil {
			h.t.Fatalf("HAProxy is not ready: %v", err)
		}
		if strings.Contains(string(message[:n]), "READY=1") {
			return
		}
	}
}

// pid is that of the worker that answers now; empty when none does.
func (h *haproxy) pid() string {
	for line := range strings.Lines(h.say("show info")) {
		if pid, ok := strings.CutPrefix(line, "Pid: "); ok {
			return strings.TrimSpace(pid)
		}
	}
	return ""
}

// stop ends the master by its id, and with it its worker.
func (h *haproxy) stop() {
	if h.command == nil {
		return
	}
	_ = h.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-h.ended: // a master that was asked to end says so with its status
	case <-time.After(patience):
		_ = h.command.Process.Kill()
		h.t.Errorf("HAProxy did not end; it said:\n%s", h.said())
	}
	h.command = nil
}

func (h *haproxy) admin() string { return filepath.Join(h.folder, "admin.sock") }
func (h *haproxy) user() string  { return filepath.Join(h.folder, "user.sock") }

func (h *haproxy) log() string { return filepath.Join(h.folder, "log") }

// said is all that HAProxy wrote.
func (h *haproxy) said() []byte {
	text, _ := os.ReadFile(h.log())
	return text
}

// say gives a command by hand and gives the answer, empty when there is none.
func (h *haproxy) say(command string) string {
	conn, err := net.Dial("unix", h.admin())
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = conn.Write([]byte(command + "\n"))
	var answer bytes.Buffer
	_, _ = answer.ReadFrom(conn)
	return strings.TrimSpace(answer.String())
}

// servers gives the names of the servers of the backend that has a frontend.
func (h *haproxy) servers() []string {
	h.t.Helper()
	rows, err := parseState(h.say("show servers state " + backend))
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.name)
	}
	return names
}

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
