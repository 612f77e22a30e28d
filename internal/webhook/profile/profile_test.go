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
	"github.com/podgate/podgate/api/gwc"
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
		p := Profile{Name: w.Name, Path: *w.ClientConfig.Service.Path, Switched: w.Name == gwc.Webhook}
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

// Gates of each kind: one that every label asks for, and one that has a label of its own.
const (
	common = "target-health.elbv2.k8s.aws/web"
	own    = gwc.Gate
)

// TestCoverage: as podgate is installed, without its entries, and by labels alone, the same
// is asked about the same pods, and nothing twice.
func TestCoverage(t *testing.T) {
	labels := func(names ...string) map[string]string {
		all := map[string]string{}
		for _, name := range names {
			all[name] = Enabled
		}
		return all
	}
	cases := map[string]struct {
		namespace, pod     map[string]string
		common, own, hooks bool
		twice              bool
	}{
		"Nothing":            {},
		"NamespaceOfLBC":     {namespace: labels(elbv2.InjectLabel), common: true},
		"NamespaceOfGWC":     {namespace: labels(gwc.InjectLabel), own: true},
		"NamespaceOfBoth":    {namespace: labels(elbv2.InjectLabel, gwc.InjectLabel), common: true, own: true},
		"Namespace":          {namespace: labels(v1alpha1.InjectLabel), common: true, own: true},
		"NamespaceAndLBC":    {namespace: labels(v1alpha1.InjectLabel, elbv2.InjectLabel), common: true, own: true},
		"NamespaceAndGWC":    {namespace: labels(v1alpha1.InjectLabel, gwc.InjectLabel), common: true, own: true},
		"NamespaceOfAll":     {namespace: labels(v1alpha1.InjectLabel, elbv2.InjectLabel, gwc.InjectLabel), common: true, own: true},
		"Pod":                {pod: labels(v1alpha1.InjectLabel), common: true, own: true},
		"PodAndNamespace":    {namespace: labels(v1alpha1.InjectLabel), pod: labels(v1alpha1.InjectLabel), common: true, own: true},
		"PodInAnothers":      {namespace: labels(gwc.InjectLabel), pod: labels(v1alpha1.InjectLabel), common: true, own: true, twice: true},
		"PodWithLBCsLabel":   {pod: labels(elbv2.InjectLabel)},
		"PodWithGWCsLabel":   {pod: labels(gwc.InjectLabel)},
		"OptedOut":           {namespace: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectDisabled}},
		"AnotherValueOfGWCs": {namespace: map[string]string{gwc.InjectLabel: "true"}},
		"DrainedNamespace":   {namespace: labels(v1alpha1.DrainLabel), hooks: true},
		"DrainedPod":         {pod: labels(v1alpha1.DrainLabel), hooks: true},
	}

	entries := func(c *admissionv1.MutatingWebhookConfiguration) []Coverage {
		all, err := CoverageOf(c)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for which, all := range map[string][]Coverage{
				"as installed": entries(installed(t)), "without entries": entries(&admissionv1.MutatingWebhookConfiguration{}), "by labels": Labelled(),
			} {
				r := ReviewsOf(all, tc.namespace, tc.pod)
				if r.Gate(common) != tc.common || r.Gate(own) != tc.own || r.Hooks() != tc.hooks || r.Gates() != (tc.common || tc.own) {
					t.Errorf("%s: reviews %q, want gates %t and %t, hooks %t", which, r, tc.common, tc.own, tc.hooks)
				}
			}

			for _, gate := range []string{common, own} {
				asked := 0
				for _, path := range ReviewsOf(entries(installed(t)), tc.namespace, tc.pod) {
					if AsksForGate(path, gate) {
						asked++
					}
				}
				if asked > 1 && !tc.twice {
					t.Errorf("%d reviews ask for %s", asked, gate)
				}
			}
		})
	}

	if got := Paths(); !cmp.Equal(got, []string{GatesPath, GatePath(own), AllGatesPath, DrainPath}) {
		t.Errorf("paths %q", got)
	}
}

