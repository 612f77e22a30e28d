// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/kubetest"
)

var update = flag.Bool("update", false, "write docs/values.md")

// docs/values.md is made of values.yaml: every value, its default, its comment.
func TestValuesPage(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(kubetest.Chart(), "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}

	kubetest.Golden(t, *update, "values.md", "# Values of the chart\n\nMade of `values.yaml` by `go test ./test/chart -run TestValuesPage -update`. The chart refuses values that are not in this table.\n\n"+
		"| value | default | meaning |\n|---|---|---|\n"+strings.Join(table(t, raw), "\n")+"\n")
}

var key = regexp.MustCompile(`^( *)([A-Za-z]+):(.*)$`)

// table gives a row for each value. A key without a comment must have keys below it.
func table(t *testing.T, raw []byte) []string {
	t.Helper()
	var values map[string]any
	if err := yaml.UnmarshalStrict(raw, &values); err != nil {
		t.Fatal(err)
	}

	var rows, comment, path []string
	described := -1 // the depth of the last value that has a comment
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		if text, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "#"); ok {
			comment = append(comment, strings.TrimSpace(text))
			continue
		}

		m := key.FindStringSubmatch(line)
		if line == "" {
			comment = nil
		}

		if m == nil {
			continue
		}

		depth := len(m[1]) / 2
		if described >= 0 && depth > described {
			continue // within a value
		}

		described = -1
		path = append(path[:depth], m[2])
		name := strings.Join(path, ".")
		if comment == nil && m[3] != "" {
			t.Errorf("value %s has no comment", name)
		}

		if comment == nil {
			continue
		}

		described = depth
		fallback, err := json.Marshal(lookup(values, path))
		if err != nil {
			t.Fatal(err)
		}

		rows = append(rows, fmt.Sprintf("| `%s` | `%s` | %s |", name, fallback, strings.ReplaceAll(strings.Join(comment, " "), "|", `\|`)))
		comment = nil
	}

	return rows
}

func lookup(values map[string]any, path []string) any {
	var v any = values
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

// The schema knows every value and no other: what it refuses is a typo, and what it
// takes does something.
func TestSchemaIsComplete(t *testing.T) {
	read := func(name string, into any) {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(kubetest.Chart(), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}

	var values, schema map[string]any
	read("values.yaml", &values)
	read("values.schema.json", &schema)
	var compare func(where string, values, schema map[string]any)
	compare = func(where string, values, schema map[string]any) {
		properties, _ := schema["properties"].(map[string]any)
		if properties == nil {
			return
		}

		for name, v := range values {
			p, known := properties[name].(map[string]any)
			if !known {
				t.Errorf("the schema does not know %s%s", where, name)
			}
			if below, ok := v.(map[string]any); ok && len(below) > 0 {
				compare(where+name+".", below, p)
			}
		}

		for name := range properties {
			if _, there := values[name]; !there && name != "global" { // Helm's own, for charts that contain this one
				t.Errorf("the schema knows %s%s, which is no value", where, name)
			}
		}
	}

	compare("", values, schema)
}
