// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command app is the web application of the experiment and of the end-to-end tests.
// It answers a text, so that two versions can be told apart, and it exits at once on
// SIGTERM, as most applications do: unless it is told to, it refuses to drain, since what happens to
// requests then is what is being shown. Called as sleep (by that name, or with sleep
// as its first argument) it waits, which gives an image without a shell a preStop hook.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

func run(ctx context.Context, args []string, getenv func(string) string) error {
	if filepath.Base(args[0]) == "sleep" {
		return sleep(ctx, args[1:])
	}
	if len(args) > 1 && args[1] == "sleep" {
		return sleep(ctx, args[2:])
	}
	return serve(ctx, args[1:], getenv)
}

// sleep waits for a number of seconds (or a Go duration), or until it is told to end.
func sleep(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: sleep SECONDS")
	}
	d, err := parseWait(args[0])
	if err != nil {
		return err
	}
	pause(ctx, d)
	return nil
}

// pause waits for d or for ctx, whichever comes first.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// parseWait reads seconds without a unit, as sleep(1) does, or a Go duration.
func parseWait(s string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 0 && f < 1e6 {
		return time.Duration(f * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("time to wait %q: want seconds, or a duration such as 1m", s)
	}
	return d, nil
}

// options are the flags; each default comes from the environment, so that an image can carry it.
type options struct {
	text       string
	port       string
	startDelay string
	warmUp     string
	settle     string
	linger     string
	unhealthy  bool
}

// outlast returns a context that ends so long after ctx, or with cancel.
func outlast(ctx context.Context, d time.Duration) (longer context.Context, cancel context.CancelFunc) {
	longer, cancel = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		pause(longer, d)
		cancel()
	})
	return longer, cancel
}

// closing closes each connection with its next answer once ctx has ended.
func closing(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func parseOptions(args []string, getenv func(string) string) (options, error) {
	or := func(key, otherwise string) string {
		if v := getenv(key); v != "" {
			return v
		}
		return otherwise
	}

	var o options
	f := flag.NewFlagSet("app", flag.ContinueOnError)
	f.StringVar(&o.text, "text", or("APP_TEXT", "hello"), "answer of / (environment APP_TEXT)")
	f.StringVar(&o.port, "port", or("PORT", "8080"), "port to listen on (environment PORT)")
	f.StringVar(&o.startDelay, "start-delay", or("START_DELAY", "0"), "wait before listening, seconds or a duration (environment START_DELAY)")
	f.StringVar(&o.warmUp, "warm-up", or("WARM_UP", "0"), "answer / and /warm with 503 at first, seconds or a duration (environment WARM_UP)")
	f.StringVar(&o.settle, "settle", or("SETTLE", "0"), "answer / with 500 after the warm-up, seconds or a duration (environment SETTLE)")
	f.StringVar(&o.linger, "linger", or("LINGER", "0"), "after SIGTERM go on for so long, and close each connection with its next answer, seconds or a duration (environment LINGER)")
	f.BoolVar(&o.unhealthy, "unhealthy", getenv("UNHEALTHY") == "true", "let /healthz fail from the start (environment UNHEALTHY=true)")

	return o, f.Parse(args)
}

func serve(ctx context.Context, args []string, getenv func(string) string) error {
	o, err := parseOptions(args, getenv)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}

	delay, err := parseWait(o.startDelay)
	if err != nil {
		return err
	}

	warmUp, err := parseWait(o.warmUp)
	if err != nil {
		return err
	}

	settle, err := parseWait(o.settle)
	if err != nil {
		return err
	}

	linger, err := parseWait(o.linger)
	if err != nil {
		return err
	}

	pause(ctx, delay)
	if ctx.Err() != nil {
		return nil
	}

	l, err := net.Listen("tcp", net.JoinHostPort("", o.port))
	if err != nil {
		return fmt.Errorf("listen on port %s: %w", o.port, err)
	}

	srv := &http.Server{Handler: closing(ctx, newHandler(o.text, !o.unhealthy, warmUp, settle)), ReadHeaderTimeout: 10 * time.Second}
	ending, cancel := outlast(ctx, linger)
	defer cancel()
	defer context.AfterFunc(ending, func() { _ = srv.Close() })()

	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}

	return nil
}
