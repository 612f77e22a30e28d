// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/plural"
)

const (
	// defaultWait is how long wait waits.
	defaultWait = 5 * time.Minute
	// look is the time between two looks.
	look = time.Second
)

func newWait(e *environment) *cobra.Command {
	timeout := defaultWait
	cmd := &cobra.Command{
		Use:   "wait POD|KIND/NAME",
		Short: "Wait until the gates of a pod, or of a workload's pods, are open",
		Long: "wait waits until every readiness gate of a pod is open; of a workload, until its rollout has come to its end and every gate of its pods is open. A workload may be of any kind that makes pods, such as an Argo Rollout; what its kind does not say is noted, and then its pods decide. It writes what it waits for " +
			"to standard error as it changes. A partition, or OnDelete, keeps pods of an earlier revision on purpose: wait does not wait for their update. Exit code 0: all are open; 1: not in time, or what is waited for cannot come by itself, as with a pod without a gate or a paused Deployment; 2: it could not tell.",
		Example:           "  podgate wait -n shop deploy/web --timeout 10m\n  podgate wait -n shop rollouts.argoproj.io/web\n  podgate wait -n shop web-5d8f7c9b6-x2x4p",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: e.completePods,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.wait(cmd.Context(), args[0], timeout)
		},
	}

	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait")
	return cmd
}

// Waited is how waiting ended.
type Waited struct {
	// Open: every gate is open.
	Open bool `json:"open"`
	// Pods are those that were looked at last.
	Pods []string `json:"pods"`
	// For is what is still waited for.
	For []string `json:"for,omitempty"`
	// Note is what people may not expect of the workload's rollout.
	Note string `json:"note,omitempty"`
	// Never: what is waited for will not come by itself.
	Never bool `json:"never,omitempty"`
}

func (e *environment) wait(ctx context.Context, what string, timeout time.Duration) error {
	kube, namespace, err := e.here()
	if err != nil {
		return err
	}

	kind, name, known := named(what)
	w := waiter{environment: e, kube: kube, kind: kind, key: types.NamespacedName{Namespace: namespace, Name: name}}
	if !known {
		if w.custom, err = kindCalled(kube, kind); err != nil {
			return err
		}
		w.kind = w.custom.Kind
		if _, native := kindsOf[strings.ToLower(w.kind)]; native && w.custom.Group == "apps" {
			w.custom = schema.GroupVersionKind{}
		}
	}

	ended, err := w.until(ctx, timeout)
	if err != nil {
		return err
	}

	if err := e.write(ended, ended.write); err != nil {
		return err
	}

	if !ended.Open {
		return errNo
	}

	return nil
}

// waiter waits for one pod or workload.
type waiter struct {
	*environment
	kube client.Client
	kind string
	// custom is a kind that podgate does not know.
	custom schema.GroupVersionKind
	key    types.NamespacedName
	said   []string
}

// until looks again and again. An API server that does not answer for a moment is waited for, too.
func (w *waiter) until(ctx context.Context, timeout time.Duration) (*Waited, error) {
	late := time.NewTimer(timeout)
	defer late.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	var last *Waited
	for {
		now, err := w.lookFor(ctx, answerWithin)
		switch {
		case err == nil:
			last = now
		case last == nil || apierrors.IsNotFound(err) || apierrors.IsForbidden(err):
			return nil, err
		default:
			last.For = []string{err.Error()}
		}

		if last.Open || last.Never {
			return last, nil
		}

		w.say(last)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late.C:
			return last, nil
		case <-tick.C:
		}
	}
}

// answerWithin is how long the API server is waited for at a time.
const answerWithin = 10 * time.Second

func (w *waiter) lookFor(ctx context.Context, limit time.Duration) (*Waited, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return w.look(ctx)
}

// say writes what is waited for when it changed.
func (w *waiter) say(now *Waited) {
	for _, line := range now.For {
		if !slices.Contains(w.said, line) {
			_, _ = fmt.Fprintf(w.Err, "%s %s\n", w.Now().UTC().Format(time.TimeOnly), line)
		}
	}
	w.said = now.For
}

