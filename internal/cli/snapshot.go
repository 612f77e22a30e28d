// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gates"
)

// page is how many objects the API server is asked for at a time.
const page = 500

// snapshot is a client.Reader that asks the API server for each kind of a namespace once,
// page by page, and answers through the indexes of package index: commands ask the
// questions of the controllers, which would cost a list each. It ends with the command.
type snapshot struct {
	live    client.Reader
	kinds   gates.Kinds
	indexes map[reflect.Type]toolscache.Indexers
	held    map[holding]held
	// added are objects of files, which hide those of the API server with their names.
	added []client.Object
	// fresh are those of them that the API server does not have.
	fresh map[client.Object]bool
	// alone: the files are all there is.
	alone bool
	// anew is how makers of pods make them anew, as far as it was asked.
	anew map[binding.Maker]string
	// undefined: the API server was asked for an object of a kind that it does not know.
	undefined bool
	// renews reports whether a lease that looks old is renewed all the same, where somebody follows it; may be nil.
	renews func(context.Context, client.Reader, *coordinationv1.Lease) bool
}

// holding is what is read at once: a kind in a namespace, or in all where that is empty.
type holding struct {
	kind      reflect.Type
	namespace string
}

type held struct {
	items toolscache.Indexer
	err   error
}

// snapshot is one of the API server that the flags name.
func (e *environment) snapshot(ctx context.Context) (*snapshot, error) {
	kube, err := e.client()
	if err != nil {
		return nil, err
	}
	return newSnapshot(ctx, kube, e.kinds)
}

// newOffline makes a snapshot of objects, beside which there is nothing.
func newOffline(ctx context.Context, kinds gates.Kinds, objects []client.Object) (*snapshot, error) {
	s, err := newSnapshot(ctx, nil, kinds)
	if err != nil {
		return nil, err
	}
	s.added, s.alone = objects, true
	return s, nil
}

