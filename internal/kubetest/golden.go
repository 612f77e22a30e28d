// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kubetest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Golden compares a generated page of docs/ with what the code makes of it, or with update writes it.
func Golden(t *testing.T, update bool, name, want string) {
	t.Helper()
	file := filepath.Join(Root(), "docs", name)
	if update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}

	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Errorf("run %s again with -update; docs/%s (+) is not what the code says (-):\n%s", t.Name(), name, diff)
	}
}
