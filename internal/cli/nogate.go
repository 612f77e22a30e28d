// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/internal/uninstall"
	"github.com/podgate/podgate/internal/webhook/profile"
)

// NoGateReport is why a pod lacks a gate.
type NoGateReport struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Next is what to do.
	Next string `json:"next"`
	// Missing are the gates that the pod should have.
	Missing []string `json:"missing,omitempty"`
}

// lacking finds out why the pod lacks a gate, if it does.
func (x *explanation) lacking(ctx context.Context) error {
	report, err := lacking(ctx, x.reader, x.Installation, injection.PodOf(x.pod), x.pod.Namespace, &x.Unknown)
	if err != nil {
		return err
	}
	if report == nil {
		return x.noTarget(ctx)
	}
	if owner := binding.Owner(x.pod); report.Reason == v1alpha1.ReasonNoService && owner != nil && owner.Kind == "Job" {
		report.Message = "it is a Job's, and no Service selects it."
	}
	report.Next = x.reader.maker(ctx, x.pod).Say(report.Next)
	x.NoGate = report
	return nil
}

// noTarget says of a pod without a gate that a Service selects it and does not serve it, where that is so.
func (x *explanation) noTarget(ctx context.Context) error {
	if len(x.pod.Spec.ReadinessGates) > 0 {
		return nil
	}

	bound, err := binding.ForPod(ctx, x.reader, x.pod)
	if err != nil {
		return x.Unknown.forgive(err, "why the pod has no gate")
	}

	for _, b := range bound {
		claim, err := b.Claim(ctx, x.reader, x.pod, resolution(b))
		if err != nil {
			return x.Unknown.forgive(err, "why the pod has no gate")
		}
		if claim.Kind == gate.NotTarget {
			e, _ := v1alpha1.Explain(v1alpha1.OnOpenGate, v1alpha1.ReasonNotTarget)
			x.NoGate = &NoGateReport{
				Reason: v1alpha1.ReasonNotTarget, Next: x.reader.maker(ctx, x.pod).Say(e.Fix),
				Message: fmt.Sprintf("Service %q selects it, and it does not have the port that %s serves, so it is not a target.", b.ServiceRef.Name, binding.Named(b.Key().Name)),
			}
		}
	}

	return nil
}

// lacking returns why a pod lacks a gate; nil when it lacks none. A pod that has gates of
// bindings lacks only those that it should have beside them.
func lacking(ctx context.Context, r *snapshot, in *Installation, pod injection.Pod, namespace string, g *gaps) (*NoGateReport, error) {
	candidates, err := r.candidates(ctx, namespace, pod)
	if err != nil {
		return nil, g.forgive(err, "why a pod has no gate")
	}
	if pod.OptedOut() && !slices.ContainsFunc(pod.Gates, r.kinds.Owns) {
		return noGate(v1alpha1.ReasonOptedOut, fmt.Sprintf("its label %s=%s says that it is to have none.", v1alpha1.InjectLabel, v1alpha1.InjectDisabled)), nil
	}

	f := injection.Explain(pod, candidates)
	if f.Empty() {
		return nil, nil
	}

	report := noGate(f.Reason, f.Why())
	report.Missing = f.Missing

	// What lists its gates itself asks nobody for them.
	if len(f.Missing) == 0 || f.Reason == v1alpha1.ReasonGatesStated {
		return report, nil
	}

	unasked, covered, err := in.unasked(ctx, r, namespace, pod.Labels, f.Missing, g)
	if err != nil || covered {
		return report, err
	}

	// A gate that the webhook was asked for and the pod lacks says more than one that nobody asks for.
	if len(unasked) < len(f.Missing) {
		candidates.Asked = func(conditionType string) bool { return !slices.Contains(unasked, conditionType) }
		f = injection.Explain(pod, candidates)
		report = noGate(f.Reason, f.Why())
	} else {
		report = noGate(in.uncovered(ctx, r, namespace, pod.Labels, unasked))
	}

	report.Missing = f.Missing
	report.Next = in.withCommands(ctx, r, report.Next, namespace, unasked)
	return report, nil
}

// noGate makes a report, with what to do about its reason.
func noGate(reason, message string) *NoGateReport {
	e, _ := v1alpha1.Explain(v1alpha1.OnNoGate, reason)
	return &NoGateReport{Reason: reason, Message: message, Next: e.Fix}
}

