// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/podgate/podgate/internal/route"
)

// sameMatch reports whether two rules match the same requests. The order of values does not matter.
func sameMatch(a, b route.Match) bool {
	// Nearly all comparisons are with parking, and nearly no other rule has sources.
	return (len(a.Sources) > 0) == (len(b.Sources) > 0) && matchKey(a) == matchKey(b)
}

// matchKey is the same for matches that are the same.
func matchKey(m route.Match) string {
	var headers, queries []string
	for _, h := range m.Headers {
		headers = append(headers, strings.ToLower(h.Name)+"\x00"+set(h.Values))
	}
	for _, q := range m.Queries {
		var values []string
		for _, one := range q {
			values = append(values, one.Key+"\x00"+one.Value)
		}
		queries = append(queries, set(values))
	}
	return strings.Join([]string{set(m.Hosts), set(m.Paths), set(m.Methods), set(headers), set(queries), set(m.Sources)}, "\x00\x00\x00")
}

// set is the same for lists with the same values.
func set(values []string) string {
	return strings.Join(slices.Sorted(slices.Values(values)), "\x00\x00")
}

// sameAction reports whether two actions do the same. What AWS fills in may be missing.
func sameAction(a, b Action) bool { return actionKey(a) == actionKey(b) }

// actionKey is the same for actions that are the same.
func actionKey(a Action) string {
	switch {
	case a.Redirect != nil:
		r := *a.Redirect
		return fmt.Sprintf("redirect %d %q %q %q %q %q", r.Status, cmp.Or(r.Protocol, "#{protocol}"), cmp.Or(r.Host, "#{host}"),
			cmp.Or(r.Port, "#{port}"), cmp.Or(r.Path, "/#{path}"), cmp.Or(r.Query, "#{query}"))
	case a.Answer != nil:
		return fmt.Sprintf("answer %d %q %q", a.Answer.Status, cmp.Or(a.Answer.ContentType, "text/plain"), a.Answer.Body)
	}

	var groups []string
	for _, f := range a.Forward {
		// The weight of a group that is alone means nothing.
		if len(a.Forward) == 1 {
			f.Weight = 1
		}
		groups = append(groups, f.Group+"="+strconv.Itoa(int(f.Weight)))
	}
	return "forward " + a.Sticky.String() + " " + set(groups)
}

// sameSet reports whether two lists have the same values.
func sameSet[T cmp.Ordered](a, b []T) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// without returns the values that are not in the other list.
func without[T comparable](values, other []T) []T {
	var left []T
	for _, v := range values {
		if !slices.Contains(other, v) {
			left = append(left, v)
		}
	}
	return left
}

// changes returns the entries that are missing or different in what there is.
func changes(want, has map[string]string) map[string]string {
	diff := map[string]string{}
	for k, v := range want {
		if old, ok := has[k]; !ok || old != v {
			diff[k] = v
		}
	}
	return diff
}

// differs reports whether a setting was asked for and is another one.
func differs[T comparable](want, has T) bool {
	var none T
	return want != none && want != has
}

// All returns the tags of a part of a stack, its own and the stack's.
func (i Identity) All(resource string, own map[string]string) map[string]string {
	tags := maps.Clone(own)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, i.Tags)
	if i.ResourceTag != "" {
		tags[i.ResourceTag] = resource
	}
	return tags
}

// names are what something may be called: as it should be, or where that is not free with a number.
func names(name string) []string {
	list, short := []string{name}, strings.TrimRight(name[:min(len(name), 30)], "-")
	for n := 2; n <= 9; n++ {
		list = append(list, short+"-"+strconv.Itoa(n))
	}
	return list
}
