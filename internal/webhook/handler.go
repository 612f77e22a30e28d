// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/webhook/profile"
)

// maxBody bounds a review in bytes. The API server accepts objects of 3 MiB.
const maxBody = 8 << 20

// errNotSynced says that the caches cannot tell yet which gates a pod gets.
var errNotSynced = errors.New("caches of services and target group bindings have not synced")

// Handler answers AdmissionReviews of API version v1 with an HTTP 200 that allows the
// pod, or with an HTTP 500. It is safe for concurrent use.
type Handler struct {
	reader   client.Reader
	synced   func() bool
	disabled bool
	off      []string
	serves   func(*binding.Binding) bool
	kinds    []injection.Kind
	helper   func() Helper
	metrics  *metrics
	log      logr.Logger
}

// Options of a Handler.
type Options struct {
	// Disabled lets every pod pass without gates (--enable-pod-readiness-gate-inject=false).
	Disabled bool
	// Off are paths at which every pod passes unchanged: see profile.Profile.Switched.
	Off []string
	// Serves reports for which bindings gates are injected: nobody would open those of others.
	Serves func(*binding.Binding) bool
	// Kinds are the kinds of gates that pods get; those of bindings alone when nil.
	Kinds []injection.Kind
	// Helper returns what adaptive hooks need, its zero value where they cannot be had; pods
	// of bindings that ask for them sleep in full then. None can when it is nil.
	Helper func() Helper
	// Registerer takes the handler's metrics.
	Registerer prometheus.Registerer
	// Log hears of the handler's trouble, and at V(1) of every pod that gets gates.
	Log logr.Logger
}

// New makes a handler that reads Services and TargetGroupBindings from reader, which must
// be a cache with the indexes of binding.Indexes, once synced says that it holds all of them.
func New(reader client.Reader, synced func() bool, o Options) (*Handler, error) {
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	if o.Helper == nil {
		o.Helper = func() Helper { return Helper{} }
	}
	return &Handler{reader: reader, synced: synced, disabled: o.Disabled, off: o.Off, serves: o.Serves, kinds: o.Kinds, helper: o.Helper, metrics: m, log: o.Log}, nil
}

// Ready is a readiness check: it fails until the caches have synced.
func (h *Handler) Ready(*http.Request) error {
	if !h.synced() {
		return errNotSynced
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	path, asked := r.URL.Path, gates
	if path == profile.DrainPath {
		asked = hooks
	}

	body, outcome, err := h.handle(r.Context(), path, asked, http.MaxBytesReader(w, r.Body, maxBody))
	h.metrics.requests.WithLabelValues(string(asked), string(outcome)).Inc()
	h.metrics.seconds.Observe(time.Since(start).Seconds())

	if err != nil {
		h.log.Error(err, "Cannot answer an admission review; failurePolicy decides", "asked", asked, "outcome", outcome)
		http.Error(w, "podgate: "+err.Error(), http.StatusInternalServerError)
		return
	}

	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // The API server is gone: nobody is left to tell.
}

// handle returns the body that allows the pod, or an error when it cannot tell.
func (h *Handler) handle(ctx context.Context, path string, asked injectee, body io.Reader) ([]byte, outcome, error) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, outcomeMalformed, err
	}

	req, err := decodeRequest(raw)
	if err != nil {
		return nil, outcomeMalformed, err
	}
	if h.disabled && asked == gates || slices.Contains(h.off, path) {
		return finish(req.UID, nil, outcomeDisabled)
	}
	if !req.createsPod() {
		return finish(req.UID, nil, outcomeUnchanged)
	}

	p, err := decodePod(req.Object)
	if err != nil {
		return nil, outcomeMalformed, err
	}
	if !h.synced() {
		return nil, outcomeNotReady, errNotSynced
	}

	ops, err := h.inject(ctx, path, asked, req, p)
	if err != nil {
		return nil, outcomeError, err
	}
	if len(ops) == 0 {
		return finish(req.UID, nil, outcomeUnchanged)
	}

	return finish(req.UID, ops, outcomePatched)
}

// inject returns what changes in a new pod; nothing when nothing does.
func (h *Handler) inject(ctx context.Context, path string, asked injectee, req *request, p pod) ([]operation, error) {
	injectable := p.injectable()
	if asked == gates && injectable.OptedOut() {
		return nil, nil
	}

	candidates, err := injection.Lookup(ctx, h.reader, h.serves, req.Namespace, injectable)
	if err != nil {
		return nil, err
	}
	candidates.Kinds = h.kinds
	candidates.Asked = func(conditionType string) bool { return profile.AsksForGate(path, conditionType) }

	log := h.log.V(1).WithValues("namespace", req.Namespace, "uid", req.UID)
	if asked == hooks {
		plan := injection.Drain(injectable, candidates)
		switch {
		case plan.LeftOut:
			return patchLeftOut(p, v1alpha1.LeftOutHooks), nil
		case plan.Empty():
			return h.helper().correct(p), nil
		}
		h.metrics.hooks.Add(float64(len(plan.Sleep)))
		log.Info("Injected preStop hooks", "containers", len(plan.Sleep), "seconds", plan.Seconds, "terminationGracePeriodSeconds", plan.Grace)
		return append(patchHooks(p, plan, h.helper()), h.helper().correct(p)...), nil
	}

	plan := injection.Gates(injectable, candidates)
	switch {
	case plan.LeftOut:
		return patchLeftOut(p, v1alpha1.LeftOutGates), nil
	case plan.Empty():
		return nil, nil
	}

	h.metrics.gates.Add(float64(len(plan.Add)))
	log.Info("Injected readiness gates", "gates", plan.Add, "legacyRemoved", len(plan.Remove))
	return patch(p, plan), nil
}

func finish(uid string, ops []operation, o outcome) ([]byte, outcome, error) {
	body, err := encodeAnswer(uid, ops)
	if err != nil {
		return nil, outcomeError, err
	}
	return body, o, nil
}
