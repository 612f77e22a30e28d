// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command reasons prints docs/reasons.md: the explanations of package v1alpha1, and what the drivers advise, as tables.
package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"strings"
	"text/template"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer/traits"
)

//go:embed reasons.md.tmpl
var page string

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reasons:", err)
		os.Exit(1)
	}
}

func write(out io.Writer) error {
	t, err := template.New("reasons").Funcs(template.FuncMap{"table": table, "advice": advice}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(out, nil)
}

// table renders the reasons of a place; a place without any is a misspelling in the page.
func table(place string) (string, error) {
	var rows strings.Builder
	for _, e := range v1alpha1.Explanations {
		if string(e.Place) != place {
			continue
		}
		summary := e.Summary
		if e.Page != "" {
			summary += fmt.Sprintf(" ([more](%s))", e.Page)
		}
		fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", e.Reason, summary, e.Fix)
	}

	if rows.Len() == 0 {
		return "", fmt.Errorf("no reason is given in the place %q", place)
	}

	return "| reason | it means | what to do |\n|---|---|---|\n" + rows.String(), nil
}

// advice renders what to do about the load balancers' own reasons.
func advice() string {
	var rows strings.Builder
	for _, a := range traits.All().EveryAdvice() {
		fmt.Fprintf(&rows, "| `%s` | %s |\n", a.Reason, a.Fix)
	}
	return "| reason | what to do |\n|---|---|\n" + rows.String()
}
