// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/manual"
)

// manualGate makes a ReadinessGate with a manual check of each scope.
func (c *cluster) manualGate(name string, scopes ...v1alpha1.ApprovalScope) *v1alpha1.ReadinessGate {
	c.Helper()
	port := intstr.FromString("http")
	gate := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Name: name}}
	gate.Spec.Checks = []v1alpha1.Check{{Name: "open", TCP: &v1alpha1.TCPCheck{Port: &port}}}
	for i, scope := range scopes {
		gate.Spec.Checks = append(gate.Spec.Checks, v1alpha1.Check{Name: fmt.Sprintf("release-%d", i), Manual: &v1alpha1.ManualCheck{Scope: scope}})
	}
	c.create(gate)
	return gate
}

// carries makes a pod of a revision with a ReadinessGate's gate, open or not.
func (c *cluster) carries(name, gate, revision string, open bool) {
	c.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "app", Image: "app"}}, ReadinessGates: []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(v1alpha1.CheckPrefix + gate)}},
		},
	}
	if revision != "" {
		pod.Labels["pod-template-hash"] = revision
	}
	c.create(pod)
	if open {
		c.condition(pod, corev1.PodConditionType(v1alpha1.CheckPrefix+gate), corev1.ConditionTrue, "", "")
	}
}

// approvals reads those of a gate.
func (c *cluster) approvals(gate *v1alpha1.ReadinessGate) manual.Approvals {
	c.Helper()
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(gate), gate); err != nil {
		c.Fatal(err)
	}
	all, err := manual.Parse(gate.Annotations[v1alpha1.ApprovalsAnnotation])
	if err != nil {
		c.Error(err)
	}
	return all
}

// approved asserts what is approved of.
func (c *cluster) approved(gate *v1alpha1.ReadinessGate, keys ...manual.Key) {
	c.Helper()
	c.as = ""
	for _, key := range keys {
		if _, there := c.approvals(gate)[key]; !there {
			c.Errorf("%s is not approved: %v", key, gate.Annotations)
		}
	}
	if all := c.approvals(gate); len(all) != len(keys) {
		c.Errorf("approved are %v, want %v", all, keys)
	}
}

// subject is what a check knows of a pod.
func (c *cluster) subject(pod string) check.Subject {
	c.Helper()
	now := c.read(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: pod}})
	return check.Subject{UID: now.UID, Pod: now}
}

// annotate writes approvals by hand.
func (c *cluster) annotate(gate *v1alpha1.ReadinessGate, text string) error {
	c.Helper()
	body := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.ApprovalsAnnotation, text)
	return c.kube.Patch(c.Context(), gate, client.RawPatch(types.MergePatchType, []byte(body)))
}

func TestApproveRevision(t *testing.T) {
	c := newCluster(t, nil)
	gate := c.manualGate("warm", v1alpha1.ApprovalRevision)
	c.carries("old-1", "warm", "4a", true)
	c.carries("web-1", "warm", "5d8f", false)
	c.carries("web-2", "warm", "5d8f", false)
	c.carries("bare", "warm", "", false)
	c.carries("other", "cold", "77", false)

	const waits = "what waits for an approval: pod bare, revision 5d8f (2 pods)"
	c.has(c.run("approve", "warm", "--reason", "x"), ExitError, "say what you approve of at ReadinessGate "+c.ns+"/warm, by --revision, --pod or --all; "+waits)
	c.has(c.run("approve", "warm", "--revision", "77", "--reason", "x"), ExitError, "does not wait for an approval of revision 77; "+waits)
	c.has(c.run("approve", "warm", "--pod", "web-1", "--reason", "x"), ExitError, "does not wait for an approval of pod web-1 alone; "+waits)
	c.approved(gate)

	c.has(c.run("approve", "readinessgate/warm", "--revision", "5d8f", "--reason", "dashboards look good"), ExitDone, "Approved at ReadinessGate "+c.ns+"/warm: revision 5d8f (2 pods).")
	c.approved(gate, "revision/5d8f")
	if a := c.approvals(gate)["revision/5d8f"]; a.By == "" || a.At.IsZero() || a.Reason != "dashboards look good" {
		t.Errorf("the approval is %+v", a)
	}

	before := gate.ResourceVersion
	c.has(c.run("approve", "warm", "--revision", "5d8f", "--reason", "again"), ExitDone, "has that approval already, by "+c.approvals(gate)["revision/5d8f"].By, "dashboards look good")
	c.approvals(gate)
	if gate.ResourceVersion != before {
		t.Error("it was approved twice")
	}

	c.has(c.run("approve", "warm", "--all", "--reason", "x"), ExitDone, "pod bare")
	c.approved(gate, "revision/5d8f", manual.KeyOf(v1alpha1.ApprovalPod, c.subject("bare")))
	c.has(c.run("approve", "warm", "--all", "--reason", "x"), ExitError, "no pod waits for an approval at ReadinessGate "+c.ns+"/warm")
}

func TestApprovePod(t *testing.T) {
	c := newCluster(t, nil)
	gate := c.manualGate("warm", v1alpha1.ApprovalPod)
	for _, name := range []string{"web-1", "web-2", "web-3"} {
		c.carries(name, "warm", "5d8f", false)
	}
	c.has(c.run("approve", "warm", "--revision", "5d8f", "--reason", "x"), ExitError, "does not wait for an approval of revision 5d8f; what waits for an approval: pod web-1, pod web-2, pod web-3")
	c.has(c.run("approve", "warm", "--pod", "pod/web-2", "--reason", "x"), ExitDone, "pod web-2.")
	c.approved(gate, manual.KeyOf(v1alpha1.ApprovalPod, c.subject("web-2")))
	c.has(c.run("approve", "warm", "--pod", "nobody", "--reason", "x"), ExitError, "pod nobody alone; what waits for an approval: pod web-1, pod web-3")
	c.has(c.run("approve", "warm", "--all", "--reason", "x"), ExitDone, "pod web-1, pod web-3.")
	if n := len(c.approvals(gate)); n != 3 {
		t.Errorf("%d approvals", n)
	}
}

