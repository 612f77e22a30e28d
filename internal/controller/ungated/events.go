// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gates"
	"github.com/podgate/podgate/internal/injection"
)

// Reasons of the events.
const (
	// ReasonGateMissing: the pod should carry a gate and does not; a Warning.
	ReasonGateMissing = "GateMissing"
	// ReasonNoGate: there is no gate for the pod.
	ReasonNoGate = "NoGate"
)

// tell makes an event, unless there were too many, and tells whether it did.
func (r *Reconciler) tell(object runtime.Object, f injection.Finding, opening string) bool {
	if !r.limit.AllowN(r.now(), 1) {
		return false
	}
	kind, reason := corev1.EventTypeNormal, ReasonNoGate
	if len(f.Missing) > 0 {
		kind, reason = corev1.EventTypeWarning, ReasonGateMissing
		opening = strings.Replace(opening, "readiness gate", "readiness gate "+strings.Join(f.Missing, ", "), 1)
	}
	r.recorder.Eventf(object, nil, kind, reason, "Inject", "%s%s", opening, why(f))
	return true
}

// why says a finding, and what to do, for people.
func why(f injection.Finding) string {
	const anew = " Gates are added at creation only: create the pods anew, as kubectl rollout restart does."
	const optOut = " A pod's label " + elbv2.PodgateInjectLabel + "=" + elbv2.InjectDisabled + " says that it is to have none."
	switch f.Reason {
	case injection.ReasonBindingLater:
		return fmt.Sprintf("%s was not there before the pod.", named(f.Binding)) + anew
	case injection.ReasonServiceLater:
		return fmt.Sprintf("Service %q was not there before the pod.", f.Service) + anew
	case injection.ReasonNotInjected:
		return "podgate's webhook did not answer when the pod was created, or the namespace's label, the webhook's selectors, the Service or the binding have changed since." + anew
	case injection.ReasonNoService:
		return "no Service of the namespace selects the pod." + optOut
	case injection.ReasonNoBinding:
		return fmt.Sprintf("no binding refers to Service %q, which selects the pod.", f.Service) + optOut
	case injection.ReasonBindingDeleting:
		return fmt.Sprintf("%s is being deleted.", named(f.Binding))
	case injection.ReasonBindingUnserved:
		return fmt.Sprintf("podgate is told by --target-group-bindings not to serve %s.", named(f.Binding))
	case injection.ReasonInstanceTargets:
		return fmt.Sprintf("the targets of %s are instances, not pods.", named(f.Binding))
	case injection.ReasonNoGateOfLBC:
		return fmt.Sprintf("AWS Load Balancer Controller registers the targets of %s, which may never hear of a pod without one of its own gates: make a TargetGroupBinding of the same Service whose gate pods get.", named(f.Binding))
	case injection.ReasonNameTooLong:
		return fmt.Sprintf("the name of %s has more than %d characters.", named(f.Binding), elbv2.MaxGateName)
	}
	return string(f.Reason)
}

// named is a binding as its owner knows it.
func named(binding string) string {
	if name, own := gates.Own(binding); own {
		return fmt.Sprintf("TargetBinding %q", name)
	}
	return fmt.Sprintf("TargetGroupBinding %q", binding)
}
