// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// PodHistory is what a watch saw of a pod. Times are when the watch delivered it, which
// is finer than the whole seconds in a pod's conditions; zero is not yet.
type PodHistory struct {
	Name, UID string
	// Version is the tag of the first container's image.
	Version string
	// Address of the pod, once it has one.
	Address string
	// Gates is the number of its readiness gates.
	Gates int

	Created, ContainersReady time.Time
	// GatesOpen is when all of its readiness gates' conditions were True.
	GatesOpen time.Time
	Ready     time.Time
	// Terminating is when it was marked as being deleted.
	Terminating time.Time
	// Stopped is when all its containers had ended after that.
	Stopped time.Time
	// Gone is when its object was removed.
	Gone time.Time

	// deleted is when the API server took its deletion, and ended when the last of its containers ended, by their clocks and
	// in whole seconds.
	deleted, ended time.Time
}

// Lived returns for how long a pod that is gone went on after its deletion. It does not depend on when that was seen, which
// is late on a busy machine. It is less than a second off, and not less than 55 s for a pod that lived for 55 s.
func (h PodHistory) Lived() time.Duration {
	if h.deleted.IsZero() || h.ended.IsZero() {
		return h.Gone.Sub(h.Terminating)
	}
	return h.ended.Sub(h.deleted)
}

// PodWatch records the pods of a namespace. Its methods are safe for concurrent use.
type PodWatch struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	// synced is closed when the pods that are there were seen.
	synced chan struct{}

	mu   sync.Mutex
	pods []*PodHistory
}

// watchAgain is how long an API server that went away is left alone: an informer would
// look again after up to a minute, and take that for the time of what happened meanwhile.
const watchAgain = 100 * time.Millisecond

// WatchPods starts to record; Stop ends it.
func WatchPods(ctx context.Context, c *Cluster, namespace string) (*PodWatch, error) {
	set, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return nil, fmt.Errorf("watch pods of %s: %w", namespace, err)
	}

	ctx, cancel := context.WithCancel(ctx)
	w := newPodWatch()
	w.stop = cancel
	list := cache.NewListWatchFromClient(set.CoreV1().RESTClient(), "pods", namespace, fields.Everything())
	reflector := cache.NewReflectorWithOptions(list, &corev1.Pod{}, podStore{w}, cache.ReflectorOptions{
		Name: "pods of " + namespace, Backoff: &wait.Backoff{Duration: watchAgain},
	})

	w.running.Go(func() { reflector.RunWithContext(ctx) })
	select {
	case <-w.synced:
		return w, nil
	case <-ctx.Done():
		w.Stop()
		return nil, fmt.Errorf("watch pods of %s: %w", namespace, context.Cause(ctx))
	}
}

func newPodWatch() *PodWatch { return &PodWatch{synced: make(chan struct{})} }

// Stop ends the watch. What was recorded stays.
func (w *PodWatch) Stop() {
	w.stop()
	w.running.Wait()
}

// podStore takes what the API server says about a namespace's pods.
type podStore struct{ *PodWatch }

// Add implements cache.ReflectorStore, as do those below.
func (s podStore) Add(object any) error { return s.see(object, false) }

// Update is Add.
func (s podStore) Update(object any) error { return s.see(object, false) }

// Delete notes that a pod is gone.
func (s podStore) Delete(object any) error { return s.see(object, true) }

// Resync has nothing to do.
func (s podStore) Resync() error { return nil }

// Replace takes the list of all pods, at the beginning and when the watch had to start
// over: one that is not in it went meanwhile.
func (s podStore) Replace(objects []any, _ string) error {
	there := map[string]bool{}
	for _, each := range objects {
		if err := s.see(each, false); err != nil {
			return err
		}
		there[string(each.(*corev1.Pod).UID)] = true
	}

	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, h := range s.pods {
		if !there[h.UID] {
			h.end(now)
		}
	}

	select {
	case <-s.synced:
	default:
		close(s.synced)
	}

	return nil
}

// see takes a pod as it is, or as it was last when it is gone.
func (w *PodWatch) see(object any, gone bool) error {
	now := time.Now()
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return fmt.Errorf("watch pods: got a %T", object)
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.history(string(pod.UID))
	h.observe(pod, now)

	if gone {
		h.end(now)
	}

	return nil
}

func (w *PodWatch) history(uid string) *PodHistory {
	for _, h := range w.pods {
		if h.UID == uid {
			return h
		}
	}
	h := &PodHistory{UID: uid}
	w.pods = append(w.pods, h)
	return h
}

// Pods are all pods that were seen, in the order of their creation.
func (w *PodWatch) Pods() []PodHistory {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]PodHistory, 0, len(w.pods))
	for _, h := range w.pods {
		all = append(all, *h)
	}
	slices.SortStableFunc(all, func(a, b PodHistory) int { return a.Created.Compare(b.Created) })
	return all
}

// observe notes what is new in a pod.
func (h *PodHistory) observe(pod *corev1.Pod, now time.Time) {
	h.Name, h.Gates = pod.Name, len(pod.Spec.ReadinessGates)
	if pod.Status.PodIP != "" { // the kubelet may take it back when the pod has ended
		h.Address = pod.Status.PodIP
	}
	_, h.Version, _ = strings.Cut(pod.Spec.Containers[0].Image, ":")
	first(&h.Created, true, now)
	first(&h.ContainersReady, isTrue(pod, corev1.ContainersReady), now)
	first(&h.GatesOpen, h.Gates > 0 && gatesOpen(pod), now)
	first(&h.Ready, isTrue(pod, corev1.PodReady), now)
	first(&h.Terminating, pod.DeletionTimestamp != nil, now)
	first(&h.Stopped, pod.DeletionTimestamp != nil && containersEnded(pod), now)

	if pod.DeletionTimestamp == nil {
		return
	}
	if grace := pod.DeletionGracePeriodSeconds; grace != nil {
		first(&h.deleted, true, pod.DeletionTimestamp.Add(-time.Duration(*grace)*time.Second))
	}
	for _, s := range pod.Status.ContainerStatuses {
		if t := s.State.Terminated; t != nil && t.FinishedAt.After(h.ended) {
			h.ended = t.FinishedAt.Time
		}
	}
}

// end notes that the pod's object is gone, and with it all that it was.
func (h *PodHistory) end(now time.Time) {
	first(&h.Terminating, true, now)
	first(&h.Stopped, true, now)
	first(&h.Gone, true, now)
}

// first keeps the first time at which something is so.
func first(at *time.Time, so bool, now time.Time) {
	if so && at.IsZero() {
		*at = now
	}
}

func isTrue(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func gatesOpen(pod *corev1.Pod) bool {
	for _, g := range pod.Spec.ReadinessGates {
		if !isTrue(pod, g.ConditionType) {
			return false
		}
	}
	return true
}

func containersEnded(pod *corev1.Pod) bool {
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Running != nil {
			return false
		}
	}
	return true
}
