// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"
	"time"
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
}

// config is the part of an OCI image configuration that a runtime reads.
type config struct {
	Architecture string        `json:"architecture"`
	Created      time.Time     `json:"created"`
	OS           string        `json:"os"`
	Config       processConfig `json:"config"`
	RootFS       rootFS        `json:"rootfs"`
	History      []history     `json:"history"`
}

type processConfig struct {
	User       string   `json:"User,omitempty"`
	Env        []string `json:"Env,omitempty"`
	Entrypoint []string `json:"Entrypoint"`
	WorkingDir string   `json:"WorkingDir"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// manifest is one entry of a docker-archive's manifest.json.
type manifest struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// epoch is the time of everything in the archive, so that equal input gives equal bytes.
var epoch = time.Unix(0, 0).UTC()

// defaultPath is found by a container that execs a program by its bare name.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (s Spec) validate() error {
	if !strings.Contains(s.Name, ":") || strings.ContainsAny(s.Name, " @") {
		return fmt.Errorf("name %q: want NAME:TAG", s.Name)
	}
	for _, p := range append([]string{s.Entrypoint}, s.Links...) {
		if !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
			return fmt.Errorf("path %q: want a clean absolute path", p)
		}
	}
	for _, e := range s.Env {
		if !strings.Contains(e, "=") {
			return fmt.Errorf("environment %q: want KEY=VALUE", e)
		}
	}
	if !bytes.HasPrefix(s.Program, []byte("\x7fELF")) {
		return errors.New("program is not an ELF binary: build it with GOOS=linux CGO_ENABLED=0")
	}
	return nil
}

// WriteArchive writes the image as a docker-archive: one layer, one config, one
// manifest.json. Equal specs give equal bytes.
func WriteArchive(w io.Writer, s Spec) error {
	if err := s.validate(); err != nil {
		return err
	}
	layer, err := s.layer()
	if err != nil {
		return fmt.Errorf("write layer of %s: %w", s.Name, err)
	}
	layerID := digest(layer)
	cfg, err := json.Marshal(config{
		Architecture: s.Arch,
		Created:      epoch,
		OS:           "linux",
		Config:       processConfig{User: s.User, Env: append([]string{defaultPath}, s.Env...), Entrypoint: []string{s.Entrypoint}, WorkingDir: "/"},
		RootFS:       rootFS{Type: "layers", DiffIDs: []string{"sha256:" + layerID}},
		History:      []history{{Created: epoch, CreatedBy: "build/image"}},
	})
	if err != nil {
		return fmt.Errorf("encode config of %s: %w", s.Name, err)
	}
	cfgName, layerName := digest(cfg)+".json", layerID+"/layer.tar"
	index, err := json.Marshal([]manifest{{Config: cfgName, RepoTags: []string{s.Name}, Layers: []string{layerName}}})
	if err != nil {
		return fmt.Errorf("encode manifest of %s: %w", s.Name, err)
	}

	t := tar.NewWriter(w)
	for _, f := range []struct {
		name string
		data []byte
	}{{cfgName, cfg}, {layerName, layer}, {"manifest.json", index}} {
		if err := writeFile(t, f.name, 0o644, f.data); err != nil {
			return fmt.Errorf("write archive of %s: %w", s.Name, err)
		}
	}
	return t.Close()
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
	for _, p := range append([]string{s.Entrypoint}, s.Links...) {
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

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
