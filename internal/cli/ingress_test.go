// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// TestExplainIngress explains the Ingress of each file of testdata/ingress.
func TestExplainIngress(t *testing.T) {
	files, err := filepath.Glob("testdata/ingress/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d cases: %v", len(files), err)
	}

	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if name == "podgate" {
			continue // It is there in every case.
		}
		t.Run(name, func(t *testing.T) {
			// What a case has hides what is there in every case.
			all := objects(t, "ingress/"+name+".yaml", "ingress/podgate.yaml", "installation.yaml", "shop.yaml")
			x, err := explainIngress(t.Context(), offline(t, all), types.NamespacedName{Namespace: "shop", Name: "web"}, "podgate-system", noon)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "ingress/"+name+".txt", x.write)
			if name == "group" {
				golden(t, "ingress/group-wide.txt", func(p *paper) {
					p.wide = true
					x.write(p)
				})
			}
		})
	}
}