// TestSwitchedOff: with its path switched off, the label of another controller asks for nothing.
func TestSwitchedOff(t *testing.T) {
	var off []string
	for _, p := range Switched() {
		off = append(off, p.Path)
	}

	r := Reviews{GatesPath, GatePath(own), DrainPath}.Without(off)
	if r.Gate(own) || !r.Gate(common) || !r.Hooks() {
		t.Errorf("reviews %q are left", r)
	}
	if all := (Reviews{AllGatesPath}).Without(off); !all.Gate(own) {
		t.Error("podgate's own label is switched off, too")
	}
}

// TestAsking: people are told by which labels a gate is asked for, podgate's last.
func TestAsking(t *testing.T) {
	for gate, want := range map[string][]string{common: {elbv2.InjectLabel, v1alpha1.InjectLabel}, own: {gwc.InjectLabel, v1alpha1.InjectLabel}} {
		if got := Asking(gate); !cmp.Equal(got, want) {
			t.Errorf("%s is asked for by %q, want %q", gate, got, want)
		}
	}
	if AsksForGates("/elsewhere") || AsksForGates("") || AsksForGates(DrainPath) {
		t.Error("gates are asked for at a path that is not theirs")
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
		"another path": {at(new("/elsewhere")), 0},
		"no path":      {at(nil), 0},
		"a URL":        {byURL, 0},
	} {
		got, err := Entries(&admissionv1.MutatingWebhookConfiguration{Webhooks: []admissionv1.MutatingWebhook{tc.entry}})
		if err != nil || len(got) != tc.want {
			t.Errorf("%s: want %d entries, got %d, %v", what, tc.want, len(got), err)
		}
	}

	namespaces, pods := at(new(GatesPath)), at(new(GatesPath))
	namespaces.NamespaceSelector, pods.ObjectSelector = broken(), broken()
	for _, w := range []admissionv1.MutatingWebhook{namespaces, pods} {
		c := &admissionv1.MutatingWebhookConfiguration{Webhooks: []admissionv1.MutatingWebhook{w}}
		if got, err := CoverageOf(c); err == nil || got != nil {
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
		"nothing":                   {func(*admissionv1.MutatingWebhookConfiguration) {}, true},
		"how long it is waited for": {func(c *admissionv1.MutatingWebhookConfiguration) { onPod(c).TimeoutSeconds = new(int32(1)) }, true},
		"which namespaces":          {func(c *admissionv1.MutatingWebhookConfiguration) { onNamespace(c).NamespaceSelector = team }, false},
		"for what": {func(c *admissionv1.MutatingWebhookConfiguration) {
			onNamespace(c).ClientConfig.Service.Path = new(GatesPath)
		}, false},
		"which pods":                     {func(c *admissionv1.MutatingWebhookConfiguration) { onPod(c).ObjectSelector = team }, false},
		"an entry less":                  {func(c *admissionv1.MutatingWebhookConfiguration) { c.Webhooks = c.Webhooks[1:] }, false},
		"a selector that cannot be read": {func(c *admissionv1.MutatingWebhookConfiguration) { onPod(c).ObjectSelector = broken() }, false},
	} {
		before, after := installed(t), installed(t)
		tc.change(after)
		if Alike(before, after) != tc.want || Alike(after, before) != tc.want {
			t.Errorf("%s changed: want alike %t", what, tc.want)
		}
	}

	cannot, nothing := &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.MutatingWebhookConfiguration{}
	cannot.Webhooks = []admissionv1.MutatingWebhook{{ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Path: new(GatesPath)}}, ObjectSelector: broken()}}
	if Alike(cannot, nothing) || Alike(nothing, cannot) {
		t.Error("what cannot be read is alike to nothing")
	}

	unread := installed(t)
	onPod(unread).ObjectSelector = broken()
	if Alike(unread, unread) {
		t.Error("what cannot be read is alike to itself")
	}
}
