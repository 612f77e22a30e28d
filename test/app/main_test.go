// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noEnv(string) string { return "" }

func call(t *testing.T, h http.Handler, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

func TestAnswersItsText(t *testing.T) {
	code, body := call(t, newHandler("v2", true, 0, 0), "GET", "/")
	if code != http.StatusOK || body != "v2\n" {
		t.Errorf("got %d %q, want 200 v2", code, body)
	}
}

func TestHealthFailsAndHealsOnDemand(t *testing.T) {
	h := newHandler("v1", true, 0, 0)
	for _, step := range []struct {
		post string
		want int
	}{{"", 200}, {"/healthz/fail", 503}, {"/healthz/heal", 200}} {
		if step.post != "" {
			call(t, h, "POST", step.post)
		}
		if code, _ := call(t, h, "GET", "/healthz"); code != step.want {
			t.Errorf("after %q: /healthz is %d, want %d", step.post, code, step.want)
		}
	}
}

// TestWarmsUp: whoever probes /healthz takes it for healthy from the start.
func TestWarmsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler("v2", true, 20*time.Second, 15*time.Second)
		for _, step := range []struct {
			wait             time.Duration
			root, warm, fail int
		}{{0, 503, 503, 1}, {20*time.Second - 1, 503, 503, 1}, {1, 500, 200, 1}, {15*time.Second - 1, 500, 200, 1}, {1, 200, 200, 0}, {time.Hour, 200, 200, 0}} {
			time.Sleep(step.wait)
			for path, want := range map[string]int{"/": step.root, "/warm": step.warm, "/healthz": 200} {
				if code, _ := call(t, h, "GET", path); code != want {
					t.Errorf("%s later: %s is %d, want %d", step.wait, path, code, want)
				}
			}
			if _, page := call(t, h, "GET", "/metrics"); !strings.HasSuffix(page, fmt.Sprintf("\napp_failing %d\n", step.fail)) {
				t.Errorf("%s later: the metrics are %q, want app_failing %d", step.wait, page, step.fail)
			}
		}
	})
}

func TestSlowAnswersAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		code, body := call(t, newHandler("v1", true, 0, 0), "GET", "/slow?seconds=20")
		if code != http.StatusOK || body != "v1\n" || time.Since(start) != 20*time.Second {
			t.Errorf("got %d %q after %s, want 200 v1 after 20s", code, body, time.Since(start))
		}
	})
	if code, _ := call(t, newHandler("v1", true, 0, 0), "GET", "/slow?seconds=soon"); code != http.StatusBadRequest {
		t.Errorf("a time that is none: got %d, want 400", code)
	}
}

func TestSleepsUnderEitherName(t *testing.T) {
	for _, args := range [][]string{{"/bin/sleep", "40"}, {"/app", "sleep", "40s"}} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			if err := run(t.Context(), args, noEnv); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != 40*time.Second {
				t.Errorf("%v waited %s, want 40s", args, got)
			}
		})
	}

	for _, args := range [][]string{{"/bin/sleep"}, {"/bin/sleep", "-1"}, {"/bin/sleep", "long"}} {
		if run(t.Context(), args, noEnv) == nil {
			t.Errorf("%v: want an error", args)
		}
	}
}

// TestStopsWithoutWaitingForRequests pins what makes a rolling update lose requests: an
// application that is told to stop closes the connections it is answering on.
func TestStopsWithoutWaitingForRequests(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"/app", "-port", port}, noEnv) }()

	conn := dial(t, "127.0.0.1:"+port)
	defer func() { _ = conn.Close() }()

	if _, err := io.WriteString(conn, "GET /slow?seconds=600 HTTP/1.1\r\nHost: app\r\n\r\n"); err != nil {
		t.Fatal(err)
	}

	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	if b, err := io.ReadAll(conn); err == nil && len(b) > 0 {
		t.Errorf("the request in flight was answered: %q", b)
	}
}

// TestLingers: an application that is told to drain answers on after SIGTERM, and ends each connection with an answer.
func TestLingers(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	h := closing(ctx, newHandler("v1", true, 0, 0))
	for _, want := range []string{"", "close"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if got := w.Header().Get("Connection"); w.Code != http.StatusOK || got != want {
			t.Errorf("%d with Connection %q, want %q", w.Code, got, want)
		}
		stop()
	}
}

// TestOutlasts: what goes on for a while after SIGTERM ends then, and at once where it need not.
func TestOutlasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{0, 3 * time.Second} {
			ctx, stop := context.WithCancel(t.Context())
			longer, cancel := outlast(ctx, d)
			time.Sleep(time.Hour)
			if longer.Err() != nil {
				t.Errorf("%s: it ended by itself", d)
			}
			begun := time.Now()
			stop()
			<-longer.Done()
			if got := time.Since(begun); got != d {
				t.Errorf("it ended after %s, want %s", got, d)
			}
			cancel()
		}
	})
}

// dial waits until the application listens.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	for {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			return conn
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}
