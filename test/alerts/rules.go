// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"sigs.k8s.io/yaml"
)

// Rule is an alert.
type Rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// RulesFile is where the rules are, below the repository's root.
var RulesFile = filepath.Join("charts", "podgate", "files", "alerts.yaml")

// ReadRules reads all of a file.
func ReadRules(file string) ([]Rule, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}

	var groups struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []Rule `json:"rules"`
		} `json:"groups"`
	}
	if err := yaml.UnmarshalStrict(raw, &groups); err != nil {
		return nil, fmt.Errorf("read rules of %s: %w", file, err)
	}

	var all []Rule
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}

	return all, nil
}

// name is how metrics are called here: podgate's, and those of its election.
var name = regexp.MustCompile(`\b(?:podgate|leader_election)_[a-z_]+`)

// Metrics are the metrics that a rule asks for.
func (r Rule) Metrics() []string {
	found := name.FindAllString(r.Expr, -1)
	for i := range found {
		found[i] = Metric(found[i])
	}
	slices.Sort(found)
	return slices.Compact(found)
}
