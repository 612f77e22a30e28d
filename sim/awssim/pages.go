// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

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

// page cuts the page out of list that marker and size ask for. A marker is the
// ARN of the last item of the page before.
func page[T any](list []T, arn func(T) string, marker *string, size *int32) ([]T, *string, error) {
	if err := inRange("pageSize", size, 1, 400); err != nil {
		return nil, nil, err
	}
	if marker != nil {
		at := slices.IndexFunc(list, func(item T) bool { return arn(item) == *marker })
		if at < 0 {
			return nil, nil, invalid("Invalid marker '%s'", *marker)
		}
		list = list[at+1:]
	}
	n := 400
	if size != nil {
		n = int(*size)
	}
	if len(list) <= n {
		return list, nil, nil
	}
	return list[:n], ptr(arn(list[n-1])), nil
}
