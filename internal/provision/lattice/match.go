// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"fmt"
	"slices"
	"strings"
)

// Same reports whether two rules match the same requests. The order of headers does not matter.
func (m Match) Same(o Match) bool { return m.key() == o.key() }

func (m Match) key() string {
	var headers []string
	for _, h := range m.Headers {
		headers = append(headers, strings.ToLower(h.Name)+"\x00"+h.Value)
	}
	slices.Sort(headers)
	return fmt.Sprintf("%s\x00%s\x00%v\x00%q", m.Method, m.Path, m.Prefix, headers)
}

// overlaps reports whether one request may match both.
func (m Match) overlaps(o Match) bool {
	if m.Method != "" && o.Method != "" && m.Method != o.Method || !m.meets(o) {
		return false
	}
	for _, a := range m.Headers {
		for _, b := range o.Headers {
			if strings.EqualFold(a.Name, b.Name) && a.Value != b.Value {
				return false
			}
		}
	}
	return true
}

// meets reports whether there is a path that both match.
func (m Match) meets(o Match) bool {
	switch {
	case m.Prefix && o.Prefix:
		return strings.HasPrefix(m.Path, o.Path) || strings.HasPrefix(o.Path, m.Path)
	case m.Prefix:
		return strings.HasPrefix(o.Path, m.Path)
	case o.Prefix:
		return strings.HasPrefix(m.Path, o.Path)
	}
	return m.Path == o.Path
}

// same reports whether two actions do the same. The order of groups does not matter, nor the weight of one that is alone.
func (a Action) same(b Action) bool {
	if a.Answer != b.Answer || len(a.Forward) != len(b.Forward) {
		return false
	}
	for _, f := range a.Forward {
		if !slices.ContainsFunc(b.Forward, func(g Forward) bool { return g.Group == f.Group && (len(a.Forward) == 1 || g.Weight == f.Weight) }) {
			return false
		}
	}
	return true
}

// names reports whether an action forwards to a group, be it with weight 0.
func (a Action) names(group string) bool {
	return slices.ContainsFunc(a.Forward, func(f Forward) bool { return f.Group == group })
}

// weighted are the groups of an action that get requests. One that is alone gets them all.
func (a Action) weighted() []Forward {
	if len(a.Forward) == 1 {
		return a.Forward
	}
	var list []Forward
	for _, f := range a.Forward {
		if f.Weight > 0 {
			list = append(list, f)
		}
	}
	return list
}

// with is an action that forwards with weight 0 to those groups of another one that it does not name. Its own groups keep their shares.
func (a Action) with(more Action) Action {
	list := slices.Clone(a.Forward)
	if len(list) == 1 {
		list[0].Weight = max(list[0].Weight, 1)
	}
	for _, f := range more.Forward {
		if !a.names(f.Group) {
			list = append(list, Forward{Group: f.Group})
		}
	}
	return Action{Forward: list, Answer: a.Answer}
}
