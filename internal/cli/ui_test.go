// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/ui"
)

// TestTroubled: what is wrong with podgate itself is told as each other problem is.
func TestTroubled(t *testing.T) {
	const look = "look at podgate's pods and their logs: kubectl -n gates get pods"
	for sentence, want := range map[string]ui.Problem{
		"nobody leads: there is no lease, so no gate opens":              {Title: "podgate: nobody leads", Message: "there is no lease, so no gate opens", Next: look},
		"podgate does not serve it: a; b: c; put it right, or delete it": {Title: "podgate does not serve it", Message: "a; b: c", Next: "put it right, or delete it"},
		"it is gone": {Title: "podgate: it is gone", Next: look},
	} {
		want.Level, want.Key = ui.Broken, "podgate "+sentence
		if diff := cmp.Diff(want, troubled(sentence, "gates")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sentence, diff)
		}
	}
}
