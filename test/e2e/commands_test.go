// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
)

// podgateBinary is the command, which asks the cluster that the tests are in.
const podgateBinary = "bin/podgate"

// complaint is something that users of such controllers complain about, brought about in the
// cluster, and what explain says of a pod then.
type complaint struct {
	name   string
	change func(*env.App, *env.TargetGroupOptions)
	// cause brings it about, after the namespace is wired, and gives the pod.
	cause func(*service) string
	says  []string
}

// complaints are the most frequent ones. Not among them is that the pods of a lost node
// linger: it has nothing to do with gates.
func complaints() []complaint {
	return []complaint{
		{
			name: "ShortHook", cause: (*service).anyPod,
			change: func(a *env.App, _ *env.TargetGroupOptions) { a.PrestopSeconds, a.GracePeriodSeconds = 5, 10 },
			says:   []string{"sleeps 5 s, which is 50 s too short", "terminationGracePeriodSeconds is 10, which is 45 s too short", "sleep 55 s, and set terminationGracePeriodSeconds to at least 55"},
		},
		{
			name: "SlowGate", cause: func(s *service) string { return s.scripted("initial", "Elb.InitialHealthChecking") },
			says: []string{"is not Ready: its containers are ready, and a gate is closed", "False, Elb.InitialHealthChecking, for ", "It has waited for ", "wait: the first health checks are under way"},
		},
		{
			name: "Unavailable", cause: func(s *service) string { return s.failing("InternalFailure", 500) },
			says: []string{"Ready False, LoadBalancerUnavailable", "wait; the message says what fails (the binding says LoadBalancerUnavailable)"},
		},
		{
			name: "BindingLater", cause: (*service).boundLater,
			says: []string{"GATE MISSING target-health.elbv2.k8s.aws/late: BindingCreatedLater", "restart the pods"},
		},
		{
			name: "BindingRenamed", cause: (*service).renamed,
			says: []string{"target-health.elbv2.k8s.aws/renamed: False, NoBinding", `there is no TargetGroupBinding "renamed" in the namespace`, "else the gate is released by itself"},
		},
		{
			name: "Quota", change: func(a *env.App, _ *env.TargetGroupOptions) { a.Replicas = 3 }, cause: (*service).unregistered,
			says: []string{"Ready False, TooManyTargets", "raise the quota of targets per group"},
		},
		{
			name: "PortVanished", cause: (*service).loseServicePort,
			says: []string{"Ready False, PortNotFound", "TargetsHeld True, HeldWhileAbsent"},
		},
		{
			name: "Throttled", cause: func(s *service) string { return s.failing("Throttling", 400) },
			says: []string{"Ready False, Throttled", "find who else uses the account's API budget"},
		},
		{
			name: "RegistrationLost", cause: (*service).loseRegistrations,
			says: []string{"False, Target.NotRegistered", "look at the binding: registration is under way, or fails"},
		},
		{
			name: "OneBadBinding", cause: (*service).besideABadOne,
			says: []string{"target-health.elbv2.k8s.aws/bad: Unknown, BindingNotReady", "Ready False, TargetGroupNotFound", "create the target group"},
		},
		{
			name: "NLBTakesMinutes", change: func(_ *env.App, g *env.TargetGroupOptions) { g.NLB = true },
			cause: func(s *service) string { return s.scripted("initial", "Elb.RegistrationInProgress") },
			says:  []string{"False, Elb.RegistrationInProgress", "perhaps minutes for an NLB"},
		},
		{
			name: "NotInUse", cause: (*service).unusedGroup,
			says: []string{"False, Target.NotInUse", "attach the group to a load balancer", "podgate.dev/on-unused: Open"},
		},
	}
}

