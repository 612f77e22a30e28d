// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain/record"
	"github.com/podgate/podgate/internal/override"
	"github.com/podgate/podgate/internal/plural"
)

func newExplain(e *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain POD",
		Short: "Why a pod is not Ready at its load balancer, or why it has no gate, and how it drains",
		Long: "explain shows, for every readiness gate of a pod, where it comes from, what its source says now, since when, and what to do next; " +
			"for a pod without a gate, why it has none; and whether the pod ends only after its load balancer has stopped sending it requests.\n\n" +
			"writer names who else opened a gate by hand. A line check of a ReadinessGate's gate shows what it asks about this pod, with variables filled in, and how many pods it passes and fails; " +
			"with -o json, resolved is the query, URL, path or name by itself. DRAIN of a pod that is being deleted says what the pod waits for; " +
			"killed is the latest event KilledUndrained of its owner's pods, also of a pod that is gone; recommended is the drain time that podgate recommends.",
		Example:           "  podgate explain -n shop web-5d8f7c9b6-x2x4p\n  kubectl podgate explain -n shop web-5d8f7c9b6-x2x4p -o yaml",
		Args:              onePod,
		ValidArgsFunction: e.completePods,
		RunE: func(cmd *cobra.Command, args []string) error {
			if name, ofIngress := strings.CutPrefix(args[0], ingressPrefix); ofIngress {
				return e.explainIngress(cmd.Context(), name)
			}
			if name, ofService := strings.CutPrefix(args[0], servicePrefix); ofService {
				return e.explainService(cmd.Context(), name)
			}
			return e.explain(cmd.Context(), args[0])
		},
	}
	cmd.AddCommand(newExplainIngress(e), newExplainService(e))
	return cmd
}

// ingressPrefix begins the name of an Ingress, as kubectl writes it.
const ingressPrefix = "ingress/"

// onePod takes the name of a pod, as itself or as kubectl writes it, or of an Ingress or a Service as kubectl writes it.
func onePod(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("explain one pod: its name is missing, or there are several (%d); kubectl get pods lists them", len(args))
	}
	name := args[0]
	for _, prefix := range []string{"pod/", ingressPrefix, servicePrefix} {
		name = strings.TrimPrefix(name, prefix)
	}
	if strings.Contains(name, "/") {
		return fmt.Errorf("%s is not a pod: explain is for one pod, Ingress or Service; status is for a namespace; wait and preflight are for a workload", args[0])
	}
	return nil
}

func (e *environment) explain(ctx context.Context, name string) error {
	reader, err := e.snapshot(ctx)
	if err != nil {
		return err
	}

	namespace, err := e.namespace()
	if err != nil {
		return err
	}

	x, err := explainPod(ctx, reader, types.NamespacedName{Namespace: namespace, Name: strings.TrimPrefix(name, "pod/")}, e.home, metav1.Time{Time: e.Now()})
	if err != nil {
		return err
	}

	return e.write(x, x.write)
}

// Explanation is what is known of a pod's readiness.
type Explanation struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	// Verdict is the answer in a sentence.
	Verdict string `json:"verdict"`
	// Ready, ContainersReady and Terminating are the pod's.
	Ready           bool         `json:"ready"`
	ContainersReady bool         `json:"containersReady"`
	Terminating     bool         `json:"terminating"`
	Since           *metav1.Time `json:"since,omitempty"`
	// Gates are the pod's, in its order.
	Gates []GateReport `json:"gates"`
	// HeldBy are those of other controllers that keep the pod from being registered.
	HeldBy []string `json:"heldBy,omitempty"`
	// NoGate is why the pod lacks a gate that it should have, or has none at all.
	NoGate *NoGateReport `json:"noGate,omitempty"`
	// Bindings are those that take the pod for a target, with a gate or without.
	Bindings []BindingReport `json:"bindings"`
	// Drain is how the pod ends.
	Drain *DrainReport `json:"drain,omitempty"`
	// Problems are what is wrong with what a person ordered about the pod's gates.
	Problems []string `json:"problems,omitempty"`
	// Installation is podgate itself.
	Installation *Installation `json:"podgate"`
	// Unknown is what could not be read, and so not be told.
	Unknown gaps `json:"unknown,omitempty"`
}

