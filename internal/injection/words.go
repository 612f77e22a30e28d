// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"fmt"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// Words say the finding, and what to do about the pods of a maker, for people.
func (f Finding) Words(m binding.Maker) string {
	e, _ := v1alpha1.Explain(v1alpha1.OnNoGate, f.Reason)
	if len(f.Missing) > 0 {
		return f.Why() + " Gates are added only when a pod is created: " + m.Say(e.Fix) + "."
	}
	return f.Why() + " What to do: " + m.Say(e.Fix) + "."
}

// Why says the finding alone. It is the catalog's summary, with the names that it is about.
func (f Finding) Why() string {
	const tied = "%s was created in the same second as the pod: it came too late, or the namespace was not labelled yet."
	switch f.Reason {
	case v1alpha1.ReasonBindingCreatedLater:
		if f.Tied {
			return fmt.Sprintf(tied, binding.Named(f.Binding))
		}
		return fmt.Sprintf("%s was not there before the pod.", binding.Named(f.Binding))

	case v1alpha1.ReasonServiceCreatedLater:
		if f.Tied {
			return fmt.Sprintf(tied, fmt.Sprintf("Service %q", f.Service))
		}
		return fmt.Sprintf("Service %q was not there before the pod.", f.Service)

	case v1alpha1.ReasonReadinessGateCreatedLater:
		if f.Tied {
			return fmt.Sprintf(tied, fmt.Sprintf("ReadinessGate %q", f.Gate))
		}
		return fmt.Sprintf("ReadinessGate %q was not there before the pod.", f.Gate)

	case v1alpha1.ReasonNotInjected:
		return "podgate's webhook did not answer when the pod was created, or the namespace's label, the webhook's selectors, or what asks for the gate have changed since."
	case v1alpha1.ReasonGatesStated:
		return "its manifest is applied to the pod itself and has a list of readinessGates, which cannot change: if podgate had added to it, the manifest could not be applied a second time."
	case v1alpha1.ReasonStaticPod:
		return "a kubelet runs the pod from a file of its node, and heeds no gate that is not in the file."
	case v1alpha1.ReasonNoService:
		return "no Service of the namespace selects the pod."
	case v1alpha1.ReasonNoBinding:
		return fmt.Sprintf("no binding refers to Service %q, which selects the pod.", f.Service)
	case v1alpha1.ReasonBindingDeleting:
		return fmt.Sprintf("%s is being deleted.", binding.Named(f.Binding))
	case v1alpha1.ReasonBindingNotServed:
		return fmt.Sprintf("--target-group-bindings keeps podgate from serving %s.", binding.Named(f.Binding))
	case v1alpha1.ReasonInstanceTargets:
		return fmt.Sprintf("the targets of %s are not pods. Nodes forward requests to Ready pods only, so a gate that waited for nodes would never open.", binding.Named(f.Binding))
	case v1alpha1.ReasonNoGateOfLBC:
		return fmt.Sprintf("AWS Load Balancer Controller registers the targets of %s and may not notice that the pod waits, since it has none of that controller's gates for the group.", binding.Named(f.Binding))
	case v1alpha1.ReasonNameTooLong:
		return fmt.Sprintf("the name of %s has more than %d characters.", binding.Named(f.Binding), elbv2.MaxGateName)
	}

	return f.Reason + "."
}
