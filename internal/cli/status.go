// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/injection"
)

// listed is how many pods status writes for people, of each kind.
const listed = 50

func newStatus(e *environment) *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Bindings and their groups, load balancers, pods that wait at a gate, oldest first, and pods that lack one",
		Long: "status lists the bindings of a namespace, or of all, whether they work and how many of their gates are open; the load balancers of its Ingresses and Services; " +
			"the pods whose containers are ready and whose gates are not open, the one that waits longest first; those whose containers do not become ready; and the pods that should carry a gate and do not.\n\n" +
			"REASON of a binding also names other conditions that are not as they should be. TARGETS HEALTHY counts foreign targets, too; of instance targets it counts nodes, and those without an instance as skipped. " +
			"STATE of a load balancer is the reason of its latest event, or Published where the objects have its name, Refused where none can be served, Deleting, or Unreported.",
		Example: "  podgate status -n shop\n  kubectl podgate status -A -o wide",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.status(cmd.Context(), all) },
	}
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "of all namespaces")
	return cmd
}

func (e *environment) status(ctx context.Context, all bool) error {
	reader, err := e.snapshot(ctx)
	if err != nil {
		return err
	}

	namespace := ""
	if !all {
		if namespace, err = e.namespace(); err != nil {
			return err
		}
	}

	s, err := statusOf(ctx, reader, namespace, e.home, metav1.Time{Time: e.Now()})
	if err != nil {
		return err
	}

	if namespace != "" {
		if err := s.Unknown.absent(ctx, reader, namespace); err != nil {
			return err
		}
	}

	return e.write(s, s.write)
}

// Status is what podgate knows of a namespace, or of all.
type Status struct {
	Installation *Installation   `json:"podgate"`
	Bindings     []BindingStatus `json:"bindings"`
	// ReadinessGates are those of the namespace, with how many pods carry their gates.
	ReadinessGates []ReadinessGateStatus `json:"readinessGates"`
	// LoadBalancers are those of Ingresses and Services that podgate serves, with one of the namespace.
	LoadBalancers []LoadBalancer `json:"loadBalancers"`
	// Waiting are the pods whose containers are ready and whose gate is not open, the one that waits longest first.
	Waiting []WaitingPod `json:"waiting"`
	// Stuck are the pods with a gate whose containers have not been ready for a while, the longest first.
	Stuck []StuckPod `json:"stuck"`
	// Ungated are the pods that should carry a gate and do not.
	Ungated []UngatedPod `json:"ungated"`
	Unknown gaps         `json:"unknown,omitempty"`

	namespace string
	now       metav1.Time
}

// BindingStatus is a binding and its gates.
type BindingStatus struct {
	BindingReport
	// Gates counts the running pods that carry its gate, Open those whose gate is open.
	Gates int `json:"gates"`
	Open  int `json:"open"`
	// Nodes are those of a binding whose targets are nodes.
	Nodes *NodesReport `json:"nodes,omitempty"`
}

// ReadinessGateStatus is a ReadinessGate, and its pods as it counts them itself.
type ReadinessGateStatus struct {
	Namespace string `json:"namespace"`
	ReadinessGateReport
	Pods v1alpha1.GatedPods `json:"pods"`
}

// WaitingPod is a pod at a closed gate.
type WaitingPod struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	GateReport
	// ReadySince is since when its containers are ready, and so since when it waits.
	ReadySince metav1.Time `json:"readySince"`
}

// UngatedPod is a pod that lacks a gate.
type UngatedPod struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	NoGateReport
	Created metav1.Time `json:"created"`
}

