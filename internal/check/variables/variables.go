// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package variables fills in what the texts of a check leave open about the gated pod, such as $(pod.name). It has
// no conditions, functions or defaults, and knows nothing of the languages that the texts are written in.
//
// Values cannot break out of a text: each is a name, a UID, an address or a label's value, and none of these has
// quotes, backslashes, braces, slashes or blanks. Annotations may have them, so there is no variable for annotations.
//
// Two traps remain for authors. An empty value changes what a text asks: {shard=""} matches all series without that label.
// So a text with an empty value is not filled in at all. And names and labels may have dots, which match any character in
// a regular expression: write pod="$(pod.name)" and not pod=~"$(pod.name)".
package variables

import (
	"fmt"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/podgate/podgate/internal/check"
)

// What variables begin and end with. Other texts with a dollar sign are no variables.
const (
	opening = "$(pod."
	closing = ")"
)

// Text is a text with variables.
type Text struct {
	parts []part
	ofIP  bool
}

// part is a literal, or a variable where value is not nil.
type part struct {
	literal string
	value   func(check.Subject) string
}

// fields are the variables that have no argument.
var fields = map[string]func(check.Subject) string{
	"name":      func(pod check.Subject) string { return known(pod).Name },
	"namespace": func(pod check.Subject) string { return known(pod).Namespace },
	"uid":       func(pod check.Subject) string { return string(pod.UID) },
	"node":      func(pod check.Subject) string { return known(pod).Spec.NodeName },
	"ip":        address,
}

// known is what is known of a pod; empty when nothing is.
func known(pod check.Subject) *corev1.Pod {
	if pod.Pod == nil {
		return &corev1.Pod{}
	}
	return pod.Pod
}

// address is the pod's first address.
func address(pod check.Subject) string {
	if len(pod.Addrs) == 0 {
		return ""
	}
	return pod.Addrs[0].String()
}

// Parse reads a text. An error says which variable there is not.
func Parse(text string) (Text, error) {
	var t Text
	for {
		literal, rest, found := strings.Cut(text, opening)
		t.parts = append(t.parts, part{literal: literal})
		if !found {
			return t, nil
		}

		name, rest, closed := strings.Cut(rest, closing)
		value, exists := variable(name)
		if !closed || !exists {
			return Text{}, fmt.Errorf("%s%s%s is not a variable: there are $(pod.name), $(pod.namespace), $(pod.uid), $(pod.ip), $(pod.node) and $(pod.labels['KEY'])", opening, name, closing)
		}

		t.parts = append(t.parts, part{value: value})
		t.ofIP = t.ofIP || name == "ip"
		text = rest
	}
}

// variable is what a name without "pod." stands for.
func variable(name string) (value func(check.Subject) string, exists bool) {
	key, isLabel := strings.CutPrefix(name, "labels['")
	if !isLabel {
		value, exists = fields[name]
		return value, exists
	}

	key, closed := strings.CutSuffix(key, "']")
	if !closed || len(validation.IsQualifiedName(key)) > 0 {
		return nil, false
	}

	return func(pod check.Subject) string { return known(pod).Labels[key] }, true
}

// PerPod reports whether the text has variables, so that it differs from pod to pod.
func (t Text) PerPod() bool { return len(t.parts) > 1 }

// Mask returns the text with a mask in the place of each variable.
func (t Text) Mask(mask string) string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.value != nil {
			b.WriteString(mask)
		}
		b.WriteString(p.literal)
	}
	return b.String()
}

// OfIP reports whether the text has the pod's address in it, which another pod may have had before.
func (t Text) OfIP() bool { return t.ofIP }

// Fill returns the text for a pod; ok is false when a variable has no value for it.
func (t Text) Fill(pod check.Subject) (filled string, ok bool) {
	return t.fill(pod, func(value string) string { return value })
}

// FillURL is Fill for a URL, or the path or the query of one: values are percent-encoded.
func (t Text) FillURL(pod check.Subject) (filled string, ok bool) {
	return t.fill(pod, url.QueryEscape)
}

func (t Text) fill(pod check.Subject, encode func(string) string) (filled string, ok bool) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.value == nil {
			b.WriteString(p.literal)
			continue
		}

		value := p.value(pod)
		if !plain(value) {
			return "", false
		}
		b.WriteString(encode(value))
	}
	return b.String(), true
}

// plain reports whether a value is one that can be filled in: not empty, and of the alphabet of names, UIDs, addresses and
// labels. The API server allows no others; this holds where it is not the API server that says what a pod is.
func plain(value string) bool {
	return strings.Trim(value, ".") != "" && !strings.ContainsFunc(value, foreign)
}

// foreign reports whether a character is not of the alphabet.
func foreign(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	digit := r >= '0' && r <= '9'
	return !letter && !digit && !strings.ContainsRune("._-:", r)
}
