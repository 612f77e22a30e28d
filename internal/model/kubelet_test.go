// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build model

package model

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
)

const port = 8080

// life is a pod as it really is, whatever its object says.
type life struct {
	uid       types.UID
	addr      netip.Addr
	was       netip.Addr // the address before the present one, or the last
	addrSince time.Time
	answers   bool
	ready     bool // its containers
	readied   time.Time
	unready   time.Time // when its containers were last not ready
	deleted   time.Time
	ends      time.Time // when its grace period is over
	writes    int
	out       bool                                  // another controller holds the pod back
	outSince  time.Time                             // when it last changed that
	unchecked bool                                  // its gate of checks is closed
	checkedAt time.Time                             // when podgate last changed that
	mood      [3]mood                               // how it answers checks, by port
	moods     [3]int                                // how often that changed
	opened    map[corev1.PodConditionType]time.Time // when its gates last opened
}

// kubelet runs pods, and a Deployment for each color keeps up their number.
type kubelet struct {
	w     *world
	lives map[types.UID]*life
	at    map[netip.Addr]*life
	given map[netip.Addr]time.Time // when an address was last given to a pod
	freed []netip.Addr
	next  byte
	made  int
	names []string // of pods that are gone
	// deployments by color.
	replicas map[string]int
	revision map[string]int
	// The Deployments, when they were last looked at, and when they are to be next; zero when there is nothing to be seen.
	seen     deployments
	deployed time.Time
	deploys  time.Time
	surge    int
	grace    time.Duration
	preStop  time.Duration
	allGates bool
	sick     bool // all probes fail
	// gatekept: another controller lets pods in, and takes them out.
	gatekept bool
}

func newKubelet(w *world) *kubelet {
	k := &kubelet{
		w: w, lives: map[types.UID]*life{}, at: map[netip.Addr]*life{}, given: map[netip.Addr]time.Time{}, replicas: map[string]int{}, revision: map[string]int{},
		surge: 1 + w.rng.IntN(3), grace: time.Duration(10+2*w.rng.IntN(50)) * time.Second, allGates: w.rng.IntN(4) == 0,
	}
	k.preStop = w.between(0, k.grace+10*time.Second)
	return k
}

// answers gives the pod that answers a health check; empty when none does.
func (k *kubelet) answers(t gate.Target) types.UID {
	if l := k.at[t.Addr]; l != nil && l.answers && t.Port == port {
		return l.uid
	}
	return ""
}

func (k *kubelet) lifeOf(t gate.Target) *life { return k.at[t.Addr] }

// held reports whether a gate that is no load balancer's keeps the pod from requests, and since says when that last changed.
func (l *life) held() bool { return l.out || l.unchecked }

func (l *life) heldSince() time.Time {
	if l.checkedAt.After(l.outSince) {
		return l.checkedAt
	}
	return l.outSince
}

func (l *life) target() gate.Target { return gate.Target{Addr: l.addr, Port: port} }

func set(pod *corev1.Pod, kind corev1.PodConditionType, ok bool) bool {
	status := corev1.ConditionFalse
	if ok {
		status = corev1.ConditionTrue
	}

	for i := range pod.Status.Conditions {
		c := &pod.Status.Conditions[i]
		if c.Type != kind {
			continue
		}
		if c.Status == status {
			return false
		}
		c.Status, c.LastTransitionTime = status, metav1.NewTime(time.Now().Truncate(time.Second))
		return true
	}

	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: status, LastTransitionTime: metav1.NewTime(time.Now().Truncate(time.Second))})
	return true
}

