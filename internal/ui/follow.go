// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Cluster answers questions from what it follows of an API server: whatever is listed of a kind is watched from then on.
// It implements client.Reader. An object of a kind that is not listed is asked for, and remembered for a moment.
type Cluster struct {
	kube client.WithWatch
	now  func() time.Time
	// running ends the watches, which outlive the questions that begin them.
	running context.Context
	changes signal

	mu      sync.Mutex
	lists   map[scope]*list
	answers map[question]answer
	seen    func(client.Object, bool)
}

// scope is a kind in a namespace, or in all where that is empty.
type scope struct {
	kind      reflect.Type
	namespace string
}

// question is about one object, or about those that a selector selects.
type question struct {
	scope
	name, selector string
}

type answer struct {
	of  runtime.Object
	err error
	at  time.Time
}

// remembered is how long an answer to a question holds that no watch follows.
const remembered = 2 * time.Second

// again is how long after an API server did not answer it is asked again.
const again = 2 * time.Second

// Follow makes a Cluster, whose watches end with the context. Each object of what is watched is handed to seen, with whether
// it is gone; seen may be nil.
func Follow(ctx context.Context, kube client.WithWatch, now func() time.Time, seen func(o client.Object, gone bool)) *Cluster {
	return &Cluster{kube: kube, now: now, running: ctx, lists: map[scope]*list{}, answers: map[question]answer{}, seen: seen}
}

// list is a kind in a scope, as it is followed.
type list struct {
	items toolscache.SharedIndexInformer

	mu sync.Mutex
	// unread is why the list cannot be read, and unwatched why it cannot be watched; nil while they can.
	unread, unwatched error
	// since is when the API server ceased to answer.
	since time.Time
}

// note keeps how the API server answered.
func (l *list) note(now time.Time, into *error, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*into = err
	switch {
	case !away(l.unread) && !away(l.unwatched):
		l.since = time.Time{}
	case l.since.IsZero():
		l.since = now
	}
}

// away reports whether an error says that the API server cannot be asked at all, rather than what it answers.
func away(err error) bool {
	return err != nil && !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) &&
		!apierrors.IsResourceExpired(err) && !apierrors.IsGone(err)
}

// of is how a kind of a namespace is followed, which begins now unless it did.
func (c *Cluster) of(kind reflect.Type, many client.ObjectList, namespace string) *list {
	c.mu.Lock()
	defer c.mu.Unlock()

	// What is read of all namespaces holds for each.
	if all := c.lists[scope{kind, ""}]; all != nil && all.refused() == nil {
		return all
	}

	at := scope{kind, namespace}
	if l := c.lists[at]; l != nil {
		return l
	}

	l := &list{}
	l.items = toolscache.NewSharedIndexInformer(c.source(l, many, namespace), reflect.New(kind.Elem()).Interface().(runtime.Object), 0, toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc})
	c.lists[at] = l

	// Nothing that these return an error for can have happened: it has not started.
	_ = l.items.SetTransform(slim)
	_ = l.items.SetWatchErrorHandlerWithContext(func(context.Context, *toolscache.Reflector, error) { c.changes.send() })
	_, _ = l.items.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { c.changed(o, false) },
		UpdateFunc: func(_, o any) { c.changed(o, false) },
		DeleteFunc: func(o any) { c.changed(o, true) },
	})

	go l.items.RunWithContext(klog.NewContext(c.running, logr.Discard()))
	go func() {
		if toolscache.WaitForCacheSync(c.running.Done(), l.items.HasSynced) {
			c.changes.send()
		}
	}()

	return l
}

// changed hands on what a watch said.
func (c *Cluster) changed(o any, gone bool) {
	if last, missed := o.(toolscache.DeletedFinalStateUnknown); missed {
		o = last.Obj
	}
	if object, ok := o.(client.Object); ok && c.seen != nil {
		c.seen(object, gone)
	}
	c.changes.send()
}

// source lists and watches, and notes how the API server answers.
func (c *Cluster) source(l *list, many client.ObjectList, namespace string) *toolscache.ListWatch {
	asked := func(o metav1.ListOptions) *client.ListOptions {
		return &client.ListOptions{Namespace: namespace, Raw: &o}
	}
	return &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (into runtime.Object, err error) {
			err = persist(ctx, func() error {
				into = many.DeepCopyObject()
				err := c.kube.List(ctx, into.(client.ObjectList), asked(o))
				l.note(c.now(), &l.unread, err)
				c.changes.send()
				return err
			})
			return into, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (w watch.Interface, err error) {
			err = persist(ctx, func() error {
				var err error
				w, err = c.kube.Watch(ctx, many.DeepCopyObject().(client.ObjectList), asked(o))
				l.note(c.now(), &l.unwatched, err)
				if err == nil {
					l.note(c.now(), &l.unread, nil)
				}
				c.changes.send()
				return err
			})
			return w, err
		},
	}
}

// persist asks until the API server answers. Left to the informer, an outage would last up to a minute longer, by which the
// times between its tries grow.
func persist(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if !away(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(again):
		}
	}
}

// refused is why the list may not be read; nil while it may, or when that is not known.
func (l *list) refused() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.unread != nil && (!away(l.unread) || !l.items.HasSynced()):
		return l.unread
	case away(l.unwatched) && !l.items.HasSynced():
		return l.unwatched
	}
	return nil
}

