// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package haproxy is the provider for backends of HAProxy, through its runtime API.
//
// It makes a server for each target, named after the pod, that gets no traffic before
// its checks passed; it drains and removes what it made, and puts back what a reload
// or a restart lost. It leaves servers that others made alone, closes no connection,
// writes no configuration, starts no goroutine that outlives its call, and retries
// nothing by itself.
//
// What it knows of HAProxy was measured on 2.6.12. What newer versions do differently
// comes from their source and documentation and has not run.
package haproxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/haproxy/traits"
)

const (
	// DefaultExchangeTimeout bounds one line of commands and its answer.
	DefaultExchangeTimeout = 2 * time.Second
	// DefaultCallTimeout bounds a call with all its lines. Commands follow what was
	// read no later than that.
	DefaultCallTimeout = 5 * time.Second
)

// Provider serves the backends that Configure made known. It is safe for concurrent
// use: backends share nothing, so one that hangs delays no other.
type Provider struct {
	exchangeTimeout time.Duration
	callTimeout     time.Duration
	now             func() time.Time
	dial            func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	groups map[string]*group
}

var (
	_ balancer.Provider = (*Provider)(nil)
	_ balancer.Tender   = (*Provider)(nil)
)

// group is one backend at all its instances. It is replaced, not changed, when its
// configuration is; what was seen of the instances stays.
type group struct {
	Config
	id      string
	sockets []socket
	memory  *memory
}

// Option changes a Provider that New makes.
type Option func(*Provider)

// WithTimeouts replaces DefaultExchangeTimeout and DefaultCallTimeout.
func WithTimeouts(exchange, call time.Duration) Option {
	return func(p *Provider) { p.exchangeTimeout, p.callTimeout = exchange, call }
}

// New makes a provider that knows no backend yet.
func New(opts ...Option) *Provider {
	var dialer net.Dialer
	p := &Provider{
		exchangeTimeout: DefaultExchangeTimeout, callTimeout: DefaultCallTimeout,
		now: time.Now, dial: dialer.DialContext, groups: map[string]*group{},
	}
	for _, o := range opts {
		o(p)
	}
	return p
}

// Configure makes a backend known and gives its Ref, which depends on the backend's
// name and its sockets only: bindings of the same backend have equal Refs, and the
// latest configuration counts. It makes no call; its error wraps provider.ErrInvalid.
func (p *Provider) Configure(cfg Config) (balancer.Ref, error) {
	cfg, sockets, err := cfg.complete()
	id := cfg.id()
	if err != nil {
		return balancer.Ref{}, &balancer.CallError{Provider: traits.Kind, Op: "configure", Subject: id, Kind: balancer.ErrInvalid, Text: err.Error()}
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	g := &group{Config: cfg, id: id, sockets: sockets, memory: newMemory(p.now)}
	if old, known := p.groups[id]; known {
		g.memory = old.memory
	}

	p.groups[id] = g
	return balancer.Ref{Provider: traits.Kind, Group: id}, nil
}

// Forget drops a backend that no binding uses any more.
func (p *Provider) Forget(ref balancer.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.groups, ref.Group)
}

// errTooLong ends a call that lasted longer than its own time-out, which is not its
// caller's.
var errTooLong = errors.New("the call took too long")

func (p *Provider) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, p.callTimeout, errTooLong)
}

func (p *Provider) group(op, id string) (*group, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, known := p.groups[id]
	if !known {
		return nil, &balancer.CallError{Provider: traits.Kind, Op: op, Subject: id, Kind: balancer.ErrInvalid, Text: "no binding configures this backend"}
	}
	return g, nil
}
