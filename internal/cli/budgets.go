// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/plural"
)

// budgets tells of PodDisruptionBudgets that let none of a workload's pods go. Nobody evicts the pods of a DaemonSet.
func (f *flight) budgets(ctx context.Context, w workload) error {
	if w.kind == "DaemonSet" && !w.custom {
		return nil
	}

	var all policyv1.PodDisruptionBudgetList
	if err := f.reader.List(ctx, &all, client.InNamespace(w.namespace)); err != nil {
		return f.Unknown.forgive(err, "whether a PodDisruptionBudget blocks evictions")
	}

	var names []string
	for i := range all.Items {
		b := &all.Items[i]
		if !covers(b, w) {
			continue
		}

		names = append(names, b.Name)
		if key := client.ObjectKeyFromObject(b); !f.budgeted[key] {
			f.budgeted[key] = true
			if err := f.budget(ctx, b, w); err != nil {
				return err
			}
		}
	}

	if slices.Sort(names); len(names) > 1 {
		f.find(SeverityWarning, CheckBudget, w, fmt.Sprintf("Several PodDisruptionBudgets select its pods (%s): Kubernetes then evicts none of them, and a node that is drained waits without end.", strings.Join(names, ", ")), "let one PodDisruptionBudget alone select the pods")
	}

	return nil
}

// covers reports whether a budget selects a workload's pods.
func covers(b *policyv1.PodDisruptionBudget, w workload) bool {
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	return err == nil && b.Namespace == w.namespace && selector.Matches(labels.Set(w.template.Labels))
}

// budget tells of one budget, which counts the pods of all workloads that it selects together.
func (f *flight) budget(ctx context.Context, b *policyv1.PodDisruptionBudget, w workload) error {
	all, err := f.covered(ctx, b, w)
	if err != nil {
		return err
	}

	n, counted := int32(0), true
	var names []string
	for _, w := range all {
		n += w.replicas
		counted = counted && !w.assumed
		names = append(names, w.String())
	}

	object := about(fmt.Sprintf("PodDisruptionBudget %s/%s", b.Namespace, b.Name))
	if counted && n > 0 && allowed(b, n) <= 0 {
		next, err := f.loosen(ctx, b, all, n)
		if err != nil {
			return err
		}
		message := fmt.Sprintf("It lets none of the %s of %s go, so that a node that is drained waits without end, until somebody deletes the pods.", plural.Count(n, "pod"), strings.Join(names, ", "))
		if n == 1 {
			message = fmt.Sprintf("It does not let the only pod of %s go, so that a node that is drained waits without end, until somebody deletes the pod.", strings.Join(names, ", "))
		}
		f.find(SeverityWarning, CheckBudget, object, message, next)
		return nil
	}

	// The status of what a file changes is of an earlier state.
	if !f.reader.isAdded(b) {
		if message, next := blocked(b); message != "" {
			f.find(SeverityWarning, CheckBudget, object, message, next)
		}
	}
	return nil
}

// covered lists the workloads that a budget selects, of files and cluster.
func (f *flight) covered(ctx context.Context, b *policyv1.PodDisruptionBudget, w workload) ([]workload, error) {
	all, err := workloads(ctx, f.reader, w.namespace)
	if apierrors.IsForbidden(err) {
		return []workload{w}, nil
	}
	if err != nil {
		return nil, err
	}

	all = slices.DeleteFunc(append(all, f.customs...), func(w workload) bool { return !covers(b, w) })
	if !slices.ContainsFunc(all, func(o workload) bool { return o.String() == w.String() }) {
		all = append(all, w)
	}

	return all, nil
}

// loosen says how to change what a budget of n pods blocks. To let the only pod go would lose requests.
func (f *flight) loosen(ctx context.Context, b *policyv1.PodDisruptionBudget, all []workload, n int32) (string, error) {
	if n > 1 {
		return letOneGo(b, n), nil
	}

	more, err := f.more(ctx, all[0])
	if err == nil && allowed(b, 2) <= 0 {
		more += ", and " + letOneGo(b, 2)
	}
	return more, err
}

// letOneGo says how to have a budget of n pods let one of them go.
func letOneGo(b *policyv1.PodDisruptionBudget, n int32) string {
	field := fmt.Sprintf("minAvailable to %d or less", n-1)
	if b.Spec.MaxUnavailable != nil {
		field = "maxUnavailable to 1"
	}
	return "let at least one pod be unavailable: set " + field
}

// allowed is how many of n healthy pods a budget lets go.
func allowed(b *policyv1.PodDisruptionBudget, n int32) int32 {
	switch {
	case b.Spec.MaxUnavailable != nil:
		return scaled(b.Spec.MaxUnavailable, n, true)
	case b.Spec.MinAvailable != nil:
		return n - scaled(b.Spec.MinAvailable, n, true)
	}
	return n - 1 // minAvailable is 1 by default
}

