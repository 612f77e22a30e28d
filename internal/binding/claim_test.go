// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index/indextest"
)

// web is a Service, and a binding of its port 80.
func web() (*corev1.Service, *elbv2.TargetGroupBinding) {
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "web"}
	svc := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
	b := &elbv2.TargetGroupBinding{ObjectMeta: meta}
	b.Spec.ServiceRef = elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
	return svc, b
}

// TestClaim: how a binding stands to a pod follows from the Service, the pod and what is known of
// the group; what is missing is said for people.
func TestClaim(t *testing.T) {
	known := binding.Resolution{Group: balancer.Group{Ref: balancer.Ref{Group: "arn:web"}, TargetType: "ip"}}
	type scene struct {
		pod *corev1.Pod
		b   *elbv2.TargetGroupBinding
		res *binding.Resolution
	}

	cases := map[string]struct {
		reason  string
		change  func(scene)
		want    gate.Claim
		trouble string
	}{
		"Claimed":   {reason: "Everything is known.", change: func(scene) {}, want: gate.Claimed},
		"Deleting":  {reason: "The binding lets go of its pods.", change: func(s scene) { s.b.DeletionTimestamp = new(metav1.Now()) }, want: gate.Releasing},
		"NoService": {reason: "Nothing selects the pod.", change: func(s scene) { s.b.Spec.ServiceRef.Name = "api" }, want: gate.Unclaimed},
		"OtherPod":  {reason: "The Service is of other pods.", change: func(s scene) { s.pod.Labels = nil }, want: gate.Unclaimed},
		"Instances": {reason: "Nodes are the targets, whether the group was found or not.", change: func(s scene) { s.res.Group = balancer.Group{TargetType: "instance"} }, want: gate.NotIP},
		"Migration": {reason: "A Job's pod that listens on nothing is no target.", change: func(s scene) { s.pod.OwnerReferences = jobs }, want: gate.NotTarget},
		"OtherPort": {reason: "Nor is one that listens on another port.", change: func(s scene) {
			s.pod.OwnerReferences, s.pod.Spec.Containers = jobs, []corev1.Container{{Ports: []corev1.ContainerPort{{ContainerPort: 9090}}}}
		}, want: gate.NotTarget},
		"Unresolved": {reason: "Why the group is not known says more than anything else.", change: func(s scene) { *s.res = binding.Resolution{Trouble: "Denied."} }, want: gate.Unresolved, trouble: "Denied."},
		"NoPort":     {reason: "The Service lacks the port.", change: func(s scene) { s.b.Spec.ServiceRef.Port = intstr.FromInt32(81) }, want: gate.Unresolved, trouble: `Service "web" has no port "81": it has 80. Correct spec.serviceRef.port.`},
		"NoAddress":  {reason: "The pod has no address yet.", change: func(s scene) { s.pod.Status.PodIPs = nil }, want: gate.Unresolved, trouble: "The pod has no target: the pod has no ipv4 address."},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			svc, b := web()
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0", Labels: map[string]string{"app": "web"}}}
			pod.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.7"}}
			res := known
			tc.change(scene{pod, b, &res})

			cache, err := indextest.New(t.Context(), svc, b)
			if err != nil {
				t.Fatal(err)
			}
			got, err := binding.Of(b).Claim(t.Context(), cache, pod, res)
			if err != nil || got.Kind != tc.want || got.Trouble != tc.trouble {
				t.Fatalf("%s\nwant claim %d, %q, got %+v, %v", tc.reason, tc.want, tc.trouble, got, err)
			}

			target := gate.Target{Addr: netip.MustParseAddr("10.0.0.7"), Port: 8080}
			if claimed := got.Target == target && got.Service != nil && got.Group == res.Group; claimed != (tc.want == gate.Claimed) {
				t.Errorf("%s\ngot target %s in %q", tc.reason, got.Target, got.Group.Ref.Group)
			}
		})
	}
}

// jobs are the owner of a Job's pod.
var jobs = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "migrate", Controller: new(true)}}

// unread is a cache that answers nothing.
type unread struct{ client.Reader }

var errUnread = errors.New("no answer")

// Get implements client.Reader.
func (unread) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errUnread
}

// TestLaw8UnreadServiceIsNotMissing: a Service that cannot be read claims as before.
func TestLaw8UnreadServiceIsNotMissing(t *testing.T) {
	_, b := web()
	if got, err := binding.Of(b).Claim(t.Context(), unread{}, &corev1.Pod{}, binding.Resolution{}); !errors.Is(err, errUnread) {
		t.Errorf("want the error, got %+v, %v", got, err)
	}
}