// TestExplain brings about what users complain about, and asks podgate explain for the
// cause. Whatever it asks about lasts until it has been told. Time is scaled, and the quota
// is two targets.
func TestExplain(t *testing.T) {
	o := scaled()
	o.simulator = append(o.simulator, "--targets-per-group=2")
	o.podgate = []string{"--absence-grace=10m", "--orphan-grace=20m"}
	w := start(t, o)
	t.Run("Complaints", func(t *testing.T) {
		for _, c := range complaints() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s := w.in(t).wireOne(c.change)
				s.explains(c.cause(s), c.says...)
			})
		}

		t.Run("Status", func(t *testing.T) {
			t.Parallel()
			s := w.in(t).wireOne(nil)
			pod := s.scripted("unhealthy", "Target.Timeout")
			s.tells([]string{"status", "-n", s.app.Namespace}, pod, "Target.Timeout", "0/1", "leader ", "2 replicas answer the webhook")
		})

		t.Run("Override", func(t *testing.T) {
			t.Parallel()
			w.in(t).wireOne(nil).overrides()
		})
	})

	t.Run("WebhookAway", func(t *testing.T) {
		s := w.in(t).wireOne(nil)
		s.scalePodgate(0)
		s.apply()
		pod := s.onlyPod()
		s.tells([]string{"preflight", "-n", s.app.Namespace}, "PodgateNotWorking", "no replica answers the webhook", "pods that are created now get no gate")
		s.scalePodgate(2)
		s.explains(pod, "GATE MISSING target-health.elbv2.k8s.aws/web: NotInjected", "podgate's webhook did not answer when the pod was created")
		s.tells([]string{"status", "-n", s.app.Namespace}, pod, "NotInjected")
		s.tells([]string{"wait", "-n", s.app.Namespace, "deploy/web"}, "has no readiness gate")
	})
}

// wireOne wires an application of one pod.
func (w *world) wireOne(change func(*env.App, *env.TargetGroupOptions)) *service {
	w.t.Helper()
	a, g := quick(), targetGroup()
	a.Replicas = 1
	if change != nil {
		change(&a, &g)
	}
	return w.wire(a, g)
}

// commandTimeout bounds one run of a command that asks the cluster and does not wait for it.
const commandTimeout = 30 * time.Second

// podgate gives a command and what it said, whatever its exit code.
func (w *world) podgate(ctx context.Context, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, podgateBinary, args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s(%v)", out, err)
	}
	return string(out)
}

// explains waits until explain says all of it about a pod.
func (s *service) explains(pod string, says ...string) {
	s.t.Helper()
	s.tells([]string{"explain", "-n", s.app.Namespace, pod}, says...)
}

// tells waits until a command says all of it.
func (w *world) tells(args []string, says ...string) {
	w.t.Helper()
	out := ""
	defer func() {
		if w.t.Failed() {
			w.t.Logf("podgate %s says\n%s\nwant %q", strings.Join(args, " "), out, says)
		}
	}()

	w.eventually("podgate "+args[0]+" to tell it", func(ctx context.Context) (bool, error) {
		out = w.podgate(ctx, args...)
		for _, each := range says {
			if !strings.Contains(out, each) {
				return false, nil
			}
		}
		return true, nil
	})
}

// onlyPod waits for the first pod whose containers are ready.
func (s *service) onlyPod() (pod string) {
	s.t.Helper()
	s.eventually("a pod whose containers are ready", func(context.Context) (bool, error) {
		for _, p := range s.alive() {
			if !p.ContainersReady.IsZero() {
				pod = p.Name
			}
		}
		return pod != "", nil
	})
	return pod
}

// begun creates the application's pods.
func (s *service) begun() string {
	s.t.Helper()
	s.apply()
	return s.onlyPod()
}

// anyPod deploys the application and waits until it serves.
func (s *service) anyPod() string {
	s.t.Helper()
	s.apply()
	s.waitComplete()
	return s.alive()[0].Name
}

// scripted has the load balancer say a state of every target.
func (s *service) scripted(state, reason string) string {
	s.t.Helper()
	s.must(s.sim.SetHealth(s.ctx, s.lb.TargetGroupARN, nil, awssim.Script{State: state, Reason: reason}))
	return s.begun()
}

// failing has every call about the group fail.
func (s *service) failing(code string, status int) string {
	s.t.Helper()
	s.waitReason("Synced")
	id, err := s.sim.AddFault(s.ctx, awssim.Fault{TargetGroupARN: s.lb.TargetGroupARN, Error: &awssim.APIError{Code: code, Status: status, Message: "as the test wants it"}})
	s.must(err)
	s.t.Cleanup(func() {
		if err := s.sim.RemoveFaults(context.WithoutCancel(s.ctx), id); err != nil {
			s.t.Error(err)
		}
	})
	return s.begun()
}

// bind binds the application's Service to another group.
func (s *service) bind(name, arn string) {
	s.t.Helper()
	b := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"targetGroupARN": arn, "targetType": "ip", "serviceRef": map[string]any{"name": s.app.Name, "port": int64(80)},
	}}}
	b.SetAPIVersion(elbv2.GroupVersion.String())
	b.SetKind("TargetGroupBinding")
	b.SetNamespace(s.app.Namespace)
	b.SetName(name)
	s.must(s.cluster.Create(s.ctx, b))
}

