// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/podgate/podgate/sim/awssim/query"
)

// APIError is an error as it goes over the wire. Codes are the service's own,
// which are not the names of the SDK's error types.
type APIError struct {
	Status  int    `json:"status,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`

	// Members are what an error of the REST-JSON protocol says besides, such as resourceId. Those that the service
	// model requires and that are not given are filled in.
	Members map[string]any `json:"members,omitempty"`
	// RetryAfterSeconds is the header Retry-After, unless it is 0.
	RetryAfterSeconds int `json:"retryAfterSeconds,omitempty"`

	// Lacks is what the simulator does not model, if that is why it answers so: AWS might have done what was asked. It is
	// for the log, not for the wire.
	Lacks string `json:"-"`
}

func (e *APIError) Error() string { return e.Code + ": " + e.Message }

// Fault returns who is to blame, in the words of the wire: Sender or Receiver.
func (e *APIError) Fault() string {
	if e.Status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// Failed returns an error with status 400, which nearly all errors of the services have.
func Failed(code, format string, args ...any) *APIError {
	return &APIError{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid returns a ValidationError.
func Invalid(format string, args ...any) *APIError {
	return Failed("ValidationError", format, args...)
}

// Lacking returns the error with what the simulator does not model.
func (e *APIError) Lacking(format string, args ...any) *APIError {
	e.Lacks = fmt.Sprintf(format, args...)
	return e
}

// Unmodelled returns a ValidationError that says what the simulator does not model.
func Unmodelled(format string, args ...any) *APIError {
	lacks := fmt.Sprintf(format, args...)
	return Invalid("awssim does not model %s", lacks).Lacking("%s", lacks)
}

// Denied returns an AccessDenied, which has status 403.
func Denied(format string, args ...any) *APIError {
	return &APIError{Status: http.StatusForbidden, Code: "AccessDenied", Message: fmt.Sprintf(format, args...)}
}

// AsAPIError returns the error that a client sees for err.
func AsAPIError(err error) *APIError {
	var known *APIError
	if errors.As(err, &known) {
		return known
	}

	var parameter *query.ParameterError
	if errors.As(err, &parameter) {
		failure := Failed("MalformedInput", "%s", parameter.Error())
		if parameter.Unknown {
			failure.Lacks = "parameter " + parameter.Name
		}
		return failure
	}
	return &APIError{Status: http.StatusInternalServerError, Code: "InternalFailure", Message: err.Error()}
}
