// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/kubetest"
)

var shared *rest.Config

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	kubetest.Main(m, func(cfg *rest.Config) { shared = cfg })
}

// cluster is one with podgate installed.
type cluster struct {
	*testing.T
	client.WithWatch
	ns string
}

func installed(t *testing.T) *cluster {
	t.Helper()
	kube, err := kubetest.Client(shared)
	if err != nil {
		t.Fatal(err)
	}

	c := &cluster{T: t, WithWatch: kube, ns: kubetest.Namespace(t, kube, nil)}
	labels := map[string]string{"app": "podgate"}
	pod := corev1.PodSpec{Containers: []corev1.Container{{Name: "podgate", Image: "podgate"}}}
	for _, o := range []client.Object{
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: certificate.ConfigurationName}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: certificate.SecretName}},
		&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "podgate-leader"}},
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "podgate"}, Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		}},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "podgate-1", Labels: labels}, Spec: pod},
	} {
		c.create(o)
	}

	return c
}

func (c *cluster) create(o client.Object) {
	c.Helper()
	if err := c.Create(c.Context(), o); err != nil {
		c.Fatalf("create %T %s: %v", o, o.GetName(), err)
	}
}

func (c *cluster) options() Options {
	return Options{Client: c, Namespace: c.ns, WatchNamespace: c.ns, Gates: gates.All(), Lease: "podgate-leader", Settle: 300 * time.Millisecond, Tick: 20 * time.Millisecond, Log: logr.Discard()}
}

func (c *cluster) binding(name string, finalizers ...string) *elbv2.TargetGroupBinding {
	c.Helper()
	b := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name, Finalizers: finalizers},
		Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupARN: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/" + name + "/5cdd5305c5b1f8e8",
			ServiceRef:     elbv2.ServiceReference{Name: name, Port: intstr.FromInt32(80)},
		},
	}
	c.create(b)
	return b
}

func (c *cluster) pod(name string, of ...string) {
	c.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}
	for _, g := range of {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(g)})
	}
	c.create(pod)
}

// gate is the status and reason of a pod's condition.
func (c *cluster) gate(pod, of string) string {
	c.Helper()
	var p corev1.Pod
	if err := c.Get(c.Context(), types.NamespacedName{Namespace: c.ns, Name: pod}, &p); err != nil {
		c.Fatal(err)
	}
	if cond := binding.Condition(&p, corev1.PodConditionType(of)); cond != nil {
		return string(cond.Status) + " " + cond.Reason
	}
	return ""
}

// stopWhenTold plays the Deployment's controller: podgate's last replica ends when it is
// scaled to nothing.
func (c *cluster) stopWhenTold(ctx context.Context, meanwhile func()) {
	for ctx.Err() == nil {
		var d appsv1.Deployment
		if c.Get(ctx, types.NamespacedName{Namespace: c.ns, Name: "podgate"}, &d) == nil && *d.Spec.Replicas == 0 {
			meanwhile()
			_ = c.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "podgate-1"}}, client.GracePeriodSeconds(0))
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestNothingIsLeft(t *testing.T) {
	c := installed(t)
	ours, theirs := c.binding("ours", v1alpha1.Finalizer, "example.com/other"), c.binding("theirs", elbv2.LBCFinalizer)
	doomed := c.binding("doomed", v1alpha1.Finalizer)
	if err := c.Delete(t.Context(), doomed); err != nil {
		t.Fatal(err)
	}

	own := &v1alpha1.TargetBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "own", Finalizers: []string{v1alpha1.Finalizer}},
		Spec: v1alpha1.TargetBindingSpec{
			ServiceRef: v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(80)},
			HAProxy:    &v1alpha1.HAProxy{Backend: "web", Instances: []string{"tcp://127.0.0.1:9999"}},
		},
	}

	c.create(own)
	web, lbc, mine := binding.GateType("ours"), binding.GateType("theirs"), "targets.podgate.dev/own"
	c.pod("waits", web, mine, "example.com/else")
	c.pod("lbcs", lbc)
	c.pod("orphan", binding.GateType("nobody"))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.stopWhenTold(t.Context(), func() {
			// A leader that still runs puts its finalizer on, and an API server still admits.
			_ = c.Patch(t.Context(), theirs.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":["`+elbv2.LBCFinalizer+`","`+v1alpha1.Finalizer+`"]}}`)))
		})
	}()

	late := time.AfterFunc(200*time.Millisecond, func() { c.pod("late", web) })
	defer late.Stop()
	o := c.options()
	o.Settle = 2 * time.Second
	if err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}

	<-ended

	for _, o := range []client.Object{
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: certificate.ConfigurationName}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: certificate.SecretName}},
		&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "podgate-leader"}},
		doomed,
	} {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); !apierrors.IsNotFound(err) {
			t.Errorf("%T %s is still there: %v", o, o.GetName(), err)
		}
	}

	for o, want := range map[client.Object][]string{ours: {"example.com/other"}, theirs: {elbv2.LBCFinalizer}, own: nil} {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(o.GetFinalizers(), want) {
			t.Errorf("finalizers of %s: %q, want %q", o.GetName(), o.GetFinalizers(), want)
		}
	}

	for _, each := range [][3]string{
		{"waits", web, "True Uninstalled"}, {"waits", mine, "True Uninstalled"}, {"waits", "example.com/else", ""},
		{"lbcs", lbc, ""}, {"orphan", binding.GateType("nobody"), "True Uninstalled"}, {"late", web, "True Uninstalled"},
	} {
		if got := c.gate(each[0], each[1]); got != each[2] {
			t.Errorf("gate %s of pod %s: %q, want %q", each[1], each[0], got, each[2])
		}
	}

	// Again, on a cluster where nothing is left.
	if err := Run(t.Context(), c.options()); err != nil {
		t.Errorf("a second run: %v", err)
	}
}

