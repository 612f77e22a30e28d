// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"fmt"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gates"
	"github.com/podgate/podgate/api/v1alpha1"
)

// Words say the finding, and what to do, for people.
func (f Finding) Words() string {
	const anew = " Gates are added only when a pod is created: restart the pods, for example with kubectl rollout restart."
	const optOut = " A pod's label " + v1alpha1.InjectLabel + "=" + v1alpha1.InjectDisabled + " says that it is to have none."
	const tied = "%s was created in the same second as the pod: it came too late, or the namespace was not labelled yet." + anew
	switch f.Reason {
	case ReasonBindingLater:
		if f.Tied {
			return fmt.Sprintf(tied, Named(f.Binding))
		}
		return fmt.Sprintf("%s was not there before the pod.", Named(f.Binding)) + anew

	case ReasonServiceLater:
		if f.Tied {
			return fmt.Sprintf(tied, fmt.Sprintf("Service %q", f.Service))
		}
		return fmt.Sprintf("Service %q was not there before the pod.", f.Service) + anew

	case ReasonNotInjected:
		return "podgate's webhook did not answer when the pod was created, or the namespace's label, the webhook's selectors, the Service or the binding have changed since." + anew
	case ReasonNoService:
		return "no Service of the namespace selects the pod." + optOut
	case ReasonNoBinding:
		return fmt.Sprintf("no binding refers to Service %q, which selects the pod.", f.Service) + optOut
	case ReasonBindingDeleting:
		return fmt.Sprintf("%s is being deleted.", Named(f.Binding))
	case ReasonBindingUnserved:
		return fmt.Sprintf("--target-group-bindings keeps podgate from serving %s.", Named(f.Binding))
	case ReasonInstanceTargets:
		return fmt.Sprintf("the targets of %s are not pods.", Named(f.Binding))
	case ReasonNoGateOfLBC:
		return fmt.Sprintf("AWS Load Balancer Controller registers the targets of %s and may not notice that the pod waits, since it has none of that controller's gates for the group: have it injected, or set spec.wake of the binding.", Named(f.Binding)) + anew
	case ReasonNameTooLong:
		return fmt.Sprintf("the name of %s has more than %d characters.", Named(f.Binding), elbv2.MaxGateName)
	}

	return string(f.Reason)
}

// Named is a binding as its owner knows it.
func Named(binding string) string {
	if name, own := gates.Own(binding); own {
		return fmt.Sprintf("TargetBinding %q", name)
	}
	return fmt.Sprintf("TargetGroupBinding %q", binding)
}
