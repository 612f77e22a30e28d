// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package overlay changes files of this module while it is built, and leaves the working
// tree alone.
package overlay

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ModuleRoot returns the folder of the module in which the program runs.
func ModuleRoot(ctx context.Context) (string, error) {
	raw, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// Write writes files, by their paths relative to root, into dir, and returns the path of
// what the go command takes as -overlay. A file without text (nil) is left out of the
// build.
func Write(root, dir string, files map[string][]byte) (string, error) {
	replace := map[string]string{}
	for file, text := range files {
		if text == nil {
			replace[filepath.Join(root, file)] = ""
			continue
		}

		to := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = to
	}

	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}

	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o644)
}
