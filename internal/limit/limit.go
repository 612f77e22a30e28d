// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package limit knows how long the API server lets texts for people be, and cuts what is longer. It does not decide what is
// said.
package limit

import "unicode/utf8"

const (
	// Note is the longest note of an event in bytes. The API server refuses a longer one, and
	// client-go then drops the event (ValidateEvent in k8s.io/kubernetes/pkg/apis/core/validation).
	Note = 1024
	// Message is the longest message of a condition in characters, as metav1.Condition declares it. The API server refuses
	// the whole status with a longer one.
	Message = 32768
)

// Cut shortens text to at most so many bytes, at a character, and marks that it did.
func Cut(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}

	const more = "…"
	end := bytes - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
