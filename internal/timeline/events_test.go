// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// event is one about an object, told at some second.
func event(kind, name, reason, message string, seconds float64) *corev1.Event {
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{UID: types.UID(fmt.Sprint(kind, name, reason, message, seconds))}, InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name},
		Type: corev1.EventTypeNormal, Reason: reason, Message: message, FirstTimestamp: stamp(seconds), LastTimestamp: stamp(seconds), Count: 1,
	}
}

// TestTold: pods that are gone are known by what events told, and nothing is made up about them.
func TestTold(t *testing.T) {
	r := NewRecorder("Deployment", "shop", "web")
	r.Revision(Revision{Hash: "6c", Created: at(-100)}, "web-6c")
	r.Event(event("ReplicaSet", "web-6c", "SuccessfulCreate", "Created pod: web-6c-aaaaa", 1))
	r.Event(event("Pod", "web-6c-aaaaa", "Scheduled", "Successfully assigned", 2))
	r.Event(event("Pod", "web-6c-aaaaa", "Killing", "Stopping container app", 10))
	r.Event(event("ReplicaSet", "web-6c", "SuccessfulDelete", "Deleted pod: web-6c-aaaaa", 9))
	r.Event(event("Pod", "web-6c-bbbbb", "Killing", "Stopping container app", 20))
	r.Event(event("Pod", "web-7d-aaaaa", "Killing", "somebody else's", 20))
	r.Event(event("Pod", "web-aaaaa", "Killing", "a Deployment makes no pods itself", 20))
	r.Event(event("Pod", "alone", "Killing", "of nobody", 20))

	lanes := r.Timeline(at(0), at(60)).Lanes
	if len(lanes) != 2 {
		t.Fatalf("%d lanes: %+v", len(lanes), lanes)
	}

	by := func(after, latest float64) Moment { return Moment{Known: Bounded, After: at(after), At: at(latest)} }
	want := map[Stage]Moment{Created: exact(1), Scheduled: exact(2), ContainersReady: {}, Ready: {}, Stopped: {}, Terminating: exact(9), Gone: by(10, 60)}
	if diff := cmp.Diff(want, lanes[0].Stages); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	phases := []Phase{{at(1), at(2), IsPending, Exact}, {at(2), at(9), IsUnclear, Unknown}, {at(9), at(10), IsTerminating, Exact}}
	if diff := cmp.Diff(phases, lanes[0].Phases(at(60))); diff != "" {
		t.Errorf("phases: -want, +got:\n%s", diff)
	}

	want = map[Stage]Moment{Created: by(-100, 20), Scheduled: {}, ContainersReady: {}, Ready: {}, Stopped: {}, Terminating: exact(20), Gone: by(20, 60)}
	if diff := cmp.Diff(want, lanes[1].Stages); diff != "" {
		t.Errorf("it was there before: -want, +got:\n%s", diff)
	}
	phases = []Phase{{at(-100), at(20), IsUnclear, Unknown}}
	if diff := cmp.Diff(phases, lanes[1].Phases(at(60))); diff != "" {
		t.Errorf("phases: -want, +got:\n%s", diff)
	}
}

// TestToldBefore: events may be read before the pod.
func TestToldBefore(t *testing.T) {
	r := NewRecorder("StatefulSet", "shop", "web")
	r.Event(event("StatefulSet", "web", "SuccessfulCreate", "create Pod web-0 in StatefulSet web successful", 0))
	r.Event(event("Pod", "web-0", "Unhealthy", "Readiness probe failed", 5))
	r.Pod(pod("web-0", "web-6c", 0), at(6))
	r.Event(event("Pod", "web-0", "Pulled", "image", 1))

	lanes := r.Timeline(at(0), at(60)).Lanes
	var reasons []string
	for _, m := range lanes[0].Marks {
		reasons = append(reasons, m.Reason)
	}
	if diff := cmp.Diff([]string{"SuccessfulCreate", "Pulled", "Unhealthy"}, reasons); diff != "" || len(lanes) != 1 || lanes[0].Told {
		t.Errorf("%d lanes, marks -want, +got:\n%s", len(lanes), diff)
	}
}

