// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// life is a pod from one second on, Ready from another on, and gone at a third; those that are 0 do not happen.
func life(name string, created, ready, gone float64) Lane {
	l := Lane{Pod: name, Stages: map[Stage]Moment{Created: exact(created), Scheduled: exact(created), Gone: pending}}
	spans := []Span{{From: at(created), Known: Exact}}
	if ready > 0 {
		spans = []Span{{From: at(created), To: at(ready), Known: Exact}, {From: at(ready), Status: "True", Known: Exact}}
	}
	if gone > 0 {
		l.Stages[Gone] = exact(gone)
	}
	l.Conditions = []Track{{Type: "ContainersReady", Spans: spans}, {Type: "Ready", Spans: spans}}
	return l
}

// TestChoose: pods that are not Ready come first, the longest first, then those that changed last, and last those that are gone.
func TestChoose(t *testing.T) {
	tl := Timeline{From: at(0), To: at(100), Lanes: []Lane{
		life("gone early", 1, 2, 30), life("ready early", 1, 20, 0), {Pod: "nothing is known"}, life("waits short", 60, 0, 0),
		life("gone late", 1, 3, 40), life("ready late", 1, 50, 0), life("waits long", 10, 0, 0),
	}}
	order := []string{"waits long", "waits short", "ready late", "ready early", "gone late", "gone early", "nothing is known"}
	for after := range len(order) + 2 {
		for most := range len(order) + 2 {
			var chosen []string
			for place := range tl.Choose(after, most) {
				chosen = append(chosen, tl.Lanes[place].Pod)
			}
			want := slices.Sorted(slices.Values(order[min(after, len(order)):min(after+most, len(order))]))
			slices.Sort(chosen)
			if !slices.Equal(chosen, want) {
				t.Errorf("%d after %d: %q, want %q", most, after, chosen, want)
			}
		}
	}
}

// TestBusyEdges: what happens at the very begin and end belongs to it.
func TestBusyEdges(t *testing.T) {
	for name, c := range map[string]struct {
		tl         Timeline
		begin, end float64
	}{
		"a mark at the begin":              {Timeline{Marks: []Mark{{At: at(0)}}}, 0, 3},
		"a mark at the end":                {Timeline{Marks: []Mark{{At: at(1000)}}}, 997, 1000},
		"marks outside":                    {Timeline{Marks: []Mark{{At: at(-1)}, {At: at(1001)}}}, 0, 1000},
		"a margin of a twentieth":          {Timeline{Marks: []Mark{{At: at(500)}, {At: at(600)}}}, 495, 605},
		"a gate that changes":              {Timeline{Lanes: []Lane{{Gates: []Track{{Spans: []Span{{From: at(300)}, {From: at(340)}}}}, Stages: map[Stage]Moment{Gone: exact(-1)}}}}, 297, 343},
		"a pod that goes":                  {Timeline{Lanes: []Lane{life("a", -500, -400, 700)}}, 697, 703},
		"a pod that is gone by some time":  {Timeline{Lanes: []Lane{{Stages: map[Stage]Moment{Gone: {Known: Bounded, At: at(700)}}}}}, 0, 1000},
		"a rollback that nobody else told": {Timeline{Workload: Workload{Revisions: []Revision{{Latest: true, Began: exact(200)}}}}, 197, 203},
		"a revision that is not the last":  {Timeline{Workload: Workload{Revisions: []Revision{{Began: exact(200)}}}}, 0, 1000},
	} {
		c.tl.From, c.tl.To = at(0), at(1000)
		begin, end := c.tl.Busy()
		if !begin.Equal(at(c.begin)) || !end.Equal(at(c.end)) {
			t.Errorf("%s: %g to %g, want %g to %g", name, begin.Sub(zero).Seconds(), end.Sub(zero).Seconds(), c.begin, c.end)
		}
	}
}

