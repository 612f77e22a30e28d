// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"slices"
	"strings"
	"time"
)

// numbered notes when a revision got its number, before it is folded in: when the number is seen to have changed, or when it was
// written last by the time it is seen first. A rollback gives a revision a new number, and nothing else.
func (r *Recorder) numbered(v Revision, written, at time.Time) {
	before, known := r.revisions[v.Hash]
	switch {
	case known && before.Number != v.Number && !r.blind.IsZero():
		r.numbers[v.Hash] = Moment{Known: Bounded, After: r.blind, At: at}
	case known && before.Number != v.Number:
		r.numbers[v.Hash] = Moment{Known: Exact, At: at}
	case !known && !written.IsZero():
		r.numbers[v.Hash] = Moment{Known: Bounded, At: written}
	}
}

// began puts when the latest revision became so: when it was created, unless a rollback uses it again. Then its creation says nothing,
// and all others had been there before.
func (r *Recorder) began(v *Revision, all []Revision) {
	after := v.Created
	for _, o := range all {
		if o.Object != "" && o.Created.After(after) {
			after = o.Created
		}
	}
	numbered := r.numbers[v.Hash]
	watched := numbered.Known == Exact || !numbered.After.IsZero()
	v.Again = v.Again || watched || v.Object != "" && after.After(v.Created)

	up := r.scaledUp(v.Object, after)
	switch {
	case v.Created.IsZero():
	case !v.Again && v.Object != "":
		v.Began = Moment{Known: Exact, At: v.Created}
	case !v.Again:
		// Only its pods are known.
		v.Began = Moment{Known: Bounded, At: v.Created}
	case watched:
		v.Began = numbered
	case !up.IsZero():
		v.Began = Moment{Known: Exact, At: up}
	case numbered.At.After(after):
		v.Began = Moment{Known: Bounded, After: after, At: numbered.At}
	}
}

// reasonScaled is that of the event by which a Deployment, or an Argo Rollout, tells that it gave a ReplicaSet another number of pods.
const reasonScaled = "ScalingReplicaSet"

// scaledUp is when the ReplicaSet of a revision was scaled up from no pods the first time after a time; zero where no event tells. Only
// that of the latest revision is.
func (r *Recorder) scaledUp(object string, after time.Time) time.Time {
	_, name, _ := strings.Cut(object, " ")
	var first time.Time
	for _, m := range r.marks {
		words := strings.Fields(m.Message)
		if m.Reason != reasonScaled || !strings.HasPrefix(m.Message, "Scaled up") || !strings.Contains(m.Message, " from 0 to ") || !slices.Contains(words, name) {
			continue
		}
		for _, at := range []time.Time{m.At, m.last()} {
			if at.After(after) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}
