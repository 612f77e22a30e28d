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
	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// sharing is a binding of a load balancer of whose groups a pod has one gate.
func sharing(name, service string, created time.Time) *binding.Binding {
	b := &v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(created)}}
	b.Spec.ServiceRef = v1alpha1.ServiceReference{Name: service, Port: intstr.FromInt32(80)}
	b.Spec.Lattice = &v1alpha1.Lattice{TargetGroupName: "web"}
	return binding.OfOwn(b)
}

// TestOneGateForAllGroups: however many groups of such a load balancer a pod is in, it gets one gate beside those of other bindings.
func TestOneGateForAllGroups(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	web := serving(service("web", map[string]string{"app": "web"}, noon))
	pod := Pod{Labels: map[string]string{"app": "web"}, Created: noon.Add(time.Minute)}
	long := strings.Repeat("a", 64)
	for name, tc := range map[string]struct {
		bindings []*binding.Binding
		gates    []string
		has      []string
	}{
		"one":             {bindings: []*binding.Binding{sharing("a", "web", noon)}, gates: []string{gwc.Gate}},
		"two":             {bindings: []*binding.Binding{sharing("a", "web", noon), sharing("b", "web", noon)}, gates: []string{gwc.Gate}},
		"a long name":     {bindings: []*binding.Binding{sharing(long, "web", noon)}, gates: []string{gwc.Gate}},
		"beside another":  {bindings: []*binding.Binding{sharing("a", "web", noon), bound("web", "web", ip, port80)}, gates: []string{gwc.Gate, "target-health.elbv2.k8s.aws/web"}},
		"another Service": {bindings: []*binding.Binding{sharing("a", "other", noon)}},
		"written by hand": {bindings: []*binding.Binding{sharing("a", "web", noon)}, has: []string{"targets.podgate.dev/a"}, gates: []string{gwc.Gate}},
		"a legacy gate":   {bindings: []*binding.Binding{sharing("a", "web", noon)}, has: []string{elbv2.LegacyGatePrefix + "i_web_80"}, gates: []string{gwc.Gate}},
		"has it already":  {bindings: []*binding.Binding{sharing("a", "web", noon)}, has: []string{gwc.Gate}},
	} {
		pod := pod
		pod.Gates = tc.has
		if plan := Gates(pod, Candidates{Services: []corev1.Service{web}, Bindings: tc.bindings}); !slices.Equal(plan.Add, tc.gates) || len(plan.Remove) != 0 {
			t.Errorf("%s: got %+v, want %q", name, plan, tc.gates)
		}
	}
}

// TestWhoAskedFirst: a pod lacks the gate because of what was there first: a younger binding says nothing, nor one whose
// port the pod does not have.
func TestWhoAskedFirst(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	web := serving(service("web", map[string]string{"app": "web"}, noon))
	named := service("named", map[string]string{"app": "web"}, noon)
	named.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}
	late := serving(service("late", map[string]string{"app": "web"}, noon.Add(time.Hour)))
	pod := Pod{Labels: map[string]string{"app": "web"}, Workload: "ReplicaSet/web", Created: noon.Add(time.Minute)}

	for name, tc := range map[string]struct {
		bindings        []*binding.Binding
		reason, binding string
	}{
		"the older one":            {[]*binding.Binding{sharing("a", "web", noon.Add(time.Hour)), sharing("b", "web", noon)}, v1alpha1.ReasonNotInjected, "b"},
		"both are younger":         {[]*binding.Binding{sharing("a", "web", noon.Add(2*time.Hour)), sharing("b", "web", noon.Add(time.Hour))}, v1alpha1.ReasonBindingCreatedLater, "b"},
		"of one age, by name":      {[]*binding.Binding{sharing("b", "web", noon), sharing("a", "web", noon)}, v1alpha1.ReasonNotInjected, "a"},
		"the older Service":        {[]*binding.Binding{sharing("a", "late", noon), sharing("b", "web", noon)}, v1alpha1.ReasonNotInjected, "b"},
		"whose port the pod has":   {[]*binding.Binding{sharing("a", "named", noon), sharing("b", "web", noon.Add(time.Second))}, v1alpha1.ReasonNotInjected, "b"},
		"the port is not the pods": {[]*binding.Binding{sharing("a", "named", noon)}, "", ""},
	} {
		f := Explain(pod, Candidates{Services: []corev1.Service{web, named, late}, Bindings: tc.bindings})
		if want := v1alpha1.GatePrefix + tc.binding; f.Reason != tc.reason || tc.reason != "" && f.Binding != want {
			t.Errorf("%s: got %s by %q, want %s by %s", name, f.Reason, f.Binding, tc.reason, want)
		}
	}
}
