// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/controller/targets"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/uninstall"
)

// Nothing is what to do where all is well.
const nothing = "nothing to do"

// unbound is what to do about an open gate whose binding was there and is not any more.
const unbound = "nothing, if the binding was deleted on purpose: podgate takes out what it registered for it; else make it again"

// gateAdvice is what to do about a closed gate, by its condition's reason. A reason with a
// dot is the load balancer's own.
var gateAdvice = map[string]string{
	"Elb.RegistrationInProgress":      "wait: the load balancer is taking the target in, seconds for an ALB, perhaps minutes for an NLB",
	"Elb.InitialHealthChecking":       "wait: the first health checks are under way; a shorter health-check interval makes it faster",
	"Elb.InternalError":               "wait: it is the load balancer's own trouble; if it lasts, ask AWS",
	"Target.ResponseCodeMismatch":     "compare the group's health-check path and matcher with what the pod answers",
	"Target.Timeout":                  "look for a security group or a network policy between load balancer and pod, or a slow application: the health check gets no answer in time",
	"Target.FailedHealthChecks":       "is the port the one that the application listens on? The health check's connection is refused, or its answer malformed",
	"Target.NotInUse":                 "attach the group to a load balancer: no listener or rule forwards to it; or let the binding open the gate with " + v1alpha1.OnUnusedAnnotation + ": Open",
	"Target.HealthCheckDisabled":      "switch the group's health checks on, or let the binding open the gate with " + v1alpha1.OnUnavailableAnnotation + ": Open",
	"Target.DeregistrationInProgress": "wait: podgate registers the target again; if it comes back, somebody else deregisters it",
	"HAProxy.InitialHealthChecking":   "wait: HAProxy's first health checks are under way, as many as check.rise of the binding says; a shorter check.intervalMilliseconds makes it faster",
	"HAProxy.SlowStart":               "wait: the server gets more and more traffic, until the slowstart of its keywords is over",
	"HAProxy.MissingAtAnInstance":     "wait: the server is added as soon as the instance that lacks it answers; the binding says which one does not",
	"HAProxy.RegistrationInterrupted": "wait: podgate makes the server again",
	"HAProxy.Draining":                "wait: podgate makes the server again when it is gone",
	"HAProxy.Maintenance":             "end it, if nobody means it any more: set server BACKEND/SERVER state ready at HAProxy's runtime socket",
	"HAProxy.DrainedByHand":           "end it, if nobody means it any more: set server BACKEND/SERVER state ready at HAProxy's runtime socket",
	"HAProxy.WeightZero":              "ask whose server it is to give it a weight",
	"HAProxy.NotChecked":              "let HAProxy check the server (enable health), or let the binding open the gate with " + v1alpha1.OnUnavailableAnnotation + ": Open",
	gate.ReasonNotRegistered:          "look at the binding: registration is under way, or fails for the reason there",
	gate.ReasonContainersNotReady:     "look at the pod's probes and logs: its containers became unready",
	gate.ReasonNoBinding:              "create the binding, or make its Service select the pod; else the gate is released by itself",
	gate.ReasonNotResolved:            "look at the binding: its target group or port is not known, for the reason there",
	gate.ReasonNotObserved:            "wait a second; if it lasts, the message or the binding says why the group cannot be read",
	gate.ReasonOverridden:             "wait until the time in the message, or end it: podgate gate clear POD TYPE",
	gate.ReasonNotProven:              "wait: the load balancer may mean the pod that had the address before; it is over when unhealthy threshold x interval and 10 s have passed since the containers became ready",
}

// openAdvice is what to do about an open gate that was not opened by a healthy target.
var openAdvice = map[string]string{
	gate.ReasonHealthy:           nothing,
	gate.ReasonOverridden:        "find out why the target is not healthy before the time in the message; podgate gate clear POD TYPE ends it sooner",
	gate.ReasonTimedOut:          "find out why the target is not healthy; the binding's time-out opened the gate",
	gate.ReasonUnused:            "nothing, if that is what the binding's policy is meant to do",
	gate.ReasonUnavailable:       "nothing, if that is what the binding's policy is meant to do",
	gate.ReasonUnhealthyDraining: "nothing, if that is what the binding's policy is meant to do",
	gate.ReasonTrackFloor:        "look at the target's health: too many fail at once for Track to close this gate",
	gate.ReasonNoBinding:         "correct the binding: no binding claims the gate, so it was released; new pods wait again",
	gate.ReasonBindingDeleted:    unbound,
	uninstall.ReasonUninstalled:  nothing,
	gate.ReasonNotIPTargets:      "nothing, or use a group of target type ip",
}

// bindingAdvice is what to do about a binding that is not Ready, by the condition's reason.
var bindingAdvice = map[string]string{
	targets.ReasonSynced:              nothing,
	targets.ReasonServiceNotFound:     "create the Service, or correct serviceRef.name",
	targets.ReasonNoSelector:          "give the Service a selector",
	targets.ReasonPortNotFound:        "correct serviceRef.port",
	targets.ReasonTargetPortNotFound:  "name the port in the pod template, or use its number",
	targets.ReasonTargetGroupNotFound: "create the target group, or make a binding that names another",
	targets.ReasonBackendNotFound:     "add the backend to HAProxy's configuration, or make a binding that names another",
	targets.ReasonInvalidRequest:      "correct what the message names",
	targets.ReasonInstanceTargets:     "nothing, or use a group of target type ip: pods of this group get no gate",
	targets.ReasonUnservedTargets:     "use a group of target type ip",
	targets.ReasonTypeMismatch:        "make a binding without targetType and ipAddressType, or with the group's",
	targets.ReasonNameTooLong:         "make a binding with a name of at most 63 characters",
	targets.ReasonBoundTwice:          "delete one of the two bindings of this group",
	targets.ReasonAccessDenied:        "correct podgate's credentials, its IAM policy or the role to assume",
	targets.ReasonNotAllowed:          "ask who runs podgate for an allowance (--allow-targets), or name a group of your own",
	targets.ReasonThrottled:           "wait; if it lasts, find who else uses the account's API budget",
	targets.ReasonQuota:               "raise the quota of targets per group, or run fewer pods",
	targets.ReasonUnavailable:         "wait; the message says what fails",
	targets.ReasonNotWritable:         "let podgate write the binding: RBAC, or an admission webhook that refuses",
	targets.ReasonNoGateOfLBC:         "have AWS Load Balancer Controller's gate injected and create the pods anew, or set spec.wake",
	targets.ReasonNothingToNudge:      "make a TargetGroupBinding of the Service that names the group, or set spec.wake to None",
	targets.ReasonNotNudged:           "let podgate write the TargetGroupBinding: RBAC, or AWS Load Balancer Controller's admission webhook",
	targets.ReasonNotRecorded:         "let podgate write the ConfigMap that the message names: RBAC, or a quota",
}

// adviceOf is what to do about a gate as its condition stands.
func adviceOf(open bool, reason string) string {
	if open {
		if told, known := openAdvice[reason]; known {
			return told
		}
		return nothing
	}
	if told, known := gateAdvice[reason]; known {
		return told
	}
	if strings.HasPrefix(reason, "HAProxy.") {
		return "compare what HAProxy's check asks, and the port, with what the pod answers: the message has HAProxy's words"
	}
	if strings.Contains(reason, ".") {
		return "do what the load balancer's message says"
	}
	return "look at the message"
}
