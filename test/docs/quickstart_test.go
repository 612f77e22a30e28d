// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/console"
)

// TestQuickstartPage: its commands can be read, as TestQuickstart of test/e2e does to run them, and the manifest that it
// shows is the one that they apply.
func TestQuickstartPage(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "quickstart", "web.yaml"))
	if err != nil {
		t.Fatal(err)
	}

	shown := 0
	for _, p := range pages(t) {
		if p.path != filepath.Join("docs", "quickstart.md") {
			continue
		}

		if _, err := console.Steps(p.text); err != nil {
			t.Errorf("%s: %v", p.path, err)
		}

		for _, b := range p.blocks() {
			if b.language != "yaml" {
				continue
			}
			shown++
			if !strings.Contains(string(file), b.text) {
				t.Errorf("%s:%d: docs/quickstart/web.yaml has another manifest", p.path, b.line)
			}
		}
	}

	if shown == 0 {
		t.Error("no manifest is shown")
	}
}
