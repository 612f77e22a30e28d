// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package readinessgates

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check/manual"
	"github.com/podgate/podgate/internal/observe/checks"
)

// maxAsked bounds the events of one pass over a gate: the labels of pods may name thousands of revisions, and the recorder drops what
// it cannot take in.
const maxAsked = 10

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
		if a[key] == nil {
			a[key] = pod
		}
	}
}

// ask makes an event for each thing that begins to wait for people. Of pods that are approved one by one thousands may wait: the event
// names one of them, and another one once that waits no more. What has no event yet has one after a later pass.
func (r *Reconciler) ask(g *v1alpha1.ReadinessGate, needs approvals) {
	name := client.ObjectKeyFromObject(g)
	awaited := maps.Clone(r.awaited[name])
	maps.DeleteFunc(awaited, func(key manual.Key, _ bool) bool { return needs[key] == nil })
	if awaited == nil {
		awaited = map[manual.Key]bool{}
	}

	podNamed := slices.ContainsFunc(slices.Collect(maps.Keys(awaited)), ofPod)
	asked := 0
	for _, key := range slices.Sorted(maps.Keys(needs)) {
		if awaited[key] || ofPod(key) && podNamed || asked == maxAsked {
			continue
		}
		awaited[key], podNamed, asked = true, podNamed || ofPod(key), asked+1
		r.recorder.Eventf(g, needs[key], corev1.EventTypeNormal, v1alpha1.ReasonCheckNotApproved, "Approve", "%s", awaits(g, key, needs[key].Name))
	}

	if r.awaited[name] = awaited; len(awaited) == 0 {
		delete(r.awaited, name)
	}
}

// ofPod reports whether a key is that of a single pod.
func ofPod(key manual.Key) bool {
	_, ofRevision := key.Revision()
	return !ofRevision && key != manual.WholeGate
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
