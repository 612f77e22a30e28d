// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gates"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

// Binding says that the pods of a Service are the targets of a load balancer's group,
// whichever kind of object says so. It is a view of that object: what is changed
// through it is changed there.
type Binding struct {
	// ObjectMeta is the object's.
	*metav1.ObjectMeta
	// Object is what was read.
	Object client.Object
	// ServiceRef names the Service and its port.
	ServiceRef v1alpha1.ServiceReference
	// Conditions and ObservedGeneration are those of the object's status.
	Conditions         *[]metav1.Condition
	ObservedGeneration **int64
	// Ref is the group as the object names it; without Ref.Group it names it by GroupName.
	Ref       balancer.Ref
	GroupName string
	// TargetType and IPAddressType are what the object says of the group; empty when nothing.
	TargetType, IPAddressType string
	// Shared: other clusters register targets in the group, too.
	Shared bool
	// External: somebody else registers the targets.
	External bool

	foreign *elbv2.TargetGroupBinding
	own     *v1alpha1.TargetBinding
	counted *v1alpha1.TargetCounts
	at      time.Time
}

// Of makes a Binding of a TargetGroupBinding.
func Of(b *elbv2.TargetGroupBinding) *Binding {
	bound := &Binding{
		ObjectMeta: &b.ObjectMeta, Object: b, foreign: b,
		ServiceRef: v1alpha1.ServiceReference(b.Spec.ServiceRef),
		Conditions: &b.Status.Conditions, ObservedGeneration: &b.Status.ObservedGeneration,
		Ref:       balancer.Ref{Group: b.Spec.TargetGroupARN, RoleARN: b.Spec.IamRoleArnToAssume, ExternalID: b.Spec.AssumeRoleExternalId},
		GroupName: b.Spec.TargetGroupName, Shared: b.Spec.MultiClusterTargetGroup,
	}
	if t := b.Spec.TargetType; t != nil {
		bound.TargetType = string(*t)
	}
	if f := b.Spec.IPAddressType; f != nil {
		bound.IPAddressType = *f
	}
	return bound
}

// OfOwn makes a Binding of a TargetBinding.
func OfOwn(b *v1alpha1.TargetBinding) *Binding {
	bound := &Binding{
		ObjectMeta: &b.ObjectMeta, Object: b, own: b,
		ServiceRef: b.Spec.ServiceRef,
		Conditions: &b.Status.Conditions, ObservedGeneration: &b.Status.ObservedGeneration,
		External: b.External(),
	}
	switch {
	case b.Spec.HAProxy != nil:
		bound.Ref = balancer.Ref{Provider: balancer.HAProxy, Group: b.Spec.HAProxy.ID(b.External())}
	case b.Spec.ELBv2 != nil:
		e := b.Spec.ELBv2
		bound.Ref = balancer.Ref{Group: e.TargetGroupARN, Region: e.Region, RoleARN: e.RoleARN, ExternalID: e.ExternalID}
		bound.GroupName = e.TargetGroupName
	}
	return bound
}

// Get reads the binding of a key.
func Get(ctx context.Context, r client.Reader, key types.NamespacedName) (*Binding, error) {
	if name, own := gates.Own(key.Name); own {
		var b v1alpha1.TargetBinding
		err := r.Get(ctx, types.NamespacedName{Namespace: key.Namespace, Name: name}, &b)
		return OfOwn(&b), err
	}
	var b elbv2.TargetGroupBinding
	err := r.Get(ctx, key, &b)
	return Of(&b), err
}

// OfService lists the bindings of both kinds that refer to a Service.
func OfService(ctx context.Context, r client.Reader, service types.NamespacedName) ([]*Binding, error) {
	foreign, err := index.BindingsOf(ctx, r, service)
	if err != nil {
		return nil, err
	}
	own, err := index.OwnBindingsOf(ctx, r, service)
	return both(foreign, own), err
}

