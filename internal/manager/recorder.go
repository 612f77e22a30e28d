// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"fmt"
	"net/http"
	"path"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"

	"github.com/podgate/podgate/internal/limit"
)

// boundedRecorder cuts notes, so that no event is lost for its length.
type boundedRecorder struct{ events.EventRecorder }

// Eventf implements events.EventRecorder.
func (r boundedRecorder) Eventf(regarding, related runtime.Object, eventType, reason, action, note string, args ...any) {
	if len(args) > 0 {
		note = fmt.Sprintf(note, args...)
	}
	r.EventRecorder.Eventf(regarding, related, eventType, reason, action, "%s", limit.Cut(note, limit.Note))
}

// countRejected returns a copy of a client's configuration that counts the events that the API server refuses. client-go
// logs such an event once, drops it, and tells nobody: only the answer shows that it is lost.
func countRejected(kube *rest.Config, metrics prometheus.Registerer) (*rest.Config, error) {
	rejected := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "podgate_events_rejected_total",
		Help: "Events that the API server refused, by the code of its answer. They are lost; the log has each as \"Server rejected event\". 403 and 404 are harmless while a namespace is deleted.",
	}, []string{"code"})
	if err := metrics.Register(rejected); err != nil {
		return nil, fmt.Errorf("register metrics of events: %w", err)
	}

	kube = rest.CopyConfig(kube)
	kube.Wrap(func(next http.RoundTripper) http.RoundTripper { return eventCounter{next: next, rejected: rejected} })
	return kube, nil
}

// eventCounter counts answers to requests about events.
type eventCounter struct {
	next     http.RoundTripper
	rejected *prometheus.CounterVec
}

// RoundTrip implements http.RoundTripper.
func (c eventCounter) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := c.next.RoundTrip(req)
	if err == nil && lost(req, answer.StatusCode, answer.Header.Get("Retry-After") != "") {
		c.rejected.WithLabelValues(strconv.Itoa(answer.StatusCode)).Inc()
	}
	return answer, err
}

// lost reports whether an answer means that client-go drops an event. It sends one again when it is told after how long.
func lost(req *http.Request, code int, retryAfter bool) bool {
	switch {
	case code < http.StatusBadRequest, retryAfter && (code == http.StatusTooManyRequests || code >= http.StatusInternalServerError):
		return false
	case req.Method == http.MethodPost && path.Base(req.URL.Path) == "events":
		return code != http.StatusConflict // It exists.
	case req.Method == http.MethodPatch && path.Base(path.Dir(req.URL.Path)) == "events":
		return code != http.StatusNotFound // It is created instead.
	}
	return false
}

// WrappedRoundTripper lets client-go find the transport below.
func (c eventCounter) WrappedRoundTripper() http.RoundTripper { return c.next }
