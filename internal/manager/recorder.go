// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"fmt"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// maxNote is the longest note of an event in bytes. The API server refuses a longer one, and
// client-go then drops the event (ValidateEvent in k8s.io/kubernetes/pkg/apis/core/validation).
const maxNote = 1024

// boundedRecorder cuts notes at maxNote, so that no event is lost for its length.
type boundedRecorder struct{ events.EventRecorder }

// Eventf implements events.EventRecorder.
func (r boundedRecorder) Eventf(regarding, related runtime.Object, eventType, reason, action, note string, args ...any) {
	if len(args) > 0 {
		note = fmt.Sprintf(note, args...)
	}
	r.EventRecorder.Eventf(regarding, related, eventType, reason, action, "%s", cut(note, maxNote))
}

// cut shortens text to at most limit bytes, at a character, and marks that it did.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}

	const more = "…"
	end := limit - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
