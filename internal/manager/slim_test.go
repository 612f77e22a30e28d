// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/check/expr"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/injection"
)

// TestSlimPod: what podgate reads of a pod is kept as it is, and nothing else is.
func TestSlimPod(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	now := metav1.Now()
	gate := corev1.PodConditionType(elbv2.GateType("web"))
	kept := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-0", UID: "uid", ResourceVersion: "7", Labels: map[string]string{"app": "web", "empty": ""},
			Annotations:       map[string]string{v1alpha1.ProvenAnnotation: "{}", v1alpha1.OverrideAnnotation: "{}"},
			OwnerReferences:   []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "rs", Controller: new(true)}},
			CreationTimestamp: now, DeletionTimestamp: &now, DeletionGracePeriodSeconds: new(int64(60)),
		},
		Spec: corev1.PodSpec{
			NodeName:       "node",
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "example.com/other"}, {ConditionType: gate}},
			Containers:     []corev1.Container{{Name: "app", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}}}},
			InitContainers: []corev1.Container{{Name: "proxy", RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "admin", ContainerPort: 15000}}}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.7", PodIPs: []corev1.PodIP{{IP: "10.0.0.7"}, {IP: "2001:db8::7"}},
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ReadinessGatesNotReady", Message: "wait", LastTransitionTime: now},
				{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: now},
				{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI", LastTransitionTime: now},
				{Type: gate, Status: corev1.ConditionFalse, Reason: "Initial", Message: "soon", LastTransitionTime: now},
				{Type: "example.com/other", Status: corev1.ConditionTrue, LastTransitionTime: now},
			},
		},
	}

	full := *kept.DeepCopy()
	drain.Keep(&kept, drain.Manifest{
		Grace:      85,
		Containers: []drain.Container{{Name: "app", Hook: drain.Unread, Ports: []string{"8080", "http", "9090"}}, {Name: "without-ports", Hook: 5}},
		Sidecars:   []drain.Container{{Name: "proxy", Ports: []string{"15000", "admin"}}},
	})
	full.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}
	full.OwnerReferences[0].BlockOwnerDeletion = new(true)
	full.OwnerReferences = append([]metav1.OwnerReference{{Name: "another"}}, full.OwnerReferences...)
	full.Annotations["example.com/large"], full.Annotations[v1alpha1.LeftOutAnnotation] = "x", "preStop" // of a pod that the template was copied from
	full.Spec.Containers[0].Image = "app"
	full.Spec.Containers[0].Ports = append(full.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: 9090})
	full.Spec.Containers = append(full.Spec.Containers, corev1.Container{
		Name: "without-ports", Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}},
	})

	full.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{}}}
	full.Spec.TerminationGracePeriodSeconds = new(int64(85))
	full.Status.Conditions[4].Reason, full.Status.Conditions[4].Message = "Approved", "by somebody"
	full.Status.Message = "The node was low on resource: memory."
	full.Status.Conditions = append(full.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue})
	full.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app"}}

	got, err := slimPod(gates.All())(&full)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(&kept, got); diff != "" {
		t.Errorf("the cached pod (-want +got):\n%s", diff)
	}
}

// TestSlimPodKeepsWhoseAPortIs: on a node's network only its ports tell a pod from others.
func TestSlimPodKeepsWhoseAPortIs(t *testing.T) {
	agent := &corev1.Pod{Spec: corev1.PodSpec{
		HostNetwork: true,
		Containers:  []corev1.Container{{Name: "agent", Ports: []corev1.ContainerPort{{ContainerPort: 9100}}}},
	}}
	slim, err := slimPod(gates.All())(agent)
	if err != nil {
		t.Fatal(err)
	}
	if pod := slim.(*corev1.Pod); binding.MayHave(pod, 8080) || !binding.MayHave(pod, 9100) {
		t.Errorf("want the pod known by its port 9100, got %v", pod.Spec)
	}
}

