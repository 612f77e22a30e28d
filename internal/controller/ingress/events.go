// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"sync"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
)

// note is what an event says of an Ingress.
type note struct{ kind, reason, message string }

// teller makes events, each once for as long as what it says holds.
type teller struct {
	recorder events.EventRecorder

	mu   sync.Mutex
	said map[saying]map[note]bool
}

// saying is one group's word about one Ingress.
type saying struct {
	group Key
	ing   types.UID
}

func newTeller(recorder events.EventRecorder) *teller {
	return &teller{recorder: recorder, said: map[saying]map[note]bool{}}
}

// tell makes events of what now holds of an Ingress and did not before, and returns that.
func (t *teller) tell(group Key, ing *networkingv1.Ingress, notes []note) (news []note) {
	t.mu.Lock()
	defer t.mu.Unlock()

	about := saying{group, ing.UID}
	now := map[note]bool{}
	for _, n := range notes {
		if !now[n] && !t.said[about][n] {
			t.recorder.Eventf(ing, nil, n.kind, n.reason, "Provision", "%s", n.message)
			news = append(news, n)
		}
		now[n] = true
	}

	if len(now) == 0 {
		delete(t.said, about)
		return news
	}
	t.said[about] = now
	return news
}

// forget drops what was said of the Ingresses that a group has nothing to do with any more.
func (t *teller) forget(group Key, members []member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	still := map[types.UID]bool{}
	for _, m := range members {
		still[m.UID] = true
	}
	for about := range t.said {
		if about.group == group && !still[about.ing] {
			delete(t.said, about)
		}
	}
}
