// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gates"
)

// Recorder folds in what is read or watched of one workload. One look at each object gives what the cluster remembers;
// further looks give what changed meanwhile, exactly. It is for one goroutine.
type Recorder struct {
	workload  Workload
	revisions map[string]Revision
	// numbers are when revisions got the numbers that they have.
	numbers map[string]Moment
	// makers are the objects that create the pods, by name, with the hash of their pods.
	makers map[string]string
	lanes  map[types.UID]*lane
	// told are pods that only events tell of.
	told map[incarnation]*lane
	// names are those of the pods that were seen, the last of each.
	names map[string]types.UID
	// mentions are what makers told of pods, by the names of the pods.
	mentions map[string]journal
	marks    journal
	unknown  []string
	// blind is since when nobody looks; zero while somebody does.
	blind time.Time
}

// incarnation is a pod. A StatefulSet gives its pods the names of earlier ones.
type incarnation struct {
	name string
	uid  types.UID
}

// lane is a Lane in the making.
type lane struct {
	Lane
	seen  time.Time
	marks journal
	// conditions and gates are by their place in Lane.
	tracks map[corev1.PodConditionType]*Track
	order  []corev1.PodConditionType
}

// NewRecorder begins with a workload of which nothing is known.
func NewRecorder(kind, namespace, name string) *Recorder {
	return &Recorder{
		workload:  Workload{Kind: kind, Namespace: namespace, Name: name},
		revisions: map[string]Revision{}, numbers: map[string]Moment{}, makers: map[string]string{name: ""},
		lanes: map[types.UID]*lane{}, told: map[incarnation]*lane{}, names: map[string]types.UID{}, mentions: map[string]journal{},
	}
}

// Workload takes over the workload's counts and its latest revision.
func (r *Recorder) Workload(w Workload) {
	w.Kind, w.Namespace, w.Name, w.Revisions = r.workload.Kind, r.workload.Namespace, r.workload.Name, nil
	w.UpdateRevision = r.hash(w.UpdateRevision)
	r.workload = w
}

// Revision adds a revision, or what is new about it. The name of its ReplicaSet is how pods are recognised that are gone.
func (r *Recorder) Revision(v Revision, maker string) {
	r.revisions[v.Hash] = v
	if maker != "" {
		r.makers[maker] = v.Hash
	}
}

// Missing says what could not be read by the latest look, and so cannot be told.
func (r *Recorder) Missing(notes ...string) { r.unknown = notes }

// Interrupted says that nobody looks from a time on, as when a watch has ended. What happens until an object is seen again
// counts as not seen.
func (r *Recorder) Interrupted(at time.Time) {
	if r.blind.IsZero() {
		r.blind = at
	}
}

// Resumed says that every pod that is there has been seen again, at a time: those that were not seen since Interrupted are gone.
func (r *Recorder) Resumed(at time.Time) {
	for uid, l := range r.lanes {
		if r.missed(l) {
			r.gone(uid, at)
		}
	}
	r.blind = time.Time{}
}

// missed reports whether a pod was not seen since nobody looks.
func (r *Recorder) missed(l *lane) bool { return !r.blind.IsZero() && !l.seen.After(r.blind) }

// Pod folds in a pod as it is at a time.
func (r *Recorder) Pod(pod *corev1.Pod, at time.Time) {
	l := r.lanes[pod.UID]
	if l == nil {
		l = &lane{tracks: map[corev1.PodConditionType]*Track{}}
		l.Pod, l.UID, l.Stages = pod.Name, string(pod.UID), map[Stage]Moment{}
		r.lanes[pod.UID], r.names[pod.Name] = l, pod.UID
		r.adopt(l)
	}

	s := sight{created: pod.CreationTimestamp.Time, at: at, before: l.seen, gap: r.missed(l)}
	if s.created.IsZero() || s.created.After(at) {
		s.created = at
	}

	l.Node, l.Address, l.Revision = pod.Spec.NodeName, cmp.Or(pod.Status.PodIP, l.Address), r.hash(RevisionOf(pod.Labels))
	l.follow(pod, s)
	l.stages(pod, s)
	l.seen = at
}

// adopt takes over what events told of a pod before it was seen.
func (r *Recorder) adopt(l *lane) {
	for _, uid := range []types.UID{types.UID(l.UID), ""} {
		key := incarnation{l.Pod, uid}
		if told := r.told[key]; told != nil {
			l.marks = l.marks.with(told.marks)
			delete(r.told, key)
		}
	}
}

// Deleted folds in that a pod is gone.
func (r *Recorder) Deleted(uid types.UID, at time.Time) { r.gone(uid, at) }

