// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
)

// twoPorts are the candidates of a pod of which the container web serves port 8080 and the
// container api port 9090.
func twoPorts(bindings ...*binding.Binding) Candidates {
	svc := service("web", map[string]string{"app": "web"}, time.Time{})
	svc.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}, {Port: 90, TargetPort: intstr.FromInt32(9090)}}
	return Candidates{Services: []corev1.Service{svc}, Bindings: bindings}
}

// onPort is a binding of one of the two ports.
func onPort(name string, port int32, need time.Duration) *binding.Binding {
	return bound(name, "web", ip, drains(need), func(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Port = intstr.FromInt32(port) })
}

// TestShortNamesTheWorst: of several bindings the one that is missed by most is named, of those that
// are missed by as much the one that needs longest, and else the first by name, whatever their order.
func TestShortNamesTheWorst(t *testing.T) {
	web, api := drain.Container{Name: "web", Ports: []string{"8080"}}, drain.Container{Name: "api", Ports: []string{"9090"}}
	with := func(c drain.Container, hook int64) drain.Container {
		c.Hook = hook
		return c
	}

	cases := map[string]struct {
		reason   string
		manifest drain.Manifest
		bindings []*binding.Binding
		want     string
	}{
		"Need":      {reason: "Without hooks who needs longest misses most.", manifest: drain.Manifest{Grace: 300, Containers: []drain.Container{web, api}}, bindings: []*binding.Binding{onPort("fast", 80, 55*time.Second), onPort("slow", 90, 155*time.Second)}, want: "slow"},
		"Missed":    {reason: "A long need that its hook nearly meets is missed by less.", manifest: drain.Manifest{Grace: 300, Containers: []drain.Container{web, with(api, 150)}}, bindings: []*binding.Binding{onPort("fast", 80, 55*time.Second), onPort("slow", 90, 155*time.Second)}, want: "fast"},
		"Grace":     {reason: "The grace period counts as well.", manifest: drain.Manifest{Grace: 60, Containers: []drain.Container{with(web, 20), with(api, 145)}}, bindings: []*binding.Binding{onPort("fast", 80, 55*time.Second), onPort("slow", 90, 155*time.Second)}, want: "slow"},
		"AsMuch":    {reason: "A grace period that a long hook outlasts is as short for both.", manifest: drain.Manifest{Grace: 100, Containers: []drain.Container{with(web, 200), with(api, 200)}}, bindings: []*binding.Binding{onPort("fast", 80, 55*time.Second), onPort("slow", 90, 155*time.Second)}, want: "slow"},
		"Equal":     {reason: "Of equals the first by name, so that the text does not change.", manifest: drain.Manifest{Grace: 300, Containers: []drain.Container{web, api}}, bindings: []*binding.Binding{onPort("b", 80, 55*time.Second), onPort("a", 90, 55*time.Second)}, want: "a"},
		"OnlyOneIs": {reason: "What suffices is not named.", manifest: drain.Manifest{Grace: 300, Containers: []drain.Container{web, with(api, 200)}}, bindings: []*binding.Binding{onPort("fast", 80, 55*time.Second), onPort("slow", 90, 155*time.Second)}, want: "fast"},
	}

	pod := Pod{Labels: map[string]string{"app": "web"}}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				if got := Short(pod, tc.manifest, twoPorts(tc.bindings...)); got.Binding != tc.want {
					t.Errorf("%s\nwant %s named, got %+v", tc.reason, tc.want, got)
				}
				slices.Reverse(tc.bindings)
			}
		})
	}

}

// TestServingStop: the container counts that serves the binding which needs longest.
func TestServingStop(t *testing.T) {
	m := drain.Manifest{Grace: 300, Containers: []drain.Container{{Name: "web", Hook: 20, Ports: []string{"8080"}}, {Name: "api", Hook: 30, Ports: []string{"9090"}}}}
	pod := Pod{Labels: map[string]string{"app": "web"}}
	for what, tc := range map[string]struct {
		bindings []*binding.Binding
		want     string
	}{
		"the longer last":  {[]*binding.Binding{onPort("a", 80, 55*time.Second), onPort("b", 90, 155*time.Second)}, "api"},
		"the longer first": {[]*binding.Binding{onPort("b", 90, 155*time.Second), onPort("a", 80, 55*time.Second)}, "api"},
		"as long":          {[]*binding.Binding{onPort("b", 90, 55*time.Second), onPort("a", 80, 55*time.Second)}, "api"},
		"none":             {nil, "web"},
	} {
		if got, _ := ServingStop(pod, m, twoPorts(tc.bindings...)); got.Container != tc.want {
			t.Errorf("%s: want %s, got %+v", what, tc.want, got)
		}
	}
}

