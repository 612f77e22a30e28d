// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import "slices"

// Page returns the page of list that marker and size ask for, and the marker of
// the next page. A marker is the ARN of the last item of the page before it.
func Page[T any](list []T, arn func(T) string, marker *string, size *int32) ([]T, *string, error) {
	if err := InRange("pageSize", size, 1, 400); err != nil {
		return nil, nil, err
	}

	if marker != nil {
		at := slices.IndexFunc(list, func(item T) bool { return arn(item) == *marker })
		if at < 0 {
			return nil, nil, Invalid("Invalid marker '%s'", *marker)
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

	next := arn(list[n-1])
	return list[:n], &next, nil
}
