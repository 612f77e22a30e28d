// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	gwv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
)

// appearance is how often it is looked whether a kind that was not defined is by now.
const appearance = 10 * time.Second

// absentKinds lets podgate run in a cluster that lacks the definition of a kind which another
// project brings: there are none of that kind then, until somebody installs the definition.
type absentKinds struct {
	scheme *runtime.Scheme
	log    logr.Logger
	// served reports whether the API server has a kind, which everybody may ask.
	served func(context.Context, schema.GroupVersionKind) (bool, error)
}

func newAbsentKinds(kube *rest.Config, scheme *runtime.Scheme, log logr.Logger) (absentKinds, error) {
	api, err := discovery.NewDiscoveryClientForConfig(kube)
	if err != nil {
		return absentKinds{}, fmt.Errorf("make client: %w", err)
	}

	served := func(ctx context.Context, kind schema.GroupVersionKind) (bool, error) {
		all, err := api.ServerResourcesForGroupVersionWithContext(ctx, kind.GroupVersion().String())
		if err != nil {
			return false, client.IgnoreNotFound(err)
		}
		return slices.ContainsFunc(all.APIResources, func(r metav1.APIResource) bool { return r.Kind == kind.Kind }), nil
	}

	return absentKinds{scheme: scheme, log: log, served: served}, nil
}

// mapper knows the kinds without asking: how one is called does not depend on whether it is there.
func (a absentKinds) mapper(kube *rest.Config, http *http.Client) (meta.RESTMapper, error) {
	known := meta.NewDefaultRESTMapper(nil)
	for _, o := range borrowed() {
		kind, err := apiutil.GVKForObject(o, a.scheme)
		if err != nil {
			return nil, err
		}
		known.AddSpecific(kind, resourceOf(kind), resourceOf(kind), scopeOf(o))
	}

	others, err := apiutil.NewDynamicRESTMapper(kube, http)
	if err != nil {
		return nil, err
	}

	return meta.FirstHitRESTMapper{MultiRESTMapper: meta.MultiRESTMapper{known, others}}, nil
}

// borrowed returns an empty object of each kind that another project brings.
func borrowed() []client.Object {
	return append(binding.Borrowed(), &elbv2.IngressClassParams{}, &gwv1.GatewayClass{}, &gwv1.Gateway{}, &gwv1.HTTPRoute{}, &gwv1.GRPCRoute{}, &gwv1beta1.ReferenceGrant{})
}

// resourceOf is how the API server calls a kind.
func resourceOf(kind schema.GroupVersionKind) schema.GroupVersionResource {
	switch kind.Kind {
	case "IngressClassParams":
		return kind.GroupVersion().WithResource("ingressclassparams") // It is its own plural.
	case "Gateway":
		return kind.GroupVersion().WithResource("gateways")
	}
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	return plural
}

func scopeOf(o client.Object) meta.RESTScope {
	switch o.(type) {
	case *elbv2.IngressClassParams, *gwv1.GatewayClass:
		return meta.RESTScopeRoot
	}
	return meta.RESTScopeNamespace
}

// wrap returns what lists and watches a kind: for one that another project brings, nothing as
// long as it is not defined.
func (a absentKinds) wrap(lw toolscache.ListerWatcher, example runtime.Object) toolscache.ListerWatcher {
	borrowed := slices.ContainsFunc(borrowed(), func(o client.Object) bool { return reflect.TypeOf(o) == reflect.TypeOf(example) })
	kind, err := apiutil.GVKForObject(example, a.scheme)
	if !borrowed || err != nil {
		return lw
	}

	k := &absentKind{absentKinds: a, kind: kind, api: toolscache.ToListerWatcherWithContext(lw)}
	return toolscache.ToListWatcherWithWatchListSemantics(&toolscache.ListWatch{ListWithContextFunc: k.list, WatchFuncWithContext: k.watch}, lw)
}

// absentKind is one that may be absent.
type absentKind struct {
	absentKinds
	kind schema.GroupVersionKind
	api  toolscache.ListerWatcherWithContext

	// there: it was seen. What then goes is trouble, as with any other kind: nobody may take it
	// for the end of all bindings.
	there, told atomic.Bool
}

func (k *absentKind) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	list, err := k.api.ListWithContext(ctx, o)
	if !k.absent(ctx, err) {
		return list, err
	}

	if !k.told.Swap(true) {
		k.log.Info("A kind is not defined in this cluster, so there is nothing of it to serve; it is looked for again", "kind", k.kind.Kind, "group", k.kind.Group)
	}

	return k.scheme.New(k.kind.GroupVersion().WithKind(k.kind.Kind + "List"))
}

func (k *absentKind) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	w, err := k.api.WatchWithContext(ctx, o)
	// A watch that is to begin with what there is would wait for its beginning: a list has to say that there is nothing.
	if !k.absent(ctx, err) || o.SendInitialEvents != nil && *o.SendInitialEvents {
		return w, err
	}

	nothing := make(chan watch.Event)
	quiet := watch.NewProxyWatcher(nothing)
	go func() {
		defer close(nothing)
		select {
		case <-ctx.Done():
		case <-quiet.StopChan():
		case <-time.After(appearance):
		}
	}()

	return quiet, nil
}

// absent reports whether a call failed because the kind is not defined. One that is forbidden did not: podgate would
// start, and not start again once somebody defines the kind.
func (k *absentKind) absent(ctx context.Context, err error) bool {
	if err == nil {
		k.there.Store(true)
	}
	if k.there.Load() || !apierrors.IsNotFound(err) {
		return false
	}
	served, unknown := k.served(ctx, k.kind)
	return unknown == nil && !served
}