// known waits until the list was read, or cannot be.
func (l *list) known(ctx context.Context, changes *signal) error {
	for {
		changed, _ := changes.next()
		if err := l.refused(); err != nil {
			return err
		}
		if l.items.HasSynced() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the API server has not answered: %w", ctx.Err())
		}
	}
}

// List implements client.Reader. What was read once is given while the API server is away.
func (c *Cluster) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	items, ok := reflect.TypeOf(into).Elem().FieldByName("Items")
	if !ok {
		return fmt.Errorf("list %T: it has no items", into)
	}

	kind := reflect.PointerTo(items.Type.Elem())
	if o.FieldSelector != nil || o.LabelSelector != nil {
		return c.selected(ctx, kind, into, &o)
	}

	l := c.of(kind, into, o.Namespace) //nolint:contextcheck // its watch outlives the question
	if err := l.known(ctx, &c.changes); err != nil {
		return err
	}

	found := l.items.GetStore().List()
	if o.Namespace != "" {
		var err error
		if found, err = l.items.GetIndexer().ByIndex(toolscache.NamespaceIndex, o.Namespace); err != nil {
			return err
		}
	}

	// Whoever asks may change what it gets.
	objects := make([]runtime.Object, 0, len(found))
	for _, f := range found {
		objects = append(objects, f.(runtime.Object).DeepCopyObject())
	}
	return meta.SetList(into, objects)
}

// selected asks for what a selector selects.
func (c *Cluster) selected(ctx context.Context, kind reflect.Type, into client.ObjectList, o *client.ListOptions) error {
	about := question{scope: scope{kind, o.Namespace}}
	if o.FieldSelector != nil {
		about.selector = o.FieldSelector.String()
	}
	if o.LabelSelector != nil {
		about.selector += ";" + o.LabelSelector.String()
	}
	return c.ask(about, into, func(into runtime.Object) error { return c.kube.List(ctx, into.(client.ObjectList), o) })
}

// Get implements client.Reader. A pod is read as it is, with all that its watch leaves out.
func (c *Cluster) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if _, pod := into.(*corev1.Pod); pod {
		return c.kube.Get(ctx, key, into, options...)
	}
	about := question{scope: scope{reflect.TypeOf(into), key.Namespace}, name: key.Name}
	if kind := into.GetObjectKind().GroupVersionKind(); !kind.Empty() {
		about.selector = kind.String()
	}
	return c.ask(about, into, func(into runtime.Object) error { return c.kube.Get(ctx, key, into.(client.Object), options...) })
}

// ask has a question answered, unless it just was.
func (c *Cluster) ask(about question, into runtime.Object, ask func(runtime.Object) error) error {
	c.mu.Lock()
	known, found := c.answers[about]
	c.mu.Unlock()
	if !found || c.now().Sub(known.at) > remembered {
		fresh := into.DeepCopyObject()
		known = answer{of: fresh, err: ask(fresh), at: c.now()}
		c.remember(about, known)
	}
	if known.err != nil {
		return known.err
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(known.of.DeepCopyObject()).Elem())
	return nil
}

// remember keeps an answer, and forgets those that hold no longer.
func (c *Cluster) remember(about question, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for q, old := range c.answers {
		if a.at.Sub(old.at) > remembered {
			delete(c.answers, q)
		}
	}
	c.answers[about] = a
}

// Away says since when the API server has not answered, and what happens instead; nil while it answers.
func (c *Cluster) Away() (since time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lists {
		l.mu.Lock()
		if !l.since.IsZero() && (since.IsZero() || l.since.Before(since)) {
			since, err = l.since, l.unwatched
			if !away(err) {
				err = l.unread
			}
		}
		l.mu.Unlock()
	}
	return since, err
}

// Unwatched are the refusals of what may be read and not watched, which is read again every half minute.
func (c *Cluster) Unwatched() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []error
	for _, l := range c.lists {
		l.mu.Lock()
		if l.unread == nil && apierrors.IsForbidden(l.unwatched) {
			all = append(all, l.unwatched)
		}
		l.mu.Unlock()
	}
	return all
}

// slim drops what no page shows: memory grows with every object otherwise.
func slim(o any) (any, error) {
	object, ok := o.(client.Object)
	if !ok {
		return o, nil
	}

	object.SetManagedFields(nil)
	if said := object.GetAnnotations(); said[corev1.LastAppliedConfigAnnotation] != "" {
		delete(said, corev1.LastAppliedConfigAnnotation)
	}

	if pod, ok := o.(*corev1.Pod); ok {
		pod.Spec.Volumes, pod.Spec.Affinity, pod.Spec.Tolerations, pod.Spec.TopologySpreadConstraints = nil, nil, nil, nil
		for _, all := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
			for i := range all {
				c := &all[i]
				c.Command, c.Args, c.Env, c.EnvFrom, c.VolumeMounts, c.SecurityContext = nil, nil, nil, nil, nil, nil
			}
		}
	}

	return o, nil
}

// signal wakes all who wait for a change.
type signal struct {
	mu      sync.Mutex
	changed chan struct{}
	// sent counts the changes.
	sent int64
}

// next gives a channel that is closed at the next change, and how many there were.
func (s *signal) next() (<-chan struct{}, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed, s.sent
}

func (s *signal) send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
