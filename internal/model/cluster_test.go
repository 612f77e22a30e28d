// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

const namespace = "shop"

var errDown = errors.New("the API server does not answer")

// kind is one sort of objects: what is stored, and what the engine's cache holds of it.
type kind struct {
	stored map[string]client.Object
	// cached is never changed but replaced, so that what was seen of it can be kept.
	cached map[string]client.Object
	// items is the list of what is cached, as it is given out; nil until somebody asks.
	items any
	// order is the stored names in the order of their creation.
	order    []string
	handlers []toolscache.ResourceEventHandler
	// last is when the latest event arrives: a watch keeps order.
	last time.Time
}

// cluster is an API server and the engine's cache of it, which lags.
type cluster struct {
	w       *world
	born    time.Time
	version int
	changes int
	list    []*corev1.Pod // the pods when changes was listed
	listed  int
	kinds   map[string]*kind
	epoch   int
	lag     time.Duration // the most that a watch event takes
	failing float64       // how many of the engine's writes fail
	uids    int
}

func newCluster(w *world) *cluster {
	c := &cluster{w: w, born: time.Now(), lag: 100 * time.Millisecond, kinds: map[string]*kind{}}
	for _, o := range []client.Object{&corev1.Pod{}, &corev1.Service{}, &elbv2.TargetGroupBinding{}, &v1alpha1.TargetBinding{}, &v1alpha1.ReadinessGate{}} {
		c.kinds[kindOf(o)] = &kind{stored: map[string]client.Object{}, cached: map[string]client.Object{}}
	}
	return c
}

func kindOf(o any) string {
	switch o.(type) {
	case *corev1.Pod, *corev1.PodList:
		return "pod"
	case *corev1.Service, *corev1.ServiceList:
		return "service"
	case *elbv2.TargetGroupBinding, *elbv2.TargetGroupBindingList:
		return "binding"
	case *v1alpha1.TargetBinding, *v1alpha1.TargetBindingList:
		return "own binding"
	case *v1alpha1.ReadinessGate, *v1alpha1.ReadinessGateList:
		return "readiness gate"
	}
	return "other"
}

func copyOf[T client.Object](o T) T { return o.DeepCopyObject().(T) }

// put stores an object, a copy that nobody changes, and tells the cache later.
func (c *cluster) put(o client.Object) {
	k := c.kinds[kindOf(o)]
	c.version++
	c.changes++
	o.SetNamespace(namespace)
	o.SetResourceVersion(strconv.Itoa(c.version))

	if o.GetUID() == "" {
		c.uids++
		o.SetUID(types.UID(fmt.Sprintf("uid-%d", c.uids)))
	}

	if k.stored[o.GetName()] == nil {
		k.order = append(k.order, o.GetName())
	}

	k.stored[o.GetName()] = o
	c.send(k, o, false)
}

// drop removes an object.
func (c *cluster) drop(o client.Object) {
	k := c.kinds[kindOf(o)]
	c.changes++
	delete(k.stored, o.GetName())
	for i, name := range k.order {
		if name == o.GetName() {
			k.order = append(k.order[:i:i], k.order[i+1:]...)
			break
		}
	}
	c.send(k, o, true)
}

// send delivers an event to the cache of the engine that runs by then.
func (c *cluster) send(k *kind, o client.Object, gone bool) {
	at := time.Now().Add(c.w.noisy(time.Millisecond, c.lag, "event", o.GetName()))
	if at.Before(k.last) {
		at = k.last
	}
	k.last = at
	epoch := c.epoch
	c.w.after(time.Until(at), func() {
		if epoch == c.epoch {
			c.deliver(k, o, gone)
		}
	})
}

// deliver updates the cache and tells its listeners. They read the cache, so the lock is let go.
func (c *cluster) deliver(k *kind, o client.Object, gone bool) {
	old := k.cached[o.GetName()]
	k.cached, k.items = maps.Clone(k.cached), nil
	if gone {
		delete(k.cached, o.GetName())
	} else {
		k.cached[o.GetName()] = o
	}

	c.w.cacheChanged(o)
	handlers := k.handlers
	c.w.mu.Unlock()
	defer c.w.mu.Lock()

	for _, h := range handlers {
		switch {
		case gone && old != nil:
			h.OnDelete(old)
		case gone:
		case old == nil:
			h.OnAdd(o, false)
		case old.GetUID() != o.GetUID():
			h.OnDelete(old)
			h.OnAdd(o, false)
		default:
			h.OnUpdate(old, o)
		}
	}
}

// relist fills the caches afresh, as a process that starts does.
func (c *cluster) relist() {
	c.epoch++
	for _, k := range c.kinds {
		k.cached, k.items, k.handlers, k.last = maps.Clone(k.stored), nil, nil, time.Time{}
	}
}

// pods lists the pods; the list is for reading.
func (c *cluster) pods() []*corev1.Pod {
	if c.listed != c.changes {
		c.listed, c.list = c.changes, all[*corev1.Pod](c, "pod")
	}
	return c.list
}

func all[T client.Object](c *cluster, name string) []T {
	var found []T
	for _, n := range c.kinds[name].order {
		found = append(found, c.kinds[name].stored[n].(T))
	}
	return found
}

func stored[T client.Object](c *cluster, kind, name string) (T, bool) {
	o, ok := c.kinds[kind].stored[name].(T)
	return o, ok
}

// kube is the cluster as the engine's client: it reads the cache and writes to the API server.
type kube struct {
	client.Client
	w *world
}

func missing(name string) error { return apierrors.NewNotFound(schema.GroupResource{}, name) }

