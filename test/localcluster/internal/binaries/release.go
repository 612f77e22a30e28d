// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binaries

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
)

// newest is the module of the release that there is everything of. An older release, of which there is the API server alone, has
// its minor version behind the name: kubernetes-1.36.
const newest = "kubernetes"

// Releases are the minor versions of Kubernetes that there is an API server of, such as 1.36; the newest is the last.
func Releases() []string {
	var older []string
	names, _ := fs.Glob(inputs, newest+"-*.mod")
	for _, name := range names {
		older = append(older, strings.TrimSuffix(strings.TrimPrefix(name, newest+"-"), ".mod"))
	}
	// They are all 1.N with two digits, so the order of strings is theirs.
	slices.Sort(older)
	return append(older, minor(versionOf(newest)))
}

// moduleOf is the module that a release is built from; no release is the newest.
func moduleOf(release string) (string, error) {
	if release == "" || release == minor(versionOf(newest)) {
		return newest, nil
	}
	if slices.Contains(Releases(), release) {
		return newest + "-" + release, nil
	}
	return "", fmt.Errorf("there is no Kubernetes %q to build: the releases are %s", release, strings.Join(Releases(), ", "))
}

// versionOf is the version that a module pins, such as v1.37.0.
func versionOf(module string) string {
	data, err := inputs.ReadFile(module + ".mod")
	if err != nil {
		return ""
	}
	found := regexp.MustCompile(`(?m)^(?:require )?\s*k8s\.io/kubernetes (v\S+)`).FindSubmatch(data)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// minor is 1.37 of v1.37.0.
func minor(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// steps are those that the set takes, of the release's own.
func (c *Cache) steps() []step {
	if c.newest != nil {
		return []step{{Control, c.module, map[string]string{"kube-apiserver": apiServer}}}
	}
	return slices.DeleteFunc(steps(), func(s step) bool { return s.set > c.set })
}

// shared are the programs that an older release takes from the newest.
func shared() []string { return []string{"etcd", "kubectl"} }

// share puts them beside the release's own. They cannot point to another set of inputs: those of the newest are part of every key.
func (c *Cache) share() error {
	for _, name := range c.missingOf(shared()) {
		if err := os.Symlink(c.newest.Path(name), c.Path(name)); err != nil {
			return fmt.Errorf("share %s with Kubernetes %s: %w", name, c.Version(), err)
		}
	}
	return nil
}