func is(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// podOf gives a pod's object, nil when it is gone.
func (k *kubelet) podOf(uid types.UID) *corev1.Pod {
	for _, p := range k.w.pods() {
		if p.UID == uid {
			return p
		}
	}
	return nil
}

// update changes a pod's object if it is still there.
func (k *kubelet) update(uid types.UID, change func(*corev1.Pod)) {
	if pod := k.podOf(uid); pod != nil {
		next := copyOf(pod)
		change(next)
		k.w.put(next)
		k.judge(next.Name)
	}
}

// judge sets Ready a moment later.
func (k *kubelet) judge(name string) {
	k.w.after(k.w.noisy(10*time.Millisecond, 300*time.Millisecond, "judge", name), func() {
		pod, ok := stored[*corev1.Pod](k.w.cluster, "pod", name)
		if !ok {
			return
		}
		ready := is(pod, corev1.ContainersReady)
		for _, g := range pod.Spec.ReadinessGates {
			ready = ready && is(pod, g.ConditionType)
		}
		next := copyOf(pod)
		if set(next, corev1.PodReady, ready) {
			k.w.put(next)
		}
	})
}

// create makes a pod with the gates that the webhook would give it, which is away at times.
func (k *kubelet) create(color string) {
	k.made++
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name:              fmt.Sprintf("%s-%d", color, k.made),
		Labels:            map[string]string{"app": "web", "color": color, "revision": fmt.Sprint(k.revision[color])},
		CreationTimestamp: metav1.NewTime(time.Now().Truncate(time.Second)),
	}}
	if n := len(k.names); n > 0 && k.w.rng.IntN(3) == 0 {
		if _, taken := stored[*corev1.Pod](k.w.cluster, "pod", k.names[n-1]); !taken {
			pod.Name = k.names[n-1]
		}
		k.names = k.names[:n-1]
	}

	for _, b := range all[*elbv2.TargetGroupBinding](k.w.cluster, "binding") {
		svc, ok := stored[*corev1.Service](k.w.cluster, "service", b.Spec.ServiceRef.Name)
		if k.allGates || ok && b.DeletionTimestamp == nil && selects(svc, pod) {
			pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(gatePrefix + b.Name)})
		}
	}

	if k.gatekept {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: inService})
	}

	if _, there := stored[*v1alpha1.ReadinessGate](k.w.cluster, "readiness gate", warm); k.w.checked && (k.allGates || there && !k.w.now().dry) {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: warmGate})
	}

	pod.Spec.Containers = []corev1.Container{{Name: "web", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: port}}}}
	k.w.put(pod)
	uid := pod.UID
	k.lives[uid] = &life{uid: uid, unready: time.Now(), out: k.gatekept, unchecked: carries(pod), opened: map[corev1.PodConditionType]time.Time{}}
	k.w.note("create %s %s gates=%d", pod.Name, uid, len(pod.Spec.ReadinessGates))
	if k.gatekept {
		k.w.after(k.w.between(0, 15*time.Second), func() { k.letIn(uid, true) })
	}
	if k.w.checked {
		k.w.warmsUp(k.lives[uid])
	}
	k.w.after(k.w.between(200*time.Millisecond, 3*time.Second), func() { k.address(uid) })
}

// address gives a pod an address, gladly one that was just freed, and starts it.
func (k *kubelet) address(uid types.UID) {
	l := k.lives[uid]
	if l == nil || l.addr.IsValid() {
		return
	}

	if n := len(k.freed); n > 0 && k.w.rng.IntN(3) > 0 {
		l.addr, k.freed = k.freed[n-1], k.freed[:n-1]
	} else {
		k.next++
		l.addr = netip.AddrFrom4([4]byte{10, 0, 0, k.next})
	}

	l.addrSince = time.Now()
	k.at[l.addr], k.given[l.addr] = l, l.addrSince
	k.w.note("%s has %s", uid, l.addr)
	k.update(uid, func(pod *corev1.Pod) {
		pod.Status.Phase, pod.Status.PodIP, pod.Status.PodIPs = corev1.PodRunning, l.addr.String(), []corev1.PodIP{{IP: l.addr.String()}}
		set(pod, corev1.ContainersReady, false)
		set(pod, corev1.PodReady, false)
	})

	k.w.after(k.w.between(100*time.Millisecond, 6*time.Second), func() { k.containers(uid, true, true) })
}

// containers makes a pod's containers ready or not.
func (k *kubelet) containers(uid types.UID, ready, answers bool) {
	l := k.lives[uid]
	if l == nil || !l.addr.IsValid() || !l.ends.IsZero() && !time.Now().Before(l.ends) {
		return
	}

	if ready && k.sick {
		k.w.after(time.Second, func() { k.containers(uid, ready, answers) })
		return
	}

	if l.answers != answers || l.ready != ready {
		k.w.note("%s ready=%v answers=%v", uid, ready, answers)
	}

	if l.ready && !ready {
		l.unready = time.Now()
	}

	if !l.ready && ready {
		l.readied, l.unready = time.Now(), time.Now()
	}

	l.ready, l.answers = ready, answers
	k.update(uid, func(pod *corev1.Pod) { set(pod, corev1.ContainersReady, ready) })
}

// inService is the gate of another controller.
const inService = "example.com/in-service"

// letIn has that controller let a pod in, or take it out.
func (k *kubelet) letIn(uid types.UID, in bool) {
	l := k.lives[uid]
	if l == nil || l.out != in {
		return
	}
	k.w.note("%s in service=%v", uid, in)
	l.out, l.outSince = !in, time.Now()
	k.update(uid, func(pod *corev1.Pod) { set(pod, inService, in) })
}

// restart restarts a pod's containers, with a new address if its sandbox went too.
func (k *kubelet) restart(uid types.UID, moves bool) {
	l := k.lives[uid]
	if l == nil || !l.ready || !l.deleted.IsZero() {
		return
	}
	k.w.note("restart %s moves=%v", uid, moves)
	k.containers(uid, false, false)
	if !moves {
		k.w.after(k.w.between(500*time.Millisecond, 15*time.Second), func() { k.containers(uid, true, true) })
		return
	}
	k.free(l)
	k.w.after(k.w.between(100*time.Millisecond, 2*time.Second), func() { k.address(uid) })
}