// Claiming lists the bindings of all namespaces that claim a group or a part of one, by
// what their manifests say or what was published on them.
func Claiming(ctx context.Context, r client.Reader, claim string) ([]*Binding, error) {
	foreign, err := index.BindingsOfGroup(ctx, r, claim)
	if err != nil {
		return nil, err
	}
	own, err := index.OwnBindingsClaiming(ctx, r, claim)
	return both(foreign, own), err
}

// Claims lists what of its group a binding claims for itself alone.
func (b *Binding) Claims(group string) []string {
	switch {
	case b.Shared || b.External:
		return nil
	case b.own != nil && b.own.Spec.HAProxy != nil:
		return b.own.Claims()
	}
	return []string{group}
}

func both(foreign []elbv2.TargetGroupBinding, own []v1alpha1.TargetBinding) []*Binding {
	all := make([]*Binding, 0, len(foreign)+len(own))
	for i := range foreign {
		all = append(all, Of(&foreign[i]))
	}
	for i := range own {
		all = append(all, OfOwn(&own[i]))
	}
	return all
}

// Key names a binding among those of both kinds, as package gates does.
func (b *Binding) Key() types.NamespacedName {
	if b.own != nil {
		return types.NamespacedName{Namespace: b.Namespace, Name: v1alpha1.GatePrefix + b.Name}
	}
	return types.NamespacedName{Namespace: b.Namespace, Name: b.Name}
}

// KeyOf is the key of an object of either kind.
func KeyOf(o client.Object) types.NamespacedName {
	key := client.ObjectKeyFromObject(o)
	if _, own := o.(*v1alpha1.TargetBinding); own {
		key.Name = v1alpha1.GatePrefix + key.Name
	}
	return key
}

// Own gives the TargetBinding that says it; nil when another kind does.
func (b *Binding) Own() *v1alpha1.TargetBinding { return b.own }

// Settings returns what the binding's owner wants, and what is wrong with it.
func (b *Binding) Settings() (Settings, []Problem) { return SettingsOf(b.Object) }

// Drain returns what the binding's owner wants of how its pods drain.
func (b *Binding) Drain() drain.Settings {
	settings, _ := b.Settings()
	return settings.Drain
}

// Need is what the binding's targets need after their deregistration.
func (b *Binding) Need() drain.Need {
	if b.own != nil {
		return drain.NeedOfOwn(b.own)
	}
	return drain.NeedOf(b.foreign)
}

// StatesPolicy reports whether an annotation of the binding states a policy, usable or not.
// Nobody needs to be told that a field is in force: the API server has checked it.
func (b *Binding) StatesPolicy() bool {
	for name := range policies {
		if _, stated := b.Annotations[name]; stated && (b.own == nil || !gatePolicy(name)) {
			return true
		}
	}
	return false
}

// Published rebuilds the group from what a leader published on the binding; false
// when nothing was, or about another group than the binding names now.
func (b *Binding) Published() (balancer.Group, bool) {
	if b.own != nil {
		return b.ownPublished()
	}
	p, ok := b.foreign.Published()
	if !ok || (b.Ref.Group != "" && p.ARN != b.Ref.Group) || (b.Ref.Group == "" && p.Name != b.GroupName) {
		return balancer.Group{}, false
	}
	ref := b.Ref
	ref.Group = p.ARN
	return balancer.Group{
		Ref: ref, Name: p.Name, TargetType: p.TargetType, Protocol: p.Protocol, IPAddressType: p.IPAddressType,
		HealthCheckInterval: time.Duration(p.HealthCheckIntervalSeconds) * time.Second,
		UnhealthyThreshold:  p.UnhealthyThreshold,
		DeregistrationDelay: time.Duration(p.DeregistrationDelaySeconds) * time.Second,
	}, true
}

func (b *Binding) ownPublished() (balancer.Group, bool) {
	p := b.own.Status.Group
	if p == nil || (b.Ref.Group != "" && p.ID != b.Ref.Group) || (b.Ref.Group == "" && p.Name != b.GroupName) {
		return balancer.Group{}, false
	}
	ref := b.Ref
	ref.Group = p.ID
	return balancer.Group{
		Ref: ref, Name: p.Name, TargetType: p.TargetType, Protocol: p.Protocol, IPAddressType: p.IPAddressType,
		HealthCheckInterval: time.Duration(p.HealthCheckIntervalMilliseconds) * time.Millisecond,
		UnhealthyThreshold:  int(p.UnhealthyThreshold),
		DeregistrationDelay: time.Duration(p.DrainSeconds) * time.Second,
	}, true
}

