// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"net/http"
)

// APIError is an error as it goes over the wire. Codes are the service's own,
// which are not the names of the SDK's error types.
type APIError struct {
	Status  int    `json:"status,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

func (e *APIError) Error() string { return e.Code + ": " + e.Message }

// fault is who is to blame, in the words of the wire.
func (e *APIError) fault() string {
	if e.Status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// failed is an error with status 400, as nearly all of the service's are.
func failed(code, format string, args ...any) *APIError {
	return &APIError{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *APIError {
	return failed("ValidationError", format, args...)
}

func denied(format string, args ...any) *APIError {
	return &APIError{Status: http.StatusForbidden, Code: "AccessDenied", Message: fmt.Sprintf(format, args...)}
}