// TestWindowEdges: what ended, or was told, at the very begin is in the window, and so is what was told at its end.
func TestWindowEdges(t *testing.T) {
	r := NewRecorder("Deployment", "shop", "web")
	r.Revision(Revision{Hash: "6c"}, "web-6c")
	for name, gone := range map[string]float64{"web-6c-a": 9.999, "web-6c-b": 10} {
		p := pod(name, "6c", 0, gate)
		r.Pod(p, at(0))
		says(p, gate, "True", "", gone-1)
		r.Pod(p, at(gone-1))
		r.Deleted(p.UID, at(gone))
	}
	for name, told := range map[string]float64{"web-6c-c": 9, "web-6c-d": 10} {
		r.Event(event("Pod", name, "Killing", "", told))
	}
	for message, told := range map[string]float64{"before": 9, "begin": 10, "end": 20, "after": 21} {
		r.Event(event("Deployment", "web", "Scaled", message, told))
	}
	long := event("Deployment", "web", "Scaled", "until the begin", 1)
	long.Count, long.LastTimestamp = 2, stamp(10)
	r.Event(long)

	got := r.Timeline(at(10), at(20))
	var pods, messages []string
	for _, l := range got.Lanes {
		pods = append(pods, l.Pod)
	}
	for _, m := range got.Marks {
		messages = append(messages, m.Message)
	}
	slices.Sort(pods)
	if diff := cmp.Diff([][]string{{"web-6c-b", "web-6c-d"}, {"until the begin", "begin", "end"}}, [][]string{pods, messages}); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}

	// Spans that ended before are left out, and counted.
	for from, omitted := range map[float64]int{9: 0, 9.001: 1} {
		lanes := r.Timeline(at(from), at(20)).Lanes
		b := lanes[slices.IndexFunc(lanes, func(l Lane) bool { return l.Pod == "web-6c-b" })]
		if g := b.Gates[0]; g.Omitted != omitted || len(g.Spans) != 2-omitted {
			t.Errorf("from %g: %d spans, %d omitted", from, len(g.Spans), g.Omitted)
		}
	}

	// What is forgotten is what ended before.
	r.Forget(at(10))
	if got := r.Timeline(at(-10), at(30)); len(got.Lanes) != 2 || len(got.Marks) != 4 {
		t.Errorf("%d lanes and %d marks are remembered", len(got.Lanes), len(got.Marks))
	}
}

// TestMentionEdges: an event of the maker is about the pod from a second before its creation, whose times are whole seconds, until it
// is gone.
func TestMentionEdges(t *testing.T) {
	for told, lanes := range map[float64]int{8: 2, 9: 1, 30: 1, 31: 2} {
		r := NewRecorder("DaemonSet", "shop", "web")
		p := pod("web-a", "6c", 10)
		r.Pod(p, at(11))
		r.Deleted(p.UID, at(30))
		r.Event(event("DaemonSet", "web", "SuccessfulDelete", "Deleted pod: web-a", told))
		if got := r.Timeline(at(0), at(60)).Lanes; len(got) != lanes {
			t.Errorf("told at %g: %d lanes, want %d: %+v", told, len(got), lanes, got)
		}
	}
}

func TestTrackAt(t *testing.T) {
	track := Track{Spans: []Span{{From: at(1), To: at(2), Status: "a"}, {From: at(3), Status: "b"}}}
	for seconds, want := range map[float64]string{0.999: " false", 1: "a true", 1.999: "a true", 2: "a false", 2.999: "a false", 3: "b true", 99: "b true"} {
		s, in := track.At(at(seconds))
		if got := s.Status + map[bool]string{true: " true", false: " false"}[in]; got != want {
			t.Errorf("at %g: %q, want %q", seconds, got, want)
		}
	}
	if (&Track{}).Last() != (Span{}) || track.Last().Status != "b" {
		t.Error("the last span")
	}
}

func TestHappened(t *testing.T) {
	for known, want := range map[Knowledge]bool{Unknown: false, Exact: true, Bounded: true, Pending: false} {
		if got := (Moment{Known: known}).Happened(); got != want {
			t.Errorf("%q: %t", known, got)
		}
	}
}

// TestChanged: conditions change in whole seconds, so that what is seen within one is as old as it is seen.
func TestChanged(t *testing.T) {
	for name, c := range map[string]struct {
		since time.Time
		want  float64
	}{
		"never": {time.Time{}, 50}, "just now": {at(49.001), 50}, "a second ago": {at(49), 49}, "before it was there": {at(9), 10}, "as it was made": {at(10), 10},
	} {
		if got := changed(c.since, at(10), at(50)); !got.Equal(at(c.want)) {
			t.Errorf("%s: %s, want %g", name, got.Sub(zero), c.want)
		}
	}
	for since, want := range map[float64]Knowledge{48: Exact, 47.999: Bounded} {
		if got := known(at(since), at(50)); got != want {
			t.Errorf("since %g: %q, want %q", since, got, want)
		}
	}
}

