// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// replicaSet is that of a revision, whose number was written at some second.
func replicaSet(hash, number, history string, created, written float64) *appsv1.ReplicaSet {
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Name: "web-" + hash, CreationTimestamp: stamp(created), Labels: map[string]string{"pod-template-hash": hash},
		Annotations: map[string]string{"deployment.kubernetes.io/revision": number, "deployment.kubernetes.io/revision-history": history},
	}}
	set.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "kubectl", Time: new(stamp(900)), FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{}}}`)},
		{Manager: "earlier", Time: new(stamp(created)), FieldsV1: metav1.NewFieldsV1(`{"f:deployment.kubernetes.io/revision":{}}`)},
		{Manager: "kube-controller-manager", Time: new(stamp(written)), FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{"f:deployment.kubernetes.io/revision":{}}}}`)},
		{Manager: "nobody", FieldsV1: metav1.NewFieldsV1(`{"f:deployment.kubernetes.io/revision":{}}`)}, {Manager: "nothing", Time: new(stamp(950))},
	}
	return set
}

// TestRollback: the creation of a revision's object says when the revision began, unless a rollback uses it again. Then other things
// tell when, and what is not known is not made up.
func TestRollback(t *testing.T) {
	const scaled = "Scaled up replica set web-6c from 0 to 1"
	written := func(after, at_ float64) Moment { return Moment{Known: Bounded, After: at(after), At: at(at_)} }
	for name, c := range map[string]struct {
		kind  string
		tell  func(r *Recorder)
		again bool
		want  Moment
	}{
		"a new revision": {"Deployment", func(r *Recorder) {
			r.Object(replicaSet("6c", "1", "", 0, 0), at(200))
			r.Object(replicaSet("7d", "2", "", 100, 130), at(200))
			r.Event(event("Deployment", "web", "ScalingReplicaSet", "Scaled up replica set web-7d from 0 to 1", 101))
		}, false, exact(100)},
		"a rollback, and an event tells": {"Deployment", func(r *Recorder) {
			r.Object(replicaSet("6c", "3", "1", 0, 180), at(200))
			r.Object(replicaSet("7d", "2", "", 100, 130), at(200))
			r.Event(event("Deployment", "web", "ScalingReplicaSet", scaled, 150))
			r.Event(event("Deployment", "web", "ScalingReplicaSet", "Scaled up replica set web-6c from 1 to 2", 140))
			r.Event(event("Deployment", "web", "ScalingReplicaSet", "Scaled up replica set web-7d from 0 to 1", 141))
			r.Event(event("Deployment", "web", "ScalingReplicaSet", "Scaled down replica set web-6c from 0 to 1", 142))
			r.Event(event("Deployment", "web", "Other", scaled, 143))
			r.Event(event("Deployment", "web", "ScalingReplicaSet", scaled, 100))
			r.Event(event("Deployment", "web", "ScalingReplicaSet", scaled, 160))
		}, true, exact(150)},
		"the event is told again": {"Deployment", func(r *Recorder) {
			r.Object(replicaSet("6c", "3", "1", 0, 180), at(200))
			r.Object(replicaSet("7d", "2", "", 100, 130), at(200))
			e := event("Deployment", "web", "ScalingReplicaSet", scaled, 1)
			e.Count, e.LastTimestamp = 2, stamp(150)
			r.Event(e)
		}, true, exact(150)},
		"only the object tells": {"Deployment", func(r *Recorder) {
			r.Object(replicaSet("6c", "3", "", 0, 180), at(200))
			r.Object(replicaSet("7d", "2", "", 100, 130), at(200))
		}, true, written(100, 180)},
		"there is a third, and the event is of an earlier rollout": {"Deployment", func(r *Recorder) {
			r.Object(replicaSet("6c", "3", "1", 0, 180), at(200))
			r.Object(replicaSet("7d", "2", "", 100, 130), at(200))
			r.Object(replicaSet("8e", "1", "", 50, 130), at(200))
			r.Event(event("Deployment", "web", "ScalingReplicaSet", scaled, 60))
		}, true, written(100, 180)},
		"nothing happens while nobody looks": {"Deployment", func(r *Recorder) {
			r.Object(replicaSet("6c", "1", "", 0, 0), at(200))
			r.Interrupted(at(205))
			r.Object(replicaSet("6c", "1", "", 0, 0), at(220))
		}, false, exact(0)},
		"nobody remembers": {"Deployment", func(r *Recorder) {
			r.Object(replicaSet("6c", "3", "1", 0, 100), at(200))
			r.Object(replicaSet("7d", "2", "", 100, 130), at(200))
		}, true, Moment{}},
		"the other is gone": {"Deployment", func(r *Recorder) {
			r.Object(replicaSet("6c", "3", "1", 0, 180), at(200))
		}, true, written(0, 180)},
		"a rollback is seen": {"Deployment", func(r *Recorder) {
			for _, seen := range []float64{200, 201} {
				r.Object(replicaSet("6c", "1", "", 0, 0), at(seen))
				r.Object(replicaSet("7d", "2", "", 100, 130), at(seen))
			}
			r.Object(replicaSet("6c", "3", "1", 0, 201), at(202))
			r.Object(replicaSet("6c", "3", "1", 0, 210), at(211))
		}, true, exact(202)},
		"a rollback while nobody looks": {"Deployment", func(r *Recorder) {
			r.Object(replicaSet("6c", "1", "", 0, 0), at(200))
			r.Object(replicaSet("7d", "2", "", 100, 130), at(200))
			r.Interrupted(at(205))
			r.Object(replicaSet("6c", "3", "1", 0, 210), at(220))
			r.Resumed(at(220))
		}, true, written(205, 220)},
		"the only one is seen to be numbered again": {"Deployment", func(r *Recorder) {
			r.Object(replicaSet("6c", "1", "", 0, 0), at(200))
			r.Object(replicaSet("6c", "3", "", 0, 0), at(202))
		}, true, exact(202)},
		"a StatefulSet": {"StatefulSet", func(r *Recorder) {
			for name, c := range map[string][3]float64{"web-6c": {3, 0, 180}, "web-7d": {2, 100, 100}} {
				r.Object(&appsv1.ControllerRevision{Revision: int64(c[0]), ObjectMeta: metav1.ObjectMeta{
					Name: name, CreationTimestamp: stamp(c[1]),
					ManagedFields: []metav1.ManagedFieldsEntry{{Time: new(stamp(c[2])), FieldsV1: metav1.NewFieldsV1(`{"f:revision":{}}`)}},
				}}, at(200))
			}
		}, true, written(100, 180)},
		"only pods are known": {"StatefulSet", func(r *Recorder) {
			r.Workload(Workload{UpdateRevision: "web-6c"})
			r.Pod(pod("web-0", "web-6c", 50), at(60))
		}, false, Moment{Known: Bounded, At: at(50)}},
		"nothing is known": {"StatefulSet", func(r *Recorder) {
			r.Workload(Workload{UpdateRevision: "web-6c"})
			r.Revision(Revision{Hash: "web-6c", Object: "ControllerRevision web-6c"}, "")
		}, false, Moment{}},
	} {
		r := NewRecorder(c.kind, "shop", "web")
		c.tell(r)
		w := r.Timeline(at(0), at(300)).Workload
		v, known := w.Latest()
		if diff := cmp.Diff(c.want, v.Began); !known || diff != "" || v.Again != c.again {
			t.Errorf("%s: known %t, again %t, began -want +got:\n%s", name, known, v.Again, diff)
		}
		for _, v := range w.Revisions {
			if !v.Latest && (v.Again || v.Began != Moment{}) {
				t.Errorf("%s: it is not the latest: %+v", name, v)
			}
		}
	}
}
