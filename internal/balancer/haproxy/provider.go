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
	"maps"
	"net"
	"sync"
	"time"

	"github.com/podgate/podgate/internal/balancer"
)

const (
	// DefaultExchangeTimeout bounds one line of commands and its answer.
	DefaultExchangeTimeout = 2 * time.Second
	// DefaultCallTimeout bounds a call with all its lines. Commands follow what was
	// read no later than that.
	DefaultCallTimeout = 5 * time.Second
)

// Provider serves the backends that calls are about, as their Settings say. It is safe
// for concurrent use: backends share nothing, so one that hangs delays no other.
type Provider struct {
	exchangeTimeout time.Duration
	callTimeout     time.Duration
	now             func() time.Time
	dial            func(ctx context.Context, network, address string) (net.Conn, error)

	mu       sync.Mutex
	memories map[string]*memory
	// swept is when memories that are too old were last dropped.
	swept time.Time
}

var (
	_ balancer.Provider = (*Provider)(nil)
	_ balancer.Tender   = (*Provider)(nil)
)

// group is one backend at all its instances during one call, as that call's Settings say.
// What was seen of the instances stays from call to call.
type group struct {
	Config
	settings balancer.Settings
	id       string
	sockets  []socket
	memory   *memory
	// unaddable says why no server is added with these settings; empty when they can be.
	unaddable string
}

// Option changes a Provider that New makes.
type Option func(*Provider)

// WithTimeouts replaces DefaultExchangeTimeout and DefaultCallTimeout.
func WithTimeouts(exchange, call time.Duration) Option {
	return func(p *Provider) { p.exchangeTimeout, p.callTimeout = exchange, call }
}

// New makes a provider that has seen no backend yet.
func New(opts ...Option) *Provider {
	var dialer net.Dialer
	p := &Provider{
		exchangeTimeout: DefaultExchangeTimeout, callTimeout: DefaultCallTimeout,
		now: time.Now, dial: dialer.DialContext, memories: map[string]*memory{},
	}
	for _, o := range opts {
		o(p)
	}
	return p
}

// errTooLong ends a call that lasted longer than its own time-out, which is not its
// caller's.
var errTooLong = errors.New("the call took too long")

func (p *Provider) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, p.callTimeout, errTooLong)
}

// group reads what a call says of its backend.
func (p *Provider) group(op string, of balancer.Group) (*group, error) {
	id := of.Ref.Group
	if of.Settings == "" {
		return nil, &balancer.CallError{Op: op, Subject: id, Kind: balancer.ErrInvalid, Text: "no binding configures this backend"}
	}

	cfg, sockets, err := read(of.Settings)
	if err != nil {
		return nil, &balancer.CallError{Op: "configure", Subject: id, Kind: balancer.ErrInvalid, Text: err.Error()}
	}

	return &group{Config: cfg, settings: of.Settings, id: id, sockets: sockets, memory: p.remember(id), unaddable: unaddable(cfg)}, nil
}

// remember returns what was seen of a backend, and forgets the backends that no call was
// about for a while.
func (p *Provider) remember(id string) *memory {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	old := func(m *memory) bool { return now.Sub(m.used) >= remembered }

	// Not with every call: with many backends that would take longer than the call's own part.
	if now.Sub(p.swept) >= remembered {
		maps.DeleteFunc(p.memories, func(_ string, m *memory) bool { return old(m) })
		p.swept = now
	}

	m, known := p.memories[id]
	if !known || old(m) {
		m = newMemory(p.now)
		p.memories[id] = m
	}
	m.used = now

	return m
}
