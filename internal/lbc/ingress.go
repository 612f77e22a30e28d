// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"context"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// Ingresses tell which controller an Ingress belongs to.
type Ingresses struct{ lease *lease }

// NewIngresses makes Ingresses that know nothing yet. The reader is uncached, and namespace is that of the other controller's lease.
func NewIngresses(reader client.Reader, namespace string, now func() time.Time) *Ingresses {
	return &Ingresses{&lease{reader: reader, namespace: namespace, now: now}}
}

// Poll is how long to wait before an answer about an Ingress may be another one.
func (i *Ingresses) Poll() time.Duration { return i.lease.poll() }

// Of returns the owner of an Ingress. Both controllers serve those of a shared class: such an Ingress is left to the other one
// while that lives, whether or not it has its finalizer already.
func (i *Ingresses) Of(ctx context.Context, ing client.Object, shared bool) (Ownership, error) {
	held := IngressFinalizers(ing) != nil
	if !held && !shared {
		return OwnedByPodgate, nil
	}

	l, err := i.lease.life(ctx)
	if err == nil && l == lifeSilent && held {
		l, err = i.lease.read(ctx) // See Owners.Of.
	}

	switch {
	case err != nil:
		return Unknown, err
	case l == lifeRenewed:
		return OwnedByLBC, nil
	case l == lifeSilent && held:
		return Abandoned, nil
	case held || l == lifeUnknown && i.lease.exists():
		return Unknown, nil
	}
	return OwnedByPodgate, nil
}

// IngressFinalizers are AWS Load Balancer Controller's finalizers on an Ingress or a Service; nil: it has none. That of a Service is
// podgate's where podgate notes that it has something of it.
func IngressFinalizers(ing client.Object) []string {
	_, ours := ing.GetAnnotations()[v1alpha1.StacksAnnotation]
	theirs := slices.DeleteFunc(slices.Clone(ing.GetFinalizers()), func(f string) bool {
		return (f != elbv2.LBCServiceFinalizer || ours) && f != elbv2.LBCIngressFinalizer && !strings.HasPrefix(f, elbv2.LBCIngressGroupFinalizer)
	})
	if len(theirs) == 0 {
		return nil
	}
	return theirs
}
