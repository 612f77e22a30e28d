// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"context"
	"errors"
	"testing"

	"github.com/podgate/podgate/internal/gate"
)

// named answers every call with an error that is its own.
type named struct{ err error }

func (n named) Health(context.Context, Group) (map[gate.Target]gate.Health, error) { return nil, n.err }
func (n named) Register(context.Context, Group, []gate.Target, Pods) error         { return n.err }
func (n named) Deregister(context.Context, Group, []gate.Target) error             { return n.err }
func (n named) Resolve(context.Context, Group) (Group, error)                      { return Group{}, n.err }

// tended is a provider that looks after drains.
type tended struct{ named }

func (n tended) Due(Group) bool                    { return n.err != nil }
func (n tended) Tend(context.Context, Group) error { return n.err }

func TestRouterTends(t *testing.T) {
	tend := errors.New("of HAProxy")
	r := Router{"aws": named{errors.New("of AWS")}, "haproxy": tended{named{tend}}}
	for ref, want := range map[Ref]error{{Provider: "aws", Group: "g"}: nil, {Provider: "haproxy", Group: "g"}: tend, {Provider: "other", Group: "g"}: ErrInvalid, {Group: "g"}: ErrInvalid} {
		if err := r.Tend(t.Context(), Group{Ref: ref}); !errors.Is(err, want) {
			t.Errorf("tend %v: got %v, want %v", ref, err, want)
		}
		if got := r.Due(Group{Ref: ref}); got != (want != nil) {
			t.Errorf("due of %v: got %t, want %t", ref, got, want != nil)
		}
	}
}

func TestRouterAsksTheGroupsProvider(t *testing.T) {
	aws, haproxy := errors.New("of AWS"), errors.New("of HAProxy")
	r := Router{"aws": named{aws}, "haproxy": named{haproxy}}
	for ref, want := range map[Ref]error{{Provider: "aws", Group: "g"}: aws, {Provider: "haproxy", Group: "g"}: haproxy, {Provider: "other", Group: "g"}: ErrInvalid, {Group: "g"}: ErrInvalid} {
		_, health := r.Health(t.Context(), Group{Ref: ref})
		_, resolve := r.Resolve(t.Context(), Group{Ref: ref})
		for call, err := range map[string]error{"health": health, "resolve": resolve, "register": r.Register(t.Context(), Group{Ref: ref}, nil, nil), "deregister": r.Deregister(t.Context(), Group{Ref: ref}, nil)} {
			if !errors.Is(err, want) {
				t.Errorf("%s of %v: got %v, want %v", call, ref, err, want)
			}
		}
	}
}
