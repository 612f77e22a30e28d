// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"slices"
	"testing"
	"time"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
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
	theirs := Binding{Name: "theirs", Service: "web", TargetType: elbv2.TargetTypeIP, Group: arn, Unserved: true}
	with := func(change func(*Binding)) Binding {
		b := theirs
		change(&b)
		return b
	}

	cases := map[string]struct {
		reason string
		gates  []string
		theirs []Binding
		// group is what the External binding names; woken that it says another way to wake.
		group string
		woken bool
		want  bool
		// why is what Explain says of a pod that has no gate at all.
		why Reason
	}{
		"Neither":        {reason: "Nobody would hear of the pod.", theirs: []Binding{theirs}, group: arn, why: ReasonNoGateOfLBC},
		"NothingOfLBC":   {reason: "Nor here, where there is nothing of that controller's at all.", group: arn, why: ReasonNoGateOfLBC},
		"ItsGate":        {reason: "That controller wakes for its gate of the group.", gates: []string{prefix + "theirs"}, theirs: []Binding{theirs}, group: arn, want: true},
		"ByName":         {reason: "A group may be named by its name on one side.", gates: []string{prefix + "theirs"}, theirs: []Binding{theirs}, group: "web", want: true},
		"AddedHere":      {reason: "podgate adds that controller's gate, too, where it serves the kind.", theirs: []Binding{with(func(b *Binding) { b.Unserved = false })}, group: arn, want: true},
		"AnotherGroup":   {reason: "The gate of another group wakes that controller for that group.", gates: []string{prefix + "theirs"}, theirs: []Binding{theirs}, group: other},
		"AnotherARN":     {reason: "A group of the same name is not the same group.", gates: []string{prefix + "theirs"}, theirs: []Binding{theirs}, group: anew},
		"AnotherService": {reason: "A binding that does not make targets of the pod is of no use to it.", gates: []string{prefix + "theirs"}, theirs: []Binding{with(func(b *Binding) { b.Service = "api" })}, group: arn},
		"Gone":           {reason: "The gate's binding is gone or going.", gates: []string{prefix + "theirs"}, theirs: []Binding{with(func(b *Binding) { b.Deleting = true })}, group: arn},
		"Instances":      {reason: "That controller registers no pods there.", gates: []string{prefix + "theirs"}, theirs: []Binding{with(func(b *Binding) { b.TargetType = elbv2.TargetTypeInstance })}, group: arn},
		"GateOfNobody":   {reason: "There is no such binding.", gates: []string{prefix + "gone"}, theirs: []Binding{theirs}, group: arn},
		"Legacy":         {reason: "That controller does not open the gates of its predecessor.", gates: []string{legacy + "i_web_80"}, theirs: []Binding{theirs}, group: arn, why: ReasonNoGateOfLBC},
		"Nudged":         {reason: "podgate wakes that controller.", theirs: []Binding{theirs}, group: arn, woken: true, want: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := Pod{Labels: labels, Gates: tc.gates, Created: time.Unix(1e9, 0)}
			services := []Service{{Name: "web", Selector: labels}}
			bindings := append(slices.Clone(tc.theirs), Binding{Name: own, Service: "web", TargetType: elbv2.TargetTypeIP, Group: tc.group, BesideLBC: !tc.woken})
			if got := slices.Contains(Gates(pod, services, bindings).Add, own); got != tc.want {
				t.Errorf("%s\ngate injected: %t, want %t", tc.reason, got, tc.want)
			}

			f := Explain(pod, services, bindings)
			if missing := slices.Contains(f.Missing, own); missing != tc.want {
				t.Errorf("%s\ngate missing: %t, want %t", tc.reason, missing, tc.want)
			}

			if tc.why != "" && f.Reason != tc.why {
				t.Errorf("%s\nexplained by %q, want %q", tc.reason, f.Reason, tc.why)
			}
		})
	}
}
