// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binaries builds the programs that a cluster consists of, from Go modules pinned in this folder, and caches them under a hash of
// everything that goes into them. It never downloads a ready-made binary and never touches the Go module of the caller.
package binaries

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// recipe is part of the cache key: raise it when the way of building changes but no input does.
const recipe = "1"

// The pinned modules are kept as *.mod because a folder with a go.mod cannot be embedded; they are written out as go.mod to be built.
//
//go:embed kubernetes.mod kubernetes.sum kubernetes-*.mod kubernetes-*.sum containerd.mod containerd.sum pause/main.go
var inputs embed.FS

// Set says how much of a cluster is wanted.
type Set int

const (
	// Control is what the API needs: etcd, kube-apiserver and kubectl.
	Control Set = iota + 1
	// Node is Control and everything that runs pods.
	Node
)

// PauseImage is the name of the sandbox image; the archive is made next to the binaries as pause.tar.
const PauseImage = "localcluster.invalid/pause:1"

// step is one run of `go build` that makes some programs.
type step struct {
	set      Set
	module   string
	programs map[string]string // name of the program -> package
}

func (s step) names() []string {
	names := make([]string, 0, len(s.programs))
	for name := range s.programs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

const apiServer = "k8s.io/kubernetes/cmd/kube-apiserver"

// steps are all of the newest release, in the order of building.
func steps() []step {
	return []step{
		{Control, newest, map[string]string{"etcd": "go.etcd.io/etcd/server/v3"}},
		{Control, newest, map[string]string{
			"kube-apiserver": apiServer,
			"kubectl":        "k8s.io/kubernetes/cmd/kubectl",
		}},
		{Node, newest, map[string]string{
			"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
			"kube-proxy":              "k8s.io/kubernetes/cmd/kube-proxy",
			"kube-scheduler":          "k8s.io/kubernetes/cmd/kube-scheduler",
			"kubelet":                 "k8s.io/kubernetes/cmd/kubelet",
		}},
		{Node, "containerd", map[string]string{
			"containerd":              "github.com/containerd/containerd/v2/cmd/containerd",
			"containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"ctr":                     "github.com/containerd/containerd/v2/cmd/ctr",
		}},
		{Node, "pause", map[string]string{"pause": "."}},
	}
}

// Cache is the folder of one set of inputs; it stays when clusters go.
type Cache struct {
	Dir    string
	set    Set
	module string // what Kubernetes is built from
	newest *Cache // what an older release shares etcd and kubectl with; nil for the newest
	goTool string
	env    []string
}

// Open finds the cache folder of a release, such as 1.36, that belongs to the embedded inputs and the host's Go; no release is the
// newest, and there is a node of no other. It creates nothing.
func Open(release string, set Set) (*Cache, error) {
	module, err := moduleOf(release)
	if err != nil {
		return nil, err
	}
	if module == newest {
		return open(newest, set)
	}
	if set != Control {
		return nil, fmt.Errorf("of Kubernetes %s there is the API server only: say --api-only", release)
	}

	c, err := open(module, set)
	if err != nil {
		return nil, err
	}

	c.newest, err = open(newest, set)
	return c, err
}

func open(module string, set Set) (*Cache, error) {
	goTool, err := findGo()
	if err != nil {
		return nil, err
	}

	version, err := exec.Command(goTool, "env", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", goTool, err)
	}

	key := sha256.New()
	fmt.Fprintln(key, recipe, runtime.GOOS, runtime.GOARCH, strings.TrimSpace(string(version)))
	names := []string{"kubernetes.mod", "kubernetes.sum", "containerd.mod", "containerd.sum", "pause/main.go"}
	if module != newest {
		names = append(names, module+".mod", module+".sum")
	}

	for _, name := range names {
		data, err := inputs.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read embedded %s: %w", name, err)
		}
		fmt.Fprintln(key, name, len(data))
		_, _ = key.Write(data)
	}

	root, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find the cache folder (set XDG_CACHE_HOME or HOME): %w", err)
	}

	return &Cache{
		Dir:    filepath.Join(root, "localcluster", hex.EncodeToString(key.Sum(nil))[:16]),
		set:    set,
		module: module,
		goTool: goTool,
		env:    goEnv(os.Environ()),
	}, nil
}

// Bin is the folder of the programs.
func (c *Cache) Bin() string { return filepath.Join(c.Dir, "bin") }

// Path is where the program of that name lies once built.
func (c *Cache) Path(program string) string { return filepath.Join(c.Bin(), program) }

// PauseArchive is the sandbox image as a docker-archive.
func (c *Cache) PauseArchive() string { return filepath.Join(c.Dir, "pause.tar") }

// Version is the version of Kubernetes, such as v1.37.0.
func (c *Cache) Version() string { return versionOf(c.module) }

// Missing lists what the set still lacks.
func (c *Cache) Missing() []string {
	var missing []string
	for _, s := range c.steps() {
		missing = append(missing, c.missingOf(s.names())...)
	}
	if c.newest != nil {
		missing = append(missing, c.missingOf(shared())...)
	}
	if _, err := os.Stat(c.PauseArchive()); err != nil && c.set == Node {
		missing = append(missing, "pause.tar")
	}
	return missing
}

func (c *Cache) missingOf(names []string) []string {
	var missing []string
	for _, name := range names {
		if _, err := os.Stat(c.Path(name)); err != nil {
			missing = append(missing, name)
		}
	}
	return missing
}

// goEnv drops what would change the result of a build and fixes what must be fixed.
func goEnv(environ []string) []string {
	drop := []string{"GOFLAGS", "GOOS", "GOARCH", "GOWORK", "CGO_ENABLED", "GO111MODULE", "PWD"}
	kept := slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(drop, name)
	})
	return append(kept, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
}

func findGo() (string, error) {
	if path, err := exec.LookPath("go"); err == nil {
		return path, nil
	}
	const usual = "/usr/local/go/bin/go"
	if _, err := os.Stat(usual); err == nil {
		return usual, nil
	}
	return "", errors.New("the go command is needed to build Kubernetes and is not on PATH: install Go 1.26 or later from https://go.dev/dl")
}

func writeInput(name, to string) error {
	from, err := inputs.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	data, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}
