// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"context"
	"fmt"
	"sync/atomic"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/webhook/profile"
)

// Inspector finds out which gates a pod lacks, and whether it ends too soon.
type Inspector struct {
	// Reader is a cache with the indexes of package index. Asked is a cache of namespaces and webhook
	// configurations.
	Reader, Asked client.Reader
	// Serves reports whether podgate opens the gates of a binding.
	Serves func(*binding.Binding) bool
	// Kinds are the kinds of gates that pods get; those of bindings alone when nil.
	Kinds []injection.Kind
	// Configuration is the name of the webhook's MutatingWebhookConfiguration.
	Configuration string
	// Off are the paths at which the webhook changes nothing.
	Off []string

	// latest is the configuration as it was read last.
	latest atomic.Pointer[configured]
}

// configured is what one version of the configuration says.
type configured struct {
	uid      types.UID
	version  string
	coverage []profile.Coverage
}

// Finding is all that is found of a pod.
type Finding struct {
	// Gates says which gates the pod lacks, and why.
	Gates injection.Finding
	// Drain is by how much the pod ends too soon.
	Drain injection.Shortfall
}

// Inspect returns why a pod lacks gates, and by how much it ends too soon. Nothing is found of a pod that
// the webhook is not asked about.
func (i *Inspector) Inspect(ctx context.Context, pod *corev1.Pod) (Finding, error) {
	if gone(pod) {
		return Finding{}, nil
	}

	reviews, err := i.reviews(ctx, pod)
	if err != nil || len(reviews) == 0 {
		return Finding{}, err
	}

	as := injection.PodOf(pod)
	candidates, err := injection.Lookup(ctx, i.Reader, i.Serves, pod.Namespace, as)
	if err != nil {
		return Finding{}, err
	}
	candidates.Kinds, candidates.Asked = i.Kinds, reviews.Gate

	var f Finding
	if reviews.Gates() {
		f.Gates = injection.Explain(as, candidates)
	}

	if f.Gates.Reason == v1alpha1.ReasonNoService && as.Hooks.OfJob {
		f.Gates = injection.Finding{} // Nobody expects a Job's pods behind a load balancer.
	}

	if manifest, known := drain.Kept(pod); reviews.Hooks() && known && !as.Static {
		f.Drain = injection.Short(as, manifest, candidates)
	}

	return f, nil
}

// reviews are those for which the webhook is asked about a pod, by its configuration as it is:
// people edit its selectors, and what they leave out they know of.
func (i *Inspector) reviews(ctx context.Context, pod *corev1.Pod) (profile.Reviews, error) {
	ns := namespaceOf()
	if err := i.Asked.Get(ctx, types.NamespacedName{Name: pod.Namespace}, ns); err != nil {
		return nil, client.IgnoreNotFound(err)
	}

	var c admissionv1.MutatingWebhookConfiguration
	if err := i.Asked.Get(ctx, types.NamespacedName{Name: i.Configuration}, &c); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get webhook configuration: %w", err)
	}

	entries, err := i.coverage(&c)
	return profile.ReviewsOf(entries, ns.Labels, pod.Labels).Without(i.Off), err
}

// coverage reads a configuration's selectors, those of one version once: all pods of a rollout are inspected by the same.
func (i *Inspector) coverage(c *admissionv1.MutatingWebhookConfiguration) ([]profile.Coverage, error) {
	if l := i.latest.Load(); l != nil && l.version != "" && l.uid == c.UID && l.version == c.ResourceVersion {
		return l.coverage, nil
	}

	entries, err := profile.CoverageOf(c)
	if err == nil {
		i.latest.Store(&configured{c.UID, c.ResourceVersion, entries})
	}
	return entries, err
}
