// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/route/gatewayapi"
)

// standing is how an Ingress stands to a group.
type standing int

const (
	// stranger: the group has nothing to do with it.
	stranger standing = iota
	// active: it is a member.
	active
	// kept: it cannot be told whether it is one, and what the stack has of it stays.
	kept
	// leaving: it was one, and what the stack has of it goes.
	leaving
	// guest: it is a route of a Gateway, which is the member.
	guest
	// refused: it would be one if it could be served, and the stack has nothing of it.
	refused
)

// member is an Ingress, a Service, a Gateway or a route that a group has to do with.
type member struct {
	client.Object
	class    Class
	standing standing
	// abandoned: AWS Load Balancer Controller has a finalizer on it, and is gone.
	abandoned bool
}

// owner is how rules and target groups name it.
func (m member) owner() string {
	if gatewayapi.KindOf(m.Object) != "" {
		return gatewayapi.Owner(m.Object)
	}
	return m.GetNamespace() + "/" + m.GetName()
}

// members are the Ingresses that a group has to do with, in the order of their names.
func (k ingresses) members(ctx context.Context, group Key) ([]member, error) {
	all, err := k.candidates(ctx, group)
	if err != nil {
		return nil, err
	}

	var found []member
	for i := range all {
		m := member{Object: all[i].DeepCopy()}
		if m.class, err = k.classes.Of(ctx, &all[i]); err != nil {
			return nil, fmt.Errorf("class of Ingress %s: %w", m.owner(), err)
		}
		if m.standing = stands(m, group); m.standing != stranger {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b member) int {
		return compareKeys(client.ObjectKeyFromObject(a), client.ObjectKeyFromObject(b))
	})
	return found, nil
}

// candidates are the Ingresses that may have to do with a group.
func (k ingresses) candidates(ctx context.Context, group Key) ([]networkingv1.Ingress, error) {
	if group.Namespace != "" {
		var one networkingv1.Ingress
		switch err := k.reader.Get(ctx, group, &one); {
		case apierrors.IsNotFound(err):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("get Ingress: %w", err)
		}
		return []networkingv1.Ingress{one}, nil
	}

	var list networkingv1.IngressList
	if err := k.reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list Ingresses: %w", err)
	}
	return list.Items, nil
}

// stands is how an Ingress stands to a group, by its class.
func stands(m member, group Key) standing {
	held := holds(group, m.Object)
	joins := m.class.Served && keyOf(m, m.class.Group) == group

	switch {
	case !m.GetDeletionTimestamp().IsZero():
		// Of an Ingress that AWS Load Balancer Controller left in its deletion there is something, too.
		if held || joins && lbc.IngressFinalizers(m) != nil {
			return leaving
		}
		return stranger
	case m.class.Refused != "" && held:
		return kept
	case m.class.Refused != "" && joins:
		return refused
	case joins:
		return active
	case held:
		return leaving
	}
	return stranger
}

// own decides whose the members are, and reports whether podgate may act on the group: one load balancer has one controller.
// Whom AWS Load Balancer Controller would serve, and has no finalizer on yet, takes no group from others that podgate serves: it
// is refused. That controller does nothing at AWS before its finalizer, and with that the group is its. On an Ingress of a class
// that it does not serve anybody may have written its finalizer, and it will not serve that one: such an Ingress waits alone.
func (r *Reconciler) own(ctx context.Context, group Key, members []member) (lbc.Ownership, error) {
	whose, serves := lbc.OwnedByPodgate, false
	var newcomers []*member
	for i := range members {
		m := &members[i]
		of, err := r.lbc.Of(ctx, m.Object, m.class.LBC)
		if err != nil {
			return lbc.Unknown, fmt.Errorf("whose %s %s is: %w", nounOf(m.Object), m.owner(), err)
		}
		m.abandoned = of == lbc.Abandoned

		held := holds(group, m.Object)
		switch {
		case of.Podgates():
			serves = serves || held
		case of == lbc.OwnedByLBC && !held && (lbc.IngressFinalizers(m) == nil || !m.class.LBC):
			newcomers = append(newcomers, m)
		default:
			whose = of
		}
	}

	if !whose.Podgates() || len(newcomers) == 0 {
		return whose, nil
	}
	if !serves {
		return lbc.OwnedByLBC, nil
	}
	for _, m := range newcomers {
		m.standing = refused
		if lbc.IngressFinalizers(m) != nil {
			m.class.Refused = "AWS Load Balancer Controller runs and has its finalizer on this Ingress, of which it does not serve the class: wait until it takes the finalizer off, or take it off if somebody else wrote it"
			continue
		}
		m.class.Refused = fmt.Sprintf("AWS Load Balancer Controller runs and serves this class, and podgate serves group %q for other Ingresses: "+
			"use a class that only podgate serves, or another group", group.Name)
	}
	return whose, nil
}

func compareKeys(a, b types.NamespacedName) int {
	return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
}
