// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index"
)

// meantFor parts bindings into those whose Services are meant to serve a workload's pods, and those that leave it out.
func (f *flight) meantFor(ctx context.Context, w workload, all []*binding.Binding) (meant, others []*binding.Binding, err error) {
	for _, b := range all {
		left, err := f.leftOut(ctx, w, b)
		switch {
		case err != nil:
			return nil, nil, err
		case left:
			others = append(others, b)
		default:
			meant = append(meant, b)
		}
	}
	return meant, others, nil
}

// leftOut reports whether a workload's pods lack the port of a binding's Service, never had it, and those of another
// workload have it. binding.LeftOut says the same by the pods that there are, which a rollout of files has yet to make.
func (f *flight) leftOut(ctx context.Context, w workload, b *binding.Binding) (bool, error) {
	svc, err := b.Service(ctx, f.reader)
	if err != nil || svc == nil || b.Group().NotOfPods() || hasPort(&w.template.Spec, b, svc) {
		return false, err
	}

	all, err := workloads(ctx, f.reader, w.namespace)
	if err != nil {
		return false, f.Unknown.forgive(err, "whether other workloads serve in its place")
	}

	// A rollout by which the pods lose the port must not go on.
	pods, err := w.pods(ctx, f.reader)
	if err != nil {
		return false, f.Unknown.forgive(err, "whether running pods have the port")
	}
	if slices.ContainsFunc(pods, func(p corev1.Pod) bool { return hasPort(&p.Spec, b, svc) }) {
		return false, nil
	}

	return slices.ContainsFunc(append(all, f.customs...), func(o workload) bool {
		return o.namespace == w.namespace && o.replicas > 0 && index.Selects(svc, o.template.Labels) && hasPort(&o.template.Spec, b, svc)
	}), nil
}

// hasPort reports whether a pod has the port that a binding's Service looks for by its name.
func hasPort(pod *corev1.PodSpec, b *binding.Binding, svc *corev1.Service) bool {
	return !binding.LacksPort(binding.Ports(pod), svc, b.Group(), b.ServiceRef)
}
