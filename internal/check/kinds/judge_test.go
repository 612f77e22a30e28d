// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	clientmetrics "github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/prometheus"
	"github.com/podgate/podgate/internal/check/resource"
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

// objects are what resource checks look at in a test.
type objects struct {
	found  []map[string]any
	access check.Word
	err    error
}

// Look implements resource.Reader.
func (o objects) Look(resource.Question, types.NamespacedName) ([]map[string]any, check.Word) {
	return o.found, check.Word{}
}

// Access implements resource.Reader.
func (o objects) Access(context.Context, resource.Question) (check.Word, error) {
	return o.access, o.err
}

// TestJudgeAccess: what nobody may read is said, by what has to be done about it.
func TestJudgeAccess(t *testing.T) {
	g := shop()
	g.Spec.Checks = []v1alpha1.Check{{Name: "migrated", Resource: &v1alpha1.ResourceCheck{
		APIVersion: "batch/v1", Kind: "Job", Name: "migrate", ServiceAccountName: "gatekeeper", Expression: "true",
	}}}

	for name, tc := range map[string]struct {
		objects objects
		reason  string
		says    string
	}{
		"Readable": {objects{}, v1alpha1.ReasonServing, "asks the checks"},
		"Account":  {objects{access: check.NotAllowed}, v1alpha1.ReasonNoAccess, "check migrated: no access: the ServiceAccount gatekeeper may not read the object"},
		"Podgate":  {objects{access: check.NoRights}, v1alpha1.ReasonNoAccess, "check migrated: no access: podgate may not read objects of the kind"},
		"NoKind":   {objects{access: check.NoSuchKind}, v1alpha1.ReasonNoAccess, "check migrated: no access: the cluster does not have the kind of object"},
	} {
		reason, message, err := Maker{Objects: tc.objects}.Judge(t.Context(), g)
		if err != nil || reason != tc.reason || !strings.Contains(message, tc.says) {
			t.Errorf("%s: %s, %q, %v", name, reason, message, err)
		}
	}

	if reason, _, err := (Maker{Objects: objects{err: errors.New("down")}}).Judge(t.Context(), g); err == nil {
		t.Errorf("nobody can tell who may read what, and the reason is %s", reason)
	}

	g.Spec.Checks[0].Resource.Kind = "Secret"
	if reason, message, err := (Maker{Objects: objects{}}).Judge(t.Context(), g); err != nil || reason != v1alpha1.ReasonNotAllowed || !strings.Contains(message, "Secret") {
		t.Errorf("a Secret: %s, %q, %v", reason, message, err)
	}
}
