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
		"Deployment "+c.ns+"/web: 1 of 2 pods are of the latest revision, 0 are Ready",
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
	if _, pods := c.lanes(c.run("timeline", "web-7c9b-aaaaa", "-o", "json")); !slices.Equal(pods, []string{"web-7c9b-aaaaa"}) {
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

// TestTimelineOfSets: a StatefulSet's pods are of its revisions, and a custom workload's are its own or its ReplicaSets'.
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

	owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: set.UID, Controller: new(true)}
	for i, revision := range []string{"db-1", "db-2"} {
		c.create(
			&appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: revision, OwnerReferences: []metav1.OwnerReference{owner}}, Revision: int64(i + 1), Data: runtime.RawExtension{Raw: []byte("{}")}},
			&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "db-" + string(rune('0'+i)), Labels: map[string]string{"app": "db", "controller-revision-hash": revision}, OwnerReferences: []metav1.OwnerReference{owner}}, Spec: template.Spec})
	}

	got, pods := c.lanes(c.run("timeline", "sts/db", "-o", "json"))
	if !slices.Equal(pods, []string{"db-0", "db-1"}) || !got.Lanes[0].Old || got.Lanes[1].Old {
		t.Errorf("%v: %+v", pods, got.Lanes)
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
