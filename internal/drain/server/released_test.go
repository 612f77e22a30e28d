// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	haproxytraits "github.com/podgate/podgate/internal/balancer/haproxy/traits"
	"github.com/podgate/podgate/internal/drain/hook"
	"github.com/podgate/podgate/internal/gate"
)

var (
	group   = balancer.Ref{Provider: elbv2traits.Kind, Group: "arn"}
	backend = balancer.Ref{Provider: haproxytraits.Kind, Group: "web@unix:/run/haproxy"}
)

// TestReleased asks once a second for three minutes, while the group is read once a second.
func TestReleased(t *testing.T) {
	const never = -1
	draining := func(from, to int, then gate.State) func(int) gate.State {
		return func(second int) gate.State {
			switch {
			case second < from:
				return gate.Healthy
			case second < to:
				return gate.Draining
			default:
				return then
			}
		}
	}

	cases := map[string]struct {
		reason   string
		ref      balancer.Ref
		protocol string
		state    func(second int) gate.State
		change   func(*world, int)
		want     int
	}{
		"ALB":        {reason: "The data path routes on for 20 s after the first read that says draining.", ref: group, protocol: "HTTP", state: draining(2, 300, 0), want: 22},
		"ALBGone":    {reason: "Although the row is gone earlier.", ref: group, protocol: "HTTPS", state: draining(2, 5, gate.Unknown), want: 22},
		"NLB":        {reason: "Two minutes, whatever the row says.", ref: group, protocol: "TCP", state: draining(2, 62, gate.Unknown), want: 122},
		"UDP":        {reason: "The table of TCP sockets tells nothing of datagrams.", ref: group, protocol: "UDP", state: draining(2, 62, gate.Unknown), want: never},
		"Unresolved": {reason: "Nor does anybody know what an unknown protocol is.", ref: group, state: draining(2, 62, gate.Unknown), want: never},
		"Serving":    {reason: "Its deregistration fails.", ref: group, protocol: "HTTP", state: draining(300, 300, 0), want: never},
		"Unhealthy": {
			reason: "What fails its checks may get requests, as when all do.", ref: group, protocol: "HTTP",
			state: func(int) gate.State { return gate.Unhealthy }, want: never,
		},
		"NeverThere": {reason: "It was taken out before; the delay counts from the first read.", ref: group, protocol: "HTTP", state: draining(0, 0, gate.Unknown), want: 20},
		"Back": {
			reason: "Somebody registered it again for a moment: the delay counts anew.", ref: group, protocol: "HTTP",
			state: func(second int) gate.State {
				if second == 15 {
					return gate.Initial
				}
				return gate.Draining
			}, want: 36,
		},
		"HAProxy": {reason: "The server is removed when it has no connection left.", ref: backend, state: draining(1, 12, gate.Unknown), want: 14},
		"HAProxyDrains": {
			reason: "While it is there it has.", ref: backend, state: draining(1, 300, 0), want: never,
		},
		"HAProxyReload": {
			reason: "An instance that comes back has it again.", ref: backend,
			state: func(second int) gate.State {
				if second == 1 || second > 10 {
					return gate.Unknown
				}
				return gate.Draining
			}, want: 13,
		},
		"LongerDrain": {
			reason: "Whoever has pods serve on for 100 s knows of a slower data path: 100 less 5 to deregister and 30 in flight.",
			ref:    group, protocol: "HTTP", state: draining(2, 300, 0), want: 67,
			change: func(w *world, second int) {
				if second == 0 {
					b := w.objects[len(w.objects)-1].(*elbv2.TargetGroupBinding)
					b.Annotations = map[string]string{v1alpha1.DrainTimeAnnotation: "100s"}
				}
			},
		},
		"NewLeader": {
			reason: "It counts from its own first read, although the target drained long before.", ref: group, protocol: "HTTP", state: draining(2, 300, 0), want: 35,
			change: func(w *world, second int) {
				if second == 15 {
					w.handler()
				}
			},
		},
		"LateNews": {
			reason: "What was read before the pod first asked may be of before its end, such as of before its registration.", ref: group, protocol: "HTTP", state: draining(0, 0, gate.Unknown), want: never,
			change: func(w *world, second int) {
				v := w.views[group]
				v.Snapshot.Started = noon.Add(-time.Second)
				if second > 0 {
					w.views[group] = v
				}
			},
		},
		"OldNews": {
			reason: "Reads fail from the tenth second on: a minute later nothing is known any more.", ref: group, protocol: "TCP", state: draining(2, 300, 0), want: never,
			change: func(w *world, second int) {
				if v := w.views[group]; second > 10 {
					v.Snapshot.Started = at(10)
					w.views[group] = v
				}
			},
		},
		"Unread": {
			reason: "The group was never read.", ref: group, protocol: "HTTP", state: draining(0, 0, gate.Unknown), want: never,
			change: func(w *world, _ int) { delete(w.views, group) },
		},
		"NotServed": {
			reason: "Nobody knows which group the binding is of.", ref: group, protocol: "HTTP", state: draining(0, 300, 0), want: never,
			change: func(w *world, _ int) { delete(w.known, "web") },
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.ref, tc.protocol)
			got := never
			for second := range 180 {
				w.clock = at(second)
				w.read(tc.ref, tc.state(second))
				if tc.change != nil {
					tc.change(w, second)
				}
				if w.ask().Released {
					got = second
					break
				}
			}

			if got != tc.want {
				t.Errorf("%s\nreleased in second %d, want %d", tc.reason, got, tc.want)
			}

			if got != never && w.asked[tc.ref] == 0 {
				t.Error("the group was not asked to be read when the pod first asked")
			}
		})
	}
}