// TestStateOf: what a gate says of its target.
func TestStateOf(t *testing.T) {
	for name, c := range map[string]struct {
		gate  Span
		state string
		known Knowledge
	}{
		"nobody remembers":      {Span{Status: "True", Reason: "Healthy"}, "", Unknown},
		"healthy":               {Span{Status: "True", Reason: "Healthy", Known: Exact}, TargetHealthy, Bounded},
		"without health checks": {Span{Status: "True", Reason: "HealthCheckUnavailable", Known: Exact}, TargetHealthy, Bounded},
		"opened by hand":        {Span{Status: "True", Reason: "ForcedOpen", Known: Exact}, "", Unknown},
		"closed for another":    {Span{Status: "False", Reason: "OtherGateClosed", Known: Exact}, "", Unknown},
		"healthy, yet closed":   {Span{Status: "False", Reason: "Healthy", Known: Exact}, "", Unknown},
		"not registered":        {Span{Status: "False", Reason: "Target.NotRegistered", Known: Exact}, "", Exact},
		"draining":              {Span{Status: "False", Reason: "Target.DeregistrationInProgress", Known: Exact}, TargetDraining, Exact},
		"registered":            {Span{Status: "False", Reason: "Elb.RegistrationInProgress", Known: Bounded}, TargetInitial, Bounded},
		"checked first":         {Span{Status: "False", Reason: "Elb.InitialHealthChecking", Known: Exact}, TargetInitial, Exact},
		"unhealthy":             {Span{Status: "False", Reason: "Target.FailedHealthChecks", Known: Exact}, TargetUnhealthy, Exact},
	} {
		if state, known := stateOf(c.gate); state != c.state || known != c.known {
			t.Errorf("%s: %q, known %q, want %q, %q", name, state, known, c.state, c.known)
		}
	}
}

// TestCounts: a workload of any kind says how far it is, in the fields that many kinds share; what is not said is not made up.
func TestCounts(t *testing.T) {
	type object = map[string]any
	for name, c := range map[string]struct {
		spec, status object
		want         Workload
	}{
		"a CloneSet":            {object{"replicas": int64(3)}, object{"updatedReplicas": int64(1), "readyReplicas": int64(2), "updateRevision": "web-6c"}, Workload{Counted: true, Desired: 3, Updated: 1, ReadyPods: 2, UpdateRevision: "web-6c"}},
		"a Rollout of none":     {object{"replicas": int64(3)}, object{"currentPodHash": "6c"}, Workload{Counted: true, Desired: 3, UpdateRevision: "6c"}},
		"counts without a hash": {object{"replicas": int64(3)}, object{"updatedReplicas": int64(1)}, Workload{Counted: true, Desired: 3, Updated: 1}},
		"no count of new pods":  {object{"replicas": int64(3)}, object{"readyReplicas": int64(2)}, Workload{}},
		"it does not say":       {object{}, object{"updatedReplicas": int64(1), "updateRevision": "web-6c"}, Workload{UpdateRevision: "web-6c"}},
		"it says something":     {object{"replicas": "three"}, object{"updatedReplicas": int64(1)}, Workload{}},
	} {
		if diff := cmp.Diff(c.want, counts(&unstructured.Unstructured{Object: object{"spec": c.spec, "status": c.status}})); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
	}
}

