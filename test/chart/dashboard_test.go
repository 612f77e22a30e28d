// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/dashboard"
)

// TestDashboardForTheSidecar: where it is asked for, the dashboard is in a ConfigMap as its file has it, with the label that Grafana's
// sidecar looks for and those that are given.
func TestDashboardForTheSidecar(t *testing.T) {
	if all := render(t).OfKind("ConfigMap"); len(all) != 0 {
		t.Errorf("by default there is %s", all[0].GetName())
	}

	all := render(t, "--set", "grafanaDashboard.enabled=true,grafanaDashboard.labels.team=sre").OfKind("ConfigMap")
	if len(all) != 1 {
		t.Fatalf("there are %d ConfigMaps", len(all))
	}
	if labels := all[0].GetLabels(); labels["grafana_dashboard"] != "1" || labels["team"] != "sre" {
		t.Errorf("its labels are %v", labels)
	}

	want, err := os.ReadFile(filepath.Join(kubetest.Root(), dashboard.File))
	if err != nil {
		t.Fatal(err)
	}
	if got := field(t, all[0].Object, "data", "podgate.json"); got != string(want) {
		t.Errorf("its data is %v", got)
	}
}
