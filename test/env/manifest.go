// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Manifest is a list of objects, in an order in which they can be applied.
type Manifest []*unstructured.Unstructured

// ReadManifest reads YAML or JSON documents from a file.
func ReadManifest(file string) (Manifest, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	m, err := ParseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", file, err)
	}
	return m, nil
}

// ParseManifest reads YAML or JSON documents. Lists are taken apart, and kinds that
// others depend on come first.
func ParseManifest(b []byte) (Manifest, error) {
	var m Manifest
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(b), 4096)
	for {
		var u unstructured.Unstructured
		err := d.Decode(&u)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(u.Object) == 0 {
			continue
		}

		if !u.IsList() {
			m = append(m, &u)
			continue
		}

		list, err := u.ToList()
		if err != nil {
			return nil, err
		}

		for i := range list.Items {
			m = append(m, &list.Items[i])
		}
	}

	slices.SortStableFunc(m, func(a, b *unstructured.Unstructured) int { return cmp.Compare(rank(a), rank(b)) })
	return m, nil
}

// rank is when a kind is applied. Webhooks come last: one that is called before its
// backend stands would be in the way of its own pods.
func rank(u *unstructured.Unstructured) int {
	switch u.GetKind() {
	case "CustomResourceDefinition":
		return 0
	case "Namespace":
		return 1
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		return 3
	}
	return 2
}

// OfKind are the objects of one kind.
func (m Manifest) OfKind(kind string) Manifest {
	var found Manifest
	for _, u := range m {
		if u.GetKind() == kind {
			found = append(found, u)
		}
	}
	return found
}

// SetEnv sets environment variables in every container of every Deployment, and
// replaces those of the same name.
func (m Manifest) SetEnv(env map[string]string) error {
	return m.eachContainer("set environment", func(container map[string]any) { container["env"] = withEnv(container["env"], env) })
}

// AddArgs adds arguments in every container of every Deployment.
func (m Manifest) AddArgs(args []string) error {
	return m.eachContainer("add arguments", func(container map[string]any) {
		all, _ := container["args"].([]any)
		for _, arg := range args {
			all = append(all, arg)
		}
		if len(args) > 0 {
			container["args"] = all
		}
	})
}

// eachContainer changes the containers of all Deployments; what is for errors.
func (m Manifest) eachContainer(what string, change func(container map[string]any)) error {
	for _, u := range m.OfKind("Deployment") {
		path := []string{"spec", "template", "spec", "containers"}
		containers, _, err := unstructured.NestedSlice(u.Object, path...)
		if err != nil {
			return fmt.Errorf("%s of Deployment %s: %w", what, u.GetName(), err)
		}

		for i := range containers {
			container, ok := containers[i].(map[string]any)
			if !ok {
				return fmt.Errorf("%s of Deployment %s: container %d is not an object", what, u.GetName(), i)
			}
			change(container)
		}

		if err := unstructured.SetNestedSlice(u.Object, containers, path...); err != nil {
			return fmt.Errorf("%s of Deployment %s: %w", what, u.GetName(), err)
		}
	}

	return nil
}

func withEnv(current any, env map[string]string) []any {
	var all []any
	old, _ := current.([]any)
	for _, e := range old {
		entry, _ := e.(map[string]any)
		name, _ := entry["name"].(string)
		if _, replaced := env[name]; !replaced {
			all = append(all, e)
		}
	}

	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, map[string]any{"name": name, "value": env[name]})
	}

	return all
}
