// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// reasons are what AWS's reasons begin with: those of the load balancer and those of the target.
var reasons = []string{"Elb.", "Target."}

// advice is what to do about gates that are closed for one of them.
var advice = []balancer.Advice{
	{Reason: "Elb.RegistrationInProgress", Fix: "wait: the load balancer is taking the target in, seconds for an ALB, perhaps minutes for an NLB"},
	{Reason: "Elb.InitialHealthChecking", Fix: "wait: the first health checks are under way; a shorter health-check interval makes it faster"},
	{Reason: "Elb.InternalError", Fix: "wait: it is the load balancer's own trouble; if it lasts, ask AWS"},
	{Reason: "Target.ResponseCodeMismatch", Fix: "compare the group's health-check path and matcher with what the pod answers"},
	{Reason: "Target.Timeout", Fix: "look for a security group or a network policy between load balancer and pod, or a slow application: the health check gets no answer in time"},
	{Reason: "Target.FailedHealthChecks", Fix: "is the port the one that the application listens on? The health check's connection is refused, or its answer malformed"},
	{Reason: "Target.NotInUse", Fix: "attach the group to a load balancer: no listener or rule forwards to it; or let the binding open the gate with " + v1alpha1.OnUnusedAnnotation + ": Open"},
	{Reason: "Target.HealthCheckDisabled", Fix: "switch the group's health checks on, or let the binding open the gate with " + v1alpha1.OnUnavailableAnnotation + ": Open"},
	{Reason: "Target.DeregistrationInProgress", Fix: "wait: podgate registers the target again; if it comes back, somebody else deregisters it"},
}
