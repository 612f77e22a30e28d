// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/podgate/podgate/internal/check"
)

const (
	// listTimeout bounds a list, pageSize is how many objects one page of it has, and maxLists how many lists are read at a time: what
	// is too much must not fill the memory before that is known.
	listTimeout = 30 * time.Second
	pageSize    = 5
	maxLists    = 4
	// minBackoff and maxBackoff bound the time between two attempts to watch. A watch that was up for steady begins at the first again.
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	steady     = time.Minute
)

// watched is one watch, for all questions of the same place. All but place is guarded by Objects.mu.
type watched struct {
	place  place
	askers map[*asked]bool
	cancel context.CancelFunc
	// objects are never changed, but exchanged; word says why they are not known.
	objects []map[string]any
	word    check.Word
	// size is about how many bytes they take.
	size int
}

// errTooMuch means that what is watched is more than may be.
var errTooMuch = errors.New("too many objects, or too large ones")

// watch keeps objects up to date until ctx ends.
func (o *Objects) watch(ctx context.Context, w *watched) {
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		began := time.Now()
		err := o.listAndWatch(ctx, w)
		if ctx.Err() != nil {
			return
		}

		// What was known counts no more: nobody hears of what changes now.
		if err != nil {
			o.log.V(1).Info("Watching objects failed", "resource", w.place.resource.String(), "namespace", w.place.namespace, "error", err.Error())
		}
		o.publish(w, nil, 0, wordOf(err))

		if time.Since(began) > steady {
			backoff = minBackoff
		}
		if errors.Is(err, errTooMuch) {
			backoff = maxBackoff
		}

		pause := time.NewTimer(backoff/2 + rand.N(backoff))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

// wordOf says for people why a watch failed, or ended.
func wordOf(err error) check.Word {
	switch {
	case errors.Is(err, errTooMuch):
		return check.TooMuch
	case apierrors.IsForbidden(err):
		return check.NoRights
	case apierrors.IsNotFound(err):
		return check.NoSuchKind
	}
	return check.NotRead
}

// reads returns what reads the objects of a place.
func (o *Objects) reads(at place) (dynamic.ResourceInterface, metav1.ListOptions) {
	options := metav1.ListOptions{LabelSelector: at.selector}
	if at.name != "" {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, at.name).String()
	}
	if at.namespace != "" {
		return o.client.Resource(at.resource).Namespace(at.namespace), options
	}
	return o.client.Resource(at.resource), options
}

// listAndWatch returns when the watch ends, with an error if it failed.
func (o *Objects) listAndWatch(ctx context.Context, w *watched) error {
	client, options := o.reads(w.place)
	all, version, err := o.list(ctx, client, w.place, options)
	if err != nil {
		return err
	}

	// What was listed counts only when it is known that changes are heard of.
	options.ResourceVersion, options.AllowWatchBookmarks = version, true
	events, err := client.Watch(ctx, options)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer events.Stop()

	for {
		if err := o.take(w, all); err != nil {
			return err
		}
		changed, err := next(ctx, events, w.place, all)
		if err != nil || !changed {
			return err
		}
	}
}

// set is objects by name.
type set map[string]*unstructured.Unstructured

// list reads what is there, in pages, when it is its turn.
func (o *Objects) list(ctx context.Context, client dynamic.ResourceInterface, at place, options metav1.ListOptions) (set, string, error) {
	select {
	case o.lists <- struct{}{}:
		defer func() { <-o.lists }()
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()

	all, size := set{}, 0
	options.Limit = pageSize
	for {
		page, err := client.List(ctx, options)
		if err != nil {
			return nil, "", fmt.Errorf("list: %w", err)
		}
		for i := range page.Items {
			object := slim(&page.Items[i])
			if at.has(object) {
				all[object.GetName()] = object
				size += sizeOf(object.Object)
			}
		}
		if len(all) > maxObjects || size > maxSize {
			return nil, "", errTooMuch
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return all, page.GetResourceVersion(), nil
		}
	}
}

// next waits until objects change; false when the watch ended.
func next(ctx context.Context, events watch.Interface, at place, all set) (bool, error) {
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case event, more := <-events.ResultChan():
			if !more {
				return false, nil
			}
			if event.Type == watch.Error {
				return false, fmt.Errorf("watch: %w", apierrors.FromObject(event.Object))
			}

			object, is := event.Object.(*unstructured.Unstructured)
			if event.Type == watch.Bookmark || !is || !at.has(object) {
				continue
			}
			delete(all, object.GetName())
			if event.Type != watch.Deleted {
				all[object.GetName()] = slim(object)
			}
			return true, nil
		}
	}
}

// has reports whether an object is one of those that were asked for.
func (p place) has(object *unstructured.Unstructured) bool {
	return p.name == "" || object.GetName() == p.name
}

// slim returns an object without what no expression needs.
func slim(object *unstructured.Unstructured) *unstructured.Unstructured {
	object.SetManagedFields(nil)
	if annotations := object.GetAnnotations(); annotations[corev1.LastAppliedConfigAnnotation] != "" {
		delete(annotations, corev1.LastAppliedConfigAnnotation)
		object.SetAnnotations(annotations)
	}
	return object
}

// take makes a set what is known.
func (o *Objects) take(w *watched, all set) error {
	objects, size := make([]map[string]any, 0, len(all)), 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		objects = append(objects, all[name].Object)
		size += sizeOf(all[name].Object)
	}
	if len(objects) > maxObjects || size > maxSize || !o.publish(w, objects, size, check.Word{}) {
		return errTooMuch
	}
	return nil
}

// publish makes objects, or a word, what is known, and has the pods woken that look at them. It reports false where the
// memory for them is not there.
func (o *Objects) publish(w *watched, objects []map[string]any, size int, word check.Word) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := w.size
	w.size = size
	if word != (check.Word{}) && word == w.word {
		return true
	}
	if objects != nil && !o.fits(w) {
		w.size = before
		return false
	}
	w.objects, w.word = objects, word
	for a := range w.askers {
		a.change()
	}
	return true
}

// fits reports whether one of the namespaces for which there is a watch has memory left for it, and all together have; mu is held.
func (o *Objects) fits(w *watched) bool {
	all := 0
	for _, other := range o.watches {
		all += other.size
	}
	if all > maxSizeInAll {
		return false
	}

	for a := range w.askers {
		sizes := map[*watched]int{}
		for q, other := range o.questions {
			if q.Account.Namespace == a.question.Account.Namespace && other.watch != nil {
				sizes[other.watch] = other.watch.size
			}
		}
		sum := 0
		for _, size := range sizes {
			sum += size
		}
		if sum <= maxSizePerNamespace {
			return true
		}
	}
	return len(w.askers) == 0
}

// entry is about what a map or a list takes for each of its entries, and table what a map takes besides.
const (
	entry = 48
	table = 256
)

// sizeOf is about how many bytes a value takes.
func sizeOf(value any) int {
	size := entry
	switch v := value.(type) {
	case string:
		size += len(v)
	case map[string]any:
		size += table
		for key, of := range v {
			size += len(key) + sizeOf(of)
		}
	case []any:
		for _, of := range v {
			size += sizeOf(of)
		}
	}
	return size
}
