// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// journal are the events about one object, the newest maxMarks.
type journal map[types.UID]Mark

func (j *journal) note(uid types.UID, m Mark) {
	if *j == nil {
		*j = journal{}
	}
	(*j)[uid] = m
	for len(*j) > maxMarks {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(*j)), func(a, b types.UID) int {
			return cmp.Or((*j)[a].last().Compare((*j)[b].last()), cmp.Compare(a, b))
		})
		delete(*j, oldest)
	}
}

// last is when the newest was told.
func (j journal) last() time.Time {
	var last time.Time
	for _, m := range j {
		if at := m.last(); at.After(last) {
			last = at
		}
	}
	return last
}

// with is a journal with another's marks, too.
func (j journal) with(more journal) journal {
	all := journal{}
	maps.Copy(all, j)
	maps.Copy(all, more)
	return all
}

func (j journal) forget(before time.Time) {
	maps.DeleteFunc(j, func(_ types.UID, m Mark) bool { return m.last().Before(before) })
}

// between are the marks of a time, in its order.
func (j journal) between(from, to time.Time) []Mark {
	var all []Mark
	for _, m := range j {
		if !m.last().Before(from) && !m.At.After(to) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Mark) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message))
	})
	return all
}

func (m Mark) last() time.Time { return cmpTime(m.Until, m.At) }

// Event folds in an event of the workload, its pods, revisions or bindings, as it is read or watched. Whether one of another
// kind of object belongs to the workload is up to the caller; of pods it is found out here.
func (r *Recorder) Event(e *corev1.Event) {
	m := markOf(e)
	about := e.InvolvedObject
	if about.Kind != "Pod" {
		r.marks.note(e.UID, m)
		r.ofMaker(e, m)
		return
	}

	uid := about.UID
	if uid == "" {
		uid = r.names[about.Name]
	}
	if l := r.lanes[uid]; l != nil {
		l.marks.note(e.UID, m)
		return
	}

	hash, ours := r.makes(about.Name)
	if !ours {
		return
	}
	key := incarnation{about.Name, about.UID}
	if r.told[key] == nil {
		r.told[key] = toldOf(key, hash)
	}
	r.told[key].marks.note(e.UID, m)
}

// toldOf is the lane of a pod that only events tell of.
func toldOf(pod incarnation, hash string) *lane {
	l := &lane{}
	l.Pod, l.UID, l.Revision, l.Told = pod.name, string(pod.uid), hash, true
	return l
}

// makes reports whether one of the workload's objects makes pods of such a name, and of which revision.
func (r *Recorder) makes(pod string) (hash string, ours bool) {
	if r.workload.Kind == "Pod" {
		return "", pod == r.workload.Name
	}
	maker := pod[:max(strings.LastIndex(pod, "-"), 0)]
	hash, ours = r.makers[maker]
	// A Deployment makes no pods itself.
	return hash, ours && (maker != r.workload.Name || r.workload.Kind != "Deployment")
}

// ofMaker notes what the maker of a pod told: that it made, or deleted it.
func (r *Recorder) ofMaker(e *corev1.Event, m Mark) {
	if m.Reason != reasonCreated && m.Reason != reasonDeleted {
		return
	}
	// "Created pod: NAME", and of a StatefulSet "create Pod NAME in StatefulSet WORKLOAD successful".
	for word := range strings.FieldsSeq(m.Message) {
		if _, ours := r.makes(word); ours && word != e.InvolvedObject.Name {
			told := r.mentions[word]
			told.note(e.UID, m)
			r.mentions[word] = told
		}
	}
}

