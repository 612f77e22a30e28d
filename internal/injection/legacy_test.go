// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
)

// ofIngress labels a binding as that of an Ingress.
func ofIngress(b *elbv2.TargetGroupBinding) {
	b.Namespace, b.Labels = "shop", map[string]string{elbv2.IngressNamespaceLabel: "shop", elbv2.IngressNameLabel: "i"}
}

// TestLegacyNames: which bindings a legacy gate names, by labels, Service and port.
func TestLegacyNames(t *testing.T) {
	const named = legacy + "i_web_80"
	of := func(name string, change func(*elbv2.TargetGroupBinding)) *binding.Binding {
		return bound(name, "web", port80, ofIngress, change)
	}
	label := func(kv ...string) func(*elbv2.TargetGroupBinding) {
		return func(b *elbv2.TargetGroupBinding) {
			b.Labels = map[string]string{}
			for i := 0; i < len(kv); i += 2 {
				b.Labels[kv[i]] = kv[i+1]
			}
		}
	}
	own := of("own", func(*elbv2.TargetGroupBinding) {})
	gone := of("gone", deleting)
	group := of("group", label(elbv2.IngressGroupLabel, "g"))
	bare := of("bare", label())

	for name, tc := range map[string]struct {
		gate string
		of   []*binding.Binding
		want []string
	}{
		"its own":            {named, []*binding.Binding{own, bare}, []string{"own"}},
		"a group's":          {named, []*binding.Binding{group, bare}, []string{"group"}},
		"both":               {named, []*binding.Binding{group, own}, []string{"own"}},
		"its own goes":       {named, []*binding.Binding{group, gone}, []string{"gone", "group"}},
		"another Ingress":    {named, []*binding.Binding{of("x", label(elbv2.IngressNamespaceLabel, "shop", elbv2.IngressNameLabel, "j"))}, nil},
		"another namespace":  {named, []*binding.Binding{of("x", label(elbv2.IngressNamespaceLabel, "bar", elbv2.IngressNameLabel, "i"))}, nil},
		"a Service's":        {named, []*binding.Binding{of("x", label("service.k8s.aws/stack-namespace", "shop", "service.k8s.aws/stack-name", "i"))}, nil},
		"another Service":    {named, []*binding.Binding{of("x", func(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Name = "api" })}, nil},
		"another port":       {named, []*binding.Binding{of("x", func(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Port = intstr.FromInt32(81) })}, nil},
		"the port's name":    {named, []*binding.Binding{of("x", func(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Port = intstr.FromString("http") })}, nil},
		"by the port's name": {legacy + "i_web_http", []*binding.Binding{of("x", func(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Port = intstr.FromString("http") })}, []string{"x"}},
		"malformed":          {legacy + "i_web", []*binding.Binding{own, group, bare}, nil},
		"any":                {elbv2.LegacyAnyGate, []*binding.Binding{own, group, bare, external("ext", "arn:x", true)}, []string{"own", "group", "bare"}},
	} {
		var got []string
		for _, b := range (OfLegacy{}).Named(tc.gate, tc.of) {
			got = append(got, b.Name)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: want %q, got %q", name, tc.want, got)
		}
	}
}

// TestLegacyStandsIn: a pod lacks no gate of a binding that one of its legacy gates asks, and lacks that of any other.
func TestLegacyStandsIn(t *testing.T) {
	labels := map[string]string{"app": "web"}
	web := service("web", labels, time.Time{})
	a, b := bound("a", "web", port80, ofIngress), bound("b", "web", port80)

	for name, tc := range map[string]struct {
		gates []string
		want  []string
	}{
		"none":        {nil, []string{prefix + "a", prefix + "b"}},
		"of one":      {[]string{legacy + "i_web_80"}, []string{prefix + "b"}},
		"of none":     {[]string{legacy + "j_web_80"}, []string{prefix + "a", prefix + "b"}},
		"any":         {[]string{elbv2.LegacyAnyGate}, nil},
		"one and its": {[]string{legacy + "i_web_80", prefix + "b"}, nil},
	} {
		pod := Pod{Labels: labels, Gates: tc.gates, Created: time.Unix(1e9, 0)}
		f := Explain(pod, Candidates{Services: []corev1.Service{web}, Bindings: []*binding.Binding{a, b}})
		if !slices.Equal(f.Missing, tc.want) || (len(tc.want) == 0) != f.Empty() {
			t.Errorf("%s: want %q missing, got %+v", name, tc.want, f)
		}
	}
}