func (k *kubelet) free(l *life) {
	if k.at[l.addr] == l {
		delete(k.at, l.addr)
		k.freed = append(k.freed, l.addr)
	}
	l.was, l.addr, l.answers = l.addr, netip.Addr{}, false
}

// remove deletes a pod: it answers until its preStop hook or its grace period ends.
func (k *kubelet) remove(uid types.UID, force bool) {
	l, pod := k.lives[uid], k.podOf(uid)
	if l == nil || pod == nil || !l.deleted.IsZero() && !force {
		return
	}

	grace := k.grace
	if force || !l.addr.IsValid() {
		grace = 0
	}

	k.w.note("delete %s %s force=%v", pod.Name, uid, force)
	if !l.deleted.IsZero() {
		grace = 0
	} else {
		l.deleted = time.Now()
	}

	l.ends = time.Now().Add(grace)
	end, seconds := metav1.NewTime(l.ends.Truncate(time.Second)), int64(grace/time.Second)
	k.update(uid, func(pod *corev1.Pod) { pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &end, &seconds })
	k.w.watchDeletion(l)
	k.w.after(min(k.preStop, grace), func() { k.end(uid) })
}

// end stops a pod's containers and frees its address; its object goes a little later.
func (k *kubelet) end(uid types.UID) {
	l := k.lives[uid]
	if l == nil {
		return
	}

	l.ready, l.ends = false, time.Now()
	k.free(l)
	delete(k.lives, uid)
	k.w.note("%s ended", uid)
	phase := []corev1.PodPhase{corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed}[k.w.rng.IntN(3)]
	k.update(uid, func(pod *corev1.Pod) {
		set(pod, corev1.ContainersReady, false)
		pod.Status.Phase = phase
	})

	k.w.after(k.w.between(0, 2*time.Second), func() {
		if pod := k.podOf(uid); pod != nil {
			k.names = append(k.names, pod.Name)
			k.w.drop(pod)
		}
	})
}

// deployments is all that rolling updates depend on.
type deployments struct {
	changes       int // of the cluster
	blue, green   int
	blueRevision  int
	greenRevision int
}

func (k *kubelet) deployments() deployments {
	return deployments{k.w.changes, k.replicas["blue"], k.replicas["green"], k.revision["blue"], k.revision["green"]}
}

// deploy is the Deployments' clock: a rolling update by readiness that is never below the wanted number.
func (k *kubelet) deploy() {
	k.seen, k.deployed, k.deploys = k.deployments(), time.Now(), time.Time{}
	for _, color := range []string{"blue", "green"} {
		k.roll(color)
	}
}

// deploysAt gives when that clock beats next. A beat that finds all as the one before left it would do nothing, so it is left out.
func (k *kubelet) deploysAt() (at time.Time, due bool) {
	const beat = 700 * time.Millisecond
	if k.deployments() == k.seen {
		return time.Time{}, false
	}
	if k.deploys.IsZero() {
		over := max(0, time.Since(k.deployed)-1) / beat
		k.deploys = k.deployed.Add((over + 1) * beat)
	}
	return k.deploys, true
}

func (k *kubelet) roll(color string) {
	var old, current []*corev1.Pod
	available := 0
	for _, p := range k.w.pods() {
		if p.Labels["color"] != color || p.DeletionTimestamp != nil {
			continue
		}
		if is(p, corev1.PodReady) {
			available++
		}
		if p.Labels["revision"] == fmt.Sprint(k.revision[color]) {
			current = append(current, p)
		} else {
			old = append(old, p)
		}
	}

	want := k.replicas[color]
	if len(current) < want && len(old)+len(current) < want+k.surge {
		k.create(color)
	}

	if len(current) > want {
		k.remove(current[k.w.rng.IntN(len(current))].UID, false)
		return
	}

	slices.SortStableFunc(old, func(a, b *corev1.Pod) int {
		return strings.Compare(fmt.Sprint(is(a, corev1.PodReady)), fmt.Sprint(is(b, corev1.PodReady)))
	})

	if len(old) > 0 && (!is(old[0], corev1.PodReady) || available > want) {
		k.remove(old[0].UID, false)
	}
}

const gatePrefix = "target-health.elbv2.k8s.aws/"

// selects is a Service's selector by itself.
func selects(svc *corev1.Service, pod *corev1.Pod) bool {
	for key, value := range svc.Spec.Selector {
		if pod.Labels[key] != value {
			return false
		}
	}
	return len(svc.Spec.Selector) > 0
}