// lives gives each lane the marks of its pod, and adds the lanes of pods that only events tell of. What a maker told of a name is
// about the pod that had it then, and about one that is gone where none that was seen did.
func (r *Recorder) lives() (marks map[*lane]journal, told []*lane) {
	marks = map[*lane]journal{}
	seen, gone := map[string][]*lane{}, map[string][]*lane{}
	for _, l := range r.lanes {
		marks[l], seen[l.Pod] = l.marks.with(nil), append(seen[l.Pod], l)
	}
	for _, l := range r.told {
		marks[l], gone[l.Pod] = l.marks.with(nil), append(gone[l.Pod], l)
	}

	for name, mentions := range r.mentions {
		for uid, m := range mentions {
			first := false
			for _, l := range seen[name] {
				if about, lived := l.lived(m); lived {
					marks[l][uid] = about
					first = first || about.At.Equal(m.At)
				}
			}
			if first {
				continue
			}

			if len(gone[name]) == 0 {
				hash, _ := r.makes(name)
				l := toldOf(incarnation{name: name}, hash)
				marks[l], gone[name] = journal{}, []*lane{l}
			}
			nearest := slices.MinFunc(gone[name], func(a, b *lane) int {
				return cmp.Or(cmp.Compare(a.marks.apart(m.At), b.marks.apart(m.At)), cmp.Compare(a.UID, b.UID))
			})
			marks[nearest][uid] = m
		}
	}

	for _, all := range gone {
		told = append(told, all...)
	}
	return marks, told
}

// lived gives a mark as it is about the pod, by its times; false where it is not. An event that is told again may have been about
// an earlier pod at first.
func (l *lane) lived(m Mark) (Mark, bool) {
	begin, gone := l.Stages[Created].At.Add(-resolution), l.Stages[Gone]
	outside := func(at time.Time) bool { return at.Before(begin) || gone.Happened() && at.After(gone.At) }
	switch {
	case !outside(m.At):
		return m, true
	case !outside(m.last()):
		m.At, m.Until = m.last(), time.Time{}
		return m, true
	}
	return m, false
}

// apart is how far a time is from those of the marks.
func (j journal) apart(at time.Time) time.Duration {
	least := time.Duration(math.MaxInt64)
	for _, m := range j {
		least = min(least, at.Sub(m.At).Abs(), at.Sub(m.last()).Abs())
	}
	return least
}

// The reasons of Kubernetes' events by which the life of a pod is known that is gone.
const (
	reasonCreated   = "SuccessfulCreate"
	reasonDeleted   = "SuccessfulDelete"
	reasonScheduled = "Scheduled"
	reasonKilling   = "Killing"
)

// tale makes a Lane of what events told. The pod is not older than its revision, which is there since a time.
func (l *lane) tale(marks journal, since, from, to time.Time) Lane {
	lane := l.Lane
	lane.Stages = map[Stage]Moment{ContainersReady: {}, Ready: {}, Stopped: {}}
	for stage, reasons := range map[Stage][]string{Created: {reasonCreated}, Scheduled: {reasonScheduled}, Terminating: {reasonKilling, reasonDeleted}} {
		lane.Stages[stage] = marks.first(reasons)
	}

	all := marks.between(time.Time{}, to)
	if !lane.Stages[Created].Happened() && len(all) > 0 {
		lane.Stages[Created] = Moment{Known: Bounded, At: all[0].At, After: since}
	}
	lane.Stages[Gone] = Moment{Known: Bounded, After: marks.last(), At: to}
	lane.Marks = marks.between(from, to)
	return lane
}

// first is when one of some events was told first.
func (j journal) first(reasons []string) Moment {
	var m Moment
	for _, mark := range j {
		if slices.Contains(reasons, mark.Reason) && (m.Known == Unknown || mark.At.Before(m.At)) {
			m = Moment{Known: Exact, At: mark.At}
		}
	}
	return m
}

func markOf(e *corev1.Event) Mark {
	m := Mark{
		At: firstSeen(e), Count: max(e.Count, 1), Warning: e.Type == corev1.EventTypeWarning,
		Object: strings.TrimSpace(e.InvolvedObject.Kind + " " + e.InvolvedObject.Name), Reason: e.Reason, Message: e.Message,
	}
	if e.Series != nil {
		m.Count, m.Until = e.Series.Count, e.Series.LastObservedTime.Time
	} else {
		m.Until = e.LastTimestamp.Time
	}
	if !m.Until.After(m.At) {
		m.Until = time.Time{}
	}
	return m
}

// firstSeen is when an event was told first, by whichever of the two APIs it was written.
func firstSeen(e *corev1.Event) time.Time {
	for _, at := range []time.Time{e.EventTime.Time, e.FirstTimestamp.Time, e.LastTimestamp.Time} {
		if !at.IsZero() {
			return at
		}
	}
	return e.CreationTimestamp.Time
}
