// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/api/v1alpha1"
)

// The descheduler's types, as far as a policy on conditions uses them, and what it refuses. Its module would bring 73 packages for one
// block of a page, and needs replaced versions of others.
// https://github.com/kubernetes-sigs/descheduler, v0.36.0: pkg/api/v1alpha2/types.go, pkg/framework/plugins/podlifetime/types.go
// and validation.go.
type (
	deschedulerPolicy struct {
		APIVersion string               `json:"apiVersion"`
		Kind       string               `json:"kind"`
		Profiles   []deschedulerProfile `json:"profiles"`
	}
	deschedulerProfile struct {
		Name         string                 `json:"name"`
		PluginConfig []deschedulerPlugin    `json:"pluginConfig"`
		Plugins      map[string]deschedules `json:"plugins"`
	}
	deschedulerPlugin struct {
		Name string          `json:"name"`
		Args podLifeTimeArgs `json:"args"`
	}
	deschedules struct {
		Enabled []string `json:"enabled"`
	}
	podLifeTimeArgs struct {
		Namespaces struct {
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"namespaces"`
		Conditions []conditionFilter `json:"conditions"`
	}
	conditionFilter struct {
		Type                              string `json:"type"`
		Status                            string `json:"status"`
		Reason                            string `json:"reason"`
		MinTimeSinceLastTransitionSeconds *uint  `json:"minTimeSinceLastTransitionSeconds"`
	}
)

// TestDeschedulerPolicy: each policy of the pages is one that the descheduler takes, and is about conditions as podgate writes
// them: closed gates of ReadinessGates of the same page, for reasons that there are.
func TestDeschedulerPolicy(t *testing.T) {
	found := 0
	for _, p := range pages(t) {
		for _, b := range p.blocks() {
			if !strings.Contains(b.text, "kind: DeschedulerPolicy") {
				continue
			}
			found++

			var policy deschedulerPolicy
			if err := yaml.UnmarshalStrict([]byte(b.dedented()), &policy); err != nil {
				t.Fatalf("%s:%d: %v", b.page, b.line, err)
			}
			if policy.APIVersion != "descheduler/v1alpha2" || len(policy.Profiles) == 0 {
				t.Errorf("%s:%d: version %q, %d profiles", b.page, b.line, policy.APIVersion, len(policy.Profiles))
			}
			for _, profile := range policy.Profiles {
				checkProfile(t, p, profile)
			}
		}
	}
	if found == 0 {
		t.Error("no page has a policy")
	}
}

func checkProfile(t *testing.T, p page, profile deschedulerProfile) {
	t.Helper()
	if profile.Name == "" || len(profile.Plugins) != 1 || !slices.Equal(profile.Plugins["deschedule"].Enabled, []string{"PodLifeTime"}) {
		t.Errorf("profile %q enables %v", profile.Name, profile.Plugins)
	}

	for _, plugin := range profile.PluginConfig {
		args := plugin.Args
		if plugin.Name != "PodLifeTime" || len(args.Conditions) == 0 {
			t.Errorf("plugin %s with %d conditions: without a filter it is refused", plugin.Name, len(args.Conditions))
		}
		if len(args.Namespaces.Include) > 0 && len(args.Namespaces.Exclude) > 0 {
			t.Errorf("namespaces are both included and excluded: %v", args.Namespaces)
		}
		for _, c := range args.Conditions {
			name, ofChecks := strings.CutPrefix(c.Type, v1alpha1.CheckPrefix)
			_, known := v1alpha1.Explain(v1alpha1.OnClosedGate, c.Reason)
			if !ofChecks || !strings.Contains(p.text, "kind: ReadinessGate\nmetadata:\n  name: "+name+"\n") || c.Status != string(corev1.ConditionFalse) || !known || c.MinTimeSinceLastTransitionSeconds == nil {
				t.Errorf("condition %+v is not one that podgate writes", c)
			}
		}
	}
}