// explanation is an Explanation in the making.
type explanation struct {
	*Explanation
	reader *snapshot
	pod    *corev1.Pod
	now    metav1.Time
	// recommended is the longest drain, in seconds, that podgate recommends on the pod's bindings, and follow says what to
	// set on the binding for it.
	recommended int64
	follow      string
	// ignore is what to set on the binding so that gates of other controllers do not hold the pod back.
	ignore string
}

// explainPod finds out all about a pod.
func explainPod(ctx context.Context, reader *snapshot, key types.NamespacedName, home string, now metav1.Time) (*Explanation, error) {
	var pod corev1.Pod
	if err := reader.Get(ctx, key, &pod); err != nil {
		err = fmt.Errorf("get pod %s: %w", key, err)
		if notFound(err) {
			err = ended(ctx, reader, key, err)
		}
		return nil, err
	}

	x := explanation{Explanation: &Explanation{Namespace: pod.Namespace, Pod: pod.Name, Gates: []GateReport{}, Bindings: []BindingReport{}}, reader: reader, pod: &pod, now: now}
	installation, err := findInstallation(ctx, reader, home, now.Time, &x.Unknown)
	if err != nil {
		return nil, err
	}

	x.Installation = installation
	x.Problems = override.Problems(&pod)
	for _, step := range []func(context.Context) error{x.bound, x.gates, x.lacking, x.draining} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}

	x.conclude()
	return x.Explanation, nil
}

// bound lists the bindings that take the pod for a target.
func (x *explanation) bound(ctx context.Context) error {
	found, err := binding.ForPod(ctx, x.reader, x.pod)
	if err != nil {
		return x.Unknown.forgive(err, "which bindings take the pod for a target")
	}
	for _, b := range found {
		x.Bindings = append(x.Bindings, reportOf(b))
		if n := int64(b.Recommended().Seconds()); n > x.recommended {
			x.recommended, x.follow = n, record.Follow(b)+" on "+binding.Named(b.Key().Name)
		}
		if err := x.held(ctx, b); err != nil {
			return err
		}
	}
	slices.SortFunc(x.Bindings, func(a, b BindingReport) int { return compare(a.Kind, b.Kind, a.Name, b.Name) })
	return nil
}

// held notes what keeps the pod from being registered for a binding, whether or not it has a gate of it.
func (x *explanation) held(ctx context.Context, b *binding.Binding) error {
	svc, err := b.Service(ctx, x.reader)
	if err != nil {
		return x.Unknown.forgive(err, "whether gates of other controllers keep the pod from being registered")
	}
	if served(b) && !ownedByLBC(b) && !b.Group().NotOfPods() && b.FollowsOthers(svc) {
		x.HeldBy = x.reader.kinds.HeldBy(x.pod)
		x.ignore = inFields(v1alpha1.OtherGatesAnnotation+": "+string(v1alpha1.OtherGatesIgnore), b.Gate())
	}
	return nil
}

// conclude says the answer in a sentence.
func (x *explanation) conclude() {
	x.Terminating = !x.pod.DeletionTimestamp.IsZero()
	ready, containers := binding.Condition(x.pod, corev1.PodReady), binding.Condition(x.pod, corev1.ContainersReady)
	x.Ready, x.ContainersReady = isTrue(ready), isTrue(containers)
	since := containers
	if x.Ready {
		since = ready
	}
	if since != nil {
		x.Since = &since.LastTransitionTime
	}
	x.Verdict = x.verdict()
}

