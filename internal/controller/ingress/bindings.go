// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
)

// bindings are the TargetGroupBindings of a group of Ingresses. They are told from a person's, who may give them the same
// labels, by podgate's annotation, and those that AWS Load Balancer Controller left by their target group, which is the stack's.
type bindings struct {
	client client.Client
	// manage: only bindings with v1alpha1.ManageAnnotation are served.
	manage bool
	// labels and noun are the group's.
	labels map[string]string
	noun   string
	// all have the group's labels.
	all []elbv2.TargetGroupBinding
}

// bindingsOf reads the bindings of a group.
func (r *Reconciler) bindingsOf(ctx context.Context, group Key) (*bindings, error) {
	var list elbv2.TargetGroupBindingList
	if err := r.client.List(ctx, &list, client.MatchingLabels(r.kind.labels(group))); err != nil {
		return nil, fmt.Errorf("list TargetGroupBindings: %w", err)
	}
	return &bindings{client: r.client, manage: r.manage, labels: r.kind.labels(group), noun: r.kind.noun(), all: list.Items}, nil
}

// labelsOf are the labels of a group's bindings, and groupOfLabels is the reverse; false: they are no group's.
func labelsOf(group Key) map[string]string {
	if group.Namespace == "" {
		return map[string]string{elbv2.IngressGroupLabel: group.Name}
	}
	return map[string]string{elbv2.IngressNamespaceLabel: group.Namespace, elbv2.IngressNameLabel: group.Name}
}

func groupOfLabels(of map[string]string) (Key, bool) {
	if name := of[elbv2.IngressGroupLabel]; name != "" {
		return Key{Name: name}, true
	}
	key := Key{Namespace: of[elbv2.IngressNamespaceLabel], Name: of[elbv2.IngressNameLabel]}
	return key, key.Namespace != "" && key.Name != ""
}

// of returns the binding of a target group; nil: there is none.
func (b *bindings) of(arn string) *elbv2.TargetGroupBinding {
	for i := range b.all {
		if b.all[i].Spec.TargetGroupARN == arn {
			return &b.all[i]
		}
	}
	return nil
}

// note adds to what is observed which target groups have a binding.
func (b *bindings) note(seen *elb.Observed) {
	for i := range seen.TargetGroups {
		g := &seen.TargetGroups[i]
		at := b.of(g.ARN)
		g.Bound = at != nil && at.DeletionTimestamp.IsZero()
		g.Unbinding = at != nil && !g.Bound
		g.Binding = elb.Binding{}
		if at != nil {
			g.Binding = read(at)
		}
	}
}

// read is what a binding says of its targets.
func read(at *elbv2.TargetGroupBinding) elb.Binding {
	of := elb.Binding{
		Namespace: at.Namespace, Service: at.Spec.ServiceRef.Name, Port: at.Spec.ServiceRef.Port.String(), Labels: at.Labels, MultiCluster: at.Spec.MultiClusterTargetGroup,
	}
	if at.Spec.NodeSelector != nil {
		of.Nodes = at.Spec.NodeSelector.MatchLabels
	}
	return of
}

// bind makes the binding of a target group, or brings it in step with what is wanted.
func (b *bindings) bind(ctx context.Context, want elb.TargetGroup, arn string) error {
	if at := b.of(arn); at != nil {
		return b.correct(ctx, at, want)
	}

	made := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: want.Binding.Namespace, Name: want.Name},
		Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupARN: arn, TargetType: new(elbv2.TargetType(want.TargetType)), VpcID: want.VPC,
			ServiceRef: elbv2.ServiceReference{Name: want.Binding.Service, Port: intstr.Parse(want.Binding.Port)},
		},
	}
	if want.AddressType != "" {
		made.Spec.IPAddressType = new(want.AddressType)
	}
	b.shape(made, want)
	if err := b.client.Create(ctx, made); err != nil {
		return fmt.Errorf("create TargetGroupBinding %s/%s: %w", made.Namespace, made.Name, err)
	}
	b.all = append(b.all, *made)
	return nil
}

// correct writes a binding that differs from what is wanted.
func (b *bindings) correct(ctx context.Context, at *elbv2.TargetGroupBinding, want elb.TargetGroup) error {
	after := at.DeepCopy()
	b.shape(after, want)
	if reflect.DeepEqual(at, after) || !at.DeletionTimestamp.IsZero() {
		return nil
	}
	if err := b.client.Patch(ctx, after, client.MergeFrom(at)); err != nil {
		return fmt.Errorf("write TargetGroupBinding %s/%s: %w", at.Namespace, at.Name, err)
	}
	*at = *after
	return nil
}

// shape sets what may change of a binding.
func (b *bindings) shape(to *elbv2.TargetGroupBinding, want elb.TargetGroup) {
	if to.Labels == nil {
		to.Labels = map[string]string{}
	}
	maps.Copy(to.Labels, want.Binding.Labels)
	maps.Copy(to.Labels, b.labels)
	metav1.SetMetaDataAnnotation(&to.ObjectMeta, v1alpha1.MadeForAnnotation, b.noun+" "+want.Owner)
	if b.manage {
		metav1.SetMetaDataAnnotation(&to.ObjectMeta, v1alpha1.ManageAnnotation, "true")
	}

	to.Spec.MultiClusterTargetGroup = want.Binding.MultiCluster
	to.Spec.NodeSelector = nil
	if len(want.Binding.Nodes) > 0 {
		to.Spec.NodeSelector = &metav1.LabelSelector{MatchLabels: want.Binding.Nodes}
	}
}

// unbind deletes the binding of a target group.
func (b *bindings) unbind(ctx context.Context, arn string) error {
	at := b.of(arn)
	if at == nil || !at.DeletionTimestamp.IsZero() {
		return nil
	}
	return b.delete(ctx, at)
}

func (b *bindings) delete(ctx context.Context, at *elbv2.TargetGroupBinding) error {
	err := b.client.Delete(ctx, at, client.Preconditions{UID: &at.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete TargetGroupBinding %s/%s: %w", at.Namespace, at.Name, err)
	}
	at.DeletionTimestamp = new(metav1.Now()) // It goes when its targets are deregistered.
	return nil
}

// strayAfter is how old a binding must be before its target group, which is not seen, counts as gone: what AWS lists may lag.
const strayAfter = 5 * time.Minute

// sweep deletes bindings that podgate made for target groups that are gone.
func (b *bindings) sweep(ctx context.Context, seen elb.Observed, now time.Time) error {
	there := map[string]bool{}
	for _, g := range seen.TargetGroups {
		there[g.ARN] = true
	}
	for i := range b.all {
		at := &b.all[i]
		old := now.Sub(at.CreationTimestamp.Time) >= strayAfter
		if _, own := at.Annotations[v1alpha1.MadeForAnnotation]; own && old && !there[at.Spec.TargetGroupARN] && at.DeletionTimestamp.IsZero() {
			if err := b.delete(ctx, at); err != nil {
				return err
			}
		}
	}
	return nil
}
