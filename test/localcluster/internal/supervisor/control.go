// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/podgate/podgate/test/localcluster/internal/state"
)

// Request is what a command asks of a running supervisor.
type Request struct {
	// Do is "status", "start", "stop" or "restart".
	Do        string         `json:"do"`
	Component string         `json:"component,omitempty"`
	Signal    syscall.Signal `json:"signal,omitempty"`
}

// Answer is what it says.
type Answer struct {
	Error      string      `json:"error,omitempty"`
	Components []Component `json:"components,omitempty"`
}

// Component is one program of the cluster as the supervisor sees it.
type Component struct {
	Name string `json:"name"`
	// PID is the number in the cluster's PID namespace; 0 while it does not run.
	PID      int  `json:"pid"`
	Running  bool `json:"running"`
	Restarts int  `json:"restarts"`
	// Log is the path of its log file.
	Log string `json:"log"`
}

// controlPath works round the length that a socket's path may have, which a temporary folder easily exceeds.
func controlPath(run string) (path string, release func(), err error) {
	dir, err := os.Open(run)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), state.Control), func() { _ = dir.Close() }, nil
}

func (s *supervisor) serveControl() error {
	path, release, err := controlPath(s.Dirs.Run)
	if err != nil {
		return err
	}
	defer release()
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("open the control socket: %w", err)
	}

	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(filepath.Join(s.Dirs.Run, state.Control), 0o600); err != nil {
		return err
	}

	s.control = listener
	go s.answerAll(listener)
	return nil
}

func (s *supervisor) answerAll(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			var request Request
			if err := json.NewDecoder(conn).Decode(&request); err != nil {
				return
			}
			_ = json.NewEncoder(conn).Encode(s.answer(request))
		}()
	}
}

func (s *supervisor) answer(r Request) Answer {
	if r.Do == "status" {
		return Answer{Components: s.status()}
	}

	c, err := s.find(r.Component)
	if err != nil {
		return Answer{Error: err.Error()}
	}

	s.operation.Lock()
	defer s.operation.Unlock()

	if err := s.operate(c, r); err != nil {
		return Answer{Error: err.Error()}
	}

	return Answer{Components: s.status()}
}

func (s *supervisor) operate(c *component, r Request) error {
	if r.Do == "stop" || r.Do == "restart" {
		s.stop(c, r.Signal)
	}

	if r.Do == "stop" {
		return nil
	}
	if r.Do != "start" && r.Do != "restart" {
		return fmt.Errorf("unknown request %q", r.Do)
	}

	if err := s.launch(c); err != nil {
		return err
	}

	return s.awaitComponent(c)
}

func (s *supervisor) find(name string) (*component, error) {
	var names []string
	for _, c := range s.components {
		if c.name == name {
			return c, nil
		}
		names = append(names, c.name)
	}
	return nil, fmt.Errorf("there is no component %q; there are %s", name, strings.Join(names, ", "))
}

func (s *supervisor) status() []Component {
	var all []Component
	for _, c := range s.components {
		c.mu.Lock()
		found := Component{Name: c.name, Restarts: c.restarts, Log: s.Dirs.Log(c.name)}
		if c.process != nil {
			found.PID, found.Running = c.process.PID, true
		}
		c.mu.Unlock()
		all = append(all, found)
	}
	return all
}

// Ask sends a request to the supervisor of a cluster.
func Ask(run string, r Request) (Answer, error) {
	path, release, err := controlPath(run)
	if err != nil {
		return Answer{}, err
	}
	defer release()
	conn, err := net.DialTimeout("unix", path, 5*time.Second)
	if err != nil {
		return Answer{}, fmt.Errorf("reach the supervisor: %w", err)
	}
	defer func() { _ = conn.Close() }()

	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return Answer{}, err
	}

	var answer Answer
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		if errors.Is(err, io.EOF) {
			return Answer{}, errors.New("the supervisor ended before it answered")
		}
		return Answer{}, err
	}

	if answer.Error != "" {
		return answer, errors.New(answer.Error)
	}

	return answer, nil
}
