// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
)

// kubectl runs it as a person does.
func (w *world) kubectl(args ...string) {
	w.t.Helper()
	_ = w.kubectlSays(args...)
}

// realNode is the name of the cluster's only node.
func (w *world) realNode() string {
	w.t.Helper()
	var nodes corev1.NodeList
	w.must(w.cluster.List(w.ctx, &nodes))
	if len(nodes.Items) != 1 {
		w.t.Fatalf("%d nodes, want one", len(nodes.Items))
	}
	return nodes.Items[0].Name
}

// TestNodeDrained drains the node with kubectl, as far as it is the application's. Its pods
// tolerate the cordon, so that they can come back on the only node.
func TestNodeDrained(t *testing.T) {
	w := start(t, scaled())
	app := drained(hookALB)
	app.Tolerant = true
	s := w.drains(app, drainedGroup(), hookALB)
	s.must(s.cluster.Create(s.ctx, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: s.app.Name},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: new(intstr.FromInt32(1)),
			Selector:       &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": s.app.Name}},
		},
	}))

	node, before := s.realNode(), s.alive()
	t.Cleanup(func() { _ = exec.Command("kubectl", "uncordon", node).Run() })
	s.assertDrainLosesNone(func() {
		// It ends when no pod is left that was there when it began.
		s.kubectl("drain", node, "--pod-selector=app.kubernetes.io/name="+s.app.Name, "--ignore-daemonsets", "--timeout=4m")
		s.waitComplete()
	})

	for _, p := range before {
		s.waitGone(p)
	}

	s.assertDrained(hookALB)
}

// TestNodeTaint taints the node as Karpenter does and takes the taint back, and then taints
// it again and removes its pods. Those on another node serve meanwhile; that one is an
// object only, and its pods answer through others that run.
func TestNodeTaint(t *testing.T) {
	w := start(t, scaled())
	app := drained(hookALB)
	app.Replicas = 2
	app.Annotations[v1alpha1.DrainAtAnnotation] = "Taint"
	s := w.drains(app, drainedGroup(), hookALB)
	real, mine := s.realNode(), s.alive()
	s.elsewhere(2)
	taint := "karpenter.sh/disrupted:NoSchedule"
	t.Cleanup(func() { _ = exec.Command("kubectl", "taint", "nodes", real, taint+"-").Run() })
	s.assertDrainLosesNone(func() {
		s.kubectl("taint", "nodes", real, taint)
		s.waitStates(mine, "draining")
		s.waitUnrouted(mine)
		s.kubectl("taint", "nodes", real, taint+"-")
		s.waitStates(mine, "healthy")
		s.kubectl("taint", "nodes", real, taint)
		s.waitStates(mine, "draining")
		s.waitStates(mine, "")

		// They are drained, so that they may end at once.
		for _, p := range mine {
			s.must(s.cluster.Delete(s.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: p.Name}}, client.GracePeriodSeconds(1)))
		}

		for _, p := range mine {
			s.waitGone(p)
		}

		s.kubectl("taint", "nodes", real, taint+"-")
		s.eventually("pods in their place to serve", func(ctx context.Context) (bool, error) {
			routed, err := s.routed(ctx)
			return len(routed) == 4, err
		})
	})

	s.assertOpenStayedOpen()
}

// elsewhere makes pods on another node that serve: each has the address of a pod that runs.
func (s *service) elsewhere(n int) {
	s.t.Helper()
	node := s.pretendNode("")
	behind := env.App{Namespace: s.app.Namespace + "-behind", Name: "behind", Image: imageV1, Replicas: n, MaxSurge: "1", MaxUnavailable: "0"}
	s.must(behind.ApplyWiring(s.ctx, s.cluster))
	s.t.Cleanup(func() {
		if err := behind.Delete(context.WithoutCancel(s.ctx), s.cluster); err != nil {
			s.t.Errorf("clean up: %v", err)
		}
	})

	s.must(behind.ApplyDeployment(s.ctx, s.cluster))
	s.must(s.cluster.WaitDeployment(s.ctx, behind.Namespace, behind.Name))
	var running corev1.PodList
	s.must(s.cluster.List(s.ctx, &running, client.InNamespace(behind.Namespace)))

	for i, p := range running.Items {
		s.pretendPod(fmt.Sprintf("elsewhere-%d", i), node, p.Status.PodIP)
	}

	s.eventually("the pods elsewhere to serve", func(ctx context.Context) (bool, error) {
		routed, err := s.routed(ctx)
		return len(routed) == s.app.Replicas+n, err
	})
}

