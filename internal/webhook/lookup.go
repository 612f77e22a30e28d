// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/injection"
)

// The indexes that make a lookup cost what matches and not what a namespace holds.
const (
	// AnchorIndex finds Services by one label of their selector, as "key=value".
	AnchorIndex = "podgate.dev/selector-anchor"
	// ServiceIndex finds TargetGroupBindings by spec.serviceRef.name.
	ServiceIndex = "podgate.dev/service"
)

// Prepare registers the indexes that the handler reads, before the cache starts, and
// asks for the informers of Services and TargetGroupBindings. The function that it
// returns tells whether both have synced.
func Prepare(ctx context.Context, c cache.Cache) (synced func() bool, err error) {
	if err := IndexFields(ctx, c); err != nil {
		return nil, err
	}
	services, err := c.GetInformer(ctx, &corev1.Service{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch services: %w", err)
	}
	bindings, err := c.GetInformer(ctx, &elbv2.TargetGroupBinding{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch target group bindings: %w", err)
	}
	return func() bool { return services.HasSynced() && bindings.HasSynced() }, nil
}

// IndexFields registers AnchorIndex and ServiceIndex.
func IndexFields(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &corev1.Service{}, AnchorIndex, indexAnchor); err != nil {
		return fmt.Errorf("index services by selector: %w", err)
	}
	if err := indexer.IndexField(ctx, &elbv2.TargetGroupBinding{}, ServiceIndex, indexService); err != nil {
		return fmt.Errorf("index target group bindings by service: %w", err)
	}
	return nil
}

func indexAnchor(o client.Object) []string {
	s, ok := o.(*corev1.Service)
	if !ok || len(s.Spec.Selector) == 0 {
		return nil
	}
	return []string{anchor(s.Spec.Selector)}
}

func indexService(o client.Object) []string {
	b, ok := o.(*elbv2.TargetGroupBinding)
	if !ok {
		return nil
	}
	return []string{b.Spec.ServiceRef.Name}
}

// anchor picks the pair of a selector to find its Service by. A pod that the selector
// matches has that pair whichever it is; the longest value is the likeliest to be a name
// that few Services share, unlike "true" or "web".
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

// lookup reads the Services of a namespace that may select a pod with these labels, and
// the bindings of those that do.
func lookup(ctx context.Context, r client.Reader, serves func(client.Object) bool, namespace string, labels map[string]string) ([]injection.Service, []injection.Binding, error) {
	var services []injection.Service
	var bindings []injection.Binding
	for k, v := range labels {
		var list corev1.ServiceList
		if err := r.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{AnchorIndex: pair(k, v)}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, nil, fmt.Errorf("list services of namespace %q: %w", namespace, err)
		}
		for i := range list.Items {
			s := injection.Service{Name: list.Items[i].Name, Selector: list.Items[i].Spec.Selector}
			if !s.Selects(labels) {
				continue
			}
			found, err := bindingsOf(ctx, r, serves, namespace, s.Name)
			if err != nil {
				return nil, nil, err
			}
			services, bindings = append(services, s), append(bindings, found...)
		}
	}
	return services, bindings, nil
}

func bindingsOf(ctx context.Context, r client.Reader, serves func(client.Object) bool, namespace, service string) ([]injection.Binding, error) {
	var list elbv2.TargetGroupBindingList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{ServiceIndex: service}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list target group bindings of service %q: %w", namespace+"/"+service, err)
	}
	var out []injection.Binding
	for i := range list.Items {
		b := &list.Items[i]
		if !serves(b) {
			continue
		}
		out = append(out, injection.Binding{
			Name: b.Name, Service: service, TargetType: targetType(b), Deleting: !b.DeletionTimestamp.IsZero(),
		})
	}
	return out, nil
}

// targetType is what the manifest says or else what the leader published.
func targetType(b *elbv2.TargetGroupBinding) elbv2.TargetType {
	if b.Spec.TargetType != nil {
		return *b.Spec.TargetType
	}
	if p, ok := b.Published(); ok {
		return elbv2.TargetType(p.TargetType)
	}
	return ""
}