// TestManifestOfAnExtendedPod: the annotation says how long the grace period was before.
func TestManifestOfAnExtendedPod(t *testing.T) {
	for annotation, want := range map[string]int64{"30": 55, "thirty": 0, "": 0} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.GraceAnnotation: annotation}}}
		pod.Spec.TerminationGracePeriodSeconds = new(int64(85))
		if got := ManifestOf(pod); got.Added != want {
			t.Errorf("%q: want %d s added, got %d", annotation, want, got.Added)
		}
	}
}

// TestProblem: what is too short is said, and not what a new pod has otherwise.
func TestProblem(t *testing.T) {
	const hook, grace = "has no preStop hook", "terminationGracePeriodSeconds is 30, which is 25 s too short."
	none := Shortfall{Need: 55, Stop: drain.Stop{Container: "web", Grace: 30}, Hook: 55, Grace: 25}
	better, still := none, none
	better.Renewed, still.Renewed = &Shortfall{}, &Shortfall{Hook: 5}
	atOnce := Shortfall{Need: 55, Stop: drain.Stop{Container: "web"}, Hook: 55, Grace: 55}

	for what, tc := range map[string]struct {
		s             Shortfall
		says, saysNot string
	}{
		"a new pod is the same":            {none, grace, "is 0"},
		"a new pod has everything":         {better, hook, grace},
		"a new pod lacks something, too":   {still, grace, "is 0"},
		"Kubernetes kills the pod at once": {atOnce, "terminationGracePeriodSeconds is 0", hook},
	} {
		if got := tc.s.Problem(); !strings.Contains(got, tc.says) || strings.Contains(got, tc.saysNot) {
			t.Errorf("%s: want %q and not %q said, got %q", what, tc.says, tc.saysNot, got)
		}
	}
}

// TestOwnFix: who is to declare a port first is told that alone, unless the pod is killed at once
// whichever container serves.
func TestOwnFix(t *testing.T) {
	unsure := Shortfall{Need: 55, Unsure: true, Stop: drain.Stop{Container: "web", Hook: 5, Grace: 30}, Hook: 50, Grace: 25}
	if got := unsure.OwnFix(); !strings.HasPrefix(got, "Declare the port") {
		t.Errorf("got %q", got)
	}
	unsure.Stop.Grace = 0
	if got := unsure.OwnFix(); !strings.Contains(got, "set terminationGracePeriodSeconds") {
		t.Errorf("got %q", got)
	}
}

// TestOwnFixOfAProxy: the hook of a proxy may not be the template's to change; its pod's grace
// period is.
func TestOwnFixOfAProxy(t *testing.T) {
	const injects = "whatever injects the proxy"
	proxy := Shortfall{Need: 55, Stop: drain.Stop{Container: "istio-proxy", Hook: 5, Grace: 30}, Hook: 50, Grace: 25}
	if got := proxy.OwnFix(); !strings.Contains(got, injects) {
		t.Errorf("got %q", got)
	}
	proxy.Hook = 0
	if got := proxy.OwnFix(); strings.Contains(got, injects) {
		t.Errorf("got %q", got)
	}
}

// TestOwnFixOfAStatedEnd: whoever gives a pod a hook is told to leave the application its time.
func TestOwnFixOfAStatedEnd(t *testing.T) {
	stated := Shortfall{Need: 55, Stated: true, Stop: drain.Stop{Container: "web", Grace: 30}, Hook: 55}
	if got := stated.OwnFix(); !strings.Contains(got, "set terminationGracePeriodSeconds to 85, so that the application keeps its 30 s") {
		t.Errorf("got %q", got)
	}
	stated.Stop.Hook, stated.Hook = 5, 50
	if got := stated.OwnFix(); strings.Contains(got, "terminationGracePeriodSeconds") {
		t.Errorf("its hook is there, and the grace period long enough, got %q", got)
	}
}

// TestStatedGates: a list of gates that is applied again stays as it is, and that is said only when
// there was something to add.
func TestStatedGates(t *testing.T) {
	c := Candidates{Services: []corev1.Service{service("web", map[string]string{"app": "web"}, time.Time{})}, Bindings: []*binding.Binding{bound("web", "web", ip)}}
	pod := Pod{Labels: map[string]string{"app": "web"}, Stated: Stated{Gates: true}}
	if got := Gates(pod, c); !got.Empty() || !got.LeftOut {
		t.Errorf("want the gate left out, got %+v", got)
	}
	pod.Gates = []string{prefix + "web"}
	if got := Gates(pod, c); !got.Empty() || got.LeftOut {
		t.Errorf("it has its gate, got %+v", got)
	}
}

// TestStatedOr: what either states is stated.
func TestStatedOr(t *testing.T) {
	for _, s := range []Stated{{Applied: true}, {Gates: true}, {End: true}, {}} {
		if s.Or(Stated{}) != s || (Stated{}).Or(s) != s {
			t.Errorf("%+v or nothing is %+v and %+v", s, s.Or(Stated{}), (Stated{}).Or(s))
		}
	}
}