func (r *Recorder) gone(uid types.UID, at time.Time) {
	l := r.lanes[uid]
	if l == nil || l.Stages[Gone].Happened() {
		return
	}
	m := Moment{Known: Exact, At: at}
	if r.missed(l) {
		m = Moment{Known: Bounded, At: at, After: l.seen}
	}

	l.Stages[Gone] = m
	for _, t := range l.tracks {
		t.end(cmpTime(m.After, at))
	}
}

// cmpTime is the first time that is not zero.
func cmpTime(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

// Forget drops the pods that were gone at a time.
func (r *Recorder) Forget(before time.Time) {
	for uid, l := range r.lanes {
		if m := l.Stages[Gone]; m.Happened() && m.At.Before(before) {
			delete(r.lanes, uid)
			if r.names[l.Pod] == uid {
				delete(r.names, l.Pod)
			}
		}
	}
	for key, l := range r.told {
		if l.marks.last().Before(before) {
			delete(r.told, key)
		}
	}
	for name, told := range r.mentions {
		if told.forget(before); len(told) == 0 {
			delete(r.mentions, name)
		}
	}
	r.marks.forget(before)
}

// follow folds in the pod's conditions and gates.
func (l *lane) follow(pod *corev1.Pod, s sight) {
	wanted := []corev1.PodConditionType{corev1.ContainersReady, corev1.PodReady}
	for _, g := range pod.Spec.ReadinessGates {
		wanted = append(wanted, g.ConditionType)
	}

	for _, conditionType := range wanted {
		t := l.tracks[conditionType]
		if t == nil {
			t = &Track{Type: string(conditionType)}
			if conditionType != corev1.ContainersReady && conditionType != corev1.PodReady {
				t.Kind = kindOf(string(conditionType))
			}
			l.tracks[conditionType] = t
			l.order = append(l.order, conditionType)
		}
		t.follow(condition(pod, conditionType), s)
	}
}

// condition is that of a pod; one without a status where it has none.
func condition(pod *corev1.Pod, conditionType corev1.PodConditionType) corev1.PodCondition {
	for _, c := range pod.Status.Conditions {
		if c.Type == conditionType {
			return c
		}
	}
	return corev1.PodCondition{Type: conditionType}
}

// kindOf is who decides about a gate. No load balancer does about one that holds its pod back from them.
func kindOf(conditionType string) Kind {
	kinds := gates.All()
	switch {
	case !kinds.Owns(conditionType):
		return ByOthers
	case kinds.Hold(conditionType):
		return ByChecks
	}
	return ByLoadBalancer
}

// stages folds in how far the pod has come.
func (l *lane) stages(pod *corev1.Pod, s sight) {
	l.Stages[Created] = Moment{Known: Exact, At: s.created}
	l.Stages[Scheduled] = became(condition(pod, corev1.PodScheduled), l.Stages[Scheduled], s)

	terminating := Moment{Known: Pending}
	if at := pod.DeletionTimestamp; at != nil {
		terminating = l.Stages[Terminating]
		if !terminating.Happened() {
			begun := at.Time
			if grace := pod.DeletionGracePeriodSeconds; grace != nil {
				begun = begun.Add(-time.Duration(*grace) * time.Second)
			}
			terminating = Moment{Known: Exact, At: changed(begun, s.created, s.at)}
		}
	}

	l.Stages[Terminating] = terminating
	l.Stages[Stopped] = stopped(pod, s)
	if !l.Stages[Gone].Happened() {
		l.Stages[Gone] = Moment{Known: Pending}
	}
}

// became is when a condition that does not turn back became True.
func became(c corev1.PodCondition, before Moment, s sight) Moment {
	switch {
	case before.Happened():
		return before
	case c.Status != corev1.ConditionTrue:
		return Moment{Known: Pending}
	}
	return Moment{Known: Exact, At: changed(c.LastTransitionTime.Time, s.created, s.at)}
}

// stopped is when the last container ended, where all have.
func stopped(pod *corev1.Pod, s sight) Moment {
	var last time.Time
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Terminated == nil {
			return Moment{Known: Pending}
		}
		if at := c.State.Terminated.FinishedAt.Time; at.After(last) {
			last = at
		}
	}

	over := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	switch {
	case len(pod.Status.ContainerStatuses) == 0 && !over, pod.DeletionTimestamp == nil && !over:
		return Moment{Known: Pending}
	case last.IsZero():
		return Moment{Known: Bounded, After: s.created, At: s.at}
	}
	return Moment{Known: Exact, At: last}
}

// revisionLabels are those by which workloads tell the pods of their revisions apart.
var revisionLabels = []string{"pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash"}

// RevisionOf is the hash of the template of a pod with these labels; empty without one.
func RevisionOf(labels map[string]string) string {
	for _, name := range revisionLabels {
		if hash := labels[name]; hash != "" {
			return hash
		}
	}
	return ""
}

