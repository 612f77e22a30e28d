// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package instance answers which nodes should be targets of a group whose targets are
// instances, whichever binding asks. It is pure: it reads nodes that it is given, and asks nobody.
package instance

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/internal/gate"
)

// Labels that keep a node out of all groups, whatever their values: Kubernetes' own, what it was called before,
// and that of a control plane of early clusters. A control plane of today is not kept out.
const (
	LabelExclude    = corev1.LabelNodeExcludeBalancers
	labelExcludeOld = "alpha.service-controller.kubernetes.io/exclude-balancer"
	labelMaster     = "node-role.kubernetes.io/master"
)

// Nodes of Fargate have no instance.
const (
	labelComputeType = "eks.amazonaws.com/compute-type"
	fargate          = "fargate"
)

// ID returns the id of a node's instance, by the node's spec.providerID, such as
// aws:///eu-west-1a/i-0123456789abcdef0; empty when the node is none of EC2's.
func ID(providerID string) string {
	if !strings.HasPrefix(providerID, "aws://") {
		return ""
	}
	id := providerID[strings.LastIndexByte(providerID, '/')+1:]
	if !gate.IsInstance(id) {
		return ""
	}
	return id
}

// Excluded reports whether a node's labels keep it out of all groups.
func Excluded(of map[string]string) bool {
	for _, label := range []string{LabelExclude, labelExcludeOld, labelMaster} {
		if _, has := of[label]; has {
			return true
		}
	}
	return of[labelComputeType] == fargate
}

// Rules are what a binding says of its nodes.
type Rules struct {
	// Selector is what a node's labels must match.
	Selector labels.Selector
	// Hosts reports whether a node runs a pod that is Ready; nil where that makes no difference. While no node does, it
	// makes none either: it is not the nodes' fault.
	Hosts func(node string) bool
	// Notice returns what is known of a node's end.
	Notice func(node *disruption.Node) disruption.Notice
}

// Node is a node that has an instance.
type Node struct {
	Name, ID string
	// Wanted: the node should be a target.
	Wanted bool
	// Ready: its kubelet says that it is. Where none does of those that are wanted, the kubelets that say nothing count,
	// too: the trouble may be the API server's.
	Ready bool
	// Ends: the node is being removed, and Dead: nothing runs on it.
	Ends, Dead bool
}

// Select returns the nodes that have an instance, by name, and the names of those that are Ready, should be targets and
// have none.
func Select(all []*disruption.Node, rules Rules) (found []Node, skipped []string) {
	hosts := rules.hosting(all)
	silent := map[string]bool{}

	for _, n := range all {
		wanted := rules.selects(n) && (hosts == nil || hosts(n.Name))
		id := ID(n.ProviderID)
		if id == "" {
			if wanted && n.Ready {
				skipped = append(skipped, n.Name)
			}
			continue
		}

		notice := rules.Notice(n)
		found = append(found, Node{
			Name: n.Name, ID: id, Wanted: wanted, Ready: n.Ready,
			Ends: n.DeletionTimestamp != nil || notice >= disruption.Announced, Dead: notice == disruption.Dead,
		})
		silent[n.Name] = n.Silent
	}

	if !slices.ContainsFunc(found, func(n Node) bool { return n.Wanted && n.Ready && !n.Ends }) {
		for i := range found {
			found[i].Ready = found[i].Ready || silent[found[i].Name]
		}
	}

	slices.SortFunc(found, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(skipped)
	return found, skipped
}

// selects reports whether a node's labels make it a target.
func (r Rules) selects(n *disruption.Node) bool {
	return !Excluded(n.Labels) && r.Selector.Matches(labels.Set(n.Labels))
}

// hosting returns which nodes run a pod that is Ready; nil where that makes no difference.
func (r Rules) hosting(all []*disruption.Node) func(node string) bool {
	if r.Hosts == nil || !slices.ContainsFunc(all, func(n *disruption.Node) bool { return r.selects(n) && r.Hosts(n.Name) }) {
		return nil
	}
	return r.Hosts
}
