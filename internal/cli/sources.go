// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/injection"
)

// resolutions implements gates.Resolutions.
type resolutions func(types.NamespacedName) (binding.Resolution, bool)

// Get implements gates.Resolutions.
func (f resolutions) Get(key types.NamespacedName) (binding.Resolution, bool) { return f(key) }

// published is what podgate last said of the bindings' groups, as the bindings have it.
func (s *snapshot) published(ctx context.Context, foreign func(*binding.Binding) bool) resolutions {
	return func(key types.NamespacedName) (binding.Resolution, bool) {
		b, err := binding.Get(ctx, s, key)
		if err != nil {
			return binding.Resolution{}, false
		}
		res := resolution(b)
		res.Foreign = foreign(b)
		return res, true
	}
}

// others reports whether somebody else than podgate serves a binding, or nobody does.
func others(b *binding.Binding) bool { return ownedByLBC(b) || !served(b) }

// sources lists what a gate of a pod waits for, as its kind says. Where podgate does not write the gate, ours is false, and
// they are what the gate would wait for if it did.
func (s *snapshot) sources(ctx context.Context, pod *corev1.Pod, conditionType string) (sources []gates.Source, ours bool, err error) {
	in := gates.Cluster{Reader: s, Registry: s.published(ctx, others)}
	sources, ours, err = s.kinds.Sources(ctx, in, pod, conditionType)
	if err != nil || ours {
		return sources, ours, err
	}

	in.Registry = s.published(ctx, func(*binding.Binding) bool { return false })
	sources, _, err = s.kinds.Sources(ctx, in, pod, conditionType)
	return sources, false, err
}

// gated counts the running pods with a gate that a binding feeds, and those of them that wait at one.
func (s *snapshot) gated(ctx context.Context, b types.NamespacedName) (carry, wait int, err error) {
	keys, err := s.kinds.Fed(ctx, s, b)
	if err != nil {
		return 0, 0, err
	}

	for _, key := range keys {
		var pod corev1.Pod
		if err := s.Get(ctx, key, &pod); err != nil {
			return 0, 0, err
		}

		fed, closed, err := s.feeds(ctx, b, &pod)
		if err != nil {
			return 0, 0, err
		}
		if fed {
			carry++
		}
		if closed {
			wait++
		}
	}

	return carry, wait, nil
}

// feeds reports whether a binding feeds a gate of a pod, and whether such a gate is closed.
func (s *snapshot) feeds(ctx context.Context, b types.NamespacedName, pod *corev1.Pod) (fed, closed bool, err error) {
	for _, g := range s.kinds.Of(pod) {
		sources, _, err := s.sources(ctx, pod, g)

		// Whoever may not read Services is told what may feed the gate.
		if err != nil && !apierrors.IsForbidden(err) {
			return false, false, err
		}
		if err == nil && !slices.ContainsFunc(sources, func(s gates.Source) bool { return s.Owner == b }) {
			continue
		}

		fed = true
		closed = closed || !binding.IsTrue(pod, corev1.PodConditionType(g))
	}

	return fed, closed, nil
}

// candidates are what may make a target of a pod.
func (s *snapshot) candidates(ctx context.Context, namespace string, pod injection.Pod) (injection.Candidates, error) {
	c, err := injection.Lookup(ctx, s, served, namespace, pod)
	c.Kinds = s.kinds.AtAdmission()
	return c, err
}

// SourceReport is one thing that a gate of several waits for.
type SourceReport struct {
	Name string `json:"name"`
	// From says what it is.
	From string `json:"from"`
	// Target is the pod's address and port there; empty while it is not known.
	Target string `json:"target,omitempty"`
	// Binding is what its binding says.
	Binding *BindingReport `json:"binding,omitempty"`
}

// feeder is a source of a gate, and its binding; nil when that is not there.
type feeder struct {
	gates.Source
	binding *binding.Binding
	report  BindingReport
}

// feeders reads the bindings of a gate's sources.
func (x *explanation) feeders(ctx context.Context, gateType string) (all []feeder, ours bool, err error) {
	sources, ours, err := x.reader.sources(ctx, x.pod, gateType)
	if err != nil {
		return nil, false, err
	}

	for _, s := range sources {
		f := feeder{Source: s}
		if s.Owner.Name == "" {
			all = append(all, f) // It is there for nothing.
			continue
		}

		b, err := binding.Get(ctx, x.reader, s.Owner)
		if err == nil {
			f.binding, f.report = b, reportOf(b)
		} else if !notFound(err) {
			return nil, false, err
		}
		all = append(all, f)
	}

	return all, ours, nil
}

// from says what the source is.
func (f feeder) from() string {
	switch {
	case f.binding == nil:
		return "no binding: there is no " + binding.Named(f.Owner.Name) + " in the namespace"
	case f.Claim == gate.Claimed:
		return f.report.from() + ", target " + f.Target.String()
	case f.Claim == gate.Unclaimed:
		return f.report.from() + ", which does not select this pod"
	}
	return f.report.from()
}

// target is the pod's address and port; empty while it is not known.
func (f feeder) target() string {
	if f.Claim != gate.Claimed {
		return ""
	}
	return f.Target.String()
}

// bindingReport is what the source's binding says; nil when it is not there.
func (f feeder) bindingReport() *BindingReport {
	if f.binding == nil {
		return nil
	}
	return &f.report
}

// failing reports whether the source's binding does not work, and podgate would say so.
func (f feeder) failing() bool {
	return f.binding != nil && f.report.Status == "False" && !others(f.binding)
}