func statusOf(ctx context.Context, reader *snapshot, namespace, home string, now metav1.Time) (*Status, error) {
	s := &Status{namespace: namespace, now: now, Bindings: []BindingStatus{}, ReadinessGates: []ReadinessGateStatus{}, LoadBalancers: []LoadBalancer{}, Waiting: []WaitingPod{}, Stuck: []StuckPod{}, Ungated: []UngatedPod{}}
	installation, err := findInstallation(ctx, reader, home, now.Time, &s.Unknown)
	if err != nil {
		return nil, err
	}

	s.Installation = installation
	if err := errors.Join(installation.offered(ctx, reader, now.Time), installation.refuses(ctx, reader)); err != nil {
		return nil, err
	}

	// One list of all, rather than one for each namespace.
	for _, kind := range []client.ObjectList{&corev1.PodList{}, &corev1.ServiceList{}, &corev1.NamespaceList{}} {
		if _, named := kind.(*corev1.NamespaceList); named && namespace != "" {
			continue
		}
		if err := s.Unknown.forgive(reader.List(ctx, kind, client.InNamespace(namespace)), "what is not listed here"); err != nil {
			return nil, err
		}
	}

	for _, part := range []func(context.Context, *snapshot) error{s.bindings, s.readinessGates, s.loadBalancers, s.waiting, s.stuck, s.ungated} {
		if err := s.Unknown.forgive(part(ctx, reader), "what is not listed here"); err != nil {
			return nil, err
		}
	}

	return s, nil
}

func (s *Status) bindings(ctx context.Context, r *snapshot) error {
	all, err := bindings(ctx, r, s.namespace)
	if err != nil {
		return err
	}

	for _, b := range all {
		s.Bindings = append(s.Bindings, BindingStatus{BindingReport: reportOf(b)})
	}

	for i, b := range all {
		carry, wait, err := r.gated(ctx, b.Key())
		if err != nil {
			return err
		}
		s.Bindings[i].Gates, s.Bindings[i].Open = carry, carry-wait

		s.Bindings[i].Nodes, err = r.nodes(ctx, b)
		if err := s.Unknown.forgive(err, "which nodes are targets"); err != nil {
			return err
		}
	}

	return nil
}

func (s *Status) waiting(ctx context.Context, r *snapshot) error {
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(s.namespace)); err != nil {
		return err
	}

	for i := range pods.Items {
		s.Waiting = append(s.Waiting, s.waitingAt(r.kinds, &pods.Items[i])...)
	}

	slices.SortStableFunc(s.Waiting, func(a, b WaitingPod) int {
		if c := a.ReadySince.Compare(b.ReadySince.Time); c != 0 {
			return c
		}
		return compare(a.Namespace, b.Namespace, a.Pod, b.Pod, a.Type, b.Type)
	})

	return nil
}

// waitingAt are the closed gates of a pod whose containers are ready.
func (s *Status) waitingAt(kinds gates.Kinds, pod *corev1.Pod) []WaitingPod {
	containers := binding.Condition(pod, corev1.ContainersReady)
	if !isTrue(containers) || !pod.DeletionTimestamp.IsZero() || binding.Over(pod) {
		return nil
	}

	var closed []WaitingPod
	for _, g := range pod.Spec.ReadinessGates {
		if report := conditionReport(pod, g.ConditionType); !report.open() {
			report.From = cmp.Or(kinds.Origin(string(g.ConditionType)), "somebody else")
			report.Next = typed(s.Installation.closedAdvice(report, kinds.Owns(report.Type)), pod, report.Type)
			closed = append(closed, WaitingPod{Namespace: pod.Namespace, Pod: pod.Name, GateReport: report, ReadySince: containers.LastTransitionTime})
		}
	}

	return closed
}

// ungated finds pods that lack a gate, of those that may be asked about.
func (s *Status) ungated(ctx context.Context, r *snapshot) error {
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(s.namespace)); err != nil {
		return err
	}

	for i := range pods.Items {
		pod := &pods.Items[i]
		if !pod.DeletionTimestamp.IsZero() || binding.Over(pod) {
			continue
		}
		report, err := lacking(ctx, r, s.Installation, injection.PodOf(pod), pod.Namespace, &s.Unknown)
		if err != nil {
			return err
		}
		if report != nil && len(report.Missing) > 0 {
			report.Next = r.maker(ctx, pod).Say(report.Next)
			s.Ungated = append(s.Ungated, UngatedPod{Namespace: pod.Namespace, Pod: pod.Name, NoGateReport: *report, Created: pod.CreationTimestamp})
		}
	}

	slices.SortFunc(s.Ungated, func(a, b UngatedPod) int { return compare(a.Namespace, b.Namespace, a.Pod, b.Pod) })
	return nil
}

