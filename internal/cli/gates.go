// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/override"
	"github.com/podgate/podgate/internal/plural"
)

// GateReport is what is known of one gate of a pod.
type GateReport struct {
	// Type is the condition type.
	Type string `json:"type"`
	// Status, Reason, Message and Since are those of the condition; empty without one.
	Status  string       `json:"status,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	Message string       `json:"message,omitempty"`
	Since   *metav1.Time `json:"since,omitempty"`
	// From says where the gate comes from.
	From string `json:"from"`
	// Source is its binding; nil when it has none, or several.
	Source *BindingReport `json:"source,omitempty"`
	// Target is the pod's address and port in the group; empty while it is not known.
	Target string `json:"target,omitempty"`
	// Sources are what the gate waits for where it may be several things.
	Sources []SourceReport `json:"sources,omitempty"`
	// ReadinessGate is what the checks ask, where the gate is of checks.
	ReadinessGate *ReadinessGateReport `json:"readinessGate,omitempty"`
	// Writer is the field manager of whoever else wrote the condition last: another controller where the gate is shared,
	// and whoever opened it by hand where it is not.
	Writer string `json:"writer,omitempty"`
	// Override is what a person ordered about the gate and still counts.
	Override *override.Order `json:"override,omitempty"`
	// Next is what to do.
	Next string `json:"next"`
}

func (g GateReport) open() bool { return g.Status == string(corev1.ConditionTrue) }

// legacy reports whether the gate is one that the ALB ingress controller v1 had.
func (g GateReport) legacy() bool { return strings.HasPrefix(g.Type, elbv2.LegacyGatePrefix) }

// gates reports every gate of the pod.
func (x *explanation) gates(ctx context.Context) error {
	for _, g := range x.pod.Spec.ReadinessGates {
		report := conditionReport(x.pod, g.ConditionType)
		if err := x.gate(ctx, &report); err != nil {
			return err
		}
		x.Gates = append(x.Gates, report)
	}
	return nil
}

func conditionReport(pod *corev1.Pod, t corev1.PodConditionType) GateReport {
	g := GateReport{Type: string(t)}
	if c := binding.Condition(pod, t); c != nil {
		g.Status, g.Reason, g.Message = string(c.Status), c.Reason, c.Message
		if !c.LastTransitionTime.IsZero() {
			g.Since = &c.LastTransitionTime
		}
	}
	if o, ordered := override.Of(pod).Gates[g.Type]; ordered && o.Check() == nil {
		g.Override = &o
	}
	return g
}

// isOf reports whether a binding feeds the gate.
func (g GateReport) isOf(key string) bool {
	return g.Source != nil && g.Source.key() == key ||
		slices.ContainsFunc(g.Sources, func(s SourceReport) bool { return s.Binding != nil && s.Binding.key() == key })
}

// gate finds out where a gate comes from and what to do about it.
func (x *explanation) gate(ctx context.Context, g *GateReport) error {
	origin := x.reader.kinds.Origin(g.Type)
	defer func() { g.Next = typed(x.reader.maker(ctx, x.pod).Say(g.Next), x.pod, g.Type) }()
	switch {
	case strings.HasPrefix(g.Type, v1alpha1.CheckPrefix):
		return x.checkGate(ctx, g)

	case origin == "":
		g.From = "somebody else: it is not a gate of podgate's"
		g.Next = x.Installation.closedAdvice(*g, false)
		if slices.Contains(x.HeldBy, g.Type) && g.Reason != v1alpha1.ReasonSetByHand {
			g.Next += "; podgate registers the pod when it is True, or with " + x.ignore + " on the binding"
		}
		if g.open() {
			g.Next = v1alpha1.NothingToDo
		}
		return nil
	}

	g.Writer = gates.OtherWriter(x.pod, g.Type)
	all, ours, err := x.feeders(ctx, g.Type)
	if err != nil {
		g.From = "a binding that podgate may not read, or whose Service it may not read: " + origin
		g.Next = adviceOf(g.open(), g.Reason)
		return x.Unknown.forgive(err, "where the gates come from")
	}

	if ours {
		x.byHand(g)
	}

	x.fed(g, origin, all)
	g.Next = x.next(g, all, ours)
	return nil
}

// byHand notes who opened a gate that podgate alone sets. Whoever closes one is answered at once.
func (x *explanation) byHand(g *GateReport) {
	if g.open() {
		g.Writer = gates.Writer(x.pod, g.Type)
	}
}

// fed reports what a gate waits for.
func (x *explanation) fed(g *GateReport, origin string, all []feeder) {
	if len(all) == 0 || all[0].Owner.Name == "" {
		g.From = origin + "; there is none"
		return
	}

	if len(all) == 1 && all[0].Name == "" {
		g.Source, g.From, g.Target = all[0].bindingReport(), all[0].from(), all[0].target()
		return
	}

	g.From = origin
	for _, f := range all {
		g.Sources = append(g.Sources, SourceReport{Name: f.Name, From: f.from(), Target: f.target(), Binding: f.bindingReport()})
	}
}

// next is what to do about a gate.
func (x *explanation) next(g *GateReport, all []feeder, ours bool) string {
	if len(all) == 0 && g.Writer != "" {
		return fmt.Sprintf("ask whoever writes as field manager %q: without a binding podgate leaves the gate alone", g.Writer)
	}
	if len(all) == 0 || slices.ContainsFunc(all, func(f feeder) bool { return f.binding == nil }) {
		return unfed(g)
	}

	failing := slices.IndexFunc(all, feeder.failing)
	if g.open() && failing >= 0 {
		// The gate stays open, and the pod may lose its target all the same.
		return all[failing].report.remedy()
	}
	if g.open() {
		return adviceOf(true, g.Reason)
	}

	if !ours && g.legacy() {
		return "remove the gate from the pod template: nobody sets it for bindings that podgate does not serve"
	}
	if !ours {
		return notOurs(all)
	}

	switch {
	case !isTrue(binding.Condition(x.pod, corev1.ContainersReady)):
		return untangle(x.pod)
	case slices.ContainsFunc(all, func(f feeder) bool { return f.Claim == gate.Unclaimed }):
		return adviceOf(false, v1alpha1.ReasonNoBinding)
	case failing >= 0:
		return all[failing].report.remedy()
	}

	// A binding of which nobody has said anything for long may be in a namespace that podgate does not serve.
	silent := slices.IndexFunc(all, func(f feeder) bool {
		return f.report.Status == "" && x.now.Sub(f.binding.CreationTimestamp.Time) > stuckAfter
	})
	if g.Status == "" && len(x.Installation.Trouble) == 0 && silent >= 0 {
		return all[silent].report.Next
	}

	return x.Installation.closedAdvice(*g, true)
}

// closedAdvice is what to do about a closed gate, by what the pod and the installation say. owned: it is podgate's.
func (in *Installation) closedAdvice(g GateReport, owned bool) string {
	switch {
	case g.legacy() && g.Reason == v1alpha1.ReasonNoBinding:
		return correctLegacy
	case g.legacy() && g.Status == "" && len(in.Trouble) == 0:
		return "wait a few seconds; or remove the gate from the pod template: nobody sets it for bindings that podgate does not serve"
	case !owned && g.Reason != v1alpha1.ReasonSetByHand:
		return "ask whoever sets condition " + g.Type
	case g.Status == "" && len(in.Trouble) > 0:
		return "get podgate running: " + in.Trouble[0]
	case g.Status == "":
		return "wait a few seconds: podgate has not said anything about it yet"
	}
	return adviceOf(false, g.Reason)
}

// correctLegacy is what to do about a legacy gate that names nothing.
const correctLegacy = "correct the gate in the pod template, or remove it; else it is released by itself"

// unfed is what to do about a gate that lacks a binding.
func unfed(g *GateReport) string {
	if g.legacy() && !g.open() {
		return correctLegacy
	}
	if g.open() && g.Reason != v1alpha1.ReasonNoBinding {
		return adviceOf(true, v1alpha1.ReasonBindingDeleted)
	}
	return adviceOf(g.open(), v1alpha1.ReasonNoBinding)
}

// notOurs is what to do about a closed gate that podgate does not write.
func notOurs(all []feeder) string {
	if slices.ContainsFunc(all, func(f feeder) bool { return ownedByLBC(f.binding) }) {
		return "ask AWS Load Balancer Controller, which serves this binding and sets this gate"
	}
	return "let podgate serve the binding (--target-group-bindings), or remove the gate from the pod template: nobody sets it"
}

// write is for people.
func (g *GateReport) write(p *paper) {
	status := g.Status
	if status == "" {
		status = "Unset"
	}

	said := joined(p.status(status), g.Reason)
	if g.Since != nil {
		said += ", for " + p.ago(g.Since.Time)
	}

	p.printf("%s: %s\n", p.paint(bold, "GATE "+g.Type), said)
	p.field("message", g.Message)

	if o := g.Override; o != nil && p.now.Before(o.Until) {
		p.field("override", fmt.Sprintf("%s until %s, set %s ago by %s: %s", o.Status, o.Until.UTC().Format(time.RFC3339), p.ago(o.At), or(o.By), o.Reason))
	}

	switch {
	case g.Writer == "":
	case binding.SharedGate(g.Type):
		p.field("writer", fmt.Sprintf("another controller, field manager %q, which opens the gate by its own rules; podgate does not close it again", g.Writer))
	default:
		p.field("writer", fmt.Sprintf("field manager %q, not podgate, which closes the gate when the containers become unready or the address changes", g.Writer))
	}

	p.field("from", g.From)
	if g.Source != nil {
		g.Source.says(p)
	}
	if g.ReadinessGate != nil {
		g.ReadinessGate.says(p)
	}
	for _, s := range g.Sources {
		p.field("source", s.From)
		if s.Binding != nil {
			s.Binding.says(p)
		}
	}

	p.field("next", g.Next)
}

// says writes what a binding says of itself.
func (r BindingReport) says(p *paper) {
	text := "podgate has not reported on it yet"
	if r.Status != "" {
		text = fmt.Sprintf("Ready %s, %s", p.status(r.Status), r.Reason)
		if r.Since != nil {
			text += ", for " + p.ago(r.Since.Time)
		}
	}

	if c := r.Targets; c != nil {
		text += fmt.Sprintf("; %s, %d healthy", plural.Count(c.Total, "target"), c.Healthy)
		if c.Foreign > 0 {
			text += fmt.Sprintf(", %d of them foreign", c.Foreign)
		}
	}

	p.field("binding", text)
	p.field("", r.Message)

	for _, c := range r.Further {
		p.field("", fmt.Sprintf("%s %s, %s, for %s: %s", c.Type, p.status(string(c.Status)), c.Reason, p.ago(c.LastTransitionTime.Time), c.Message))
	}
}
