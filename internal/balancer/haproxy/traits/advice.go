// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// reasons are what the reasons begin with that the driver makes of HAProxy's words.
var reasons = []string{"HAProxy."}

// advice is what to do about gates that are closed for one of them.
var advice = []balancer.Advice{
	{Reason: "HAProxy.InitialHealthChecking", Fix: "wait: HAProxy's first health checks are under way, as many as check.rise of the binding says; a shorter check.intervalMilliseconds makes it faster"},
	{Reason: "HAProxy.SlowStart", Fix: "wait: the server gets more and more traffic, until the slowstart of its keywords is over"},
	{Reason: "HAProxy.MissingAtAnInstance", Fix: "wait: the server is added as soon as the instance that lacks it answers; the binding says which one does not"},
	{Reason: "HAProxy.RegistrationInterrupted", Fix: "wait: podgate makes the server again"},
	{Reason: "HAProxy.Draining", Fix: "wait: podgate makes the server again when it is gone"},
	{Reason: "HAProxy.Maintenance", Fix: "end it, if it is no longer intended: set server BACKEND/SERVER state ready at HAProxy's runtime socket"},
	{Reason: "HAProxy.DrainedByHand", Fix: "end it, if it is no longer intended: set server BACKEND/SERVER state ready at HAProxy's runtime socket"},
	{Reason: "HAProxy.AgentDown", Fix: "ask the agent on the server why it says so: its word counts, whatever the health check says"},
	{Reason: "HAProxy.WeightZero", Fix: "ask whose server it is to give it a weight"},
	{Reason: "HAProxy.NotChecked", Fix: "let HAProxy check the server (enable health), or let the binding open the gate with " + v1alpha1.OnUnavailableAnnotation + ": Open"},
}

// otherAdvice is about those that have the status of a check that fails.
const otherAdvice = "compare what HAProxy's check asks, and the port, with what the pod answers: the message has HAProxy's words"
