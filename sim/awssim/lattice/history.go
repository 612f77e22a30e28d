// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"time"

	"github.com/podgate/podgate/sim/awssim/faults"
)

// past is what the API said of a target from a time on; an empty status is a registration that ended.
type past struct {
	at     time.Time
	key    faults.Target
	seq    int64 // of the registration
	status string
	reason string
}

// historyKept is how long ago a list may lag.
const historyKept = 10 * time.Minute

// remember appends to the history of a target and drops what is too old.
func (g *targetGroup) remember(r *registration, status, reason string) {
	now := time.Now()
	list := g.history[r.key]
	list = append(list, past{at: now, key: r.key, seq: r.seq, status: status, reason: reason})
	for len(list) > 1 && now.Sub(list[1].at) > historyKept {
		list = list[1:]
	}
	g.history[r.key] = list
}

// forget drops the histories of targets that are long gone.
func (g *targetGroup) forget() {
	for k, list := range g.history {
		if last := list[len(list)-1]; last.status == "" && time.Since(last.at) > historyKept {
			delete(g.history, k)
		}
	}
}

// listedAt are the targets that the group had at a time, as they were.
func (g *targetGroup) listedAt(at time.Time) []past {
	var listed []past
	for _, list := range g.history {
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].at.After(at) {
				continue
			}
			if list[i].status != "" {
				listed = append(listed, list[i])
			}
			break
		}
	}
	return listed
}
