// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"path"
	"slices"
	"strings"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// filter is a condition of a question: one of its values matches one of the resource's.
type filter struct {
	Name  *string
	Value []string
}

// attributes are what a resource has for filters to look at, by their names.
type attributes map[string][]string

// matches reports whether all filters match. A filter that the resource does not know is an error.
func (st *state) matches(id string, a attributes, filters []filter) (bool, error) {
	all := true
	for _, f := range filters {
		if f.Name == nil {
			return false, wire.Failed("InvalidParameterValue", "The filter name is missing")
		}
		values, known := st.valuesOf(id, a, *f.Name)
		if !known {
			return false, wire.Failed("InvalidParameterValue", "The filter '%s' is invalid", *f.Name).Lacking("the filter '%s'", *f.Name)
		}
		all = all && anyMatches(f.Value, values)
	}
	return all, nil
}

// valuesOf are the values that a filter compares with; every resource has tags.
func (st *state) valuesOf(id string, a attributes, name string) ([]string, bool) {
	tags := st.tags[id]
	if key, isTag := strings.CutPrefix(name, "tag:"); isTag {
		value, has := tags[key]
		if !has {
			return nil, true
		}
		return []string{value}, true
	}
	if name == "tag-key" {
		keys := []string{}
		for key := range tags {
			keys = append(keys, key)
		}
		return keys, true
	}

	values, known := a[name]
	return values, known
}

// anyMatches reports whether a pattern matches a value. * is any run of characters and ? is one; case matters.
func anyMatches(patterns, values []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return wildcard(p, v) })
	})
}

// separators are what path.Match does not let * match.
var separators = strings.NewReplacer("/", "\x00", "[", "\\[")

func wildcard(pattern, value string) bool {
	ok, err := path.Match(separators.Replace(pattern), strings.ReplaceAll(value, "/", "\x00"))
	return err == nil && ok
}

// question is what all descriptions have in common.
type question struct {
	filters []filter
	ids     []string
	size    *int32
	token   *string
}

// wanted is a kind of resource as a question about it needs it.
type wanted[T any] struct {
	id         func(T) string
	attributes func(T) attributes
	notFound   func(id string) error
}

// find answers a question about all resources of a kind: those with the ids, which must exist, and that match.
func find[T any](st *state, all map[string]T, q question, w wanted[T]) ([]T, *string, error) {
	for _, id := range q.ids {
		if _, there := all[id]; !there {
			return nil, nil, w.notFound(id)
		}
	}

	found := []T{}
	for _, r := range sorted(all) {
		ok, err := st.matches(w.id(r), w.attributes(r), q.filters)
		if err != nil {
			return nil, nil, err
		}
		if ok && (q.ids == nil || slices.Contains(q.ids, w.id(r))) {
			found = append(found, r)
		}
	}

	return page(found, q, w.id)
}

// page cuts what was found. A token is the id of the last resource of the page before.
func page[T any](found []T, q question, id func(T) string) ([]T, *string, error) {
	switch {
	case q.size != nil && q.ids != nil:
		return nil, nil, wire.Failed("InvalidParameterCombination", "The parameter maxResults cannot be used with ids")
	case q.size != nil && (*q.size < 5 || *q.size > 1000):
		return nil, nil, wire.Failed("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.", *q.size)
	}

	if q.token != nil {
		at := slices.IndexFunc(found, func(r T) bool { return id(r) == *q.token })
		if at < 0 {
			return nil, nil, wire.Failed("InvalidNextToken", "The token '%s' is invalid", *q.token)
		}
		found = found[at+1:]
	}
	if q.size == nil || len(found) <= int(*q.size) {
		return found, nil, nil
	}

	found = found[:*q.size]
	last := id(found[len(found)-1])
	return found, &last, nil
}
