// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
)

// resolver counts how often groups are asked about, and says of which type they are and what does not apply to their targets.
type resolver struct {
	*world
	targetType, caveat string
	checkPort          int32
	asked              int
}

func (r *resolver) Resolve(ctx context.Context, wanted balancer.Group) (balancer.Group, error) {
	r.asked++
	g, err := r.world.Resolve(ctx, wanted)
	g.TargetType, g.Caveat, g.HealthCheckPort = r.targetType, r.caveat, r.checkPort
	return g, err
}

// TestSettingsAreAskedForSeldom: a thousand groups must fit into a few calls a minute,
// and a group that cannot be served may become one that can.
func TestSettingsAreAskedForSeldom(t *testing.T) {
	for _, tc := range []struct {
		targetType  string
		atLeast, in int // how often it is asked about in six hours
	}{
		{string(elbv2.TargetTypeIP), 2, 5},
		{string(elbv2.TargetTypeInstance), 2, 5},
		{"lambda", 60, 92},
	} {
		for _, restarted := range []bool{false, true} {
			w := newWorld(t)
			r := &resolver{world: w, targetType: tc.targetType}
			w.balanceBy(r)
			if tc.targetType != "ip" || !restarted {
				w.bindings["web-tg"].Annotations = nil
				w.states.update(web, func(s *state) { s.service.resolved = resolved{} })
				w.reconcile()
			}

			if restarted {
				w.restart()
				w.balanceBy(r)
			}

			r.asked = 0
			for range 360 {
				w.clock = w.clock.Add(time.Minute)
				w.reconcile()
			}

			if r.asked < tc.atLeast || r.asked > tc.in {
				t.Errorf("%s targets, restarted %t: asked about %d times in six hours, want %d to %d", tc.targetType, restarted, r.asked, tc.atLeast, tc.in)
			}
		}
	}
}

// TestGroupsThatComeAndGoAreLookedUp: where the driver says so, a binding's groups are found again without any event.
func TestGroupsThatComeAndGoAreLookedUp(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		w := newWorld(t)
		if restarted {
			w.restart()
		}
		r := &resolver{world: w, targetType: "ip"}
		w.balanceBy(r)
		for i := range w.drivers {
			w.drivers[i].ResolveAgain = func(balancer.Group) time.Duration { return 2 * time.Minute }
		}
		w.states.update(web, func(s *state) { s.service.resolved.again = 2 * time.Minute })
		w.reconcile()
		w.let(20 * time.Minute)
		if r.asked < 9 || r.asked > 13 {
			t.Errorf("restarted %t: looked up %d times in 20 minutes, want every two", restarted, r.asked)
		}
	}
}

// finder finds a Service's groups as VPC Lattice's driver does, and notes with which name they were said to be found before.
type finder struct {
	*world
	before []string
	fail   error
	// unfinished: one of them is being made.
	unfinished bool
}

func (f *finder) Resolve(_ context.Context, wanted balancer.Group) (balancer.Group, error) {
	f.before = append(f.before, wanted.Before)
	if f.fail != nil {
		return balancer.Group{}, f.fail
	}
	g := wanted
	g.Ref.Group, g.Name, g.Before, g.TargetType = "arn:blue", "service:shop/web@blue", "", "ip"
	g.Unfinished = f.unfinished
	return g, nil
}

// discovering makes a world with the binding shop/own, whose groups a finder finds.
func discovering(t *testing.T) *finder {
	b := &v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "own", UID: "uid-own", ResourceVersion: "1", Generation: 1, CreationTimestamp: metav1.NewTime(noon)}}
	b.Spec.ServiceRef = v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
	b.Spec.Membership, b.Spec.Lattice = v1alpha1.MembershipExternal, &v1alpha1.Lattice{Discover: true}
	w := newWorld(t)
	w.own["own"] = b
	f := &finder{world: w}
	w.balanceBy(f)
	return f
}

