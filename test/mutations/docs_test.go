// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	laws := []law{{Number: 4, Says: "Register before deregister.\n", Mutations: []mutation{{Name: "law4-first", Breaks: "deregisters first."}}}}
	tests := map[int]map[string][]string{4: {"b": {"TestLaw4C"}, "a": {"TestLaw4A", "TestLaw4B"}}}
	got := string(page(laws, tests))
	want := `
## Law 4

Register before deregister.

| folder | tests |
|---|---|
| ` + "`a` | `TestLaw4A`, `TestLaw4B`" + ` |
| ` + "`b` | `TestLaw4C`" + ` |

| mutation | what it breaks |
|---|---|
| ` + "`law4-first`" + ` | deregisters first |
`
	if !strings.HasSuffix(got, want) {
		t.Errorf("want it to end with\n%s\ngot\n%s", want, got)
	}
}
