// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
)

// looksAtObjects has a pod wait for a Job that completes, for one that fails, for one that its ServiceAccount may not read, and
// for the condition of a custom resource, which podgate itself may not read at first.
func looksAtObjects(w *world) {
	l := w.lab()
	kind := l.customKind()
	l.opens("batch", "jobs")
	l.account("keeper", rbacv1.PolicyRule{APIGroups: []string{"batch", kind.Group}, Resources: []string{"jobs", "valves"}, Verbs: []string{"get"}})
	l.account("stranger")
	l.create(l.valve(kind))
	l.create(l.job("completes", "/bin/sleep", "1"))
	l.create(l.job("breaks", "/app", "--no-such-flag"))

	complete := "has(object.status.conditions) && object.status.conditions.exists(c, c.type == 'Complete' && c.status == 'True')"
	job := func(name, account string) string {
		return fmt.Sprintf("resource: {apiVersion: batch/v1, kind: Job, name: %s, serviceAccountName: %s, expression: %q}", name, account, complete)
	}
	l.create(l.pod("web",
		l.gate("completes", job("completes", "keeper"), ""), l.gate("breaks", job("breaks", "keeper"), ""),
		l.gate("missing", job("nothing", "keeper"), ""), l.gate("stranger", job("completes", "stranger"), ""),
		l.gate("custom", fmt.Sprintf("resource: {apiVersion: %s, kind: %s, name: main, serviceAccountName: keeper, expression: %q}",
			kind.GroupVersion(), kind.Kind, "object.status.conditions.exists(c, c.type == 'Open' && c.status == 'True')"), "")))

	l.waitFailed("breaks")
	said := map[gateOf]verdict{
		{"web", "completes"}: passes(), {"web", "breaks"}: fails("the expression is false"), {"web", "missing"}: noAnswer("object not found"),
		{"web", "stranger"}: notAllowed("not allowed"), {"web", "custom"}: noAnswer("podgate may not read objects of the kind"),
	}
	l.waitSaid(said)
	for gate, reason := range map[string]string{"completes": v1alpha1.ReasonServing, "stranger": v1alpha1.ReasonNoAccess, "custom": v1alpha1.ReasonNoAccess} {
		l.waitServes(gate, reason)
	}

	// An administrator opens the kind to podgate, and the condition is not there yet.
	l.opens(kind.Group, "valves")
	said[gateOf{"web", "custom"}] = fails("the expression is false")
	l.waitSaid(said)
	l.waitServes("custom", v1alpha1.ReasonServing)

	l.must(l.cluster.Patch(l.ctx, l.valve(kind), client.RawPatch(types.MergePatchType, []byte(`{"status":{"conditions":[{"type":"Open","status":"True"}]}}`))))
	said[gateOf{"web", "custom"}] = passes()
	l.waitSaid(said)
}

// opens has an administrator open a kind of objects to podgate, by a ClusterRole that extends podgate's own, and waits
// until podgate may list them everywhere.
func (l *lab) opens(group, resource string) {
	l.t.Helper()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: l.namespace + "-" + resource, Labels: map[string]string{"podgate.dev/aggregate-to-reader": "true"}},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"get", "list", "watch"}}},
	}
	mayList := func() bool {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + podgateNamespace + ":" + podgateDeployment,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Group: group, Resource: resource},
		}}
		l.must(l.cluster.Create(l.ctx, review))
		return review.Status.Allowed
	}

	if mayList() {
		l.t.Fatalf("podgate may list %s before anybody opens them to it", resource)
	}
	l.delayed(role)
	l.must(l.cluster.Create(l.ctx, role))
	l.eventually("podgate to have the right to list "+resource, func(context.Context) (bool, error) { return mayList(), nil })
}

// account makes a ServiceAccount with rights in the namespace.
func (l *lab) account(name string, rules ...rbacv1.PolicyRule) {
	l.t.Helper()
	meta := metav1.ObjectMeta{Namespace: l.namespace, Name: name}
	l.create(&corev1.ServiceAccount{ObjectMeta: meta})
	l.create(&rbacv1.Role{ObjectMeta: meta, Rules: rules})
	l.create(&rbacv1.RoleBinding{
		ObjectMeta: meta,
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: l.namespace, Name: name}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
	})
}

// job is a Job that runs a command of the application's image once.
func (l *lab) job(name string, command ...string) *batchv1.Job {
	spec, never := appSpec(nil), int32(0)
	spec.RestartPolicy, spec.Containers[0].Command = corev1.RestartPolicyNever, command
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: name},
		Spec:       batchv1.JobSpec{BackoffLimit: &never, Template: corev1.PodTemplateSpec{Spec: spec}},
	}
}

// waitFailed waits until a Job has failed.
func (l *lab) waitFailed(name string) {
	l.t.Helper()
	l.eventually("Job "+name+" to fail", func(ctx context.Context) (bool, error) {
		var job batchv1.Job
		err := l.cluster.Get(ctx, client.ObjectKey{Namespace: l.namespace, Name: name}, &job)
		for _, c := range job.Status.Conditions {
			if c.Type == batchv1.JobFailed && c.Status == corev1.ConditionTrue {
				return true, nil
			}
		}
		return false, err
	})
}

// customKind has the cluster know a kind that podgate has never heard of.
func (l *lab) customKind() schema.GroupVersionKind {
	l.t.Helper()
	kind := schema.GroupVersionKind{Group: l.namespace + ".example.com", Version: "v1", Kind: "Valve"}
	definition := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"group": kind.Group, "scope": "Namespaced", "names": map[string]any{"kind": kind.Kind, "plural": "valves", "singular": "valve"},
		"versions": []any{map[string]any{
			"name": kind.Version, "served": true, "storage": true,
			"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
		}},
	}}}
	definition.SetAPIVersion("apiextensions.k8s.io/v1")
	definition.SetKind("CustomResourceDefinition")
	definition.SetName("valves." + kind.Group)
	l.delayed(definition)
	l.must(l.cluster.Create(l.ctx, definition))
	return kind
}

// valve is the object of that kind, without a condition at first.
func (l *lab) valve(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": []any{}}}}
	u.SetGroupVersionKind(kind)
	u.SetNamespace(l.namespace)
	u.SetName("main")
	return u
}
