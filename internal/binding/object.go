// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
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
	// NodeSelector selects the nodes that are targets, where nodes are; all of them when nil.
	NodeSelector *metav1.LabelSelector
	// Parts are the group's parts, where bindings claim those one by one; empty where it is
	// claimed as a whole.
	Parts []string
	// Shared: other clusters register targets in the group, too.
	Shared bool
	// External: somebody else registers the targets.
	External bool
	// OfLBC: AWS Load Balancer Controller may serve the binding, too; it knows this kind.
	OfLBC bool
	// Wake says how that controller is woken when it registers the targets of an External
	// binding; empty when nobody is to wake it.
	Wake v1alpha1.Wake

	kind kind
	// manifest is what the object says of the group.
	manifest balancer.Manifest
}

// kind is what differs between the kinds of objects that may say a binding: one file each.
type kind interface {
	// adapter returns the entry of the list of kinds.
	adapter() *adapter
	// copied returns a Binding of a copy of the object.
	copied() *Binding
	// policies returns what the object states, as annotations, whatever else has a field for it.
	policies() map[string]string
	// states reports whether an annotation states a policy on this kind of object.
	states(annotation string) bool

	// published returns what a leader published of the group, with its identifier in Ref.
	published() (balancer.Group, bool)
	// publish, recommend and count put what podgate found out into the object and report
	// whether that changed it.
	publish(balancer.Group) (changed bool, err error)
	recommend(drain.Terms) (changed bool)
	count() (changed bool)
	// noted keeps what the latest read of the group said, for count.
	noted(at time.Time, targets map[gate.Target]gate.Health, foreign []gate.Target)

	// followed returns the recommendation that counts for the time; zero when there is none.
	followed() time.Duration
	// recommended returns what the object holds of a recommendation; zero when nothing.
	recommended() time.Duration

	// counts returns what the object holds of WriteCount; nil when nothing.
	counts() *v1alpha1.TargetCounts
	// write sends what publish and recommend changed to the API server.
	write(ctx context.Context, c client.Client, patch client.Patch) error
	// inherit takes over what podgate put into another object of the kind.
	inherit(from client.Object)
}

// read completes a Binding by what its object says of the group.
func (b *Binding) read() *Binding {
	m := traits.All().Manifest(b.Object)
	b.Ref, b.GroupName, b.Parts, b.manifest = m.Group.Ref, m.Group.Name, m.Parts, m
	b.TargetType, b.IPAddressType = m.Group.TargetType, m.Group.IPAddressType
	return b
}

// Kind is what people call the kind of the binding's object.
func (b *Binding) Kind() string { return b.kind.adapter().name }

// Settings returns what the binding's owner wants, and what is wrong with it.
func (b *Binding) Settings() (Settings, []Problem) { return ParseSettings(b.kind.policies()) }

// FollowsOthers reports whether gates of other controllers decide which pods of the binding's Service
// are registered: not where its owner or the Service says otherwise, nor where somebody else decides.
func (b *Binding) FollowsOthers(svc *corev1.Service) bool {
	settings, _ := b.Settings()
	return b.Follows(settings, svc)
}

// Follows is FollowsOthers for who has read the binding's settings.
func (b *Binding) Follows(settings Settings, svc *corev1.Service) bool {
	return !b.External && !settings.IgnoreOthers && (svc == nil || !svc.Spec.PublishNotReadyAddresses)
}

// Drain returns what the binding's owner wants of how its pods drain.
func (b *Binding) Drain() drain.Settings {
	settings, _ := b.Settings()
	return settings.Drain
}

// Key names a binding among those of all kinds: a TargetBinding goes by its gate.
func (b *Binding) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: b.Namespace, Name: b.kind.adapter().prefix + b.Name}
}

// Copy returns a Binding of a copy of the object.
func (b *Binding) Copy() *Binding { return b.kind.copied() }

// Claims lists what of its group a binding claims for itself alone.
func (b *Binding) Claims(group string) []string {
	if b.Shared || b.External {
		return nil
	}
	return b.manifest.Claims(group)
}

// Only returns the binding of some of its Parts.
func (b *Binding) Only(parts []string) *Binding {
	reduced := traits.All().Of(b.Ref.Provider).Only(b.Object, parts)
	return From(reduced.(client.Object))
}

// Names lists what a binding has podgate use, as allowances spell it: the parts that it claims one by one, or else the
// groups and the role to assume. A group that is given by name is in the ref once it was found.
func (b *Binding) Names(ref balancer.Ref) []string {
	if len(b.Parts) > 0 {
		return b.Parts
	}

	all := traits.All().Of(b.Ref.Provider).GroupsOf(ref)
	if ref.RoleARN != "" {
		all = append(all, ref.RoleARN)
	}
	return all
}

