// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"context"
	"maps"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/webhook/profile"
)

// settle is how long after an event a pod is inspected: what is applied together comes in
// any order, and the caches' order is another one.
const settle = 5 * time.Second

// watcher finds the pods that an event may change something for. At the start all
// pods are looked at, so what is there already needs no look of its own.
type watcher struct {
	reader client.Reader
	serves func(*binding.Binding) bool
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

func add(q queue, pod client.Object) {
	q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(pod)}, settle)
}

func (watcher) pods() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, after := e.ObjectOld.(*corev1.Pod), e.ObjectNew.(*corev1.Pod)
			if !maps.Equal(before.Labels, after.Labels) || gone(before) != gone(after) {
				add(q, after)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(q, e.Object) },
	}
}

// gone reports whether a pod is of no interest any more.
func gone(pod *corev1.Pod) bool { return !pod.DeletionTimestamp.IsZero() || binding.Over(pod) }

func (w watcher) services() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			if !e.IsInInitialList {
				w.selected(ctx, e.Object.(*corev1.Service), q)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			before, after := e.ObjectOld.(*corev1.Service), e.ObjectNew.(*corev1.Service)
			if !maps.Equal(before.Spec.Selector, after.Spec.Selector) {
				w.selected(ctx, before, q)
				w.selected(ctx, after, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			w.selected(ctx, e.Object.(*corev1.Service), q)
		},
	}
}

// selected adds the pods that a Service selects.
func (w watcher) selected(ctx context.Context, svc *corev1.Service, q queue) {
	pods, err := index.PodsOf(ctx, w.reader, svc)
	if err != nil {
		log.FromContext(ctx).Error(err, "Finding a Service's pods failed", "service", client.ObjectKeyFromObject(svc))
	}
	for i := range pods {
		add(q, &pods[i])
	}
}

func (w watcher) bindings() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			if !e.IsInInitialList {
				w.bound(ctx, binding.From(e.Object), q)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			before, after := binding.From(e.ObjectOld), binding.From(e.ObjectNew)
			if w.serves(before) != w.serves(after) || !injection.Unchanged(before, after) {
				w.bound(ctx, before, q)
				w.bound(ctx, after, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			w.bound(ctx, binding.From(e.Object), q)
		},
	}
}

// bound adds the pods of a binding's Service.
func (w watcher) bound(ctx context.Context, b *binding.Binding, q queue) {
	svc, err := b.Service(ctx, w.reader)
	if err != nil {
		log.FromContext(ctx).Error(err, "Finding a binding's Service failed", "binding", client.ObjectKeyFromObject(b.Object))
	}
	if svc != nil {
		w.selected(ctx, svc, q)
	}
}

func (w watcher) namespaces() handler.EventHandler {
	return handler.Funcs{UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
		if !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) {
			w.all(ctx, e.ObjectNew.GetName(), q)
		}
	}}
}

// configurations are one, the webhook's: the cache has no other.
func (w watcher) configurations() handler.EventHandler {
	none := &admissionv1.MutatingWebhookConfiguration{}
	changed := func(ctx context.Context, before, after client.Object, q queue) {
		if !profile.Alike(before.(*admissionv1.MutatingWebhookConfiguration), after.(*admissionv1.MutatingWebhookConfiguration)) {
			w.all(ctx, "", q)
		}
	}

	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { changed(ctx, none, e.Object, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { changed(ctx, e.ObjectOld, e.ObjectNew, q) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { changed(ctx, e.Object, none, q) },
	}
}

// all adds the pods of a namespace, or of all when none is given. It is for what people seldom do.
func (w watcher) all(ctx context.Context, namespace string, q queue) {
	var all corev1.PodList
	if err := w.reader.List(ctx, &all, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing pods failed", "namespace", namespace)
	}
	for i := range all.Items {
		add(q, &all.Items[i])
	}
}

// namespaceOf is a namespace of which only metadata is cached.
func namespaceOf() *metav1.PartialObjectMetadata {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return ns
}
