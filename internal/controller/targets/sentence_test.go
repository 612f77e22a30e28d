// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"fmt"
	"testing"

	"github.com/podgate/podgate/internal/balancer"
	haproxytraits "github.com/podgate/podgate/internal/balancer/haproxy/traits"
	"github.com/podgate/podgate/internal/balancer/traits"
)

// TestVerdictsAreSentences: another sentence may follow a verdict, such as what holds a binding that is being deleted.
func TestVerdictsAreSentences(t *testing.T) {
	w := &Reconciler{drivers: traits.All()}
	haproxy := func(text string) error {
		return &balancer.CallError{Provider: haproxytraits.Kind, Subject: "web@tcp:192.0.2.1:9999", Text: text, Kind: balancer.ErrDenied}
	}

	for err, want := range map[error]string{
		haproxy("nothing listens: is HAProxy running?"): `Backend "web" of HAProxy: nothing listens: is HAProxy running?`,
		haproxy("the socket has no level admin"):        `Backend "web" of HAProxy: the socket has no level admin.`,
	} {
		if got := w.verdictOf(fmt.Errorf("resolve: %w", err), "web").message; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}

	if got, want := sentence("no credentials"), "no credentials."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
