// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package haproxy runs a real HAProxy, Debian's, for tests and the experiment: as
// systemd does, with a master and a worker. It knows nothing of podgate.
package haproxy

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Patience bounds what HAProxy does in its own time.
const Patience = 20 * time.Second

// Process is a HAProxy. Its methods are for one goroutine, but for Say.
type Process struct {
	// Folder holds its configuration haproxy.cfg, its log and its sockets.
	Folder string

	// notify is where the master says that it is ready.
	notify  *net.UnixConn
	command *exec.Cmd
	ended   chan struct{}
}

// New makes a Process that does not run yet. Its folder's path must be short: the path
// of a socket has at most 107 characters.
func New(folder string) (*Process, error) {
	if _, err := exec.LookPath("haproxy"); err != nil {
		return nil, errors.New("HAProxy 2.6 or later is needed: run `scripts/install-debian haproxy=haproxy` as root on Debian 12, or install it")
	}
	if len(folder) > 80 {
		return nil, fmt.Errorf("%s is too long for a socket's path: set TMPDIR", folder)
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(folder, "notify.sock"), Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	return &Process{Folder: folder, notify: notify}, nil
}

// Close ends the process and gives the socket of its readiness back.
func (p *Process) Close() error { return errors.Join(p.Stop(), p.notify.Close()) }

// Admin is the path of its runtime socket with level admin.
func (p *Process) Admin() string { return filepath.Join(p.Folder, "admin.sock") }

// Master is the path of the socket of the process that begins and ends the others.
func (p *Process) Master() string { return filepath.Join(p.Folder, "master.sock") }

// Configure writes the configuration that the next start or reload reads; the sockets
// are this package's to configure.
func (p *Process) Configure(text string) error {
	global := fmt.Sprintf("global\n    stats socket %s mode 600 level admin\n", p.Admin())
	return os.WriteFile(filepath.Join(p.Folder, "haproxy.cfg"), []byte(global+text+"\n"), 0o600)
}

// Start runs a master and its worker, and returns when the worker answers and the
// master is ready: one that is asked to reload before forgets it (2.6.12).
func (p *Process) Start() error {
	before := p.PID()
	command := exec.Command("haproxy", "-Ws", "-S", p.Master(), "-f", filepath.Join(p.Folder, "haproxy.cfg"))
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(), "NOTIFY_SOCKET="+p.notify.LocalAddr().String())
	if err := command.Start(); err != nil {
		return err
	}

	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	p.command, p.ended = command, ended
	return p.awaitOther(before)
}

// Reload makes a new worker, as systemctl reload does.
func (p *Process) Reload() error {
	before := p.PID()
	if err := p.command.Process.Signal(syscall.SIGUSR2); err != nil {
		return err
	}
	return p.awaitOther(before)
}

// Stop ends the master by its id, and with it its workers, and returns when it has ended.
func (p *Process) Stop() error {
	if p.command == nil {
		return nil
	}
	defer func() { p.command = nil }()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended: // a master that was asked to end says so with its status
		return nil
	case <-time.After(Patience):
		_ = p.command.Process.Kill()
		return fmt.Errorf("HAProxy did not end; it said:\n%s", p.Said())
	}
}

// awaitOther waits until the master is ready and a process other than that of before
// answers.
func (p *Process) awaitOther(before string) error {
	if err := p.awaitReady(); err != nil {
		return err
	}
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if now := p.PID(); now != "" && now != before {
			return nil
		}
	}
	return fmt.Errorf("no HAProxy answers that is not %s; it said:\n%s", before, p.Said())
}

// awaitReady waits for the master's word to systemd (sd_notify) that it is ready.
func (p *Process) awaitReady() error {
	_ = p.notify.SetReadDeadline(time.Now().Add(Patience))
	message := make([]byte, 4096)
	for {
		n, err := p.notify.Read(message)
		if err != nil {
			return fmt.Errorf("HAProxy is not ready: %w; it said:\n%s", err, p.Said())
		}
		if strings.Contains(string(message[:n]), "READY=1") {
			return nil
		}
	}
}

// PID is that of the worker that answers now; empty when none does.
func (p *Process) PID() string {
	for line := range strings.Lines(p.Say("show info")) {
		if pid, ok := strings.CutPrefix(line, "Pid: "); ok {
			return strings.TrimSpace(pid)
		}
	}
	return ""
}

// Say gives a command by hand and gives the answer, empty when there is none.
func (p *Process) Say(command string) string {
	conn, err := net.Dial("unix", p.Admin())
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(Patience))
	_, _ = conn.Write([]byte(command + "\n"))
	var answer bytes.Buffer
	_, _ = answer.ReadFrom(conn)
	return strings.TrimSpace(answer.String())
}

// Servers gives the names of a backend's servers.
func (p *Process) Servers(backend string) []string {
	var names []string
	lines := strings.Split(p.Say("show servers state "+backend), "\n")
	for _, line := range lines[min(2, len(lines)):] {
		if words := strings.Fields(line); len(words) > 3 {
			names = append(names, words[3])
		}
	}
	return names
}

// Said is all that HAProxy wrote.
func (p *Process) Said() []byte {
	text, _ := os.ReadFile(p.log())
	return text
}

func (p *Process) log() string { return filepath.Join(p.Folder, "log") }