func TestApproveGate(t *testing.T) {
	c := newCluster(t, nil)
	gate := c.manualGate("warm", v1alpha1.ApprovalGate)
	c.has(c.run("approve", "warm", "--revision", "5d8f", "--reason", "x"), ExitError, "revision 5d8f; what waits for an approval: -")
	c.has(c.run("approve", "warm", "--reason", "x"), ExitDone, "warm: all pods.")
	c.approved(gate, manual.WholeGate)
}

func TestApproveRefuses(t *testing.T) {
	c := newCluster(t, nil)
	c.manualGate("http")
	c.has(c.run("approve", "warm", "--all", "--reason", "x"), ExitError, "there is no ReadinessGate "+c.ns+"/warm; those with a manual check: -")
	gate := c.manualGate("release", v1alpha1.ApprovalGate)
	c.has(c.run("approve", "warm", "--all", "--reason", "x"), ExitError, "those with a manual check: release")
	c.has(c.run("approve", "http", "--all", "--reason", "x"), ExitError, "has no manual check, so nobody can approve of anything; its checks: open")
	c.has(c.run("approve", "release"), ExitError, `"reason" not set`)
	c.has(c.run("approve", "release", "--all", "--pod", "x", "--reason", "x"), ExitError, "[all pod]")
	c.has(c.run("approve", "release", "--reason", "two\nlines"), ExitError, "the reason must be one line of 1 to 500 bytes")
	c.approved(gate)
}

// TestApproveMakesRoom: approvals that no pod needs any more go before the number of approvals is a problem.
func TestApproveMakesRoom(t *testing.T) {
	c := newCluster(t, nil)
	gate := c.manualGate("warm", v1alpha1.ApprovalRevision)
	c.carries("web-0", "warm", "r0", false)
	c.has(c.run("approve", "warm", "--revision", "r0", "--reason", "x"), ExitDone)
	full := c.approvals(gate)
	for i := range manual.Max - 1 {
		full[manual.Key(fmt.Sprintf("revision/gone-%d", i))] = full["revision/r0"]
	}
	text, err := full.Format()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.annotate(gate, text); err != nil {
		t.Fatal(err)
	}

	c.carries("web-1", "warm", "r1", false)
	c.has(c.run("approve", "warm", "--revision", "r1", "--reason", "x"), ExitDone)
	c.approved(gate, "revision/r0", "revision/r1")
}

// TestApproveTellsWhatCannotBeRead: what somebody wrote by hand is removed with a word.
func TestApproveTellsWhatCannotBeRead(t *testing.T) {
	c := newCluster(t, nil)
	gate := c.manualGate("warm", v1alpha1.ApprovalGate)
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.kube.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	if err := c.annotate(gate, "everything | "+review.Status.UserInfo.Username+" | now | x"); err != nil {
		t.Fatal(err)
	}
	c.has(c.run("approve", "warm", "--reason", "x"), ExitDone, "all pods", "What could not be read was removed: line 1 of annotation podgate.dev/approvals approves of nothing")
	c.approved(gate, manual.WholeGate)
}

// TestApproveNeedsTheVerb: to patch a ReadinessGate is not enough.
func TestApproveNeedsTheVerb(t *testing.T) {
	c := newCluster(t, nil)
	gate := c.manualGate("warm", v1alpha1.ApprovalGate)
	pods := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}
	c.allow("editor", pods, rbacv1.PolicyRule{APIGroups: []string{"podgate.dev"}, Resources: []string{"readinessgates"}, Verbs: []string{"get", "patch"}})
	c.has(c.run("approve", "warm", "--reason", "x"), ExitError, "you need the verb approve on it")
	c.approved(gate)

	c.allow("approver", pods, rbacv1.PolicyRule{APIGroups: []string{"podgate.dev"}, Resources: []string{"readinessgates"}, Verbs: []string{"get", "patch", "approve"}})
	c.has(c.run("approve", "warm", "--reason", "x"), ExitDone, "all pods")
	c.approved(gate, manual.WholeGate)
	if by := c.approvals(gate)[manual.WholeGate].By; by != "approver" {
		t.Errorf("it is approved by %s", by)
	}
}

func TestApproveCompletion(t *testing.T) {
	c := newCluster(t, nil)
	c.manualGate("warm", v1alpha1.ApprovalRevision)
	c.manualGate("http")
	c.carries("web-1", "warm", "5d8f", false)
	c.carries("old-1", "warm", "4a", true)
	for _, tc := range []struct {
		args       []string
		has, hasNo string
	}{
		{[]string{"approve", ""}, "warm", "http"},
		{[]string{"approve", "x"}, "", "warm"},
		{[]string{"approve", "warm", ""}, "", "warm"},
		{[]string{"approve", "warm", "--revision", ""}, "5d8f", "4a"},
		{[]string{"approve", "warm", "--pod", "we"}, "web-1", "old-1"},
	} {
		a := c.run(append([]string{"__complete"}, tc.args...)...)
		c.has(a, ExitDone, tc.has)
		if strings.Contains(a.out, tc.hasNo) {
			t.Errorf("%q: it has %s: %s", tc.args, tc.hasNo, a.out)
		}
	}
}
