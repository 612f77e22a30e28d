// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dashboard reads the chart's Grafana dashboard, for tests. It knows the form of one, and no metric.
package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// File is where the dashboard is, below the repository's root.
var File = filepath.Join("charts", "podgate", "files", "dashboard.json")

// Dashboard is what Grafana reads, as far as podgate's has it. The names are those of Grafana's schema.
type Dashboard struct {
	UID           string            `json:"uid"`
	Title         string            `json:"title"`
	Description   string            `json:"description"`
	Tags          []string          `json:"tags"`
	SchemaVersion int               `json:"schemaVersion"`
	Version       int               `json:"version"`
	Editable      bool              `json:"editable"`
	GraphTooltip  int               `json:"graphTooltip"`
	Timezone      string            `json:"timezone"`
	Refresh       string            `json:"refresh"`
	Time          map[string]string `json:"time"`
	Timepicker    struct{}          `json:"timepicker"`
	Links         []map[string]any  `json:"links"`
	Annotations   map[string]any    `json:"annotations"`
	Templating    struct {
		List []Variable `json:"list"`
	} `json:"templating"`
	Panels []Panel `json:"panels"`
}

// Variable is what its users choose above the panels.
type Variable struct {
	Type       string         `json:"type"`
	Name       string         `json:"name"`
	Label      string         `json:"label"`
	Datasource Datasource     `json:"datasource"`
	Query      any            `json:"query"`
	Definition string         `json:"definition"`
	Regex      string         `json:"regex"`
	Refresh    int            `json:"refresh"`
	Sort       int            `json:"sort"`
	Hide       int            `json:"hide"`
	Multi      bool           `json:"multi"`
	IncludeAll bool           `json:"includeAll"`
	AllValue   string         `json:"allValue"`
	Options    []any          `json:"options"`
	Current    map[string]any `json:"current"`
}

// Datasource is where values come from.
type Datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// Panel is one of the dashboard, or a row, which is only a heading.
type Panel struct {
	ID          int            `json:"id"`
	Type        string         `json:"type"`
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Collapsed   bool           `json:"collapsed"`
	Panels      []Panel        `json:"panels"`
	Place       Place          `json:"gridPos"`
	Datasource  Datasource     `json:"datasource"`
	Fields      Fields         `json:"fieldConfig"`
	Options     map[string]any `json:"options"`
	Targets     []Target       `json:"targets"`
}

// Place is a panel's, in a grid that is 24 wide.
type Place struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// Fields say how values are shown.
type Fields struct {
	Defaults struct {
		Unit       string         `json:"unit"`
		Min        *float64       `json:"min"`
		Max        *float64       `json:"max"`
		Color      Color          `json:"color"`
		Custom     map[string]any `json:"custom"`
		Thresholds Thresholds     `json:"thresholds"`
	} `json:"defaults"`
	Overrides []Override `json:"overrides"`
}

// Color is that of a series.
type Color struct {
	Mode  string `json:"mode"`
	Fixed string `json:"fixedColor"`
}

// Thresholds are colours from values on, the first from the least on.
type Thresholds struct {
	Mode  string `json:"mode"`
	Steps []struct {
		Color string   `json:"color"`
		Value *float64 `json:"value"`
	} `json:"steps"`
}

// Override is how some of the series are shown.
type Override struct {
	Matcher struct {
		ID      string          `json:"id"`
		Options json.RawMessage `json:"options"`
	} `json:"matcher"`
	Properties []struct {
		ID    string          `json:"id"`
		Value json.RawMessage `json:"value"`
	} `json:"properties"`
}

// Target is a query of a panel.
type Target struct {
	RefID   string `json:"refId"`
	Expr    string `json:"expr"`
	Legend  string `json:"legendFormat"`
	Instant bool   `json:"instant"`
	Range   bool   `json:"range"`
}

// Read reads the dashboard. A field that it does not know is an error, since it may be a typo that Grafana ignores.
func Read(file string) (Dashboard, error) {
	var d Dashboard
	raw, err := os.ReadFile(file)
	if err != nil {
		return d, err
	}

	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return d, fmt.Errorf("read %s: %w", file, err)
	}
	return d, nil
}
