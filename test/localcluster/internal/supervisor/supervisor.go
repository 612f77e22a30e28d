// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podgate/podgate/test/localcluster/internal/process"
	"github.com/podgate/podgate/test/localcluster/internal/state"
)

var (
	errTold      = errors.New("told to end")
	errAbandoned = errors.New("the command that started the cluster went away before it was up")
	errOrphaned  = errors.New("the process that the cluster was bound to has ended")
)

// Times that something may take before it counts as failed. They are generous: a loaded machine of two cores starts slowly.
const (
	startWithin = 60 * time.Second
	readyWithin = 120 * time.Second
	drainWithin = 20 * time.Second
)

type supervisor struct {
	Config
	ctx      context.Context
	cancel   context.CancelCauseFunc
	children *process.Children
	client   clients
	up       atomic.Bool
	// components is set once, before the control socket is opened.
	components []*component
	// operation lets one command at a time change components.
	operation sync.Mutex
	control   net.Listener
}

// Main is the life of a cluster: read the configuration, start, tell the starting command, wait, remove everything.
func Main() error {
	if err := unix.SetNonblock(socketFD, true); err != nil {
		return fmt.Errorf("this command is started by `localcluster up`, not by hand: %w", err)
	}

	// It was started as /proc/self/exe, and would be called "exe" in lists of processes.
	_ = os.WriteFile("/proc/self/comm", []byte("localcluster"), 0o600)

	// Nothing inherited is for the components.
	for fd := socketFD; fd < socketFD+16; fd++ {
		unix.CloseOnExec(fd)
	}

	socket := os.NewFile(socketFD, "starter")
	starter := json.NewDecoder(socket)
	var config Config
	if err := starter.Decode(&config); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	s := &supervisor{Config: config, ctx: ctx, cancel: cancel, children: process.New()}
	go s.heed(starter)
	tell := json.NewEncoder(socket)
	err := s.start(func(step string) { _ = tell.Encode(Event{Step: step}) })
	if err == nil {
		s.up.Store(true)
		_ = tell.Encode(Event{Ready: true})
		<-ctx.Done()
		err = context.Cause(ctx)
	}

	if !s.up.Load() {
		_ = tell.Encode(Event{Error: err.Error()})
	}

	return s.end()
}

// heed ends the cluster at a signal, at the end of the process it is bound to, and when the starting command goes away too early.
func (s *supervisor) heed(starter *json.Decoder) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	go func() {
		<-signals
		s.cancel(errTold)
	}()

	if s.ParentFD != 0 {
		go func() {
			for {
				n, err := unix.Poll([]unix.PollFd{{Fd: int32(s.ParentFD), Events: unix.POLLIN}}, -1)
				if n > 0 || (err != nil && !errors.Is(err, unix.EINTR)) {
					s.cancel(errOrphaned)
					return
				}
			}
		}()
	}

	var nothing struct{}
	_ = starter.Decode(&nothing)

	if !s.up.Load() {
		s.cancel(errAbandoned)
	}
}

func (s *supervisor) start(step func(string)) error {
	if err := s.prepare(); err != nil {
		return err
	}
	if s.full() {
		return s.startFull(step)
	}
	return s.startAPI(step)
}

func (s *supervisor) prepare() error {
	if s.full() {
		if err := s.enterSandbox(); err != nil {
			return err
		}
	}

	for _, dir := range []string{s.Dirs.PKI(), s.Dirs.Logs(), s.Dirs.Config(), s.data("tmp")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}

	if s.full() {
		if err := s.makeNetwork(); err != nil {
			return err
		}
		if err := s.makeCgroups(); err != nil {
			return err
		}
		if err := s.writeFiles(); err != nil {
			return fmt.Errorf("write the configuration of the components: %w", err)
		}
	}

	if err := s.writeCredentials(); err != nil {
		return err
	}

	var err error
	s.client, err = newClients(s.Config)
	return err
}

func (s *supervisor) startAPI(step func(string)) error {
	etcd, api := s.etcd(), s.apiServer()
	s.components = []*component{etcd, api}
	step("starting etcd and kube-apiserver")
	if err := errors.Join(s.launch(etcd), s.launch(api)); err != nil {
		return err
	}
	if err := s.awaitComponent(api); err != nil {
		return err
	}
	return s.serveControl()
}

func (s *supervisor) startFull(step func(string)) error {
	etcd, containerd, api := s.etcd(), s.containerd(), s.apiServer()
	manager, scheduler, kubelet, proxy := s.controllerManager(), s.scheduler(), s.kubelet(), s.proxy()
	s.components = []*component{etcd, containerd, api, manager, scheduler, kubelet, proxy}

	step("starting etcd, containerd and kube-apiserver")

	if err := errors.Join(s.launch(etcd), s.launch(containerd), s.launch(api)); err != nil {
		return err
	}

	if err := s.awaitComponent(containerd); err != nil {
		return err
	}

	if out, err := s.run("ctr", "-a", s.Dirs.Containerd(), "-n", "k8s.io", "images", "import", s.Pause); err != nil {
		return fmt.Errorf("load the pause image: %w: %s", err, out)
	}

	if err := s.awaitComponent(api); err != nil {
		return err
	}

	s.forward()

	step("starting kube-controller-manager, kube-scheduler, kubelet and kube-proxy")

	if err := errors.Join(s.launch(manager), s.launch(scheduler), s.launch(kubelet), s.launch(proxy)); err != nil {
		return err
	}

	for _, c := range []*component{manager, scheduler, kubelet, proxy} {
		if err := s.awaitComponent(c); err != nil {
			return err
		}
	}

	step("waiting for the node to be Ready")
	if err := s.await("node "+s.Dirs.Name, readyWithin, s.client.nodeReady(s.server(), s.Dirs.Name)); err != nil {
		return fmt.Errorf("%w; the end of kubelet's log:\n%s", err, tail(s.Dirs.Log(kubelet.name)))
	}

	account := s.server() + "/api/v1/namespaces/default/serviceaccounts/default"
	if err := s.await("the default ServiceAccount", readyWithin, s.client.api(account)); err != nil {
		return err
	}

	return s.serveControl()
}

// end stops everything and removes what the cluster made. Nothing is stopped gently: nothing of it is to be kept.
func (s *supervisor) end() error {
	s.cancel(errTold)
	if s.control != nil {
		_ = s.control.Close()
	}
	s.kill()
	if s.full() {
		leaveSandbox()
		return s.Dirs.Sweep(state.State{})
	}
	return s.Dirs.RemoveFiles()
}

func (s *supervisor) kill() {
	deadline := time.Now().Add(drainWithin)
	for time.Now().Before(deadline) {
		s.killOnce()
		if s.children.Drained() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// killOnce ends everything in the PID namespace if this process is its first, and else the components.
func (s *supervisor) killOnce() {
	if s.full() && os.Getpid() == 1 {
		_ = syscall.Kill(-1, syscall.SIGKILL)
		return
	}
	for _, c := range s.components {
		c.mu.Lock()
		c.wanted = false
		if c.process != nil {
			c.process.Signal(syscall.SIGKILL)
		}
		c.mu.Unlock()
	}
}
