// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/timeline"
)

// rolled makes a Deployment web in the middle of a rollout: a pod of the earlier revision, one of the latest that waits, one that
// is gone, and a pod of somebody else with the same labels.
func (c *cluster) rolled() {
	c.Helper()
	labels := map[string]string{"app": "web"}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}
	c.create(d)
	d.Status.Replicas, d.Status.UpdatedReplicas = 2, 1
	if err := c.kube.Status().Update(c.Context(), d); err != nil {
		c.Fatal(err)
	}

	owners := map[string]metav1.OwnerReference{"other": {APIVersion: "batch/v1", Kind: "Job", Name: "other", UID: "job", Controller: new(true)}}
	for i, hash := range []string{"7c9b", "5d4f"} {
		hashed := map[string]string{"app": "web", "pod-template-hash": hash}
		set := &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{
				Name: "web-" + hash, Labels: hashed, Annotations: map[string]string{"deployment.kubernetes.io/revision": string(rune('1' + i))},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: d.UID, Controller: new(true)}},
			},
			Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: hashed}, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: hashed}, Spec: template.Spec}},
		}
		c.create(set)
		owners[hash] = metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set.Name, UID: set.UID, Controller: new(true)}
	}

	for name, hash := range map[string]string{"web-7c9b-aaaaa": "7c9b", "web-5d4f-bbbbb": "5d4f", "job-1": "other"} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "web", "pod-template-hash": hash}, OwnerReferences: []metav1.OwnerReference{owners[hash]}}, Spec: template.Spec}
		pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "targets.podgate.dev/web"}}
		c.create(pod)
		c.condition(pod, corev1.ContainersReady, corev1.ConditionTrue, "", "")
		if hash == "7c9b" {
			c.condition(pod, "targets.podgate.dev/web", corev1.ConditionTrue, "Healthy", "")
			c.condition(pod, corev1.PodReady, corev1.ConditionTrue, "", "")
		} else {
			c.condition(pod, "targets.podgate.dev/web", corev1.ConditionFalse, "Target.Timeout", "Request timed out")
		}
	}

	for name, e := range map[string]corev1.Event{
		"1": {InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "web-7c9b-ccccc"}, Reason: "Killing", Message: "Stopping container app"},
		"2": {InvolvedObject: corev1.ObjectReference{Kind: "ReplicaSet", Name: "web-7c9b"}, Reason: "KilledUndrained", Message: "it stopped 5 s too early", Type: "Warning"},
		"3": {InvolvedObject: corev1.ObjectReference{Kind: "ReplicaSet", Name: "shop-1"}, Reason: "KilledUndrained", Message: "somebody else's", Type: "Warning"},
		"4": {InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "shop-1-ccccc"}, Reason: "Killing", Message: "somebody else's"},
	} {
		e.ObjectMeta, e.InvolvedObject.Namespace = metav1.ObjectMeta{Name: "event-" + name}, c.ns
		e.FirstTimestamp, e.LastTimestamp, e.Count = metav1.Now(), metav1.Now(), 1
		c.create(&e)
	}
}

// lanes are the pods of a timeline as it is written for programs.
func (c *cluster) lanes(a answer) (timeline.Timeline, []string) {
	c.Helper()
	var t timeline.Timeline
	if err := json.Unmarshal([]byte(a.out), &t); err != nil {
		c.Fatalf("%v: %s%s", err, a.out, a.err)
	}
	var pods []string
	for _, l := range t.Lanes {
		pods = append(pods, l.Pod)
	}
	slices.Sort(pods)
	return t, pods
}

func TestTimeline(t *testing.T) {
	c := newCluster(t, nil)
	c.rolled()

	c.has(c.run("timeline", "deploy/web"), ExitDone,
		"Deployment "+c.ns+"/web: 1 of 2 pods is of the latest revision, 0 are Ready",
		"web-7c9b-aaaaa", "old 7c9b", "web-5d4f-bbbbb", "new 5d4f", "CLOSED GATES", "Target.Timeout, for",
		"next      look for a security group", "WARNINGS, the latest", "it stopped 5 s too early")

	got, pods := c.lanes(c.run("timeline", "deployment/web", "-o", "json"))
	if want := []string{"web-5d4f-bbbbb", "web-7c9b-aaaaa", "web-7c9b-ccccc"}; !slices.Equal(pods, want) {
		t.Errorf("pods %v, want %v", pods, want)
	}
	if len(got.Unknown) > 0 || len(got.Marks) != 1 || len(got.Workload.Revisions) != 2 || !got.Workload.Revisions[0].Latest {
		t.Errorf("unknown %q, events %+v, revisions %+v", got.Unknown, got.Marks, got.Workload.Revisions)
	}
	if _, same := c.lanes(c.run("timeline", "deploy/web", "--json", "-")); !slices.Equal(same, pods) {
		t.Errorf("--json - has other pods: %v", same)
	}

	file := filepath.Join(t.TempDir(), "web.html")
	c.has(c.run("timeline", "deploy/web", "--html", file), ExitDone, "is in "+file)
	page, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(page), "Pod web-5d4f-bbbbb, new revision 5d4f") {
		t.Errorf("%v: the page lacks the pod", err)
	}
}

