// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/webhook/profile"
)

// TestCoverageIsReadOnce: the selectors of one version of the configuration are read once, and those of another anew.
func TestCoverageIsReadOnce(t *testing.T) {
	configuration := func(uid, version, label string) *admissionv1.MutatingWebhookConfiguration {
		c := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), ResourceVersion: version}}
		for _, path := range profile.Paths() {
			c.Webhooks = append(c.Webhooks, admissionv1.MutatingWebhook{
				ClientConfig:      admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Path: &path}},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{label: "yes"}},
			})
		}
		return c
	}

	i := &Inspector{}
	asks := func(c *admissionv1.MutatingWebhookConfiguration, label string) bool {
		t.Helper()
		entries, err := i.coverage(c)
		if err != nil {
			t.Fatal(err)
		}
		return len(profile.ReviewsOf(entries, map[string]string{label: "yes"}, nil)) == len(profile.Paths())
	}

	first := configuration("a", "1", "one")
	if !asks(first, "one") {
		t.Error("the first version is not read")
	}

	if n := testing.AllocsPerRun(10, func() { _, _ = i.coverage(first) }); n != 0 {
		t.Errorf("the same version again takes %v allocations", n)
	}

	for _, next := range []struct{ uid, version, label string }{{"a", "2", "two"}, {"b", "2", "three"}, {"", "", "four"}, {"", "", "five"}} {
		if !asks(configuration(next.uid, next.version, next.label), next.label) {
			t.Errorf("%+v is not read", next)
		}
	}
}
