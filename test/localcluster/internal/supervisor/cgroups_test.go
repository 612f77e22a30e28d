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

func TestPodsComeFirst(t *testing.T) {
	cases := map[string]struct {
		reason string
		there  []string
		want   map[string]string
	}{
		"Version1": {
			reason: "Only the hierarchy of the processor shares it out.",
			there:  []string{"cpu/cpu.shares", "memory/tasks"},
			want:   map[string]string{"cpu/k8s.io/cpu.shares": "8192"},
		},
		"Version2": {
			reason: "There is one hierarchy.",
			there:  []string{"cgroup.controllers"},
			want:   map[string]string{"k8s.io/cpu.weight": "800"},
		},
		"Somebody's": {
			reason: "The machine's own containerd made it.",
			there:  []string{"cgroup.controllers", "k8s.io/cpu.weight"},
			want:   map[string]string{"k8s.io/cpu.weight": ""},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			mount := t.TempDir()
			for _, file := range tc.there {
				write(t, filepath.Join(mount, file), "")
			}
			if err := putPodsFirst(mount); err != nil {
				t.Fatal(err)
			}

			for file, want := range tc.want {
				if got, err := os.ReadFile(filepath.Join(mount, file)); err != nil || string(got) != want {
					t.Errorf("%s\n%s holds %q, %v, want %q", tc.reason, file, got, err, want)
				}
			}
			if exists(filepath.Join(mount, "memory/k8s.io")) {
				t.Error("a cgroup was made that shares no processor out")
			}
		})
	}
}