func TestTimelineOfOthers(t *testing.T) {
	c := newCluster(t, nil)
	c.rolled()
	if _, pods := c.versions(c.run("timeline", "web-7c9b-aaaaa", "-o", "json")); !slices.Equal(pods, []string{"web-7c9b-aaaaa  7c9b"}) {
		t.Errorf("of a pod: %v", pods)
	}
	if got, pods := c.lanes(c.run("timeline", "pod/web-7c9b-ccccc", "-o", "json")); !slices.Equal(pods, []string{"web-7c9b-ccccc"}) || !got.Lanes[0].Told {
		t.Errorf("of a pod that is gone: %v", pods)
	}
	if _, pods := c.lanes(c.run("timeline", "rs/web-5d4f", "-o", "json")); !slices.Equal(pods, []string{"web-5d4f-bbbbb"}) {
		t.Errorf("of a ReplicaSet: %v", pods)
	}
	c.has(c.run("timeline", "nobody"), ExitError, "it is not there, and no event of the last 1h0m0s tells of it")
	c.has(c.run("timeline", "deploy/nobody"), ExitError, `"nobody" not found`)
	c.has(c.run("timeline", "cow/web"), ExitError, `the cluster has no kind "cow"`)
}

// ofRevisions makes pods of a workload, and what keeps its revisions: those of name 1 are of the earlier one. Each pod has labels by
// which its maker tells revisions apart.
func (c *cluster) ofRevisions(workload client.Object, kind string, kept map[string]client.Object, pods map[string]map[string]string) {
	c.Helper()
	group := workload.GetObjectKind().GroupVersionKind().GroupVersion().String()
	owners := map[string]metav1.OwnerReference{"": {APIVersion: group, Kind: kind, Name: workload.GetName(), UID: workload.GetUID(), Controller: new(true)}}
	for name, o := range kept {
		o.SetName(name)
		o.SetOwnerReferences([]metav1.OwnerReference{owners[""]})
		c.create(o)
		if _, set := o.(*appsv1.ReplicaSet); set {
			owners[name] = metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name, UID: o.GetUID(), Controller: new(true)}
		}
	}
	for name, labels := range pods {
		owner, ofSet := owners[name[:strings.LastIndex(name, "-")]]
		if !ofSet {
			owner = owners[""]
		}
		c.create(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, OwnerReferences: []metav1.OwnerReference{owner}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
		})
	}
}

// versions are the pods of a timeline, each with whether it is of an old revision or of the new one.
func (c *cluster) versions(a answer) (timeline.Timeline, []string) {
	c.Helper()
	t, _ := c.lanes(a)
	var pods []string
	for i := range t.Lanes {
		pods = append(pods, strings.Join([]string{t.Lanes[i].Pod, t.Lanes[i].Version(), t.Lanes[i].Revision}, " "))
	}
	slices.Sort(pods)
	return t, pods
}

// kept is a ControllerRevision.
func kept(number int64) client.Object {
	return &appsv1.ControllerRevision{Revision: number, Data: runtime.RawExtension{Raw: []byte("{}")}}
}

// TestTimelineOfSets: the pods of a StatefulSet and of a DaemonSet are of its revisions, which each calls in its own way.
func TestTimelineOfSets(t *testing.T) {
	c := newCluster(t, nil)
	labels := map[string]string{"app": "db"}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "db"}, Spec: appsv1.StatefulSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}
	c.create(set)
	set.Status.UpdateRevision = "db-2"
	if err := c.kube.Status().Update(c.Context(), set); err != nil {
		t.Fatal(err)
	}
	set.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("StatefulSet"))
	c.ofRevisions(set, "StatefulSet", map[string]client.Object{"db-1": kept(1), "db-2": kept(2)},
		map[string]map[string]string{"db-0": {"controller-revision-hash": "db-1"}, "db-1": {"controller-revision-hash": "db-2"}})
	if _, pods := c.versions(c.run("timeline", "sts/db", "-o", "json")); !slices.Equal(pods, []string{"db-0 old db-1", "db-1 new db-2"}) {
		t.Errorf("StatefulSet: %q", pods)
	}

	agents := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "agent"}, Spec: appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}
	c.create(agents)
	agents.Status.DesiredNumberScheduled, agents.Status.UpdatedNumberScheduled, agents.Status.NumberReady = 3, 1, 2
	if err := c.kube.Status().Update(c.Context(), agents); err != nil {
		t.Fatal(err)
	}
	agents.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("DaemonSet"))
	c.ofRevisions(agents, "DaemonSet", map[string]client.Object{"agent-6c": kept(4), "agent-7d": kept(3)},
		map[string]map[string]string{"agent-aaaaa": {"controller-revision-hash": "6c"}, "agent-bbbbb": {"controller-revision-hash": "7d"}})
	c.event("DaemonSet", "agent", "SuccessfulDelete", "Deleted pod: agent-ccccc")

	got, pods := c.versions(c.run("timeline", "ds/agent", "-o", "json"))
	if !slices.Equal(pods, []string{"agent-aaaaa new 6c", "agent-bbbbb old 7d", "agent-ccccc  "}) {
		t.Errorf("DaemonSet: %q", pods)
	}
	if w := got.Workload; !w.Counted || w.Desired != 3 || w.Updated != 1 || w.ReadyPods != 2 {
		t.Errorf("counts of the DaemonSet: %+v", w)
	}
	c.has(c.run("timeline", "ds/agent"), ExitDone, "agent-ccccc   ? ")
}

