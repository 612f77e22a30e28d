// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gates/gatestest"
)

func TestExplainAndStatusOfACluster(t *testing.T) {
	c := newCluster(t, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled})
	c.wire()
	pod := c.pod("waiting", elbv2.GateType("web"))
	c.condition(pod, corev1.PodConditionType(elbv2.GateType("web")), corev1.ConditionFalse, "Target.Timeout", "Request timed out")
	c.pod("bare")

	c.has(c.run("explain", "waiting"), ExitDone, "GATE target-health.elbv2.k8s.aws/web: False, Target.Timeout", "Request timed out", "Service web, port 80")
	c.has(c.run("explain", "pod/bare"), ExitDone, "GATE MISSING target-health.elbv2.k8s.aws/web: WebhookMissing")
	c.has(c.run("explain", "nobody"), ExitError, `pods "nobody" not found`)
	c.has(c.run("status"), ExitDone, "waiting   target-health.elbv2.k8s.aws/web   Target.Timeout", "bare   WebhookMissing")
	c.has(c.run("status", "-A"), ExitDone, c.ns)

	var x Explanation
	if err := json.Unmarshal([]byte(c.run("explain", "waiting", "-o", "json").out), &x); err != nil || len(x.Gates) != 1 || x.Gates[0].Reason != "Target.Timeout" {
		t.Errorf("as JSON it is %+v, %v", x, err)
	}

	var s Status
	if err := yaml.UnmarshalStrict([]byte(c.run("status", "-o", "yaml").out), &s); err != nil || len(s.Waiting) != 1 || len(s.Ungated) != 1 {
		t.Errorf("as YAML it is %+v, %v", s, err)
	}
}

// TestExplainNamesAnotherGate: what keeps a pod from being registered is named, and what to do about it; a gate of another
// load balancer does not, nor does any where the binding says so.
func TestExplainNamesAnotherGate(t *testing.T) {
	c := newCluster(t, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled})
	c.wire()
	c.pod("held", "example.com/in-service", elbv2.GateType("web"))
	c.pod("bare", "example.com/in-service")
	c.pod("neg", "cloud.google.com/load-balancer-neg-ready", elbv2.GateType("web"))

	const says = "it is not to be registered before another controller opens example.com/in-service"
	c.has(c.run("explain", "held"), ExitDone, says, "podgate registers the pod when it is True, or with podgate.dev/other-gates: Ignore")
	c.has(c.run("explain", "bare"), ExitDone, says)
	if a := c.run("explain", "neg"); strings.Contains(a.out, "not to be registered") {
		t.Errorf("another load balancer's gate holds it back:\n%s", a.out)
	}

	var b elbv2.TargetGroupBinding
	if err := c.kube.Get(t.Context(), client.ObjectKey{Namespace: c.ns, Name: "web"}, &b); err != nil {
		t.Fatal(err)
	}
	b.Annotations = map[string]string{v1alpha1.OtherGatesAnnotation: "Ignore"}
	if err := c.kube.Update(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if a := c.run("explain", "held"); strings.Contains(a.out, "not to be registered") {
		t.Errorf("the binding ignores the gate:\n%s", a.out)
	}
}

// TestFewPermissions: who may read pods only is told what is not told.
func TestFewPermissions(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	pod := c.pod("waiting", elbv2.GateType("web"))
	c.condition(pod, corev1.PodConditionType(elbv2.GateType("web")), corev1.ConditionFalse, "Target.Timeout", "Request timed out")
	c.allow("alice", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}})

	c.has(c.run("explain", "waiting"), ExitDone,
		"False, Target.Timeout", "a binding that podgate may not read",
		`note: not allowed to get resource "targetgroupbindings"`, `note: not allowed to list resource "services"`, `so podgate cannot tell whether podgate runs`)
	c.has(c.run("status"), ExitDone, "waiting", "Target.Timeout", `note: not allowed to list resource "services"`)
	c.has(c.run("status", "-A"), ExitDone, `note: not allowed to list resource "pods" in API group "" at the cluster scope`)
}

// TestExplainToldOfTheDead: what podgate said of pods that ended too soon is told of them, and of the pods of their owner that are left.
func TestExplainToldOfTheDead(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	var b elbv2.TargetGroupBinding
	if err := c.kube.Get(t.Context(), client.ObjectKey{Namespace: c.ns, Name: "web"}, &b); err != nil {
		t.Fatal(err)
	}

	b.Annotations = map[string]string{v1alpha1.RecommendedDrainAnnotation: "70s"}
	if err := c.kube.Update(t.Context(), &b); err != nil {
		t.Fatal(err)
	}

	pod := c.pod("web")
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "the-owner", Controller: new(true)}}
	if err := c.kube.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}

	told := func(name string, about corev1.ObjectReference, reason, message string, at time.Time) {
		about.Namespace = c.ns
		c.create(&corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: name}, InvolvedObject: about, Reason: reason, Message: message, LastTimestamp: metav1.NewTime(at)})
	}

	owner := corev1.ObjectReference{Kind: "ReplicaSet", Name: "web", UID: "the-owner"}
	if a := c.run("explain", "web"); strings.Contains(a.out, "killed") {
		t.Errorf("nothing was said yet:\n%s", a.out)
	}

	told("a", owner, "KilledUndrained", "Pod web-0: Ended 9 s before.", time.Now().Add(-2*time.Hour))
	told("b", owner, "KilledUndrained", "Pod web-1: Ended 8 s before.", time.Now().Add(-30*time.Minute))
	told("c", owner, "ScalingReplicaSet", "Something else.", time.Now())
	told("d", corev1.ObjectReference{Kind: "Pod", Name: "web-1", UID: "gone"}, "KilledUndrained", "Ended 8 s before.", time.Now())
	c.has(c.run("explain", "web"), ExitDone, "killed    30m ago: Pod web-1: Ended 8 s before.", "recommended 70 s, by the latest drains")
	c.has(c.run("explain", "web-1"), ExitError, `pods "web-1" not found. KilledUndrained at `, "Ended 8 s before.")
	c.has(c.run("explain", "web-2"), ExitError, `pods "web-2" not found`)
}

