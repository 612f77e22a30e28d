// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
)

const (
	region = "eu-west-1"
	// system is the namespace of the controller under test.
	system = "podgate-system"
	// apps is the namespace of pods and bindings.
	apps = "bench"
	// parallel is how many requests the bench has in flight at the API server.
	parallel = 16
	// tick is how often a state that is waited for is looked at.
	tick = 50 * time.Millisecond
)

// setup is what differs between the worlds of scenarios.
type setup struct {
	// throttleOff lets the simulator take any number of calls: a thousand groups could
	// not be made in a useful time otherwise.
	throttleOff bool
	// unwatched: pods are watched only when those are there of which nothing is expected.
	unwatched bool
}

// world is an API server, a simulated load balancer, and at times a controller.
type world struct {
	options
	kube       client.WithWatch
	kubeconfig string
	sim        *env.Simulator
	elb        *elb.Client
	random     *rand.Rand
	// creations paces what makes target groups, within the account's bucket.
	creations *rate.Limiter
	ports     map[string]string
	addresses int
	groups    []*group

	// marked is how far mark has read the simulator's record.
	marked int64

	controller *controller
	watch      *podWatch
	closers    []func() error
}

// newWorld starts all but the controller.
func newWorld(ctx context.Context, o options, s setup) (_ *world, err error) {
	w := &world{options: o, random: rand.New(rand.NewPCG(o.seed, 0)), creations: rate.NewLimiter(2.5, 15)}
	if s.throttleOff {
		w.creations = rate.NewLimiter(rate.Inf, 1)
	}

	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()

	if err := w.startAPIServer(ctx); err != nil {
		return nil, err
	}

	if err := w.startSimulator(ctx, s); err != nil {
		return nil, err
	}

	if w.ports, err = freePorts("webhook-port", "health-port", "pprof-port"); err != nil {
		return nil, err
	}

	if err := installManifests(ctx, w.kube, o.root); err != nil {
		return nil, err
	}

	for _, name := range []string{system, apps} {
		if err := w.kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return nil, fmt.Errorf("make namespace: %w", err)
		}
	}

	if err := w.addNeighbours(ctx); err != nil {
		return nil, err
	}

	if s.unwatched {
		return w, nil
	}
	return w, w.watchPods(ctx)
}

// clusterName is what localcluster knows the API server by.
func clusterName() string { return "bench-" + strconv.Itoa(os.Getpid()) }

func (w *world) startAPIServer(ctx context.Context) error {
	name := clusterName()
	down := context.WithoutCancel(ctx) // it must end however the scenario does
	w.closers = append(w.closers, func() error {
		_, err := w.localcluster(down, "down", "--name", name)
		return err
	})
	if _, err := w.localcluster(ctx, "up", "--api-only", "--name", name, "--parent-pid", strconv.Itoa(os.Getpid())); err != nil {
		return err
	}

	path, err := w.localcluster(ctx, "kubeconfig", "--name", name)
	if err != nil {
		return err
	}

	w.kubeconfig = strings.TrimSpace(path)
	cfg, err := clientcmd.BuildConfigFromFlags("", w.kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}

	cfg.QPS = -1
	w.kube, err = newClient(cfg)
	return err
}

// localcluster runs the program and gives its standard output; the error holds the other.
func (w *world) localcluster(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(w.root, "bin", "localcluster"), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it cleans up after itself
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("localcluster %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

func (w *world) startSimulator(ctx context.Context, s setup) error {
	throttle := awssim.ThrottleCurrent
	if s.throttleOff {
		throttle = awssim.ThrottleOff
	}

	sim, err := env.StartSimulator(ctx, env.SimulatorOptions{
		Binary: filepath.Join(w.root, "bin", "awssim"), Listen: "127.0.0.1:0", DataAddress: "127.0.0.1",
		Region: region, RoutingDelay: -1, Log: io.Discard, Args: []string{"--throttle", throttle, "--target-groups", strconv.Itoa(wideGroups), "--no-data-path"},
	})
	if err != nil {
		return err
	}

	w.sim, w.elb = sim, sim.ELB()
	w.closers = append(w.closers, sim.Stop)
	return nil
}

// freePorts finds ports of loopback that nobody uses at the moment.
func freePorts(names ...string) (map[string]string, error) {
	ports := map[string]string{}
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		_, ports[name], _ = net.SplitHostPort(l.Addr().String())
	}
	return ports, nil
}

// start starts the controller under test.
func (w *world) start() error {
	values := map[string]string{
		"namespace": system, "region": region, "webhook-port": w.ports["webhook-port"], "health-port": w.ports["health-port"], "pprof-port": w.ports["pprof-port"],
		"kubeconfig": w.kubeconfig, "vpc": podVPC, "describe-rate": strconv.Itoa(describeRate), "describe-burst": strconv.Itoa(describeBurst),
	}

	environment := []string{
		"KUBECONFIG=" + w.kubeconfig, "AWS_ENDPOINT_URL=" + w.sim.Endpoint, "AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_ACCESS_KEY_ID=" + controllerKey, "AWS_SECRET_ACCESS_KEY=" + env.SecretAccessKey, "AWS_EC2_METADATA_DISABLED=true", "POD_NAMESPACE=" + system,
	}

	c, err := startController(w.options.controller, w.root, values, environment, w.logs)
	if err != nil {
		return err
	}

	w.controller = c
	return nil
}

// stopController ends the controller under test, if it runs.
func (w *world) stopController() error {
	c := w.controller
	w.controller = nil
	return c.stop()
}

// close ends all processes, last started first.
func (w *world) close() error {
	errs := []error{w.stopController()}
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i]())
	}
	w.closers = nil
	return errors.Join(errs...)
}

// eventually waits until done says yes.
func (w *world) eventually(ctx context.Context, what string, limit time.Duration, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %s", limit))
	defer cancel()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var gone <-chan struct{}
	if w.controller != nil {
		gone = w.controller.exited
	}

	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}

		select {
		case <-ticker.C:
		case <-gone:
			return fmt.Errorf("wait until %s: the controller ended: %w", what, w.controller.err)
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		}
	}
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// each calls do for every index below n, several at a time.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}
