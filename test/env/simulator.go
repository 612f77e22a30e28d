// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// SimulatorOptions say how the simulator is started.
type SimulatorOptions struct {
	// Binary is the program awssim.
	Binary string
	// Listen is the address of its API, HOST:PORT; port 0 takes a free one.
	Listen string
	// DataAddress is the address on which its load balancers listen, on free ports.
	DataAddress string
	// OwnPorts has them listen on the ports of their listeners.
	OwnPorts bool
	// Region that it simulates.
	Region string
	// Profile is alb, nlb or auto; the simulator's own default when empty.
	Profile string
	// RoutingDelay is how long the data path routes to a target after the API says
	// draining; the profile's own when negative.
	RoutingDelay time.Duration
	// TimeScale is how many times faster than the wall its clocks run (1).
	TimeScale float64
	// Args are further flags of the program.
	Args []string
	// Log gets what the program prints; nothing when nil.
	Log io.Writer
}

func (o SimulatorOptions) args() []string {
	args := []string{"--listen", o.Listen, "--data-address", o.DataAddress}
	if !o.OwnPorts {
		args = append(args, "--ephemeral-ports")
	}
	args = append(args, "--region", o.Region)
	if o.Profile != "" {
		args = append(args, "--profile", o.Profile)
	}
	if o.RoutingDelay >= 0 {
		d := o.RoutingDelay.String()
		args = append(args, "--alb-drain-routing-delay", d, "--nlb-drain-routing-delay", d, "--lattice-drain-routing-delay", d)
	}
	if o.TimeScale > 0 {
		args = append(args, "--time-scale", strconv.FormatFloat(o.TimeScale, 'g', -1, 64))
	}
	return append(args, o.Args...)
}

// Simulator is a running awssim.
type Simulator struct {
	// Control is its control API.
	Control
	// Endpoint is the URL of its AWS API.
	Endpoint string
	// Region that it simulates.
	Region string

	process *os.Process
	exited  chan struct{}
	exitErr error
	log     *tail

	// joining is held while a service network is made, by the accounts in which one is.
	joining  sync.Mutex
	networks map[string]network
}

// firstLine is what the program says once it listens.
var firstLine = regexp.MustCompile(`^awssim: API at (http://\S+) `)

// stopTimeout bounds how long the program may take to end.
const stopTimeout = 10 * time.Second

// StartSimulator starts the program and waits until it answers. It does not end with
// ctx, so that a controller can still clean up; Stop ends it.
func StartSimulator(ctx context.Context, o SimulatorOptions) (*Simulator, error) {
	cmd := exec.Command(o.Binary, o.args()...)
	cmd.SysProcAttr = childAttributes()
	s := &Simulator{Region: o.Region, exited: make(chan struct{}), log: &tail{also: o.Log}}
	cmd.Stderr = s.log
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start simulator: %w", err)
	}

	cmd.Stdout = in
	err = cmd.Start()
	_ = in.Close()

	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("start simulator: %w", err)
	}

	s.process = cmd.Process
	address := make(chan string, 1)
	go s.read(out, address)
	go func() {
		s.exitErr = cmd.Wait()
		close(s.exited)
	}()

	select {
	case s.Endpoint = <-address:
	case <-s.exited:
		return nil, fmt.Errorf("start simulator: it ended: %w: %s", s.exitErr, s.log)
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("start simulator: %w", context.Cause(ctx)), s.Stop())
	}

	s.Control = Control{url: s.Endpoint}
	if err := poll(ctx, "simulator", func(ctx context.Context) (bool, error) {
		_, err := s.Settings(ctx)
		return err == nil, err
	}); err != nil {
		return nil, errors.Join(err, s.Stop())
	}

	return s, nil
}

// read finds the address in what the program prints, and logs the rest.
func (s *Simulator) read(out io.ReadCloser, address chan<- string) {
	defer func() { _ = out.Close() }()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		_, _ = s.log.Write(append(lines.Bytes(), '\n'))
		if m := firstLine.FindStringSubmatch(lines.Text()); m != nil {
			select {
			case address <- m[1]:
			default:
			}
		}
	}
}

// Exited is closed when the program has ended, by itself or by Stop.
func (s *Simulator) Exited() <-chan struct{} { return s.exited }

// Stop ends the program, by force if it takes too long. Stopping twice is fine.
func (s *Simulator) Stop() error {
	if err := s.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop simulator: %w", err)
	}

	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()

	select {
	case <-s.exited:
		return nil
	case <-timer.C:
	}

	_ = s.process.Kill()
	<-s.exited
	return fmt.Errorf("stop simulator: it did not end within %s and was killed", stopTimeout)
}

// tail keeps the last of what is written, for error messages.
type tail struct {
	also io.Writer
	mu   sync.Mutex
	last []byte
}

const tailSize = 2000

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-tailSize):]
	if t.also != nil {
		_, _ = t.also.Write(p)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.last))
}
