// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// TestEveryReasonIsExplained: each constant has an explanation, and each explanation reads as a row of the page.
func TestEveryReasonIsExplained(t *testing.T) {
	source, err := os.ReadFile("reasons.go")
	if err != nil {
		t.Fatal(err)
	}

	declared := regexp.MustCompile(`(?m)^\tReason\w+\s+= "([\w.]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(declared) < 60 {
		t.Fatalf("found %d reasons only", len(declared))
	}

	explained := map[string]bool{}
	for _, e := range Explanations {
		explained[e.Reason] = true
	}

	for _, d := range declared {
		if !explained[d[1]] {
			t.Errorf("%s has no explanation", d[1])
		}
	}

	seen := map[string]bool{}
	for _, e := range Explanations {
		key := string(e.Place) + " " + e.Reason
		if seen[key] {
			t.Errorf("%s is explained twice", key)
		}

		seen[key] = true
		switch {
		case e.Summary == "" || e.Fix == "":
			t.Errorf("%s lacks its summary or its fix", key)
		case strings.HasSuffix(e.Summary, ".") || strings.HasSuffix(e.Fix, "."):
			t.Errorf("%s ends with a full stop", key)
		case !unicode.IsUpper(rune(e.Summary[0])) && !strings.HasPrefix(e.Summary, "podgate") && !strings.HasPrefix(e.Summary, "spec."):
			t.Errorf("%s: the summary is no sentence: %q", key, e.Summary)
		case strings.Contains(e.Summary+e.Fix, "|"):
			t.Errorf("%s would break the page's table", key)
		}
	}
}