// TestInterruptedTwice: nobody looks since the first time.
func TestInterruptedTwice(t *testing.T) {
	r := NewRecorder("Deployment", "shop", "web")
	p := pod("web-6c-a", "6c", 0)
	r.Pod(p, at(5))
	r.Interrupted(at(5))
	r.Interrupted(at(9))
	r.Deleted(p.UID, at(20))
	r.Deleted(p.UID, at(30))
	r.Deleted("nobody", at(30))
	want := Moment{Known: Bounded, After: at(5), At: at(20)}
	if got := r.Timeline(at(0), at(60)).Lanes[0].Stages[Gone]; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestStages: how far a pod has come, as its status says.
func TestStages(t *testing.T) {
	terminated := func(seconds float64) corev1.ContainerStatus {
		return corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: stamp(seconds)}}}
	}
	runs := corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	for name, c := range map[string]struct {
		phase   corev1.PodPhase
		deleted bool
		status  []corev1.ContainerStatus
		want    Moment
	}{
		"it runs":                         {corev1.PodRunning, false, []corev1.ContainerStatus{runs}, pending},
		"it restarts":                     {corev1.PodRunning, false, []corev1.ContainerStatus{terminated(5)}, pending},
		"it has not started":              {corev1.PodPending, true, nil, pending},
		"one still runs":                  {corev1.PodRunning, true, []corev1.ContainerStatus{terminated(5), runs}, pending},
		"it was deleted":                  {corev1.PodRunning, true, []corev1.ContainerStatus{terminated(9), terminated(5)}, exact(9)},
		"it ended by itself":              {corev1.PodSucceeded, false, []corev1.ContainerStatus{terminated(5)}, exact(5)},
		"it failed":                       {corev1.PodFailed, false, []corev1.ContainerStatus{terminated(5)}, exact(5)},
		"it failed before it had started": {corev1.PodFailed, false, nil, Moment{Known: Bounded, After: at(0), At: at(20)}},
	} {
		p := pod("web-6c-a", "6c", 0)
		p.Status.Phase, p.Status.ContainerStatuses = c.phase, c.status
		if c.deleted {
			deleted := stamp(4)
			p.DeletionTimestamp = &deleted
		}
		r := NewRecorder("Deployment", "shop", "web")
		r.Pod(p, at(20))
		if got := r.Timeline(at(0), at(60)).Lanes[0].Stages[Stopped]; got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestPodAlone: of a pod that was asked for by its name the events are told, and of no other. Its revision is neither old nor new.
func TestPodAlone(t *testing.T) {
	r := NewRecorder("Pod", "shop", "web-6c-a")
	r.Event(event("Pod", "web-6c-a", "Killing", "", 5))
	r.Event(event("Pod", "web-6c-b", "Killing", "", 5))
	if lanes := r.Timeline(at(0), at(20)).Lanes; len(lanes) != 1 || lanes[0].Pod != "web-6c-a" {
		t.Errorf("%+v", lanes)
	}

	for kind, version := range map[string]string{"Pod": "", "ReplicaSet": "", "Deployment": "new"} {
		r := NewRecorder(kind, "shop", "web-6c")
		r.Revision(Revision{Hash: "6c", Object: "ReplicaSet web-6c"}, "")
		r.Pod(pod("web-6c-a", "6c", 1), at(2))
		if got := r.Timeline(at(0), at(20)).Lanes[0].Version(); got != version {
			t.Errorf("of a %s: %q", kind, got)
		}
	}
}

// TestRevisionsOfPods: pods tell of revisions that no object keeps, the earliest since when. Which is the latest they do not tell.
func TestRevisionsOfPods(t *testing.T) {
	r := NewRecorder("CloneSet", "shop", "web")
	r.Revision(Revision{Hash: "8e", Object: "ControllerRevision web-8e", Created: at(30)}, "")
	r.Revision(Revision{Hash: "9f", Object: "ControllerRevision web-9f"}, "")
	for name, c := range map[string]struct {
		hash    string
		created float64
	}{"a": {"6c", 10}, "b": {"6c", 5}, "c": {"6c", 20}, "d": {"7d", 12}, "e": {"8e", 3}, "f": {"9f", 7}, "g": {"", 1}} {
		r.Pod(pod("web-"+name, c.hash, c.created), at(40))
	}

	created := map[string]float64{}
	for _, v := range r.Timeline(at(0), at(60)).Workload.Revisions {
		created[v.Hash] = v.Created.Sub(zero).Seconds()
	}
	if diff := cmp.Diff(map[string]float64{"6c": 5, "7d": 12, "8e": 30, "9f": 7}, created); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}

	alone := NewRecorder("CloneSet", "shop", "web")
	alone.Pod(pod("web-a", "6c", 10), at(40))
	got := alone.Timeline(at(0), at(60))
	if _, known := got.Workload.Latest(); known || got.Lanes[0].Version() != "" {
		t.Errorf("nobody says which is the latest: %+v", got.Workload)
	}
}

