// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
)

// backends is a world's client with podgate's own bindings besides.
type backends struct {
	kube
	own map[string]*v1alpha1.TargetBinding
}

// behind has the world serve TargetBindings of a backend "web".
func (w *world) behind() backends {
	k := backends{kube: kube{w: w}, own: map[string]*v1alpha1.TargetBinding{}}
	w.bindings = nil
	w.behindAgain(k)
	return k
}

// behindAgain has a world that was restarted serve them.
func (w *world) behindAgain(k backends) {
	w.client, w.report.client = k, k
}

// backend has the world serve one such binding, with one pod.
func (w *world) backend() (backends, types.NamespacedName) {
	w.t.Helper()
	k := w.behind()
	key := k.bind("web", time.Hour, "unix:/1")
	w.pod(1)
	if _, err := w.try(key); err != nil {
		w.t.Fatal(err)
	}
	return k, key
}

// bind makes a binding of the backend, age older than the world.
func (k backends) bind(name string, age time.Duration, instances ...string) types.NamespacedName {
	k.own[name] = &v1alpha1.TargetBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Generation: 1, CreationTimestamp: metav1.NewTime(noon.Add(-age))},
		Spec: v1alpha1.TargetBindingSpec{
			ServiceRef: v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(80)},
			HAProxy:    &v1alpha1.HAProxy{Backend: "web", Instances: instances},
		},
	}
	return binding.KeyOf(k.own[name])
}

func (k backends) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	if o, own := into.(*v1alpha1.TargetBinding); own {
		k.own[key.Name].DeepCopyInto(o)
		return nil
	}
	return k.kube.Get(ctx, key, into, opts...)
}

func (k backends) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	if l, own := into.(*v1alpha1.TargetBindingList); own {
		for _, b := range k.own {
			l.Items = append(l.Items, *b)
		}
		return nil
	}
	return k.kube.List(ctx, into, opts...)
}

// Patch takes the object as it is: nobody else writes it.
func (k backends) Patch(_ context.Context, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
	k.own[o.GetName()] = o.(*v1alpha1.TargetBinding).DeepCopy()
	return nil
}

func (k backends) Status() client.SubResourceWriter { return backendStatus{k: k} }

type backendStatus struct {
	client.SubResourceWriter
	k backends
}

func (s backendStatus) Patch(ctx context.Context, o client.Object, p client.Patch, _ ...client.SubResourcePatchOption) error {
	return s.k.Patch(ctx, o, p)
}

