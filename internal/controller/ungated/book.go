// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/binding"
)

// book is what was found of pods, so that it is told once. Pods of which nothing was
// found are not in it. One worker uses it.
type book struct {
	pods   map[types.NamespacedName]note
	owners map[ownerNote]*ownerCount
}

// note is what was found of a pod.
type note struct {
	pod   types.UID
	owner types.UID
	about string
}

// ownerNote is what was found of an owner's pods.
type ownerNote struct {
	owner types.UID
	about string
}

type ownerCount struct {
	pods int
	told bool
}

func newBook() book {
	return book{pods: map[types.NamespacedName]note{}, owners: map[ownerNote]*ownerCount{}}
}

// enter notes what was found of a pod. The pod's owner's entry is nil when it was known
// already; changed says that something else was found of this very pod before.
func (b *book) enter(key types.NamespacedName, pod *corev1.Pod, about string) (whole *ownerCount, changed bool) {
	next := note{pod: pod.UID, about: about}
	if owner := binding.Owner(pod); owner != nil {
		next.owner = owner.UID
	}

	before, known := b.pods[key]
	if known && before == next {
		return nil, false
	}

	b.forget(key)
	b.pods[key] = next
	whole = b.of(next)
	whole.pods++

	return whole, known && before.pod == next.pod
}

// of is what is counted of a note's owner and finding.
func (b *book) of(n note) *ownerCount {
	key := ownerNote{owner: n.owner, about: n.about}
	if b.owners[key] == nil {
		b.owners[key] = &ownerCount{}
	}
	return b.owners[key]
}

// forget drops a pod's note, if it has one.
func (b *book) forget(key types.NamespacedName) {
	n, known := b.pods[key]
	if !known {
		return
	}
	delete(b.pods, key)
	whole := b.of(n)
	if whole.pods--; whole.pods <= 0 {
		delete(b.owners, ownerNote{owner: n.owner, about: n.about})
	}
}
