// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// apiServers are the addresses at which podgate reaches the API server.
type apiServers struct {
	host    string
	port    uint16
	resolve func(ctx context.Context, network, host string) ([]netip.Addr, error)

	mu sync.Mutex
	// at is when it was tried last to resolve the host's name, and known are the addresses that it had then or before.
	at    time.Time
	known []netip.AddrPort
}

const (
	// resolvedFor is how long the addresses of a name count, and resolveAgain is how soon to try again to resolve one that has none yet.
	resolvedFor  = time.Minute
	resolveAgain = 2 * time.Second
	// resolveTimeout bounds how long a check waits for them.
	resolveTimeout = time.Second
)

func newAPIServers(cfg *rest.Config) *apiServers {
	s := &apiServers{resolve: net.DefaultResolver.LookupNetIP}
	if cfg == nil {
		return s
	}

	u, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return s // No client was made of it either.
	}

	s.host, s.port = u.Hostname(), 443
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		s.port = uint16(port)
	}
	return s
}

// addresses lists them. While a name cannot be resolved they are those that it had; false when it never had any.
func (s *apiServers) addresses() (at []netip.AddrPort, known bool) {
	if s.host == "" {
		return nil, true
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	lasts := resolvedFor
	if len(s.known) == 0 {
		lasts = resolveAgain
	}
	if time.Since(s.at) >= lasts {
		s.look()
	}
	return s.known, len(s.known) > 0
}

// look resolves the name; mu is held.
func (s *apiServers) look() {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	addrs, err := s.resolve(ctx, "ip", s.host)
	s.at = time.Now()
	if err != nil || len(addrs) == 0 {
		return
	}

	s.known = nil
	for _, addr := range addrs {
		s.known = append(s.known, netip.AddrPortFrom(addr.Unmap(), s.port))
	}
}
