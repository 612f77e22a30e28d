// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// manifests reads the objects of files, of the .yaml, .yml and .json files of folders, and
// of standard input ("-"), in order.
func (e *environment) manifests(names []string) ([]client.Object, error) {
	var all []client.Object
	for _, name := range names {
		files, err := filesOf(name)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			objects, err := e.manifest(file)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", file, err)
			}
			all = append(all, objects...)
		}
	}

	return all, nil
}

// filesOf are the files of a folder, or the file itself.
func filesOf(name string) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}

	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return []string{name}, err
	}

	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}

	var files []string
	for _, e := range entries {
		if slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(e.Name())) {
			files = append(files, filepath.Join(name, e.Name()))
		}
	}

	return files, nil
}

func (e *environment) manifest(name string) ([]client.Object, error) {
	if name == "-" {
		return decode(e.In)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return decode(f)
}

// decode reads documents of YAML or JSON.
func decode(r io.Reader) ([]client.Object, error) {
	s, err := scheme()
	if err != nil {
		return nil, err
	}

	decoder := serializer.NewCodecFactory(s).UniversalDeserializer()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(r))
	var all []client.Object
	for {
		raw, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if blank(string(raw)) {
			continue
		}

		// The decoder takes what begins with a brace for JSON, and it may be YAML.
		if raw, err = yaml.YAMLToJSON(raw); err != nil {
			return nil, err
		}

		object, _, err := decoder.Decode(raw, nil, nil)
		if runtime.IsNotRegisteredError(err) {
			object, err = further(raw)
		}
		if err != nil {
			return nil, err
		}

		if all, err = flatten(all, object); err != nil {
			return nil, err
		}
	}
}

// further reads an object of a kind that podgate does not know.
func further(raw []byte) (runtime.Object, error) {
	var o unstructured.Unstructured
	return &o, o.UnmarshalJSON(raw)
}

// blank reports whether a document holds nothing but comments.
func blank(document string) bool {
	for line := range strings.Lines(document) {
		line = strings.TrimSpace(line)
		if line != "" && line != "---" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}

// flatten adds an object, or the items of a list.
func flatten(all []client.Object, object runtime.Object) ([]client.Object, error) {
	if o, ok := object.(client.Object); ok {
		return append(all, o), nil
	}

	items, err := meta.ExtractList(object)
	if err != nil {
		return nil, err
	}

	for _, item := range items {
		if raw, ok := item.(*runtime.Unknown); ok {
			found, err := decode(bytes.NewReader(raw.Raw))
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
		if o, ok := item.(client.Object); ok {
			all = append(all, o)
		}
	}

	return all, nil
}
