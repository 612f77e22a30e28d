// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// Operation is one operation of a service; C is what the service needs to know about a call besides its parameters.
type Operation[C any] func(C, []byte) (any, error)

// Decoded returns the operation that f is, once the parameters have been read into its input.
func Decoded[C, I, O any](f func(C, *I) (*O, error)) Operation[C] {
	return func(c C, parameters []byte) (any, error) {
		var in I
		if err := json.Unmarshal(parameters, &in); err != nil {
			return nil, fmt.Errorf("read parameters: %w", err)
		}
		return f(c, &in)
	}
}

// AsAPIError returns the error that a client sees for err.
func AsAPIError(err error) *wire.APIError {
	var known *wire.APIError
	if errors.As(err, &known) {
		return known
	}
	return &wire.APIError{Status: http.StatusInternalServerError, Code: "InternalServerException", Message: err.Error()}
}

// ErrorAnswer returns the status and body of an error, and sets its headers. What the model requires and the error
// does not have is filled in.
func (m *Model) ErrorAnswer(header http.Header, failure *wire.APIError) (int, []byte) {
	status, known := m.ErrorStatus(failure.Code)
	if failure.Status != 0 || !known {
		status = cmp.Or(failure.Status, http.StatusBadRequest)
	}

	members := map[string]any{"message": failure.Message}
	maps.Copy(members, failure.Members)
	s := m.shapes[failure.Code]
	for _, name := range s.Required {
		if _, given := members[name]; given {
			continue
		}
		members[name] = ""
		if values := m.shapes[s.Members[name].Shape].Enum; len(values) > 0 {
			members[name] = values[len(values)-1]
		}
	}

	header.Set("X-Amzn-Errortype", failure.Code)
	if failure.RetryAfterSeconds > 0 {
		header.Set("Retry-After", strconv.Itoa(failure.RetryAfterSeconds))
	}

	body, err := json.Marshal(members)
	if err != nil {
		body = []byte(`{"message":"the error cannot be written"}`)
	}
	return status, body
}
