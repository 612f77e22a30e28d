// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
)

// stuckAfter is how long containers may take to become ready before somebody is told.
const stuckAfter = time.Minute

// StuckPod is a pod with a gate, whose containers have not been ready for a while, so that the gate is not asked about.
type StuckPod struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	// Reason is what keeps its containers from being ready, as far as the pod says.
	Reason string `json:"reason"`
	// Rollout says what that means for its workload's rollout; empty where nothing is known of it.
	Rollout string      `json:"rollout,omitempty"`
	Since   metav1.Time `json:"since"`
	// Next is what to do.
	Next string `json:"next"`
}

// stuck finds pods that do not come to their gate, and what becomes of their rollout.
func (s *Status) stuck(ctx context.Context, r *snapshot) error {
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(s.namespace)); err != nil {
		return err
	}

	stands := rollouts{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		since, ready := unreadySince(pod, corev1.ContainersReady)
		if ready || s.now.Sub(since) < stuckAfter || len(r.kinds.Of(pod)) == 0 || !pod.DeletionTimestamp.IsZero() || binding.Over(pod) {
			continue
		}

		rollout, err := stands.of(ctx, r, pod)
		if err := s.Unknown.forgive(err, "what becomes of the rollouts of pods that are stuck"); err != nil {
			return err
		}
		s.Stuck = append(s.Stuck, StuckPod{Namespace: pod.Namespace, Pod: pod.Name, Reason: trouble(pod), Rollout: rollout, Since: metav1.NewTime(since), Next: untangle(pod)})
	}

	slices.SortStableFunc(s.Stuck, func(a, b StuckPod) int {
		if c := a.Since.Compare(b.Since.Time); c != 0 {
			return c
		}
		return compare(a.Namespace, b.Namespace, a.Pod, b.Pod)
	})
	return nil
}

// unreadySince returns since when a condition of a pod is not True; from its creation on where there is no such condition.
func unreadySince(pod *corev1.Pod, t corev1.PodConditionType) (since time.Time, ready bool) {
	c := binding.Condition(pod, t)
	if c == nil || c.LastTransitionTime.IsZero() {
		return pod.CreationTimestamp.Time, isTrue(c)
	}
	return c.LastTransitionTime.Time, isTrue(c)
}

// trouble is what keeps a pod's containers from being ready, in a few words.
func trouble(pod *corev1.Pod) string {
	if pod.Spec.NodeName == "" {
		if c := binding.Condition(pod, corev1.PodScheduled); c != nil && c.Reason != "" {
			return c.Reason
		}
		return "has no node"
	}
	if all := unready(pod); len(all) > 0 {
		return joined(all...)
	}
	return "containers are not ready"
}

// untangle is what to do about a pod whose containers do not become ready.
func untangle(pod *corev1.Pod) string {
	if pod.Spec.NodeName == "" {
		return fmt.Sprintf("find out why it gets no node: kubectl describe pod -n %s %s", pod.Namespace, pod.Name)
	}

	_, all := unreadyOf(pod)
	if len(all) == 0 {
		return fmt.Sprintf("find out why its containers do not start: kubectl describe pod -n %s %s", pod.Namespace, pod.Name)
	}

	// A container that never ran has no logs, and the latest of one that waits to run again are of the run before.
	c, previous := all[0], ""
	if w := c.State.Waiting; w != nil {
		if w.Reason != "CrashLoopBackOff" {
			return fmt.Sprintf("find out why container %s does not start: kubectl describe pod -n %s %s", c.Name, pod.Namespace, pod.Name)
		}
		previous = " --previous"
	}

	return fmt.Sprintf("look at the probes and logs of container %s (kubectl logs -n %s %s -c %s%s): the gate is asked about when the containers are ready", c.Name, pod.Namespace, pod.Name, c.Name, previous)
}

// unready names the containers that are not ready, and why they wait.
func unready(pod *corev1.Pod) []string {
	sort, all := unreadyOf(pod)
	var names []string
	for _, c := range all {
		names = append(names, sort+waits(c))
	}
	return names
}

