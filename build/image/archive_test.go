// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testSpec() Spec {
	return Spec{
		Name:       "podgate.dev/app:v1",
		Entrypoint: "/usr/bin/app",
		Links:      []string{"/bin/sleep"},
		User:       "65532",
		Env:        []string{"APP_TEXT=v1"},
		Arch:       "amd64",
		Program:    []byte("\x7fELF program"),
	}
}

// entry is what a runtime would unpack.
type entry struct {
	Type byte
	Mode int64
	Link string
	Data string
}

func read(t *testing.T, b []byte) map[string]entry {
	t.Helper()
	out := map[string]entry{}
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = entry{Type: h.Typeflag, Mode: h.Mode, Link: h.Linkname, Data: string(data)}
	}
}

func gunzip(t *testing.T, s string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestArchiveHoldsWhatARuntimeNeeds(t *testing.T) {
	var b bytes.Buffer
	if err := WriteArchive(&b, testSpec()); err != nil {
		t.Fatal(err)
	}

	files := read(t, b.Bytes())

	var index []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal([]byte(files["manifest.json"].Data), &index); err != nil {
		t.Fatal(err)
	}

	if len(index) != 1 || len(index[0].Layers) != 1 {
		t.Fatalf("manifest.json: want one image with one layer, got %+v", index)
	}

	if diff := cmp.Diff([]string{"podgate.dev/app:v1"}, index[0].RepoTags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}

	layer := gunzip(t, files[index[0].Layers[0]].Data)
	want := map[string]entry{
		"usr/":        {Type: tar.TypeDir, Mode: 0o755},
		"usr/bin/":    {Type: tar.TypeDir, Mode: 0o755},
		"bin/":        {Type: tar.TypeDir, Mode: 0o755},
		"usr/bin/app": {Type: tar.TypeReg, Mode: 0o755, Data: "\x7fELF program"},
		"bin/sleep":   {Type: tar.TypeLink, Mode: 0o755, Link: "usr/bin/app"},
	}
	if diff := cmp.Diff(want, read(t, []byte(layer))); diff != "" {
		t.Errorf("layer (-want +got):\n%s", diff)
	}

	var cfg struct {
		Architecture, OS string
		Config           struct {
			User            string
			Env, Entrypoint []string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}

	raw := files[index[0].Config].Data
	if err := json.Unmarshal([]byte(raw), &cfg); err != nil {
		t.Fatal(err)
	}

	if cfg.Architecture != "amd64" || cfg.OS != "linux" || cfg.Config.User != "65532" {
		t.Errorf("config: got %s", raw)
	}

	if diff := cmp.Diff([]string{defaultPath, "APP_TEXT=v1"}, cfg.Config.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff([]string{"/usr/bin/app"}, cfg.Config.Entrypoint); diff != "" {
		t.Errorf("entrypoint (-want +got):\n%s", diff)
	}

	sum := sha256.Sum256([]byte(layer))
	if diff := cmp.Diff([]string{"sha256:" + hex.EncodeToString(sum[:])}, cfg.RootFS.DiffIDs); diff != "" {
		t.Errorf("layer identity (-want +got):\n%s", diff)
	}
}

func TestEqualInputGivesEqualBytes(t *testing.T) {
	var first, second bytes.Buffer
	if err := errors.Join(WriteArchive(&first, testSpec()), WriteArchive(&second, testSpec())); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two archives of one spec differ")
	}
}

func TestBadSpecsAreRefused(t *testing.T) {
	cases := []struct {
		reason string
		change func(*Spec)
		want   string
	}{
		{"a reference without a tag could not be named in a pod", func(s *Spec) { s.Name = "app" }, "NAME:TAG"},
		{"a relative entrypoint would depend on the working directory", func(s *Spec) { s.Entrypoint = "app" }, "absolute"},
		{"a link must not climb out of the image", func(s *Spec) { s.Links = []string{"/../etc/x"} }, "clean"},
		{"an environment entry without = is dropped by runtimes", func(s *Spec) { s.Env = []string{"X"} }, "KEY=VALUE"},
		{"a script cannot start in an image without a shell", func(s *Spec) { s.Program = []byte("#!/bin/sh") }, "ELF"},
	}

	for _, c := range cases {
		s := testSpec()
		c.change(&s)
		err := WriteArchive(io.Discard, s)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.reason, err, c.want)
		}
	}
}

func TestAFailureLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	out, script := filepath.Join(dir, "app.tar"), filepath.Join(dir, "app.sh")
	if err := errors.Join(os.WriteFile(out, []byte("old"), 0o600), os.WriteFile(script, []byte("#!"), 0o600)); err != nil {
		t.Fatal(err)
	}

	if err := run([]string{"-name", "a:b", "-entrypoint", "/a", "-o", out, script}, io.Discard); err == nil {
		t.Fatal("a script was taken for a program")
	}

	got, err := os.ReadFile(out)
	if err != nil || string(got) != "old" {
		t.Errorf("got %q, %v; want the old file", got, err)
	}

	left, err := filepath.Glob(out + ".*")
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
