// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import "regexp"

// pattern is a regular expression of the model. Those begin with negative lookaheads where a text must not have a
// form, which Go's expressions do not have.
type pattern struct {
	must *regexp.Regexp
	not  []*regexp.Regexp
}

var lookahead = regexp.MustCompile(`^\^?\(\?!([^)]*)\)`)

// longRepeat is a repetition beyond what Go's expressions can count. The shape bounds the length as well.
var longRepeat = regexp.MustCompile(`\{[0-9]+,[0-9]{4,}\}`)

func compile(text string) (pattern, error) {
	var p pattern
	for {
		found := lookahead.FindStringSubmatch(text)
		if found == nil {
			break
		}
		not, err := regexp.Compile(`^(?:` + found[1] + `)`)
		if err != nil {
			return p, err
		}
		p.not = append(p.not, not)
		text = text[len(found[0]):]
	}

	text = longRepeat.ReplaceAllString(text, "*")

	// Patterns are about the whole text, with or without anchors.
	must, err := regexp.Compile(`^(?:` + text + `)$`)
	p.must = must
	return p, err
}

func (p pattern) match(text string) bool {
	for _, not := range p.not {
		if not.MatchString(text) {
			return false
		}
	}
	return p.must.MatchString(text)
}