// TestGroupsInTheMakingAreLookedUpSoon: while the load balancer makes one of a binding's groups, the binding goes on with those
// that it has, and looks again on a clock of its own. It does not go on with what is gone.
func TestGroupsInTheMakingAreLookedUpSoon(t *testing.T) {
	f := discovering(t)
	look := func(reason string, want time.Duration) {
		t.Helper()
		asked := len(f.before)
		f.clock = f.clock.Add(f.due.Sub(f.clock))
		res, err := f.try(external)
		if err != nil || len(f.before) != asked+1 {
			t.Errorf("%s: %d look-ups, %v", reason, len(f.before)-asked, err)
		}
		if res.RequeueAfter > want || res.RequeueAfter < want*4/5 {
			t.Errorf("%s: looked up again after %s, want %s", reason, res.RequeueAfter, want)
		}
		f.due = f.clock.Add(res.RequeueAfter)
	}
	ready := func(want string) {
		t.Helper()
		if c := meta.FindStatusCondition(f.own["own"].Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Reason != want {
			t.Errorf("the binding says %+v, want %s", c, want)
		}
	}

	f.due = f.clock
	look("found", time.Minute)
	f.unfinished = true
	look("one is being made", readyAgain)
	look("still", readyAgain)
	f.unfinished, f.fail = false, &balancer.CallError{Kind: balancer.ErrNotReady}
	look("nobody knows which there are", readyAgain)
	ready(v1alpha1.ReasonSynced)
	f.fail = errors.New("no answer")
	look("no answer", resolveSoon)

	f.fail, f.viewErr = &balancer.CallError{Kind: balancer.ErrNotReady}, balancer.ErrNotFound
	for range 3 {
		look("it is gone, and another one is being made", readyAgain)
		ready(v1alpha1.ReasonTargetGroupNotReady)
	}
	f.fail, f.viewErr = nil, nil
	look("it is made", time.Minute)
	ready(v1alpha1.ReasonSynced)
}

// TestWhatWasFoundBefore: whoever looks groups up again learns what was found before, by what was published of it or, where
// nothing can be published, by what this process remembers.
func TestWhatWasFoundBefore(t *testing.T) {
	for _, published := range []bool{true, false} {
		f := discovering(t)
		w := f.world

		look := func() string {
			t.Helper()
			w.clock = w.clock.Add(2 * time.Minute)
			if _, err := w.try(external); !errors.Is(err, f.fail) {
				t.Fatal(err)
			}
			if !published {
				w.own["own"].Status.Group = nil
			}
			return f.before[len(f.before)-1]
		}
		for i, want := range []string{"", "service:shop/web@blue"} {
			if got := look(); got != want || len(f.before) != i+1 {
				t.Errorf("published %t: look-up %d came with %q, want %q", published, i, got, want)
			}
		}

		f.fail = balancer.ErrNotFound // as while a route is replaced
		for range 3 {
			if got := look(); got != "service:shop/web@blue" {
				t.Errorf("published %t: nothing is found, and the look-up came with %q", published, got)
			}
		}
		f.fail = nil

		w.own["own"].Spec.Lattice.ClusterName, w.own["own"].Generation = "green", 2
		if got := look(); got != "" {
			t.Errorf("published %t: another cluster is meant now, and the look-up came with %q", published, got)
		}
	}
}

// TestLaw6AGroupAtWorkIsWaitedFor: a group that the load balancer is making is polled on a clock of its own, and nobody is
// warned. Nothing is taken for done that it refused meanwhile.
func TestLaw6AGroupAtWorkIsWaitedFor(t *testing.T) {
	busy := &balancer.CallError{Op: "register targets", Subject: "web", Kind: balancer.ErrNotReady, Text: "the target group is being created"}
	for _, call := range []string{"resolve", "register"} {
		w := newWorld(t)
		if call == "resolve" {
			w.bindings["web-tg"].Annotations = nil
			w.states.update(web, func(s *state) { s.service.resolved = resolved{} })
		}
		w.pod(1)
		for len(w.events.Events) > 0 {
			<-w.events.Events
		}

		w.fail[call] = busy
		for range 20 {
			if res := w.reconcile(); res.RequeueAfter != readyAgain {
				t.Fatalf("%s: looked at again after %s, want %s", call, res.RequeueAfter, readyAgain)
			}
			w.clock = w.clock.Add(readyAgain)
		}
		if got := w.ready("web-tg"); got != v1alpha1.ReasonTargetGroupNotReady {
			t.Errorf("%s: the binding says %q", call, got)
		}
		if n := len(w.events.Events); n > 0 {
			t.Errorf("%s: %d events: %s", call, n, <-w.events.Events)
		}

		delete(w.fail, call)
		w.reconcile()
		if got := w.ready("web-tg"); got != v1alpha1.ReasonSynced || len(w.rows) != 1 {
			t.Errorf("%s: afterwards the binding says %q, and the group holds %d targets", call, got, len(w.rows))
		}
	}
}

// TestAGroupAtWorkHidesNoOtherFailure: what one call waits for does not hide why another failed. The failure is repeated as
// failures are, within 5 s while the target of a pod that ends is still to go.
func TestAGroupAtWorkHidesNoOtherFailure(t *testing.T) {
	busy := &balancer.CallError{Op: "call", Subject: "web", Kind: balancer.ErrNotReady, Text: "another change is under way"}
	failure := func(kind error) error { return &balancer.CallError{Op: "call", Subject: "web", Kind: kind, Text: "no"} }
	for _, tc := range []struct {
		reason               string
		deregister, register error
		want                 string
		waits, pressing      bool
	}{
		{"both wait", busy, busy, v1alpha1.ReasonTargetGroupNotReady, true, false},
		{"the registration is refused", busy, failure(balancer.ErrDenied), v1alpha1.ReasonAccessDenied, false, true},
		{"it can never succeed", busy, failure(balancer.ErrInvalid), v1alpha1.ReasonInvalidRequest, false, true},
		{"it may succeed", busy, failure(nil), v1alpha1.ReasonLoadBalancerUnavailable, false, true},
		{"the removal is refused", failure(balancer.ErrDenied), busy, v1alpha1.ReasonAccessDenied, false, true},
		{"only the registration fails", nil, failure(balancer.ErrDenied), v1alpha1.ReasonAccessDenied, false, false},
	} {
		w := newWorld(t)
		w.serve(1, 2)
		w.reconcile()
		w.terminate(w.pods[name(1)])
		w.pod(3)
		w.fail["deregister"], w.fail["register"] = tc.deregister, tc.register

		res, err := w.try(web)
		if got := w.ready("web-tg"); got != tc.want {
			t.Errorf("%s: the binding says %q, want %q", tc.reason, got, tc.want)
		}
		if waits := err == nil && res.RequeueAfter == readyAgain; waits != tc.waits {
			t.Errorf("%s: looked at again after %s, %v", tc.reason, res.RequeueAfter, err)
		}
		if got := w.states.get(web).pressing; got != tc.pressing {
			t.Errorf("%s: pressing %t", tc.reason, got)
		}
	}
}

// TestANewLeaderTakesNoOldSettings: the manifest of a backend's binding holds the group's settings. What was published of
// an earlier one counts while HAProxy does not answer, and no longer.
func TestANewLeaderTakesNoOldSettings(t *testing.T) {
	own := &v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "own", UID: "uid-own", ResourceVersion: "1", Generation: 1, CreationTimestamp: metav1.NewTime(noon)}}
	own.Spec.ServiceRef = v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
	own.Spec.HAProxy = &v1alpha1.HAProxy{Backend: "web", Instances: []string{"unix:/run/a.sock"}}
	w := newWorld(t)
	w.own["own"] = own
	drains := func() int64 {
		t.Helper()
		if _, err := w.try(external); err != nil {
			t.Fatal(err)
		}
		return w.own["own"].Status.Group.DrainSeconds
	}

	w.restart()
	w.delay = 30 * time.Second

	if got := drains(); got != 30 {
		t.Fatalf("published are %d s", got)
	}

	// While nobody leads the manifest changes.
	w.own["own"].Generation, w.delay = 2, 90*time.Second
	w.restart()
	w.fail["resolve"] = errors.New("no answer")

	if got := drains(); got != 30 {
		t.Errorf("HAProxy does not answer, and %d s are published", got)
	}

	w.restart()
	w.fail = map[string]error{}

	if got := drains(); got != 90 {
		t.Errorf("it answers, and %d s are published, want 90", got)
	}
}