// TestExplainByKind: a gate of a kind that no file of the commands knows is explained by that kind, counted, and set as one
// of podgate's own.
func TestExplainByKind(t *testing.T) {
	c := newCluster(t, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled})
	c.kinds = append(c.kinds, gatestest.Toy{})
	c.wire()
	var blue elbv2.TargetGroupBinding
	if err := c.kube.Get(t.Context(), client.ObjectKey{Namespace: c.ns, Name: "web"}, &blue); err != nil {
		t.Fatal(err)
	}

	green := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: "green"}, Spec: blue.Spec}
	green.Spec.TargetGroupARN = strings.Replace(blue.Spec.TargetGroupARN, "/web/", "/green/", 1)
	c.create(green)
	green.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonTargetGroupNotFound, Message: "No such group.", LastTransitionTime: metav1.Now()}}
	if err := c.kube.Status().Update(t.Context(), green); err != nil {
		t.Fatal(err)
	}

	toy := corev1.PodConditionType(gatestest.ToyGate)
	pod := c.pod("waiting", gatestest.ToyGate, elbv2.GateType("web"), elbv2.GateType("green"))
	c.condition(pod, toy, corev1.ConditionFalse, v1alpha1.ReasonBindingNotReady, "No such group.")

	c.has(c.run("explain", "waiting"), ExitDone,
		"GATE "+gatestest.ToyGate+": False, BindingNotReady", "from      every binding that takes the pod for a target",
		`source    TargetGroupBinding "green" -> Service web, port 80`, `source    TargetGroupBinding "web" -> Service web, port 80`,
		"next      create the target group")

	var s Status
	if err := json.Unmarshal([]byte(c.run("status", "-o", "json").out), &s); err != nil || len(s.Waiting) != 3 || s.Waiting[2].From != "every binding that takes the pod for a target" {
		t.Errorf("status: %+v, %v", s.Waiting, err)
	}
	c.has(c.run("gate", "set", "waiting", gatestest.ToyGate, "true", "--reason", "INC-42"), ExitDone, "Override of gate "+gatestest.ToyGate)

	// A pod that lacks the kind's gate is told so.
	c.pod("bare", elbv2.GateType("web"), elbv2.GateType("green"))
	c.has(c.run("explain", "bare"), ExitDone, "GATE MISSING "+gatestest.ToyGate)
}

// TestExplainNoTarget: a Job's pod that has the labels of those that serve is told why it has no gate.
func TestExplainNoTarget(t *testing.T) {
	c := newCluster(t, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled})
	c.wire()
	pod := c.pod("migrate")
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "migrate", UID: "the-job", Controller: new(true)}}
	if err := c.kube.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	c.has(c.run("explain", "migrate"), ExitDone, "NO GATE: NotTarget", `Service "web" selects it`, "declare the port in the pod template if the pod is to serve")
}

// TestExplainByHand: who opened a gate past podgate is named, until podgate writes it again.
func TestExplainByHand(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	warm := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Name: "warm"}}
	warm.Spec.Checks = []v1alpha1.Check{{Name: "asked", HTTP: &v1alpha1.HTTPCheck{Port: new(intstr.FromInt32(8080))}}}
	c.create(warm)
	const check = v1alpha1.CheckPrefix + "warm"
	pod := c.pod("web", check, elbv2.GateType("web"), "example.com/approved")
	writes := func(by, status string) {
		t.Helper()
		said := map[string]string{"podgate": "Said", "curl": ""}[by]
		body := `{"status":{"conditions":[`
		for _, g := range pod.Spec.ReadinessGates {
			body += fmt.Sprintf(`{"type":%q,"status":%q,"reason":%q},`, g.ConditionType, status, said)
		}
		patch := client.RawPatch(types.StrategicMergePatchType, []byte(strings.TrimSuffix(body, ",")+`]}}`))
		if err := c.kube.Status().Patch(t.Context(), pod.DeepCopy(), patch, client.FieldOwner(by)); err != nil {
			t.Fatal(err)
		}
	}

	const says = `writer    field manager "curl", not podgate, which closes the gate when the containers become unready or the address changes`
	for _, tc := range []struct {
		by, status string
		named      int
	}{{"podgate", "False", 0}, {"curl", "True", 2}, {"curl", "False", 0}, {"podgate", "True", 0}} {
		writes(tc.by, tc.status)
		if a := c.run("explain", "web"); a.code != ExitDone || strings.Count(a.out, says) != tc.named {
			t.Errorf("%s wrote %s, and the writer is to be named %d times:\n%s", tc.by, tc.status, tc.named, a.out)
		}
	}
}
