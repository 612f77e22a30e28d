// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reader reads annotations of an Ingress, after those of a Service where there are some.
func reader(own map[string]string, before ...Source) Reader {
	return Reader{Problems: &Problems{Owner: "shop/web"}, From: append(before, Of("lb/", "", own))}
}

// told are problems, each in a line.
func told(p *Problems) []string {
	var lines []string
	for _, problem := range p.List {
		lines = append(lines, fmt.Sprintf("%s %d %s: %s", problem.Owner, problem.Severity, problem.Reason, problem.Message))
	}
	return lines
}

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestOf(t *testing.T) {
	s := Of("lb/", " of Service web", map[string]string{"lb/a": " 1 ", "other/b": "2", "a": "3"})
	check(t, "values", map[string]string{"a": " 1 "}, s.Values)
	check(t, "called", "annotation a of Service web", s.Called("a"))
}

func TestGet(t *testing.T) {
	service := Of("lb/", " of Service web", map[string]string{"lb/b": "2"})
	r := reader(map[string]string{"lb/a": " 1 ", "lb/b": "3", "lb/c": "4", "lb/d": "x, y", "lb/f": "7"}, service)
	r.Class = Class{Source: Source{Of: " of the class", Values: map[string]string{"c": "5", "d": "y,x", "e": " 6 "}}}

	for name, want := range map[string][]string{
		"a": {"1", "annotation a"}, "b": {"2", "annotation b of Service web"}, "c": {"5", "c of the class"}, "d": {"y,x", "d of the class"}, "e": {"6", "e of the class"},
	} {
		value, called, ok := r.Get(name)
		check(t, name, want, []string{value, called})
		check(t, name+" is there", true, ok)
	}
	_, _, ok := r.Get("g")
	check(t, "nobody says g", false, ok)
	check(t, "what the class overrules is told", []string{`shop/web 1 NoEffect: annotation c has no effect: the class's IngressClassParams has "5", and wins`}, told(r.Problems))
}

// TestForms: each form has values that it takes, and refuses the others with what is allowed.
func TestForms(t *testing.T) {
	const at = "shop/web 3 InvalidAnnotation: annotation a is "
	text := func(r Reader) any { return r.Text("a", "otherwise") }
	oneOf := func(r Reader) any { return r.OneOf("a", "otherwise", "x", "y", "z") }
	alone := func(r Reader) any { return r.OneOf("a", "otherwise", "x") }
	pair := func(r Reader) any { return r.OneOf("a", "otherwise", "x", "y") }
	number := func(r Reader) any { return r.Number("a", 7, 1, 10) }
	yes := func(r Reader) any { return r.Yes("a") }
	list := func(r Reader) any { return r.List("a") }
	pairs := func(r Reader) any { return r.Pairs("a") }
	const form = `: write key=value with commas between them, and \, for a comma in a value; `

	for _, tc := range []struct {
		read  func(Reader) any
		value string
		want  any
		told  string
	}{
		{text, " v ", "v", ""},
		{text, " ", "otherwise", `"": give it a value, or remove it`},
		{oneOf, "y", "y", ""},
		{oneOf, "w", "w", `"w": use x, y or z`},
		{alone, "w", "w", `"w": use x`},
		{pair, "w", "w", `"w": use x or y`},
		{number, "1", int32(1), ""},
		{number, "10", int32(10), ""},
		{number, "0", int32(7), `"0": use a number from 1 to 10`},
		{number, "11", int32(7), `"11": use a number from 1 to 10`},
		{number, "x", int32(7), `"x": use a number from 1 to 10`},
		{number, "4294967301", int32(7), `"4294967301": use a number from 1 to 10`},
		{number, "0x5", int32(7), `"0x5": use a number from 1 to 10`},
		{yes, "true", true, ""},
		{yes, "false", false, ""},
		{yes, "yes", false, `"yes": use true or false`},
		{list, "x, y,,z ", []string{"x", "y", "z"}, ""},
		{list, ", ", []string(nil), `",": name at least one, or remove it`},
		{pairs, `x=1, y = 2=3 ,z=a\,b,`, map[string]string{"x": "1", "y": "2=3", "z": "a,b"}, ""},
		{pairs, "x=", map[string]string{"x": ""}, ""},
		{pairs, "x", map[string]string{}, `"x"` + form + `"x" is none`},
		{pairs, "=x", map[string]string{}, `"=x"` + form + `"=x" is none`},
		{pairs, "x=1\ny=2", map[string]string{}, `"x=1\ny=2": write commas between key=value, instead of one on each line`},
	} {
		r := reader(map[string]string{"lb/a": tc.value})
		check(t, fmt.Sprintf("%q", tc.value), tc.want, tc.read(r))
		want := []string(nil)
		if tc.told != "" {
			want = []string{at + tc.told}
		}
		check(t, fmt.Sprintf("%q is told", tc.value), want, told(r.Problems))
		check(t, fmt.Sprintf("%q refuses", tc.value), tc.told != "", r.Refused())
	}

	none := reader(nil)
	check(t, "without", []any{"otherwise", "otherwise", int32(7), false, []string(nil), map[string]string{}},
		[]any{text(none), oneOf(none), number(none), yes(none), list(none), pairs(none)})
	check(t, "is no problem", []string(nil), told(none.Problems))
}

