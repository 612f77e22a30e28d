// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
)

// Prefix begins the annotations that Ingresses and Services are served by.
const Prefix = "alb.ingress.kubernetes.io/"

// source is an object that has annotations.
type source struct {
	// kind and of stand around the name of an annotation in messages, such as "annotation " and " of Service web".
	kind, of string
	// values are by names without the prefix.
	values map[string]string
}

// annotated is the source of an object's annotations, without other controllers'.
func annotated(of string, annotations map[string]string) source {
	s := source{kind: "annotation ", of: of, values: map[string]string{}}
	for name, value := range annotations {
		if short, ok := strings.CutPrefix(name, Prefix); ok {
			s.values[short] = value
		}
	}
	return s
}

// reader reads annotations in their forms. A value that cannot be read refuses the Ingress.
type reader struct {
	*problems
	// params are the settings of the class, which win, and from are objects of which the first that has an annotation decides.
	params params
	from   []source
}

// called is what an annotation is called in messages.
func (s source) called(name string) string { return s.kind + name + s.of }

// get returns the value of an annotation, and what it is called in a message.
func (r reader) get(name string) (value, called string, ok bool) {
	if value, ok := r.params.values[name]; ok {
		r.overruled(name, value)
		return strings.TrimSpace(value), r.params.called(name), true
	}
	for _, s := range r.from {
		if value, ok := s.values[name]; ok {
			return strings.TrimSpace(value), s.called(name), true
		}
	}
	return "", "", false
}

// overruled tells of annotations with another value than the class has.
func (r reader) overruled(name, value string) {
	for _, s := range r.from {
		if own, ok := s.values[name]; ok && !slices.Equal(sorted(split(own)), sorted(split(value))) {
			r.notice(v1alpha1.ReasonNoEffect, "%s has no effect: the class's IngressClassParams has %q, and wins", s.called(name), value)
		}
	}
}

// invalid refuses the Ingress for a value.
func (r reader) invalid(called, value, want string) {
	r.refuse(v1alpha1.ReasonInvalidAnnotation, "%s is %q: %s", called, value, want)
}

// text returns a value that must not be empty, or if there is none another one.
func (r reader) text(name, otherwise string) string {
	value, called, ok := r.get(name)
	if !ok {
		return otherwise
	}
	if value == "" {
		r.invalid(called, value, "give it a value, or remove it")
		return otherwise
	}
	return value
}

// oneOf returns a value that is one of several, or if there is none another one.
func (r reader) oneOf(name, otherwise string, allowed ...string) string {
	value, called, ok := r.get(name)
	if !ok {
		return otherwise
	}
	if !slices.Contains(allowed, value) {
		r.invalid(called, value, "use "+either(allowed))
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

// number returns a whole number, or if there is none another one.
func (r reader) number(name string, otherwise, least, most int32) int32 {
	value, called, ok := r.get(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || int32(n) < least || int32(n) > most {
		r.invalid(called, value, fmt.Sprintf("use a number from %d to %d", least, most))
		return otherwise
	}
	return int32(n)
}

// yes reports whether a value is true.
func (r reader) yes(name string) bool {
	value, called, ok := r.get(name)
	if ok && value != "true" && value != "false" {
		r.invalid(called, value, "use true or false")
	}
	return value == "true"
}

// list returns values with commas between them.
func (r reader) list(name string) []string {
	value, called, ok := r.get(name)
	if !ok {
		return nil
	}
	values := split(value)
	if len(values) == 0 {
		r.invalid(called, value, "name at least one, or remove it")
	}
	return values
}

func split(value string) []string {
	var list []string
	for _, v := range strings.Split(value, ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, v)
		}
	}
	return list
}

// pairs returns keys and values, such as a=1,b=2. Those of the class win, each by itself.
func (r reader) pairs(name string) map[string]string {
	pairs := map[string]string{}
	for _, s := range r.from {
		value, ok := s.values[name]
		if !ok {
			continue
		}
		if err := readPairs(value, pairs); err != nil {
			r.invalid(s.called(name), value, err.Error())
		}
		for _, key := range slices.Sorted(maps.Keys(r.params.pairs[name])) {
			if own, class := pairs[key], r.params.pairs[name][key]; own != "" && own != class {
				r.notice(v1alpha1.ReasonNoEffect, "%s of %s has no effect: the class's IngressClassParams has %q, and wins", key, s.called(name), class)
			}
		}
		break
	}
	maps.Copy(pairs, r.params.pairs[name])
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
