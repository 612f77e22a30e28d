// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/injection"
)

// judge tells why pods lack gates, and which end too soon.
type judge struct {
	// reader is a cache with the indexes of package index, asked one of namespaces and webhook configurations.
	reader, asked client.Reader
	serves        func(client.Object) bool
	// configuration is the webhook's, path its entries' that ask for gates, and drainPath
	// theirs that ask for preStop hooks.
	configuration, path, drainPath string
}

// look tells why a pod lacks gates, and by how much it ends too soon, as far as the
// webhook is to look at it.
func (j *judge) look(ctx context.Context, pod *corev1.Pod) (finding, error) {
	if gone(pod) {
		return finding{}, nil
	}

	gated, drained, err := j.covered(ctx, pod)
	if err != nil || !gated && !drained {
		return finding{}, err
	}

	services, bindings, err := injection.Lookup(ctx, j.reader, j.serves, pod.Namespace, pod.Labels)
	if err != nil {
		return finding{}, err
	}

	as := injection.PodOf(pod)
	owner := binding.Owner(pod)
	as.Hooks.OfJob = owner != nil && owner.Kind == "Job"
	var f finding
	if gated {
		f.gates = injection.Explain(as, services, bindings)
	}

	if f.gates.Reason == injection.ReasonNoService && as.Hooks.OfJob {
		f.gates = injection.Finding{} // Nobody expects a Job's pods behind a load balancer.
	}

	if stop, known := drain.Kept(pod); drained && known {
		f.drain = injection.Short(as, stop, services, bindings)
	}

	return f, nil
}

// covered reports whether the webhook is asked about a pod, for gates and for hooks, by its
// configuration as it is: people edit its selectors, and what they leave out they know of.
func (j *judge) covered(ctx context.Context, pod *corev1.Pod) (gated, drained bool, err error) {
	ns := namespaceOf()
	if err := j.asked.Get(ctx, types.NamespacedName{Name: pod.Namespace}, ns); err != nil {
		return false, false, client.IgnoreNotFound(err)
	}

	var c admissionv1.MutatingWebhookConfiguration
	if err := j.asked.Get(ctx, types.NamespacedName{Name: j.configuration}, &c); client.IgnoreNotFound(err) != nil {
		return false, false, fmt.Errorf("get webhook configuration: %w", err)
	}

	gates, err := injection.CoverageOf(&c, j.path)
	if err != nil {
		return false, false, err
	}

	hooks, err := injection.DrainCoverageOf(&c, j.drainPath)
	return injection.Covers(gates, ns.Labels, pod.Labels), injection.Covers(hooks, ns.Labels, pod.Labels), err
}