// While a replica is left nothing is let go: it would take it back.
func TestWaitsForTheLastReplica(t *testing.T) {
	c := installed(t)
	b := c.binding("ours", v1alpha1.Finalizer)
	c.pod("waits", binding.GateType("ours"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := Run(ctx, c.options())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("want to wait, got %v", err)
	}

	if err := c.Get(t.Context(), client.ObjectKeyFromObject(b), b); err != nil {
		t.Fatal(err)
	}

	if len(b.Finalizers) != 1 || c.gate("waits", binding.GateType("ours")) != "" {
		t.Errorf("let go while a replica was left: finalizers %q, gate %q", b.Finalizers, c.gate("waits", binding.GateType("ours")))
	}
}

// A replica that a node's pressure evicted stays as an object until its ReplicaSet is
// deleted. It runs no more, so nobody waits for it.
func TestWaitsForNoDeadReplica(t *testing.T) {
	c := installed(t)
	for name, phase := range map[string]corev1.PodPhase{"podgate-1": corev1.PodFailed, "podgate-2": corev1.PodSucceeded} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name, Labels: map[string]string{"app": "podgate"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "podgate", Image: "podgate"}}}}
		if err := c.Create(t.Context(), pod.DeepCopy()); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
		if err := c.Status().Patch(t.Context(), pod, client.RawPatch(types.MergePatchType, []byte(`{"status":{"phase":"`+string(phase)+`"}}`))); err != nil {
			t.Fatal(err)
		}
	}

	c.pod("waits", binding.GateType("ours"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	if err := Run(ctx, c.options()); err != nil {
		t.Fatal(err)
	}

	if got := c.gate("waits", binding.GateType("ours")); got != "True Uninstalled" {
		t.Errorf("gate: %q", got)
	}
}

// What cannot be written, such as for an admission webhook that refuses, is told, and keeps
// nothing else from being let go.
func TestOneRefusalKeepsNothingElse(t *testing.T) {
	c := installed(t)
	c.binding("a-refused", v1alpha1.Finalizer)
	ours := c.binding("ours", v1alpha1.Finalizer)
	c.pod("a-refused", binding.GateType("ours"))
	c.pod("waits", binding.GateType("ours"))

	if err := c.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "podgate-1"}}, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}

	refused := errors.New("the webhook of somebody else does not answer")
	o := c.options()
	o.Client = interceptor.NewClient(c.WithWatch, interceptor.Funcs{
		Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if o.GetName() == "a-refused" {
				return refused
			}
			return w.Patch(ctx, o, p, opts...)
		},
		SubResourcePatch: func(ctx context.Context, w client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			if o.GetName() == "a-refused" {
				return refused
			}
			return w.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	})

	err := Run(t.Context(), o)
	if !errors.Is(err, refused) || !strings.Contains(err.Error(), "TargetGroupBinding "+c.ns+"/a-refused") || !strings.Contains(err.Error(), "pod "+c.ns+"/a-refused") {
		t.Errorf("want to be told of the binding and of the pod, got %v", err)
	}

	if err := c.Get(t.Context(), client.ObjectKeyFromObject(ours), ours); err != nil {
		t.Fatal(err)
	}

	if got := c.gate("waits", binding.GateType("ours")); len(ours.Finalizers) > 0 || got != "True Uninstalled" {
		t.Errorf("one refusal keeps others: finalizers %q, gate %q", ours.Finalizers, got)
	}
}