// boundLater binds the Service of a pod that runs to a second group.
func (s *service) boundLater() string {
	s.t.Helper()
	pod := s.anyPod()
	o := s.group
	o.Name = "explain-late"
	lb, err := s.sim.CreateLoadBalancer(s.ctx, o)
	s.must(err)
	s.bind("late", lb.TargetGroupARN)
	return pod
}

// renamed creates a pod with the gate of a binding that has another name now.
func (s *service) renamed() string {
	s.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "renamed"},
		Spec: corev1.PodSpec{
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/renamed"}},
			Containers:     []corev1.Container{{Name: "app", Image: imageV1}},
		},
	}
	s.must(s.cluster.Create(s.ctx, pod))
	return pod.Name
}

// unregistered creates more pods than the group takes, and gives one that it did not.
func (s *service) unregistered() (pod string) {
	s.t.Helper()
	s.apply()
	s.waitReason("TooManyTargets")
	s.eventually("a pod that finds no room", func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		if err := s.cluster.List(ctx, &pods, client.InNamespace(s.app.Namespace)); err != nil {
			return false, err
		}
		for i := range pods.Items {
			for _, c := range pods.Items[i].Status.Conditions {
				if c.Reason == "Target.NotRegistered" {
					pod = pods.Items[i].Name
				}
			}
		}
		return pod != "", nil
	})

	return pod
}

// loseServicePort takes the port away that the binding names.
func (s *service) loseServicePort() string {
	s.t.Helper()
	pod := s.anyPod()
	var svc corev1.Service
	s.must(s.cluster.Get(s.ctx, client.ObjectKey{Namespace: s.app.Namespace, Name: s.app.Name}, &svc))
	svc.Spec.Ports[0].Port = 81
	s.must(s.cluster.Update(s.ctx, &svc))
	return pod
}

// loseRegistrations has the load balancer accept registrations and forget them.
func (s *service) loseRegistrations() string {
	s.t.Helper()
	s.fault(awssim.Fault{Operation: "RegisterTargets", Lose: true})
	return s.begun()
}

// besideABadOne binds the Service to a group that does not exist as well.
func (s *service) besideABadOne() string {
	s.t.Helper()
	arn, _, _ := strings.Cut(s.lb.TargetGroupARN, ":targetgroup/")
	s.bind("bad", arn+":targetgroup/bad/0123456789abcdef")
	inRow := 0
	s.eventually("new pods to get its gate, too, of each replica", func(ctx context.Context) (bool, error) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "trial", Labels: map[string]string{"app.kubernetes.io/name": s.app.Name}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: imageV1}}},
		}
		err := s.cluster.Create(ctx, pod, client.DryRunAll)
		if inRow++; len(pod.Spec.ReadinessGates) != 2 {
			inRow = 0
		}
		return inRow == 12, err
	})
	return s.begun()
}

// unusedGroup takes away the listener that forwards to the group.
func (s *service) unusedGroup() string {
	s.t.Helper()
	elb := s.sim.ELB()
	listeners, err := elb.DescribeListeners(s.ctx, &elasticloadbalancingv2.DescribeListenersInput{LoadBalancerArn: &s.lb.ARN})
	s.must(err)
	for _, l := range listeners.Listeners {
		_, err := elb.DeleteListener(s.ctx, &elasticloadbalancingv2.DeleteListenerInput{ListenerArn: l.ListenerArn})
		s.must(err)
	}
	return s.begun()
}

// overrides opens a gate by hand that the load balancer keeps closed, and waits until
// podgate closes it again.
func (s *service) overrides() {
	s.t.Helper()
	pod, gate := s.scripted("unhealthy", "Target.Timeout"), elbv2.GateType(s.app.Name)
	s.explains(pod, "False, Target.Timeout")
	in := []string{"-n", s.app.Namespace}
	set := func(span string) {
		s.tells(append([]string{"gate", "set", pod, gate, "true", "--reason", "the check is wrong", "--for", span}, in...), "podgate writes it")
	}
	set("1h")
	s.tells(append([]string{"wait", "deploy/" + s.app.Name}, in...), "open: the gates of 1 pod")
	s.explains(pod, "is Ready", "True, Overridden", "Set to True by hand until", "the check is wrong")
	set("2s")
	s.explains(pod, "is not Ready", "False, Target.Timeout")
}