// TestWanted: a workload wants one pod where it does not say.
func TestWanted(t *testing.T) {
	for want, replicas := range map[int32]*int32{1: nil, 5: new(int32(5))} {
		if got := wanted(replicas); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
}

// TestMentionsAreForgotten with the time that they are of.
func TestMentionsAreForgotten(t *testing.T) {
	r := NewRecorder("DaemonSet", "shop", "web")
	r.Event(event("DaemonSet", "web", "SuccessfulDelete", "Deleted pod: web-a", 20))
	for before, left := range map[float64]int{10: 1, 20: 1} {
		if r.Forget(at(before)); len(r.mentions) != left {
			t.Errorf("before %g: %d are left", before, len(r.mentions))
		}
	}
	if got := r.Timeline(at(0), at(15)).Lanes; len(got) != 1 || got[0].Stages[Created].Happened() {
		t.Errorf("nothing was told by then: %+v", got)
	}
	if r.Forget(at(21)); len(r.mentions) != 0 {
		t.Errorf("%d are left", len(r.mentions))
	}
}

// TestBegins: what the first look at a pod tells.
func TestBegins(t *testing.T) {
	spans := func(created, ready float64) []Span {
		p := pod("web-6c-a", "6c", created)
		says(p, corev1.PodReady, "True", "", ready)
		r := NewRecorder("Deployment", "shop", "web")
		r.Pod(p, at(30))
		l := r.Timeline(at(0), at(60)).Lanes[0]
		if want := exact(ready); l.Stages[Ready] != want {
			t.Errorf("Ready: %+v, want %+v", l.Stages[Ready], want)
		}
		return l.Condition("Ready").Spans
	}
	if got := spans(10, 10); len(got) != 1 {
		t.Errorf("it was Ready from the begin: %+v", got)
	}
	if got := spans(10, 11); len(got) != 2 || got[0] != (Span{From: at(10), To: at(11)}) {
		t.Errorf("it was something else for a second: %+v", got)
	}

	p := pod("web-6c-a", "6c", 0)
	p.CreationTimestamp.Reset()
	r := NewRecorder("Deployment", "shop", "web")
	r.Pod(p, at(30))
	if got := r.Timeline(at(0), at(60)).Lanes[0].Stages[Created]; got != exact(30) {
		t.Errorf("it does not say when it was created: %+v", got)
	}
}

// TestChangeInGap: what changed once while nobody looked was one change.
func TestChangeInGap(t *testing.T) {
	r := NewRecorder("Deployment", "shop", "web")
	p := pod("web-6c-a", "6c", 0)
	says(p, corev1.PodReady, "False", "", 0)
	r.Pod(p, at(0.5))
	r.Interrupted(at(0.5))
	says(p, corev1.PodReady, "True", "", 20)
	r.Pod(p, at(30))
	want := []Span{{From: at(0.5), To: at(20), Status: "False", Message: "m", Known: Bounded}, {From: at(20), Status: "True", Message: "m", Known: Bounded}}
	if diff := cmp.Diff(want, r.Timeline(at(-10), at(60)).Lanes[0].Condition("Ready").Spans); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// TestEnd: a track ends once.
func TestEnd(t *testing.T) {
	var none Track
	none.end(at(1))
	track := Track{Spans: []Span{{From: at(0)}}}
	track.end(at(1))
	track.end(at(2))
	if len(none.Spans) != 0 || !track.Spans[0].To.Equal(at(1)) {
		t.Errorf("%+v, %+v", none, track)
	}
}

// TestTell: what a gate says of its target in the same way is one span.
func TestTell(t *testing.T) {
	closed := func(from float64, reason string, known Knowledge) Span {
		return Span{From: at(from), To: at(from + 1), Status: "False", Reason: reason, Known: known}
	}
	for name, c := range map[string]struct {
		second Span
		spans  int
	}{
		"the same":          {closed(1, "Target.Timeout", Exact), 1},
		"another reason":    {closed(1, "Target.FailedHealthChecks", Exact), 2},
		"another state":     {closed(1, "Elb.InitialHealthChecking", Exact), 2},
		"another knowledge": {closed(1, "Target.Timeout", Bounded), 2},
		"no state":          {closed(1, "Target.NotRegistered", Exact), 2},
		"nothing known":     {Span{From: at(1), To: at(2), Reason: "Target.Timeout"}, 2},
	} {
		var track Track
		track.tell(closed(0, "Target.Timeout", Exact))
		track.tell(c.second)
		if len(track.Spans) != c.spans || !track.Last().To.Equal(at(2)) {
			t.Errorf("%s: %+v", name, track.Spans)
		}
	}
}

// TestDrains: a target that was served drains from the deletion of its pod on, whatever its gate says after.
func TestDrains(t *testing.T) {
	draining := func(to Span) Span { to.From, to.Status = at(10), TargetDraining; return to }
	for name, c := range map[string]struct {
		stages map[Stage]Moment
		spans  []Span
		want   []Span
	}{
		"it lives":                 {map[Stage]Moment{}, []Span{{From: at(0), Status: TargetHealthy}}, []Span{{From: at(0), Status: TargetHealthy}}},
		"it is deleted later":      {map[Stage]Moment{Terminating: exact(31)}, []Span{{From: at(0), Status: TargetHealthy}}, []Span{{From: at(0), Status: TargetHealthy}}},
		"it goes":                  {map[Stage]Moment{Terminating: exact(10)}, []Span{{From: at(0), Status: TargetHealthy}}, []Span{{From: at(0), To: at(10), Status: TargetHealthy}, draining(Span{})}},
		"it stopped":               {map[Stage]Moment{Terminating: exact(10), Stopped: exact(20), Gone: exact(25)}, []Span{{From: at(0), Status: TargetHealthy}}, []Span{{From: at(0), To: at(10), Status: TargetHealthy}, draining(Span{To: at(20)})}},
		"it is gone by some time":  {map[Stage]Moment{Terminating: exact(10), Gone: {Known: Bounded, After: at(22), At: at(25)}}, []Span{{From: at(0), Status: TargetHealthy}}, []Span{{From: at(0), To: at(10), Status: TargetHealthy}, draining(Span{To: at(22)})}},
		"it was never served":      {map[Stage]Moment{Terminating: exact(10)}, []Span{{From: at(0)}}, []Span{{From: at(0), To: at(10)}}},
		"its gate changes after":   {map[Stage]Moment{Terminating: exact(10)}, []Span{{From: at(0), To: at(12), Status: TargetHealthy}, {From: at(12), To: at(14), Status: TargetUnhealthy}, {From: at(14), Status: TargetHealthy}}, []Span{{From: at(0), To: at(10), Status: TargetHealthy}, draining(Span{})}},
		"it changed before":        {map[Stage]Moment{Terminating: exact(10)}, []Span{{From: at(0), To: at(10), Status: TargetInitial}, {From: at(10), Status: TargetHealthy}}, []Span{{From: at(0), To: at(10), Status: TargetInitial}, draining(Span{})}},
		"it is deleted as it came": {map[Stage]Moment{Terminating: exact(10)}, []Span{{From: at(10), Status: TargetHealthy}}, []Span{draining(Span{})}},
	} {
		l, track := &Lane{Stages: c.stages}, &Track{Spans: c.spans}
		l.drains(track, at(30))
		if diff := cmp.Diff(c.want, track.Spans); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
	}
}

// TestReached: a pod is registered, and healthy, where the last of its load balancers says so.
func TestReached(t *testing.T) {
	initial, healthy := Span{From: at(4), Status: TargetInitial, Known: Exact}, Span{From: at(6), Status: TargetHealthy, Known: Bounded}
	for name, c := range map[string]struct {
		tracks              []Track
		registered, healthy Moment
	}{
		"none says":             {[]Track{{}}, pending, pending},
		"at once":               {[]Track{{Spans: []Span{initial, healthy}}}, exact(4), exact(6)},
		"nobody remembers when": {[]Track{{Spans: []Span{{From: at(0)}, healthy}}}, Moment{Known: Bounded, After: at(1), At: at(6)}, exact(6)},
		"it drains":             {[]Track{{Spans: []Span{{From: at(2), Status: TargetDraining, Known: Exact}}}}, pending, pending},
		"the last counts":       {[]Track{{Spans: []Span{initial, healthy}}, {Spans: []Span{{From: at(5), Status: TargetHealthy, Known: Exact}}}}, exact(5), exact(6)},
		"the first is the last": {[]Track{{Spans: []Span{{From: at(9), Status: TargetHealthy, Known: Exact}}}, {Spans: []Span{initial, healthy}}}, exact(9), exact(9)},
		"one has not":           {[]Track{{Spans: []Span{initial}}, {}}, pending, pending},
		"the first has not":     {[]Track{{}, {Spans: []Span{initial, healthy}}}, pending, pending},
		"neither has":           {[]Track{{}, {}}, pending, pending},
	} {
		l := &Lane{Stages: map[Stage]Moment{Created: exact(1)}}
		for i, track := range c.tracks {
			l.reached(track, i == 0)
		}
		if l.Stages[Registered] != c.registered || l.Stages[Healthy] != c.healthy {
			t.Errorf("%s: registered %+v, healthy %+v", name, l.Stages[Registered], l.Stages[Healthy])
		}
	}
}
