// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
)

// pause is the least time between two attempts to reach an API server that is away; up
// to as much again is added, so that replicas do not come back in step.
const pause = time.Second

// remind is after how many attempts in vain the log hears of it again: about a minute.
const remind = 40

// away reports whether an error says that the API server cannot answer now, whatever is asked.
func away(err error) bool {
	var status apierrors.APIStatus
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return false
	case !errors.As(err, &status):
		return true // it did not answer
	case apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge):
		return false // an answer that a cache acts upon
	}
	code := status.Status().Code
	return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
}

// insist repeats a call until the API server answers it or ctx ends.
func insist[T any](ctx context.Context, log logr.Logger, call func() (T, error)) (T, error) {
	for failures := 0; ; failures++ {
		answer, err := call()
		if !away(err) || ctx.Err() != nil {
			if failures > 0 && err == nil {
				log.Info("API server answers again")
			}
			return answer, err
		}

		if failures%remind == 0 {
			log.Error(err, "API server is away: it is asked again every second or two")
		}

		select {
		case <-ctx.Done():
			return answer, ctx.Err()
		case <-time.After(pause + rand.N(pause)):
		}
	}
}

// await returns when the API server answers, without which there is no manager to
// make, or when ctx ends, and tells which. Until then the process says at address, where
// its kubelet asks, that it is alive and not ready.
func await(ctx context.Context, log logr.Logger, kube *rest.Config, address string) (bool, error) {
	kube = rest.CopyConfig(kube)
	kube.Timeout = 5 * time.Second
	api, err := discovery.NewDiscoveryClientForConfig(kube)
	if err != nil {
		return false, fmt.Errorf("make client: %w", err)
	}

	hide, err := notReady(address)
	if err != nil {
		return false, err
	}
	defer hide()
	_, err = insist(ctx, log, func() (*metav1.APIGroupList, error) { return api.ServerGroupsWithContext(ctx) })
	if err != nil && ctx.Err() == nil {
		return false, fmt.Errorf("ask the API server what it serves: %w", err)
	}

	return ctx.Err() == nil, nil
}

// notReady answers probes until it is ended; not at all for an address that is empty or 0.
func notReady(address string) (end func(), err error) {
	if address == "" || address == "0" {
		return func() {}, nil
	}

	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for probes: %w", err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the API server does not answer", http.StatusServiceUnavailable)
	})

	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // always an error once it is closed
	}()

	return func() {
		_ = server.Close()
		<-done
	}, nil
}

// newInformer makes informers that are not blind for long after an outage of the API
// server: client-go waits up to a minute between two attempts by then, and has no option
// for it yet (kubernetes/kubernetes#136943).
func newInformer(log logr.Logger, wraps ...func(toolscache.ListerWatcher, runtime.Object) toolscache.ListerWatcher) func(toolscache.ListerWatcher, runtime.Object, time.Duration, toolscache.Indexers) toolscache.SharedIndexInformer {
	return func(lw toolscache.ListerWatcher, o runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		for _, wrap := range wraps {
			lw = wrap(lw, o)
		}
		return toolscache.NewSharedIndexInformer(patient(lw, log.WithValues("type", fmt.Sprintf("%T", o))), o, resync, indexers)
	}
}

func patient(lw toolscache.ListerWatcher, log logr.Logger) toolscache.ListerWatcher {
	api := toolscache.ToListerWatcherWithContext(lw)
	return toolscache.ToListWatcherWithWatchListSemantics(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return insist(ctx, log, func() (runtime.Object, error) { return api.ListWithContext(ctx, o) })
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return insist(ctx, log, func() (watch.Interface, error) { return api.WatchWithContext(ctx, o) })
		},
	}, lw)
}
