// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"strings"
	"testing"
	"unicode/utf8"

	"k8s.io/client-go/tools/events"
)

// TestNotesFit: an event of any length reaches the API server in a form that it takes.
func TestNotesFit(t *testing.T) {
	for name, c := range map[string]struct {
		note string
		args []any
		want string
	}{
		"short":                {note: "Service %q has no port.", args: []any{"web"}, want: `Service "web" has no port.`},
		"a percent sign":       {note: "100 % of the pods", want: "100 % of the pods"},
		"just fits":            {note: strings.Repeat("a", maxNote), want: strings.Repeat("a", maxNote)},
		"one byte too many":    {note: "%s", args: []any{strings.Repeat("a", maxNote+1)}, want: strings.Repeat("a", maxNote-3) + "…"},
		"cut within a letter":  {note: strings.Repeat("a", maxNote-4) + strings.Repeat("ü", 10), want: strings.Repeat("a", maxNote-4) + "…"},
		"nothing but umlauts":  {note: strings.Repeat("ü", maxNote), want: strings.Repeat("ü", (maxNote-3)/2) + "…"},
		"arguments as a whole": {note: "%s and %d more", args: []any{strings.Repeat("b", 2*maxNote), 7}, want: strings.Repeat("b", maxNote-3) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := events.NewFakeRecorder(1)
			boundedRecorder{fake}.Eventf(nil, nil, "Warning", "PortNotFound", "Reconcile", c.note, c.args...)
			got := strings.TrimPrefix(<-fake.Events, "Warning PortNotFound ")
			if got != c.want {
				t.Errorf("got %d bytes %q, want %d bytes", len(got), got, len(c.want))
			}
			if len(got) > maxNote || !utf8.ValidString(got) {
				t.Errorf("the API server refuses %d bytes, valid %t", len(got), utf8.ValidString(got))
			}
		})
	}
}
