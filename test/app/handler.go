// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// newHandler serves:
//
//	/                   the text, or 503 while it warms up, and 500 until it has settled
//	/warm               the text, or 503 while it warms up
//	/metrics            whether / fails, for Prometheus: app_failing is 1 or 0
//	/healthz            200, or 503 after /healthz/fail
//	/healthz/fail       let /healthz fail from now on (POST)
//	/healthz/heal       let /healthz succeed again (POST)
//	/slow?seconds=20    the text after that time
//
// It warms up from now on, and settles after that, for as long as it is told. Each answer
// names its host (the pod) in the header X-Pod.
func newHandler(text string, healthy bool, warmUp, settle time.Duration) http.Handler {
	var ok atomic.Bool
	ok.Store(healthy)
	warm := time.Now().Add(warmUp)
	settled := warm.Add(settle)
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}

	whenWarm := func(w http.ResponseWriter, _ *http.Request) {
		if time.Now().Before(warm) {
			http.Error(w, "warming up", http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, text)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /warm", whenWarm)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if now := time.Now(); !now.Before(warm) && now.Before(settled) {
			http.Error(w, "not settled", http.StatusInternalServerError)
			return
		}
		whenWarm(w, r)
	})

	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		failing := 0
		if time.Now().Before(settled) {
			failing = 1
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = fmt.Fprintf(w, "# TYPE app_failing gauge\napp_failing %d\n", failing)
	})

	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		d, err := parseWait(r.URL.Query().Get("seconds"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		pause(r.Context(), d)
		_, _ = fmt.Fprintln(w, text)
	})

	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !ok.Load() {
			http.Error(w, "unhealthy on demand", http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})

	mux.HandleFunc("POST /healthz/fail", func(http.ResponseWriter, *http.Request) { ok.Store(false) })
	mux.HandleFunc("POST /healthz/heal", func(http.ResponseWriter, *http.Request) { ok.Store(true) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pod", host)
		mux.ServeHTTP(w, r)
	})
}
