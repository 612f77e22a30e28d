// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The folders stand for mounts: this machine has only one of the two versions.
func TestCgroupsOfVersion2HandControllersDown(t *testing.T) {
	mount := t.TempDir()
	write(t, filepath.Join(mount, "cgroup.controllers"), "cpu memory\n")
	if err := makeHierarchies(mount, "localcluster/x"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", "localcluster", "localcluster/x"} {
		got, err := os.ReadFile(filepath.Join(mount, dir, "cgroup.subtree_control"))
		if err != nil || len(got) == 0 {
			t.Errorf("%q hands no controllers down: %q, %v", dir, got, err)
		}
	}
}

func TestCgroupsOfVersion1LeaveVersion2BesideThemAlone(t *testing.T) {
	mount := t.TempDir()
	write(t, filepath.Join(mount, "cpuset/cpuset.cpus"), "0-1\n")
	write(t, filepath.Join(mount, "cpuset/localcluster/cpuset.cpus"), "\n")
	write(t, filepath.Join(mount, "cpuset/localcluster/x/cpuset.cpus"), "\n")
	write(t, filepath.Join(mount, "memory/tasks"), "")
	write(t, filepath.Join(mount, "unified/cgroup.controllers"), "")

	if err := makeHierarchies(mount, "localcluster/x"); err != nil {
		t.Fatal(err)
	}

	got, err := os.ReadFile(filepath.Join(mount, "cpuset/localcluster/x/cpuset.cpus"))
	if err != nil || string(got) != "0-1\n" {
		t.Errorf("the cluster's processors are %q, %v, want those of the machine", got, err)
	}

	if !exists(filepath.Join(mount, "memory/localcluster/x")) {
		t.Error("there is no cgroup in the hierarchy of memory")
	}

	if exists(filepath.Join(mount, "unified/localcluster")) {
		t.Error("a cgroup was made in the hierarchy without controllers")
	}
}