// look looks once.
func (w *waiter) look(ctx context.Context) (*Waited, error) {
	if w.kind == "Pod" {
		var pod corev1.Pod
		if err := w.kube.Get(ctx, w.key, &pod); err != nil {
			return nil, fmt.Errorf("get pod %s: %w", w.key, err)
		}
		return judge([]corev1.Pod{pod}, progress{wanted: 1, exist: 1}), nil
	}

	if !w.custom.Empty() {
		return w.lookCustom(ctx)
	}

	object := map[string]client.Object{"Deployment": &appsv1.Deployment{}, "StatefulSet": &appsv1.StatefulSet{}, "DaemonSet": &appsv1.DaemonSet{}, "ReplicaSet": &appsv1.ReplicaSet{}}[w.kind]
	if err := w.kube.Get(ctx, w.key, object); err != nil {
		return nil, fmt.Errorf("get %s %s: %w", w.kind, w.key, err)
	}

	made, _ := workloadOf(object)
	if made.selector == nil {
		return nil, fmt.Errorf("%s %s is another object's: wait for that", w.kind, w.key)
	}

	pods, err := made.pods(ctx, w.kube)
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", made, err)
	}

	return judge(pods, progressOf(object)), nil
}

// progress is how far a workload's rollout has come.
type progress struct {
	generation, observed int64
	// wanted pods are to exist, of which latest are to be of the latest revision.
	wanted, latest int32
	// exist and updated are how many do, and are.
	exist, updated int32
	// halted says why the rollout does not go on by itself; empty when it does.
	halted string
	// note is what people may not expect of an end of this kind of rollout; may be empty.
	note string
	// further is what the rollout has to do besides, as the workload itself says.
	further []string
	// surplus: pods beyond those that are wanted may be there on purpose.
	surplus bool
}

// progressOf reads a workload's status. How many pods a rollout replaces is for its strategy
// to say: a partition keeps pods on purpose, and with OnDelete somebody has to delete them.
func progressOf(object client.Object) progress {
	var p progress
	switch o := object.(type) {
	case *appsv1.Deployment:
		p = progress{generation: o.Generation, observed: o.Status.ObservedGeneration, wanted: replicas(o.Spec.Replicas), exist: o.Status.Replicas, updated: o.Status.UpdatedReplicas}
		p.latest = p.wanted
		if o.Spec.Paused {
			p.halted = fmt.Sprintf("the Deployment is paused: kubectl rollout resume -n %s deployment/%s lets it go on", o.Namespace, o.Name)
		}

	case *appsv1.StatefulSet:
		p = progress{generation: o.Generation, observed: o.Status.ObservedGeneration, wanted: replicas(o.Spec.Replicas), exist: o.Status.Replicas, updated: o.Status.UpdatedReplicas}
		p.latest = p.wanted

		// Where the template has not changed, every pod is of the latest revision, and the
		// status counts none of them as updated.
		if o.Status.UpdateRevision == o.Status.CurrentRevision {
			p.updated = p.exist
		}

		u := o.Spec.UpdateStrategy
		switch {
		case u.Type == appsv1.OnDeleteStatefulSetStrategyType:
			p.latest, p.note = 0, onDelete
		case u.RollingUpdate != nil && u.RollingUpdate.Partition != nil && *u.RollingUpdate.Partition > 0:
			kept := min(*u.RollingUpdate.Partition, p.wanted)
			p.latest -= kept
			p.note = fmt.Sprintf("the partition keeps %s at an earlier revision when the template changes", plural.Count(kept, "pod"))
		}

	case *appsv1.DaemonSet:
		p = progress{generation: o.Generation, observed: o.Status.ObservedGeneration, wanted: o.Status.DesiredNumberScheduled, exist: o.Status.CurrentNumberScheduled, updated: o.Status.UpdatedNumberScheduled}
		p.latest = p.wanted
		if o.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
			p.latest, p.note = 0, onDelete
		}

	case *appsv1.ReplicaSet:
		// A ReplicaSet does no rollouts: it only makes pods.
		p = progress{generation: o.Generation, observed: o.Status.ObservedGeneration, wanted: replicas(o.Spec.Replicas), exist: o.Status.Replicas}
	}

	return p
}

