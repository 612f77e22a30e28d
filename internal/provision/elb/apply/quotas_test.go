// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/sim/awssim"
)

// quotaTest is an account with quotas of its own, asked at a time that the test says.
type quotaTest struct {
	*testing.T
	*account
	cloud *Cloud
	clock time.Time
}

func newQuotaTest(t *testing.T) *quotaTest {
	var cfg awssim.Config
	cfg.Quotas.RulesPerBalancer, cfg.Quotas.ListenersPerBalancer, cfg.EC2.Quotas.GroupsPerInterface = 2, 40, 7
	a := simulate(t, cfg)
	q := &quotaTest{T: t, account: a, cloud: a.cloud(), clock: time.Now()}
	q.cloud.now = func() time.Time { return q.clock }
	return q
}

// expect asks for quotas of an hour at most, and reports whether AWS was asked and did not tell.
func (q *quotaTest) expect(reason string, after time.Duration, kind elb.Kind, asks bool, failed error, want elb.Quotas) {
	q.Helper()
	q.clock = q.clock.Add(after)
	before := q.last()
	got, err := q.cloud.Quotas(q.Context(), kind, time.Hour)
	if !errors.Is(err, failed) {
		q.Errorf("%s: got %v", reason, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		q.Errorf("%s (-want +got):\n%s", reason, diff)
	}
	var calls []string
	if asks {
		calls = []string{"DescribeAccountLimits", "DescribeAccountAttributes"}
	}
	if got := q.operations(before); !slices.Equal(got, calls) {
		q.Errorf("%s: called %v", reason, got)
	}
}

func (q *quotaTest) fault(operation, code string) (undo func()) {
	q.Helper()
	id, err := q.AddFault(awssim.Fault{Operation: operation, Error: &awssim.APIError{Code: code}})
	if err != nil {
		q.Fatal(err)
	}
	return func() {
		if err := q.RemoveFaults(id); err != nil {
			q.Fatal(err)
		}
	}
}

var (
	ofALB = elb.Quotas{Rules: 2, Listeners: 40, TargetGroups: 100, Certificates: 25, SecurityGroups: 7}
	ofNLB = elb.Quotas{Listeners: 40, Certificates: 25, SecurityGroups: 7}
)

// TestQuotas: the account's quotas are asked for once in a while, and what one service does not tell does not hide the other's.
func TestQuotas(t *testing.T) {
	q := newQuotaTest(t)
	q.expect("they are asked for", 0, elb.Application, true, nil, ofALB)
	q.expect("once for both kinds", time.Hour-1, elb.Network, false, nil, ofNLB)
	q.expect("and again when they are old", 1, elb.Network, true, nil, ofNLB)

	undo := q.fault("DescribeAccountLimits", "InternalFailure")
	if _, err := q.cloud.Quotas(t.Context(), elb.Application, 0); err == nil {
		t.Error("it does not fail")
	}
	q.expect("what is not answered is as it was", 0, elb.Application, false, nil, ofALB)
	undo()
	q.expect("and asked for again", time.Minute, elb.Application, true, nil, ofALB)

	undo = q.fault("DescribeAccountLimits", "AccessDenied")
	q.expect("without the permission of one", time.Hour, elb.Application, true, balancer.ErrDenied, elb.Quotas{SecurityGroups: 7})
	q.expect("which is said once", time.Minute, elb.Application, false, nil, elb.Quotas{SecurityGroups: 7})
	undo()
	q.fault("DescribeAccountAttributes", "UnauthorizedOperation")
	q.expect("without that of the other", time.Hour, elb.Network, true, balancer.ErrDenied, elb.Quotas{Listeners: 40, Certificates: 25})
}

// TestQuotaOfRulesByItsError: where AWS does not tell the quota of rules, the first rule too many does, until AWS tells.
func TestQuotaOfRulesByItsError(t *testing.T) {
	q := newQuotaTest(t)
	undo := q.fault("DescribeAccountLimits", "AccessDenied")
	stack := q.small(t, q.cloud, "shop/web")
	q.expect("it is not told", 0, elb.Application, true, balancer.ErrDenied, elb.Quotas{SecurityGroups: 7})

	seen := observe(t, q.cloud, stack, true)
	create := func(priority int) error {
		return q.cloud.Perform(t.Context(), stack.Identity, elb.CreateRule{Listener: seen.LoadBalancers[0].Listeners[0].ARN, Priority: priority, Rule: elb.Rule{
			Owner: "shop/web", Match: stackRule.Match, Action: elb.Action{Forward: []elb.Forward{{Group: seen.TargetGroups[0].ARN, Weight: 1}}},
		}}, &seen)
	}
	for priority := 1; priority <= 2; priority++ {
		if err := create(priority); err != nil {
			t.Fatal(err)
		}
	}
	if err := create(3); !errors.Is(err, balancer.ErrQuota) {
		t.Fatalf("got %v", err)
	}
	learned := elb.Quotas{Rules: 2, SecurityGroups: 7}
	q.expect("as many as there are", 0, elb.Application, false, nil, learned)
	q.expect("AWS is asked soon", time.Minute, elb.Application, true, balancer.ErrDenied, learned)
	q.expect("and is believed", time.Minute, elb.Application, false, nil, learned)
	q.expect("more is tried again some time later", time.Hour, elb.Application, true, balancer.ErrDenied, elb.Quotas{SecurityGroups: 7})

	// What AWS says is right, also where the error came before.
	if err := create(3); !errors.Is(err, balancer.ErrQuota) {
		t.Fatalf("got %v", err)
	}
	undo()
	q.expect("AWS tells", time.Minute, elb.Application, true, nil, ofALB)
}
