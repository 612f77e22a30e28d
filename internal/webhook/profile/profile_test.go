// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package profile

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// installed is the configuration that podgate is installed with, which a test of the chart
// holds equal to what the chart renders.
func installed(t *testing.T) *admissionv1.MutatingWebhookConfiguration {
	t.Helper()
	raw, err := os.ReadFile("../../../config/podgate/templates/webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c admissionv1.MutatingWebhookConfiguration
	if err := yaml.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

// TestInstalledEntriesAreTheProfiles: names, paths and selectors, in this order.
func TestInstalledEntriesAreTheProfiles(t *testing.T) {
	var got []Profile
	for _, w := range installed(t).Webhooks {
		p := Profile{Name: w.Name, Path: *w.ClientConfig.Service.Path}
		for _, e := range w.NamespaceSelector.MatchExpressions {
			switch {
			case e.Key == "kubernetes.io/metadata.name":
			case e.Operator == metav1.LabelSelectorOpIn:
				p.Label = e.Key
			case e.Operator == metav1.LabelSelectorOpNotIn:
				p.Unless = append(p.Unless, e.Key)
			}
			if e.Key != "kubernetes.io/metadata.name" && !cmp.Equal(e.Values, []string{Enabled}) {
				t.Errorf("%s: label %s with %q, want %s", w.Name, e.Key, e.Values, Enabled)
			}
		}
		if w.ObjectSelector != nil {
			for label := range w.ObjectSelector.MatchLabels {
				p.Label, p.OnPod = label, true
			}
		}
		got = append(got, p)
	}

	if diff := cmp.Diff(All(), got); diff != "" {
		t.Errorf("profiles (-) and what is installed (+):\n%s", diff)
	}
}

// TestCoverage: as podgate is installed, without its entries, and by labels alone, the same
// pods are asked about.
func TestCoverage(t *testing.T) {
	none := map[string]string{}
	lbc, inject, drain := map[string]string{elbv2.InjectLabel: Enabled}, map[string]string{v1alpha1.InjectLabel: Enabled}, map[string]string{v1alpha1.DrainLabel: Enabled}
	cases := map[string]struct {
		namespace, pod map[string]string
		gates, hooks   bool
	}{
		"Nothing":          {none, none, false, false},
		"NamespaceOfLBC":   {lbc, none, true, false},
		"Namespace":        {inject, none, true, false},
		"Pod":              {none, inject, true, false},
		"PodWithLBCsLabel": {none, lbc, false, false},
		"OptedOut":         {map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectDisabled}, none, false, false},
		"DrainedNamespace": {drain, none, false, true},
		"DrainedPod":       {none, drain, false, true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for path, want := range map[string]bool{GatesPath: tc.gates, DrainPath: tc.hooks} {
				if got := Asked(path, tc.namespace, tc.pod); got != want {
					t.Errorf("%s: asked %t, want %t", path, got, want)
				}

				for which, c := range map[string]*admissionv1.MutatingWebhookConfiguration{"as installed": installed(t), "without entries": {}} {
					entries, err := CoverageOf(c, path)
					if got := Covers(entries, tc.namespace, tc.pod); err != nil || got != want {
						t.Errorf("%s %s: covered %t, %v, want %t", path, which, got, err, want)
					}
				}
			}
		})
	}

	if got := Paths(); !cmp.Equal(got, []string{GatesPath, DrainPath}) {
		t.Errorf("paths %q", got)
	}
}