// TestOfJob: whether a pod ends by itself is its controller's kind, of Kubernetes' group or Volcano's.
func TestOfJob(t *testing.T) {
	for what, tc := range map[string]struct {
		apiVersion, kind string
		controller       bool
		job              bool
	}{
		"Kubernetes' Job": {"batch/v1", "Job", true, true},
		"Volcano's Job":   {"batch.volcano.sh/v1alpha1", "Job", true, true},
		"other Job":       {"example.com/v1", "Job", true, false},
		"other of batch":  {"batch/v1", "CronJob", true, false},
		"ReplicaSet":      {"apps/v1", "ReplicaSet", true, false},
		"Job that made it and does not control it": {"batch/v1", "Job", false, false},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", OwnerReferences: []metav1.OwnerReference{
			{APIVersion: tc.apiVersion, Kind: tc.kind, Name: "a", UID: "1", Controller: &tc.controller},
		}}}
		if got := binding.OfJob(pod); got != tc.job {
			t.Errorf("%s: of a Job %t", what, got)
		}

		owner := binding.Owner(pod)
		if want := (corev1.ObjectReference{APIVersion: tc.apiVersion, Kind: tc.kind, Namespace: "shop", Name: "a", UID: "1"}); tc.controller && (owner == nil || *owner != want) || !tc.controller && owner != nil {
			t.Errorf("%s: owner %+v", what, owner)
		}
	}

	if binding.OfJob(&corev1.Pod{}) || binding.Owner(&corev1.Pod{}) != nil {
		t.Error("a pod that nothing manages has an owner")
	}
}

// TestStatic: a pod that its node owns mirrors one that a kubelet runs from a file.
func TestStatic(t *testing.T) {
	for what, want := range map[[2]string]bool{{"v1", "Node"}: true, {"example.com/v1", "Node"}: false, {"v1", "ReplicationController"}: false} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{APIVersion: what[0], Kind: what[1], Name: "a", Controller: new(true)}}}}
		if got := binding.Static(pod); got != want {
			t.Errorf("of a %s of %s: static %t", what[1], what[0], got)
		}
	}
	if binding.Static(&corev1.Pod{}) {
		t.Error("a pod without an owner is called static")
	}
}

// TestOwnershipServes: what AWS Load Balancer Controller may serve is served as the flag says, and
// podgate's own kind always.
func TestOwnershipServes(t *testing.T) {
	annotated := func(value string) *binding.Binding {
		_, b := web()
		b.Annotations = map[string]string{v1alpha1.ManageAnnotation: value}
		return binding.Of(b)
	}
	own := binding.OfOwn(&v1alpha1.TargetBinding{})

	for o, want := range map[binding.Ownership][3]bool{
		binding.OwnAll: {true, true, true}, binding.OwnAnnotated: {true, false, true}, binding.OwnNone: {false, false, true}, "": {false, false, true},
	} {
		if got := [3]bool{o.Serves(annotated("true")), o.Serves(annotated("false")), o.Serves(own)}; got != want {
			t.Errorf("%q serves an annotated one, another, and podgate's own: want %t, got %t", o, want, got)
		}
	}
}

// TestOpenGates: of the pods that a Service selects and whose containers are ready, which have
// their gate open, and no other one closed.
func TestOpenGates(t *testing.T) {
	const gateType = "target-health.elbv2.k8s.aws/web"
	pod := func(name string, ready, open corev1.ConditionStatus, change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": "web"}},
			Spec:       corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: gateType}}},
			Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.ContainersReady, Status: ready}, {Type: gateType, Status: open}}},
		}
		if change != nil {
			change(p)
		}
		return p
	}

	// also gives a pod another gate, which is open, closed, or without a condition.
	also := func(status corev1.ConditionStatus) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.ReadinessGates = append(p.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: "checks.podgate.dev/warm"})
			if status != "" {
				p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: "checks.podgate.dev/warm", Status: status})
			}
		}
	}

	svc, _ := web()
	cache, err := indextest.New(t.Context(), svc,
		pod("open", corev1.ConditionTrue, corev1.ConditionTrue, nil), pod("closed", corev1.ConditionTrue, corev1.ConditionFalse, nil),
		pod("starting", corev1.ConditionFalse, corev1.ConditionTrue, nil),
		pod("other", corev1.ConditionTrue, corev1.ConditionTrue, func(p *corev1.Pod) { p.Labels = map[string]string{"app": "api"} }),
		pod("going", corev1.ConditionTrue, corev1.ConditionTrue, func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.Now()) }),
		pod("held", corev1.ConditionTrue, corev1.ConditionTrue, also(corev1.ConditionFalse)),
		pod("free", corev1.ConditionTrue, corev1.ConditionTrue, also(corev1.ConditionTrue)),
		pod("new", corev1.ConditionTrue, corev1.ConditionTrue, also("")),
		pod("over", corev1.ConditionTrue, corev1.ConditionTrue, func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
	)
	if err != nil {
		t.Fatal(err)
	}

	got, err := binding.OpenGates(t.Context(), cache, "shop", gateType, svc)
	if err != nil {
		t.Fatal(err)
	}
	want := map[types.NamespacedName]bool{}
	for name, open := range map[string]bool{"open": true, "closed": false, "held": false, "free": true, "new": false} {
		want[types.NamespacedName{Namespace: "shop", Name: name}] = open
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHas: a target at a pod's address is taken to be the pod's while it runs; on its node's network
// only at a port that it declares, though at others it may be.
func TestHas(t *testing.T) {
	ports := func(numbers ...int32) []corev1.Container {
		var c corev1.Container
		for _, n := range numbers {
			c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: n})
		}
		return []corev1.Container{c}
	}

	for what, tc := range map[string]struct {
		host         bool
		containers   []corev1.Container
		phase        corev1.PodPhase
		has, mayHave bool
	}{
		"at its own address":                    {containers: ports(9090), has: true, mayHave: true},
		"that has ended":                        {containers: ports(8080), phase: corev1.PodFailed, mayHave: true},
		"on the node, declaring it":             {host: true, containers: ports(8080), has: true, mayHave: true},
		"on the node, declaring others too":     {host: true, containers: ports(9090, 8080, 9091), has: true, mayHave: true},
		"on the node, declaring others":         {host: true, containers: ports(9090)},
		"on the node, declaring nothing":        {host: true, containers: ports(), mayHave: true},
		"on the node that has ended":            {host: true, containers: ports(8080), phase: corev1.PodSucceeded, mayHave: true},
		"at its own address, declaring nothing": {has: true, mayHave: true},
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{HostNetwork: tc.host, Containers: tc.containers}, Status: corev1.PodStatus{Phase: tc.phase}}
		if has, mayHave := binding.Has(pod, 8080), binding.MayHave(pod, 8080); has != tc.has || mayHave != tc.mayHave {
			t.Errorf("a pod %s: want has %t and may have %t, got %t and %t", what, tc.has, tc.mayHave, has, mayHave)
		}
	}
}

