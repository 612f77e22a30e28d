// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/drain/hook"
	"github.com/podgate/podgate/internal/gate"
)

const (
	// fresh is how old the latest read of a group may be that speaks for a pod's end. A
	// group with a target that drains is read every 5 s.
	fresh = time.Minute
	// removed is how long a server must be gone from HAProxy: a registration that was on
	// its way when the pod was deleted would show by then.
	removed = 2 * time.Second
)

// released tells whether every group of a pod that is being deleted has let go of it.
func (h *Handler) released(ctx context.Context, pod *corev1.Pod, wanted []string) (hook.Answer, error) {
	bindings, err := binding.ForPod(ctx, h.o.Cache, pod)
	if err != nil {
		return hook.Answer{}, fmt.Errorf("find bindings: %w", err)
	}
	a := hook.Answer{Released: true}
	var found []string
	for _, b := range bindings {
		t, group, verdict, err := h.target(ctx, pod, b)
		if err != nil {
			return hook.Answer{}, err
		}
		if verdict == noTarget {
			continue
		}
		found = append(found, b.Key().Name)
		a.Released = a.Released && verdict == known && h.letGo(pod, group, b.Annotations, t)
		if verdict == known && !slices.Contains(a.Ports, t.Port) {
			a.Ports = append(a.Ports, t.Port)
		}
	}
	for _, name := range wanted {
		// A binding that is gone tells nothing of the group that it was of.
		a.Released = a.Released && slices.Contains(found, name)
	}
	return a, nil
}

// verdict tells what is known of a pod's target in a binding's group.
type verdict int

const (
	unknown verdict = iota
	known
	// noTarget: pods are no targets of this binding.
	noTarget
)

// target finds it.
func (h *Handler) target(ctx context.Context, pod *corev1.Pod, b *binding.Binding) (gate.Target, balancer.Group, verdict, error) {
	res, ok := h.o.Resolutions.Get(b.Key())
	if !ok || !res.Resolved() {
		return gate.Target{}, balancer.Group{}, unknown, nil
	}
	if res.Group.TargetType != string(elbv2.TargetTypeIP) {
		return gate.Target{}, balancer.Group{}, noTarget, nil
	}
	var svc corev1.Service
	err := h.o.Cache.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: b.ServiceRef.Name}, &svc)
	if apierrors.IsNotFound(err) {
		return gate.Target{}, balancer.Group{}, unknown, nil
	}
	if err != nil {
		return gate.Target{}, balancer.Group{}, unknown, fmt.Errorf("get service: %w", err)
	}
	port, ok := binding.ServicePort(&svc, b.ServiceRef.Port)
	if !ok {
		return gate.Target{}, balancer.Group{}, unknown, nil
	}
	t, err := binding.Target(pod, port, res.Group.IPAddressType)
	if err != nil {
		return gate.Target{}, balancer.Group{}, unknown, nil //nolint:nilerr // A pod without a target is kept.
	}
	return t, res.Group, known, nil
}

// letGo tells whether a group sends nothing new to a target. What is under way only the
// pod's sockets know.
func (h *Handler) letGo(pod *corev1.Pod, group balancer.Group, annotations map[string]string, t gate.Target) bool {
	now, k := h.now(), one{ref: group.Ref, target: t, pod: pod.UID}
	if h.leaving.ask(k, now) {
		// Nobody may have a reason to read the group else, as when its target left it before.
		h.o.Observer.Refresh(group.Ref)
	}
	snap := h.o.Observer.View(group.Ref).Snapshot
	if snap.Targets == nil || now.Sub(snap.Started) > fresh {
		return false
	}
	health, listed := snap.Targets[t]
	if group.Ref.Provider == balancer.HAProxy {
		// It is removed from an instance when it has no connection left there.
		since := h.leaving.saw(k, snap.Started, !listed)
		return !since.IsZero() && now.Sub(since) >= removed
	}
	since := h.leaving.saw(k, snap.Started, !listed || health.Leaving())
	return !since.IsZero() && connects(group.Protocol) && now.Sub(since) >= drain.Routing(annotations, group.Protocol, group.DeregistrationDelay)
}

// connects tells whether a group's traffic shows in the table of TCP sockets.
func connects(protocol string) bool {
	switch protocol {
	case "HTTP", "HTTPS", "TCP", "TLS":
		return true
	}
	return false
}