// write is for people.
func (s *Status) write(p *paper) {
	s.Installation.write(p)
	p.printf("\n%s\n", p.paint(bold, "BINDINGS"))
	s.writeBindings(p)
	s.writeReadinessGates(p)
	s.writeLoadBalancers(p)
	p.printf("\n%s\n", p.paint(bold, "WAITING at a gate, longest first"))
	s.writeWaiting(p)
	s.writeStuck(p)
	p.printf("\n%s\n", p.paint(bold, "UNGATED: should carry a gate and do not"))
	s.writeUngated(p)
	if len(s.Unknown) > 0 {
		p.printf("\n")
	}
	p.gaps(s.Unknown)
}

func (s *Status) writeBindings(p *paper) {
	if len(s.Bindings) == 0 {
		p.printf("none\n")
		return
	}

	headings := []string{"NAMESPACE", "BINDING", "SERVICE", "GROUP", "READY", "REASON", "GATES OPEN", "TARGETS HEALTHY"}
	if p.wide {
		headings = append(headings, "MESSAGE", "NEXT")
	}

	var rows [][]string
	for _, b := range s.Bindings {
		reason := b.Reason
		for _, c := range b.Further {
			reason = joined(reason, c.Reason)
		}

		row := []string{b.Namespace, b.object(), b.Service + ":" + b.Port, or(shortGroup(b.words.InTable(b.Group))), p.status(or(b.Status)), or(reason), fmt.Sprintf("%d/%d", b.Open, b.Gates), "-"}
		if b.Nodes != nil {
			row[7] = b.Nodes.write()
		}
		if b.Targets != nil {
			row[7] = fmt.Sprintf("%d/%d", b.Targets.Healthy, b.Targets.Total)
			if b.Targets.Foreign > 0 {
				row[7] += fmt.Sprintf(" (%d foreign)", b.Targets.Foreign)
			}
			if b.Nodes != nil {
				row[7] += " of " + b.Nodes.write()
			}
		}

		if p.wide {
			message := b.Message
			for _, c := range b.Further {
				message += " " + c.Message
			}
			row = append(row, or(strings.TrimSpace(message)), b.Next)
		}

		rows = append(rows, row)
	}

	p.table(headings, rows)
}

func (s *Status) writeWaiting(p *paper) {
	if len(s.Waiting) == 0 {
		p.printf("none\n")
		return
	}

	headings := []string{"NAMESPACE", "POD", "GATE", "REASON", "WAITS"}
	if p.wide {
		headings = append(headings, "MESSAGE", "NEXT")
	}

	var rows [][]string
	for _, w := range s.Waiting[:min(len(s.Waiting), listed)] {
		row := []string{w.Namespace, w.Pod, w.Type, or(w.Reason), p.ago(w.ReadySince.Time)}
		if p.wide {
			row = append(row, or(w.Message), w.Next)
		}
		rows = append(rows, row)
	}

	p.table(headings, rows)
	p.more(len(s.Waiting) - listed)
}

func (s *Status) writeUngated(p *paper) {
	if len(s.Ungated) == 0 {
		p.printf("none\n")
		return
	}

	headings := []string{"NAMESPACE", "POD", "REASON", "AGE"}
	if p.wide {
		headings = append(headings, "MISSING", "WHY", "NEXT")
	}

	var rows [][]string
	for _, u := range s.Ungated[:min(len(s.Ungated), listed)] {
		row := []string{u.Namespace, u.Pod, u.Reason, p.ago(u.Created.Time)}
		if p.wide {
			row = append(row, joined(u.Missing...), u.Message, u.Next)
		}
		rows = append(rows, row)
	}

	p.table(headings, rows)
	p.more(len(s.Ungated) - listed)
}

// more tells that not all are listed.
func (p *paper) more(n int) {
	if n > 0 {
		p.printf("and %d more: -o json lists all\n", n)
	}
}

// shortGroup is the name in a target group's ARN.
func shortGroup(group string) string {
	if _, after, ok := strings.Cut(group, ":targetgroup/"); ok {
		name, _, _ := strings.Cut(after, "/")
		return name
	}
	return group
}

// or is a cell's text, or a dash.
func or(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