// Get implements client.Reader. It takes a moment, another for each object, so that what
// the engine's workers do at one instant is in one order each time.
func (k kube) Get(ctx context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if ns, ok := into.(*metav1.PartialObjectMetadata); ok {
		ns.Labels = map[string]string{corev1.LabelMetadataName: key.Name}
		return nil
	}

	// Who asks about several pods for a check does so in any order.
	if controller.ReconcileIDFromContext(ctx) != "" {
		k.w.mu.Lock()
		moment := k.w.noisy(time.Nanosecond, time.Microsecond, "get", kindOf(into), key.Name)
		k.w.mu.Unlock()
		time.Sleep(moment)
	}

	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	kind := k.w.kinds[kindOf(into)]
	if kind == nil || kind.cached[key.Name] == nil {
		return missing(key.Name)
	}

	switch o := into.(type) {
	case *corev1.Pod:
		k.w.read(ctx, kind.cached[key.Name].(*corev1.Pod))
		kind.cached[key.Name].(*corev1.Pod).DeepCopyInto(o)
	case *corev1.Service:
		kind.cached[key.Name].(*corev1.Service).DeepCopyInto(o)
	case *elbv2.TargetGroupBinding:
		kind.cached[key.Name].(*elbv2.TargetGroupBinding).DeepCopyInto(o)
	case *v1alpha1.ReadinessGate:
		kind.cached[key.Name].(*v1alpha1.ReadinessGate).DeepCopyInto(o)
	}

	return nil
}

// List implements client.Reader; what it gives is not to be changed.
func (k kube) List(ctx context.Context, into client.ObjectList, _ ...client.ListOption) error {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	kind := k.w.kinds[kindOf(into)]
	switch l := into.(type) {
	case *corev1.PodList:
		k.w.lookedAt(ctx, kind.cached)
		l.Items = listed(kind, func(o *corev1.Pod) corev1.Pod { return *o })
	case *corev1.ServiceList:
		l.Items = listed(kind, func(o *corev1.Service) corev1.Service { return *o })
	case *elbv2.TargetGroupBindingList:
		l.Items = listed(kind, func(o *elbv2.TargetGroupBinding) elbv2.TargetGroupBinding { return *o })
	}

	return nil
}

// listed gives a kind's cached objects by their names. The items are made once for what is cached.
func listed[P client.Object, T any](k *kind, of func(P) T) []T {
	if k.items == nil {
		items := make([]T, 0, len(k.cached))
		for _, name := range slices.Sorted(maps.Keys(k.cached)) {
			items = append(items, of(k.cached[name].(P)))
		}
		k.items = items
	}
	return slices.Clip(k.items.([]T))
}

// Patch implements client.Writer.
func (k kube) Patch(ctx context.Context, o client.Object, p client.Patch, _ ...client.PatchOption) error {
	return k.patch(ctx, o, p, false)
}

// Status implements client.Client.
func (k kube) Status() client.SubResourceWriter { return statusWriter{k: k} }

type statusWriter struct {
	client.SubResourceWriter
	k kube
}

// Patch implements client.SubResourceWriter.
func (s statusWriter) Patch(ctx context.Context, o client.Object, p client.Patch, _ ...client.SubResourcePatchOption) error {
	return s.k.patch(ctx, o, p, true)
}

// patch writes, unless a fault loses the request; or another loses the answer.
func (k kube) patch(ctx context.Context, o client.Object, p client.Patch, status bool) error {
	data, err := p.Data(o)
	if err != nil {
		return err
	}

	k.w.mu.Lock()
	if pod, ok := o.(*corev1.Pod); ok {
		k.w.beforePatch(ctx, pod.Name, p.Type(), data, status)
	}

	what := kindOf(o) + " " + o.GetName()
	wait := k.w.noisy(time.Millisecond, 20*time.Millisecond, "patch", what)
	lost := k.w.chance(k.w.failing, "lost", what)
	unheard := lost && k.w.chance(0.3, "unheard", what)
	k.w.mu.Unlock()

	if err := sleep(ctx, wait); err != nil {
		return err
	}

	k.w.mu.Lock()
	defer k.w.mu.Unlock()

	if lost && !unheard {
		return errDown
	}

	err = k.apply(o, data, status)
	if unheard {
		return errDown
	}

	if pod, ok := o.(*corev1.Pod); ok && err == nil {
		k.w.acknowledged(pod)
	}

	return err
}

func (k kube) apply(o client.Object, data []byte, status bool) error {
	old := k.w.kinds[kindOf(o)].stored[o.GetName()]
	if old == nil {
		return missing(o.GetName())
	}

	if v := pinned(data); v.ResourceVersion != "" && v.ResourceVersion != old.GetResourceVersion() || v.UID != "" && v.UID != old.GetUID() {
		return apierrors.NewConflict(schema.GroupResource{}, o.GetName(), nil)
	}

	switch old := old.(type) {
	case *corev1.Pod:
		next, err := patchedPod(old, data)
		if err != nil {
			return err
		}
		k.w.put(next)
		k.w.wrote(old, next)
		k.w.judge(next.Name)
		next.DeepCopyInto(o.(*corev1.Pod))

	case *elbv2.TargetGroupBinding:
		next, err := patchedBinding(old, data, status)
		if err != nil {
			return err
		}

		next.DeepCopyInto(o.(*elbv2.TargetGroupBinding))
		if next.DeletionTimestamp != nil && len(next.Finalizers) == 0 {
			k.w.note("binding %s gone", next.Name)
			k.w.drop(next)
			return nil
		}

		k.w.put(next)
		o.SetResourceVersion(next.ResourceVersion)

	case *v1alpha1.ReadinessGate:
		next, err := patchedGate(old, data)
		if err != nil {
			return err
		}
		k.w.put(next)
		next.DeepCopyInto(o.(*v1alpha1.ReadinessGate))
	}

	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
