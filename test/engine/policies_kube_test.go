// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/kubetest"
)

// TestPodgateMayWriteNothingElse: whoever has podgate's token may set podgate's own gates, and change nothing else of a pod by its
// status. Others are not concerned.
func TestPodgateMayWriteNothingElse(t *testing.T) {
	c := newCluster(t)
	podgate, err := kubetest.Client(kubetest.AsPodgate(c.cfg))
	if err != nil {
		t.Fatal(err)
	}

	const conditions, status, annotations, metadata = "no condition of a pod but", "nothing of a pod's status but", "no annotation of a pod but", "no label, finalizer or other metadata"
	condition := func(of string) string {
		return fmt.Sprintf(`{"status":{"conditions":[{"type":%q,"status":"True","lastTransitionTime":null}]}}`, of)
	}
	for name, tc := range map[string]struct{ body, refused string }{
		"ItsOwnAnnotation":     {`{"metadata":{"annotations":{"podgate.dev/proven":"x"}}}`, ""},
		"ItsOwnAnnotationGone": {`{"metadata":{"annotations":{"podgate.dev/proven":null}}}`, ""},
		"ItsOwnConditionGone":  {`{"status":{"conditions":[{"type":"targets.podgate.dev/old","$patch":"delete"}]}}`, ""},
		"Nothing":              {`{}`, ""},
		"Ready":                {condition("Ready"), conditions},
		"AnotherGate":          {condition("example.com/approved"), conditions},
		"LikeALegacyGate":      {condition("alb.ingress.k8s.aws/i_web_80"), conditions},
		"LikeItsOwn":           {condition("x.targets.podgate.dev/web"), conditions},
		"LikeLatticesGate":     {condition(gwc.Gate + "s"), conditions},
		"AnothersWord":         {`{"status":{"conditions":[{"type":"ContainersReady","message":"x"}]}}`, conditions},
		"AnothersGone":         {`{"status":{"conditions":[{"type":"ContainersReady","$patch":"delete"}]}}`, conditions},
		"AllGone":              {`{"status":{"conditions":null}}`, conditions},
		"Label":                {`{"metadata":{"labels":{"app":"api"}}}`, metadata},
		"LabelMore":            {`{"metadata":{"labels":{"more":"x"}}}`, metadata},
		"LabelGone":            {`{"metadata":{"labels":{"app":null}}}`, metadata},
		"LabelsGone":           {`{"metadata":{"labels":null}}`, metadata},
		"Finalizer":            {`{"metadata":{"finalizers":["example.com/x"]}}`, metadata},
		"FinalizerGone":        {`{"metadata":{"finalizers":null}}`, metadata},
		"Annotation":           {`{"metadata":{"annotations":{"kept":"y"}}}`, annotations},
		"AnnotationMore":       {`{"metadata":{"annotations":{"more":"x"}}}`, annotations},
		"AnnotationGone":       {`{"metadata":{"annotations":{"kept":null}}}`, annotations},
		"AnnotationsGone":      {`{"metadata":{"annotations":null}}`, annotations},
		"Override":             {`{"metadata":{"annotations":{"podgate.dev/override":"x"}}}`, annotations},
		"PodIP":                {`{"status":{"podIP":"10.9.9.9","podIPs":[{"$patch":"replace"},{"ip":"10.9.9.9"}]}}`, status},
		"PodIPGone":            {`{"status":{"podIP":null,"podIPs":null}}`, status},
		"Phase":                {`{"status":{"phase":"Failed"}}`, status},
		"Reason":               {`{"status":{"reason":"Evicted"}}`, status},
		"ContainerStatus":      {`{"status":{"containerStatuses":[{"name":"app","ready":true,"image":"app","imageID":"","restartCount":0}]}}`, status},
		"HostIP":               {`{"status":{"hostIP":"10.9.9.9","hostIPs":[{"ip":"10.9.9.9"}]}}`, status},
		"HiddenAmongItsOwn":    {`{"metadata":{"labels":{"app":"api"}},"status":{"conditions":[{"type":"targets.podgate.dev/web","status":"True"}]}}`, metadata},
	} {
		t.Run(name, func(t *testing.T) {
			pod := c.attacked(strings.ToLower(name))
			body := client.RawPatch(types.StrategicMergePatchType, []byte(tc.body))
			before := pod.DeepCopy()
			err := podgate.Status().Patch(t.Context(), pod.DeepCopy(), body)
			switch {
			case tc.refused == "" && err != nil:
				t.Errorf("podgate is refused what it does: %v", err)
			case tc.refused != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "podgate's account may change "+tc.refused)):
				t.Errorf("want it forbidden with %q, got %v", tc.refused, err)
			}

			if err := c.kube.Status().Patch(t.Context(), before, body, client.DryRunAll); err != nil {
				t.Errorf("another is refused: %v", err)
			}
		})
	}

	// Whatever kind of gate there is, podgate may write it.
	for _, of := range []string{binding.GateType("web"), v1alpha1.GatePrefix + "web", gwc.Gate, v1alpha1.CheckPrefix + "warm", elbv2.LegacyAnyGate} {
		if !gates.All().Owns(of) && !strings.HasPrefix(of, v1alpha1.CheckPrefix) {
			t.Errorf("%s is a gate of no kind", of)
		}
		alive, ending := c.attacked("alive"), c.attacked("ending")
		if err := c.kube.Delete(t.Context(), ending); err != nil {
			t.Fatal(err)
		}
		for _, pod := range []*corev1.Pod{alive, ending} {
			if err := podgate.Status().Patch(t.Context(), pod, client.RawPatch(types.StrategicMergePatchType, []byte(condition(of)))); err != nil {
				t.Errorf("podgate is refused its own gate %s: %v", of, err)
			}
		}
	}
}

// attacked makes a pod that has something to lose.
func (c *cluster) attacked(name string) *corev1.Pod {
	c.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: c.ns, GenerateName: name + "-", Labels: map[string]string{"app": "web"}, Finalizers: []string{"example.com/held"},
			Annotations: map[string]string{"kept": "x", v1alpha1.ProvenAnnotation: "old"},
		},
		Spec: corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	c.create(pod)
	c.Cleanup(func() {
		_ = c.kube.Patch(context.Background(), pod, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))
	})
	c.ready(pod, "10.0.0.1", true)
	body := `{"status":{"conditions":[{"type":"targets.podgate.dev/old","status":"False"}]}}`
	if err := c.kube.Status().Patch(c.Context(), pod, client.RawPatch(types.StrategicMergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}
	return pod
}
