// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// TestExternalGates: beside AWS Load Balancer Controller a pod gets podgate's gate only if
// that controller hears that it waits.
func TestExternalGates(t *testing.T) {
	const (
		arn   = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/5cdd5305c5b1f8e8"
		other = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/api/5cdd5305c5b1f8e8"
		anew  = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0000000000000000"
		own   = "targets.podgate.dev/own"
	)

	labels := map[string]string{"app": "web"}
	with := func(change func(*elbv2.TargetGroupBinding)) *binding.Binding {
		return bound("theirs", "web", ip, func(b *elbv2.TargetGroupBinding) { b.Spec.TargetGroupARN = arn }, change)
	}
	theirs := with(func(*elbv2.TargetGroupBinding) {})

	cases := map[string]struct {
		reason string
		gates  []string
		theirs []*binding.Binding
		// served that podgate serves theirs, too.
		served bool
		// group is what the External binding names; woken that it says another way to wake.
		group string
		woken bool
		want  bool
		// why is what Explain says of a pod that has no gate at all.
		why string
	}{
		"Neither":        {reason: "Nobody would hear of the pod.", theirs: []*binding.Binding{theirs}, group: arn, why: v1alpha1.ReasonNoGateOfLBC},
		"NothingOfLBC":   {reason: "Nor here, where there is nothing of that controller's at all.", group: arn, why: v1alpha1.ReasonNoGateOfLBC},
		"ItsGate":        {reason: "That controller wakes for its gate of the group.", gates: []string{prefix + "theirs"}, theirs: []*binding.Binding{theirs}, group: arn, want: true},
		"ByName":         {reason: "A group may be named by its name on one side.", gates: []string{prefix + "theirs"}, theirs: []*binding.Binding{theirs}, group: "web", want: true},
		"AddedHere":      {reason: "podgate adds that controller's gate, too, where it serves the kind.", theirs: []*binding.Binding{theirs}, served: true, group: arn, want: true},
		"AnotherGroup":   {reason: "The gate of another group wakes that controller for that group.", gates: []string{prefix + "theirs"}, theirs: []*binding.Binding{theirs}, group: other},
		"AnotherARN":     {reason: "A group of the same name is not the same group.", gates: []string{prefix + "theirs"}, theirs: []*binding.Binding{theirs}, group: anew},
		"AnotherService": {reason: "A binding that does not make targets of the pod is of no use to it.", gates: []string{prefix + "theirs"}, theirs: []*binding.Binding{with(func(b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Name = "api" })}, group: arn},
		"Gone":           {reason: "The gate's binding is gone or going.", gates: []string{prefix + "theirs"}, theirs: []*binding.Binding{with(deleting)}, group: arn},
		"Instances":      {reason: "That controller registers no pods there.", gates: []string{prefix + "theirs"}, theirs: []*binding.Binding{with(typed(elbv2.TargetTypeInstance))}, group: arn},
		"GateOfNobody":   {reason: "There is no such binding.", gates: []string{prefix + "gone"}, theirs: []*binding.Binding{theirs}, group: arn},
		"Legacy":         {reason: "That controller does not open the gates of its predecessor.", gates: []string{legacy + "i_web_80"}, theirs: []*binding.Binding{theirs}, group: arn, why: v1alpha1.ReasonNoGateOfLBC},
		"Nudged":         {reason: "podgate wakes that controller.", theirs: []*binding.Binding{theirs}, group: arn, woken: true, want: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := Pod{Labels: labels, Gates: tc.gates, Created: time.Unix(1e9, 0)}
			candidates := Candidates{
				Services: []corev1.Service{service("web", labels, time.Time{})},
				Bindings: append(slices.Clone(tc.theirs), external("own", tc.group, tc.woken)),
				Serves:   func(b *binding.Binding) bool { return b.Name != "theirs" || tc.served },
			}

			if got := slices.Contains(Gates(pod, candidates).Add, own); got != tc.want {
				t.Errorf("%s\ngate injected: %t, want %t", tc.reason, got, tc.want)
			}

			f := Explain(pod, candidates)
			if missing := slices.Contains(f.Missing, own); missing != tc.want {
				t.Errorf("%s\ngate missing: %t, want %t", tc.reason, missing, tc.want)
			}

			if tc.why != "" && f.Reason != tc.why {
				t.Errorf("%s\nexplained by %q, want %q", tc.reason, f.Reason, tc.why)
			}
		})
	}
}

// external is a TargetBinding to Service web whose targets AWS Load Balancer Controller registers, in a group by its
// ARN or its name. podgate nudges that controller, or waits for its gate to wake it.
func external(name, group string, nudged bool) *binding.Binding {
	e := &v1alpha1.ELBv2{TargetGroupARN: group}
	if !strings.HasPrefix(group, "arn:") {
		e = &v1alpha1.ELBv2{TargetGroupName: group}
	}

	b := &v1alpha1.TargetBinding{Spec: v1alpha1.TargetBindingSpec{Membership: v1alpha1.MembershipExternal, ELBv2: e}}
	b.Name, b.Spec.ServiceRef.Name = name, "web"
	if nudged {
		b.Spec.Wake = v1alpha1.WakeNudge
	}

	return binding.OfOwn(b)
}