// TestPairsOfAClass: keys of the class win, each by itself, and the first object that has any has them all.
func TestPairsOfAClass(t *testing.T) {
	service := Of("lb/", " of Service web", map[string]string{"lb/a": "x=1,y=2,z=3"})
	r := reader(map[string]string{"lb/a": "w=4", "lb/b": "v=5"}, service)
	r.Class.Pairs = map[string]map[string]string{"a": {"x": "1", "y": "9", "u": "6"}}
	check(t, "a", map[string]string{"x": "1", "y": "9", "z": "3", "u": "6"}, r.Pairs("a"))
	check(t, "b", map[string]string{"v": "5"}, r.Pairs("b"))
	check(t, "told", []string{`shop/web 1 NoEffect: y of annotation a of Service web has no effect: the class's IngressClassParams has "9", and wins`}, told(r.Problems))
}

func TestProblems(t *testing.T) {
	p := &Problems{Owner: "shop/web"}
	p.Notice("A", "a %d", 1)
	p.Partial("B", "b")
	p.Partial("B", "b")
	check(t, "not yet", false, p.Refused())
	p.Refuse("C", "c")
	check(t, "each once", []string{"shop/web 1 A: a 1", "shop/web 2 B: b", "shop/web 3 C: c"}, told(p))
	check(t, "then", true, p.Refused())
}

func TestBalancerName(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "Web-1": true, "a123456789b123456789c123456789d1": true, "a123456789b123456789c123456789d12": false,
		"-a": false, "a-": false, "a_b": false, "internal-a": false, "internals": true,
	} {
		r := reader(map[string]string{"lb/a": name})
		check(t, name, name, r.BalancerName("a"))
		check(t, name+" is good", good, !r.Refused())
	}
	r := reader(nil)
	check(t, "none", "", r.BalancerName("a"))
	check(t, "is good", false, r.Refused())
}

func TestCIDRs(t *testing.T) {
	r := reader(map[string]string{"lb/a": "192.0.2.7/24, 10.0.0.0/8,2001:db8::1/32"})
	check(t, "in order", []string{"10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"}, r.CIDRs("a"))
	check(t, "good", []string(nil), told(r.Problems))

	r = reader(map[string]string{"lb/a": "10.0.0.1,10.0.0.0/8"})
	check(t, "others", []string{"10.0.0.0/8"}, r.CIDRs("a"))
	check(t, "told", []string{`shop/web 3 InvalidAnnotation: annotation a is "10.0.0.1": use CIDRs such as 10.0.0.0/8, with commas between them`}, told(r.Problems))
	check(t, "spaces", []string{"10.0.0.0/8"}, reader(nil).Ranges("spec", []string{" 10.0.0.0/8 "}))
}

func TestContains(t *testing.T) {
	for _, tc := range []struct {
		outer, inner string
		want         bool
	}{
		{"10.0.0.0/8", "10.0.0.0/8", true}, {"10.0.0.0/8", "10.1.0.0/16", true}, {"10.1.0.0/16", "10.0.0.0/8", false}, {"10.0.0.0/8", "11.0.0.0/16", false},
		{"10.0.0.0/16", "10.0.0.0/8", false}, {"x", "10.0.0.0/8", false}, {"0.0.0.0/0", "x", false}, {"x", "x", false},
	} {
		check(t, tc.outer+" "+tc.inner, tc.want, Contains(tc.outer, tc.inner))
	}
}
