// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podgate/podgate/test/env"
)

// Where things are: programs below the repository's root, which the tests run in, and
// the node's address, which pods reach as well.
const (
	simulatorBinary = "bin/awssim"
	clusterBinary   = "bin/localcluster"
	manifestFile    = "out/podgate.yaml"
	ingressManifest = "out/podgate-ingress.yaml"
	node            = "172.30.0.2"
	region          = "eu-west-1"
)

// podgate's own names in the manifest.
const (
	podgateNamespace  = "podgate-system"
	podgateDeployment = "podgate"
)

// testTimeout bounds a test; it is there for what hangs.
const testTimeout = 8 * time.Minute

// TestMain silences the Kubernetes client's own log; failures explain themselves.
func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	m.Run()
}

// world is a cluster with podgate in it, and the load balancers' side.
type world struct {
	t         *testing.T
	ctx       context.Context
	cluster   *env.Cluster
	clientset kubernetes.Interface
	sim       *env.Simulator
	// timeScale is how many times faster than the wall the load balancer's clocks run.
	timeScale float64
	// lattice switches on the webhook's entry for VPC Lattice.
	lattice bool
	// dualStack gives podgate's pods an IPv6 address as well.
	dualStack bool
	// ingress has podgate serve Ingresses.
	ingress bool
}

// in is the same world for a subtest.
func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.t = t
	return &sub
}

// options say what is not as it is by default.
type options struct {
	// timeScale is how many times faster than the wall the load balancer's clocks run.
	timeScale float64
	// profile of the load balancers; alb when empty.
	profile string
	// simulator are further flags of awssim.
	simulator []string
	// podgate are flags of podgate.
	podgate []string
	// timeout bounds the test; testTimeout when zero.
	timeout time.Duration
	// lattice switches on the webhook's entry for VPC Lattice.
	lattice bool
	// region that AWS is simulated in; region when empty.
	region string
	// dualStack gives podgate's pods an IPv6 address as well.
	dualStack bool
	// ingress has podgate serve Ingresses, behind load balancers with addresses and ports of their own.
	ingress bool
}

// scaled makes the load balancer's clocks run four times faster than the wall: a preStop
// of 10 s stands for 40 then, and the 17 s that requests still arrive are 4. Registration
// alone is no faster than it might be, 2 s by the wall, so that podgate, which reads a
// group once a second, sees each target before it is healthy, as with a real one.
func scaled() options {
	return options{timeScale: 4, simulator: []string{"--alb-registration-delay=8s"}}
}

// start starts a simulator and makes podgate what the manifest says, with o's flags.
func start(t *testing.T, o options) *world {
	t.Helper()
	w := simulate(t, o)
	w.dualStack = o.dualStack
	w.install(o.podgate)
	return w
}

// simulate starts a simulator, and leaves podgate as it is.
func simulate(t *testing.T, o options) *world {
	t.Helper()
	timeout := cmp.Or(o.timeout, testTimeout)
	ctx, cancel := context.WithTimeoutCause(t.Context(), timeout, fmt.Errorf("the test took longer than %s", timeout))
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, timeScale: max(o.timeScale, 1), lattice: o.lattice, ingress: o.ingress}

	var err error
	w.cluster, err = env.Connect("")
	w.must(err)
	w.clientset, err = kubernetes.NewForConfig(w.cluster.Config)
	w.must(err)
	data := node
	if o.ingress {
		data = "127.0.0.1"
	}
	w.sim, err = env.StartSimulator(ctx, env.SimulatorOptions{
		Binary: simulatorBinary, Listen: node + ":4566", DataAddress: data, OwnPorts: o.ingress, Region: cmp.Or(o.region, region), Profile: cmp.Or(o.profile, "alb"),
		RoutingDelay: -1, TimeScale: o.timeScale, Args: o.simulator,
	})

	w.must(err)
	t.Cleanup(func() {
		if err := w.sim.Stop(); err != nil {
			t.Error(err)
		}
	})

	t.Cleanup(w.explainFailure)
	return w
}

// install applies podgate's manifest; flags of an earlier test are gone after that.
func (w *world) install(flags []string) {
	w.t.Helper()
	file := manifestFile
	if w.ingress {
		file = ingressManifest
	}
	m, err := env.ReadManifest(file)
	w.must(err)
	w.must(m.SetEnv(w.environment()))
	w.must(m.AddArgs(flags))
	if w.dualStack {
		w.makeDualStack(m)
	}
	w.must(env.InstallController(w.ctx, w.cluster, m))
	w.waitPodgateAlone()
}

// environment is podgate's: how it calls the simulator for AWS, and the webhook's switch.
func (w *world) environment() map[string]string {
	all := map[string]string{
		"AWS_ENDPOINT_URL":          w.sim.Endpoint,
		"AWS_REGION":                w.sim.Region,
		"AWS_ACCESS_KEY_ID":         env.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":     env.SecretAccessKey,
		"AWS_EC2_METADATA_DISABLED": "true",
	}
	if w.lattice {
		all["WEBHOOK_ENABLED"] = "true"
	}
	return all
}

// waitPodgateAlone waits until podgate's Deployment is complete and no pod of an older
// revision is left, not even a terminating one.
func (w *world) waitPodgateAlone() {
	w.t.Helper()
	w.eventually("podgate's replicas to be the only ones", func(ctx context.Context) (bool, error) {
		var d appsv1.Deployment
		if err := w.cluster.Get(ctx, client.ObjectKey{Namespace: podgateNamespace, Name: podgateDeployment}, &d); err != nil {
			return false, err
		}
		pods, err := w.podgatePods(ctx)
		return env.Complete(&d) && len(pods) == int(*d.Spec.Replicas), err
	})
}

// podgatePods are podgate's pods, terminating ones included.
func (w *world) podgatePods(ctx context.Context) ([]corev1.Pod, error) {
	var pods corev1.PodList
	if err := w.cluster.List(ctx, &pods, client.InNamespace(podgateNamespace), client.MatchingLabels{"app": "podgate"}); err != nil {
		return nil, fmt.Errorf("list podgate's pods: %w", err)
	}
	return pods.Items, nil
}

// must ends the test at an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// lookInterval is how often a state that is waited for is looked at.
const lookInterval = 100 * time.Millisecond

// eventually waits until check says yes, and ends the test at an error.
func (w *world) eventually(what string, check func(context.Context) (bool, error)) {
	w.t.Helper()
	if err := wait.PollUntilContextCancel(w.ctx, lookInterval, true, check); err != nil {
		if cause := context.Cause(w.ctx); cause != nil {
			err = cause
		}
		w.t.Fatalf("wait for %s: %v", what, err)
	}
}