// TestSettingsTravelWithEachCall: what the manifest of a backend's binding says now comes with every call about it, also while
// only what was published tells of the group. A target group needs no settings.
func TestSettingsTravelWithEachCall(t *testing.T) {
	w := newWorld(t)
	w.pod(1)
	w.reconcile()
	for call, got := range w.settings {
		if got != "" {
			t.Errorf("%s of a target group came with %s", call, got)
		}
	}

	w = newWorld(t)
	k := w.behind()
	key := k.bind("web", time.Hour, "unix:/1")
	check := func(when string, calls ...string) {
		t.Helper()
		want := binding.OfOwn(k.own["web"]).Wanted().Settings
		for _, call := range calls {
			if got := w.settings[call]; got != want || got == "" {
				t.Errorf("%s: %s came with %q, want %q", when, call, got, want)
			}
		}
		if res, known := w.registry.Get(key); known && res.Resolved() && res.Group.Settings != want {
			t.Errorf("%s: pods are told %q, want %q", when, res.Group.Settings, want)
		}
		clear(w.settings)
	}
	try := func() {
		t.Helper()
		if _, err := w.try(key); err != nil {
			t.Fatal(err)
		}
	}

	w.pod(1)
	try()
	check("served", "resolve", "register", "track")

	// The manifest changes while HAProxy does not answer: what was published serves, with the new settings.
	k.own["web"].Spec.HAProxy.Weight, k.own["web"].Generation = 7, 2
	w.fail["resolve"] = errors.New("no answer")
	w.pod(2)
	try()
	check("changed", "resolve", "register", "track")

	// The leader is silent, and another replica that asked HAProxy nothing takes the pod out.
	w.restart()
	w.behindAgain(k)
	w.pods[name(1)].Status.Conditions = append(w.pods[name(1)].Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
	w.terminate(w.pods[name(2)])
	if _, err := w.Urgent(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	check("stood in for", "deregister")

	k.own["web"].DeletionTimestamp = &metav1.Time{Time: w.clock}
	try()
	check("deleted", "health", "tend", "deregister")
}

// TestSettingsOfABindingThatWasMadeAgain: the manifest of a binding that was deleted and made again under its name may differ
// although its generation is the same.
func TestSettingsOfABindingThatWasMadeAgain(t *testing.T) {
	w := newWorld(t)
	k, key := w.backend()

	k.own["web"].UID, k.own["web"].Spec.HAProxy.Weight = "uid-again", 7
	w.pod(2)
	if _, err := w.try(key); err != nil {
		t.Fatal(err)
	}

	want := binding.OfOwn(k.own["web"]).Wanted().Settings
	for _, call := range []string{"register", "track"} {
		if got := w.settings[call]; got != want {
			t.Errorf("%s came with %q, want %q", call, got, want)
		}
	}
}
