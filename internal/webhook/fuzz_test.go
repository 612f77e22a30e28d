// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/webhook/profile"
)

// FuzzHandler: whatever comes, the answer is a 500 or an allowance whose patch applies,
// leaves everything but the readiness gates alone and is the last one.
func FuzzHandler(f *testing.F) { fuzz(f, profile.GatesPath, ungated) }

// FuzzHandlerDrain: the same of hooks, their grace period and its annotation.
func FuzzHandlerDrain(f *testing.F) { fuzz(f, profile.DrainPath, hookless) }

func fuzz(f *testing.F, path string, without func(*testing.T, []byte) string) {
	f.Add(creation("shop", `{"metadata":{"labels":{"app":"web"},"annotations":{"podgate.dev/grace-period":"1"}},"spec":{"containers":[{},{"lifecycle":{}}],"terminationGracePeriodSeconds":5}}`))
	f.Add(creation("shop", `{"metadata":{"labels":{"app":"web"},"annotations":null},"spec":{"containers":[{"lifecycle":null},{"lifecycle":{"preStop":{"exec":{}}}},null]}}`))
	f.Add(creation("shop", `{"metadata":{"labels":{"app":"web"}},"spec":{}}`))
	f.Add(creation("shop", `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":[{"conditionType":"target-health.alb.ingress.k8s.aws/a"},null,{}]}}`))
	f.Add(creation("shop", `{"metadata":{"annotations":{"meta.helm.sh/release-name":"r"},"labels":{"app":"web"}},"spec":{"containers":[{}],"readinessGates":[{}]}}`))
	f.Add(creation("shop", `{"metadata":{"labels":null},"spec":{"readinessGates":null},"Spec":1}`))
	f.Add(creation("shop", `{"spec":{},"spec":{"readinessGates":[{}]},"metadata":{"labels":{"app":"web"}}}`))
	f.Add(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"\ud800"}}`)
	h := newHandler(f, webWorld(), Options{Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})

	f.Fuzz(func(t *testing.T, body string) {
		w := askAt(h, path, body)
		if w.Code == http.StatusInternalServerError {
			return
		}

		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"allowed":false`) {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}

		var got answer
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || !got.Response.Allowed {
			t.Fatalf("not an allowance: %s (%v)", w.Body, err)
		}

		if len(got.Response.Patch) == 0 {
			return
		}

		req, err := decodeRequest([]byte(body))
		if err != nil {
			t.Fatal(err)
		}

		object, ok := canonical(req.Object)
		if !ok {
			return // Repeated names: no API server sends them, and patch libraries disagree on them.
		}

		p, err := jsonpatch.DecodePatch(got.Response.Patch)
		if err != nil {
			t.Fatal(err)
		}

		patched, err := p.Apply(object)
		if err != nil {
			t.Fatalf("patch %s does not apply to %s: %v", got.Response.Patch, object, err)
		}

		if diff := diffJSON(t, without(t, object), without(t, patched)); diff != "" {
			t.Fatalf("more changed than should: -before, +after:\n%s", diff)
		}

		if again := admitAt(t, h, path, req.Namespace, string(patched)); diffJSON(t, string(patched), again) != "" {
			t.Fatalf("asked again, the handler changes %s to %s", patched, again)
		}
	})
}

// canonical encodes an object anew; false when that changes its length, which means that
// names were repeated or that it was not written compactly.
func canonical(raw []byte) ([]byte, bool) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil, false
	}
	out, err := json.Marshal(v)
	return out, err == nil && len(out) == len(raw)
}

// hookless is a pod without the hooks that podgate adds and what goes with them.
func hookless(t *testing.T, raw []byte) string {
	t.Helper()
	var pod map[string]any
	if err := json.Unmarshal(raw, &pod); err != nil {
		t.Fatal(err)
	}

	if metadata, ok := pod["metadata"].(map[string]any); ok {
		if annotations, ok := metadata["annotations"].(map[string]any); ok {
			delete(annotations, v1alpha1.GraceAnnotation)
			delete(annotations, v1alpha1.LeftOutAnnotation)
		}
		if annotations, ok := metadata["annotations"].(map[string]any); !ok || len(annotations) == 0 {
			delete(metadata, "annotations")
		}
	}

	spec, _ := pod["spec"].(map[string]any)
	delete(spec, "terminationGracePeriodSeconds")
	containers, _ := spec["containers"].([]any)
	for i := range containers {
		c, _ := containers[i].(map[string]any)
		if lifecycle, _ := c["lifecycle"].(map[string]any); lifecycle != nil {
			if hook, _ := lifecycle["preStop"].(map[string]any); len(hook) == 0 || hook["sleep"] != nil {
				delete(lifecycle, "preStop")
			}
		}
		if lifecycle, _ := c["lifecycle"].(map[string]any); len(lifecycle) == 0 {
			delete(c, "lifecycle")
		}
		if len(c) == 0 {
			containers[i] = nil
		}
	}

	out, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}

	return string(out)
}

// ungated is a pod without its readiness gates.
func ungated(t *testing.T, raw []byte) string {
	t.Helper()
	var pod map[string]any
	if err := json.Unmarshal(raw, &pod); err != nil {
		t.Fatal(err)
	}

	if spec, ok := pod["spec"].(map[string]any); ok {
		delete(spec, "readinessGates")
	}
	if metadata, ok := pod["metadata"].(map[string]any); ok {
		if annotations, ok := metadata["annotations"].(map[string]any); ok {
			delete(annotations, v1alpha1.LeftOutAnnotation)
		}
		if annotations, ok := metadata["annotations"].(map[string]any); !ok || len(annotations) == 0 {
			delete(metadata, "annotations")
		}
	}

	out, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}

	return string(out)
}
