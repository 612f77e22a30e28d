// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"net/http"
	"strings"
	"testing"

	clientmetrics "github.com/prometheus/client_golang/prometheus"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check/prometheus"
)

// TestJudge: what keeps a gate from being served is said by a reason, and a message that names the check.
func TestJudge(t *testing.T) {
	m := makes(t, func(http.ResponseWriter, *http.Request) {})
	for _, rule := range []string{"team=shop => prometheus:*"} {
		if err := m.Allowed.Set(rule); err != nil {
			t.Fatal(err)
		}
	}
	var flag prometheus.Flag
	if err := flag.Set("main=http://prometheus.monitoring:9090"); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.Prometheus, err = prometheus.New(flag, clientmetrics.NewRegistry()); err != nil {
		t.Fatal(err)
	}

	named := func(name string, c v1alpha1.Check) v1alpha1.Check {
		c.Name = name
		return c
	}
	asks := func(server, expression string) v1alpha1.Check {
		return named("errors", v1alpha1.Check{Prometheus: &v1alpha1.PrometheusCheck{Server: server, Query: "up", Expression: expression}})
	}
	good := named("warm", v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Port: port(80)}})
	forbidden := named("db", v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Address: "db.example.com:81"}})
	wrong := named("device", v1alpha1.Check{Pod: &v1alpha1.PodCheck{Expression: "pod.status.("}})

	for name, tc := range map[string]struct {
		namespace string
		checks    []v1alpha1.Check
		dryRun    bool
		reason    string
		says      []string
	}{
		"Serving":      {checks: []v1alpha1.Check{good, asks("main", "value > 0.9")}, reason: v1alpha1.ReasonServing, says: []string{"asks the checks"}},
		"DryRun":       {checks: []v1alpha1.Check{good}, dryRun: true, reason: v1alpha1.ReasonServing, says: []string{"dry run"}},
		"NotAllowed":   {checks: []v1alpha1.Check{good, forbidden}, reason: v1alpha1.ReasonNotAllowed, says: []string{"check db: not allowed"}},
		"OfOthers":     {namespace: "bank", checks: []v1alpha1.Check{asks("main", "value > 0.9")}, reason: v1alpha1.ReasonNotAllowed, says: []string{"check errors: not allowed"}},
		"NoSuchServer": {checks: []v1alpha1.Check{asks("other", "value > 0.9")}, reason: v1alpha1.ReasonNoSuchServer, says: []string{"check errors", `"other"`}},
		"NoBool":       {checks: []v1alpha1.Check{asks("main", "'yes'")}, reason: v1alpha1.ReasonInvalidSpec, says: []string{"check errors: expression:"}},
		// What its author has to correct counts more.
		"Several": {checks: []v1alpha1.Check{forbidden, wrong, asks("other", "value > 0.9")}, reason: v1alpha1.ReasonInvalidSpec, says: []string{"check db: not allowed; check device: expression:", "; check errors"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := shop()
			if tc.namespace != "" {
				g.Namespace = tc.namespace
			}
			g.Spec.Checks, g.Spec.DryRun = tc.checks, tc.dryRun
			reason, message, err := m.Judge(t.Context(), g)
			if err != nil || reason != tc.reason {
				t.Errorf("reason %s, error %v, want %s; it says %q", reason, err, tc.reason, message)
			}
			for _, part := range tc.says {
				if !strings.Contains(message, part) {
					t.Errorf("it says %q, want %q", message, part)
				}
			}
		})
	}

	g := shop()
	g.Namespace, g.Spec.Checks = "gone", []v1alpha1.Check{forbidden}
	if reason, _, err := m.Judge(t.Context(), g); err == nil {
		t.Errorf("nobody can tell what is allowed, and the reason is %s", reason)
	}
}
