// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"errors"
	"fmt"

	aws "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
)

// Reasons of the driver's Health: VPC Lattice's statuses, spelled as AWS Gateway API Controller
// does.
const (
	ReasonInitial   = "Initial"
	ReasonUnhealthy = "Unhealthy"
	ReasonDraining  = "Draining"
	ReasonUnused    = "Unused"
	// ReasonTargetNotFound is that of a target that the group does not hold.
	ReasonTargetNotFound = "TargetNotFound"
	// ReasonUnknownStatus is that of a status that AWS has added since.
	ReasonUnknownStatus = "UnknownStatus"
)

// words are VPC Lattice's own.
var words = balancer.Words{
	Reasons:       []string{ReasonInitial, ReasonUnhealthy, ReasonDraining, ReasonUnused, ReasonTargetNotFound, ReasonUnknownStatus},
	NotRegistered: ReasonTargetNotFound,
	Advice:        advice, Fixes: aws.Fixes, Naming: naming, Explain: explain,
}

// advice is what to do about gates that are closed for one of these reasons.
var advice = []balancer.Advice{
	{Reason: ReasonInitial, Fix: "wait: the first health check is under way; a shorter health-check interval makes it faster"},
	{Reason: ReasonUnhealthy, Fix: "compare the group's health check with what the pod answers, and let the pod's security groups admit VPC Lattice's managed prefix list on the checked port"},
	{Reason: ReasonDraining, Fix: "wait: the target is registered again; if it comes back, two controllers fill the group"},
	{Reason: ReasonUnused, Fix: "forward to the group from a listener or rule of a service; or let the binding open the gate with spec.gate.onUnused: Open"},
	{Reason: ReasonTargetNotFound, Fix: "look at the binding: registration is under way, or fails for the reason there; with membership External, ask whoever registers, such as AWS Gateway API Controller"},
	{Reason: ReasonUnknownStatus, Fix: "look at the target at AWS: podgate does not know the status that the message has"},
}

// naming says for which Service groups are discovered: nobody wrote the name of a Discovery.
func naming(group string) (sentence, cell string) {
	d, discovered := ParseDiscovery(group)
	if !discovered {
		return "target group " + group, group
	}

	sentence, cell = fmt.Sprintf("the target groups that AWS Gateway API Controller keeps for Service %s/%s", d.Namespace, d.Service), "by discovery"
	if d.Cluster != "" {
		sentence, cell = sentence+" in cluster "+d.Cluster, cell+" in "+d.Cluster
	}
	return sentence, cell
}

// explain says what is AWS's own about an error. What is wrong with groups that were to be
// discovered, the error of a call says itself.
func explain(group string, err error) string {
	d, discovered := ParseDiscovery(group)
	if !discovered {
		return aws.Explain(fmt.Sprintf("target group %q", group), err)
	}

	subject := fmt.Sprintf("the target groups of Service %s/%s", d.Namespace, d.Service)
	if said := aws.Explain(subject, err); said != "" {
		return said
	}

	text := balancer.Message(err)
	if call := (*balancer.CallError)(nil); errors.As(err, &call) && call.Text != "" {
		text = call.Text
	}
	return "About " + subject + ": " + text
}
