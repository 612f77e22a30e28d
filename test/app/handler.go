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
//	/                   the text, or 503 while it warms up
//	/warm               the same
//	/healthz            200, or 503 after /healthz/fail
//	/healthz/fail       let /healthz fail from now on (POST)
//	/healthz/heal       let /healthz succeed again (POST)
//	/slow?seconds=20    the text after that time
//
// It warms up from now on, for as long as it is told. Each answer names its host (the pod)
// in the header X-Pod.
func newHandler(text string, healthy bool, warmUp time.Duration) http.Handler {
	var ok atomic.Bool
	ok.Store(healthy)
	warm := time.Now().Add(warmUp)
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
	mux.HandleFunc("GET /{$}", whenWarm)
	mux.HandleFunc("GET /warm", whenWarm)

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