// blocked says why a budget lets no pod go at present, by its status, and what to do; empty when it lets one go, when evictions
// are under way, or when the status is of an earlier state.
func blocked(b *policyv1.PodDisruptionBudget) (message, next string) {
	s := b.Status
	if s.ObservedGeneration < b.Generation || s.DisruptionsAllowed > 0 || len(s.DisruptedPods) > 0 {
		return "", ""
	}

	if c := meta.FindStatusCondition(s.Conditions, policyv1.DisruptionAllowedCondition); c != nil && c.Reason == policyv1.SyncFailedReason {
		return "Kubernetes cannot tell how many pods it lets go, and evicts none, so that a node that is drained waits without end: " + c.Message,
			"state minAvailable as a number, if the owner of the pods has no scale subresource; else correct what the message names"
	}

	switch {
	case s.ExpectedPods <= 0:
		return "", ""
	case s.CurrentHealthy < s.ExpectedPods:
		return fmt.Sprintf("It lets no pod go for now: %s to be Ready, and %d %s. A node that is drained waits for the others.",
				plural.Part(s.DesiredHealthy, s.ExpectedPods, "pod", "has", "have"), s.CurrentHealthy, plural.Of(s.CurrentHealthy, "is", "are")),
			fmt.Sprintf("find out why %d of its pods %s not Ready: podgate status -n %s", s.ExpectedPods-s.CurrentHealthy, plural.Of(s.ExpectedPods-s.CurrentHealthy, "is", "are"), b.Namespace)
	case s.ExpectedPods == 1: // To let the only pod go would lose requests.
		return "It does not let its only pod go, so that a node that is drained waits without end, until somebody deletes the pod.", "run more than one pod, and " + letOneGo(b, 2)
	}
	return fmt.Sprintf("It lets none of its %s go, so that a node that is drained waits without end, until somebody deletes the pods.", plural.Count(s.ExpectedPods, "pod")), letOneGo(b, s.ExpectedPods)
}

// more says how to run more than one pod of a workload: what an autoscaler keeps, nobody else can set.
func (f *flight) more(ctx context.Context, w workload) (string, error) {
	var all autoscalingv2.HorizontalPodAutoscalerList
	if err := f.reader.List(ctx, &all, client.InNamespace(w.namespace)); err != nil && !apierrors.IsForbidden(err) {
		return "", fmt.Errorf("list HorizontalPodAutoscalers: %w", err)
	}

	for i := range all.Items {
		a := &all.Items[i]
		if a.Spec.ScaleTargetRef.Kind != w.kind || a.Spec.ScaleTargetRef.Name != w.name {
			continue
		}
		if owner := metav1.GetControllerOf(a); owner != nil {
			return fmt.Sprintf("let %s %s, which made HorizontalPodAutoscaler %s, keep more than one pod", owner.Kind, owner.Name, a.Name), nil
		}
		return fmt.Sprintf("set minReplicas of HorizontalPodAutoscaler %s to more than one", a.Name), nil
	}

	if scaler := f.reader.scalerOf(w.kind, w.namespace, w.name); scaler != nil {
		return fmt.Sprintf("set minReplicaCount of ScaledObject %s to more than one", scaler.GetName()), nil
	}

	return "run more than one pod", nil
}

// stands tells of pods that are not Ready for which a rollout of a StatefulSet waits.
func (f *flight) stands(ctx context.Context, w workload) error {
	if w.kind != "StatefulSet" || w.custom || w.onDelete || w.selector == nil {
		return nil
	}

	pods, err := w.pods(ctx, f.reader)
	if err != nil {
		return f.Unknown.forgive(err, "whether a rollout waits for pods that are not Ready")
	}

	var names []string
	for i := range pods {
		if f.waitedFor(w, &pods[i]) {
			names = append(names, pods[i].Name)
		}
	}

	if slices.Sort(names); len(names) == 0 || !w.ordered && len(names) < int(w.atOnce) {
		return nil
	}

	why := "podManagementPolicy is OrderedReady: a rollout replaces no pod until all are Ready, not even one that the change would mend."
	if !w.ordered {
		why = "they have the latest revision: a rollout goes on when they are Ready."
	}
	f.find(SeverityWarning, CheckHalted, w, fmt.Sprintf("Not Ready: %s, and %s", strings.Join(names, ", "), why),
		fmt.Sprintf("find out why (podgate explain -n %s %s); if the rollout is to mend it, delete the pod once the change is applied", w.namespace, names[0]))
	return nil
}

// peers tells of a StatefulSet whose pods may wait for each other at their gates: a quorum that forms only when pods find each
// other does not, where they have DNS names only once their gates are open. That a pod is Ready shows that it works.
func (f *flight) peers(ctx context.Context, w workload) error {
	if w.governor == "" || w.replicas < 2 || w.selector == nil {
		return nil
	}

	var svc corev1.Service
	switch err := f.reader.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: w.governor}, &svc); {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return f.Unknown.forgive(err, "whether the pods of StatefulSets find each other before their gates are open")
	case svc.Spec.PublishNotReadyAddresses || svc.Spec.ClusterIP != corev1.ClusterIPNone:
		return nil
	}

	pods, err := w.pods(ctx, f.reader)
	if err != nil {
		return f.Unknown.forgive(err, "whether the pods of StatefulSets find each other before their gates are open")
	}
	if slices.ContainsFunc(pods, func(p corev1.Pod) bool { return isTrue(binding.Condition(&p, corev1.PodReady)) }) {
		return nil
	}

	message := fmt.Sprintf("Service %s gives a pod its DNS name when the pod is Ready, and so when its gates are open.", w.governor)
	next := "set publishNotReadyAddresses of the Service to true"
	if w.ordered {
		message += " Until then OrderedReady creates no further pod either."
		next += ", and podManagementPolicy of the StatefulSet to Parallel"
	}
	f.find(SeverityWarning, CheckPeers, w, message, "nothing, if a pod becomes healthy without the others; else "+next)
	return nil
}

// waitedFor reports whether a pod has not been Ready for a while, and a rollout would not replace it.
func (f *flight) waitedFor(w workload, pod *corev1.Pod) bool {
	since, ready := unreadySince(pod, corev1.PodReady)
	return !ready && f.now.Sub(since) >= stuckAfter && (w.ordered || pod.Labels["controller-revision-hash"] == w.revision)
}