func newSnapshot(ctx context.Context, live client.Reader, kinds gates.Kinds) (*snapshot, error) {
	s := &snapshot{live: live, kinds: kinds, indexes: map[reflect.Type]toolscache.Indexers{}, held: map[holding]held{}, anew: map[binding.Maker]string{}}
	for _, register := range []func(context.Context, client.FieldIndexer) error{binding.Indexes, binding.PodIndexes(kinds.Owns)} {
		if err := register(ctx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add has objects of files hide those of the API server with their names. What podgate said
// of a binding that is there still holds.
func (s *snapshot) add(ctx context.Context, objects []client.Object) error {
	s.fresh = map[client.Object]bool{}
	for _, o := range objects {
		there := o.DeepCopyObject().(client.Object)
		err := s.live.Get(ctx, client.ObjectKeyFromObject(o), there)
		if apierrors.IsForbidden(err) {
			continue
		}
		if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
			return fmt.Errorf("get %T %s: %w", o, o.GetName(), err)
		}
		s.fresh[o] = err != nil
		if err == nil {
			inherit(o, there)
		}
	}

	s.added = objects
	return nil
}

// inherit gives an object of a file what it takes over from the one in the cluster: a binding what podgate
// said of it, and a workload that leaves its replicas to somebody else how many it has.
func inherit(o, there client.Object) {
	o.SetCreationTimestamp(there.GetCreationTimestamp())
	switch o := o.(type) {
	case *appsv1.Deployment:
		if o.Spec.Replicas == nil {
			o.Spec.Replicas = there.(*appsv1.Deployment).Spec.Replicas
		}

	case *appsv1.StatefulSet:
		if o.Spec.Replicas == nil {
			o.Spec.Replicas = there.(*appsv1.StatefulSet).Spec.Replicas
		}

	case *unstructured.Unstructured:
		if n, stated, _ := unstructured.NestedInt64(there.(*unstructured.Unstructured).Object, "spec", "replicas"); stated {
			if _, mine, _ := unstructured.NestedInt64(o.Object, "spec", "replicas"); !mine {
				_ = unstructured.SetNestedField(o.Object, n, "spec", "replicas")
			}
		}

	case *appsv1.DaemonSet:
		o.Status = there.(*appsv1.DaemonSet).Status
	default:
		if b := binding.From(o); b != nil {
			b.Inherit(binding.From(there))
		}
	}
}

// autoscale gives workloads of files that say nothing of their replicas the fewest that their
// HorizontalPodAutoscaler, in files or cluster, keeps.
func (s *snapshot) autoscale(ctx context.Context, namespace string) error {
	open := map[string]**int32{}
	further := map[string]*unstructured.Unstructured{}
	for _, o := range s.added {
		switch o := o.(type) {
		case *appsv1.Deployment:
			if o.Spec.Replicas == nil {
				open["Deployment "+client.ObjectKeyFromObject(o).String()] = &o.Spec.Replicas
			}
		case *appsv1.StatefulSet:
			if o.Spec.Replicas == nil {
				open["StatefulSet "+client.ObjectKeyFromObject(o).String()] = &o.Spec.Replicas
			}
		case *unstructured.Unstructured:
			if _, stated, _ := unstructured.NestedInt64(o.Object, "spec", "replicas"); !stated {
				further[o.GetKind()+" "+client.ObjectKeyFromObject(o).String()] = o
			}
		}
	}

	if len(open)+len(further) == 0 {
		return nil
	}

	// KEDA makes the autoscaler of a ScaledObject when it sees it. While something is to be served it keeps one pod at least.
	scaled := func(target string) *int32 {
		kind, key, _ := strings.Cut(target, " ")
		namespace, name, _ := strings.Cut(key, "/")
		o := s.scalerOf(kind, namespace, name)
		if o == nil {
			return nil
		}
		least, _ := number(o, "spec", "minReplicaCount")
		return new(max(int32(least), 1))
	}
	for target, into := range open {
		*into = scaled(target)
	}
	for target, o := range further {
		if least := scaled(target); least != nil {
			_ = unstructured.SetNestedField(o.Object, int64(*least), "spec", "replicas")
		}
	}

	var all autoscalingv2.HorizontalPodAutoscalerList
	if err := s.List(ctx, &all, client.InNamespace(namespace)); err != nil {
		return fmt.Errorf("list HorizontalPodAutoscalers: %w", err)
	}

	for _, a := range all.Items {
		target := a.Spec.ScaleTargetRef.Kind + " " + a.Namespace + "/" + a.Spec.ScaleTargetRef.Name
		least := replicas(a.Spec.MinReplicas)
		if into, found := open[target]; found {
			*into = &least
		}
		if o, found := further[target]; found {
			_ = unstructured.SetNestedField(o.Object, int64(least), "spec", "replicas")
		}
	}

	return nil
}

// isScaler reports whether an object of a file is a ScaledObject of KEDA, which says how many pods a workload has.
func isScaler(o *unstructured.Unstructured) bool {
	return o.GetKind() == "ScaledObject" && o.GroupVersionKind().Group == "keda.sh"
}

// scalerOf is the ScaledObject in the files that scales a workload; nil where there is none.
func (s *snapshot) scalerOf(kind, namespace, name string) *unstructured.Unstructured {
	for _, o := range s.added {
		u, further := o.(*unstructured.Unstructured)
		if !further || !isScaler(u) || u.GetNamespace() != namespace {
			continue
		}
		of, _, _ := unstructured.NestedString(u.Object, "spec", "scaleTargetRef", "kind")
		called, _, _ := unstructured.NestedString(u.Object, "spec", "scaleTargetRef", "name")
		if cmp.Or(of, "Deployment") == kind && called == name {
			return u
		}
	}
	return nil
}

// placeOf is the place of an object in the files, from 1 up; 0 when it is in none.
func (s *snapshot) placeOf(o client.Object) int {
	return 1 + slices.IndexFunc(s.added, func(a client.Object) bool { return alike(a, o) })
}

func (s *snapshot) isAdded(o client.Object) bool { return s.placeOf(o) > 0 }

// isNew reports whether an object of a file is not in the cluster, as far as that is known.
func (s *snapshot) isNew(o client.Object) bool {
	i := s.placeOf(o) - 1
	return i >= 0 && (s.alone || s.fresh[s.added[i]])
}

func alike(a, b client.Object) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && client.ObjectKeyFromObject(a) == client.ObjectKeyFromObject(b)
}

// items are those of a list.
func items(list client.ObjectList) ([]client.Object, error) {
	found, err := meta.ExtractList(list)
	if err != nil {
		return nil, err
	}
	var all []client.Object
	for _, o := range found {
		all = append(all, o.(client.Object))
	}
	return all, nil
}

// IndexField implements client.FieldIndexer.
func (s *snapshot) IndexField(_ context.Context, kind client.Object, field string, values client.IndexerFunc) error {
	t := reflect.TypeOf(kind)
	if s.indexes[t] == nil {
		s.indexes[t] = toolscache.Indexers{}
	}
	s.indexes[t][field] = func(o any) ([]string, error) {
		var keys []string
		for _, v := range values(o.(client.Object)) {
			keys = append(keys, "/"+v, o.(client.Object).GetNamespace()+"/"+v)
		}
		return keys, nil
	}
	return nil
}

// Get implements client.Reader: by the list where there is one, else by asking for the object.
func (s *snapshot) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	kind := reflect.TypeOf(into)
	for _, o := range s.added {
		if reflect.TypeOf(o) == kind && client.ObjectKeyFromObject(o) == key {
			copyInto(into, o)
			return nil
		}
	}

	h, known := s.of(kind, key.Namespace)
	if !known {
		if s.alone {
			return apierrors.NewNotFound(schema.GroupResource{Resource: kind.String()}, key.Name)
		}
		err := s.live.Get(ctx, key, into, options...)
		if meta.IsNoMatchError(err) {
			s.undefined = true
			return apierrors.NewNotFound(schema.GroupResource{Resource: kind.String()}, key.Name)
		}
		return err
	}

	if h.err != nil {
		return h.err
	}

	o, found, err := h.items.GetByKey(toolscache.NewObjectName(key.Namespace, key.Name).String())
	if err == nil && !found {
		err = apierrors.NewNotFound(schema.GroupResource{Resource: kind.String()}, key.Name)
	}

	if err != nil {
		return err
	}

	copyInto(into, o.(client.Object))
	return nil
}

