// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// revisionAnnotations number the revisions of a workload on its ReplicaSets; with the suffix -history they list the earlier numbers
// of a revision that a rollback made the latest again. Those of an Argo Rollout may have a Deployment's, too,
// which they were made from.
var revisionAnnotations = []string{"rollout.argoproj.io/revision", "deployment.kubernetes.io/revision"}

// Object folds in an object of the workload as it is at a time, or an event. It ignores objects of kinds that say nothing.
func (r *Recorder) Object(o any, at time.Time) {
	switch o := o.(type) {
	case *corev1.Pod:
		r.Pod(o, at)

	case *corev1.Event:
		r.Event(o)

	case *appsv1.ReplicaSet:
		v := Revision{Hash: RevisionOf(o.Labels), Object: "ReplicaSet " + o.Name, Created: o.CreationTimestamp.Time}
		field := ""
		for _, name := range revisionAnnotations {
			if n, err := strconv.ParseInt(o.Annotations[name], 10, 64); err == nil {
				v.Number, v.Again, field = n, o.Annotations[name+"-history"] != "", "f:"+name
				break
			}
		}
		r.numbered(v, written(o, field), at)
		r.Revision(v, o.Name)

	case *appsv1.ControllerRevision:
		v := Revision{Hash: r.hash(o.Name), Object: "ControllerRevision " + o.Name, Number: o.Revision, Created: o.CreationTimestamp.Time}
		r.numbered(v, written(o, "f:revision"), at)
		r.Revision(v, "")

	case *appsv1.Deployment:
		r.Workload(Workload{Counted: true, Desired: wanted(o.Spec.Replicas), Updated: o.Status.UpdatedReplicas, ReadyPods: o.Status.ReadyReplicas})

	case *appsv1.StatefulSet:
		r.Workload(Workload{Counted: true, Desired: wanted(o.Spec.Replicas), Updated: o.Status.UpdatedReplicas, ReadyPods: o.Status.ReadyReplicas, UpdateRevision: o.Status.UpdateRevision})

	case *appsv1.DaemonSet:
		r.Workload(Workload{Counted: true, Desired: o.Status.DesiredNumberScheduled, Updated: o.Status.UpdatedNumberScheduled, ReadyPods: o.Status.NumberReady})

	case *unstructured.Unstructured:
		r.Workload(counts(o))
	}
}

// written is when a field of an object was written last, at the latest: whoever wrote it may have changed others since. It is zero
// where the object does not say.
func written(o metav1.Object, field string) time.Time {
	var last time.Time
	for _, m := range o.GetManagedFields() {
		if m.Time != nil && m.FieldsV1 != nil && strings.Contains(m.FieldsV1.GetRawString(), `"`+field+`"`) && m.Time.After(last) {
			last = m.Time.Time
		}
	}
	return last
}

// counts reads a workload of a kind that podgate does not know from the fields that many kinds share.
func counts(o *unstructured.Unstructured) Workload {
	number := func(field ...string) (int32, bool) {
		n, stated, err := unstructured.NestedInt64(o.Object, field...)
		return int32(n), stated && err == nil
	}

	var w Workload
	for _, name := range []string{"updateRevision", "currentPodHash"} {
		if hash, _, _ := unstructured.NestedString(o.Object, "status", name); hash != "" {
			w.UpdateRevision = hash
			break
		}
	}

	// Who says which revision is the latest, says how many pods are of it, too, and may leave out a zero.
	desired, wants := number("spec", "replicas")
	updated, says := number("status", "updatedReplicas")
	ready, _ := number("status", "readyReplicas")
	if wants && (says || w.UpdateRevision != "") {
		w.Counted, w.Desired, w.Updated, w.ReadyPods = true, desired, updated, ready
	}
	return w
}

// wanted is how many pods a workload is to have: one where it does not say.
func wanted(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}
