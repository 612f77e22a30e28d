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

	uid, known := r.names[about.Name]
	if known && (about.UID == "" || about.UID == uid) {
		r.lanes[uid].marks.note(e.UID, m)
		return
	}
	if hash, ours := r.makes(about.Name); ours && r.lanes[about.UID] == nil {
		r.tells(about.Name, about.UID, hash).marks.note(e.UID, m)
	}
}

// tells is the lane of a pod that only events tell of.
func (r *Recorder) tells(name string, uid types.UID, hash string) *lane {
	l := r.told[name]
	if l == nil {
		l = &lane{}
		l.Pod, l.Revision, l.Told = name, hash, true
		r.told[name] = l
	}
	l.UID = cmp.Or(l.UID, string(uid))
	return l
}

// makes reports whether one of the workload's objects makes pods of such a name, and of which revision.
func (r *Recorder) makes(pod string) (hash string, ours bool) {
	i := strings.LastIndex(pod, "-")
	if r.workload.Kind == "Pod" {
		return "", pod == r.workload.Name
	}
	if i < 0 {
		return "", false
	}
	hash, ours = r.makers[pod[:i]]
	// A Deployment makes no pods itself.
	return hash, ours && (pod[:i] != r.workload.Name || r.workload.Kind != "Deployment")
}

// ofMaker notes on a pod what its maker told: that it made, or deleted it.
func (r *Recorder) ofMaker(e *corev1.Event, m Mark) {
	if m.Reason != reasonCreated && m.Reason != reasonDeleted {
		return
	}
	// "Created pod: NAME", and of a StatefulSet "create Pod NAME in StatefulSet WORKLOAD successful".
	for _, word := range strings.Fields(m.Message) {
		hash, ours := r.makes(word)
		if !ours || word == e.InvolvedObject.Name {
			continue
		}
		if uid, known := r.names[word]; known {
			r.lanes[uid].marks.note(e.UID, m)
			continue
		}
		r.tells(word, "", hash).marks.note(e.UID, m)
	}
}

// The reasons of Kubernetes' events by which the life of a pod is known that is gone.
const (
	reasonCreated   = "SuccessfulCreate"
	reasonDeleted   = "SuccessfulDelete"
	reasonScheduled = "Scheduled"
	reasonKilling   = "Killing"
)

// tale makes a Lane of what events told. The pod is not older than its revision, which is there since a time.
func (l *lane) tale(since, from, to time.Time) Lane {
	lane := l.Lane
	lane.Stages = map[Stage]Moment{ContainersReady: {}, Ready: {}, Stopped: {}}
	for stage, reasons := range map[Stage][]string{Created: {reasonCreated}, Scheduled: {reasonScheduled}, Terminating: {reasonKilling, reasonDeleted}} {
		lane.Stages[stage] = l.marks.first(reasons)
	}

	all := l.marks.between(time.Time{}, to)
	if !lane.Stages[Created].Happened() && len(all) > 0 {
		lane.Stages[Created] = Moment{Known: Bounded, At: all[0].At, After: since}
	}
	lane.Stages[Gone] = Moment{Known: Bounded, After: l.marks.last(), At: to}
	lane.Marks = l.marks.between(from, to)
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
