// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/budget"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/internal/observe/checks"
)

// engine is one process of podgate: everything that it remembers ends with it.
type engine struct {
	ctrlmanager.Manager
	w      *world
	runs   []ctrlmanager.Runnable
	scheme *runtime.Scheme
	cancel context.CancelFunc
	done   sync.WaitGroup
}

var scheme = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		panic(err)
	}
	if err := elbv2.AddToScheme(s); err != nil {
		panic(err)
	}
	if err := v1alpha1.AddToScheme(s); err != nil {
		panic(err)
	}
	return s
})

// startEngine starts podgate with fresh caches, wired as its manager does.
func (w *world) startEngine() {
	w.mu.Lock()
	w.note("engine starts")
	w.relist()
	w.restarted()
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	e := &engine{w: w, scheme: scheme(), cancel: cancel}
	prov := budget.New(balancerAPI{w}, func(balancer.Ref) balancer.Limits { return elbv2traits.Limits }, func(balancer.Ref) string { return "" })
	config := manager.Config{
		Bindings: "all", LBCLeaseNamespace: "kube-system", AbsenceGrace: absenceGrace, Workers: 8, Parts: manager.Parts{Random: w.jitter, Dial: w.dial},
		Checks: manager.ChecksConfig{Limits: checks.Limits{Rate: 200, Concurrency: 64, PerGate: 16}},
	}
	if err := config.Checks.Allowed.Set("kubernetes.io/metadata.name => " + dependency); err != nil {
		w.t.Fatal(err)
	}

	_, err := manager.AddControllers(ctx, e, manager.Balancers{Limited: prov, Drivers: traits.All()}, nil, prometheus.NewRegistry(), config)
	if err != nil {
		w.t.Fatal(err)
	}

	for i, r := range e.runs {
		// Not all at one instant, so that who comes first is the same each time.
		moment := w.noisy(time.Nanosecond, 100*time.Microsecond, "start", strconv.Itoa(i))
		e.done.Go(func() {
			time.Sleep(moment)
			if err := r.Start(ctx); err != nil {
				w.t.Errorf("run: %v", err)
			}
		})
	}

	w.engine = e
}

// stopEngine ends podgate in the middle of whatever it does.
func (w *world) stopEngine() {
	if w.engine == nil {
		return
	}

	w.engine.cancel()
	w.engine.done.Wait()
	w.engine = nil
	// It ends sooner or later by some nanoseconds, and what comes next at the same time in any case.
	now := time.Now()
	time.Sleep(now.Truncate(time.Millisecond).Add(time.Millisecond).Sub(now))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("engine stopped")
	w.stopped = time.Now()
	w.relist()
}

// Add implements manager.Manager. A controller gets the same queue without metrics, whose clock would wake up the world twice
// a second for nothing. What controller-runtime gives out as a controller hides the field.
func (e *engine) Add(r ctrlmanager.Runnable) error {
	if c := reflect.ValueOf(r); c.Kind() == reflect.Pointer && c.Elem().Kind() == reflect.Struct {
		if field := c.Elem().FieldByName("NewQueue"); field.IsValid() {
			field.Set(reflect.ValueOf(quietQueue))
		}
	}
	e.runs = append(e.runs, r)
	return nil
}

func quietQueue(_ string, limiter workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	return priorityqueue.New("", func(o *priorityqueue.Opts[reconcile.Request]) { o.RateLimiter = limiter })
}

// GetLogger implements manager.Manager.
func (e *engine) GetLogger() logr.Logger { return logr.Discard() }

// GetClient implements manager.Manager.
func (e *engine) GetClient() client.Client { return kube{w: e.w} }

// GetConfig implements manager.Manager: there is no API server that checks must not reach.
func (e *engine) GetConfig() *rest.Config { return nil }

// GetAPIReader implements manager.Manager.
func (e *engine) GetAPIReader() client.Reader { return kube{w: e.w} }

// GetScheme implements manager.Manager.
func (e *engine) GetScheme() *runtime.Scheme { return e.scheme }

// GetCache implements manager.Manager.
func (e *engine) GetCache() cache.Cache { return informers{w: e.w} }

// GetControllerOptions implements manager.Manager.
func (e *engine) GetControllerOptions() config.Controller {
	return config.Controller{SkipNameValidation: new(true), CacheSyncTimeout: time.Minute}
}

// GetEventRecorder implements manager.Manager.
func (e *engine) GetEventRecorder(string) recorder.EventRecorder { return silent{} }

// silent is a recorder of events that nobody reads.
type silent struct{ recorder.EventRecorder }

// Eventf implements recorder.EventRecorder.
func (silent) Eventf(_ runtime.Object, _ runtime.Object, _, _, _, _ string, _ ...any) {}

// informers is the cluster's caches as controller-runtime sees them.
type informers struct {
	cache.Cache
	w *world
}

// GetInformer implements cache.Informers.
func (i informers) GetInformer(_ context.Context, o client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	return informer{w: i.w, name: kindOf(o), kind: i.w.kinds[kindOf(o)]}, nil
}

// WaitForCacheSync implements cache.Informers.
func (informers) WaitForCacheSync(context.Context) bool { return true }

type informer struct {
	cache.Informer
	w    *world
	name string
	kind *kind
}

// AddEventHandlerWithOptions implements cache.Informer: it tells what is there already.
func (i informer) AddEventHandlerWithOptions(h toolscache.ResourceEventHandler, _ toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	i.w.mu.Lock()
	moment := i.w.noisy(time.Nanosecond, time.Microsecond, "inform", i.name)
	i.w.mu.Unlock()
	time.Sleep(moment)
	i.w.mu.Lock()
	i.kind.handlers = append(i.kind.handlers, h)
	var there []client.Object
	for _, name := range slices.Sorted(maps.Keys(i.kind.cached)) {
		there = append(there, i.kind.cached[name])
	}

	i.w.mu.Unlock()
	for _, o := range there {
		h.OnAdd(o, true)
	}

	return registration{}, nil
}

type registration struct {
	toolscache.ResourceEventHandlerRegistration
}

// HasSynced implements cache.ResourceEventHandlerRegistration.
func (registration) HasSynced() bool { return true }