// TestSlimPodKnowsOtherWriters: who else sets a gate that bindings share is known of a cached pod, and of no other gate.
func TestSlimPodKnowsOtherWriters(t *testing.T) {
	pod := &corev1.Pod{}
	for _, g := range []string{gwc.Gate, elbv2.GateType("web")} {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(g)})
		pod.ManagedFields = append(pod.ManagedFields, metav1.ManagedFieldsEntry{Manager: "manager", FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:conditions":{"k:{\"type\":\"` + g + `\"}":{"f:status":{}}}}}`)})
	}

	slim, err := slimPod(gates.All())(pod)
	if err != nil {
		t.Fatal(err)
	}
	got := slim.(*corev1.Pod)
	if by := gates.OtherWriter(got, gwc.Gate); by != "manager" {
		t.Errorf("the gate was written by %q", by)
	}
	if len(got.ManagedFields) != 1 {
		t.Errorf("of managed fields it keeps %v", got.ManagedFields)
	}
}

// TestSlimPodKeepsWhatIsStated: what is stated of a pod that is applied by itself is known of the cached pod, too, and what
// a template was copied from is not.
func TestSlimPodKeepsWhatIsStated(t *testing.T) {
	manifest := map[string]string{corev1.LastAppliedConfigAnnotation: `{"spec":{"readinessGates":[]}}`}
	noted := map[string]string{v1alpha1.LeftOutAnnotation: "readinessGates,preStop"}
	helm := map[string]string{"meta.helm.sh/release-name": "web", v1alpha1.LeftOutAnnotation: "readinessGates"}
	controller := []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", Controller: new(true)}}
	applied := []metav1.ManagedFieldsEntry{{Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:terminationGracePeriodSeconds":{}}}`)}}

	for name, tc := range map[string]struct {
		meta metav1.ObjectMeta
		want injection.Stated
	}{
		"applied":                    {metav1.ObjectMeta{Annotations: manifest}, injection.Stated{Applied: true, Gates: true, End: true}},
		"applied by the server":      {metav1.ObjectMeta{ManagedFields: applied}, injection.Stated{Applied: true, End: true}},
		"applied by a controller":    {metav1.ObjectMeta{ManagedFields: applied, OwnerReferences: controller}, injection.Stated{Applied: true, End: true}},
		"of a release":               {metav1.ObjectMeta{Annotations: helm}, injection.Stated{Applied: true, Gates: true, End: true}},
		"a template's copy":          {metav1.ObjectMeta{Annotations: manifest, OwnerReferences: controller}, injection.Stated{}},
		"a template's copy of notes": {metav1.ObjectMeta{Annotations: noted, OwnerReferences: controller}, injection.Stated{}},
		"a copy, only created":       {metav1.ObjectMeta{Annotations: noted}, injection.Stated{}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: tc.meta}
			if got := injection.PodOf(pod).Stated; got != tc.want {
				t.Errorf("of the pod: %+v, want %+v", got, tc.want)
			}

			slim, err := slimPod(gates.All())(pod)
			if err != nil {
				t.Fatal(err)
			}
			if got := injection.PodOf(slim.(*corev1.Pod)).Stated; got != tc.want {
				t.Errorf("of the cached pod: %+v, want %+v", got, tc.want)
			}
		})
	}
}

// TestSlimPodKeepsWhatExpressionsSee: of a pod with a gate of checks everything is kept that an expression may look at, so that the
// cache's pod answers as the API server's would. Of others it is not.
func TestSlimPodKeepsWhatExpressionsSee(t *testing.T) {
	now := metav1.Now()
	full := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u", Generation: 3, Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"cni.example.com/ready": "true", v1alpha1.ProvenAnnotation: "{}"}},
		Spec:       corev1.PodSpec{NodeName: "node", ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "checks.podgate.dev/device"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.7", HostIP: "10.0.0.1", StartTime: &now,
			Conditions:        []corev1.PodCondition{{Type: "example.com/programmed", Status: corev1.ConditionTrue, Reason: "Programmed", Message: "all of it"}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "app", Ready: true, RestartCount: 2, Image: "app", AllocatedResourcesStatus: []corev1.ResourceStatus{{Name: "example.com/gpu", Resources: []corev1.ResourceHealth{{ResourceID: "0", Health: "Unhealthy"}}}}}},
		},
	}

	whole := *full.DeepCopy()
	got, err := slimPod(gates.All())(&whole)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expr.Visible(&full), expr.Visible(got.(*corev1.Pod))); diff != "" {
		t.Errorf("what expressions see: -of the pod, +of the cache's pod:\n%s", diff)
	}
	if got.(*corev1.Pod).Annotations[v1alpha1.ProvenAnnotation] != "{}" {
		t.Error("what podgate noted on the pod is gone")
	}
	if got.(*corev1.Pod).Status.ContainerStatuses[0].Image != "" {
		t.Error("an image is kept, which nothing reads")
	}

	// Annotations that are too large are none that an expression may look at, and podgate's own stay.
	large := *full.DeepCopy()
	large.Annotations["example.com/large"] = strings.Repeat("x", 5000)
	if got, err = slimPod(gates.All())(&large); err != nil {
		t.Fatal(err)
	}
	if a := got.(*corev1.Pod).Annotations; a["example.com/large"] != "" || a[v1alpha1.ProvenAnnotation] != "{}" {
		t.Errorf("annotations %v", a)
	}

	others := *full.DeepCopy()
	others.Spec.ReadinessGates[0].ConditionType = "targets.podgate.dev/web"
	if got, err = slimPod(gates.All())(&others); err != nil {
		t.Fatal(err)
	}
	if p := got.(*corev1.Pod); p.Status.ContainerStatuses != nil || p.Annotations["cni.example.com/ready"] != "" {
		t.Errorf("a pod without such a gate keeps what nothing reads: %+v", p)
	}
}
