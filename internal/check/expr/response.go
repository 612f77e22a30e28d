// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apimachinery/pkg/util/json"
)

// HTTPResponse is the value of the variable response.
type HTTPResponse struct {
	Status int
	Header http.Header
	// Body is looked at only if the expression reads it.
	Body []byte
}

// value is the response as CEL has it. A body that is no text, or no JSON, is an error for what looks at it.
func (r HTTPResponse) value(reads reads) map[string]any {
	response := map[string]any{"status": r.Status, "headers": headersOf(r.Header)}

	if reads.body {
		response["body"] = types.NewErr("the body is not UTF-8")
		if utf8.Valid(r.Body) {
			response["body"] = string(r.Body)
		}
	}

	if reads.json {
		var parsed any
		if err := json.Unmarshal(r.Body, &parsed); err != nil {
			parsed = types.NewErr("the body is not JSON")
		}
		response["json"] = parsed
	}

	return response
}

// headers are those of a response. Their names have no case (RFC 9110, 5.1).
type headers struct{ traits.Mapper }

// headersOf returns the headers, several of the same name as one (RFC 9110, 5.3).
func headersOf(all http.Header) headers {
	lower := make(map[string]string, len(all))
	for name, values := range all {
		lower[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return headers{types.NewStringStringMap(types.DefaultTypeAdapter, lower)}
}

// Contains implements traits.Container.
func (h headers) Contains(name ref.Val) ref.Val { return h.Mapper.Contains(lowered(name)) }

// Get implements traits.Indexer.
func (h headers) Get(name ref.Val) ref.Val { return h.Mapper.Get(lowered(name)) }

// Find implements traits.Mapper.
func (h headers) Find(name ref.Val) (ref.Val, bool) { return h.Mapper.Find(lowered(name)) }

func lowered(name ref.Val) ref.Val {
	if text, ok := name.(types.String); ok {
		return types.String(strings.ToLower(string(text)))
	}
	return name
}
