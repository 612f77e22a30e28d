// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	elbv2traits "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	haproxytraits "github.com/podgate/podgate/internal/balancer/haproxy/traits"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

var (
	noon    = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	group   = balancer.Ref{Provider: elbv2traits.Kind, Group: "arn"}
	backend = balancer.Ref{Provider: haproxytraits.Kind, Group: "web@unix:/run/haproxy"}
	target  = gate.Target{Addr: netip.MustParseAddr("10.0.0.1"), Port: 8080}
)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// read is one of the group that begins at a second and shows the target in a state, or
// not at all.
func read(seconds int, state gate.State) observe.Snapshot {
	targets := map[gate.Target]gate.Health{}
	if state != gate.Unknown {
		targets[target] = gate.Health{State: state}
	}
	return observe.Snapshot{Started: at(seconds), Targets: targets}
}

// left is what is known of the targets of pod uid.
func (r *Records) left() []Drain {
	var all []Drain
	for _, rec := range r.pods["uid"] {
		all = append(all, rec.Drain)
	}
	return all
}

var untold = cmpopts.IgnoreFields(Drain{}, "Pod", "Ref", "Target", "GoneIsDone")

// TestRead: a drain is told by reads that are about it: those before it are not, and an
// absence counts when it cannot be the API's delay.
func TestRead(t *testing.T) {
	cases := map[string]struct {
		reason string
		ref    balancer.Ref
		noted  Drain
		reads  []observe.Snapshot
		want   Drain
	}{
		"WholeWay": {
			reason: "Accepted, draining, gone.", ref: group,
			noted: Drain{Served: true, Deleted: at(0), Accepted: at(1)},
			reads: []observe.Snapshot{read(2, gate.Healthy), read(4, gate.Draining), read(9, gate.Draining), read(61, gate.Unknown)},
			want:  Drain{Served: true, Deleted: at(0), Accepted: at(1), Draining: at(4), Gone: at(61)},
		},
		"OlderRead": {
			reason: "What began before says nothing.", ref: group,
			noted: Drain{Deleted: at(0), Accepted: at(5)}, reads: []observe.Snapshot{read(4, gate.Unknown)},
			want: Drain{Deleted: at(0), Accepted: at(5)},
		},
		"TooSoon": {
			reason: "AWS may show an older state for ten seconds.", ref: group,
			noted: Drain{Deleted: at(0), Accepted: at(1)}, reads: []observe.Snapshot{read(2, gate.Unknown), read(10, gate.Unknown)},
			want: Drain{Deleted: at(0), Accepted: at(1)},
		},
		"SinceTheFirst": {
			reason: "Once it is sure, it counts from the first read without it.", ref: group,
			noted: Drain{Deleted: at(0), Accepted: at(1)}, reads: []observe.Snapshot{read(2, gate.Unknown), read(6, gate.Draining), read(7, gate.Unknown), read(12, gate.Unknown)},
			want: Drain{Deleted: at(0), Accepted: at(1), Draining: at(6), Gone: at(7)},
		},
		"HAProxy": {
			reason: "Its answers are never behind.", ref: backend,
			noted: Drain{Deleted: at(0), Accepted: at(1)}, reads: []observe.Snapshot{read(2, gate.Unknown)},
			want: Drain{Deleted: at(0), Accepted: at(1), Gone: at(2)},
		},
		"NewLeader": {
			reason: "It did not see the deregistration, but what came of it.", ref: group,
			noted: Drain{Served: true, Deleted: at(0)}, reads: []observe.Snapshot{read(30, gate.Draining), read(60, gate.Unknown)},
			want: Drain{Served: true, Deleted: at(0), Draining: at(30), Gone: at(60)},
		},
		"Failed": {
			reason: "A read that failed says nothing.", ref: backend,
			noted: Drain{Deleted: at(0), Accepted: at(1)}, reads: []observe.Snapshot{{}},
			want: Drain{Deleted: at(0), Accepted: at(1)},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := Records{Drivers: traits.All()}
			tc.noted.Pod, tc.noted.Ref, tc.noted.Target = "uid", tc.ref, target
			r.Note(tc.noted, noon)
			draining, gone := 0, 0
			for _, snap := range tc.reads {
				d, g := r.Read(tc.ref, snap)
				draining, gone = draining+len(d), gone+len(g)
			}

			if diff := cmp.Diff([]Drain{tc.want}, r.left(), untold); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}

			if (draining == 1) != !tc.want.Draining.IsZero() || (gone == 1) != !tc.want.Gone.IsZero() {
				t.Errorf("told %d times that it drains, and %d times that it is gone", draining, gone)
			}
		})
	}
}