// onDelete is the note about a workload whose pods are replaced only when somebody deletes them.
const onDelete = "the update strategy is OnDelete, so there is no rollout to wait for: pods of an earlier revision stay until somebody deletes them"

// todo is what the rollout still has to do; nothing when it has come to its end. Pods that
// are not Ready do not count: they are what is waited for.
func (p progress) todo(pods int) []string {
	switch {
	case p.observed < p.generation:
		return []string{"the controller of workloads has not seen the latest change"}
	case p.updated < p.latest:
		return append([]string{plural.Part(p.updated, p.latest, "pod", "is", "are") + " of the latest revision"}, p.further...)
	case p.exist < p.wanted:
		return append([]string{plural.Part(p.exist, p.wanted, "pod", "has", "have") + " been created"}, p.further...)
	case pods > int(p.wanted) && !p.surplus:
		return []string{fmt.Sprintf("%s of an earlier revision %s still there", plural.Count(pods-int(p.wanted), "pod"), plural.Of(pods-int(p.wanted), "is", "are"))}
	}
	return p.further
}

// judge reports what pods wait for, after what their workload's rollout has to do.
func judge(pods []corev1.Pod, p progress) *Waited {
	todo := p.todo(len(pods))
	w := &Waited{Pods: []string{}, For: todo, Note: p.note}

	ungated := 0
	for i := range pods {
		pod := &pods[i]
		w.Pods = append(w.Pods, pod.Name)
		w.For = append(w.For, closedGates(pod)...)
		if len(pod.Spec.ReadinessGates) == 0 {
			ungated++
			w.For = append(w.For, fmt.Sprintf("pod %s has no readiness gate: podgate explain -n %s %s says why", pod.Name, pod.Namespace, pod.Name))
		}
		if !pod.DeletionTimestamp.IsZero() || binding.Over(pod) {
			w.Never = true
			w.For = append(w.For, fmt.Sprintf("pod %s has ended, or is being deleted", pod.Name))
		}
	}

	slices.Sort(w.Pods)

	// A gate cannot be added to a pod that exists, and a halted rollout does not go on by
	// itself. While a gate is closed besides, there is something to wait for.
	w.Never = w.Never || len(todo) == 0 && ungated > 0 && len(w.For) == ungated
	if p.halted != "" && len(todo) > 0 && p.observed >= p.generation {
		w.Never = w.Never || len(w.For) == len(todo)
		w.For = append(w.For, p.halted)
	}

	w.Open = len(w.For) == 0
	return w
}

// closedGates says which gates of a pod are not open.
func closedGates(pod *corev1.Pod) []string {
	var closed []string
	for _, g := range pod.Spec.ReadinessGates {
		report := conditionReport(pod, g.ConditionType)
		if report.open() {
			continue
		}
		why := joined(report.Reason, report.Message)
		if !isTrue(binding.Condition(pod, corev1.ContainersReady)) {
			why = "its containers are not ready"
		}
		if why == "" {
			why = "nobody has said anything about it yet"
		}
		closed = append(closed, fmt.Sprintf("pod %s waits at gate %s: %s", pod.Name, report.Type, why))
	}

	return closed
}

// write is for people.
func (w *Waited) write(p *paper) {
	if w.Open {
		p.printf("%s: the gates of %s.\n", p.paint(green, "open"), plural.Count(len(w.Pods), "pod"))
	} else {
		p.printf("%s\n", p.paint(red, "not open:"))
		for _, line := range w.For {
			p.printf("  %s\n", line)
		}
	}
	if w.Note != "" {
		p.printf("note: %s.\n", w.Note)
	}
}