// TestReleasedByAll: every group of the pod has to let go of it.
func TestReleasedByAll(t *testing.T) {
	other := balancer.Ref{Provider: elbv2traits.Kind, Group: "other"}
	cases := map[string]struct {
		reason string
		change func(*world)
		wanted []string
		want   hook.Answer
	}{
		"One":      {reason: "There is one, and it has.", change: func(*world) {}, want: hook.Answer{Released: true, Ports: []int32{8080}}},
		"TwoGroup": {reason: "The other one still serves.", change: func(w *world) { w.bind("other", other, "HTTP", 80) }, want: hook.Answer{Ports: []int32{8080}}},
		"TwoPorts": {reason: "So it is at another port.", change: func(w *world) { w.bind("other", other, "HTTP", 81) }, want: hook.Answer{Ports: []int32{8080, 9090}}},
		"SameGroup": {
			reason: "Two bindings of one group ask about one target.", change: func(w *world) { w.bind("other", group, "HTTP", 80) },
			wanted: []string{"web", "other"}, want: hook.Answer{Released: true, Ports: []int32{8080}},
		},
		"Instance": {
			reason: "Pods are no targets of a group of instances.",
			change: func(w *world) {
				w.bind("nodes", other, "HTTP", 80)
				r := w.known["nodes"]
				r.Group.TargetType = "instance"
				w.known["nodes"] = r
			},
			want: hook.Answer{Released: true, Ports: []int32{8080}},
		},
		"BindingGone": {
			reason: "The hook was made for a binding that is gone: nothing is known of its group.", change: func(*world) {},
			wanted: []string{"web", "deleted"}, want: hook.Answer{Ports: []int32{8080}},
		},
		"ServiceGone": {reason: "Without its Service nobody knows what the binding is about.", change: func(w *world) { w.objects = w.objects[1:] }, want: hook.Answer{}},
		"PortGone": {
			reason: "The Service lost the port.",
			change: func(w *world) {
				w.objects[1].(*elbv2.TargetGroupBinding).Spec.ServiceRef.Port.IntVal = 99
			}, want: hook.Answer{},
		},
		"NoAddress": {reason: "The pod has no address of the group's family.", change: func(w *world) { w.pod.Status.PodIPs = nil }, want: hook.Answer{}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, group, "HTTP")
			tc.change(w)

			if tc.wanted == nil {
				tc.wanted = []string{"web"}
			}

			var got hook.Answer
			for second := range 30 {
				w.clock = at(second)
				w.read(group, gate.Draining)
				w.read(other, gate.Healthy)
				got = w.ask(tc.wanted...)
			}

			slices.Sort(got.Ports)
			if got.Released != tc.want.Released || !slices.Equal(got.Ports, tc.want.Ports) {
				t.Errorf("%s\ngot %+v, want %+v", tc.reason, got, tc.want)
			}
		})
	}
}

