// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Spec says what an image holds and how a runtime starts it.
type Spec struct {
	// Name is the reference the image gets, such as podgate.dev/podgate:dev.
	Name string
	// Entrypoint is the absolute path of the program in the image, and what a container starts.
	Entrypoint string
	// Links are further absolute paths at which the program is found (hard links).
	Links []string
	// User is the numeric user, or user:group, that a container runs as; root when empty.
	User string
	// Env is the environment as KEY=VALUE.
	Env []string
	// Arch is the architecture as Go spells it.
	Arch string
	// Program is the static binary.
	Program []byte
	// Programs are further ones.
	Programs []Program
}

// Program is a static binary in an image.
type Program struct {
	// Path is absolute.
	Path    string
	Content []byte
}

// epoch is the time of everything in the archive, so that equal input gives equal bytes.
var epoch = time.Unix(0, 0).UTC()

// defaultPath is found by a container that execs a program by its bare name.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (s Spec) validate() error {
	if !strings.Contains(s.Name, ":") || strings.ContainsAny(s.Name, " @") {
		return fmt.Errorf("name %q: want NAME:TAG", s.Name)
	}

	for _, p := range s.paths() {
		if !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
			return fmt.Errorf("path %q: want a clean absolute path", p)
		}
	}

	for _, e := range s.Env {
		if !strings.Contains(e, "=") {
			return fmt.Errorf("environment %q: want KEY=VALUE", e)
		}
	}

	for _, p := range append(s.Programs, Program{Path: s.Entrypoint, Content: s.Program}) {
		if !bytes.HasPrefix(p.Content, []byte("\x7fELF")) {
			return fmt.Errorf("program %s is not an ELF binary: build it with GOOS=linux CGO_ENABLED=0", p.Path)
		}
	}

	return nil
}

// paths are all that the image holds.
func (s Spec) paths() []string {
	all := append([]string{s.Entrypoint}, s.Links...)
	for _, p := range s.Programs {
		all = append(all, p.Path)
	}
	return all
}

// WriteArchive writes the image as a docker-archive. Equal specs give equal bytes.
func WriteArchive(w io.Writer, s Spec) error {
	if err := s.validate(); err != nil {
		return err
	}

	ref, err := name.NewTag(s.Name, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("name %q: %w", s.Name, err)
	}

	img, err := s.image()
	if err != nil {
		return fmt.Errorf("make image %s: %w", s.Name, err)
	}

	if err := tarball.Write(ref, img, w); err != nil {
		return fmt.Errorf("write archive of %s: %w", s.Name, err)
	}

	return nil
}

// image is the layer and how a runtime starts it.
func (s Spec) image() (v1.Image, error) {
	content, err := s.layer()
	if err != nil {
		return nil, err
	}

	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		return nil, err
	}

	history := v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "build/image"}
	img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: layer, History: history})
	if err != nil {
		return nil, err
	}

	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}

	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture, cfg.Created = "linux", s.Arch, v1.Time{Time: epoch}
	cfg.Config = v1.Config{User: s.User, Env: append([]string{defaultPath}, s.Env...), Entrypoint: []string{s.Entrypoint}, WorkingDir: "/"}
	return mutate.ConfigFile(img, cfg)
}

// layer is a tar with the program, its directories and its links, all owned by root.
func (s Spec) layer() ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, dir := range s.directories() {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: epoch}); err != nil {
			return nil, err
		}
	}

	target := strings.TrimPrefix(s.Entrypoint, "/")
	if err := writeFile(t, target, 0o755, s.Program); err != nil {
		return nil, err
	}

	for _, p := range s.Programs {
		if err := writeFile(t, strings.TrimPrefix(p.Path, "/"), 0o755, p.Content); err != nil {
			return nil, err
		}
	}

	for _, l := range s.Links {
		h := &tar.Header{Typeflag: tar.TypeLink, Name: strings.TrimPrefix(l, "/"), Linkname: target, Mode: 0o755, ModTime: epoch}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
	}

	if err := t.Close(); err != nil {
		return nil, err
	}

	return b.Bytes(), nil
}

// directories are the parents of every path, parents first.
func (s Spec) directories() []string {
	seen := map[string]bool{}
	var dirs []string
	for _, p := range s.paths() {
		for d := path.Dir(p); d != "/"; d = path.Dir(d) {
			if seen[d] {
				break
			}
			seen[d] = true
			dirs = append(dirs, strings.TrimPrefix(d, "/")+"/")
		}
	}

	sort.Strings(dirs)
	return dirs
}

func writeFile(t *tar.Writer, name string, mode int64, data []byte) error {
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(data)), ModTime: epoch}); err != nil {
		return err
	}
	_, err := t.Write(data)
	return err
}
