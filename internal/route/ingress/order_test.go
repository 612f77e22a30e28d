// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import "testing"

// TestInOrder: the order of members is that of their rules, whatever else is wrong with them.
func TestInOrder(t *testing.T) {
	members := []Member{
		{Ingress: ingress("c", annotations{"group.order": "10"})}, {Ingress: ingress("b", annotations{"group.order": "x"})},
		{Ingress: ingress("a", nil)}, {Ingress: ingress("d", annotations{"group.order": "-1"})},
	}

	var names []string
	for _, m := range InOrder(members) {
		names = append(names, m.Ingress.Name)
	}
	check(t, "order", []string{"d", "a", "b", "c"}, names)
}
