// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Model is a service model: its operations and the shapes of what they take and answer.
type Model struct {
	operations map[string]operation
	shapes     map[string]shape
	patterns   map[string]pattern // by the name of their shape
}

type operation struct {
	HTTP struct {
		Method       string
		RequestURI   string
		ResponseCode int
	}
	Input  reference
	Output reference
}

type reference struct {
	Shape        string
	Location     string
	LocationName string
}

type shape struct {
	Type     string
	Members  map[string]reference
	Member   *reference
	Key      *reference
	Value    *reference
	Union    bool
	Required []string
	Enum     []string
	Min, Max *float64
	Pattern  string
	Error    *struct{ HTTPStatusCode int }
}

// Parse reads a service model in the format of the AWS SDK for Go.
func Parse(raw []byte) (*Model, error) {
	var in struct {
		Operations map[string]operation
		Shapes     map[string]shape
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("read service model: %w", err)
	}

	m := &Model{operations: in.Operations, shapes: in.Shapes, patterns: map[string]pattern{}}
	for name, s := range in.Shapes {
		if s.Pattern == "" {
			continue
		}
		p, err := compile(s.Pattern)
		if err != nil {
			return nil, fmt.Errorf("read service model: pattern of %s: %w", name, err)
		}
		m.patterns[name] = p
	}

	return m, nil
}

// Operations returns the names of the service's operations.
func (m *Model) Operations() []string { return slices.Sorted(maps.Keys(m.operations)) }

// Status returns the status of an operation's successful answers.
func (m *Model) Status(operation string) int { return m.operations[operation].HTTP.ResponseCode }

// ErrorStatus returns the status that goes with an error code; false means that the code is none of the service's.
func (m *Model) ErrorStatus(code string) (int, bool) {
	s, known := m.shapes[code]
	if !known || s.Error == nil {
		return 0, false
	}
	return s.Error.HTTPStatusCode, true
}

// Find returns the operation that a request line asks for, and the labels in its path. path is the escaped one: an
// ARN as a label has its slashes encoded.
func (m *Model) Find(method, path string) (operation string, labels map[string]string, ok bool) {
	for name, op := range m.operations {
		if op.HTTP.Method != method {
			continue
		}
		if labels, ok := match(op.HTTP.RequestURI, path); ok {
			return name, labels, true
		}
	}
	return "", nil, false
}

// match compares a path with a template such as /tags/{resourceArn}.
func match(template, path string) (map[string]string, bool) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}

	labels := map[string]string{}
	for i, part := range want {
		if !strings.HasPrefix(part, "{") {
			if part != got[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(got[i])
		if err != nil || value == "" {
			return nil, false
		}
		labels[strings.Trim(part, "{}")] = value
	}

	return labels, true
}
