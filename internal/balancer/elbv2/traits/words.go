// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"fmt"

	"github.com/podgate/podgate/api/v1alpha1"
	aws "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
)

// words are ELBv2's own. Reasons are AWS's, as they are.
var words = balancer.Words{Reasons: []string{"Elb.", "Target."}, Advice: advice, Fixes: aws.Fixes, Explain: explain}

// advice is what to do about gates that are closed for one of these reasons.
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

// explain says what is AWS's own about an error.
func explain(group string, err error) string {
	return aws.Explain(fmt.Sprintf("target group %q", group), err)
}
