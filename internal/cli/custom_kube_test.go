// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// manifest reads an object of any kind.
func manifest(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var o unstructured.Unstructured
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return &o
}

// TestPreflightOfCustomWorkloads: what makes pods is checked, whichever its kind is, whether its pods are its own or those of
// a ReplicaSet, and whether it has a pod template or not.
func TestPreflightOfCustomWorkloads(t *testing.T) {
	c := newCluster(t, nil)
	for kind, plural := range map[string]string{"Rollout": "rollouts", "PodSet": "podsets"} {
		definition := manifest(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: `+plural+`.example.com}, spec: {group: example.com, scope: Namespaced,
			names: {kind: `+kind+`, plural: `+plural+`}, versions: [{name: v1, served: true, storage: true, subresources: {scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}},
			schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`)
		if err := c.kube.Create(c.Context(), definition); err != nil {
			t.Fatal(err)
		}
	}

	rollout := manifest(t, `{apiVersion: example.com/v1, kind: Rollout, metadata: {name: web}, spec: {replicas: 2, paused: true, selector: {matchLabels: {app: web}},
		template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: app, lifecycle: {preStop: {sleep: {seconds: 7}}}}]}}}}`)
	set := manifest(t, `{apiVersion: example.com/v1, kind: PodSet, metadata: {name: bare}, spec: {pods: 1}}`)
	c.eventuallyCreate(rollout)
	c.create(set)

	c.wire()
	labels := map[string]string{"app": "web"}
	of := func(o *unstructured.Unstructured) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Name: o.GetName(), UID: o.GetUID(), Controller: new(true)}}
	}
	replicaSet := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "web-1", OwnerReferences: of(rollout)}, Spec: appsv1.ReplicaSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}},
	}}
	c.create(replicaSet)
	for name, owners := range map[string][]metav1.OwnerReference{
		"web-1-a": {{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: replicaSet.UID, Controller: new(true)}},
		"bare-1":  of(set), "bare-2": of(set),
	} {
		pod := c.pod(name, elbv2.GateType("web"))
		pod.OwnerReferences = owners
		if err := c.kube.Update(c.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}

	a := c.run("preflight")
	c.has(a, ExitNo, "RolloutHalted: Rollout "+c.ns+"/web", `container "app" sleeps 7 s`, "NoReadinessProbe: PodSet "+c.ns+"/bare", "2 workloads were checked")
	c.has(c.run("preflight", "rollout/web"), ExitNo, "1 workload was checked")
	c.has(c.run("preflight", "rollouts.example.com/web"), ExitNo, "1 workload was checked")
	c.has(c.run("preflight", "rollout.example.org/web"), ExitError, "there is no workload rollout.example.org/web")
}

// TestWaitForCustomWorkloads: a workload of any kind is waited for, by its name in singular or plural, whether it says by which
// labels it selects its pods, its scale subresource does, or only its pods say whose they are.
func TestWaitForCustomWorkloads(t *testing.T) {
	c := newCluster(t, nil)
	for kind, plural := range map[string]string{"Wave": "waves", "Swarm": "swarms", "Heap": "heaps"} {
		scale := `, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}`
		if kind != "Swarm" {
			scale = ""
		}
		definition := manifest(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: `+plural+`.example.com}, spec: {group: example.com, scope: Namespaced,
			names: {kind: `+kind+`, plural: `+plural+`, singular: `+strings.ToLower(kind)+`}, versions: [{name: v1, served: true, storage: true, subresources: {status: {}`+scale+`},
			schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`)
		if err := c.kube.Create(c.Context(), definition); err != nil {
			t.Fatal(err)
		}
	}

	gate := elbv2.GateType("web")
	objects := map[string]*unstructured.Unstructured{
		"wave":  manifest(t, `{apiVersion: example.com/v1, kind: Wave, metadata: {name: web}, spec: {replicas: 1, selector: {matchLabels: {app: web}}}}`),
		"swarm": manifest(t, `{apiVersion: example.com/v1, kind: Swarm, metadata: {name: web}, spec: {size: 2}}`),
		"heap":  manifest(t, `{apiVersion: example.com/v1, kind: Heap, metadata: {name: web}, spec: {}}`),
	}
	for _, o := range objects {
		c.eventuallyCreate(o)
	}

	pod := c.pod("web-1", gate)
	c.has(c.run("wait", "wave/web", "--timeout", "1500ms"), ExitNo, "pod web-1 waits at gate")
	c.condition(pod, corev1.PodConditionType(gate), corev1.ConditionTrue, "Healthy", "")
	c.has(c.run("wait", "waves.example.com/web"), ExitDone, "open: the gates of 1 pod.", "does not say how many pods are of the latest revision")

	// Its scale says by which labels, and how many.
	swarm := objects["swarm"]
	if err := unstructured.SetNestedField(swarm.Object, map[string]any{"selector": "app=web", "replicas": int64(1)}, "status"); err != nil {
		t.Fatal(err)
	}
	if err := c.kube.Status().Update(c.Context(), swarm); err != nil {
		t.Fatal(err)
	}
	c.has(c.run("wait", "swarms/web", "--timeout", "1500ms"), ExitNo, "1 of 2 pods has been created")

	// Nothing says so but the pod.
	c.has(c.run("wait", "heap/web", "--timeout", "1500ms"), ExitNo, "there is no pod yet")
	heap := objects["heap"]
	pod = c.read(pod)
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "Heap", Name: "web", UID: heap.GetUID(), Controller: new(true)}}
	if err := c.kube.Update(c.Context(), pod); err != nil {
		t.Fatal(err)
	}
	c.has(c.run("wait", "heap/web"), ExitDone, "open: the gates of 1 pod.", "nothing says how many pods the Heap should have")

	c.has(c.run("wait", "wave/other"), ExitError, "not found")
	c.has(c.run("wait", "nothing/web"), ExitError, `the cluster has no kind "nothing"`)
	c.has(c.run("wait", "deployments.apps/web"), ExitError, "not found")
}

// eventuallyCreate creates an object of a kind that was defined a moment ago.
func (c *cluster) eventuallyCreate(o *unstructured.Unstructured) {
	c.Helper()
	o.SetNamespace(c.ns)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		err := c.kube.Create(c.Context(), o)
		if err == nil {
			return
		}
		if !apierrors.IsNotFound(err) && !strings.Contains(err.Error(), "no matches") || time.Now().After(deadline) {
			c.Fatal(err)
		}
	}
}
