// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/podgate/podgate/internal/drain/hook"
	"github.com/podgate/podgate/internal/gate"
)

func (w *world) get(h http.Handler, q hook.Question) *httptest.ResponseRecorder {
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequest(http.MethodGet, hook.Path+"?"+q.Values().Encode(), nil))
	return r
}

// TestServe: a pod is told about itself, by the leader.
func TestServe(t *testing.T) {
	w := newWorld(t, group, "HTTP")
	h := w.handler()
	for second := range 30 {
		w.clock = at(second)
		w.read(group, gate.Draining)
		w.get(h, w.question("web"))
	}

	if r := w.get(h, w.question("web")); r.Code != http.StatusOK || strings.TrimSpace(r.Body.String()) != `{"released":true,"ports":[8080]}` {
		t.Errorf("got %d %s", r.Code, r.Body)
	}

	stranger := w.question("web")
	stranger.UID = "u2"
	if r := w.get(h, stranger); r.Code != http.StatusNotFound || strings.Contains(r.Body.String(), "8080") {
		t.Errorf("who does not know the UID is told %d %s, want nothing", r.Code, r.Body)
	}

	if r := w.get(h, hook.Question{}); r.Code != http.StatusBadRequest {
		t.Errorf("no question is answered by %d", r.Code)
	}

	h.o.Elected = make(chan struct{})
	if r := w.get(h, w.question("web")); r.Code != hook.NotLeader {
		t.Errorf("a replica that does not lead answers %d, want %d", r.Code, hook.NotLeader)
	}
}
