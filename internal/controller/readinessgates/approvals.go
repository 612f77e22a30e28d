// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package readinessgates

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check/manual"
	"github.com/podgate/podgate/internal/observe/checks"
)

// anyPod is the key of what waits where each pod is approved by itself: thousands may wait, and one event is enough.
const anyPod manual.Key = "pod/"

// approvals are what people are asked to approve, each with a pod that waits for it.
type approvals map[manual.Key]*corev1.Pod

// add adds what a pod waits for, apart from what was given.
func (a approvals) add(g *v1alpha1.ReadinessGate, given manual.Approvals, pod *corev1.Pod) {
	for _, c := range g.Spec.Checks {
		if c.Manual == nil || c.Manual.Initially == v1alpha1.InitiallyOpen {
			continue
		}

		key := manual.KeyOf(c.Manual.Scope, checks.SubjectOf(pod))
		if _, approved := given[key]; approved {
			continue
		}
		if _, ofRevision := key.Revision(); !ofRevision && key != manual.WholeGate {
			key = anyPod
		}
		if a[key] == nil {
			a[key] = &corev1.Pod{TypeMeta: pod.TypeMeta, ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}}
		}
	}
}

// ask makes an event for each thing that begins to wait for people.
func (r *Reconciler) ask(g *v1alpha1.ReadinessGate, needs approvals) {
	name := client.ObjectKeyFromObject(g)
	before, now := r.awaited[name], map[manual.Key]bool{}
	for _, key := range slices.SortedFunc(maps.Keys(needs), cmp.Compare) {
		now[key] = true
		if !before[key] {
			r.recorder.Eventf(g, needs[key], corev1.EventTypeNormal, v1alpha1.ReasonCheckNotApproved, "Approve", "%s", awaits(g, key, needs[key].Name))
		}
	}

	if r.awaited[name] = now; len(now) == 0 {
		delete(r.awaited, name)
	}
}

// awaits says what waits, and how it is approved.
func awaits(g *v1alpha1.ReadinessGate, key manual.Key, pod string) string {
	what, flag := "A pod, such as "+pod+",", " --pod "+pod
	if revision, is := key.Revision(); is {
		what, flag = "Revision "+revision, " --revision "+revision
	} else if key == manual.WholeGate {
		what, flag = "The gate", ""
	}
	return fmt.Sprintf("%s waits for an approval: kubectl podgate approve -n %s %s%s --reason '...'", what, g.Namespace, g.Name, flag)
}
