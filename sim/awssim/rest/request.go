// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// Field is a parameter that is not as the model has it.
type Field struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// Invalid returns a ValidationException about parameters.
func Invalid(fields ...Field) *wire.APIError {
	var texts []string
	for _, f := range fields {
		texts = append(texts, f.Name+": "+f.Message)
	}
	return &wire.APIError{
		Status: http.StatusBadRequest, Code: "ValidationException", Message: strings.Join(texts, "; "),
		Members: map[string]any{"reason": "fieldValidationFailed", "fieldList": fields},
	}
}

// Read returns the parameters of a request as one JSON object, wherever in the request they are, or the error that
// says what is wrong with them.
func (m *Model) Read(operation string, labels map[string]string, query url.Values, body []byte) ([]byte, error) {
	in, err := object(body)
	if err != nil {
		return nil, err
	}

	query = maps.Clone(query)
	all := m.shapes[m.operations[operation].Input.Shape]
	for name, member := range all.Members {
		switch member.Location {
		case "uri":
			in[name] = labels[member.LocationName]
		case "querystring":
			delete(in, name)
			if values := query[member.LocationName]; len(values) > 0 {
				in[name] = m.fromQuery(member.Shape, values)
			}
			delete(query, member.LocationName)
		}
	}

	for name := range query {
		return nil, unknown(name)
	}

	c := check{model: m}
	c.value(m.operations[operation].Input.Shape, "", in)
	if c.unknown != "" {
		return nil, unknown(c.unknown)
	}
	if len(c.problems) > 0 {
		return nil, Invalid(c.problems...)
	}

	read, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("read parameters of %s: %w", operation, err)
	}
	return read, nil
}

// unknown is about a parameter that the model does not have. AWS might have: the model is of a certain day.
func unknown(name string) *wire.APIError {
	failure := Invalid(Field{name, "is not a parameter of this operation"})
	return failure.Lacking("parameter %s", name)
}

// object reads a body; an empty one has no parameters.
func object(body []byte) (map[string]any, error) {
	in := map[string]any{}
	if len(bytes.TrimSpace(body)) == 0 {
		return in, nil
	}

	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&in); err != nil || in == nil {
		return nil, &wire.APIError{
			Status: http.StatusBadRequest, Code: "ValidationException", Message: "The request body is not a JSON object",
			Members: map[string]any{"reason": "cannotParse"},
		}
	}
	return in, nil
}

// fromQuery is what a query parameter is in JSON.
func (m *Model) fromQuery(name string, values []string) any {
	switch m.shapes[name].Type {
	case "list":
		list := []any{}
		for _, v := range values {
			list = append(list, v)
		}
		return list
	case "integer", "long":
		return json.Number(values[0])
	}
	return values[0]
}

// check collects what is wrong with parameters.
type check struct {
	model    *Model
	problems []Field
	unknown  string
}

func (c *check) complain(path, format string, args ...any) {
	c.problems = append(c.problems, Field{strings.TrimPrefix(path, "."), fmt.Sprintf(format, args...)})
}

// value holds one value to its shape.
func (c *check) value(name, path string, v any) {
	s := c.model.shapes[name]
	size := 0.0
	switch s.Type {
	case "structure":
		c.structure(s, path, v)
		return
	case "string":
		text, ok := v.(string)
		if !ok {
			c.complain(path, "must be a string")
			return
		}
		c.text(name, path, text)
		size = float64(utf8.RuneCountInString(text))

	case "list":
		list, ok := v.([]any)
		if !ok {
			c.complain(path, "must be a list")
			return
		}
		for i, item := range list {
			c.value(s.Member.Shape, fmt.Sprintf("%s[%d]", path, i), item)
		}
		size = float64(len(list))

	case "map":
		entries, ok := v.(map[string]any)
		if !ok {
			c.complain(path, "must be an object")
			return
		}
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			c.value(s.Key.Shape, path+"."+key, key)
			c.value(s.Value.Shape, path+"."+key, entries[key])
		}
		size = float64(len(entries))

	case "integer", "long":
		number, ok := v.(json.Number)
		n, err := strconv.ParseInt(string(number), 10, 64)
		if !ok || err != nil {
			c.complain(path, "must be an integer")
			return
		}
		size = float64(n)

	case "boolean":
		if _, ok := v.(bool); !ok {
			c.complain(path, "must be a boolean")
		}
		return
	}

	if s.Min != nil && size < *s.Min || s.Max != nil && size > *s.Max {
		c.complain(path, "must be within %s and %s", bound(s.Min), bound(s.Max))
	}
}

func bound(b *float64) string {
	if b == nil {
		return "any"
	}
	return strconv.FormatFloat(*b, 'f', -1, 64)
}

// text holds a string to what it may be.
func (c *check) text(name, path, text string) {
	if values := c.model.shapes[name].Enum; values != nil && !slices.Contains(values, text) {
		c.complain(path, "must be one of %s", strings.Join(values, ", "))
	}
	if p, has := c.model.patterns[name]; has && !p.match(text) {
		c.complain(path, "must match %s", c.model.shapes[name].Pattern)
	}
}

// structure holds an object to its members. An absent member and a null are the same.
func (c *check) structure(s shape, path string, v any) {
	in, ok := v.(map[string]any)
	if !ok {
		c.complain(path, "must be an object")
		return
	}

	given := 0
	for _, name := range slices.Sorted(maps.Keys(in)) {
		member, known := s.Members[name]
		switch {
		case in[name] == nil:
			delete(in, name)
		case !known:
			c.unknown = strings.TrimPrefix(path+"."+name, ".")
		default:
			given++
			c.value(member.Shape, path+"."+name, in[name])
		}
	}

	if s.Union && given != 1 {
		c.complain(path, "must have exactly one of %s", strings.Join(slices.Sorted(maps.Keys(s.Members)), ", "))
	}
	for _, name := range s.Required {
		if in[name] == nil {
			c.complain(path+"."+name, "is required")
		}
	}
}
