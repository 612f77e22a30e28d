// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// After the pods of an edited object were woken they are woken again editPause later at the earliest, and editPerPod is added for each of
// them: one object that is edited all the time must not keep podgate busy.
const (
	editPause  = time.Second
	editPerPod = 5 * time.Millisecond
)

// edits paces how often the pods of objects are woken that people edit.
type edits struct {
	now func() time.Time

	mu   sync.Mutex
	last map[types.NamespacedName]edit
}

// edit is when the pods of an object were woken last, or are to be next, and how long after that they are left alone.
type edit struct {
	at    time.Time
	pause time.Duration
}

func newEdits(now func() time.Time) *edits {
	return &edits{now: now, last: map[types.NamespacedName]edit{}}
}

// wait returns how soon to wake the pods of an object that was edited: at once, unless they were woken shortly before. All edits until then
// are one.
func (e *edits) wait(object types.NamespacedName, pods int) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	maps.DeleteFunc(e.last, func(_ types.NamespacedName, last edit) bool { return !now.Before(last.at.Add(last.pause)) })

	last, edited := e.last[object]
	next := edit{at: now, pause: editPause + time.Duration(pods)*editPerPod}
	switch {
	case edited && last.at.After(now):
		return last.at.Sub(now)
	case edited:
		next.at = last.at.Add(last.pause)
	}
	e.last[object] = next
	return next.at.Sub(now)
}
