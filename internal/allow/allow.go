// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package allow reads the allowances that an administrator gives to namespaces: "SELECTOR => PATTERN...", where the selector
// is of namespaces and the patterns are of names that their objects may use. It does not know what the names mean.
package allow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// List holds what the objects of which namespaces may name. What no rule at all means is up to the caller: Refused refuses
// nothing then, and Allowed allows nothing. It is a flag.Value, each of whose values is one rule.
type List []rule

type rule struct {
	namespaces labels.Selector
	patterns   []string
	text       string
}

// arrow stands between a rule's selector and its patterns.
const arrow = "=>"

// Set adds "SELECTOR => PATTERN...", such as "team=shop => arn:aws:elasticloadbalancing:*:*:targetgroup/shop-*". A * in a
// pattern stands for anything.
func (l *List) Set(s string) error {
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

	*l = append(*l, rule{namespaces: namespaces, patterns: patterns, text: s})
	return nil
}

// String is all of them.
func (l *List) String() string {
	var all []string
	for _, each := range *l {
		all = append(all, each.text)
	}
	return strings.Join(all, "; ")
}

// Refused returns the first of some things that the objects of a namespace with these labels may not name; empty when they
// may name all of them, as without any rule.
func (l List) Refused(namespace map[string]string, things []string) string {
	if len(l) == 0 {
		return ""
	}
	for _, thing := range things {
		if !slices.ContainsFunc(l, func(each rule) bool { return each.allows(namespace, func(p string) bool { return Matches(p, thing) }) }) {
			return thing
		}
	}
	return ""
}

// Allowed reports whether a rule for a namespace with these labels has a pattern that covers the thing the caller means;
// never without any rule.
func (l List) Allowed(namespace map[string]string, covers func(pattern string) bool) bool {
	return slices.ContainsFunc(l, func(each rule) bool { return each.allows(namespace, covers) })
}

func (r rule) allows(namespace map[string]string, covers func(pattern string) bool) bool {
	return r.namespaces.Matches(labels.Set(namespace)) && slices.ContainsFunc(r.patterns, covers)
}

// Matches reports whether a pattern, in which * is anything, is all of a string.
func Matches(pattern, s string) bool {
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
