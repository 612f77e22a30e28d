// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// seen is what the API server's watch told of one pod, and when.
type seen struct {
	// createdAt is when it was first seen, readyAt when its containers became ready, and deletedAt when it began to terminate.
	createdAt, readyAt, deletedAt time.Time
	// status and reason are its gate's; openAt is when the gate first was True.
	status, reason string
	openAt         time.Time
	// writes counts changes of its gate's condition, flips those from True.
	writes, flips int
}

// podWatch follows the pods of the bench.
type podWatch struct {
	kube   client.WithWatch
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	pods map[string]*seen
	err  error
}

// watchPods follows what happens to pods from now on. Of those that are there already, the gates are open.
func (w *world) watchPods(ctx context.Context, there ...*pod) error {
	var list corev1.PodList
	err := w.eventually(ctx, fmt.Sprintf("the API server has %d pods", len(there)), time.Minute, func(ctx context.Context) (bool, error) {
		list = corev1.PodList{}
		err := w.kube.List(ctx, &list, client.InNamespace(apps), client.Limit(1))
		found := len(list.Items)
		if rest := list.RemainingItemCount; rest != nil {
			found += int(*rest)
		}
		return found == len(there), err
	})
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	w.watch = &podWatch{kube: w.kube, cancel: cancel, done: make(chan struct{}), pods: map[string]*seen{}}
	for _, p := range there {
		w.watch.pods[p.name] = &seen{status: string(corev1.ConditionTrue)}
	}
	w.closers = append(w.closers, w.watch.close)
	go w.watch.run(ctx, list.ResourceVersion)

	return nil
}

// run watches until ctx ends. The API server ends a watch whose reader the machine lets
// wait; the next one goes on where it ended, so no event is lost.
func (w *podWatch) run(ctx context.Context, version string) {
	defer close(w.done)
	for ctx.Err() == nil {
		var err error
		if version, err = w.follow(ctx, version); err != nil {
			w.mu.Lock()
			w.err = fmt.Errorf("watch pods: %w", err)
			w.mu.Unlock()
			return
		}
	}
}

// follow reads one watch to its end and gives the version to go on from.
func (w *podWatch) follow(ctx context.Context, version string) (string, error) {
	events, err := w.kube.Watch(ctx, &corev1.PodList{}, client.InNamespace(apps), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}})
	if err != nil {
		return version, err
	}
	defer events.Stop()

	for e := range events.ResultChan() {
		now := time.Now()
		p, ok := e.Object.(*corev1.Pod)
		if !ok {
			return version, apierrors.FromObject(e.Object)
		}
		w.note(p, now)
		version = p.ResourceVersion
	}

	return version, nil
}

func (w *podWatch) note(p *corev1.Pod, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.pods[p.Name]
	if s == nil {
		s = &seen{createdAt: now}
		w.pods[p.Name] = s
	}

	if s.deletedAt.IsZero() && p.DeletionTimestamp != nil {
		s.deletedAt = now
	}

	for _, c := range p.Status.Conditions {
		switch {
		case c.Type == corev1.ContainersReady && c.Status == corev1.ConditionTrue && s.readyAt.IsZero():
			s.readyAt = now
		case strings.HasPrefix(string(c.Type), elbv2.GatePrefix), strings.HasPrefix(string(c.Type), v1alpha1.CheckPrefix):
			s.gate(c, now)
		}
	}
}

func (s *seen) gate(c corev1.PodCondition, now time.Time) {
	if string(c.Status) == s.status && c.Reason == s.reason {
		return
	}
	if s.status == "True" && c.Status != corev1.ConditionTrue {
		s.flips++
	}
	s.writes++
	s.status, s.reason = string(c.Status), c.Reason
	if c.Status == corev1.ConditionTrue && s.openAt.IsZero() {
		s.openAt = now
	}
}

// pod gives what was seen of a pod, and an error once the watch has ended.
func (w *podWatch) pod(name string) (seen, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.pods[name]; s != nil {
		return *s, w.err
	}
	return seen{}, w.err
}

// all reports whether every pod is as wanted.
func (w *podWatch) all(pods []*pod, want func(seen) bool) (bool, error) {
	n, err := w.count(pods, want)
	return n == len(pods), err
}

// count tells how many pods are as wanted.
func (w *podWatch) count(pods []*pod, want func(seen) bool) (int, error) {
	n := 0
	for _, p := range pods {
		s, err := w.pod(p.name)
		if err != nil {
			return 0, err
		}
		if want(s) {
			n++
		}
	}
	return n, nil
}

func (w *podWatch) close() error {
	w.cancel()
	<-w.done
	return nil
}

func isOpen(s seen) bool   { return s.status == "True" }
func isClosed(s seen) bool { return s.status == "False" }
