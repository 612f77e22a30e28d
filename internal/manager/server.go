// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
)

// webhookServer serves the webhook from when the manager starts it, and outlives the manager: it is ended when nobody keeps a
// connection to it any more.
//
// API servers call webhooks over HTTP/1.1. They keep up to 25 connections for 90 seconds, and call over them long after the
// replica is no endpoint any more. To one that a server closes they may still write a call until they have read of its end, which
// takes its time where processors are busy, and over one to a node that has died they call until the kernel gives up. Such a call
// is lost, as no client repeats a POST that it has written, and the pod gets no gate. So each answer ends its connection, which
// costs a handshake for each pod that is created. Only while calls come so fast that handshakes would burden the API server are
// connections kept, and then their caller closes them: a server that leaves waits for that.
type webhookServer struct {
	// Server registers the webhooks and counts their calls.
	ctrlwebhook.Server
	secure *tls.Config
	// port is where it listens; none where it is negative, as in tests.
	port int

	// started is closed when it listens, stop to end it, and ended when it has.
	started, stop, ended chan struct{}
	leaving              atomic.Bool
	// connections are open, and the last one was opened at latest.
	connections atomic.Int64
	latest      stamp

	// frequent lets a call pass that comes while calls do not come fast, and crowded is when one did.
	frequent *rate.Limiter
	crowded  stamp
}

// stamp is a time, as nanoseconds of the Unix clock.
type stamp struct{ atomic.Int64 }

func (s *stamp) now()                 { s.Store(time.Now().UnixNano()) }
func (s *stamp) since() time.Duration { return time.Since(time.Unix(0, s.Load())) }

const (
	// fast is how many calls a second come fast.
	fast = 100
	// crowd is how long calls count as fast when they were.
	crowd = time.Second
	// callersKeep is how long API servers keep a connection that carries no call, and some seconds.
	callersKeep = 95 * time.Second
	// unready is how long the kubelet takes to find out that a replica is not ready: its probe fails three times, two seconds apart.
	unready = 8 * time.Second
	// patience is how much longer a process that has lost its lease waits for callers. The kubelet has patience, too.
	patience = 12 * time.Second
	// keepIdle is how long a connection may wait for a call, its first one included: longer than its caller keeps it.
	keepIdle = callersKeep + 25*time.Second
	// answerLast is how long calls under way may take at the end.
	answerLast = 10 * time.Second
	// look is how often it is seen whether connections are left.
	look = 100 * time.Millisecond
)

func newWebhookServer(port int, secure func(*tls.Config)) *webhookServer {
	// HTTP/2 is no API server's way to call a webhook, and a cheap way to burden one.
	s := &webhookServer{
		Server: ctrlwebhook.NewServer(ctrlwebhook.Options{}), secure: &tls.Config{NextProtos: []string{"http/1.1"}}, port: port,
		frequent: rate.NewLimiter(fast, fast),
		started:  make(chan struct{}), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	secure(s.secure)
	return s
}

// Start implements manager.Runnable. What it starts goes on when it returns, until end.
func (s *webhookServer) Start(ctx context.Context) error {
	if s.port < 0 {
		return nil
	}

	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", fmt.Sprintf(":%d", s.port))
	if err != nil {
		return fmt.Errorf("serve the webhook: %w", err)
	}
	return s.start(ctx, listener)
}

// start serves what comes by the listener until end, and returns when the context ends.
func (s *webhookServer) start(ctx context.Context, listener net.Listener) error {
	failed := make(chan error, 1)
	go func() {
		defer close(s.ended)
		failed <- s.serve(context.WithoutCancel(ctx), listener)
	}()
	close(s.started)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

func (s *webhookServer) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: s.handle(s.WebhookMux()), ConnState: s.count,
		BaseContext: func(net.Listener) context.Context { return ctx },
		IdleTimeout: keepIdle, ReadHeaderTimeout: keepIdle, MaxHeaderBytes: 1 << 20,
	}

	ended := make(chan error, 1)
	go func() {
		<-s.stop
		ctx, cancel := context.WithTimeout(ctx, answerLast)
		defer cancel()
		ended <- server.Shutdown(ctx)
	}()

	if err := server.Serve(tls.NewListener(listener, s.secure)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// handle has answers end their connections, except while calls come fast.
func (s *webhookServer) handle(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.frequent.Allow() {
			s.crowded.now()
		}
		if s.leaving.Load() || s.crowded.since() > crowd {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// count counts the connections.
func (s *webhookServer) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
		s.latest.now()
	case http.StateClosed:
		s.connections.Add(-1)
	}
}

// leave returns when nobody has a connection any more, and for the least time nobody has made one: in that time API servers hear
// that the replica is no endpoint any more. It returns after the most at the latest, or when the context ends, and says how many
// connections are left.
func (s *webhookServer) leave(ctx context.Context, least, most time.Duration) (left int64) {
	s.leaving.Store(true)
	for begun := time.Now(); time.Since(begun) < max(least, most); {
		if s.connections.Load() == 0 && min(time.Since(begun), s.latest.since()) >= least {
			break
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return s.connections.Load()
		}
	}
	return s.connections.Load()
}

// end answers the calls under way and ends the server.
func (s *webhookServer) end() {
	close(s.stop)
	select {
	case <-s.started:
		<-s.ended
	default: // It never listened.
	}
}

// StartedChecker implements webhook.Server: whether it listens.
func (s *webhookServer) StartedChecker() healthz.Checker {
	return func(*http.Request) error {
		select {
		case <-s.started:
			return nil
		default:
			return errors.New("the webhook is not served yet")
		}
	}
}

// lastingCache is what the webhook's answers are read from: it outlives the manager as well, and is filled without waiting to lead.
type lastingCache struct {
	cache.Cache
	lasting context.Context //nolint:containedctx // It is when the cache ends.
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (lastingCache) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable. What it starts goes on when it returns, until the lasting context ends.
func (c lastingCache) Start(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- c.Cache.Start(c.lasting) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// lastingCaches makes caches that end with a context, and not with their manager.
func lastingCaches(lasting context.Context) cache.NewCacheFunc {
	return func(kube *rest.Config, o cache.Options) (cache.Cache, error) {
		c, err := cache.New(kube, o)
		return lastingCache{Cache: c, lasting: lasting}, err
	}
}
