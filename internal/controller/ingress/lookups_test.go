// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/provision/elb"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// TestRemembered: one asks, and the others wait for that as long as they can. What was answered serves for as long as each
// can do with, and a failure for some seconds.
func TestRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, asked := newRemembered[int](), 0
		var answer error
		get := func(ctx context.Context, age time.Duration) (int, error) {
			return r.get(ctx, time.Now, age, func() (int, error) {
				asked++
				time.Sleep(5 * time.Second)
				return asked, answer
			})
		}

		for range 3 {
			go func() {
				if got, err := get(t.Context(), time.Minute); got != 1 || err != nil {
					t.Errorf("got %d, %v", got, err)
				}
			}()
		}
		synctest.Wait()
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := get(hurried, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who has no time waits: %v", err)
		}
		time.Sleep(10 * time.Second)

		expect := func(reason string, after, age time.Duration, want int, fails error) {
			t.Helper()
			time.Sleep(after)
			if got, err := get(t.Context(), age); got != want || !errors.Is(err, fails) || (err == nil) != (fails == nil) {
				t.Errorf("%s: got %d, %v", reason, got, err)
			}
		}
		expect("it serves for a while", time.Minute, 2*time.Minute, 1, nil)
		expect("and others not so long", 0, time.Minute, 2, nil)
		answer = errors.New("nobody answers")
		expect("a failure comes with what was answered last", time.Minute, time.Minute, 2, answer)
		expect("and is believed", failing-time.Second, time.Minute, 2, answer)
		if asked != 3 {
			t.Errorf("asked %d times", asked)
		}
		expect("what was answered still serves", 0, time.Hour, 2, nil)
		answer = nil
		expect("a failure is not believed for long", 2*time.Second, time.Minute, 4, nil)

		// Who had no time left while asking says nothing about AWS.
		over, cancel := context.WithCancel(t.Context())
		answer = context.Canceled
		time.Sleep(time.Minute)
		time.AfterFunc(time.Second, cancel)
		if _, err := get(over, time.Minute); err == nil {
			t.Error("it did not fail")
		}
		answer = nil
		expect("the next one asks at once", 0, time.Minute, 6, nil)
	})
}