// TestTurns: connections may stay open where requests take turns on all of them.
func TestTurns(t *testing.T) {
	other := balancer.Ref{Provider: elbv2traits.Kind, Group: "other"}
	cases := map[string]struct {
		reason            string
		protocol, version string
		idle              string
		change, bind      func(*world)
		want              bool
	}{
		"HTTP":    {reason: "An answer follows its request.", idle: "Leave", protocol: "HTTP", version: "HTTP1", want: true},
		"HTTP2":   {reason: "Many are under way.", idle: "Leave", protocol: "HTTP", version: "HTTP2"},
		"GRPC":    {reason: "Many are under way.", idle: "Leave", protocol: "HTTP", version: "GRPC"},
		"HTTPS":   {reason: "TLS sends records of its own.", idle: "Leave", protocol: "HTTPS", version: "HTTP1"},
		"TCP":     {reason: "Nobody knows what is spoken.", idle: "Leave", protocol: "TCP"},
		"Unknown": {reason: "Nobody has told.", idle: "Leave", protocol: "HTTP"},
		"HAProxy": {reason: "It closes connections before it removes the server.", idle: "Leave", protocol: "HTTP", version: "HTTP1", change: func(w *world) { w.bind("other", backend, "HTTP", 80) }},
		"Other": {
			reason: "The other group speaks otherwise.", idle: "Leave", protocol: "HTTP", version: "HTTP1", change: func(w *world) { w.bind("other", other, "TCP", 80) },
		},
		"Unsaid":   {reason: "A WebSocket, an upload after 100 Continue and an answer that pauses look idle, too.", protocol: "HTTP", version: "HTTP1"},
		"Wait":     {reason: "Its owner wants to wait.", idle: "Wait", protocol: "HTTP", version: "HTTP1"},
		"Misspelt": {reason: "That says nothing.", idle: "leave", protocol: "HTTP", version: "HTTP1"},
		"OtherUnsaid": {
			reason: "The other binding's owner does not say so.", idle: "Leave", protocol: "HTTP", version: "HTTP1",
			bind: func(w *world) { w.bind("other", group, "HTTP", 81); w.known["other"] = w.known["web"] },
		},
		"OnlyOtherSays": {
			reason: "Nor does the first one's.", protocol: "HTTP", version: "HTTP1",
			bind: func(w *world) {
				w.bind("other", group, "HTTP", 81)
				w.known["other"] = w.known["web"]
				w.objects[len(w.objects)-1].SetAnnotations(map[string]string{v1alpha1.DrainIdleAnnotation: "Leave"})
			},
		},
		"NotServed": {reason: "Nobody knows how the group speaks.", idle: "Leave", protocol: "HTTP", version: "HTTP1", change: func(w *world) { delete(w.known, "web") }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, group, tc.protocol)
			r := w.known["web"]
			r.Group.Version = tc.version
			w.known["web"] = r
			if tc.change != nil {
				tc.change(w)
			}
			for _, o := range w.objects {
				if tc.idle != "" {
					o.SetAnnotations(map[string]string{v1alpha1.DrainIdleAnnotation: tc.idle})
				}
			}
			if tc.bind != nil {
				tc.bind(w)
			}
			w.read(group, gate.Draining)
			if got := w.ask().Turns; got != tc.want {
				t.Errorf("%s\nturns: %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

// TestForgets: what asked is not remembered for ever.
func TestForgets(t *testing.T) {
	w := newWorld(t, group, "HTTP")
	w.read(group, gate.Draining)
	w.ask()
	w.clock = noon.Add(3 * time.Hour)
	w.pod.UID, w.pod.DeletionTimestamp = "u1", new(metav1.NewTime(w.clock))
	w.h.leaving.ask(one{pod: "another"}, w.clock)
	if n := len(w.h.leaving.of); n != 1 {
		t.Errorf("%d pods are remembered, want 1", n)
	}
}