// pretendNode makes a node without a kubelet, whose lease is renewed as long as the test runs.
func (s *service) pretendNode(providerID string) string {
	s.t.Helper()
	name := s.app.Namespace
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{Unschedulable: true, ProviderID: providerID}}
	s.must(s.cluster.Create(s.ctx, node))
	s.t.Cleanup(func() { _ = s.cluster.Delete(context.WithoutCancel(s.ctx), node) })
	s.status(node, `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady"}]}}`)
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-node-lease", Name: name}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &name}}
	s.must(s.cluster.Create(s.ctx, lease))
	s.t.Cleanup(func() { _ = s.cluster.Delete(context.WithoutCancel(s.ctx), lease) })
	go func() {
		for tick := time.NewTicker(5 * time.Second); s.ctx.Err() == nil; {
			renewed := fmt.Appendf(nil, `{"spec":{"renewTime":%q}}`, time.Now().UTC().Format(metav1.RFC3339Micro))
			_ = s.cluster.Patch(s.ctx, &coordinationv1.Lease{ObjectMeta: lease.ObjectMeta}, client.RawPatch(types.MergePatchType, renewed))
			select {
			case <-tick.C:
			case <-s.ctx.Done():
			}
		}
	}()

	return name
}

// pretendPod makes a pod of the service at an address where something answers, and plays
// its kubelet.
func (s *service) pretendPod(name, node, address string) {
	s.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: name, Labels: map[string]string{"app.kubernetes.io/name": s.app.Name}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{
			Name: "app", Image: s.app.Image, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		}}},
	}

	s.must(s.cluster.Create(s.ctx, pod))
	s.t.Cleanup(func() { _ = s.cluster.Delete(context.WithoutCancel(s.ctx), pod, client.GracePeriodSeconds(0)) })
	s.status(pod, fmt.Sprintf(`{"status":{"phase":"Running","podIP":%[1]q,"podIPs":[{"ip":%[1]q}],"conditions":[{"type":"ContainersReady","status":"True","lastTransitionTime":%[2]q}]}}`,
		address, time.Now().UTC().Format(time.RFC3339)))
	s.eventually("its gate to open", func(ctx context.Context) (bool, error) {
		err := s.cluster.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return err == nil && !closed(*pod), err
	})

	s.status(pod, `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`)
}

func (s *service) status(o client.Object, patch string) {
	s.t.Helper()
	s.must(s.cluster.Status().Patch(s.ctx, o, client.RawPatch(types.StrategicMergePatchType, []byte(patch))))
}

// waitStates waits until the targets of pods are in a state; an empty one is gone.
func (s *service) waitStates(pods []env.PodHistory, state string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("the targets to be %q", state), func(ctx context.Context) (bool, error) {
		states, err := s.states(ctx, awssim.ClockAPI)
		for _, p := range pods {
			if states[p.Address] != state {
				return false, err
			}
		}
		return true, err
	})
}

// waitUnrouted waits until no request is sent to pods any more.
func (s *service) waitUnrouted(pods []env.PodHistory) {
	s.t.Helper()
	s.eventually("nobody to send to them", func(ctx context.Context) (bool, error) {
		routed, err := s.routed(ctx)
		for _, p := range pods {
			if routed[p.Address] {
				return false, err
			}
		}
		return true, err
	})
}
