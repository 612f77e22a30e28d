// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"io"
	"maps"
	"net"
	"os/exec"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/instance"
	"github.com/podgate/podgate/sim/awssim"
)

// The instances of the cluster's node and of another one, which is an object without a kubelet, and where the other one's
// node ports are.
const (
	instanceHere  = "i-0e2e000000000001"
	instanceThere = "i-0e2e000000000002"
	addressThere  = "127.0.9.2"
)

// nodes is an application behind the node ports of two nodes.
type nodes struct {
	*service
	here, there string
}

// withInstances are options with a simulator that knows the nodes' instances.
func withInstances() options {
	o := scaled()
	o.simulator = append(o.simulator, "--instance="+instanceHere+"="+node, "--instance="+instanceThere+"="+addressThere)
	return o
}

// providerID is what a cloud provider calls an instance.
func providerID(id string) string { return "aws:///" + region + "a/" + id }

// behindNodes makes the application's Service, its binding and a group of instances, and gives the cluster's node its
// instance. The pods take a few seconds to end, so that every kube-proxy can notice, and close the connections that are
// kept to them.
func (w *world) behindNodes(local bool) *nodes {
	w.t.Helper()
	app := quick()
	app.Nodes, app.Local, app.Tolerant = true, local, true
	app.Replicas, app.MaxSurge, app.MaxUnavailable = 3, "1", "0"
	app.PrestopSeconds, app.GracePeriodSeconds, app.Env = 3, 30, map[string]string{"LINGER": "3"}
	group := targetGroup()
	group.Instances = true

	n := &nodes{service: w.balance(app, group), here: w.realNode()}
	n.kubectl("patch", "node", n.here, "--patch", `{"spec":{"providerID":"`+providerID(instanceHere)+`"}}`)
	n.enter()
	n.there = n.pretendNode(providerID(instanceThere))
	return n
}

// ports returns the Service as the API server completed it.
func (n *nodes) ports() corev1.ServiceSpec {
	n.t.Helper()
	var svc corev1.Service
	n.must(n.cluster.Get(n.ctx, client.ObjectKey{Namespace: n.app.Namespace, Name: n.app.Name}, &svc))
	return svc.Spec
}

// relay makes the node ports of the other node: what reaches them goes to those of the cluster's node. It returns what
// takes them away.
func (n *nodes) relay() (end func()) {
	n.t.Helper()
	port := strconv.Itoa(int(n.ports().Ports[0].NodePort))
	bound, err := new(net.ListenConfig).Listen(n.ctx, "tcp", net.JoinHostPort(addressThere, port))
	n.must(err)
	ctx, cancel := context.WithCancel(n.ctx)
	end = func() {
		cancel()
		_ = bound.Close()
	}
	n.t.Cleanup(end)

	carry := func(from net.Conn) {
		to, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(node, port))
		if err != nil {
			_ = from.Close()
			return
		}
		stop := context.AfterFunc(ctx, func() {
			_ = from.Close()
			_ = to.Close()
		})
		defer stop()
		go func() {
			_, _ = io.Copy(to, from)
			_ = to.(*net.TCPConn).CloseWrite()
		}()
		_, _ = io.Copy(from, to)
		_ = from.Close()
		_ = to.Close()
	}
	go func() {
		for {
			from, err := bound.Accept()
			if err != nil {
				return
			}
			go carry(from)
		}
	}()
	return end
}

// waitNodes waits until the API shows these states of the instances, and requests go to those that are healthy.
func (n *nodes) waitNodes(want map[string]string) {
	n.t.Helper()
	routable := map[string]bool{}
	for id, state := range want {
		if state == "healthy" {
			routable[id] = true
		}
	}

	var states map[string]string
	defer func() {
		if n.t.Failed() {
			n.t.Logf("the targets are %v", states)
		}
	}()
	n.eventually("the nodes' targets", func(ctx context.Context) (bool, error) {
		var err error
		if states, err = n.states(ctx, awssim.ClockAPI); err != nil {
			return false, err
		}
		routed, err := n.routed(ctx)
		return maps.Equal(states, want) && maps.Equal(routed, routable), err
	})
}