// TestNamesAgain: a StatefulSet gives its pods the names of earlier ones. What its events tell of a name is about the pod that had
// it then.
func TestNamesAgain(t *testing.T) {
	r := NewRecorder("StatefulSet", "shop", "web")
	about := func(e *corev1.Event, uid types.UID) *corev1.Event {
		e.InvolvedObject.UID = uid
		return e
	}
	made := event("StatefulSet", "web", "SuccessfulCreate", "create Pod web-0 in StatefulSet web successful", 0)
	made.Count, made.LastTimestamp = 3, stamp(200)
	r.Event(made)
	r.Event(event("StatefulSet", "web", "SuccessfulDelete", "delete Pod web-0 in StatefulSet web successful", 90))
	r.Event(about(event("Pod", "web-0", "Scheduled", "", 1), "first"))
	r.Event(about(event("Pod", "web-0", "Killing", "", 91), "first"))
	r.Event(about(event("Pod", "web-0", "Scheduled", "", 101), "second"))
	r.Event(about(event("Pod", "web-0", "Killing", "", 190), "second"))

	now := pod("web-0", "web-7d", 200)
	r.Pod(now, at(201))
	r.Event(about(event("Pod", "web-0", "Scheduled", "", 201), now.UID))

	marks := map[string]string{}
	for _, l := range r.Timeline(at(-10), at(300)).Lanes {
		for _, m := range l.Marks {
			marks[l.UID] += fmt.Sprintf("%s at %g, ", m.Reason, m.At.Sub(zero).Seconds())
		}
		if l.Told != (l.UID != string(now.UID)) || l.Told && (l.Old || l.New) {
			t.Errorf("only events tell of those before, and nobody of their revision: %+v", l)
		}
	}
	want := map[string]string{
		"first":         "SuccessfulCreate at 0, Scheduled at 1, SuccessfulDelete at 90, Killing at 91, ",
		"second":        "Scheduled at 101, Killing at 190, ",
		string(now.UID): "SuccessfulCreate at 200, Scheduled at 201, ",
	}
	if diff := cmp.Diff(want, marks); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}

	// The earlier pod is forgotten, and the name is not.
	r.Deleted(now.UID, at(310))
	next := pod("web-0", "web-7d", 311)
	next.UID = "next"
	r.Pod(next, at(312))
	r.Forget(at(320))
	r.Event(event("Pod", "web-0", "Pulled", "", 330))
	lanes := r.Timeline(at(300), at(400)).Lanes
	if len(lanes) != 1 || lanes[0].UID != string(next.UID) || len(lanes[0].Marks) != 1 {
		t.Errorf("%+v", lanes)
	}
}