func copyInto(into, from client.Object) {
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(from.DeepCopyObject()).Elem())
}

// List implements client.Reader, for all of a namespace and for questions that an index answers.
func (s *snapshot) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	h, err := s.hold(ctx, into, o.Namespace)
	if err != nil {
		return err
	}

	found := h.items.List()
	if o.FieldSelector != nil && len(o.FieldSelector.Requirements()) == 1 {
		asked := o.FieldSelector.Requirements()[0]
		if found, err = h.items.ByIndex(asked.Field, o.Namespace+"/"+asked.Value); err != nil {
			return err
		}
	}

	objects := make([]runtime.Object, 0, len(found))
	for _, f := range found {
		if o.Namespace == "" || f.(client.Object).GetNamespace() == o.Namespace {
			objects = append(objects, f.(runtime.Object))
		}
	}

	return meta.SetList(into, objects)
}

// of gives what was read of a kind, of its namespace or of all.
func (s *snapshot) of(kind reflect.Type, namespace string) (held, bool) {
	if h, known := s.held[holding{kind, ""}]; known {
		return h, true
	}
	h, known := s.held[holding{kind, namespace}]
	return h, known
}

// hold reads a kind of a namespace unless that was done.
func (s *snapshot) hold(ctx context.Context, list client.ObjectList, namespace string) (held, error) {
	items, ok := reflect.TypeOf(list).Elem().FieldByName("Items")
	if !ok {
		return held{}, fmt.Errorf("list %T: it has no items", list)
	}

	kind := reflect.PointerTo(items.Type.Elem())
	if h, known := s.of(kind, namespace); known {
		return h, h.err
	}

	h := held{items: toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, s.indexes[kind])}
	if !s.alone {
		h.err = s.read(ctx, list, namespace, h.items)
	}

	for _, o := range s.added {
		if reflect.TypeOf(o) == kind && h.err == nil {
			h.err = h.items.Add(o)
		}
	}

	s.held[holding{kind, namespace}] = h
	return h, h.err
}

// read asks for one page after the other. A kind that the API server does not know has none.
func (s *snapshot) read(ctx context.Context, list client.ObjectList, namespace string, into toolscache.Indexer) error {
	next := ""
	for {
		one := list.DeepCopyObject().(client.ObjectList)
		err := s.live.List(ctx, one, client.InNamespace(namespace), client.Limit(page), client.Continue(next))
		if meta.IsNoMatchError(err) {
			return nil
		}
		if err != nil {
			return err
		}

		err = meta.EachListItem(one, func(o runtime.Object) error { return into.Add(o) })
		if err != nil {
			return err
		}

		if next = one.GetContinue(); next == "" {
			return nil
		}
	}
}
