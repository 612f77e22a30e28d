// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package markup writes HTML and SVG in which every text from elsewhere is escaped. Programs do it with html/template
// otherwise; but a template may call any method, so that the linker leaves out none, and podgate would grow by half, in the
// memory of every replica.
package markup

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// Markup is what a browser takes for markup rather than for text. But for constants, only this package makes it.
type Markup string

// Attribute is one of an element.
type Attribute struct{ name, value string }

// Attr makes an attribute; its value is escaped.
func Attr(name, value string) Attribute { return Attribute{name, value} }

// Class is the attribute that styles go by.
func Class(names string) Attribute { return Attribute{"class", names} }

// void are the elements that have no end.
var void = []string{"meta", "link", "br"}

// Element makes an element of attributes, which come first, of texts and numbers, which are escaped, and of other elements.
func Element(name string, content ...any) Markup {
	var b strings.Builder
	b.WriteString("<" + name)
	for len(content) > 0 {
		a, is := content[0].(Attribute)
		if !is {
			break
		}
		b.WriteString(" " + a.name + `="` + html.EscapeString(a.value) + `"`)
		content = content[1:]
	}

	b.WriteString(">")
	if slices.Contains(void, name) {
		return Markup(b.String())
	}

	for _, c := range content {
		switch c := c.(type) {
		case nil:
		case Markup:
			b.WriteString(string(c))
		case []Markup:
			b.WriteString(string(Join(c...)))
		default:
			b.WriteString(html.EscapeString(fmt.Sprint(c)))
		}
	}

	b.WriteString("</" + name + ">")
	return Markup(b.String())
}

// Join puts elements one after the other.
func Join(all ...Markup) Markup {
	var b strings.Builder
	for _, m := range all {
		b.WriteString(string(m))
	}
	return Markup(b.String())
}