// unasked lists those of the gates for which the webhook is not asked about a pod. covered is
// true when it is asked for all of them, or when that cannot be told.
func (in *Installation) unasked(ctx context.Context, r *snapshot, namespace string, pod map[string]string, missing []string, g *gaps) (unasked []string, covered bool, err error) {
	reviews, known, err := in.reviews(ctx, r, namespace, pod, g)
	if err != nil || !known {
		return nil, true, err
	}

	off, err := in.off(ctx, r, reviews, g)
	if err != nil {
		return nil, true, err
	}

	reviews = reviews.Without(off)
	for _, gate := range missing {
		if !reviews.Gate(gate) {
			unasked = append(unasked, gate)
		}
	}

	return unasked, len(unasked) == 0 && reviews.Gates(), nil
}

// uncovered returns why the webhook is not asked for gates of a pod.
func (in *Installation) uncovered(ctx context.Context, r *snapshot, namespace string, pod map[string]string, unasked []string) (reason, message string) {
	if !in.configured {
		return v1alpha1.ReasonWebhookMissing, fmt.Sprintf("there is no MutatingWebhookConfiguration %s, so nobody asks podgate.", certificate.ConfigurationName)
	}

	asking := labelled(ctx, r, namespace, pod)
	if off, err := in.off(ctx, r, asking, new(gaps)); err == nil && asks(asking, unasked) && !asks(asking.Without(off), unasked) {
		return v1alpha1.ReasonEntrySwitchedOff, fmt.Sprintf("the namespace's label asks for it, but %s is not \"true\" in Deployment %s, which switches that entry of the webhook off.", manager.SwitchVariable, uninstall.Deployment)
	}
	if asks(asking, unasked) {
		return v1alpha1.ReasonNotSelectedByWebhook, fmt.Sprintf("a label asks for gates, but the selectors in MutatingWebhookConfiguration %s leave this pod out.", certificate.ConfigurationName)
	}

	var labels []string
	for _, label := range labelsFor(unasked) {
		labels = append(labels, label+"="+profile.Enabled)
	}

	neither := fmt.Sprintf("neither its namespace has the label %s, nor the pod the latter.", strings.Join(labels, " or "))
	if len(labels) == 1 {
		neither = fmt.Sprintf("neither its namespace nor the pod has the label %s.", labels[0])
	}

	return v1alpha1.ReasonLabelMissing, neither
}

// withCommands puts into advice about gates that nobody asks for the commands as they are for this cluster.
func (in *Installation) withCommands(ctx context.Context, r *snapshot, advice, namespace string, unasked []string) string {
	label := "label the namespace (" + labelling(ctx, r, namespace, labelFor(unasked), profile.Enabled) + ")"
	return strings.NewReplacer("label the namespace", label, "kubectl -n podgate-system", "kubectl -n "+in.Namespace).Replace(advice)
}

// asks reports whether reviews ask for all of the gates, or for any where none is named.
func asks(reviews profile.Reviews, gates []string) bool {
	return reviews.Gates() && !slices.ContainsFunc(gates, func(g string) bool { return !reviews.Gate(g) })
}

// labelled are the reviews that labels ask for, whatever the webhook's selectors say.
func labelled(ctx context.Context, r *snapshot, namespace string, pod map[string]string) profile.Reviews {
	asked, _, err := (&Installation{configured: true}).reviews(ctx, r, namespace, pod, new(gaps))
	if err != nil {
		return nil
	}
	return asked
}

// labelsFor are the labels of which each asks for all of the gates, podgate's last.
func labelsFor(gates []string) []string {
	all := []string{""}
	if len(gates) > 0 {
		all = gates
	}
	return slices.DeleteFunc(profile.Asking(all[0]), func(label string) bool {
		return slices.ContainsFunc(all, func(gate string) bool { return !slices.Contains(profile.Asking(gate), label) })
	})
}

// labelFor is the label to ask for gates by: podgate's, or that of AWS Load Balancer Controller
// for who knows that one from its bindings.
func labelFor(missing []string) string {
	theirs := func(gate string) bool { return strings.HasPrefix(gate, elbv2.GatePrefix) }
	if len(missing) == 0 || slices.ContainsFunc(missing, theirs) {
		return labelsFor(missing)[0]
	}
	return v1alpha1.InjectLabel
}

// write renders for a terminal.
func (n *NoGateReport) write(p *paper) {
	heading, colour := "NO GATE", bold
	if len(n.Missing) > 0 {
		heading, colour = "GATE MISSING "+strings.Join(n.Missing, ", "), red
	}
	p.printf("%s: %s\n", p.paint(colour, heading), n.Reason)
	p.field("why", n.Message)
	p.field("next", n.Next)
}
