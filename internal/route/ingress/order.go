// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"cmp"
	"slices"

	"github.com/podgate/podgate/internal/route/annotation"
)

// InOrder returns the members of a group in the order in which their rules apply.
func InOrder(members []Member) []Member {
	var read []*member
	for _, of := range members {
		m := newMember(of, nil)
		m.order = place(m.reader())
		read = append(read, m)
	}
	slices.SortFunc(read, before)

	var list []Member
	for _, m := range read {
		list = append(list, m.Member)
	}
	return list
}

// place is where in its group a member wants to be.
func place(r annotation.Reader) int32 { return r.Number("group.order", 0, -1000, 1000) }

// before orders members by their places, then by their names.
func before(a, b *member) int {
	return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Owner, b.Owner))
}
