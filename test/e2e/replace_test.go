// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/test/env"
)

// TestUngatedReplaced binds a second group to an application that runs, and has the binding
// ask for its pods to be replaced: they go one by one, by eviction, until all carry both
// gates, and no request is lost. Time is scaled.
func TestUngatedReplaced(t *testing.T) {
	app := quick()
	app.Replicas = 3
	w := start(t, scaled())
	w.must(elbv2.AddToScheme(w.cluster.Scheme()))
	s := w.deploy(app, targetGroup())
	group := targetGroup()
	group.Name = "e2e-replaced-later"
	lb, err := w.sim.CreateLoadBalancer(w.ctx, group)
	w.must(err)
	t.Cleanup(func() {
		if err := lb.Delete(context.WithoutCancel(w.ctx)); err != nil {
			t.Error(err)
		}
	})

	before := s.alive()

	later := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.app.Namespace, Name: s.app.Name + "-later",
			Annotations: map[string]string{v1alpha1.ReplaceAnnotation: v1alpha1.ReplaceEnabled},
		},
		Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupARN: lb.TargetGroupARN, TargetType: new(elbv2.TargetTypeIP),
			ServiceRef: elbv2.ServiceReference{Name: s.app.Name, Port: intstr.FromInt32(80)},
		},
	}

	t.Cleanup(func() {
		if err := w.cluster.Delete(context.WithoutCancel(w.ctx), later); err != nil {
			t.Error(err)
		}
	})

	s.underLoad(func() {
		s.must(s.cluster.Create(s.ctx, later))
		s.eventually("all pods to be replaced", func(context.Context) (bool, error) {
			old := func(p env.PodHistory) bool {
				return slices.ContainsFunc(before, func(b env.PodHistory) bool { return b.UID == p.UID })
			}
			return len(pick(s.alive(), old)) == 0, nil
		})
		s.waitComplete()
	})

	if n := mostLeaving(s.pods.Pods()); n > 1 {
		t.Errorf("%d pods were on their way out at a time, want one", n)
	}
}

// mostLeaving is how many pods terminated at one time.
func mostLeaving(pods []env.PodHistory) int {
	most := 0
	for _, p := range pods {
		if p.Terminating.IsZero() {
			continue
		}
		n := len(pick(pods, func(o env.PodHistory) bool {
			return !o.Terminating.IsZero() && !o.Terminating.After(p.Terminating) && (o.Gone.IsZero() || o.Gone.After(p.Terminating))
		}))
		most = max(most, n)
	}
	return most
}
