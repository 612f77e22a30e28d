// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// asked is what the API server's authorizer sees of a request.
type asked struct {
	verb, group, resource, subresource, namespace, name string
}

// readRequest reads it off a request; false when it is about no resource.
func readRequest(r *http.Request) (asked, bool) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var a asked
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		a.group, parts = parts[1], parts[3:]
	default:
		return asked{}, false
	}

	if parts[0] == "namespaces" && len(parts) > 2 {
		a.namespace, parts = parts[1], parts[2:]
	}

	parts = append(parts, "", "")
	a.resource, a.name, a.subresource = parts[0], parts[1], parts[2]
	query := r.URL.Query()
	collection := a.name == ""
	if name, one := strings.CutPrefix(query.Get("fieldSelector"), "metadata.name="); collection && one {
		a.name = name
	}

	a.verb = map[string]string{"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[r.Method]
	if r.Method == http.MethodGet && collection {
		a.verb = "list"
		if slices.Contains([]string{"true", "1"}, query.Get("watch")) {
			a.verb = "watch"
		}
	}

	return a, true
}

func TestReadRequest(t *testing.T) {
	cases := map[string]struct {
		reason, method, url string
		want                asked
		about               bool
	}{
		"List":      {"A collection.", "GET", "/api/v1/pods?limit=500", asked{verb: "list", resource: "pods"}, true},
		"Watch":     {"A watch of one object by name.", "GET", "/api/v1/namespaces/a/secrets?fieldSelector=metadata.name%3Dx&watch=true", asked{verb: "watch", resource: "secrets", namespace: "a", name: "x"}, true},
		"Sub":       {"A subresource in a group.", "PATCH", "/apis/podgate.dev/v1alpha1/namespaces/a/targetbindings/b/status", asked{"patch", "podgate.dev", "targetbindings", "status", "a", "b"}, true},
		"Namespace": {"A namespace is an object, too.", "GET", "/api/v1/namespaces/a", asked{verb: "get", resource: "namespaces", name: "a"}, true},
		"Discovery": {"Discovery is about no resource.", "GET", "/apis/podgate.dev/v1alpha1", asked{}, false},
	}

	for name, tc := range cases {
		r, err := http.NewRequestWithContext(t.Context(), tc.method, "https://test"+tc.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, about := readRequest(r); got != tc.want || about != tc.about {
			t.Errorf("%s: %s got %+v, %t", name, tc.reason, got, about)
		}
	}
}
