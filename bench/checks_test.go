// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A question counts for the pod whose name is its path, and finds the pod passing from then on only.
func TestChecked(t *testing.T) {
	pods := &checked{waiting: []*pod{{name: "a"}, {name: "b"}}, said: map[string]answers{}}
	ask := func(name string) int {
		r := httptest.NewRecorder()
		pods.ServeHTTP(r, httptest.NewRequest(http.MethodGet, "http://192.0.2.1/"+name, nil))
		return r.Code
	}

	a, b := pods.waiting[0], pods.waiting[1]
	if code := ask("a"); code != http.StatusServiceUnavailable {
		t.Errorf("a pod that waits: got status %d", code)
	}
	pods.pass(a)
	if got := pods.answers(a); got.passes.IsZero() || !got.passed.IsZero() {
		t.Errorf("a pod that nobody asked since it would pass: got %+v", got)
	}
	if code := ask("a"); code != http.StatusOK || pods.answers(a).passed.IsZero() {
		t.Errorf("a pod that passes: got status %d and %+v", code, pods.answers(a))
	}
	if pods.asked(pods.waiting) != 2 || pods.asked([]*pod{b}) != 0 || pods.questions() != 2 {
		t.Errorf("got %d questions, %d of the pods, %d of b", pods.questions(), pods.asked(pods.waiting), pods.asked([]*pod{b}))
	}
}

func TestCheckOpenings(t *testing.T) {
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	pods := &checked{
		waiting: []*pod{{name: "opened"}, {name: "closed"}, {name: "early"}, {name: "unasked"}},
		said: map[string]answers{
			"opened": {passes: at(0), passed: at(4)}, "closed": {passes: at(0), passed: at(4)}, "early": {passes: at(0), passed: at(4)}, "unasked": {passes: at(0)},
		},
	}
	w := &world{watch: &podWatch{pods: map[string]*seen{"opened": {openAt: at(5)}, "closed": {}, "early": {openAt: at(3)}, "unasked": {openAt: at(3)}}}}

	measures, err := w.checkOpenings(pods)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, m := range measures {
		got[m.Name] = m.Value
	}
	for name, want := range map[string]float64{
		"p99 from passing to condition": 5, "p99 from the answer to condition": 1, "gates that stayed closed": 1, "gates that opened before their pod passed": 2,
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
}