// waitRolledOut waits until the Deployment is complete and no replaced pod is left.
func (n *nodes) waitRolledOut() {
	n.t.Helper()
	n.must(n.cluster.WaitDeployment(n.ctx, n.app.Namespace, n.app.Name))
	n.eventually("the last replaced pod to be gone", func(context.Context) (bool, error) { return len(n.alive()) == n.app.Replicas, nil })
}

// assertStayed asserts that the node of the cluster served from the moment that it did.
func (n *nodes) assertStayed() {
	n.t.Helper()
	transitions, err := n.transitions(n.ctx)
	n.must(err)
	for _, t := range transitions {
		if t.Target.ID == instanceHere && t.Clock == awssim.ClockAPI && t.From == "healthy" {
			n.t.Errorf("the cluster's node became %s (%s) at %s", t.To, t.Reason, t.Time.Format(clock))
		}
	}
	for _, p := range n.pods.Pods() {
		if p.Gates != 0 {
			n.t.Errorf("pod %s behind nodes has %d gates", p.Name, p.Gates)
		}
	}
}

// TestNodePorts updates an application behind node ports, takes one of two nodes away as people do, and drains the other
// one with kubectl. No request is lost.
func TestNodePorts(t *testing.T) {
	n := start(t, withInstances()).behindNodes(false)
	end := n.relay()
	n.apply()
	n.waitRolledOut()
	n.waitNodes(map[string]string{instanceHere: "healthy", instanceThere: "healthy"})

	n.must(n.cluster.Create(n.ctx, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: n.app.Namespace, Name: n.app.Name},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: new(intstr.FromInt32(1)),
			Selector:       &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": n.app.Name}},
		},
	}))
	t.Cleanup(func() { _ = exec.Command("kubectl", "uncordon", n.here).Run() })

	sum := n.underLoad(func() {
		n.app.Image = imageV2
		n.apply()
		n.waitRolledOut()

		// Nothing answers at a node that is gone.
		n.kubectl("label", "node", n.there, instance.LabelExclude+"=true")
		n.waitNodes(map[string]string{instanceHere: "healthy"})
		n.kubectl("drain", n.there, "--ignore-daemonsets", "--timeout=1m")
		n.kubectl("delete", "node", n.there)
		end()

		// A cordoned node forwards requests like any other.
		before := n.alive()
		n.kubectl("drain", n.here, "--pod-selector=app.kubernetes.io/name="+n.app.Name, "--ignore-daemonsets", "--timeout=2m")
		for _, p := range before {
			n.waitGone(p)
		}
		n.waitRolledOut()
	})

	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}
	n.assertStayed()
}

// TestNodePortsLocal updates an application that nodes forward to only where its pods run. The group checks the port at
// which kube-proxy says where they do, so that the node without pods gets no request, and leaves the group when it may.
func TestNodePortsLocal(t *testing.T) {
	n := start(t, withInstances()).behindNodes(true)
	health := strconv.Itoa(int(n.ports().HealthCheckNodePort))
	_, err := n.sim.ELB().ModifyTargetGroup(n.ctx, &elb.ModifyTargetGroupInput{TargetGroupArn: &n.lb.TargetGroupARN, HealthCheckPort: &health, HealthCheckPath: aws.String("/healthz")})
	n.must(err)

	n.apply()
	n.waitRolledOut()
	n.waitNodes(map[string]string{instanceHere: "healthy", instanceThere: "unhealthy"})

	sum := n.underLoad(func() {
		n.app.Image = imageV2
		n.apply()
		n.waitRolledOut()
		n.kubectl("annotate", "targetgroupbinding", n.app.Name, "--namespace="+n.app.Namespace, "podgate.dev/nodes=WithReadyPods")
		n.waitNodes(map[string]string{instanceHere: "healthy"})
	})

	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}
	n.assertStayed()
}
