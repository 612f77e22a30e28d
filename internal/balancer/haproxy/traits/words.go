// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"errors"
	"fmt"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// words are HAProxy's. The driver makes the reasons of what HAProxy says of a server.
var words = balancer.Words{
	Reasons: []string{"HAProxy."}, Advice: advice, OtherAdvice: otherAdvice, Fixes: fixes,
	NotFound: v1alpha1.ReasonBackendNotFound, Naming: naming, Explain: explain, Overlap: overlap,
}

// fixes are what to do about bindings that are not Ready.
var fixes = []balancer.Advice{
	{Reason: v1alpha1.ReasonAccessDenied, Fix: "let podgate use the socket, by its stats socket line in HAProxy's configuration, as the message says"},
	{Reason: v1alpha1.ReasonTooManyTargets, Fix: "raise maxServers of the binding, or run fewer pods"},
}

// advice is what to do about gates that are closed for one of these reasons.
var advice = []balancer.Advice{
	{Reason: "HAProxy.InitialHealthChecking", Fix: "wait: HAProxy's first health checks are under way, as many as check.rise of the binding says; a shorter check.intervalMilliseconds makes it faster"},
	{Reason: "HAProxy.SlowStart", Fix: "wait: the server gets more and more traffic, until the slowstart of its keywords is over"},
	{Reason: "HAProxy.MissingAtAnInstance", Fix: "wait: the server is added as soon as the instance that lacks it answers; the binding says which one does not"},
	{Reason: "HAProxy.RegistrationInterrupted", Fix: "wait: podgate makes the server again"},
	{Reason: "HAProxy.Draining", Fix: "wait: podgate makes the server again when it is gone"},
	{Reason: "HAProxy.Maintenance", Fix: "end it, if it is no longer intended: set server BACKEND/SERVER state ready at HAProxy's runtime socket"},
	{Reason: "HAProxy.DrainedByHand", Fix: "end it, if it is no longer intended: set server BACKEND/SERVER state ready at HAProxy's runtime socket"},
	{Reason: "HAProxy.Stopping", Fix: "wait, or ask the application: its check asks HAProxy for no new traffic"},
	{Reason: "HAProxy.AgentDown", Fix: "ask the agent on the server why it says so: its word counts, whatever the health check says"},
	{Reason: "HAProxy.WeightZero", Fix: "ask whose server it is to give it a weight"},
	{Reason: "HAProxy.NotChecked", Fix: "let HAProxy check the server (enable health), or let the binding open the gate with " + v1alpha1.OnUnavailableAnnotation + ": Open"},
}

// otherAdvice is about those that have the status of a check that fails.
const otherAdvice = "compare what HAProxy's check asks, and the port, with what the pod answers: the message has HAProxy's words"

// naming calls a backend what HAProxy calls it.
func naming(group string) (sentence, cell string) { return "backend " + group, group }

// explain leaves the word to the error of a call, which says itself what to change.
func explain(_ string, err error) string {
	var call *balancer.CallError
	if !errors.As(err, &call) {
		return ""
	}
	name, _, _ := strings.Cut(call.Subject, "@")
	return fmt.Sprintf("Backend %q of HAProxy: %s", name, call.Text)
}

// overlap is about one instance of a backend: the claims are backend@instance.
func overlap(other, claim string) string {
	return fmt.Sprintf("Binding %s is older and names the same backend of the same instance, %s, so this one is not served: delete one of them, or take the instance off one's list.", other, claim)
}
