// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package uninstall takes podgate's traces out of a cluster before podgate goes: its
// webhook, its finalizers, and the gates that nobody would open any more. It may be
// run again at any time, from the beginning.
//
// It refuses to touch targets and load balancers: what is registered stays registered and serves. It leaves
// bindings that AWS Load Balancer Controller holds, and their gates, to that controller.
package uninstall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/gates"
)

// What the clean-up may do is in the chart, with the Job that runs it.

// Names of podgate's own objects.
const (
	// Deployment is podgate's, and the value of its pods' label.
	Deployment = "podgate"
	podLabel   = "app"
)

// Options of a clean-up.
type Options struct {
	// Client reads from the API server, not from a cache.
	Client client.Client
	// Namespace is podgate's own.
	Namespace string
	// WatchNamespace is the only one that podgate served; all when empty.
	WatchNamespace string
	// Gates are the kinds of gates that are opened.
	Gates gates.Kinds
	// Lease is the name of the leader election's.
	Lease string
	// Settle is how long after the webhook was taken away an API server may still admit a pod
	// with a gate: the time to hear of the change and a call's time-out together.
	Settle time.Duration
	// Tick is the time between two looks at what is waited for.
	Tick time.Duration
	// Log hears of every step.
	Log logr.Logger
}

// Run takes everything away, in an order in which nothing comes back: no pod gets a new
// gate, nobody holds bindings any more, the bindings are let go, and then the gates. An
// error says what is left; what was done stays done. One object that cannot be written
// keeps no other.
func Run(ctx context.Context, o Options) error {
	if err := o.remove(ctx, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: certificate.ConfigurationName}}); err != nil {
		return err
	}

	silent := time.Now()
	if err := o.stop(ctx); err != nil {
		return err
	}

	theirs, left, err := o.letGo(ctx)
	left = append(left, o.letIngressesGo(ctx), o.letServicesGo(ctx), o.letGatewaysGo(ctx))
	if err != nil {
		return errors.Join(append(left, err)...) // Whose gates are whose is not known.
	}

	if err := errors.Join(append(left, o.open(ctx, theirs, silent))...); err != nil {
		return err
	}

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: certificate.SecretName}}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Lease}}
	for _, object := range []client.Object{secret, lease} {
		if err := o.remove(ctx, object); err != nil {
			return err
		}
	}

	return nil
}

// remove deletes an object, if it is there.
func (o Options) remove(ctx context.Context, object client.Object) error {
	if err := client.IgnoreNotFound(o.Client.Delete(ctx, object)); err != nil {
		return fmt.Errorf("delete %T %q: %w", object, object.GetName(), err)
	}
	o.Log.Info("Deleted", "kind", fmt.Sprintf("%T", object), "name", object.GetName())
	return nil
}

// stop scales podgate to nothing and waits until the last replica is gone: a leader would
// put its finalizers back.
func (o Options) stop(ctx context.Context) error {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: Deployment}}
	zero := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))
	if err := client.IgnoreNotFound(o.Client.SubResource("scale").Patch(ctx, d, zero)); err != nil {
		return fmt.Errorf("scale podgate to nothing: %w", err)
	}

	var pods corev1.PodList
	err := wait.PollUntilContextCancel(ctx, o.Tick, true, func(ctx context.Context) (bool, error) {
		err := o.Client.List(ctx, &pods, client.InNamespace(o.Namespace), client.MatchingLabels{podLabel: Deployment})
		// One that a node evicted, or that a node's shutdown ended, stays as an object and runs no more.
		pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return binding.Over(&p) })
		return len(pods.Items) == 0, err
	})
	if err != nil {
		return fmt.Errorf("wait until podgate's replicas are gone, %d are left: %w", len(pods.Items), err)
	}

	o.Log.Info("Stopped podgate")
	return nil
}
