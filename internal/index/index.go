// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package index declares the indexes of the caches and asks through them, so that a
// question costs what it finds and not what a namespace holds. An index only narrows
// what is looked at: every answer is checked against the question, so that a reader
// without indexes gives the same one, more slowly. It reads caches only, without
// copies: what it gives is not to be changed.
package index

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gates"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer/traits"
)

// The indexes, as the cache knows them.
const (
	servicesByAnchor  = "podgate.dev/selector-anchor"
	bindingsByService = "podgate.dev/service"
	bindingsByGroup   = "podgate.dev/target-group"
	podsByLabel       = "podgate.dev/label"
	podsByGate        = "podgate.dev/gate"
	podsByAddress     = "podgate.dev/address"
	podsByPressure    = "podgate.dev/pressing"
	podsByNode        = "podgate.dev/node"
)

// Bindings registers the indexes of Services and of both kinds of bindings, before the cache starts.
func Bindings(ctx context.Context, c client.FieldIndexer) error {
	if err := register(ctx, c, &corev1.Service{}, servicesByAnchor, serviceAnchor); err != nil {
		return err
	}

	if err := register(ctx, c, &elbv2.TargetGroupBinding{}, bindingsByService, bindingService); err != nil {
		return err
	}

	if err := register(ctx, c, &elbv2.TargetGroupBinding{}, bindingsByGroup, bindingGroup); err != nil {
		return err
	}

	if err := register(ctx, c, &v1alpha1.TargetBinding{}, bindingsByService, ownService); err != nil {
		return err
	}

	return register(ctx, c, &v1alpha1.TargetBinding{}, bindingsByGroup, ownClaims)
}

// Pods registers the indexes of pods, before the cache starts.
func Pods(ctx context.Context, c client.FieldIndexer) error {
	if err := register(ctx, c, &corev1.Pod{}, podsByLabel, podLabels); err != nil {
		return err
	}

	if err := register(ctx, c, &corev1.Pod{}, podsByGate, podGates); err != nil {
		return err
	}

	if err := register(ctx, c, &corev1.Pod{}, podsByAddress, podAddresses); err != nil {
		return err
	}

	if err := register(ctx, c, &corev1.Pod{}, podsByNode, podNode); err != nil {
		return err
	}

	return register(ctx, c, &corev1.Pod{}, podsByPressure, podPressure)
}

// register adds one index; values gives nothing for an object that is not to be found by it.
func register[T client.Object](ctx context.Context, c client.FieldIndexer, kind T, name string, values func(T) []string) error {
	err := c.IndexField(ctx, kind, name, func(o client.Object) []string {
		if typed, ok := o.(T); ok {
			return values(typed)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("index %T by %s: %w", kind, name, err)
	}
	return nil
}

func serviceAnchor(svc *corev1.Service) []string {
	if len(svc.Spec.Selector) == 0 {
		return nil
	}
	return []string{anchor(svc.Spec.Selector)}
}

func bindingService(b *elbv2.TargetGroupBinding) []string { return []string{b.Spec.ServiceRef.Name} }

func bindingGroup(b *elbv2.TargetGroupBinding) []string {
	if arn := groupARN(b); arn != "" {
		return []string{arn}
	}
	return nil
}

func ownService(b *v1alpha1.TargetBinding) []string { return []string{b.Spec.ServiceRef.Name} }

// ownClaims lists what a TargetBinding claims, by what its manifest says of the group or else
// what was resolved. Who only observes claims nothing.
func ownClaims(b *v1alpha1.TargetBinding) []string {
	m := traits.All().Manifest(b)
	group := m.Group.Ref.Group
	if group == "" && b.Status.Group != nil {
		group = b.Status.Group.ID
	}
	if b.External() || group == "" {
		return nil
	}
	return m.Claims(group)
}

func podLabels(pod *corev1.Pod) []string {
	pairs := make([]string, 0, len(pod.Labels))
	for k, v := range pod.Labels {
		pairs = append(pairs, pair(k, v))
	}
	return pairs
}

func podGates(pod *corev1.Pod) []string {
	types := make([]string, len(pod.Spec.ReadinessGates))
	for i, g := range pod.Spec.ReadinessGates {
		types[i] = string(g.ConditionType)
	}
	return types
}

func podAddresses(pod *corev1.Pod) []string {
	var all []string
	for _, ip := range pod.Status.PodIPs {
		if addr, err := netip.ParseAddr(ip.IP); err == nil {
			all = append(all, addr.Unmap().String())
		}
	}
	return all
}

func podNode(pod *corev1.Pod) []string {
	if pod.Spec.NodeName == "" {
		return nil
	}
	return []string{pod.Spec.NodeName}
}

// pressing is the one value of its index.
const pressing = "true"

func podPressure(pod *corev1.Pod) []string {
	if presses(pod) {
		return []string{pressing}
	}
	return nil
}

// presses reports whether a pod is being deleted or has a gate that is not open.
func presses(pod *corev1.Pod) bool {
	return !pod.DeletionTimestamp.IsZero() || slices.ContainsFunc(gates.Of(pod), func(name string) bool {
		return !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return string(c.Type) == gates.Type(name) && c.Status == corev1.ConditionTrue
		})
	})
}

// anchor picks the pair of a selector to find its Service, or its pods, by. A pod that
// the selector matches has that pair whichever it is; the longest value is the
// likeliest to be a name that few share, unlike "true" or "web".
func anchor(selector map[string]string) string {
	var key string
	for k, v := range selector {
		longer, equal := len(v) > len(selector[key]), len(v) == len(selector[key])
		if key == "" || longer || (equal && k < key) {
			key = k
		}
	}
	return pair(key, selector[key])
}

// pair is unambiguous since a label's key holds no "=".
func pair(key, value string) string { return key + "=" + value }

// groupARN is that of a binding's group: what its manifest says or else what was
// published; empty when neither has said it.
func groupARN(b *elbv2.TargetGroupBinding) string {
	if b.Spec.TargetGroupARN != "" {
		return b.Spec.TargetGroupARN
	}
	p, _ := b.Published()
	return p.ARN
}