// unreadyOf are the containers that keep a pod from being ready, and what sort they are of where they are no ordinary ones. While
// an init container has to end, all after it wait.
func unreadyOf(pod *corev1.Pod) (sort string, all []corev1.ContainerStatus) {
	native := func(name string) bool {
		return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool {
			return c.Name == name && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		})
	}

	running := slices.Clone(pod.Status.ContainerStatuses)
	for _, c := range pod.Status.InitContainerStatuses {
		begun := c.Started != nil && *c.Started
		switch {
		case native(c.Name) && begun:
			running = append(running, c)
		case native(c.Name):
			return "sidecar ", []corev1.ContainerStatus{c}
		case c.State.Terminated == nil || c.State.Terminated.ExitCode != 0:
			return "init container ", []corev1.ContainerStatus{c}
		}
	}

	return "", slices.DeleteFunc(running, func(c corev1.ContainerStatus) bool { return c.Ready })
}

// waits names a container, and why it waits.
func waits(c corev1.ContainerStatus) string {
	switch {
	case c.State.Waiting != nil && c.State.Waiting.Reason != "":
		return c.Name + ": " + c.State.Waiting.Reason
	case c.State.Terminated != nil && c.State.Terminated.Reason != "":
		return c.Name + ": " + c.State.Terminated.Reason
	}
	return c.Name
}

// rollouts are what rolloutOf said of the owners of pods, of which there may be many: when a registry is down, none comes up.
type rollouts map[types.UID]string

// of is rolloutOf for a pod's owner, which is asked about once; empty for a pod without one.
func (all rollouts) of(ctx context.Context, r *snapshot, pod *corev1.Pod) (string, error) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return "", nil
	}
	if said, known := all[owner.UID]; known {
		return said, nil
	}

	said, err := rolloutOf(ctx, r, pod.Namespace, owner)
	all[owner.UID] = said
	return said, err
}

// rolloutOf says what a pod that does not become ready means for its owner's rollout; empty where nothing is known of it.
func rolloutOf(ctx context.Context, r *snapshot, namespace string, owner *metav1.OwnerReference) (string, error) {
	key := client.ObjectKey{Namespace: namespace, Name: owner.Name}
	switch owner.Kind {
	case "StatefulSet":
		var set appsv1.StatefulSet
		if err := r.Get(ctx, key, &set); err != nil {
			return "", client.IgnoreNotFound(err)
		}
		if set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement {
			return fmt.Sprintf("StatefulSet %s waits for it (OrderedReady)", set.Name), nil
		}

	case "ReplicaSet":
		var set appsv1.ReplicaSet
		if err := r.Get(ctx, key, &set); err != nil {
			return "", client.IgnoreNotFound(err)
		}
		if maker := metav1.GetControllerOf(&set); maker != nil && maker.Kind == "Deployment" {
			return deploymentStands(ctx, r, client.ObjectKey{Namespace: namespace, Name: maker.Name})
		}
	}

	return "", nil
}

// deploymentStands says why a Deployment's rollout does not go on; empty when it does.
func deploymentStands(ctx context.Context, r *snapshot, key client.ObjectKey) (string, error) {
	var d appsv1.Deployment
	if err := r.Get(ctx, key, &d); err != nil {
		return "", client.IgnoreNotFound(err)
	}

	if d.Spec.Paused {
		return fmt.Sprintf("Deployment %s is paused", d.Name), nil
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("Deployment %s: %s", d.Name, c.Reason), nil
		}
	}
	return "", nil
}

// writeStuck is for people, where there is anything to say.
func (s *Status) writeStuck(p *paper) {
	if len(s.Stuck) == 0 {
		return
	}

	p.printf("\n%s\n", p.paint(bold, "STUCK before the gate: containers do not become ready"))
	headings := []string{"NAMESPACE", "POD", "REASON", "ROLLOUT", "FOR"}
	if p.wide {
		headings = append(headings, "NEXT")
	}

	var rows [][]string
	for _, pod := range s.Stuck[:min(len(s.Stuck), listed)] {
		row := []string{pod.Namespace, pod.Pod, pod.Reason, or(pod.Rollout), p.ago(pod.Since.Time)}
		if p.wide {
			row = append(row, pod.Next)
		}
		rows = append(rows, row)
	}

	p.table(headings, rows)
	p.more(len(s.Stuck) - listed)
}
