// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// gateAdvice is what to do about a closed gate whose reason is the load balancer's own.
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
	"HAProxy.Maintenance":             "end it, if it is no longer intended: set server BACKEND/SERVER state ready at HAProxy's runtime socket",
	"HAProxy.DrainedByHand":           "end it, if it is no longer intended: set server BACKEND/SERVER state ready at HAProxy's runtime socket",
	"HAProxy.WeightZero":              "ask whose server it is to give it a weight",
	"HAProxy.NotChecked":              "let HAProxy check the server (enable health), or let the binding open the gate with " + v1alpha1.OnUnavailableAnnotation + ": Open",
	balancer.ReasonNotRegistered:      "look at the binding: registration is under way, or fails for the reason there",
}

// adviceOf is what to do about a gate as its condition stands.
func adviceOf(open bool, reason string) string {
	if open {
		if e, known := v1alpha1.Explain(v1alpha1.OnOpenGate, reason); known {
			return e.Fix
		}
		return v1alpha1.NothingToDo
	}

	if e, known := v1alpha1.Explain(v1alpha1.OnClosedGate, reason); known {
		return e.Fix
	}

	if fix, known := gateAdvice[reason]; known {
		return fix
	}

	// Only the load balancer's own reasons are left.
	if strings.HasPrefix(reason, "HAProxy.") {
		return "compare what HAProxy's check asks, and the port, with what the pod answers: the message has HAProxy's words"
	}
	if strings.Contains(reason, ".") {
		return "do what the load balancer's message says"
	}

	return "look at the message"
}

// fixOf is what to do about a binding that would not be Ready for a reason.
func fixOf(reason string) string {
	e, _ := v1alpha1.Explain(v1alpha1.OnReady, reason)
	return e.Fix
}
