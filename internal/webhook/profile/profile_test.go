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

// broken cannot be read: there is no such operator.
func broken() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like"}}}
}

// TestEntriesOfAPath: only what is asked of podgate's Service at the path counts, and a selector
// that cannot be read is an error.
func TestEntriesOfAPath(t *testing.T) {
	at := func(path *string) admissionv1.MutatingWebhook {
		return admissionv1.MutatingWebhook{Name: "a", ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Path: path}}}
	}
	byURL := admissionv1.MutatingWebhook{ClientConfig: admissionv1.WebhookClientConfig{URL: new("https://example.com" + GatesPath)}}

	for what, tc := range map[string]struct {
		entry admissionv1.MutatingWebhook
		want  int
	}{
		"the path":     {at(new(GatesPath)), 1},
		"another path": {at(new(DrainPath)), 0},
		"no path":      {at(nil), 0},
		"a URL":        {byURL, 0},
	} {
		got, err := Entries(&admissionv1.MutatingWebhookConfiguration{Webhooks: []admissionv1.MutatingWebhook{tc.entry}}, GatesPath)
		if err != nil || len(got) != tc.want {
			t.Errorf("%s: want %d entries, got %d, %v", what, tc.want, len(got), err)
		}
	}

	namespaces, pods := at(new(GatesPath)), at(new(GatesPath))
	namespaces.NamespaceSelector, pods.ObjectSelector = broken(), broken()
	for _, w := range []admissionv1.MutatingWebhook{namespaces, pods} {
		c := &admissionv1.MutatingWebhookConfiguration{Webhooks: []admissionv1.MutatingWebhook{w}}
		if got, err := CoverageOf(c, GatesPath); err == nil || got != nil {
			t.Errorf("want an error, got %d entries", len(got))
		}
	}
}

// TestAlike: two configurations are alike on a path when the webhook is asked about the same pods
// there, and never when one of them cannot be read.
func TestAlike(t *testing.T) {
	team := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
	entry := func(name string) func(*admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhook {
		return func(c *admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhook {
			for i := range c.Webhooks {
				if c.Webhooks[i].Name == name {
					return &c.Webhooks[i]
				}
			}
			t.Fatalf("there is no entry %s", name)
			return nil
		}
	}

	onNamespace, onPod := entry("inject.podgate.dev"), entry("pod-inject.podgate.dev")
	for what, tc := range map[string]struct {
		change func(*admissionv1.MutatingWebhookConfiguration)
		want   bool
	}{
		"nothing":                        {func(*admissionv1.MutatingWebhookConfiguration) {}, true},
		"how long it is waited for":      {func(c *admissionv1.MutatingWebhookConfiguration) { onPod(c).TimeoutSeconds = new(int32(1)) }, true},
		"which namespaces":               {func(c *admissionv1.MutatingWebhookConfiguration) { onNamespace(c).NamespaceSelector = team }, false},
		"which pods":                     {func(c *admissionv1.MutatingWebhookConfiguration) { onPod(c).ObjectSelector = team }, false},
		"an entry less":                  {func(c *admissionv1.MutatingWebhookConfiguration) { c.Webhooks = c.Webhooks[1:] }, false},
		"a selector that cannot be read": {func(c *admissionv1.MutatingWebhookConfiguration) { onPod(c).ObjectSelector = broken() }, false},
	} {
		before, after := installed(t), installed(t)
		tc.change(after)
		if Alike(before, after, GatesPath) != tc.want || Alike(after, before, GatesPath) != tc.want {
			t.Errorf("%s changed: want alike %t", what, tc.want)
		}
		if !Alike(before, after, DrainPath) {
			t.Errorf("%s changed on another path", what)
		}
	}

	const mine = "/mine"
	asked := admissionv1.MutatingWebhook{ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Path: new(mine)}}, ObjectSelector: broken()}
	cannot, nothing := &admissionv1.MutatingWebhookConfiguration{Webhooks: []admissionv1.MutatingWebhook{asked}}, &admissionv1.MutatingWebhookConfiguration{}
	if Alike(cannot, nothing, mine) || Alike(nothing, cannot, mine) {
		t.Error("what cannot be read is alike to nothing")
	}

	unread := installed(t)
	onPod(unread).ObjectSelector = broken()
	if Alike(unread, unread, GatesPath) {
		t.Error("what cannot be read is alike to itself")
	}
}
