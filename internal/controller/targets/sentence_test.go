// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"fmt"
	"testing"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	haproxytraits "github.com/podgate/podgate/internal/balancer/haproxy/traits"
	"github.com/podgate/podgate/internal/balancer/traits"
)

// TestVerdictsAreSentences: another sentence may follow a verdict, such as what holds a binding that is being deleted.
func TestVerdictsAreSentences(t *testing.T) {
	w := &Reconciler{drivers: traits.All()}
	haproxy := func(text string) error {
		return &balancer.CallError{Subject: "web@tcp:192.0.2.1:9999", Text: text, Kind: balancer.ErrDenied}
	}

	for err, want := range map[error]string{
		haproxy("nothing listens: is HAProxy running?"): `Backend "web" of HAProxy: nothing listens: is HAProxy running?`,
		haproxy("the socket has no level admin"):        `Backend "web" of HAProxy: the socket has no level admin.`,
	} {
		if got := w.verdictOf(fmt.Errorf("resolve: %w", err), haproxytraits.Kind, "web").message; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}

	// What is AWS's own is said of its groups only, though the error is podgate's own as that of its budget is.
	throttled := fmt.Errorf("podgate's own budget of calls is used up: %w", balancer.ErrThrottled)
	for kind, want := range map[balancer.Kind]string{
		elbv2traits.Kind:   `AWS throttles calls about target group "web"; they are repeated more slowly. If it lasts, find who else uses the account's API budget.`,
		haproxytraits.Kind: `Calls about target group "web" are throttled; they are repeated more slowly.`,
		"toy":              `Calls about target group "web" are throttled; they are repeated more slowly.`,
	} {
		if got := w.verdictOf(throttled, kind, "web"); got.message != want || got.reason != v1alpha1.ReasonThrottled {
			t.Errorf("%s: got %+v, want %q", kind, got, want)
		}
	}

	if got, want := sentence("no credentials"), "no credentials."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
