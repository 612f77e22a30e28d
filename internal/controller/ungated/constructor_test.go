// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
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

// TestWhoIsJudged: an event has those pods judged for which it can change something.
func TestWhoIsJudged(t *testing.T) {
	pod := func(name, app string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": app}}}
	}
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}}}
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-tg"}, Spec: elbv2.TargetGroupBindingSpec{ServiceRef: elbv2.ServiceReference{Name: "web"}}}
	ns := namespaceOf()
	ns.Name = "shop"
	reader, err := indextest.New(t.Context(), pod("web-1", "web"), pod("web-2", "web"), pod("api-1", "api"), svc, b)
	if err != nil {
		t.Fatal(err)
	}
	w := watcher{reader: reader, serves: binding.OwnAnnotated.Serves}
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
		"Published":     {reason: "The group's type is known now.", handler: w.bindings(), event: update(b, annotate(elbv2.PublishedAnnotation, `{"arn":"arn","targetType":"instance"}`)), want: web},
		"Policy":        {reason: "It gates nobody.", handler: w.bindings(), event: update(b, annotate(elbv2.TimeoutAnnotation, "5m"))},
		"Served":        {reason: "podgate is told to serve it.", handler: w.bindings(), event: update(b, annotate(binding.ManageAnnotation, "true")), want: web},
		"BindingGone":   {reason: "Its gates are wanted no more.", handler: w.bindings(), event: event.DeleteEvent{Object: b}, want: web},
		"Unlabelled":    {reason: "Namespaces are edited for other reasons.", handler: w.namespaces(), event: update(ns, func(o client.Object) { o.SetLabels(map[string]string{"team": "shop"}) })},
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
