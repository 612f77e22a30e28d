// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/binding"
)

// reported is what was found of pods, so that it is reported once. Pods of which nothing was
// found are not in it. One worker uses it.
type reported struct {
	pods   map[types.NamespacedName]entry
	owners map[ownerEntry]*ownerCount
}

// entry is what was found of a pod.
type entry struct {
	pod   types.UID
	owner types.UID
	key   string
}

// ownerEntry is what was found of an owner's pods.
type ownerEntry struct {
	owner types.UID
	key   string
}

type ownerCount struct {
	pods     int
	reported bool
}

func newReported() reported {
	return reported{pods: map[types.NamespacedName]entry{}, owners: map[ownerEntry]*ownerCount{}}
}

// enter remembers a finding about a pod, by the finding's key. The owner's count is nil when the finding was
// known already; changed reports whether something else was found of this very pod before.
func (r *reported) enter(pod types.NamespacedName, object *corev1.Pod, key string) (owned *ownerCount, changed bool) {
	next := entry{pod: object.UID, key: key}
	if owner := binding.Owner(object); owner != nil {
		next.owner = owner.UID
	}

	before, known := r.pods[pod]
	if known && before == next {
		return nil, false
	}

	r.forget(pod)
	r.pods[pod] = next
	owned = r.owned(next)
	owned.pods++

	return owned, known && before.pod == next.pod
}

// owned counts the pods of an entry's owner that have the same finding.
func (r *reported) owned(e entry) *ownerCount {
	key := ownerEntry{owner: e.owner, key: e.key}
	if r.owners[key] == nil {
		r.owners[key] = &ownerCount{}
	}
	return r.owners[key]
}

// forget drops a pod's entry, if it has one.
func (r *reported) forget(pod types.NamespacedName) {
	e, known := r.pods[pod]
	if !known {
		return
	}

	delete(r.pods, pod)
	owned := r.owned(e)
	if owned.pods--; owned.pods <= 0 {
		delete(r.owners, ownerEntry{owner: e.owner, key: e.key})
	}
}
