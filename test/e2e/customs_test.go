// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/test/env"
)

// TestMixedNamespace: preflight, wait and explain say what is so in a namespace with a Job whose pod has the labels of those
// that serve, a paused Deployment, and a workload of a kind that podgate does not know, whose pods a ReplicaSet makes.
func TestMixedNamespace(t *testing.T) {
	s := start(t, scaled()).wireOne(func(a *env.App, _ *env.TargetGroupOptions) { a.Drained = true })
	ns := s.app.Namespace
	s.apply()
	s.waitComplete()

	job := s.job("migrate")
	s.tells([]string{"explain", "-n", ns, job}, "has no gate: no load balancer was asked", "NO GATE: NotTarget", "declare the port in the pod template if the pod is to serve")
	s.tells([]string{"wait", "-n", ns, "deploy/web"}, "open: the gates of 1 pod.")
	s.tells([]string{"wait", "-n", ns, "job/migrate"}, "a workload is deploy/NAME")

	wave := s.wave("wave")
	s.tells([]string{"wait", "-n", ns, "wave/wave"}, "open: the gates of 1 pod.", "does not say how many pods are of the latest revision")
	s.tells([]string{"explain", "-n", ns, wave}, "is Ready", "GATE target-health.elbv2.k8s.aws/web: True, Healthy")
	s.tells([]string{"wait", "-n", ns, "deploy/web"}, "open: the gates of 1 pod.")

	s.pause()
	s.tells([]string{"wait", "-n", ns, "deploy/web"}, "0 of 1 pod is of the latest revision", "the Deployment is paused: kubectl rollout resume -n "+ns+" deployment/web lets it go on")
	s.tells([]string{"preflight", "-n", ns}, "RolloutHalted: Deployment "+ns+"/web", "kubectl rollout resume -n "+ns+" deployment/web",
		"podgate does not know how many pods a rollout of Wave "+ns+"/wave takes away at once", "2 workloads were checked")
	s.tells([]string{"preflight", "-n", ns, "wave/wave"}, "1 workload was checked")

	for _, args := range [][]string{{"preflight"}, {"wait", "deploy/web"}, {"wait", "wave/wave"}, {"explain", job}, {"explain", wave}, {"status"}} {
		t.Logf("podgate %s\n%s", strings.Join(args, " "), s.podgate(s.ctx, append(args, "-n", ns)...))
	}
}

// template is of pods with the labels of those that serve.
func (s *service) template(serves bool) corev1.PodTemplateSpec {
	t := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/name": s.app.Name}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: imageV1}}},
	}
	if serves {
		t.Labels["role"] = "wave"
		t.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
	}
	return t
}

// job makes a Job, and gives its pod once that is Ready.
func (s *service) job(name string) (pod string) {
	s.t.Helper()
	template := s.template(false)
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	s.must(s.cluster.Create(s.ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: name}, Spec: batchv1.JobSpec{Template: template}}))
	return s.readyPod(client.MatchingLabels{"batch.kubernetes.io/job-name": name})
}

// wave defines a kind with a pod template and a scale, makes an object of it and the ReplicaSet that its controller would make,
// and gives that one's pod once it is Ready.
func (s *service) wave(name string) (pod string) {
	s.t.Helper()
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "waves.e2e.example.com"},
		"spec": map[string]any{
			"group": "e2e.example.com", "scope": "Namespaced", "names": map[string]any{"kind": "Wave", "plural": "waves", "singular": "wave"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"subresources": map[string]any{"status": map[string]any{}, "scale": map[string]any{"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
				"schema":       map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
	s.must(s.cluster.Create(s.ctx, definition))
	s.t.Cleanup(func() { s.unwave(definition) })

	template := s.template(true)
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&template)
	s.must(err)
	selector := map[string]any{"role": "wave"}
	wave := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "e2e.example.com/v1", "kind": "Wave", "metadata": map[string]any{"namespace": s.app.Namespace, "name": name},
		"spec": map[string]any{"replicas": int64(1), "selector": map[string]any{"matchLabels": selector}, "template": raw},
	}}
	s.eventually("the new kind to be served", func(ctx context.Context) (bool, error) {
		err := s.cluster.Create(ctx, wave)
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return false, nil
		}
		return err == nil, err
	})

	s.must(s.cluster.Create(s.ctx, &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.app.Namespace, Name: name + "-1",
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "e2e.example.com/v1", Kind: "Wave", Name: name, UID: wave.GetUID(), Controller: new(true)}},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"role": "wave"}}, Template: template},
	}))

	return s.readyPod(client.MatchingLabels{"role": "wave"})
}

// unwave takes the kind away, and with it its objects and what they own.
func (s *service) unwave(definition *unstructured.Unstructured) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), cleanupTimeout)
	defer cancel()
	for _, err := range []error{
		s.cluster.DeleteAllOf(ctx, &appsv1.ReplicaSet{}, client.InNamespace(s.app.Namespace), client.PropagationPolicy(metav1.DeletePropagationBackground)),
		s.cluster.Delete(ctx, definition),
	} {
		if err != nil {
			s.t.Errorf("clean up: %v", err)
		}
	}
}

// readyPod waits for a pod that is Ready.
func (s *service) readyPod(of client.ListOption) (name string) {
	s.t.Helper()
	s.eventually("a pod that is Ready", func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		if err := s.cluster.List(ctx, &pods, client.InNamespace(s.app.Namespace), of); err != nil {
			return false, err
		}
		for i := range pods.Items {
			for _, c := range pods.Items[i].Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					name = pods.Items[i].Name
				}
			}
		}
		return name != "", nil
	})
	return name
}

// pause pauses the Deployment, and changes its template.
func (s *service) pause() {
	s.t.Helper()
	s.eventually("the Deployment to be paused", func(ctx context.Context) (bool, error) {
		d, err := s.deployment(ctx)
		if err != nil {
			return false, err
		}
		d.Spec.Paused = true
		d.Spec.Template.Spec.Containers[0].Image = imageV2
		err = s.cluster.Update(ctx, d)
		if apierrors.IsConflict(err) {
			return false, nil
		}
		return err == nil, err
	})
}