// TestLaw3OverlappingLists: of two bindings of a backend with an instance in common only
// the older changes anything there, so neither takes the other's servers out.
func TestLaw3OverlappingLists(t *testing.T) {
	cases := map[string]struct {
		reason       string
		age          time.Duration
		older, list  []string
		served       bool
		changeOthers func(b *v1alpha1.TargetBinding)
	}{
		"Same":     {reason: "The lists are the same, in another order.", age: time.Hour, older: []string{"unix:/1", "unix:/2"}, list: []string{"unix:/2", "unix:/1"}},
		"Part":     {reason: "The list is a part of the older's.", age: time.Hour, older: []string{"unix:/1", "unix:/2"}, list: []string{"unix:/2"}},
		"More":     {reason: "The older's list is a part of it.", age: time.Hour, older: []string{"unix:/1"}, list: []string{"unix:/1", "unix:/2"}},
		"Apart":    {reason: "The lists have nothing in common.", age: time.Hour, older: []string{"unix:/1"}, list: []string{"unix:/2"}, served: true},
		"Younger":  {reason: "The other one is younger.", age: -time.Hour, older: []string{"unix:/1", "unix:/2"}, list: []string{"unix:/1"}, served: true},
		"Observes": {reason: "The other one only observes.", age: time.Hour, older: []string{"unix:/1"}, list: []string{"unix:/1"}, served: true, changeOthers: func(b *v1alpha1.TargetBinding) { b.Spec.Membership = v1alpha1.MembershipExternal }},
		"Backend":  {reason: "The other one is of another backend.", age: time.Hour, older: []string{"unix:/1"}, list: []string{"unix:/1"}, served: true, changeOthers: func(b *v1alpha1.TargetBinding) { b.Spec.HAProxy.Backend = "api" }},
		"Leaves":   {reason: "The other one is being deleted.", age: time.Hour, older: []string{"unix:/1", "unix:/2"}, list: []string{"unix:/1"}, served: true, changeOthers: func(b *v1alpha1.TargetBinding) { b.DeletionTimestamp = &metav1.Time{Time: noon} }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			k := w.behind()
			k.bind("other", tc.age, tc.older...)

			if tc.changeOthers != nil {
				tc.changeOthers(k.own["other"])
			}

			key := k.bind("web", 0, tc.list...)
			w.pod(1)

			if _, err := w.try(key); err != nil {
				t.Fatal(err)
			}

			v := k.own["web"].Status.Conditions[0]
			calls := w.made()
			res, _ := w.registry.Get(key)

			if tc.served && (calls != "register 1" || v.Reason != v1alpha1.ReasonSynced) {
				t.Errorf("%s\nwant it served, got %q: %s", tc.reason, calls, v.Message)
			}

			if !tc.served && (calls != "" || v.Reason != v1alpha1.ReasonGroupBoundTwice || res.Resolved()) {
				t.Errorf("%s\nwant it refused and its gates without a group, got %q, %s, %+v", tc.reason, calls, v.Reason, res)
			}

			k.own["web"].Status.Group = &v1alpha1.ResolvedGroup{Of: k.own["web"].UID, ID: binding.OfOwn(k.own["web"]).Ref.Group, TargetType: "ip"}
			w.rows[at(1)] = gate.Health{State: gate.Healthy}
			w.terminate(w.pods["web-1"])
			w.unread = true
			if n := w.urgent(key); n > 0 && !tc.served {
				t.Errorf("%s\na standby changed %d targets of it", tc.reason, n)
			}
		})
	}
}

// TestDeletedBindingLeavesClaimedInstances: what a deleted binding had where another
// claims the backend is that one's to remove or to keep.
func TestDeletedBindingLeavesClaimedInstances(t *testing.T) {
	cases := map[string]struct {
		reason string
		others []string
		want   []string // groups that are emptied
	}{
		"Alone":  {reason: "Nobody else has the backend.", want: []string{"web@unix:/1,unix:/2"}},
		"Part":   {reason: "Another one has it at one of two.", others: []string{"unix:/2", "unix:/3"}, want: []string{"web@unix:/1"}},
		"Claims": {reason: "Another one has it everywhere.", others: []string{"unix:/1", "unix:/2"}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			k := w.behind()
			key := k.bind("web", time.Hour, "unix:/1", "unix:/2")
			w.pod(1)

			if _, err := w.try(key); err != nil {
				t.Fatal(err)
			}

			if len(tc.others) > 0 {
				k.bind("other", 0, tc.others...)
			}

			var emptied []string
			w.balanceBy(regrouped{w, func(ref balancer.Ref) { emptied = append(emptied, ref.Group) }})
			k.own["web"].DeletionTimestamp = &metav1.Time{Time: w.clock}

			if _, err := w.try(key); err != nil {
				t.Fatal(err)
			}

			if len(emptied) != len(tc.want) || len(emptied) > 0 && emptied[0] != tc.want[0] {
				t.Errorf("%s\nwant %v emptied, got %v", tc.reason, tc.want, emptied)
			}
		})
	}
}

// regrouped tells in which group targets were deregistered.
type regrouped struct {
	*world
	in func(balancer.Ref)
}

func (r regrouped) Deregister(ctx context.Context, g balancer.Group, targets []gate.Target) error {
	r.in(g.Ref)
	return r.world.Deregister(ctx, g, targets)
}
