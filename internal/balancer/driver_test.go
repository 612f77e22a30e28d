// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"testing"
	"time"

	"github.com/podgate/podgate/internal/gate"
)

// TestUnknownDriver: of a load balancer of which nothing is known the careful is assumed.
func TestUnknownDriver(t *testing.T) {
	var none Drivers
	ref := Ref{Provider: "other", Group: "web"}
	if got := none.Lag(ref); got != gate.Lag {
		t.Errorf("its answers may lag %s, want %s", got, gate.Lag)
	}
	if got := none.Of(ref.Provider); got.GoneIsDone || got.EmptyUntilReached || got.Quiet != nil {
		t.Errorf("something is trusted: %+v", got)
	}
	if got := none.Of(ref.Provider).Absent(); got.Reason != ReasonNotRegistered || got.State != gate.Unused {
		t.Errorf("a target that is absent is %+v", got)
	}
	if got := none.Limits(ref); got.DescribeRate <= 0 || got.DescribeBurst < 1 || got.ChangeRate <= 0 || got.ChangeBurst < 1 {
		t.Errorf("no call would ever be made: %+v", got)
	}
}

// TestDriverTraits: each group has the traits of its own driver.
func TestDriverTraits(t *testing.T) {
	all := Drivers{{Kind: "one"}, {Kind: "two", Traits: Traits{
		Immediate: true, Audit: time.Second, Account: func(ref Ref) string { return "account of " + ref.Group },
	}}}

	one, two := Ref{Provider: "one", Group: "a"}, Ref{Provider: "two", Group: "b"}
	if all.Lag(one) != gate.Lag || all.Lag(two) != 0 {
		t.Errorf("lag: got %s and %s", all.Lag(one), all.Lag(two))
	}

	if all.Audit(one) != 0 || all.Audit(two) != time.Second {
		t.Errorf("audit: got %s and %s", all.Audit(one), all.Audit(two))
	}

	all[1].Provider = tended{}
	if all.Tends(one) || !all.Tends(two) || all.Tends(Ref{Provider: "other"}) {
		t.Errorf("tends: got %t and %t", all.Tends(one), all.Tends(two))
	}

	if a, b := all.Account(one), all.Account(two); a != "one" || b != "two account of b" {
		t.Errorf("account: got %q and %q", a, b)
	}
}

// TestLaw7KindsShareNoBudget: two services of one cloud count calls apart, though both go by its accounts.
func TestLaw7KindsShareNoBudget(t *testing.T) {
	account := func(Ref) string { return "123456789012/eu-west-1" }
	all := Drivers{{Kind: "one", Traits: Traits{Account: account}}, {Kind: "two", Traits: Traits{Account: account}}}
	if a, b := all.Account(Ref{Provider: "one"}), all.Account(Ref{Provider: "two"}); a == b {
		t.Errorf("both draw on the budget of %q", a)
	}
}
