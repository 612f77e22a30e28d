// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index/indextest"
)

// listed is a queue that notes which pods are to be judged, and that none is at once.
type listed struct {
	queue
	t    *testing.T
	pods []string
}

func (l *listed) AddAfter(r reconcile.Request, d time.Duration) {
	if d < settle {
		l.t.Errorf("%s is to be judged after %s", r.Name, d)
	}
	if !slices.Contains(l.pods, r.Name) {
		l.pods = append(l.pods, r.Name)
	}
}

// whole is a cache that can list all of its pods.
type whole struct {
	*indextest.Cache
	pods []corev1.Pod
}

func (w whole) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	if o.ApplyOptions(options); o.FieldSelector != nil {
		return w.Cache.List(ctx, into, options...)
	}
	into.(*corev1.PodList).Items = w.pods
	return nil
}

// TestWhoIsJudged: an event has those pods judged for which it can change something.
func TestWhoIsJudged(t *testing.T) {
	pod := func(name, app string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": app}}}
	}

	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}}}
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-tg"}, Spec: elbv2.TargetGroupBindingSpec{ServiceRef: elbv2.ServiceReference{Name: "web"}}}
	configuration := &admissionv1.MutatingWebhookConfiguration{Webhooks: []admissionv1.MutatingWebhook{{
		Name: "any", ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Path: new("/mutate-v1-pod")}},
	}}}

	webhook := func(o client.Object) *admissionv1.MutatingWebhook {
		return &o.(*admissionv1.MutatingWebhookConfiguration).Webhooks[0]
	}

	ns := namespaceOf()
	ns.Name = "shop"
	cache, err := indextest.New(t.Context(), pod("web-1", "web"), pod("web-2", "web"), pod("api-1", "api"), svc, b)
	if err != nil {
		t.Fatal(err)
	}

	everything := whole{Cache: cache, pods: []corev1.Pod{*pod("web-1", "web"), *pod("web-2", "web"), *pod("api-1", "api")}}
	w := watcher{reader: everything, serves: binding.OwnAnnotated.Serves}
	web, all := []string{"web-1", "web-2"}, []string{"api-1", "web-1", "web-2"}

	update := func(o client.Object, change func(client.Object)) event.UpdateEvent {
		after := o.DeepCopyObject().(client.Object)
		change(after)
		return event.UpdateEvent{ObjectOld: o, ObjectNew: after}
	}

	annotate := func(name, value string) func(client.Object) {
		return func(o client.Object) { o.SetAnnotations(map[string]string{name: value}) }
	}

	for name, tc := range map[string]struct {
		reason  string
		handler handler.EventHandler
		event   any
		want    []string
	}{
		"Pod":           {reason: "Each is judged once.", handler: w.pods(), event: event.CreateEvent{Object: pod("web-1", "web"), IsInInitialList: true}, want: []string{"web-1"}},
		"PodStatus":     {reason: "Most of a pod's events change nothing.", handler: w.pods(), event: update(pod("web-1", "web"), func(o client.Object) { o.(*corev1.Pod).Status.PodIP = "10.0.0.1" })},
		"PodLabels":     {reason: "Another Service may select it.", handler: w.pods(), event: update(pod("web-1", "web"), func(o client.Object) { o.GetLabels()["app"] = "api" }), want: []string{"web-1"}},
		"PodEnds":       {reason: "It counts no more.", handler: w.pods(), event: update(pod("web-1", "web"), func(o client.Object) { o.(*corev1.Pod).Status.Phase = corev1.PodFailed }), want: []string{"web-1"}},
		"PodGone":       {reason: "Nor does this.", handler: w.pods(), event: event.DeleteEvent{Object: pod("web-1", "web")}, want: []string{"web-1"}},
		"Service":       {reason: "It selects pods that are there.", handler: w.services(), event: event.CreateEvent{Object: svc}, want: web},
		"ServiceListed": {reason: "At the start the pods are judged anyway.", handler: w.services(), event: event.CreateEvent{Object: svc, IsInInitialList: true}},
		"ServicePorts":  {reason: "They gate nobody.", handler: w.services(), event: update(svc, func(o client.Object) { o.(*corev1.Service).Spec.Ports = []corev1.ServicePort{{Port: 80}} })},
		"Selector":      {reason: "Some are selected no more, and others are.", handler: w.services(), event: update(svc, func(o client.Object) { o.(*corev1.Service).Spec.Selector["app"] = "api" }), want: all},
		"ServiceGone":   {reason: "Nothing selects them.", handler: w.services(), event: event.DeleteEvent{Object: svc}, want: web},
		"Binding":       {reason: "It is younger than its pods.", handler: w.bindings(), event: event.CreateEvent{Object: b}, want: web},
		"BindingListed": {reason: "As with Services.", handler: w.bindings(), event: event.CreateEvent{Object: b, IsInInitialList: true}},
		"Published":     {reason: "The group's type is known now.", handler: w.bindings(), event: update(b, annotate(v1alpha1.PublishedAnnotation, `{"arn":"arn","targetType":"instance"}`)), want: web},
		"Policy":        {reason: "It gates nobody.", handler: w.bindings(), event: update(b, annotate(v1alpha1.TimeoutAnnotation, "5m"))},
		"Served":        {reason: "podgate is told to serve it.", handler: w.bindings(), event: update(b, annotate(v1alpha1.ManageAnnotation, "true")), want: web},
		"BindingGone":   {reason: "Its gates are wanted no more.", handler: w.bindings(), event: event.DeleteEvent{Object: b}, want: web},
		"Namespace":     {reason: "The webhook may be asked about its pods now.", handler: w.namespaces(), event: update(ns, func(o client.Object) { o.SetLabels(map[string]string{"team": "shop"}) }), want: all},
		"NamespaceNote": {reason: "Namespaces are edited for other reasons.", handler: w.namespaces(), event: update(ns, annotate("note", "x"))},
		"Bundle":        {reason: "podgate writes it itself.", handler: w.configurations(), event: update(configuration, func(o client.Object) { webhook(o).ClientConfig.CABundle = []byte("ca") })},
		"Selectors": {reason: "The webhook is asked about others.", handler: w.configurations(), event: update(configuration, func(o client.Object) {
			webhook(o).ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}), want: all},
		"Uninstalled": {reason: "It is asked about none, and namespaces' labels count.", handler: w.configurations(), event: event.DeleteEvent{Object: configuration}, want: all},
	} {
		t.Run(name, func(t *testing.T) {
			q := &listed{t: t}
			switch e := tc.event.(type) {
			case event.CreateEvent:
				tc.handler.Create(t.Context(), e, q)
			case event.UpdateEvent:
				tc.handler.Update(t.Context(), e, q)
			case event.DeleteEvent:
				tc.handler.Delete(t.Context(), e, q)
			}

			slices.Sort(q.pods)
			if diff := cmp.Diff(tc.want, q.pods); diff != "" {
				t.Errorf("%s\njudged: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
