// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/podgate/podgate/test/localcluster/internal/state"
)

const (
	cgroupMount = "/sys/fs/cgroup"

	// podsCgroup is where containerd puts the containers of all clusters, because the kubelet has no hierarchy of its own.
	podsCgroup = "k8s.io"
	// podShares and podWeight are what they get together of a busy processor, in the measure of v1 and of v2. Each session of other processes
	// has 1024 or 100, such as a control plane, or the tests with their load and their simulators.
	podShares = "8192"
	podWeight = "800"
)

// makeCgroups makes the cluster's cgroup, and the one of the pods. The processes of the cluster itself stay in the cgroup of who started it, and so
// under the limits that it has.
func (s *supervisor) makeCgroups() error {
	err := makeHierarchies(cgroupMount, filepath.Join(state.CgroupParent, s.Dirs.Name))
	if err == nil {
		err = putPodsFirst(cgroupMount)
	}
	if err != nil {
		return fmt.Errorf("make the cluster's cgroup: %w", err)
	}
	return nil
}

// putPodsFirst keeps pods from starving where everything else that a cluster needs runs on the machine that is its node. A cgroup that was there
// before, such as that of the machine's own containerd, stays as it is.
func putPodsFirst(mount string) error {
	parent, file, value := filepath.Join(mount, "cpu"), "cpu.shares", podShares
	if exists(filepath.Join(mount, "cgroup.controllers")) {
		parent, file, value = mount, "cpu.weight", podWeight
	}

	path := filepath.Join(parent, podsCgroup)
	err := os.Mkdir(path, 0o755)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(path, file), []byte(value), 0o644)
}

// makeHierarchies makes a cgroup in the one hierarchy of v2, or in each of v1.
func makeHierarchies(mount, name string) error {
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err == nil {
		return makeUnified(mount, name)
	}

	entries, err := os.ReadDir(mount)
	if err != nil {
		return err
	}

	var problems []error
	for _, entry := range entries {
		hierarchy := filepath.Join(mount, entry.Name())
		// What is linked is a hierarchy under a second name; v2 beside v1 has no controllers.
		if !entry.IsDir() || exists(filepath.Join(hierarchy, "cgroup.controllers")) {
			continue
		}
		problems = append(problems, makeLegacy(hierarchy, name))
	}

	return errors.Join(problems...)
}

// makeUnified hands the controllers down to the new cgroup's children.
func makeUnified(mount, name string) error {
	path := filepath.Join(mount, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{mount, filepath.Dir(path), path} {
		for _, controller := range []string{"cpu", "cpuset", "memory", "pids"} {
			if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
				return fmt.Errorf("hand the controller %s down from %s (in a container, start it with a cgroup namespace of its own): %w", controller, dir, err)
			}
		}
	}
	return nil
}

// makeLegacy makes the cgroup in one hierarchy of v1. A new cgroup of cpuset has no processors and takes no process until it is given some.
func makeLegacy(hierarchy, name string) error {
	path := filepath.Join(hierarchy, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(path), path} {
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := inherit(dir, file); err != nil {
				return err
			}
		}
	}
	return nil
}

func inherit(dir, file string) error {
	own, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || len(bytes.TrimSpace(own)) > 0 {
		return err
	}
	parents, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), parents, 0o644)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
