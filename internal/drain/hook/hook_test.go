// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestHook: whatever becomes of the program that watches, the hook sleeps for its time.
func TestHook(t *testing.T) {
	const most = 300 * time.Millisecond
	alien := filepath.Join(t.TempDir(), "alien")
	// An ELF header of a machine that there is not.
	if err := os.WriteFile(alien, append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 200)...), 0o755); err != nil {
		t.Fatal(err)
	}

	for name, watch := range map[string][]string{
		"Fails":             {"false"},
		"Killed":            {"sh", "-c", "kill -9 $$"},
		"Missing":           {"/nonexistent"},
		"WrongArchitecture": {alien},
		"Hangs":             {"sleep", "600"},
		"RefusesArguments":  {"sleep", "forever"},
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			Hook{Max: most, Watch: watch}.Run(t.Context())
			if took := time.Since(begun); took < most {
				t.Errorf("it ended after %s, want %s", took, most)
			}
		})
	}
}

func TestHookEndsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Hook{Max: time.Hour, Watch: []string{"true"}}.Run(ctx)
	}()
	<-ended // or the test's own time-out
}
