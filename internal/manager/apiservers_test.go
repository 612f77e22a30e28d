// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

// TestAPIServersAreUnknownUntilTheirNameIsResolved: no check is to reach them because a name was not resolved in time.
func TestAPIServersAreUnknownUntilTheirNameIsResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var addrs []netip.Addr
		err, asked := errors.New("no such host"), 0
		s := newAPIServers(&rest.Config{Host: "https://api.example.com:6443"})
		s.resolve = func(_ context.Context, _, host string) ([]netip.Addr, error) {
			if asked++; host != "api.example.com" {
				t.Errorf("resolved %q", host)
			}
			return addrs, err
		}

		for range 3 {
			if at, known := s.addresses(); known || at != nil {
				t.Fatalf("nothing was resolved: got %v", at)
			}
		}
		if asked != 1 {
			t.Errorf("resolved %d times at once", asked)
		}

		err = nil
		time.Sleep(resolveAgain)
		if at, known := s.addresses(); known || asked != 2 {
			t.Errorf("the name has no addresses: got %v, resolved %d times", at, asked)
		}

		addrs = []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("::ffff:192.0.2.8")}
		time.Sleep(resolveAgain)
		want := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:6443"), netip.MustParseAddrPort("192.0.2.8:6443")}
		got, known := s.addresses()
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" || !known {
			t.Errorf("known: %t (-want +got):\n%s", known, diff)
		}

		// What it had counts on, and is not asked for at each connection.
		err = errors.New("server misbehaving")
		time.Sleep(resolvedFor)
		for range 3 {
			if at, known := s.addresses(); !known || len(at) != 2 {
				t.Errorf("the name cannot be resolved any more: got %v", at)
			}
		}
		if asked != 4 {
			t.Errorf("resolved %d times", asked)
		}
	})
}

// TestNoAPIServers: where there is none, no address is one.
func TestNoAPIServers(t *testing.T) {
	if at, known := newAPIServers(nil).addresses(); !known || len(at) != 0 {
		t.Errorf("got %v, known: %t", at, known)
	}
}

// TestAPIServersByAddress: an address needs no name server.
func TestAPIServersByAddress(t *testing.T) {
	s := newAPIServers(&rest.Config{Host: "https://[2001:db8::1]"})
	if at, known := s.addresses(); !known || len(at) != 1 || at[0] != netip.MustParseAddrPort("[2001:db8::1]:443") {
		t.Errorf("got %v, known: %t", at, known)
	}
}
