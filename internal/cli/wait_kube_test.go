// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

func TestWait(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	gate := elbv2.GateType("web")
	pod := c.pod("web", gate)
	c.condition(pod, corev1.PodConditionType(gate), corev1.ConditionFalse, "Target.Timeout", "Request timed out")
	c.pod("bare")

	c.has(c.run("wait", "web", "--timeout", "1500ms"), ExitNo, "pod web waits at gate "+gate+": Target.Timeout, Request timed out", "not open")
	c.has(c.run("wait", "bare"), ExitNo, "pod bare has no readiness gate")
	c.has(c.run("wait", "nobody"), ExitError, "not found")
	for _, of := range []string{"cronjob/web", "ingress/web", "horizontalpodautoscaler/web", "targetbinding/web", "targetgroupbindings.elbv2.k8s.aws/web"} {
		c.has(c.run("wait", of, "--timeout", "1500ms"), ExitError, "a workload is deploy/NAME")
	}

	pod = c.read(pod)
	pod.Status.Conditions[1].Status = corev1.ConditionTrue
	if err := c.kube.Status().Update(c.Context(), pod); err != nil {
		t.Fatal(err)
	}

	c.has(c.run("wait", "pod/web"), ExitDone, "open: the gates of 1 pod.")
}

// TestWaitForARollout: a rollout that has only begun is not over because the old pods' gates are open.
func TestWaitForARollout(t *testing.T) {
	c := newCluster(t, nil)
	gate := elbv2.GateType("web")
	labels := map[string]string{"app": "web"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}},
	}}

	c.create(d)
	pod := c.pod("web-1", gate)
	c.condition(pod, corev1.PodConditionType(gate), corev1.ConditionTrue, "Healthy", "")
	c.has(c.run("wait", "deploy/web", "--timeout", "1500ms"), ExitNo, "has not seen the latest change")

	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1}
	if err := c.kube.Status().Update(c.Context(), d); err != nil {
		t.Fatal(err)
	}

	c.has(c.run("wait", "deploy/web", "--timeout", "1500ms"), ExitNo, "0 of 1 pod is of the latest revision")

	d.Status.UpdatedReplicas = 1
	if err := c.kube.Status().Update(c.Context(), d); err != nil {
		t.Fatal(err)
	}

	c.has(c.run("wait", "deploy/web"), ExitDone, "open")
}

func TestPreflightOfACluster(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	file := filepath.Join(t.TempDir(), "web.yaml")
	manifest := `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 2, selector: {matchLabels: {app: web}}, strategy: {type: Recreate}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: app}]}}}}`
	if err := os.WriteFile(file, []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}

	a := c.run("preflight", "-f", file, "-o", "json")
	c.has(a, ExitNo)
	var p Preflight
	if err := json.Unmarshal([]byte(a.out), &p); err != nil {
		t.Fatal(err)
	}

	var checks []string
	for _, f := range p.Findings {
		checks = append(checks, f.Check)
	}

	for _, want := range []string{CheckEmpties, CheckHook, CheckNoProbe, "WebhookMissing", "PodgateNotWorking"} {
		if !strings.Contains(strings.Join(checks, " "), want) {
			t.Errorf("it does not find %s, only %q", want, checks)
		}
	}

	c.has(c.run("preflight", "-f", file), ExitNo, "install podgate before the rollout")
	c.has(c.run("preflight"), ExitDone, "Nothing to check")
	c.has(c.run("preflight", "deploy/web"), ExitError, "there is no workload deploy/web")
	c.has(c.run("preflight", "--offline"), ExitError, "name them with -f")
	c.has(c.run("preflight", "-f", file+".gone"), ExitError, "no such file")
}

// TestPreflightThatMayNotLook: who may not read the workloads, or what takes their pods, is not told that all is well.
func TestPreflightThatMayNotLook(t *testing.T) {
	look := []string{"get", "list"}
	workloads := rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments", "statefulsets", "daemonsets"}, Verbs: look}
	for user, rules := range map[string][]rbacv1.PolicyRule{
		"nobody":  {{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: look}},
		"unbound": {workloads, {APIGroups: []string{""}, Resources: []string{"services"}, Verbs: look}},
	} {
		c := newCluster(t, nil)
		c.wire()
		labels := map[string]string{"app": "web"}
		c.create(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}},
		}})

		c.allow(user, rules...)
		a := c.run("preflight")
		c.has(a, ExitError, "not allowed to list", "could not check")

		if strings.Contains(a.out, "Nothing") {
			t.Errorf("%s: it says that there is nothing:\n%s", user, a.out)
		}
	}
}

// TestBindingAfterPods: what comes later in the files comes too late, unless it is there already.
func TestBindingAfterPods(t *testing.T) {
	c := newCluster(t, nil)
	file := filepath.Join(t.TempDir(), "all.yaml")
	manifest := `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: app}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: elbv2.k8s.aws/v1beta1, kind: TargetGroupBinding, metadata: {name: web}, spec: {targetGroupName: web, serviceRef: {name: web, port: 80}}}
`
	if err := os.WriteFile(file, []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}

	c.has(c.run("preflight", "-f", file), ExitNo, CheckBindingAfter)
	c.wire()

	if a := c.run("preflight", "-f", file); strings.Contains(a.out, CheckBindingAfter) {
		t.Errorf("the binding is there already, and it says\n%s", a.out)
	}
}

func TestVersion(t *testing.T) {
	c := newCluster(t, nil)
	c.has(c.run("version"), ExitDone, "client:", "kubernetes: v1.", "the server's version is not known: find podgate in namespace podgate-system")
	if a := c.run("version", "--client"); strings.Contains(a.out, "kubernetes:") {
		t.Errorf("asked for the client's alone it says %s", a.out)
	}
}

// TestUsage: what cannot be meant is an error, and completion is there for every shell.
func TestUsage(t *testing.T) {
	c := newCluster(t, nil)
	c.pod("web-1", elbv2.GateType("web"))
	c.has(c.run("explain"), ExitError, "its name is missing")
	c.has(c.run("explain", "deploy/web"), ExitError, "deploy/web is not a pod")
	c.has(c.run("statsu"), ExitError, "unknown command")
	c.has(c.run("status", "-n", "misspelt"), ExitDone, `note: there is no namespace "misspelt"`)
	c.has(c.run("preflight", "-n", "misspelt"), ExitDone, `note: there is no namespace "misspelt"`)

	if a := c.run("status"); strings.Contains(a.out, "there is no namespace") {
		t.Errorf("its namespace is there:\n%s", a.out)
	}

	c.has(c.run("status", "-o", "xml"), ExitError, "must be one of text, wide, json, yaml")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		c.has(c.run("completion", shell), ExitDone, "podgate")
	}

	c.has(c.run("__complete", "explain", "we"), ExitDone, "web-1")
	c.has(c.run("__complete", "gate", "set", "web-1", ""), ExitDone, elbv2.GateType("web"))
	c.has(c.run("__complete", "gate", "set", "web-1", elbv2.GateType("web"), ""), ExitDone, "true")
}
