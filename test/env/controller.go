// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// InstallController applies a controller's manifest and waits until its Deployments
// are complete. Whether its webhook works is seen only by a pod: WaitInjected.
func InstallController(ctx context.Context, c *Cluster, m Manifest) error {
	crds := m.OfKind("CustomResourceDefinition")
	if err := c.ApplyObjects(ctx, crds...); err != nil {
		return err
	}

	for _, crd := range crds {
		if err := c.waitEstablished(ctx, crd); err != nil {
			return err
		}
	}

	if err := c.ApplyObjects(ctx, m...); err != nil {
		return err
	}

	for _, d := range m.OfKind("Deployment") {
		if err := c.WaitDeployment(ctx, d.GetNamespace(), d.GetName()); err != nil {
			return err
		}
	}

	return nil
}

func (c *Cluster) waitEstablished(ctx context.Context, crd *unstructured.Unstructured) error {
	return poll(ctx, "kind "+crd.GetName(), func(ctx context.Context) (bool, error) {
		now := &unstructured.Unstructured{}
		now.SetGroupVersionKind(crd.GroupVersionKind())

		if err := c.Get(ctx, client.ObjectKeyFromObject(crd), now); err != nil {
			return false, err
		}

		// Conditions are null at first, which is no error but not yet.
		conditions, _, _ := unstructured.NestedSlice(now.Object, "status", "conditions")
		for _, each := range conditions {
			condition, _ := each.(map[string]any)
			if condition["type"] == "Established" && condition["status"] == "True" {
				return true, nil
			}
		}

		return false, nil
	})
}

// WaitDeployment waits until a Deployment is complete: what it asks for is what is
// there and available.
func (c *Cluster) WaitDeployment(ctx context.Context, namespace, name string) error {
	var d appsv1.Deployment
	err := poll(ctx, fmt.Sprintf("Deployment %s/%s", namespace, name), func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &d); err != nil {
			return false, err
		}
		return Complete(&d), nil
	})
	if err != nil {
		s := d.Status
		return fmt.Errorf("%w (pods: %d wanted, %d there, %d of them updated, %d available)", err, replicas(&d), s.Replicas, s.UpdatedReplicas, s.AvailableReplicas)
	}
	return nil
}

// Complete reports whether a Deployment has nothing more to do, as kubectl rollout
// status sees it.
func Complete(d *appsv1.Deployment) bool {
	want, s := replicas(d), d.Status
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == want && s.Replicas == want && s.AvailableReplicas == want
}

func replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// injections is how many pods in a row must be given a gate: the webhook's replicas
// answer in turn, and each must know the binding.
const injections = 12

// WaitInjected waits until pods that are created (as a trial, nothing is stored) in the
// application's namespace are given their gates every time.
func WaitInjected(ctx context.Context, c *Cluster, a App) error {
	inRow := 0
	return poll(ctx, "the webhook to inject a readiness gate in namespace "+a.Namespace, func(ctx context.Context) (bool, error) {
		for ; inRow < injections; inRow++ {
			pod := a.trialPod()
			if err := c.Create(ctx, pod, client.DryRunAll); err != nil {
				inRow = 0
				return false, ignoreMissingAccount(err)
			}
			if !a.injected(pod) || a.Drained && hook(pod, a.Adaptive) == 0 {
				inRow = 0
				return false, nil
			}
		}
		return true, nil
	})
}

// injected reports whether a pod has the gates that the webhook gives the application's pods.
func (a App) injected(pod *corev1.Pod) bool {
	checked := slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool { return g.ConditionType == CheckGate })
	if a.Checks == "" {
		return len(pod.Spec.ReadinessGates) > 0
	}
	return checked && len(pod.Spec.ReadinessGates) > len(a.bindings())
}

// WaitHook waits until the webhook gives the application's pods a preStop hook, and gives how
// long it sleeps. Until the controller has resolved the target group that may be longer, so
// it waits for the controller to say that it serves the binding, too.
func WaitHook(ctx context.Context, c *Cluster, a App) (seconds int64, err error) {
	for _, kind := range a.bindings() {
		if err := waitServed(ctx, c, a.object(kind)); err != nil {
			return 0, err
		}
	}
	if err := WaitInjected(ctx, c, a); err != nil {
		return 0, err
	}
	pod := a.trialPod()
	err = c.Create(ctx, pod, client.DryRunAll)
	return hook(pod, a.Adaptive), err
}

// waitServed waits until the controller says that it serves a binding.
func waitServed(ctx context.Context, c *Cluster, binding *unstructured.Unstructured) error {
	return poll(ctx, "the binding of namespace "+binding.GetNamespace()+" to be served", func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(binding), binding); err != nil {
			return false, err
		}
		conditions, _, err := unstructured.NestedSlice(binding.Object, "status", "conditions")
		return slices.ContainsFunc(conditions, func(v any) bool {
			condition, _ := v.(map[string]any)
			return condition["type"] == "Ready" && condition["status"] == "True"
		}), err
	})
}

// hook is for how many seconds the first container's preStop hook sleeps, at most if it is
// adaptive; 0 without one, or with one of the other sort.
func hook(pod *corev1.Pod, adaptive bool) int64 {
	l := pod.Spec.Containers[0].Lifecycle
	switch {
	case l == nil || l.PreStop == nil:
		return 0
	case l.PreStop.Sleep != nil && !adaptive:
		return l.PreStop.Sleep.Seconds
	case l.PreStop.Exec != nil && adaptive:
		for _, arg := range l.PreStop.Exec.Command {
			if longest, err := time.ParseDuration(strings.TrimPrefix(arg, "--max=")); err == nil {
				return int64(longest / time.Second)
			}
		}
	}

	return 0
}

// trialPod is a pod as the application's Deployment would make it.
func (a App) trialPod() *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Namespace, pod.GenerateName = a.Namespace, a.Name+"-trial-"
	pod.Labels = a.Labels
	if pod.Labels == nil {
		pod.Labels = map[string]string{appLabel: a.Name}
	}
	pod.Spec.Containers = []corev1.Container{{Name: "app", Image: a.Image}}
	return pod
}
