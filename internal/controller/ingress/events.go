// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
)

// note is what an event says of an Ingress.
type note struct{ kind, reason, message string }

// teller makes events, each once for as long as what it says holds. That a load balancer is ready it says again when a wait,
// a failure or a hold has ended: the newest event is what people go by.
type teller struct {
	recorder events.EventRecorder

	mu   sync.Mutex
	said map[saying]map[note]bool
	// times is how often each reason was given.
	times map[saying]map[string]int
}

// saying is one group's word about one Ingress.
type saying struct {
	group Key
	ing   types.UID
}

func newTeller(recorder events.EventRecorder) *teller {
	return &teller{recorder: recorder, said: map[saying]map[note]bool{}, times: map[saying]map[string]int{}}
}

// tell makes events of what now holds of an Ingress and did not before, and returns that.
func (t *teller) tell(group Key, ing client.Object, notes []note) (news []note) {
	t.mu.Lock()
	defer t.mu.Unlock()

	about := saying{group, ing.GetUID()}
	now := map[note]bool{}
	over := t.over(about, notes)
	for _, n := range notes {
		again := over && n.reason == v1alpha1.ReasonLoadBalancerReady
		if !now[n] && (again || !t.said[about][n]) {
			t.recorder.Eventf(ing, nil, n.kind, n.reason, t.action(about, n.reason), "%s", n.message)
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

// action is what an event says was done. It differs each time that a reason is given: client-go takes events for one series
// otherwise, whatever they say. It drops the message of the second one, and tells of the third one minutes later.
func (t *teller) action(about saying, reason string) string {
	if t.times[about] == nil {
		t.times[about] = map[string]int{}
	}
	t.times[about][reason]++
	if n := t.times[about][reason]; n > 1 {
		return fmt.Sprintf("Provision%d", n)
	}
	return "Provision"
}

// over reports whether something that kept a load balancer from being ready was said and holds no more.
func (t *teller) over(about saying, notes []note) bool {
	for n := range t.said[about] {
		switch n.reason {
		case v1alpha1.ReasonLoadBalancerWaiting, v1alpha1.ReasonLoadBalancerFailed, v1alpha1.ReasonLoadBalancerHeld:
			if !slices.Contains(notes, n) {
				return true
			}
		}
	}
	return false
}

// forget drops what was said of the Ingresses that a group has nothing to do with any more.
func (t *teller) forget(group Key, members []member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	still := map[types.UID]bool{}
	for _, m := range members {
		still[m.GetUID()] = true
	}
	for about := range t.times {
		if about.group == group && !still[about.ing] {
			delete(t.said, about)
			delete(t.times, about)
		}
	}
}
