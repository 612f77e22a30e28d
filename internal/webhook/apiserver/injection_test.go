// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	reviewv1 "k8s.io/api/admission/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/kubetest"
)

// bind makes a Service of an application and its binding.
func (a *apiserver) bind(t *testing.T, namespace, app string) *elbv2.TargetGroupBinding {
	t.Helper()
	a.must(t, a.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}))
	a.must(t, a.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": app}, Ports: []corev1.ServicePort{{Port: 80}}},
	}))

	b := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app + "-tg"},
		Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupName: app, TargetType: new(elbv2.TargetTypeIP),
			ServiceRef: elbv2.ServiceReference{Name: app, Port: intstr.FromInt32(80)},
		},
	}

	a.must(t, a.Create(t.Context(), b))
	return b
}

// gates creates a pod of an application, with labels beside its own, and gives the pod as it was stored.
func (a *apiserver) gates(ctx context.Context, namespace, app string, labels map[string]string) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: app + "-", Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}
	maps.Copy(pod.Labels, labels)
	return pod, a.Create(ctx, pod)
}

// gated waits until the webhook knows an application's binding.
func (a *apiserver) gated(t *testing.T, namespace, app string) {
	t.Helper()
	a.eventually(t, "every replica gates "+app, func(ctx context.Context) bool {
		for range 2 * len(a.registries) {
			if pod, err := a.gates(ctx, namespace, app, nil); err != nil || len(pod.Spec.ReadinessGates) != 1 {
				return false
			}
		}
		return true
	})
}

// testExcluded: pods of kube-system and of podgate's own namespace are never shown to
// the webhook, labelled or not: their start must not depend on it.
func (a *apiserver) testExcluded(t *testing.T) {
	excluded := []string{metav1.NamespaceSystem, ownNamespace}
	for _, namespace := range excluded {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		label := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, elbv2.InjectLabel, elbv2.InjectEnabled))
		a.must(t, a.Patch(t.Context(), ns, label))
		a.bind(t, namespace, "system")
	}

	a.bind(t, a.namespace, "system")
	a.gated(t, a.namespace, "system")
	before := a.asked(t)

	for _, namespace := range excluded {
		pod, err := a.gates(t.Context(), namespace, "system", nil)
		if err != nil || len(pod.Spec.ReadinessGates) != 0 {
			t.Errorf("%s: want no gate, got %v, error %v", namespace, pod.Spec.ReadinessGates, err)
		}
	}

	if n := a.asked(t) - before; n != 0 {
		t.Errorf("the webhook was asked %v times", n)
	}
}

// asked is how many reviews the replicas answered.
func (a *apiserver) asked(t *testing.T) (n float64) {
	t.Helper()
	for _, r := range a.registries {
		n += sum(t, r, "podgate_webhook_requests_total")
	}
	return n
}

// testOptOut: a pod's label keeps podgate away from it.
func (a *apiserver) testOptOut(t *testing.T) {
	a.bind(t, a.namespace, "choosy")
	a.gated(t, a.namespace, "choosy")
	pod, err := a.gates(t.Context(), a.namespace, "choosy", map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectDisabled})
	if err != nil || len(pod.Spec.ReadinessGates) != 0 {
		t.Errorf("want no gate, got %v, error %v", pod.Spec.ReadinessGates, err)
	}
}

// testDeletedBinding: a binding that is being deleted gates nobody any more, although
// a finalizer keeps it.
func (a *apiserver) testDeletedBinding(t *testing.T) {
	b := a.bind(t, a.namespace, "leaving")
	b.Finalizers = []string{v1alpha1.Finalizer}
	a.must(t, a.Update(t.Context(), b))
	a.gated(t, a.namespace, "leaving")
	a.must(t, a.Delete(t.Context(), b))
	a.eventually(t, "no replica gates its pods", func(ctx context.Context) bool {
		for range 2 * len(a.registries) {
			if pod, err := a.gates(ctx, a.namespace, "leaving", nil); err != nil || len(pod.Spec.ReadinessGates) != 0 {
				return false
			}
		}
		return true
	})

	a.must(t, a.Get(t.Context(), client.ObjectKeyFromObject(b), b))
	if b.DeletionTimestamp.IsZero() {
		t.Error("the binding is not being deleted")
	}

	b.Finalizers = nil
	a.must(t, a.Update(t.Context(), b))
}

// testReinvoked: when another webhook changes the pod podgate is asked again, and the
// pod has one gate and the other's change.
func (a *apiserver) testReinvoked(t *testing.T) {
	a.bind(t, a.namespace, "sidecar")
	a.gated(t, a.namespace, "sidecar")
	server := httptest.NewTLSServer(http.HandlerFunc(addContainer))
	t.Cleanup(server.Close)
	other := &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "zz-after-podgate"},
		Webhooks: []admissionv1.MutatingWebhook{{
			Name: "sidecar.example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionv1.SideEffectClassNone),
			ClientConfig: admissionv1.WebhookClientConfig{
				URL: new(server.URL), CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "sidecar"}},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}

	a.must(t, a.Create(t.Context(), other))
	t.Cleanup(func() { _ = a.Delete(context.Background(), other) })
	var pod *corev1.Pod
	var asked float64
	a.eventually(t, "the other webhook is asked", func(ctx context.Context) bool {
		before, err := a.asked(t), error(nil)
		pod, err = a.gates(ctx, a.namespace, "sidecar", nil)
		asked = a.asked(t) - before
		return err == nil && len(pod.Spec.Containers) == 2
	})

	if asked != 2 {
		t.Errorf("the other webhook changed the pod, and podgate was asked %v times, want twice", asked)
	}

	want := []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/sidecar-tg"}}
	if !slices.Equal(pod.Spec.ReadinessGates, want) {
		t.Errorf("want one gate, got %v", pod.Spec.ReadinessGates)
	}
}

// addContainer is another webhook, which adds a container.
func addContainer(w http.ResponseWriter, r *http.Request) {
	var review reviewv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &reviewv1.AdmissionResponse{
		UID: review.Request.UID, Allowed: true, PatchType: new(reviewv1.PatchTypeJSONPatch),
		Patch: []byte(`[{"op":"add","path":"/spec/containers/-","value":{"name":"sidecar","image":"none"}}]`),
	}
	review.Request = nil
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// testSelectorless: a Service without a selector selects no pod, whoever its binding is.
func (a *apiserver) testSelectorless(t *testing.T) {
	namespace := kubetest.Namespace(t, a.Client, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled})
	a.must(t, a.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "any"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}))

	a.bind(t, namespace, "some")
	a.must(t, a.Create(t.Context(), &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "any-tg"},
		Spec:       elbv2.TargetGroupBindingSpec{TargetGroupName: "any", ServiceRef: elbv2.ServiceReference{Name: "any", Port: intstr.FromInt32(80)}},
	}))

	a.bind(t, namespace, "last") // after any-tg: whoever knows this one knows the others
	a.gated(t, namespace, "last")
	pod, err := a.gates(t.Context(), namespace, "some", nil)
	want := []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/some-tg"}}
	if err != nil || !slices.Equal(pod.Spec.ReadinessGates, want) {
		t.Errorf("want the gate of the Service with a selector only, got %v, error %v", pod.Spec.ReadinessGates, err)
	}
}
