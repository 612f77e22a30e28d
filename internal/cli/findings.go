// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
)

// meaning is what one finding of preflight means, or several with one meaning.
type meaning struct {
	// names are those of checks; without any it is about reasons that others give, as who says.
	names []string
	who   string
	// severity is Error or Warning, and where it is the other.
	severity, means string
}

// meanings are what preflight may find, for its help and for docs/commands-reference.md.
var meanings = []meaning{
	{names: []string{v1alpha1.ReasonLabelMissing, v1alpha1.ReasonNotSelectedByWebhook, v1alpha1.ReasonEntrySwitchedOff, v1alpha1.ReasonWebhookMissing}, severity: "Error", means: "new pods get no gate, as explain says"},
	{names: []string{CheckPodgate}, severity: "Error", means: "nobody leads, or no replica answers the webhook"},
	{names: []string{CheckBindingAfter}, severity: "Error", means: "in the files the Service, binding or ReadinessGate comes after the workload, or an Ingress or Service for which podgate makes the binding comes with it, and it is not in the cluster yet"},
	{names: []string{CheckHook, CheckGrace}, severity: "Error; Warning where podgate cannot tell which container serves", means: "pods end before their load balancer has finished draining; by how many seconds"},
	{names: []string{CheckEmpties}, severity: "Error; Warning where the number of replicas is not known", means: "strategy Recreate, or a maxUnavailable of all replicas"},
	{names: []string{v1alpha1.ReasonPortNotFound, v1alpha1.ReasonTargetPortNotFound}, severity: "Error; Warning where another workload has the port", means: "the binding's port leads nowhere"},
	{names: []string{v1alpha1.ReasonNoNodePort}, severity: "Error", means: "the targets are nodes, and the type of the Service gives it no node port"},
	{who: "reasons of a binding's Ready, such as AccessDenied", severity: "Error; Throttled is a Warning", means: "the binding has this reason now"},
	{names: []string{v1alpha1.ReasonInvalidSpec, v1alpha1.ReasonNotAllowed, v1alpha1.ReasonNoSuchServer, v1alpha1.ReasonNoAccess}, severity: "Error", means: "a ReadinessGate has this reason, or would have it; for one of a file by what podgate's Deployment allows, if you may read it"},
	{names: []string{CheckGateMissing}, severity: "Error", means: "the pod template names the gate of a ReadinessGate that does not exist"},
	{names: []string{v1alpha1.ReasonInstanceTargets, v1alpha1.ReasonBindingNotServed, v1alpha1.ReasonBindingDeleting, v1alpha1.ReasonNameTooLong, v1alpha1.ReasonNoGateOfLBC, v1alpha1.ReasonGatesStated}, severity: "Warning", means: "new pods get no gate, perhaps on purpose"},
	{names: []string{CheckPodsUngated}, severity: "Warning", means: "pods that run lack a gate that new ones will have"},
	{names: []string{CheckNobodyReported}, severity: "Warning", means: "podgate has not reported anything about the binding or ReadinessGate"},
	{names: []string{CheckGateUnused}, severity: "Warning", means: "no pod has, or would get, the gate of the ReadinessGate"},
	{names: []string{CheckNoTimeout}, severity: "Warning", means: "a check that answers for all pods at once can hold a rollout without end"},
	{names: []string{CheckTrack}, severity: "Warning", means: "the floor of Track keeps all gates open"},
	{names: []string{CheckSidecar}, severity: "Warning", means: "a tcp check asks pods whose Istio sidecar accepts every connection"},
	{names: []string{v1alpha1.ReasonInvalidPolicy}, severity: "Warning", means: "an annotation of the binding states no policy"},
	{names: []string{v1alpha1.ReasonNotAppliedToTargets}, severity: "Warning", means: "something of the load balancer's configuration does not apply to the pods"},
	{names: []string{CheckNoProbe}, severity: "Warning", means: "no container has a readiness probe"},
	{names: []string{CheckDeadline}, severity: "Warning", means: "the rollout counts as failed before the gate can open, or before the time-out of a ReadinessGate; podgate estimates 30 s and one health check for an ALB, 300 s and three for an NLB"},
	{names: []string{CheckHalted}, severity: "Warning; Error where pods cannot be created", means: "the workload is paused, a partition keeps pods, the strategy is OnDelete, a custom rollout waits for somebody, or a StatefulSet waits for a pod that is not Ready"},
	{names: []string{CheckPeers}, severity: "Warning", means: "a StatefulSet's pods find each other by DNS only when their gates are open: a quorum that forms before that does not"},
	{names: []string{CheckBudget}, severity: "Warning", means: "no pod may be evicted, ever or for now, so nodes cannot be drained; or none that waits at a gate of checks"},
	{who: "reasons of events on Ingresses, Services and Gateways, such as ProtectionNotServed", severity: "Error; Warning where something only has no effect", means: "podgate would not serve the object as it asks"},
	{names: []string{CheckLegacyGate}, severity: "Warning", means: "the template has a gate of the ALB ingress controller v1 that nobody sets or nothing feeds"},
}

// findingsHelp lists the meanings for a terminal.
func findingsHelp() string {
	var b strings.Builder
	for _, m := range meanings {
		what := m.who
		if len(m.names) > 0 {
			what = strings.Join(m.names, ", ")
		}
		b.WriteString("- " + what + " (" + m.severity + "): " + m.means + "\n")
	}
	return b.String()
}

// findingsTable lists them for a page.
func findingsTable() string {
	var b strings.Builder
	b.WriteString("| finding | severity | it means |\n|---|---|---|\n")
	for _, m := range meanings {
		what := m.who
		if len(m.names) > 0 {
			what = "`" + strings.Join(m.names, "`, `") + "`"
		}
		b.WriteString("| " + what + " | " + m.severity + " | " + m.means + " |\n")
	}
	return b.String()
}