// Copy gives a Binding of a copy of the object.
func (b *Binding) Copy() *Binding {
	if b.own != nil {
		return OfOwn(b.own.DeepCopy())
	}
	return Of(b.foreign.DeepCopy())
}

// Publish puts the group into the object and tells whether that changed it; it writes
// nothing.
func (b *Binding) Publish(g balancer.Group) (changed bool, err error) {
	if b.own != nil {
		next := v1alpha1.ResolvedGroup{
			ID: g.Ref.Group, Name: g.Name, TargetType: g.TargetType, Protocol: g.Protocol, IPAddressType: g.IPAddressType,
			HealthCheckIntervalMilliseconds: g.HealthCheckInterval.Milliseconds(), UnhealthyThreshold: int32(g.UnhealthyThreshold),
			DrainSeconds: int64(g.DeregistrationDelay / time.Second),
		}
		changed = b.own.Status.Group == nil || *b.own.Status.Group != next
		b.own.Status.Group = &next
		return changed, nil
	}
	next, err := json.Marshal(elbv2.Published{
		ARN: g.Ref.Group, Name: g.Name, TargetType: g.TargetType, Protocol: g.Protocol, IPAddressType: g.IPAddressType,
		HealthCheckIntervalSeconds: int64(g.HealthCheckInterval / time.Second),
		UnhealthyThreshold:         g.UnhealthyThreshold,
		DeregistrationDelaySeconds: int64(g.DeregistrationDelay / time.Second),
	})
	if err != nil {
		return false, fmt.Errorf("encode %s: %w", v1alpha1.PublishedAnnotation, err)
	}
	if b.Annotations[v1alpha1.PublishedAnnotation] == string(next) {
		return false, nil
	}
	if b.Annotations == nil {
		b.Annotations = map[string]string{}
	}
	b.Annotations[v1alpha1.PublishedAnnotation] = string(next)
	return true, nil
}

// Recommend puts what podgate recommends by the latest drains into the object, and how
// long its pods serve on, and tells whether that changed it; it writes nothing. recommended is
// zero while the computed time is right.
func (b *Binding) Recommend(w *drain.Window) (recommended time.Duration, changed bool) {
	if b.own != nil {
		next := v1alpha1.DrainStatus{RecommendedSeconds: int64(drain.RecommendOwn(b.own, w) / time.Second)}
		before := b.own.Status.Drain
		b.own.Status.Drain = &next // What it says counts for the time.
		next.Seconds = int64((drain.OfOwn(b.own) + time.Second - 1) / time.Second)
		return time.Duration(next.RecommendedSeconds) * time.Second, before == nil || *before != next
	}
	recommended = drain.Recommend(b.foreign, w)
	next := ""
	if recommended > 0 {
		next = recommended.String()
	}
	if b.Annotations[v1alpha1.RecommendedDrainAnnotation] == next {
		return recommended, false
	}
	if next == "" {
		delete(b.Annotations, v1alpha1.RecommendedDrainAnnotation)
		return recommended, true
	}
	if b.Annotations == nil {
		b.Annotations = map[string]string{}
	}
	b.Annotations[v1alpha1.RecommendedDrainAnnotation] = next
	return recommended, true
}

// Recommended is what the object holds of a recommendation; zero when nothing.
func (b *Binding) Recommended() time.Duration {
	if b.own != nil && b.own.Status.Drain != nil {
		return time.Duration(b.own.Status.Drain.RecommendedSeconds) * time.Second
	}
	d, _ := drain.Parse(b.Annotations[v1alpha1.RecommendedDrainAnnotation])
	return d
}

// PolicyOf returns the policies of the gates of an object of either kind.
func PolicyOf(o client.Object) gate.Policy {
	settings, _ := SettingsOf(o)
	return settings.Gate
}
