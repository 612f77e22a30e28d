// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// flaky is an API server that has one pod, and answers from a time on.
type flaky struct {
	client.WithWatch
	from time.Time
}

var errRefused = errors.New("connection refused")

func (f *flaky) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	if time.Now().Before(f.from) {
		return errRefused
	}
	pods := into.(*corev1.PodList)
	pods.ResourceVersion, pods.Items = "1", []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1"}}}
	return nil
}

func (f *flaky) Watch(ctx context.Context, _ client.ObjectList, o ...client.ListOption) (watch.Interface, error) {
	if time.Now().Before(f.from) {
		return nil, errRefused
	}
	w := watch.NewFake()
	context.AfterFunc(ctx, w.Stop)

	// Informers ask for what there is by a watch, too.
	var all client.ListOptions
	all.ApplyOptions(o)
	if initial := all.Raw.SendInitialEvents; initial != nil && *initial {
		go func() {
			w.Add(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", ResourceVersion: "1"}})
			w.Action(watch.Bookmark, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "1", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}})
		}()
	}
	return w, nil
}

// TestOutage: while the API server is away that is known, and soon after it is back nobody waits any longer, however long it
// was away.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer stop()
		begin := time.Now()
		c := Follow(ctx, &flaky{from: begin.Add(10 * time.Minute)}, time.Now, nil)
		var pods corev1.PodList
		if err := c.List(ctx, &pods, client.InNamespace("shop")); !errors.Is(err, errRefused) {
			t.Fatalf("it says %v", err)
		}
		time.Sleep(10*time.Minute - time.Second)
		if since, err := c.Away(); !since.Equal(begin) || !errors.Is(err, errRefused) {
			t.Errorf("it is away since %s, want %s, for %v", since, begin, err)
		}

		time.Sleep(2*again + time.Second)
		if since, err := c.Away(); !since.IsZero() {
			t.Errorf("it is away since %s, for %v", since, err)
		}
		if err := c.List(ctx, &pods, client.InNamespace("shop")); err != nil || len(pods.Items) != 1 {
			t.Errorf("it has %v, %v", pods.Items, err)
		}
	})
}
