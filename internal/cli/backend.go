// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/provision/elb"
)

// BackendReport is a port of a Service that requests go to.
type BackendReport struct {
	Service string `json:"service"`
	Port    string `json:"port"`
	// TargetType is instance or ip.
	TargetType string `json:"targetType"`
	// Unused: nothing of the load balancer is for it any more, as far as is known here.
	Unused bool `json:"unused,omitempty"`
	// Bindings are its TargetGroupBindings: none yet, one, or several while a target group is replaced by another.
	Bindings []BackendBinding `json:"bindings"`
}

// BackendBinding is what makes the targets of a backend.
type BackendBinding struct {
	BindingReport
	// Pods are those that are its targets; nil where nodes are.
	Pods *PodCount `json:"pods,omitempty"`
	// Nodes are those that are; nil where pods are.
	Nodes *NodesReport `json:"nodes,omitempty"`
}

// PodCount counts the pods that a binding takes for targets.
type PodCount struct {
	Ready int `json:"ready"`
	All   int `json:"all"`
	// Gates counts those that carry its gate, and Open those whose gate is open.
	Gates int `json:"gates"`
	Open  int `json:"open"`
}

// maker is what bindings are made for.
type maker struct {
	// noun, namespace and owner, as namespace/name, say what it is.
	noun, namespace, owner string
	// labels are those of its bindings.
	labels map[string]string
	// stack is its load balancer as it should be. blind: what decides about that could not be read.
	stack elb.Stack
	blind bool
}

// backends reports what requests for an object go to.
func (s *snapshot) backends(ctx context.Context, of maker, unknown *gaps) ([]BackendReport, error) {
	reports := []BackendReport{}
	for _, want := range of.stack.TargetGroups {
		if want.Owner == of.owner {
			reports = append(reports, BackendReport{Service: want.Binding.Service, Port: want.Binding.Port, TargetType: want.TargetType, Bindings: []BackendBinding{}})
		}
	}

	all, err := bindings(ctx, s, of.namespace)
	if err != nil {
		return reports, unknown.forgive(err, "which bindings there are for the "+of.noun)
	}
	for _, b := range all {
		if !of.made(b) {
			continue
		}
		at, err := s.behind(ctx, b, unknown)
		if err != nil {
			return nil, err
		}

		i := slices.IndexFunc(reports, func(r BackendReport) bool { return r.Service == at.Service && r.Port == at.Port })
		if i < 0 {
			unused := !slices.Contains(of.stack.Keep, of.owner) && !of.blind
			reports, i = append(reports, BackendReport{Service: at.Service, Port: at.Port, TargetType: at.TargetType, Unused: unused}), len(reports)
		}
		reports[i].Bindings = append(reports[i].Bindings, at)
	}
	return reports, nil
}

// made reports whether a binding was made for it. Those that AWS Load Balancer Controller made for an Ingress say only the group.
func (of maker) made(b *binding.Binding) bool {
	labels := b.Object.GetLabels()
	for key, value := range of.labels {
		if labels[key] != value {
			return false
		}
	}
	owner, known := b.Object.GetAnnotations()[v1alpha1.MadeForAnnotation]
	return owner == of.noun+" "+of.owner || !known
}

// behind counts what serves behind a binding.
func (s *snapshot) behind(ctx context.Context, b *binding.Binding, unknown *gaps) (BackendBinding, error) {
	of := BackendBinding{BindingReport: reportOf(b)}
	nodes, err := s.nodes(ctx, b)
	if of.Nodes = nodes; err != nil || b.Group().NotOfPods() {
		return of, unknown.forgive(err, "how many nodes are targets")
	}
	if of.Pods, err = s.podsOf(ctx, b); err != nil {
		return of, unknown.forgive(err, "how many pods are targets")
	}
	return of, nil
}

// podsOf counts the pods of a binding whose targets are pods.
func (s *snapshot) podsOf(ctx context.Context, b *binding.Binding) (*PodCount, error) {
	svc, err := b.Service(ctx, s)
	if err != nil || svc == nil {
		return nil, err
	}
	pods, err := index.PodsOf(ctx, s, svc)
	if err != nil {
		return nil, err
	}

	count := &PodCount{}
	for i := range pods {
		pod := &pods[i]
		_, claim, _ := binding.TargetOf(pod, svc, b.Group(), b.ServiceRef)
		if claim != gate.Claimed || binding.Over(pod) || !pod.DeletionTimestamp.IsZero() {
			continue
		}
		count.All++
		if binding.IsTrue(pod, corev1.PodReady) {
			count.Ready++
		}
	}

	carry, wait, err := s.gated(ctx, b.Key())
	count.Gates, count.Open = carry, carry-wait
	return count, err
}

// write is for people.
func (r BackendReport) write(p *paper) {
	p.printf("\n%s\n", p.paint(bold, fmt.Sprintf("BACKEND Service %s, port %s%s", r.Service, r.Port, map[bool]string{true: ": not used any more"}[r.Unused])))
	if len(r.Bindings) == 0 {
		p.printf("  there is no TargetGroupBinding for it yet\n")
	}
	for _, b := range r.Bindings {
		p.field("from", b.from())
		b.says(p)
		p.field("serve", b.serves())
		if b.Status != "True" {
			p.field("next", b.Next)
		}
	}
}

// serves says how many serve.
func (b BackendBinding) serves() string {
	const untold = "; only AWS knows which are healthy"
	switch {
	case b.Nodes != nil:
		return b.Nodes.write() + untold
	case b.Pods == nil:
		return ""
	case b.Pods.All == 0:
		return "no pods"
	case b.Pods.Gates == 0:
		return fmt.Sprintf("%d of %s Ready, none with a gate", b.Pods.Ready, plural.Count(b.Pods.All, "pod")) + untold
	}
	return fmt.Sprintf("%d of %s Ready; %d of %s open", b.Pods.Ready, plural.Count(b.Pods.All, "pod"), b.Pods.Open, plural.Count(b.Pods.Gates, "gate"))
}

// trouble says why there may be nothing that serves behind a backend, and what to do; empty where nothing says so.
func (r BackendReport) trouble() (why, next string) {
	if r.Unused {
		return "", ""
	}
	why, next = "it has no TargetGroupBinding yet", "wait; the events say what for"
	for _, b := range r.Bindings {
		switch {
		case b.Status != "True":
			why, next = fmt.Sprintf("%s is not Ready (%s)", binding.Named(b.key()), or(b.Reason)), b.Next
		case b.Pods != nil && b.Pods.Ready == 0:
			why, next = "none of its pods is Ready", "find out why its pods are not Ready"
		case b.Nodes != nil && b.Nodes.Targets == 0:
			why, next = "no node is a target", "find out why no node is Ready and selected"
		default:
			return "", ""
		}
	}
	return fmt.Sprintf("look at Service %s, port %s: %s", r.Service, r.Port, why), next
}
