// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import "slices"

// Manifest is what an object says of the group that it binds a Service to. Its zero value
// is that of an object whose load balancer podgate does not know.
type Manifest struct {
	// Group is the group as far as the object describes it. Group.Ref.Group is empty where
	// the group is given by its name, Group.Name.
	Group Group
	// Parts are the group's parts, in the object's order, where bindings claim those one by one;
	// empty where the group is claimed as a whole.
	Parts []string
}

// Claims lists what no two bindings may have podgate register targets in: the group's parts, or
// else the group itself.
func (m Manifest) Claims(group string) []string {
	if len(m.Parts) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(m.Parts)))
	}
	return []string{group}
}

// Manifest returns what an object says of its group, by the driver whose group it is.
func (d Drivers) Manifest(object any) Manifest {
	for _, driver := range d {
		if driver.Manifest == nil {
			continue
		}
		if m, ok := driver.Manifest(object); ok {
			m.Group.Ref.Provider = driver.Kind
			return m
		}
	}
	return Manifest{}
}
