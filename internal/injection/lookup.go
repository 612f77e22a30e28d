// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index"
)

// Lookup reads the Services of a namespace that select a pod, their bindings, and the namespace's
// ReadinessGates, from a cache with the indexes of binding.Indexes, and for a Service whose port the pod lacks those of
// binding.PodIndexes. serves reports whose gates podgate opens.
func Lookup(ctx context.Context, r client.Reader, serves func(*binding.Binding) bool, namespace string, pod Pod) (Candidates, error) {
	services, err := index.ServicesSelecting(ctx, r, namespace, pod.Labels)
	if err != nil {
		return Candidates{}, err
	}

	c := Candidates{Services: services, Serves: serves}
	for i := range services {
		found, err := binding.OfService(ctx, r, client.ObjectKeyFromObject(&services[i]))
		if err != nil {
			return Candidates{}, err
		}
		c.Bindings = append(c.Bindings, found...)
	}

	var gates v1alpha1.ReadinessGateList
	if err := r.List(ctx, &gates, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return Candidates{}, fmt.Errorf("list ReadinessGates: %w", err)
	}
	c.ReadinessGates = gates.Items

	// A cache gives them in any order, and what is said of a pod names one of them.
	slices.SortFunc(c.Services, func(a, b corev1.Service) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Bindings, func(a, b *binding.Binding) int { return strings.Compare(a.Key().Name, b.Key().Name) })

	return c, c.leaveOut(ctx, r, pod)
}

// leaveOut finds the bindings whose Services serve other pods than this one.
func (c *Candidates) leaveOut(ctx context.Context, r client.Reader, pod Pod) error {
	for _, b := range c.Bindings {
		if !c.lacksPort(pod, b) {
			continue
		}

		left, err := binding.LeftOut(ctx, r, pod.Workload, c.service(b), b.Group(), b.ServiceRef)
		if err != nil {
			return err
		}
		if left {
			c.leavesOut = append(c.leavesOut, b)
		}
	}

	return nil
}

// PodOf is what Explain reads of a pod that exists.
func PodOf(pod *corev1.Pod) Pod {
	p := Pod{Labels: pod.Labels, Workload: binding.Workload(pod), Created: pod.CreationTimestamp.Time, Ports: binding.Ports(&pod.Spec)}
	p.Hooks.OfJob, p.Static, p.Stated = binding.OfJob(pod), binding.Static(pod), StatedOf(pod)
	for _, g := range pod.Spec.ReadinessGates {
		p.Gates = append(p.Gates, string(g.ConditionType))
	}
	return p
}

// facts are what injection reads of a binding.
type facts struct {
	key               string
	service           v1alpha1.ServiceReference
	group, targetType string
	wake              v1alpha1.Wake
	stays             bool // It is not being deleted.
	created           time.Time
	drain             time.Duration
	adaptive          bool
}

// Unchanged reports whether two states of a binding are the same to injection, so that no
// pod gets anything else by the later one.
func Unchanged(before, after *binding.Binding) bool { return factsOf(before) == factsOf(after) }

func factsOf(b *binding.Binding) facts {
	group := b.Group()
	return facts{
		key: b.Key().Name, service: b.ServiceRef, group: named(group), targetType: group.TargetType, wake: b.Wake,
		stays: b.DeletionTimestamp.IsZero(), created: b.CreationTimestamp.Time, drain: b.DrainTime(), adaptive: b.Drain().Adaptive,
	}
}
