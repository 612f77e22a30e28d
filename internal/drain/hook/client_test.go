// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serve answers like a replica and gives how to reach it.
func serve(t *testing.T, h http.HandlerFunc) Config {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return Config{Namespace: "shop", Pod: "web-1", UID: "u1", Address: s.Listener.Addr().String(), ServerName: "example.com", CA: string(ca)}
}

func authority(t *testing.T) string {
	t.Helper()
	return serve(t, func(http.ResponseWriter, *http.Request) {}).CA
}

var question = Question{Namespace: "shop", Pod: "web-1", UID: "u1", Container: "app", Bindings: []string{"web", "targets.podgate.dev/web"}}

func TestAsk(t *testing.T) {
	others := 2
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, err := ReadQuestion(r.URL.Query())
		if diff := cmp.Diff(question, got); err != nil || diff != "" || r.URL.Path != Path {
			t.Errorf("asked at %s, error %v; -want, +got:\n%s", r.URL.Path, err, diff)
		}
		if others > 0 {
			others--
			w.WriteHeader(NotLeader)
			return
		}
		_, _ = w.Write([]byte(`{"released":true,"ports":[8080]}`))
	})

	client, err := newClient(c, question)
	if err != nil {
		t.Fatal(err)
	}

	got, err := client.ask(t.Context())
	if diff := cmp.Diff(Answer{Released: true, Ports: []int32{8080}}, got); err != nil || diff != "" {
		t.Errorf("error %v; -want, +got:\n%s", err, diff)
	}
}

// TestAskFails: what is not podgate's clear answer is none.
func TestAskFails(t *testing.T) {
	for name, tc := range map[string]struct {
		h      http.HandlerFunc
		change func(*Config)
	}{
		"NoLeader": {h: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"released":true}`, NotLeader)
		}},
		"Error": {h: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"released":true}`, http.StatusInternalServerError)
		}},
		"Redirect": {h: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com/", http.StatusFound)
		}},
		"Garbage": {h: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("released")) }},
		"Endless": {h: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"released":true,"ports":[` + strings.Repeat("1,", maxAnswer) + `1]}`))
		}},
		"CutOff": {h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"released":true}`))
		}},
		"Distrusted": {h: answerReleased, change: func(c *Config) { c.ServerName = "podgate-webhook.podgate-system.svc" }},
		"Away":       {h: answerReleased, change: func(c *Config) { c.Address = "127.0.0.1:1" }},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, tc.h)
			if tc.change != nil {
				tc.change(&c)
			}
			client, err := newClient(c, question)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := client.ask(t.Context()); err == nil {
				t.Errorf("got %+v, want an error", got)
			}
		})
	}
}

func answerReleased(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte(`{"released":true}`))
}

// TestAskIsBounded: an answer that does not come is given up.
func TestAskIsBounded(t *testing.T) {
	hang := make(chan struct{})
	c := serve(t, func(http.ResponseWriter, *http.Request) { <-hang })
	t.Cleanup(func() { close(hang) })
	client, err := newClient(c, question)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := client.ask(ctx); err == nil {
		t.Errorf("got %+v, want an error", got)
	}
}

func TestReadQuestionRefuses(t *testing.T) {
	for name, change := range map[string]func(v url.Values){
		"NoPod":     func(v url.Values) { v.Del("pod") },
		"NoUID":     func(v url.Values) { v.Set("uid", "") },
		"NoBinding": func(v url.Values) { v.Del("binding") },
		"Long":      func(v url.Values) { v.Set("container", strings.Repeat("x", 300)) },
		"Lines":     func(v url.Values) { v.Set("pod", "a\nb") },
	} {
		v := question.Values()
		change(v)
		if q, err := ReadQuestion(v); err == nil {
			t.Errorf("%s: read as %+v, want an error", name, q)
		}
	}
}
