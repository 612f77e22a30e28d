// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package markup

import "testing"

func TestElement(t *testing.T) {
	for want, got := range map[Markup]Markup{
		`<p></p>`:                                   Element("p"),
		`<p class="a b">x &lt;b&gt; &amp; y</p>`:    Element("p", Class("a b"), "x <b> & y"),
		`<a href="/x?a=1&amp;b=&#34;"><b>3</b></a>`: Element("a", Attr("href", `/x?a=1&b="`), Element("b", 3)),
		`<ul><li>a</li><li>b</li></ul>`:             Element("ul", []Markup{Element("li", "a"), Element("li", "b")}, nil),
		`<meta charset="utf-8">`:                    Element("meta", Attr("charset", "utf-8")),
		`<b>a</b><i>b</i>`:                          Join(Element("b", "a"), Element("i", "b")),
	} {
		if got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
}
