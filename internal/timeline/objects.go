// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"cmp"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// revisionAnnotation numbers the revisions of a Deployment on its ReplicaSets.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// Object folds in an object of the workload as it is at a time, or an event. It ignores objects of kinds that say nothing.
func (r *Recorder) Object(o any, at time.Time) {
	switch o := o.(type) {
	case *corev1.Pod:
		r.Pod(o, at)

	case *corev1.Event:
		r.Event(o)

	case *appsv1.ReplicaSet:
		number, _ := strconv.ParseInt(o.Annotations[revisionAnnotation], 10, 64)
		r.Revision(Revision{Hash: RevisionOf(o.Labels), Object: "ReplicaSet " + o.Name, Number: number, Created: o.CreationTimestamp.Time}, o.Name)

	case *appsv1.ControllerRevision:
		// Pods of a StatefulSet carry the name of the revision, those of a DaemonSet its hash.
		hash := cmp.Or(o.Labels[appsv1.ControllerRevisionHashLabelKey], o.Name)
		if c := metav1.GetControllerOf(o); c != nil && c.Kind == "StatefulSet" {
			hash = o.Name
		}
		r.Revision(Revision{Hash: hash, Object: "ControllerRevision " + o.Name, Number: o.Revision, Created: o.CreationTimestamp.Time}, "")

	case *appsv1.Deployment:
		r.Workload(Workload{Counted: true, Desired: wanted(o.Spec.Replicas), Updated: o.Status.UpdatedReplicas, ReadyPods: o.Status.ReadyReplicas})

	case *appsv1.StatefulSet:
		r.Workload(Workload{Counted: true, Desired: wanted(o.Spec.Replicas), Updated: o.Status.UpdatedReplicas, ReadyPods: o.Status.ReadyReplicas, UpdateRevision: o.Status.UpdateRevision})

	case *appsv1.DaemonSet:
		r.Workload(Workload{Counted: true, Desired: o.Status.DesiredNumberScheduled, Updated: o.Status.UpdatedNumberScheduled, ReadyPods: o.Status.NumberReady})
	}
}

// wanted is how many pods a workload is to have: one where it does not say.
func wanted(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}
