// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/podgate/podgate/test/localcluster/internal/state"
)

// fixedPaths are written to by programs of a node, whatever they are configured to.
func fixedPaths() []string {
	return []string{"/run/netns", "/run/containerd", "/run/runc", "/run/kubernetes", "/var/lib/cni", "/var/lib/kubelet",
		"/var/log/pods", "/var/log/containers", "/opt/containerd", "/opt/cni"}
}

// hostSettings are not part of a network namespace, or are part of the host's.
func hostSettings() []string {
	return []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
		"kernel/keys/root_maxbytes", "net/ipv4/ip_forward", "net/netfilter/nf_conntrack_max"}
}

// host is what a cluster could change on the machine and must not.
type host struct {
	paths    map[string]bool
	settings map[string]string
	links    []string
}

func look() host {
	h := host{paths: map[string]bool{}, settings: map[string]string{}}
	for _, path := range fixedPaths() {
		_, err := os.Lstat(path)
		h.paths[path] = err == nil
	}

	for _, name := range hostSettings() {
		value, _ := os.ReadFile("/proc/sys/" + name)
		h.settings[name] = strings.TrimSpace(string(value))
	}

	entries, _ := os.ReadDir("/sys/class/net")
	for _, entry := range entries {
		h.links = append(h.links, entry.Name())
	}

	return h
}

// traces lists what is left of a cluster. Namespaces are those that status named while it ran.
func traces(name string, before host, namespaces ...string) []string {
	found := append(processes(name, namespaces), mounts(name)...)
	for _, dir := range []string{"/run/localcluster", "/var/lib/localcluster"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			found = append(found, "folder "+filepath.Join(dir, name))
		}
	}

	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasSuffix(path, "/"+state.CgroupParent+"/"+name) {
			found = append(found, "cgroup "+path)
		}
		return nil
	})

	after := look()
	for path, there := range after.paths {
		if there && !before.paths[path] {
			found = append(found, "path "+path)
		}
	}

	for setting, value := range after.settings {
		if value != before.settings[setting] {
			found = append(found, fmt.Sprintf("setting %s=%s, was %s", setting, value, before.settings[setting]))
		}
	}

	for _, link := range after.links {
		if !slices.Contains(before.links, link) {
			found = append(found, "network device "+link)
		}
	}

	return found
}

func processes(name string, namespaces []string) []string {
	var found []string
	for _, pid := range state.Processes() {
		if _, alive := state.StartTime(pid); !alive || pid == os.Getpid() {
			continue
		}
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		line := strings.ReplaceAll(string(cmdline), "\x00", " ")
		network, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
		pidns, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
		if strings.Contains(line, "/localcluster/"+name) || strings.Contains(line, "supervise --name "+name) ||
			slices.Contains(namespaces, network) || slices.Contains(namespaces, pidns) {
			found = append(found, fmt.Sprintf("process %d %s", pid, line))
		}
	}

	return found
}

func mounts(name string) []string {
	var found []string
	table, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(table)) {
		if strings.Contains(line, "localcluster/"+name) || strings.Contains(line, "/cni-") {
			found = append(found, "mount "+strings.TrimSpace(line))
		}
	}
	return found
}

// namespacesOf names the namespaces of a running cluster.
func namespacesOf(t *testing.T, name string) []string {
	t.Helper()
	pid := status(t, name).Processes[0].PID
	var found []string
	for _, kind := range []string{"net", "pid"} {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, link)
	}
	return found
}

// wantNoTraces allows the moment that the kernel takes to drop the namespaces of a killed process.
func wantNoTraces(t *testing.T, name string, before host, namespaces ...string) {
	t.Helper()
	eventually(t, "what is left of "+name, 5*time.Second, func() string { return strings.Join(traces(name, before, namespaces...), "\n") })
}
