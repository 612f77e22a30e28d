// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/binding"
)

// BindingReport is what a binding says of itself.
type BindingReport struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Service   string `json:"service"`
	Port      string `json:"port"`
	// Group is the target group or backend, as far as it is known.
	Group string `json:"group"`
	// Protocol and TargetType are those of a group that was resolved.
	Protocol   string `json:"protocol,omitempty"`
	TargetType string `json:"targetType,omitempty"`
	// Status, Reason, Message and Since are those of condition Ready; empty without one.
	Status  string       `json:"status,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	Message string       `json:"message,omitempty"`
	Since   *metav1.Time `json:"since,omitempty"`
	// Further are other conditions that are not as they should be.
	Further []metav1.Condition `json:"further,omitempty"`
	// Targets counts the group's targets, for a TargetBinding.
	Targets *v1alpha1.TargetCounts `json:"targets,omitempty"`
	// Next is what to do.
	Next string `json:"next"`

	// words are what people call the group.
	words balancer.Words
}

func reportOf(b *binding.Binding) BindingReport {
	r := BindingReport{
		Kind: b.Kind(), Namespace: b.Namespace, Name: b.Name,
		Service: b.ServiceRef.Name, Port: b.ServiceRef.Port.String(), Group: b.Ref.Group,
		words: traits.All().Of(b.Ref.Provider).Words,
	}
	if r.Group == "" {
		r.Group = b.GroupName
	}

	if g, ok := b.Published(); ok {
		r.Protocol, r.TargetType = g.Protocol, g.TargetType
		if g.Name != "" {
			r.Group = g.Name
		}
	}

	r.Targets = b.Counts()
	r.conditions(b)
	return r
}

func (r *BindingReport) conditions(b *binding.Binding) {
	for _, c := range *b.Conditions {
		switch {
		case c.Type == v1alpha1.ConditionReady:
			r.Status, r.Reason, r.Message, r.Since = string(c.Status), c.Reason, c.Message, &c.LastTransitionTime
		case c.Type == v1alpha1.ConditionTargetsHeld && c.Status == metav1.ConditionTrue,
			c.Type != v1alpha1.ConditionTargetsHeld && c.Status == metav1.ConditionFalse && !asMeant(c):
			r.Further = append(r.Further, c)
		}
	}
	r.Next = r.next(b)
}

// asMeant reports whether a condition is False as it should be, or repeats what Ready says.
func asMeant(c metav1.Condition) bool {
	return c.Reason == v1alpha1.ReasonExternal || c.Reason == v1alpha1.ReasonInstanceTargets || c.Type == v1alpha1.ConditionGated
}

func (r *BindingReport) next(b *binding.Binding) string {
	ready, known := v1alpha1.Explain(v1alpha1.OnReady, r.Reason)
	ready.Fix = cmp.Or(traits.All().Of(b.Ref.Provider).Fix(r.Reason), ready.Fix)
	switch {
	case !b.DeletionTimestamp.IsZero() && r.Status == "False" && known:
		return ready.Fix + "; it is being deleted, and goes when that is done or its finalizer removed"
	case !b.DeletionTimestamp.IsZero():
		return "wait: it is being deleted; its targets are deregistered and its gates released first"
	case ownedByLBC(b):
		return "ask AWS Load Balancer Controller, which serves this binding; podgate only observes"
	case !served(b):
		return "nothing, if podgate is meant to leave it alone (--target-group-bindings)"
	case r.Status == "":
		return "find out whether podgate runs and serves this namespace (--watch-namespace): it has said nothing about the binding yet"
	}

	if known && ready.Fix != v1alpha1.NothingToDo {
		return ready.Fix
	}

	// While it works, what else it says comes next.
	for _, c := range r.Further {
		if e, told := v1alpha1.Explain(v1alpha1.Place(c.Type), c.Reason); told && e.Fix != v1alpha1.NothingToDo {
			return e.Fix
		}
	}

	if known {
		return ready.Fix
	}

	return "look at the message"
}

// remedy is what to do about a binding that is not Ready, and why.
func (r *BindingReport) remedy() string { return r.Next + " (the binding says " + r.Reason + ")" }

// served reports whether podgate serves a binding, by what it said of it.
func served(b *binding.Binding) bool {
	c := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionManaged)
	return c == nil || c.Reason != v1alpha1.ReasonNotServed
}

// ownedByLBC reports whether AWS Load Balancer Controller serves a binding and its gate.
func ownedByLBC(b *binding.Binding) bool {
	c := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionManaged)
	return c != nil && c.Reason == v1alpha1.ReasonOwnedByLBC
}

// resolution is what podgate last said of a binding's group.
func resolution(b *binding.Binding) binding.Resolution {
	group, _ := b.Published()
	res := binding.Resolution{Group: group, Foreign: ownedByLBC(b)}
	if c := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionReady); c != nil && c.Status == metav1.ConditionFalse {
		res.Trouble = c.Message
	}
	return res
}

// bindings lists those of a namespace, or of all, sorted.
func bindings(ctx context.Context, r client.Reader, namespace string) ([]*binding.Binding, error) {
	all, err := binding.List(ctx, r, namespace)
	if err != nil {
		return nil, err
	}

	slices.SortFunc(all, func(a, b *binding.Binding) int {
		return compare(a.Namespace, b.Namespace, a.Kind(), b.Kind(), a.Name, b.Name)
	})
	return all, nil
}

// from says where a binding's gate comes from.
func (r BindingReport) from() string {
	group := r.words.InSentence(r.Group)
	if r.Group == "" {
		group = "a target group that is not known"
	}
	if r.TargetType != "" {
		group += fmt.Sprintf(" (%s)", joined(r.TargetType, r.Protocol))
	}
	return fmt.Sprintf("%s -> Service %s, port %s -> %s", binding.Named(r.key()), r.Service, r.Port, group)
}

// object names the binding among those of all kinds, as kubectl get takes it.
func (r BindingReport) object() string { return strings.ToLower(r.Kind) + "/" + r.Name }

// key is the binding's name among those of all kinds, as podgate has it.
func (r BindingReport) key() string {
	if r.Kind == "TargetBinding" {
		return v1alpha1.GatePrefix + r.Name
	}
	return r.Name
}
