// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podgate/podgate/test/localcluster/internal/state"
	"github.com/podgate/podgate/test/localcluster/internal/supervisor"
)

// launch starts the supervisor and follows it until the cluster works. When it returns an error the supervisor has ended or is
// about to.
func launch(ctx context.Context, e *env, config supervisor.Config, parent *os.File) error {
	var inherit []*os.File
	// Files after the first of these arrive as 4, 5, ... in their order.
	pass := func(f *os.File) int {
		inherit = append(inherit, f)
		return 3 + len(inherit)
	}

	defer func() {
		for _, f := range inherit {
			_ = f.Close()
		}
	}()

	if err := reserve(&config, pass); err != nil {
		return err
	}

	if parent != nil {
		config.ParentFD = pass(parent)
	}

	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer func() { _ = ours.Close() }()
	cmd, err := startSupervisor(config, append([]*os.File{theirs}, inherit...))
	_ = theirs.Close()

	if err != nil {
		return err
	}

	ended := make(chan struct{})
	go func() {
		// What it says of itself comes over the socket.
		_ = cmd.Wait()
		close(ended)
	}()

	s, err := record(config, cmd.Process.Pid)
	if err == nil {
		err = follow(ctx, e, config, ours)
	}

	if err == nil {
		s.Ready = true
		err = config.Dirs.Write(s)
	}

	if err == nil {
		return nil
	}

	// Closing our end tells the supervisor to give up; it removes what it made.
	_ = ours.Close()
	select {
	case <-ended:
	case <-time.After(stopGrace):
		_ = cmd.Process.Kill()
		<-ended
	}

	return err
}

// reserve takes the ports and keeps them for the cluster's life, so that nobody else gets them before or between the component's
// own uses.
func reserve(config *supervisor.Config, pass func(*os.File) int) error {
	if config.Mode == state.Full {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("open a port for the API server: %w", err)
		}
		defer func() { _ = listener.Close() }()
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			return err
		}

		config.ForwardFD = pass(file)
		config.APIPort = listener.Addr().(*net.TCPAddr).Port
		config.EtcdPort, config.PeerPort = 2379, 2380

		return nil
	}

	for _, port := range []*int{&config.APIPort, &config.EtcdPort, &config.PeerPort} {
		file, err := boundSocket(port)
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		pass(file)
	}

	return nil
}

// boundSocket holds a port without listening; who sets SO_REUSEPORT as well, as etcd and kube-apiserver are told to, can listen on it.
func boundSocket(port *int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}

	file := os.NewFile(uintptr(fd), "reserved port")
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
	)
	if err != nil {
		_ = file.Close()
		return nil, err
	}

	name, err := unix.Getsockname(fd)
	if err != nil {
		_ = file.Close()
		return nil, err
	}

	*port = name.(*unix.SockaddrInet4).Port
	return file, nil
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket to the supervisor: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "supervisor"), os.NewFile(uintptr(fds[1]), "starter"), nil
}

func startSupervisor(config supervisor.Config, files []*os.File) (*exec.Cmd, error) {
	if err := os.MkdirAll(config.Dirs.Logs(), 0o700); err != nil {
		return nil, err
	}

	log, err := os.OpenFile(config.Dirs.Log("supervisor"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command("/proc/self/exe", supervisor.Command, "--name", config.Dirs.Name)
	cmd.Args[0] = "localcluster"
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if config.Mode == state.Full {
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC
	}

	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}

	return cmd, nil
}

// record writes down who runs the cluster, before anything of it exists.
func record(config supervisor.Config, pid int) (state.State, error) {
	started, _ := state.StartTime(pid)
	s := state.State{
		Name: config.Dirs.Name, Mode: config.Mode, Version: config.Version, Supervisor: pid, Started: started, Created: time.Now().UTC(),
		Address: fmt.Sprintf("127.0.0.1:%d", config.APIPort), Bin: config.Bin,
	}
	if config.Mode == state.APIOnly {
		s.Etcd = fmt.Sprintf("https://127.0.0.1:%d", config.EtcdPort)
	}
	if config.Mode == state.Full {
		var errNet, errPID error
		s.Netns, errNet = os.Readlink(filepath.Join("/proc", fmt.Sprint(pid), "ns/net"))
		s.PIDns, errPID = os.Readlink(filepath.Join("/proc", fmt.Sprint(pid), "ns/pid"))
		if err := errors.Join(errNet, errPID); err != nil {
			return s, fmt.Errorf("find the namespaces of the supervisor: %w", err)
		}
	}

	return s, config.Dirs.Write(s)
}

// follow lets the supervisor begin and prints its progress until the cluster works or cannot.
func follow(ctx context.Context, e *env, config supervisor.Config, socket *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = socket.SetReadDeadline(time.Now()) })
	defer stop()

	if err := json.NewEncoder(socket).Encode(config); err != nil {
		return fmt.Errorf("tell the supervisor what to start: %w", err)
	}

	events := json.NewDecoder(socket)
	for {
		var event supervisor.Event
		err := events.Decode(&event)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			said, _ := os.ReadFile(config.Dirs.Log("supervisor"))
			return fmt.Errorf("the supervisor ended without a word (%w)\n%s", err, said)
		case event.Error != "":
			return fmt.Errorf("start cluster %s: %s", config.Dirs.Name, event.Error)
		case event.Ready:
			return nil
		}

		e.progress(event.Step)
	}
}