// TestMark: events are written by two APIs, and repeated.
func TestMark(t *testing.T) {
	series := event("Pod", "p", "GateTimedOut", "m", 0)
	series.FirstTimestamp, series.LastTimestamp, series.Count, series.Type = metav1.Time{}, metav1.Time{}, 0, corev1.EventTypeWarning
	series.EventTime = metav1.NewMicroTime(at(3))
	once := markOf(series)
	series.Series = &corev1.EventSeries{Count: 4, LastObservedTime: metav1.NewMicroTime(at(9))}
	counted := event("Pod", "p", "Unhealthy", "m", 1)
	counted.Count, counted.LastTimestamp = 3, stamp(7)

	for name, c := range map[string]struct{ got, want Mark }{
		"new, once":   {once, Mark{At: at(3), Count: 1, Warning: true, Object: "Pod p", Reason: "GateTimedOut", Message: "m"}},
		"new, series": {markOf(series), Mark{At: at(3), Until: at(9), Count: 4, Warning: true, Object: "Pod p", Reason: "GateTimedOut", Message: "m"}},
		"old, once":   {markOf(event("Pod", "p", "Pulled", "m", 2)), Mark{At: at(2), Count: 1, Object: "Pod p", Reason: "Pulled", Message: "m"}},
		"old, counts": {markOf(counted), Mark{At: at(1), Until: at(7), Count: 3, Object: "Pod p", Reason: "Unhealthy", Message: "m"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
	}
}

// TestBounds: what is kept of one pod does not grow without end, and what is gone is forgotten.
func TestBounds(t *testing.T) {
	r := NewRecorder("Deployment", "shop", "web")
	r.Revision(Revision{Hash: "6c"}, "web-6c")
	p := pod("web-6c-a", "6c", 0, gate)
	for i := range 3 * maxSpans {
		says(p, gate, []corev1.ConditionStatus{"True", "False"}[i%2], "", float64(i))
		r.Pod(p, at(float64(i)))
		r.Event(event("Pod", p.Name, "Unhealthy", "m", float64(i)))
		r.Event(event("ReplicaSet", "web-6c", "Some", "m", float64(i)))
	}

	got := r.Timeline(at(-10), at(300))
	g := got.Lanes[0].Gates[0]
	if len(g.Spans) != maxSpans || g.Omitted != 2*maxSpans || !g.Last().From.Equal(at(3*maxSpans-1)) {
		t.Errorf("%d spans, %d omitted, the last from %s", len(g.Spans), g.Omitted, g.Last().From)
	}
	if n := len(got.Lanes[0].Marks); n != maxMarks || !got.Lanes[0].Marks[n-1].At.Equal(at(3*maxSpans-1)) {
		t.Errorf("%d marks of the pod", n)
	}
	if len(got.Marks) != maxMarks {
		t.Errorf("%d marks of the workload", len(got.Marks))
	}

	r.Deleted(p.UID, at(300))
	r.Event(event("Pod", "web-6c-b", "Killing", "", 200))
	r.Forget(at(299))
	if got := r.Timeline(at(-10), at(400)); len(got.Lanes) != 1 || len(got.Marks) != 0 {
		t.Errorf("before the window ends: %d lanes, %d marks", len(got.Lanes), len(got.Marks))
	}
	r.Forget(at(301))
	if got := r.Timeline(at(-10), at(400)); len(got.Lanes) != 0 || len(r.names) != 0 {
		t.Errorf("after it: %d lanes, %d names", len(got.Lanes), len(r.names))
	}
}

// TestWindow: what ended before is left out.
func TestWindow(t *testing.T) {
	r := NewRecorder("Deployment", "shop", "web")
	early, late := pod("web-6c-a", "6c", 0), pod("web-6c-b", "6c", 0)
	for i, p := range []*corev1.Pod{early, late} {
		r.Pod(p, at(1))
		r.Deleted(p.UID, at(10+10*float64(i)))
	}
	r.Event(event("Deployment", "web", "Scaled", "early", 5))
	r.Event(event("Deployment", "web", "Scaled", "late", 17))

	got := r.Timeline(at(15), at(30))
	if len(got.Lanes) != 1 || got.Lanes[0].Pod != late.Name || len(got.Marks) != 1 || got.Marks[0].Message != "late" {
		t.Errorf("%+v", got)
	}
}

// TestBusy: a picture begins and ends where something happens, and goes on while something goes on.
func TestBusy(t *testing.T) {
	lane := func(created float64, ready bool) Lane {
		l := Lane{Stages: map[Stage]Moment{Created: exact(created), Scheduled: exact(created)}}
		if ready {
			l.Conditions = []Track{{Type: "ContainersReady", Spans: []Span{{From: at(created), To: at(created + 20), Known: Exact}, {From: at(created + 20), Status: "True", Known: Exact}}}, {Type: "Ready", Spans: []Span{{From: at(created), To: at(created + 20), Known: Exact}, {From: at(created + 20), Status: "True", Known: Exact}}}}
		}
		return l
	}
	for name, c := range map[string]struct {
		lanes      []Lane
		begin, end float64
	}{
		"nothing":           {nil, 0, 3600},
		"long before":       {[]Lane{lane(-500, true)}, 0, 3600},
		"a rollout":         {[]Lane{lane(-500, true), lane(1000, true), lane(1100, true)}, 994, 1126},
		"one that goes on":  {[]Lane{lane(1000, true), lane(1600, false)}, 870, 3600},
		"at the very begin": {[]Lane{lane(1, true)}, 0, 24},
	} {
		tl := Timeline{From: at(0), To: at(3600), Lanes: c.lanes}
		begin, end := tl.Busy()
		if !begin.Equal(at(c.begin)) || !end.Equal(at(c.end)) {
			t.Errorf("%s: %v to %v, want %v to %v", name, begin.Sub(zero), end.Sub(zero), time.Duration(c.begin)*time.Second, time.Duration(c.end)*time.Second)
		}
	}
}
