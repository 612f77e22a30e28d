// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// apiServer is one that a cache lists and watches pods at, and that may be away.
type apiServer struct {
	mu      sync.Mutex
	trouble error
	pods    corev1.PodList
	watches []*watch.FakeWatcher
	calls   int
}

// fail has all calls fail, and ends those under way.
func (s *apiServer) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble, s.calls = err, 0
	for _, w := range s.watches {
		w.Stop()
	}
	s.watches = nil
}

// mend ends the trouble, in which a pod was made, and gives how many calls failed.
func (s *apiServer) mend() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = nil
	s.pods.ResourceVersion = "7"
	s.pods.Items = []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", ResourceVersion: "7"}}}
	return s.calls
}

// List implements cache.Lister.
func (s *apiServer) List(metav1.ListOptions) (runtime.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return s.pods.DeepCopy(), s.trouble
}

// Watch implements cache.Watcher; it begins with what happened since the version that is asked for.
func (s *apiServer) Watch(o metav1.ListOptions) (watch.Interface, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++

	if s.trouble != nil {
		return nil, s.trouble
	}

	w := watch.NewFakeWithChanSize(1, false)
	for i := range s.pods.Items {
		if s.pods.Items[i].ResourceVersion != o.ResourceVersion {
			w.Add(&s.pods.Items[i])
		}
	}

	s.watches = append(s.watches, w)
	return w, nil
}

// IsWatchListSemanticsUnSupported has client-go list and then watch.
func (s *apiServer) IsWatchListSemanticsUnSupported() bool { return true }

// TestCachesSeeSoonAfterAnOutage: however long the API server was away, what happened meanwhile is known a few seconds after its return.
func TestCachesSeeSoonAfterAnOutage(t *testing.T) {
	outages := map[string]error{
		"nobody answers": errors.New("dial tcp: connect: connection refused"),
		"it is starting": apierrors.NewServiceUnavailable("starting"),
	}

	for what, trouble := range outages {
		synctest.Test(t, func(t *testing.T) {
			api := &apiServer{}
			api.pods.ResourceVersion = "1"
			informer := newInformer(logr.Discard())(api, &corev1.Pod{}, 0, nil)
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { informer.RunWithContext(ctx) })
			time.Sleep(time.Hour)

			if !informer.HasSynced() {
				t.Fatal("not synced")
			}

			api.fail(trouble)
			time.Sleep(10 * time.Minute)

			if n := api.mend(); n < 250 || n > 700 {
				t.Errorf("%s: the API server was asked %d times within ten minutes, want it asked every second or two", what, n)
			}

			time.Sleep(5 * time.Second)
			if n := len(informer.GetStore().List()); n != 1 {
				t.Errorf("%s: 5 s after the API server is back the cache holds %d pods, want 1", what, n)
			}

			stop()
			running.Wait()
		})
	}
}

// TestAnswersAreNotRepeated: what the API server does answer is acted upon at once.
func TestAnswersAreNotRepeated(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	tooLarge := apierrors.NewTimeoutError("Too large resource version", 1)
	tooLarge.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge}}
	for what, answer := range map[string]error{
		"success": nil, "refused": apierrors.NewForbidden(pods, "", nil), "expired": apierrors.NewResourceExpired("too old"),
		"a version of the future": tooLarge, "no such kind": apierrors.NewNotFound(pods, ""),
	} {
		asked := 0
		_, err := insist(t.Context(), logr.Discard(), func() (int, error) {
			if asked++; asked > 1 {
				return 0, nil
			}
			return 0, answer
		})
		if asked != 1 || !errors.Is(err, answer) {
			t.Errorf("%s: asked %d times, got %v", what, asked, err)
		}
	}
}