func (x *explanation) verdict() string {
	closed := slices.DeleteFunc(slices.Clone(x.Gates), func(g GateReport) bool { return g.open() })
	switch {
	case x.Terminating:
		return "is being deleted"
	case binding.Over(x.pod):
		return "has ended: its containers will not run again"
	case x.Ready && x.NoGate != nil && len(x.NoGate.Missing) > 0:
		return "is Ready, but lacks a gate, so that not every load balancer was asked"
	case x.Ready && len(x.Gates) == 0:
		return "is Ready, and has no gate: no load balancer was asked"
	case x.Ready:
		return "is Ready"
	case !x.ContainersReady && x.pod.Spec.NodeName == "":
		return "is not Ready: it has no node yet; gates are asked when its containers are ready"
	case !x.ContainersReady:
		return "is not Ready: its containers are not ready" + x.troubled() + "; gates are asked when they are"
	case len(x.HeldBy) > 0:
		return "is not Ready: its containers are ready, and it is not to be registered before " + openers(x.HeldBy) + strings.Join(x.HeldBy, ", ")
	case len(x.Gates) == 0:
		return "is not Ready, although its containers are ready and it has no gate: the kubelet has yet to say so"
	case len(closed) == 0:
		return "is not Ready, although its containers are ready and its gates open: the kubelet has yet to say so, or another condition keeps it"
	case len(closed) == 1:
		return fmt.Sprintf("is not Ready: its containers are ready, and a gate is closed (%s)", or(joined(closed[0].Type, closed[0].Reason)))
	}

	return fmt.Sprintf("is not Ready: its containers are ready, and %d of its %s are closed", len(closed), plural.Count(len(x.Gates), "gate"))
}

// openers says who opens the gates that keep a pod from being registered.
func openers(gates []string) string {
	checks := 0
	for _, g := range gates {
		if strings.HasPrefix(g, v1alpha1.CheckPrefix) {
			checks++
		}
	}

	switch checks {
	case 0:
		return "another controller opens "
	case len(gates):
		return "its checks open "
	}
	return "its checks and another controller open "
}

// troubled names the containers that are not ready, and why they wait.
func (x *explanation) troubled() string {
	all := unready(x.pod)
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}

func isTrue(c *corev1.PodCondition) bool { return c != nil && c.Status == corev1.ConditionTrue }

// write is for people.
func (x *Explanation) write(p *paper) {
	since := "."
	switch {
	case x.Since == nil || x.Terminating:
	case x.Ready:
		since = " (Ready for " + p.ago(x.Since.Time) + ")."
	case x.ContainersReady:
		since = ". It has waited for " + p.ago(x.Since.Time) + "."
	}

	colour := red
	if x.Ready {
		colour = green
	}

	p.printf("Pod %s/%s %s%s\n", x.Namespace, x.Pod, p.paint(colour, x.Verdict), since)
	for i := range x.Gates {
		p.printf("\n")
		x.Gates[i].write(p)
	}

	if x.NoGate != nil {
		p.printf("\n")
		x.NoGate.write(p)
	}

	for _, problem := range x.Problems {
		p.printf("\n%s %s\n", p.paint(red, "problem:"), problem)
	}

	for _, b := range x.Bindings {
		if !slices.ContainsFunc(x.Gates, func(g GateReport) bool { return g.isOf(b.key()) }) {
			p.printf("\n%s\n", p.paint(bold, "BINDING without a gate on this pod: "+b.Name))
			p.field("from", b.from())
			b.says(p)
		}
	}

	if x.Drain != nil {
		p.printf("\n")
		x.Drain.write(p)
	}

	p.printf("\n")
	if p.wide || len(x.Installation.Trouble) > 0 {
		x.Installation.write(p)
	}

	p.gaps(x.Unknown)
}

// field writes a named line below a heading.
func (p *paper) field(name, text string) {
	if text != "" {
		p.printf("  %s%s %s\n", name, strings.Repeat(" ", max(9-visible(name), 0)), text)
	}
}

// notFound turns an error about an object that is not there into none.
func notFound(err error) bool { return apierrors.IsNotFound(err) }