// Need returns what the binding's targets need after their deregistration.
func (b *Binding) Need() drain.Need { return b.Terms().Need() }

// Terms returns what the time follows from for which the binding's pods serve on. Of a group
// that was not resolved yet the most counts that one of the manifest's protocol may need.
func (b *Binding) Terms() drain.Terms {
	driver := traits.All().Of(b.Ref.Provider)
	group := b.manifest.Group

	if !driver.ManifestDecides {
		published, ok := b.Published()
		if ok {
			group = published
		} else {
			group.DeregistrationDelay = drain.MaxInFlight
		}
	}

	return drain.Terms{Computed: driver.DrainNeed(group), Told: driver.GoneIsDone, Settings: b.Drain(), Recommended: b.kind.followed()}
}

// DrainTime returns how long a pod of the binding serves on after its deletion has begun.
func (b *Binding) DrainTime() time.Duration { return b.Terms().Time() }

// StatesPolicy reports whether an annotation of the binding states a policy, usable or not.
// Nobody needs to be told that a field is in force: the API server has checked it.
func (b *Binding) StatesPolicy() bool {
	for name := range policies {
		if _, stated := b.Annotations[name]; stated && b.kind.states(name) {
			return true
		}
	}
	return false
}

// Published returns the group as a leader published it on the binding; false when none did,
// or of another group than the binding names now.
func (b *Binding) Published() (balancer.Group, bool) {
	g, ok := b.kind.published()
	driver := traits.All().Of(b.Ref.Provider)
	if !ok || (b.Ref.Group != "" && g.Ref.Group != b.Ref.Group) || (b.Ref.Group == "" && !driver.GoesBy(g, b.GroupName)) {
		return balancer.Group{}, false
	}

	// Whose group it is, by which role it is reached and how it is served, the manifest says.
	id := g.Ref.Group
	g.Ref, g.Settings = b.Ref, b.manifest.Group.Settings
	g.Ref.Group = id
	return g, true
}

// Wanted returns the group as the object describes it, published or not.
func (b *Binding) Wanted() balancer.Group { return b.manifest.Group }

// Group returns what the object says of its group: what a leader published, and the target
// type and the address family that the manifest states. Whether anybody reached the group
// lately a Resolution says.
func (b *Binding) Group() balancer.Group {
	g, published := b.Published()
	if !published {
		g = balancer.Group{Ref: b.Ref, Name: b.GroupName}
	}

	// What the manifest states comes first: a group of another type is refused.
	if b.TargetType != "" {
		g.TargetType = b.TargetType
	}
	if b.IPAddressType != "" {
		g.IPAddressType = b.IPAddressType
	}

	return g
}

// NameTooLong reports whether the binding's name makes no condition type, so that no pod can
// carry its gate. A shared gate has no binding's name in it.
func (b *Binding) NameTooLong() bool { return len(b.Name) > elbv2.MaxGateName && !b.SharesGate() }

// Publish puts the group into the object and reports whether that changed it; it writes
// nothing.
func (b *Binding) Publish(g balancer.Group) (changed bool, err error) { return b.kind.publish(g) }

// EverPublished reports whether a leader published any group on the binding, be it one that
// the binding does not name any more.
func (b *Binding) EverPublished() bool {
	_, ok := b.kind.published()
	return ok
}

// WritePublished sends what Publish and Recommend changed, as a patch, to where the kind keeps it.
func (b *Binding) WritePublished(ctx context.Context, c client.Client, patch client.Patch) error {
	return b.kind.write(ctx, c, patch)
}

// Inherit takes over what podgate put into an earlier object of the same kind and name.
func (b *Binding) Inherit(from *Binding) { b.kind.inherit(from.Object) }

// Recommend puts what podgate recommends by the latest drains into the object, and how
// long its pods serve on, and reports whether that changed it; it writes nothing. recommended is
// zero while the computed time is right.
func (b *Binding) Recommend(w *drain.Window) (recommended time.Duration, changed bool) {
	terms := b.Terms()
	terms.Recommended = terms.Recommend(w)
	return terms.Recommended, b.kind.recommend(terms)
}

// Recommended returns what the object holds of a recommendation; zero when nothing.
func (b *Binding) Recommended() time.Duration { return b.kind.recommended() }

// Count notes what a read of the group that began at a time said, and which targets are kept
// as somebody else's, for WriteCount; nil targets are none.
func (b *Binding) Count(at time.Time, targets map[gate.Target]gate.Health, foreign []gate.Target) {
	b.kind.noted(at, targets, foreign)
}

// WriteCount puts what was counted into the object's status, if it has a place for it,
// and reports whether that changed it.
func (b *Binding) WriteCount() (changed bool) { return b.kind.count() }

// Counts returns what WriteCount put into the object; nil when nothing.
func (b *Binding) Counts() *v1alpha1.TargetCounts { return b.kind.counts() }
