// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// Allowances say which target groups, roles and backends the bindings of which namespaces
// may name; all of them when there is none. It is a flag.Value, each of whose values is one.
type Allowances []allowance

type allowance struct {
	namespaces labels.Selector
	patterns   []string
	text       string
}

// arrow stands between an allowance's selector and its patterns.
const arrow = "=>"

// Set adds "SELECTOR => PATTERN...", such as "team=shop => arn:aws:elasticloadbalancing:*:*:targetgroup/shop-*". A * in a
// pattern stands for anything.
func (a *Allowances) Set(s string) error {
	selector, list, both := strings.Cut(s, arrow)
	patterns := strings.Fields(list)
	if !both || len(patterns) == 0 {
		return errors.New("want 'NAMESPACE-SELECTOR => PATTERN...'")
	}
	if strings.TrimSpace(selector) == "" {
		return errors.New("the selector is empty: say which namespaces, such as team=shop or kubernetes.io/metadata.name")
	}

	namespaces, err := labels.Parse(selector)
	if err != nil {
		return fmt.Errorf("selector of namespaces: %w", err)
	}

	*a = append(*a, allowance{namespaces: namespaces, patterns: patterns, text: s})
	return nil
}

// String is all of them.
func (a *Allowances) String() string {
	var all []string
	for _, each := range *a {
		all = append(all, each.text)
	}
	return strings.Join(all, "; ")
}

// Refused gives the first of some things that the bindings of a namespace with these labels
// may not name; empty when there is none.
func (a Allowances) Refused(namespace map[string]string, things []string) string {
	if len(a) == 0 {
		return ""
	}
	for _, thing := range things {
		if !slices.ContainsFunc(a, func(each allowance) bool { return each.allows(namespace, thing) }) {
			return thing
		}
	}
	return ""
}

func (a allowance) allows(namespace map[string]string, thing string) bool {
	return a.namespaces.Matches(labels.Set(namespace)) && slices.ContainsFunc(a.patterns, func(p string) bool { return matches(p, thing) })
}

// matches reports whether a pattern, in which * is anything, is all of a string.
func matches(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}

	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}

	last := len(parts) - 1
	for _, part := range parts[1:last] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}

	return strings.HasSuffix(rest, parts[last])
}
