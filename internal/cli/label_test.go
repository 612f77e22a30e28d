// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/injection"
)

func TestLabelFor(t *testing.T) {
	for name, tc := range map[string]struct {
		reason  string
		missing []string
		want    string
	}{
		"Own":   {reason: "Who has a HAProxy need not know of AWS.", missing: []string{"targets.podgate.dev/web"}, want: "podgate.dev/inject"},
		"LBC":   {reason: "Its label goes with its kind.", missing: []string{"target-health.elbv2.k8s.aws/web"}, want: "elbv2.k8s.aws/pod-readiness-gate-inject"},
		"Mixed": {reason: "Either asks for both.", missing: []string{"target-health.elbv2.k8s.aws/web", "targets.podgate.dev/web"}, want: "elbv2.k8s.aws/pod-readiness-gate-inject"},
		"None":  {reason: "The gates may be in the template already.", want: "elbv2.k8s.aws/pod-readiness-gate-inject"},
	} {
		if got := labelFor(tc.missing); got != tc.want {
			t.Errorf("%s: %s Got %s, want %s", name, tc.reason, got, tc.want)
		}
	}
}

// TestUnhooked: nobody is told to set a label that is there.
func TestUnhooked(t *testing.T) {
	asks := map[string]string{"podgate.dev/drain": "enabled"}
	hookless := injection.Shortfall{Need: 55, Hook: 55, Grace: 25, Stop: drain.Stop{Container: "web", Grace: 30}, Renewed: &injection.Shortfall{}}
	for name, tc := range map[string]struct {
		installed bool
		labels    map[string]string
		want      string
	}{
		"NotInstalled":      {labels: asks, want: "install podgate"},
		"LeftOutBySelector": {installed: true, labels: asks, want: "the selectors in MutatingWebhookConfiguration podgate-webhook leave this pod out"},
		"NotLabelled":       {installed: true, want: "or the pod template needs the label podgate.dev/drain=enabled"},
	} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: tc.labels}}
		in := &Installation{configured: tc.installed}
		if got := in.unhooked(t.Context(), offline(t, []client.Object{ns}), "shop", nil, hookless); !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %q, want %q in it", name, got, tc.want)
		}
	}
}
