// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"sync/atomic"
	"time"
	"unique"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// DefaultGrace is the API server's terminationGracePeriodSeconds of a pod that states none.
const DefaultGrace = int64(30)

// Stop is what a pod's manifest says of its end.
type Stop struct {
	// Container is the one whose hook ends first, as far as hooks can be read.
	Container string
	// Hook is for how many seconds that one's preStop hook sleeps: 0 when it has none,
	// Unread when no container's hook can be read.
	Hook int64
	// Grace is terminationGracePeriodSeconds.
	Grace int64
}

// Unread is the length of a hook that cannot be read, such as a script's or an HTTP
// request's. It may be long enough, so nobody is told that it is not.
const Unread = int64(-1)

// Keep puts a Manifest into a pod of the cache, which has no containers to read it from. It
// takes a field that is there anyway and that no cached pod has: a pod's cost in memory
// stays what it was, since pods of one template share the text.
func Keep(pod *corev1.Pod, m Manifest) { pod.Status.Message = unique.Make(m.String()).Value() }

// Kept is what Keep put into a pod; false when nothing was. The Manifest is not to be changed.
func Kept(pod *corev1.Pod) (Manifest, bool) {
	text := pod.Status.Message
	if last := lastKept.Load(); last != nil && last.text == text {
		return last.manifest, true
	}

	m, ok := ParseManifest(text)
	if ok {
		lastKept.Store(&kept{text, m})
	}
	return m, ok
}

// kept is a Manifest and the text that it was read from.
type kept struct {
	text     string
	manifest Manifest
}

// lastKept is what Kept read last. Pods of one template share their text, and are mostly asked about one after the
// other, so that it need not be read again for each.
var lastKept atomic.Pointer[kept]

// StoppedAt is when the first container that serves one of the ports of a cached pod that is being deleted has slept
// through its hook and is told to stop; zero when that cannot be known, or when there is no hook: what
// an application without one does when it is told to stop, it does at once.
func StoppedAt(pod *corev1.Pod, ports ...intstr.IntOrString) time.Time {
	m, ok := Kept(pod)
	s := m.Stop(ports...)
	if !ok || s.Hook <= 0 || pod.DeletionTimestamp.IsZero() || pod.DeletionGracePeriodSeconds == nil {
		return time.Time{}
	}
	return pod.DeletionTimestamp.Add(time.Duration(s.Hook-*pod.DeletionGracePeriodSeconds) * time.Second)
}

// Short is by how many seconds a pod's hook, and its grace period, are shorter than what
// its load balancers need to let go of it, rounded up; 0 where they suffice. A grace period must hold
// the hook, too: the kubelet cuts a hook that outlasts it.
func (s Stop) Short(need time.Duration) (hook, grace int64) {
	seconds := int64((need + time.Second - 1) / time.Second)
	if s.Hook != Unread {
		hook = max(seconds-s.Hook, 0)
	}
	return hook, max(seconds, s.Hook) - min(s.Grace, max(seconds, s.Hook))
}
