// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain/hook"
	"github.com/podgate/podgate/internal/observe"
)

// What the package may do in the cluster.
//
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=services,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=events,verbs=list

// Observer tells what is known of target groups; observe.Observer does.
type Observer interface {
	View(ref observe.Subject) observe.View
	Refresh(ref observe.Subject)
}

// Resolutions tells which group a binding is of; binding.Registry does.
type Resolutions interface {
	Get(key types.NamespacedName) (binding.Resolution, bool)
}

// Options of a Handler. All are required.
type Options struct {
	// Elected is closed once this replica leads: only the leader observes.
	Elected <-chan struct{}
	// Cache has pods, Services, bindings and the indexes of package index; Live asks the
	// API server itself.
	Cache, Live client.Reader
	Observer    Observer
	Resolutions Resolutions
	// Drivers say what is true of each load balancer.
	Drivers balancer.Drivers
	// Registerer takes the handler's metrics.
	Registerer prometheus.Registerer
	Log        logr.Logger
}

// Handler answers at hook.Path. It is safe for concurrent use.
type Handler struct {
	o       Options
	leaving leavings
	// live bounds what strangers can have the API server asked.
	live    *rate.Limiter
	answers *prometheus.CounterVec
	now     func() time.Time
}

// The rate of questions to the API server, for all pods.
const (
	liveRate  = 10
	liveBurst = 50
)

// errUnknownPod says that there is no such pod, or that who asks does not know its UID.
var errUnknownPod = errors.New("no such pod")

// errBusy says that the API server is not asked that often.
var errBusy = errors.New("too many pods ask at the same time")

// New makes a Handler.
func New(o Options) (*Handler, error) {
	h := &Handler{o: o, live: rate.NewLimiter(liveRate, liveBurst), answers: newAnswers(), now: time.Now}
	return h, o.Registerer.Register(h.answers)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-h.o.Elected:
	default:
		http.Error(w, "podgate: this replica does not lead", hook.NotLeader)
		return
	}

	q, err := hook.ReadQuestion(r.URL.Query())
	if err != nil {
		http.Error(w, "podgate: "+err.Error(), http.StatusBadRequest)
		return
	}

	a, err := h.answer(r.Context(), q)
	if errors.Is(err, errUnknownPod) {
		http.Error(w, "podgate: "+err.Error(), http.StatusNotFound)
		return
	}

	if errors.Is(err, errBusy) {
		h.answers.WithLabelValues(answerBusy).Inc()
		http.Error(w, "podgate: "+err.Error(), http.StatusTooManyRequests)
		return
	}

	if err != nil {
		h.answers.WithLabelValues(answerError).Inc()
		h.o.Log.Error(err, "Cannot tell whether a pod may end; it sleeps on", "namespace", q.Namespace, "pod", q.Pod)
		http.Error(w, "podgate cannot tell", http.StatusInternalServerError)
		return
	}

	h.answers.WithLabelValues(said(a)).Inc()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a) // The pod is gone: nobody is left to tell.
}

// answer decides. The pod is kept unless all that is known speaks for its end.
func (h *Handler) answer(ctx context.Context, q hook.Question) (hook.Answer, error) {
	var pod corev1.Pod
	err := h.o.Cache.Get(ctx, types.NamespacedName{Namespace: q.Namespace, Name: q.Pod}, &pod)
	if apierrors.IsNotFound(err) || err == nil && string(pod.UID) != q.UID {
		return hook.Answer{}, errUnknownPod
	}
	if err != nil {
		return hook.Answer{}, fmt.Errorf("get pod: %w", err)
	}

	if pod.DeletionTimestamp.IsZero() {
		restart, err := h.restarts(ctx, &pod, q)
		return hook.Answer{Restart: restart}, err
	}

	return h.released(ctx, &pod, q.Bindings)
}
