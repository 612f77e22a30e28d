// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/kubetest"
)

// testApplied: whatever the manifest of a bare pod states, it can be applied a second time, and that changes nothing. What
// podgate can add nevertheless it adds.
func (a *apiserver) testApplied(t *testing.T) {
	namespace := kubetest.Namespace(t, a.Client, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled, v1alpha1.DrainLabel: v1alpha1.DrainEnabled})
	b := a.bind(t, namespace, "web")
	b.Annotations = map[string]string{v1alpha1.DrainModeAnnotation: v1alpha1.DrainAdaptive}
	a.must(t, a.Update(t.Context(), b))
	a.gated(t, namespace, "web")

	cases := map[string]struct {
		reason, spec, container string
		gated, hooked           bool
		leftOut                 string
	}{
		"Nothing":    {reason: "The manifest states neither.", gated: true, hooked: true},
		"Gates":      {reason: "The list is applied as a whole.", spec: `"readinessGates":[{"conditionType":"example.com/checked"}],`, hooked: true, leftOut: "readinessGates"},
		"OwnGate":    {reason: "podgate's gate may be stated.", spec: `"readinessGates":[{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}],`, gated: true, hooked: true},
		"EmptyGates": {reason: "So is an empty list, as templates write it.", spec: `"readinessGates":[],`, hooked: true, leftOut: "readinessGates"},
		"Grace":      {reason: "The hook needs a longer grace period.", spec: `"terminationGracePeriodSeconds":60,`, gated: true, leftOut: "preStop"},
		"Default":    {reason: "The default may be stated.", spec: `"terminationGracePeriodSeconds":30,`, gated: true, leftOut: "preStop"},
		"Both":       {reason: "A pod that states all of it.", spec: `"terminationGracePeriodSeconds":60,"readinessGates":[{"conditionType":"example.com/checked"}],`, leftOut: "readinessGates,preStop"},
		"PostStart":  {reason: "A hook is added beside another.", container: `,"lifecycle":{"postStart":{"sleep":{"seconds":1}}}`, gated: true, hooked: true},
		"Lists":      {reason: "Lists that are merged.", spec: `"volumes":[{"name":"data","emptyDir":{}}],"initContainers":[{"name":"first","image":"none"}],`, container: `,"env":[{"name":"A","value":"b"}],"volumeMounts":[{"name":"data","mountPath":"/data"}]`, gated: true, hooked: true},
	}

	for manner, apply := range map[string]func(context.Context, []byte) (*corev1.Pod, error){"ClientSide": a.applyClientSide, "ServerSide": a.applyServerSide} {
		for name, tc := range cases {
			t.Run(manner+name, func(t *testing.T) {
				manifest := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":%q,"name":%q,"labels":{"app":"web"}},"spec":{%s"containers":[{"name":"c","image":"none"%s}]}}`,
					namespace, strings.ToLower(manner+name), tc.spec, tc.container)
				first, err := apply(t.Context(), manifest)
				a.must(t, err)

				// The default grace period is kubectl's own when somebody goes over to server-side apply.
				if manner == "ClientSide" && tc.hooked {
					tc.hooked, tc.leftOut = false, strings.TrimPrefix(tc.leftOut+",preStop", ",")
				}

				gated := slices.ContainsFunc(first.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool { return g.ConditionType == "target-health.elbv2.k8s.aws/web-tg" })
				hook := first.Spec.Containers[0].Lifecycle
				if hooked := hook != nil && hook.PreStop != nil; gated != tc.gated || hooked != tc.hooked || first.Annotations[v1alpha1.LeftOutAnnotation] != tc.leftOut {
					t.Errorf("%s\ngated %t, hooked %t, annotations %v", tc.reason, gated, hooked, first.Annotations)
				}

				second, err := apply(t.Context(), manifest)
				if err != nil {
					t.Fatalf("%s\nsecond apply: %v", tc.reason, err)
				}
				if diff := cmp.Diff(first, second); diff != "" {
					t.Errorf("%s\nsecond apply: -before, +after:\n%s", tc.reason, diff)
				}
			})
		}
	}
}