// hash is what a revision is called. A StatefulSet calls it by the name of the object that keeps it, and a CloneSet by that or by
// its end.
func (r *Recorder) hash(name string) string {
	if r.workload.Kind == "StatefulSet" {
		return name
	}
	return strings.TrimPrefix(name, r.workload.Name+"-")
}

// Timeline is what is known from one time to another: pods that were gone before are left out.
func (r *Recorder) Timeline(from, to time.Time) Timeline {
	t := Timeline{Workload: r.workload, From: from, To: to, Unknown: slices.Clone(r.unknown)}
	latest := ""
	t.Workload.Revisions, latest = r.allRevisions()

	marks, told := r.lives()
	for _, l := range r.lanes {
		if gone := l.Stages[Gone]; !gone.Happened() || !gone.At.Before(from) {
			t.Lanes = append(t.Lanes, l.finish(marks[l], from, to))
		}
	}
	for _, l := range told {
		if !marks[l].last().Before(from) {
			t.Lanes = append(t.Lanes, l.tale(marks[l], r.revisions[l.Revision].Created, from, to))
		}
	}

	for i := range t.Lanes {
		if l := &t.Lanes[i]; l.Revision != "" && latest != "" {
			l.New = l.Revision == latest
			l.Old = !l.New
		}
	}
	order := map[string]int{"old": 0, "": 1, "new": 2}
	slices.SortFunc(t.Lanes, func(a, b Lane) int {
		return cmp.Or(cmp.Compare(order[a.Version()], order[b.Version()]), a.Stages[Created].At.Compare(b.Stages[Created].At), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.UID, b.UID))
	})

	t.Marks = r.marks.between(from, to)
	return t
}

// allRevisions are the newest first, with the hash of the latest; empty where nobody says which it is.
func (r *Recorder) allRevisions() (all []Revision, latest string) {
	known := maps.Clone(r.revisions)
	for _, l := range r.lanes {
		v, there := known[l.Revision]
		if l.Revision != "" && (!there || v.Created.IsZero() || v.Object == "" && l.Stages[Created].At.Before(v.Created)) {
			v.Hash, v.Created = l.Revision, l.Stages[Created].At
			known[l.Revision] = v
		}
	}

	all = slices.SortedFunc(maps.Values(known), func(a, b Revision) int {
		return cmp.Or(cmp.Compare(b.Number, a.Number), b.Created.Compare(a.Created), cmp.Compare(a.Hash, b.Hash))
	})
	latest = r.latest(all)
	for i := range all {
		v := &all[i]
		if v.Latest = v.Hash == latest; v.Latest {
			r.began(v, all)
		} else {
			v.Again = false
		}
	}
	return all, latest
}

// latest is the revision that the workload says, else the one with the highest number, or the youngest. That of pods alone does
// not tell, nor do the pods of one ReplicaSet.
func (r *Recorder) latest(newestFirst []Revision) string {
	switch {
	case r.workload.Kind == "Pod" || r.workload.Kind == "ReplicaSet":
		return ""
	case r.workload.UpdateRevision != "":
		return r.workload.UpdateRevision
	case len(newestFirst) > 0 && (newestFirst[0].Number > 0 || newestFirst[0].Object != ""):
		return newestFirst[0].Hash
	}
	return ""
}

// finish makes a Lane of what was seen, with the marks of its pod.
func (l *lane) finish(marks journal, from, to time.Time) Lane {
	lane := l.Lane
	lane.Stages = maps.Clone(l.Stages)
	lane.Conditions, lane.Gates = nil, nil
	for _, conditionType := range l.order {
		t := l.tracks[conditionType].within(from)
		if t.Kind == "" {
			lane.Conditions = append(lane.Conditions, t)
			continue
		}
		lane.Gates = append(lane.Gates, t)
	}

	lane.Stages[ContainersReady] = lane.turned(string(corev1.ContainersReady))
	lane.Stages[Ready] = lane.turned(string(corev1.PodReady))
	lane.target(to)
	lane.Marks = marks.between(from, to)
	return lane
}

// turned is when a condition became True the last time.
func (l *Lane) turned(conditionType string) Moment {
	t := l.Condition(conditionType)
	for i := len(t.Spans) - 1; i >= 0; i-- {
		if t.Spans[i].Status == string(corev1.ConditionTrue) && (i == 0 || t.Spans[i-1].Status != string(corev1.ConditionTrue)) {
			return Moment{Known: Exact, At: t.Spans[i].From}
		}
	}
	return Moment{Known: Pending}
}

// within is a copy with the spans that had not ended before a time.
func (t *Track) within(from time.Time) Track {
	c := *t
	c.Spans = slices.DeleteFunc(slices.Clone(t.Spans), func(s Span) bool { return !s.To.IsZero() && s.To.Before(from) })
	c.Omitted += len(t.Spans) - len(c.Spans)
	return c
}