// TestNameTooLong: a condition type's name has at most 63 characters.
func TestNameTooLong(t *testing.T) {
	for length, want := range map[int]bool{63: false, 64: true} {
		b := binding.Of(&elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("a", length)}})
		if b.NameTooLong() != want {
			t.Errorf("%d characters are too many: want %t", length, want)
		}
	}
}

// TestStatesPolicy: annotations that state a policy, on the kind of object where they do.
func TestStatesPolicy(t *testing.T) {
	for annotation, want := range map[string][2]bool{
		v1alpha1.ModeAnnotation: {true, false}, v1alpha1.DrainTimeAnnotation: {true, true}, v1alpha1.ManageAnnotation: {false, false}, "example.com/mode": {false, false},
	} {
		meta := metav1.ObjectMeta{Annotations: map[string]string{annotation: ""}}
		foreign, own := binding.Of(&elbv2.TargetGroupBinding{ObjectMeta: meta}), binding.OfOwn(&v1alpha1.TargetBinding{ObjectMeta: meta})
		if got := [2]bool{foreign.StatesPolicy(), own.StatesPolicy()}; got != want {
			t.Errorf("%s states a policy on a TargetGroupBinding and a TargetBinding: want %t, got %t", annotation, want, got)
		}
	}
}

// TestCounts: what the latest read said is counted by state, and written when it changed.
func TestCounts(t *testing.T) {
	o := &v1alpha1.TargetBinding{}
	b := binding.OfOwn(o)
	at := metav1.Now()
	b.Count(at.Time, nil, nil)
	if b.WriteCount() || b.Counts() != nil {
		t.Errorf("nothing was read, and it counts %+v", b.Counts())
	}

	targets := map[gate.Target]gate.Health{}
	for i, s := range []gate.State{gate.Healthy, gate.Healthy, gate.Initial, gate.Unhealthy, gate.UnhealthyDraining, gate.Draining, gate.Unused, gate.Unknown} {
		targets[gate.Target{Port: int32(i + 1)}] = gate.Health{State: s}
	}
	b.Count(at.Time, targets, nil)
	want := v1alpha1.TargetCounts{Total: 8, Healthy: 2, Initial: 1, Unhealthy: 2, Draining: 1, Other: 2}
	if !b.WriteCount() || *b.Counts() != want || !o.Status.ObservedAt.Equal(&at) {
		t.Errorf("want %+v at %s, got %+v at %s", want, at, b.Counts(), o.Status.ObservedAt)
	}
	if b.WriteCount() {
		t.Error("the same is written again")
	}
}

// TestOtherObjects: an object of which no kind of bindings knows says none.
func TestOtherObjects(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0", Annotations: map[string]string{v1alpha1.ModeAnnotation: "Track"}}}
	settings, problems := binding.SettingsOf(pod)
	if binding.From(pod) != nil || binding.KeyOf(pod) != client.ObjectKeyFromObject(pod) || settings != (binding.Settings{}) || problems != nil {
		t.Errorf("a pod says %+v", binding.From(pod))
	}
}
