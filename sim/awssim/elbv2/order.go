// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"cmp"
	"slices"
)

// ordered is what was created at some time.
type ordered interface{ created() int64 }

func (g *targetGroup) created() int64  { return g.seq }
func (b *loadBalancer) created() int64 { return b.seq }
func (l *listener) created() int64     { return l.seq }
func (r *rule) created() int64         { return r.seq }

// sorted lists resources in the order of their creation.
func sorted[T ordered](m map[string]T) []T {
	list := make([]T, 0, len(m))
	for _, v := range m {
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(a.created(), b.created()) })
	return list
}