// TestConnections: the latest number counts.
func TestConnections(t *testing.T) {
	r := Records{Drivers: traits.All()}
	r.Note(Drain{Pod: "uid", Ref: backend, Target: target, Accepted: noon}, noon)
	for second, n := range []int{7, 3} {
		r.Read(backend, observe.Snapshot{Started: at(second), Targets: map[gate.Target]gate.Health{target: {State: gate.Draining, Connections: n}}})
	}
	if got := r.left()[0].Connections; got != 3 {
		t.Errorf("want 3 connections left, got %d", got)
	}
	r.Read(backend, read(3, gate.Unknown))
	if got := r.left()[0].Connections; got != 0 {
		t.Errorf("a server that is gone has %d connections", got)
	}
}

// TestNoteAdds: what is known first stays, such as when the first call was accepted.
func TestNoteAdds(t *testing.T) {
	r := Records{Drivers: traits.All()}
	note := func(d Drain) {
		d.Pod, d.Ref, d.Target = "uid", group, target
		r.Note(d, noon)
	}
	note(Drain{Served: true, Accepted: at(1)})
	note(Drain{Deleted: at(5), Accepted: at(9), Held: true})
	want := Drain{Served: true, Held: true, Accepted: at(1), Deleted: at(5)}
	if diff := cmp.Diff([]Drain{want}, r.left(), untold); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// TestForgets: nothing stays for which nobody can ask any more.
func TestForgets(t *testing.T) {
	note := func(r *Records, uid types.UID, now time.Time) {
		r.Note(Drain{Pod: uid, Ref: group, Target: target, Deleted: noon, Accepted: noon}, now)
	}

	for name, forget := range map[string]func(*Records){
		"Registered":   func(r *Records) { r.Placed(group, target) },
		"EndedThenOut": func(r *Records) { r.End("uid", group); r.Read(group, read(60, gate.Unknown)) },
		"OutThenEnded": func(r *Records) { r.Read(group, read(60, gate.Unknown)); r.End("uid", group) },
		"AnotherPod":   func(r *Records) { note(r, "new", at(1)); r.Placed(group, target) },
		"NobodyAsks": func(r *Records) {
			note(r, "uid", at(1))
			r.Note(Drain{Pod: "x", Ref: backend}, at(10_000))
			r.Placed(backend, gate.Target{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := Records{Drivers: traits.All()}
			note(&r, "uid", noon)
			forget(&r)
			if len(r.groups)+len(r.pods)+r.count != 0 {
				t.Errorf("still remembered: %v, %v, %d", r.groups, r.pods, r.count)
			}
		})
	}
}

// TestEnd: a pod's end is told once, and what drains on is measured to its end.
func TestEnd(t *testing.T) {
	r := Records{Drivers: traits.All()}
	r.Note(Drain{Pod: "uid", Ref: group, Target: target, Accepted: noon}, noon)
	if ended := r.End("uid", backend); len(ended) != 0 {
		t.Errorf("in a group that it was not in: %v", ended)
	}
	if first, again := r.End("uid", group), r.End("uid", group); len(first) != 1 || len(again) != 0 {
		t.Errorf("want it told once, got %v and %v", first, again)
	}
	if _, gone := r.Read(group, read(300, gate.Unknown)); len(gone) != 1 {
		t.Errorf("want its row's end told, got %v", gone)
	}
}

// TestBounded: what there is no room for is not measured.
func TestBounded(t *testing.T) {
	r := Records{Drivers: traits.All()}
	for i := range most + 10 {
		r.Note(Drain{Pod: "uid", Ref: group, Target: gate.Target{Port: int32(i)}}, noon)
	}
	if n := len(r.left()); n != most {
		t.Errorf("want %d remembered, got %d", most, n)
	}
}