// applyClientSide does what kubectl apply does.
func (a *apiserver) applyClientSide(ctx context.Context, manifest []byte) (*corev1.Pod, error) {
	var desired map[string]any
	if err := json.Unmarshal(manifest, &desired); err != nil {
		return nil, err
	}
	desired["metadata"].(map[string]any)["annotations"] = map[string]any{corev1.LastAppliedConfigAnnotation: string(manifest)}
	modified, err := json.Marshal(desired)
	if err != nil {
		return nil, err
	}

	var pod corev1.Pod
	if err := json.Unmarshal(modified, &pod); err != nil {
		return nil, err
	}

	err = a.Get(ctx, client.ObjectKeyFromObject(&pod), &pod)
	if apierrors.IsNotFound(err) {
		return &pod, a.Create(ctx, &pod)
	}
	if err != nil {
		return nil, err
	}

	current, err := json.Marshal(&pod)
	if err != nil {
		return nil, err
	}
	schema, err := strategicpatch.NewPatchMetaFromStruct(corev1.Pod{})
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch([]byte(pod.Annotations[corev1.LastAppliedConfigAnnotation]), modified, current, schema, true)
	if err != nil {
		return nil, err
	}

	return &pod, a.Patch(ctx, &pod, client.RawPatch(types.StrategicMergePatchType, patch))
}

// applyServerSide does what Flux does, and kubectl apply --server-side.
func (a *apiserver) applyServerSide(ctx context.Context, manifest []byte) (*corev1.Pod, error) {
	var pod corev1.Pod
	if err := json.Unmarshal(manifest, &pod); err != nil {
		return nil, err
	}
	return &pod, a.Patch(ctx, &pod, client.RawPatch(types.ApplyPatchType, manifest), client.FieldOwner("kubectl"))
}

// testOwners: a pod that a controller makes of a template gets all of it, whatever the template states and was copied from:
// nobody applies that pod. A Job's pod ends by itself, and a static pod's kubelet heeds a file.
func (a *apiserver) testOwners(t *testing.T) {
	namespace := kubetest.Namespace(t, a.Client, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled, v1alpha1.DrainLabel: v1alpha1.DrainEnabled})
	a.bind(t, namespace, "web")
	a.gated(t, namespace, "web")

	const last = `{"spec":{"terminationGracePeriodSeconds":60,"readinessGates":[]}}`
	cases := map[string]struct {
		owner       *metav1.OwnerReference
		annotations map[string]string
		injected    bool
	}{
		"Created":     {injected: true},
		"ReplicaSet":  {owner: &metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet"}, annotations: map[string]string{corev1.LastAppliedConfigAnnotation: last}, injected: true},
		"StatefulSet": {owner: &metav1.OwnerReference{APIVersion: "apps/v1", Kind: "StatefulSet"}, annotations: map[string]string{corev1.LastAppliedConfigAnnotation: last}, injected: true},
		"DaemonSet":   {owner: &metav1.OwnerReference{APIVersion: "apps/v1", Kind: "DaemonSet"}, annotations: map[string]string{"meta.helm.sh/release-name": "r"}, injected: true},
		"CloneSet":    {owner: &metav1.OwnerReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet"}, annotations: map[string]string{corev1.LastAppliedConfigAnnotation: last}, injected: true},
		"Job":         {owner: &metav1.OwnerReference{APIVersion: "batch/v1", Kind: "Job"}},
		"Static":      {owner: &metav1.OwnerReference{APIVersion: "v1", Kind: "Node"}, annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := labelled(namespace, strings.ToLower(name), nil)
			pod.Annotations, pod.Spec.NodeName = tc.annotations, "node"
			pod.Spec.TerminationGracePeriodSeconds = new(int64(60))
			pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.com/checked"}}
			if tc.owner != nil {
				tc.owner.Name, tc.owner.UID, tc.owner.Controller = "owner", "u", new(true)
				pod.OwnerReferences = []metav1.OwnerReference{*tc.owner}
			}
			a.must(t, a.Create(t.Context(), &pod))

			gated, hooked := len(pod.Spec.ReadinessGates) == 2, pod.Spec.Containers[0].Lifecycle != nil
			if gated != tc.injected || hooked != tc.injected || pod.Annotations[v1alpha1.LeftOutAnnotation] != "" {
				t.Errorf("gated %t, hooked %t, want %t; annotations %v", gated, hooked, tc.injected, pod.Annotations)
			}
		})
	}
}