// event is one that is told now.
func (c *cluster) event(kind, name, reason, message string) {
	c.Helper()
	c.create(&corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "event-"}, InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name, Namespace: c.ns},
		Reason: reason, Message: message, FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(), Count: 1,
	})
}

// TestTimelineOfCustomWorkloads: an Argo Rollout has ReplicaSets, a CloneSet has ControllerRevisions, and what makes its pods through
// a StatefulSet is said to do so.
func TestTimelineOfCustomWorkloads(t *testing.T) {
	c := newCluster(t, nil)
	for plural, kind := range map[string]string{"rollouts.argoproj.io": "Rollout", "clonesets.apps.kruise.io": "CloneSet", "databases.example.org": "Database"} {
		name, group, _ := strings.Cut(plural, ".")
		definition := manifest(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: `+plural+`}, spec: {group: `+group+`, scope: Namespaced,
			names: {kind: `+kind+`, plural: `+name+`}, versions: [{name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`)
		if err := client.IgnoreAlreadyExists(c.kube.Create(c.Context(), definition)); err != nil {
			t.Fatal(err)
		}
	}

	// Its status leaves out a zero.
	rollout := manifest(t, `{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web}, spec: {replicas: 2}, status: {replicas: 2, updatedReplicas: 1, currentPodHash: 5d4f, stableRS: 7c9b}}`)
	c.eventuallyCreate(rollout)
	revision := func(number, hash string) client.Object {
		labels := map[string]string{"rollouts-pod-template-hash": hash}
		return &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"rollout.argoproj.io/revision": number, "deployment.kubernetes.io/revision": "9"}, Labels: labels},
			Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
			}},
		}
	}
	c.ofRevisions(rollout, "Rollout", map[string]client.Object{"web-7c9b": revision("1", "7c9b"), "web-5d4f": revision("2", "5d4f")},
		map[string]map[string]string{"web-7c9b-aaaaa": {"rollouts-pod-template-hash": "7c9b"}, "web-5d4f-bbbbb": {"rollouts-pod-template-hash": "5d4f"}})
	c.event("ReplicaSet", "web-7c9b", "SuccessfulDelete", "Deleted pod: web-7c9b-ccccc")

	got, pods := c.versions(c.run("timeline", "rollouts.argoproj.io/web", "-o", "json"))
	if !slices.Equal(pods, []string{"web-5d4f-bbbbb new 5d4f", "web-7c9b-aaaaa old 7c9b", "web-7c9b-ccccc old 7c9b"}) {
		t.Errorf("Rollout: %q", pods)
	}
	if w := got.Workload; !w.Counted || w.Desired != 2 || w.Updated != 1 || w.ReadyPods != 0 || w.Revisions[0].Number != 2 {
		t.Errorf("counts of the Rollout: %+v", w)
	}

	clones := manifest(t, `{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, metadata: {name: web}, spec: {replicas: 3}, status: {updatedReplicas: 1, readyReplicas: 3, updateRevision: web-6c}}`)
	c.create(clones)
	c.ofRevisions(clones, "CloneSet", map[string]client.Object{"web-6c": kept(2), "web-8f": kept(1)}, map[string]map[string]string{
		"web-x1": {"controller-revision-hash": "web-6c", "pod-template-hash": "6c"}, "web-x2": {"controller-revision-hash": "web-8f"}, "web-x3": {"controller-revision-hash": "8f"},
	})
	c.event("CloneSet", "web", "SuccessfulDelete", "succeed to delete pod web-x4")

	got, pods = c.versions(c.run("timeline", "clonesets.apps.kruise.io/web", "-o", "json"))
	if !slices.Equal(pods, []string{"web-x1 new 6c", "web-x2 old 8f", "web-x3 old 8f", "web-x4  "}) {
		t.Errorf("CloneSet: %q", pods)
	}
	if w := got.Workload; !w.Counted || w.Desired != 3 || w.Updated != 1 || w.ReadyPods != 3 || len(w.Revisions) != 2 {
		t.Errorf("counts of the CloneSet: %+v", w)
	}

	database := manifest(t, `{apiVersion: example.org/v1alpha1, kind: Database, metadata: {name: db}, spec: {}}`)
	c.create(database)
	labels := map[string]string{"app": "db"}
	c.create(&appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "db-main", OwnerReferences: []metav1.OwnerReference{{APIVersion: "example.org/v1alpha1", Kind: "Database", Name: "db", UID: database.GetUID(), Controller: new(true)}}},
		Spec: appsv1.StatefulSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
		}},
	})
	c.has(c.run("timeline", "database/db"), ExitDone, "Database "+c.ns+"/db: how many pods it wants is not known", "note: Database db makes no pods itself: ask about statefulset/db-main")
}

// TestTimelineOfARollback: the ReplicaSet of a rollback is old. What says since when it is in use again is its own last change, or an event.
func TestTimelineOfARollback(t *testing.T) {
	c := newCluster(t, nil)
	c.rolled()
	var set appsv1.ReplicaSet
	if err := c.kube.Get(c.Context(), client.ObjectKey{Namespace: c.ns, Name: "web-7c9b"}, &set); err != nil {
		t.Fatal(err)
	}
	// An API server's times are whole seconds.
	time.Sleep(time.Until(set.CreationTimestamp.Add(2500 * time.Millisecond)))
	set.Annotations = map[string]string{"deployment.kubernetes.io/revision": "3", "deployment.kubernetes.io/revision-history": "1"}
	if err := c.kube.Update(c.Context(), &set); err != nil {
		t.Fatal(err)
	}

	got, pods := c.versions(c.run("timeline", "deploy/web", "-o", "json"))
	if !slices.Equal(pods, []string{"web-5d4f-bbbbb old 5d4f", "web-7c9b-aaaaa new 7c9b", "web-7c9b-ccccc new 7c9b"}) {
		t.Errorf("pods %q", pods)
	}
	v, _ := got.Workload.Latest()
	if v.Number != 3 || !v.Again || v.Began.Known != timeline.Bounded || v.Began.At.Before(set.CreationTimestamp.Add(2*time.Second)) {
		t.Errorf("the latest revision is %+v", v)
	}
	c.has(c.run("timeline", "deploy/web"), ExitDone, "Revision 3 (7c9b) is an earlier one, which a rollback uses again since", "UTC at the latest.")

	c.event("Deployment", "web", "ScalingReplicaSet", "Scaled up replica set web-7c9b from 0 to 1")
	if got, _ = c.versions(c.run("timeline", "deploy/web", "-o", "json")); got.Workload.Revisions[0].Began.Known != timeline.Exact {
		t.Errorf("with an event: %+v", got.Workload.Revisions[0])
	}
}

// TestTimelineSaysWhatIsMissing: who may only read pods gets those, and reads what is not known.
func TestTimelineSaysWhatIsMissing(t *testing.T) {
	c := newCluster(t, nil)
	c.rolled()
	c.allow("looker-"+c.ns, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}})
	c.has(c.run("timeline", "deploy/web"), ExitDone, "web-5d4f-bbbbb", "web-7c9b-aaaaa",
		`note: not allowed to get resource "deployments"`, "how many pods it wants",
		`note: not allowed to list resource "replicasets"`, "which revisions there were",
		`note: not allowed to list resource "events"`, "what events told")
}

// TestTimelineWithoutRights: who may read neither pods nor events is told so, and no file is written.
func TestTimelineWithoutRights(t *testing.T) {
	c := newCluster(t, nil)
	c.rolled()
	c.as = "nobody-" + c.ns
	file := filepath.Join(t.TempDir(), "web.html")
	c.has(c.run("timeline", "deploy/web", "--html", file), ExitError, `not allowed to list resource "pods"`, `not allowed to list resource "events"`, c.ns)
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a file is there: %v", err)
	}
}

func TestTimelineCompletion(t *testing.T) {
	c := newCluster(t, nil)
	c.rolled()
	c.has(c.run("__complete", "timeline", "-n", c.ns, "dep"), ExitDone, "deployment/web")
}

// TestTimelineLooksBack: what ended before is not told.
func TestTimelineLooksBack(t *testing.T) {
	c := newCluster(t, nil)
	c.rolled()
	c.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	got, pods := c.lanes(c.run("timeline", "deploy/web", "-o", "json"))
	if !slices.Equal(pods, []string{"web-5d4f-bbbbb", "web-7c9b-aaaaa"}) || len(got.Marks) > 0 {
		t.Errorf("%v, %+v", pods, got.Marks)
	}
}
