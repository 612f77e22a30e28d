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
	"strings"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
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
	podsByPort        = "podgate.dev/port"
)

// ByAddress is the index of pods by their addresses, as informers know it. A value ends with "/" and an address.
const ByAddress = informersName + podsByAddress

// informersName comes before the name of an index where controller-runtime's caches ask informers for it.
const informersName = "field:"

// Services registers the index of Services, before the cache starts.
func Services(ctx context.Context, c client.FieldIndexer) error {
	return register(ctx, c, &corev1.Service{}, servicesByAnchor, inNamespace, serviceAnchor)
}

// Kind is a kind of objects that bind Services to groups, as far as a cache has to find them.
type Kind struct {
	// New returns an empty object of the kind, and NewList an empty list of them.
	New     func() client.Object
	NewList func() client.ObjectList
	// Service names the Service that an object refers to, and Claims lists the groups, or parts
	// of groups, that it is about.
	Service func(client.Object) string
	Claims  func(client.Object) []string
}

// Register registers the kind's indexes, before the cache starts.
func (k Kind) Register(ctx context.Context, c client.FieldIndexer) error {
	if err := register(ctx, c, k.New(), bindingsByService, inNamespace, func(o client.Object) []string { return []string{k.Service(o)} }); err != nil {
		return err
	}
	return register(ctx, c, k.New(), bindingsByGroup, everywhere, k.Claims)
}

// Owner reports whether a condition type is a gate of podgate's.
type Owner func(conditionType string) bool

// Pods returns what registers the indexes of pods, before the cache starts.
func Pods(owns Owner) func(ctx context.Context, c client.FieldIndexer) error {
	indexes := []struct {
		name   string
		asked  scope
		values func(*corev1.Pod) []string
	}{
		{podsByLabel, inNamespace, podLabels},
		{podsByGate, inNamespace, podsGates},
		{podsByAddress, everywhere, podAddresses},
		{podsByNode, everywhere, podNode},
		{podsByPressure, everywhere, owns.pressure},
	}

	return func(ctx context.Context, c client.FieldIndexer) error {
		for _, i := range indexes {
			if err := register(ctx, c, &corev1.Pod{}, i.name, i.asked, i.values); err != nil {
				return err
			}
		}
		return nil
	}
}

// Ports gives what a pod with a Service's port is found by.
type Ports func(*corev1.Pod) []string

// Register registers the index of pods by their ports, before the cache starts.
func (p Ports) Register(ctx context.Context, c client.FieldIndexer) error {
	return register(ctx, c, &corev1.Pod{}, podsByPort, inNamespace, p)
}

// scope is where an index is asked for what it has: in one namespace, or in all.
type scope bool

const (
	inNamespace scope = false
	everywhere  scope = true
)

// informers is a cache that lets its informers be reached, as controller-runtime's does.
type informers interface {
	GetInformer(ctx context.Context, kind client.Object, opts ...cache.InformerGetOption) (cache.Informer, error)
}

// register adds one index; values gives nothing for an object that is not to be found by it.
func register[T client.Object](ctx context.Context, c client.FieldIndexer, kind T, name string, asked scope, values func(T) []string) error {
	of := func(o client.Object) []string {
		if typed, ok := o.(T); ok {
			return values(typed)
		}
		return nil
	}

	var err error
	if watched, ok := c.(informers); ok {
		err = asked.index(ctx, watched, kind, name, of)
	} else {
		err = c.IndexField(ctx, kind, name, of)
	}
	if err != nil {
		return fmt.Errorf("index %T by %s: %w", kind, name, err)
	}

	return nil
}

// index adds an index under the name, and with the keys, with which controller-runtime's caches ask for it. Their own
// IndexField keeps each object twice, for questions in its namespace and in all, which is most of what indexes take where
// nearly every value is of one object, such as an address. Each is asked in one way only here.
func (s scope) index(ctx context.Context, c informers, kind client.Object, name string, values client.IndexerFunc) error {
	informer, err := c.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}

	return informer.AddIndexers(toolscache.Indexers{informersName + name: func(o any) ([]string, error) {
		object, ok := o.(client.Object)
		if !ok {
			return nil, fmt.Errorf("%T is not an object", o)
		}

		namespace := object.GetNamespace()
		if s == everywhere {
			namespace = "__all_namespaces"
		}

		found := values(object)
		keys := make([]string, len(found))
		for i, v := range found {
			keys[i] = namespace + "/" + v
		}
		return keys, nil
	}})
}

func serviceAnchor(svc *corev1.Service) []string {
	if len(svc.Spec.Selector) == 0 {
		return nil
	}
	return []string{anchor(svc.Spec.Selector)}
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

// families are the prefixes by which pods are found that carry any gate of one.
var families = []string{elbv2.LegacyGatePrefix}

// podsGates are what a pod is found by: its gates, and the families of those.
func podsGates(pod *corev1.Pod) []string {
	types := podGates(pod)
	for _, family := range families {
		if slices.ContainsFunc(types, func(t string) bool { return IsGate(family, t) }) {
			types = append(types, family)
		}
	}
	return types
}

// IsGate reports whether a condition type is a gate, or one of a family of them: that ends with "/".
func IsGate(gate, conditionType string) bool {
	return conditionType == gate || strings.HasSuffix(gate, "/") && strings.HasPrefix(conditionType, gate)
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

// The values of the index by pressure.
const (
	leaving = "leaving"
	waiting = "waiting"
)

func (owns Owner) pressure(pod *corev1.Pod) []string {
	switch {
	case leaves(pod):
		return []string{leaving}
	case owns.waits(pod):
		return []string{waiting}
	}
	return nil
}

// leaves reports whether a pod is being deleted.
func leaves(pod *corev1.Pod) bool { return !pod.DeletionTimestamp.IsZero() }

// waits reports whether a pod that stays has a gate that is not open.
func (owns Owner) waits(pod *corev1.Pod) bool {
	return !leaves(pod) && slices.ContainsFunc(podGates(pod), func(gate string) bool {
		return owns(gate) && !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return string(c.Type) == gate && c.Status == corev1.ConditionTrue
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
