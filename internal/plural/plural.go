// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package plural writes numbers of things for people: "1 pod", "3 pods". A test of it finds texts that do so by themselves.
package plural

import (
	"strconv"
	"strings"
)

// Number is what counts things.
type Number interface{ ~int | ~int32 | ~int64 }

// Count is a number of things: "1 pod", "0 pods", "3 addresses".
func Count[N Number](n N, thing string) string {
	many := thing + "s"
	if strings.HasSuffix(thing, "s") {
		many = thing + "es"
	}
	return strconv.FormatInt(int64(n), 10) + " " + Of(n, thing, many)
}

// Part is a number of so many things, with a verb: "1 of 3 pods is", "0 of 1 pod is".
func Part[N Number](n, of N, thing, one, several string) string {
	verb := Of(n, one, several)
	if of == 1 {
		verb = one
	}
	return strconv.FormatInt(int64(n), 10) + " of " + Count(of, thing) + " " + verb
}

// Of is the word for one thing or for several, such as "is" or "are".
func Of[N Number](n N, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
