// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package annotation reads what annotations of Ingresses and Services ask of a
// load balancer. A value that cannot be read refuses its object, and nothing is
// left out silently.
//
// It refuses to know which annotations there are.
package annotation

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
)

// Source is an object that has annotations.
type Source struct {
	// Kind and Of stand around the name of an annotation in messages, such as "annotation " and " of Service web".
	Kind, Of string
	// Values are by names without the prefix.
	Values map[string]string
}

// Of returns the source of an object's annotations with a prefix.
func Of(prefix, of string, annotations map[string]string) Source {
	s := Source{Kind: "annotation ", Of: of, Values: map[string]string{}}
	for name, value := range annotations {
		if short, ok := strings.CutPrefix(name, prefix); ok {
			s.Values[short] = value
		}
	}
	return s
}

// Class has settings of a class, by the names of the annotations that they win over.
type Class struct {
	Source
	Pairs map[string]map[string]string
}

// Reader reads annotations in their forms. A value that cannot be read refuses the object.
type Reader struct {
	*Problems
	// Class wins, and From are objects of which the first that has an annotation decides.
	Class Class
	From  []Source
}

// Called is what an annotation is called in messages.
func (s Source) Called(name string) string { return s.Kind + name + s.Of }

// Get returns the value of an annotation, and what it is called in a message.
func (r Reader) Get(name string) (value, called string, ok bool) {
	if value, ok := r.Class.Values[name]; ok {
		r.Overruled(name, value)
		return strings.TrimSpace(value), r.Class.Called(name), true
	}
	for _, s := range r.From {
		if value, ok := s.Values[name]; ok {
			return strings.TrimSpace(value), s.Called(name), true
		}
	}
	return "", "", false
}

// Overruled tells of annotations with another value than the class has.
func (r Reader) Overruled(name, value string) {
	for _, s := range r.From {
		if own, ok := s.Values[name]; ok && !slices.Equal(slices.Sorted(slices.Values(Split(own))), slices.Sorted(slices.Values(Split(value)))) {
			r.Notice(v1alpha1.ReasonNoEffect, "%s has no effect: the class's IngressClassParams has %q, and wins", s.Called(name), value)
		}
	}
}

// Invalid refuses the object for a value.
func (r Reader) Invalid(called, value, want string) {
	r.Refuse(v1alpha1.ReasonInvalidAnnotation, "%s is %q: %s", called, value, want)
}

// Text returns a value that must not be empty, or if there is none another one.
func (r Reader) Text(name, otherwise string) string {
	value, called, ok := r.Get(name)
	if !ok {
		return otherwise
	}
	if value == "" {
		r.Invalid(called, value, "give it a value, or remove it")
		return otherwise
	}
	return value
}

// OneOf returns a value that is one of several, or if there is none another one.
func (r Reader) OneOf(name, otherwise string, allowed ...string) string {
	value, called, ok := r.Get(name)
	if !ok {
		return otherwise
	}
	if !slices.Contains(allowed, value) {
		r.Invalid(called, value, "use "+either(allowed))
	}
	return value
}

// either names alternatives.
func either(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

// Number returns a whole number, or if there is none another one.
func (r Reader) Number(name string, otherwise, least, most int32) int32 {
	value, called, ok := r.Get(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || int32(n) < least || int32(n) > most {
		r.Invalid(called, value, fmt.Sprintf("use a number from %d to %d", least, most))
		return otherwise
	}
	return int32(n)
}

// Yes reports whether a value is true.
func (r Reader) Yes(name string) bool {
	value, called, ok := r.Get(name)
	if ok && value != "true" && value != "false" {
		r.Invalid(called, value, "use true or false")
	}
	return value == "true"
}

// List returns values with commas between them.
func (r Reader) List(name string) []string {
	value, called, ok := r.Get(name)
	if !ok {
		return nil
	}
	values := Split(value)
	if len(values) == 0 {
		r.Invalid(called, value, "name at least one, or remove it")
	}
	return values
}

// Split returns values with commas between them.
func Split(value string) []string {
	var list []string
	for _, v := range strings.Split(value, ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, v)
		}
	}
	return list
}

// Pairs returns keys and values, such as a=1,b=2. Those of the class win, each by itself.
func (r Reader) Pairs(name string) map[string]string {
	pairs := map[string]string{}
	for _, s := range r.From {
		value, ok := s.Values[name]
		if !ok {
			continue
		}
		if err := readPairs(value, pairs); err != nil {
			r.Invalid(s.Called(name), value, err.Error())
		}
		for _, key := range slices.Sorted(maps.Keys(r.Class.Pairs[name])) {
			if own, class := pairs[key], r.Class.Pairs[name][key]; own != "" && own != class {
				r.Notice(v1alpha1.ReasonNoEffect, "%s of %s has no effect: the class's IngressClassParams has %q, and wins", key, s.Called(name), class)
			}
		}
		break
	}
	maps.Copy(pairs, r.Class.Pairs[name])
	return pairs
}

// readPairs adds keys and values. A comma in a value has a backslash before it.
func readPairs(text string, pairs map[string]string) error {
	const comma = "\x00"
	for _, pair := range strings.Split(strings.ReplaceAll(text, `\,`, comma), ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}

		key, value, ok := strings.Cut(strings.ReplaceAll(pair, comma, ","), "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !ok || key == "":
			return fmt.Errorf("write key=value with commas between them, and \\, for a comma in a value; %q is none", pair)
		case strings.Contains(value, "\n"):
			return fmt.Errorf("write commas between key=value, instead of one on each line")
		}
		pairs[key] = value
	}
	return nil
}

var balancerNames = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$`)

// BalancerName returns what a load balancer is to be called; empty: it does not say.
func (r Reader) BalancerName(name string) string {
	value := r.Text(name, "")
	if _, called, _ := r.Get(name); value != "" && (!balancerNames.MatchString(value) || strings.HasPrefix(value, "internal-")) {
		r.Invalid(called, value, "a name has at most 32 letters, digits and dashes, no dash at either end, and does not begin with internal-")
	}
	return value
}

// CIDRs returns ranges of addresses, in order.
func (r Reader) CIDRs(name string) []string {
	_, called, _ := r.Get(name)
	return r.Ranges(called, r.List(name))
}

// Ranges returns ranges of addresses, in order, with the bits behind the mask off, as EC2 has them.
func (r Reader) Ranges(called string, texts []string) []string {
	var list []string
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			r.Invalid(called, text, "use CIDRs such as 10.0.0.0/8, with commas between them")
			continue
		}
		list = append(list, prefix.Masked().String())
	}
	return slices.Sorted(slices.Values(list))
}

// Contains reports whether one CIDR contains another.
func Contains(outer, inner string) bool {
	o, err := netip.ParsePrefix(outer)
	i, err2 := netip.ParsePrefix(inner)
	return err == nil && err2 == nil && o.Bits() <= i.Bits() && o.Contains(i.Addr())
}