// TestLookupsAtRest: a group that lacks nothing has what all share looked up every two hours, and one that lacks something each
// minute.
func TestLookupsAtRest(t *testing.T) {
	w := newWorld(t, memberOf("web")...)
	look := func() {
		t.Helper()
		p := &pass{Reconciler: w.Reconciler, group: Key{Name: "g"}, notes: map[string][]note{}}
		var err error
		if p.members, err = w.kind.members(t.Context(), p.group); err != nil {
			t.Fatal(err)
		}
		if err := p.build(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	during := func(time, every time.Duration) int {
		before := w.asked
		for range time / every {
			w.clock = w.clock.Add(every)
			look()
		}
		return w.asked - before
	}
	if got, want := during(24*time.Hour, audit), int(24*time.Hour/settled); got != want {
		t.Errorf("one group: asked %d times, want %d", got, want)
	}
	w.bare, w.clock = true, w.clock.Add(settled)
	if got, want := during(time.Hour, mistaken), int(time.Hour/fresh); got != want {
		t.Errorf("without subnets: asked %d times, want %d", got, want)
	}

	for groups, want := range map[int]time.Duration{0: settled, 1: settled, 4: settled / 4, 20: 6 * time.Minute, 1000: audit} {
		if got := settledFor(groups); got != want {
			t.Errorf("%d groups: %s, want %s", groups, got, want)
		}
	}
	w.metrics.stands(Key{Name: "a"}, stateReady, 0)
	w.metrics.stands(Key{Name: "b"}, stateFailing, 0)
	w.metrics.stands(Key{Name: "c"}, stateObserved, 0)
	w.metrics.stands(Key{Name: "d"}, "", 1)
	if got := w.metrics.served(); got != 2 {
		t.Errorf("%d groups are served", got)
	}
}

// TestBackendGroupOfLBCStays: the security group that AWS Load Balancer Controller shared between its load balancers stays on
// those that have it.
func TestBackendGroupOfLBCStays(t *testing.T) {
	shared := func(cluster, resource string) ec2.SecurityGroup {
		return ec2.SecurityGroup{ID: "sg-shared", Tags: map[string]string{routes.ClusterTag: cluster, "elbv2.k8s.aws/resource": resource}}
	}
	denied := errors.New("denied")
	for name, tc := range map[string]struct {
		has     []string
		there   ec2.SecurityGroup
		ec2     error
		setting string
		want    string
		asked   int
	}{
		"Shared":         {has: []string{"sg-own", "sg-shared"}, there: shared("test", "backend-sg"), want: "sg-shared", asked: 1},
		"SomebodyElses":  {has: []string{"sg-own", "sg-shared"}, there: shared("test", "other"), asked: 1},
		"AnotherCluster": {has: []string{"sg-own", "sg-shared"}, there: shared("other", "backend-sg"), asked: 1},
		"NotThere":       {has: []string{"sg-own", "sg-other"}, there: shared("test", "backend-sg"), asked: 1},
		"OnlyItsOwn":     {has: []string{"sg-own"}, there: shared("test", "backend-sg")},
		"Set":            {has: []string{"sg-own", "sg-shared"}, there: shared("test", "backend-sg"), setting: "sg-set", want: "sg-set"},
		"NobodyKnows":    {has: []string{"sg-own", "sg-shared"}, ec2: denied, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.securityGroups, w.ec2 = []ec2.SecurityGroup{tc.there}, tc.ec2
			l := &lookups{shared: w.shared, ctx: t.Context(), age: fresh, observed: elb.Observed{
				SecurityGroups: []elb.ObservedSecurityGroup{{ID: "sg-own"}},
				LoadBalancers:  []elb.ObservedLoadBalancer{{LoadBalancer: elb.LoadBalancer{SecurityGroups: tc.has}}},
			}}
			got := l.backendGroup(routes.Settings{Cluster: "test", BackendSecurityGroup: tc.setting})
			if got != tc.want || w.groupsAsked != tc.asked || !errors.Is(l.failed, tc.ec2) {
				t.Errorf("got %q and %v after %d questions, want %q, %v and %d", got, l.failed, w.groupsAsked, tc.want, tc.ec2, tc.asked)
			}
		})
	}
}

// TestTakesOverWithTheBackendGroup: a load balancer keeps it whatever else changes.
func TestTakesOverWithTheBackendGroup(t *testing.T) {
	w := newWorld(t, memberOf("web")...)
	_, _ = w.reconcile(Key{Name: "g"})
	w.securityGroups = []ec2.SecurityGroup{{ID: "sg-shared", Tags: map[string]string{routes.ClusterTag: "test", "elbv2.k8s.aws/resource": "backend-sg"}}}
	w.seen.LoadBalancers[0].SecurityGroups = []string{"sg-1", "sg-shared"}
	w.steps, w.clock = nil, w.clock.Add(2*fresh)
	_, _ = w.reconcile(Key{Name: "g"})
	if slices.ContainsFunc(w.steps, func(step string) bool {
		return strings.Contains(step, "sg-shared") || strings.Contains(step, "set security groups")
	}) {
		t.Errorf("did %q", w.steps)
	}

	// A look that cannot tell changes nothing.
	w.ec2, w.steps, w.clock = errors.New("denied"), nil, w.clock.Add(2*fresh)
	if _, err := w.reconcile(Key{Name: "g"}); !errors.Is(err, w.ec2) || len(w.steps) > 0 {
		t.Errorf("did %q and got %v", w.steps, err)
	}
}

// TestChangesAreMadeByFreshAnswers: who is about to change something does not go by what was so two hours ago.
func TestChangesAreMadeByFreshAnswers(t *testing.T) {
	w := newWorld(t, memberOf("web")...)
	_, _ = w.reconcile(Key{Name: "g"})
	before := w.asked
	w.seen, w.clock = elb.Observed{}, w.clock.Add(2*fresh)
	if _, _ = w.reconcile(Key{Name: "g"}); len(w.steps) < 2 || w.asked != before+1 {
		t.Errorf("asked %d times for steps %q", w.asked-before, w.steps)
	}
}
