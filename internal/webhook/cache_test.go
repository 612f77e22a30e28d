// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// world is what the API server holds.
type world struct {
	services []corev1.Service
	bindings []elbv2.TargetGroupBinding
	own      []v1alpha1.TargetBinding
	gates    []v1alpha1.ReadinessGate
	// hold, unless nil, keeps lists waiting until it is closed.
	hold chan struct{}
	// holdPods does so with lists of pods.
	holdPods chan struct{}
}

// ServeHTTP lists the world's objects and watches in silence.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("sendInitialEvents") != "" {
		rw.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(rw).Encode(metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity})
		return
	}

	if r.URL.Query().Get("watch") != "" {
		rw.WriteHeader(http.StatusOK)
		rw.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}

	hold := w.hold
	if r.URL.Path == "/api/v1/pods" && w.holdPods != nil {
		hold = w.holdPods
	}
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}

	switch r.URL.Path {
	case "/api/v1/pods":
		_ = json.NewEncoder(rw).Encode(corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}})

	case "/api/v1/services":
		_ = json.NewEncoder(rw).Encode(corev1.ServiceList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: w.services,
		})

	case "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings":
		_ = json.NewEncoder(rw).Encode(elbv2.TargetGroupBindingList{
			TypeMeta: metav1.TypeMeta{APIVersion: "elbv2.k8s.aws/v1beta1", Kind: "TargetGroupBindingList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: w.bindings,
		})

	case "/apis/podgate.dev/v1alpha1/targetbindings":
		_ = json.NewEncoder(rw).Encode(v1alpha1.TargetBindingList{
			TypeMeta: metav1.TypeMeta{APIVersion: "podgate.dev/v1alpha1", Kind: "TargetBindingList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: w.own,
		})

	case "/apis/podgate.dev/v1alpha1/readinessgates":
		_ = json.NewEncoder(rw).Encode(v1alpha1.ReadinessGateList{
			TypeMeta: metav1.TypeMeta{APIVersion: "podgate.dev/v1alpha1", Kind: "ReadinessGateList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: w.gates,
		})

	default:
		http.NotFound(rw, r)
	}
}

// newCache makes the cache that a manager would, of the world; the function it returns
// starts it.
func newCache(t testing.TB, w *world) (c cache.Cache, start func()) {
	t.Helper()
	srv := httptest.NewServer(w)
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}

	if err := elbv2.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}

	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}

	c, err := cache.New(&rest.Config{Host: srv.URL}, cache.Options{Scheme: scheme, Mapper: testrestmapper.TestOnlyStaticRESTMapper(scheme), HTTPClient: srv.Client(), ReaderFailOnMissingInformer: true})
	if err != nil {
		t.Fatal(err)
	}

	if err := binding.Indexes(t.Context(), c); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	close(done)
	t.Cleanup(func() {
		cancel()
		<-done
		srv.CloseClientConnections()
		srv.Close()
	})

	return c, func() {
		done = make(chan struct{})
		go func() {
			defer close(done)
			if err := c.Start(ctx); err != nil {
				t.Errorf("cache: %v", err)
			}
		}()
	}
}

// newHandler makes a handler over a synced cache of the world.
func newHandler(t testing.TB, w *world, o Options) *Handler {
	t.Helper()
	c, start := newCache(t, w)
	synced, err := Prepare(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}

	start()
	if !c.WaitForCacheSync(t.Context()) {
		t.Fatal("cache did not sync")
	}

	h, err := New(c, synced, o)
	if err != nil {
		t.Fatal(err)
	}

	return h
}

func service(namespace, name string, selector map[string]string) corev1.Service {
	return corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.ServiceSpec{Selector: selector}}
}

// bindingTo makes a binding that leaves its target type out.
func bindingTo(namespace, name, service string) elbv2.TargetGroupBinding {
	return elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       elbv2.TargetGroupBindingSpec{TargetGroupARN: "arn", ServiceRef: elbv2.ServiceReference{Name: service}},
	}
}

func typed(b elbv2.TargetGroupBinding, t elbv2.TargetType) elbv2.TargetGroupBinding {
	b.Spec.TargetType = &t
	return b
}

func published(b elbv2.TargetGroupBinding, annotation string) elbv2.TargetGroupBinding {
	return annotated(b, v1alpha1.PublishedAnnotation, annotation)
}

func annotated(b elbv2.TargetGroupBinding, name, value string) elbv2.TargetGroupBinding {
	b.Annotations = map[string]string{name: value}
	return b
}

// deleted is a binding whose deletion a finalizer holds up.
func deleted(b elbv2.TargetGroupBinding) elbv2.TargetGroupBinding {
	b.DeletionTimestamp, b.Finalizers = new(metav1.Now()), []string{v1alpha1.Finalizer}
	return b
}
