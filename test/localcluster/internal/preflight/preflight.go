// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package preflight finds out, before anything is started, whether this machine can run a cluster, and says what is missing and what to do. It asks
// the kernel by trying, in namespaces that end with the try, and changes nothing.
package preflight

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Host is what the checks look at.
type Host struct {
	UID         int
	Status      string // /proc/self/status
	Mounts      string // /proc/self/mounts
	Controllers string // /sys/fs/cgroup/cgroup.controllers; empty without cgroup v2
	HasKmsg     bool
}

// ReadHost looks at this machine.
func ReadHost() Host {
	read := func(path string) string {
		data, _ := os.ReadFile(path)
		return string(data)
	}
	_, kmsg := os.Stat("/dev/kmsg")
	return Host{
		UID:         os.Geteuid(),
		Status:      read("/proc/self/status"),
		Mounts:      read("/proc/self/mounts"),
		Controllers: read("/sys/fs/cgroup/cgroup.controllers"),
		HasKmsg:     kmsg == nil,
	}
}

// Check lists everything that stands in the way of a full cluster and can be seen without trying.
func Check(h Host) error {
	if h.UID != 0 {
		return errors.New("a full cluster needs root (it makes namespaces, mounts and cgroups): run it as root, for example with sudo; " +
			"`localcluster up --api-only` needs no root")
	}
	problems := []error{checkCapabilities(h.Status), checkCgroups(h.Mounts, h.Controllers)}
	if !h.HasKmsg {
		problems = append(problems, errors.New("/dev/kmsg is missing, without which kubelet does not start: in a container, pass --device=/dev/kmsg"))
	}
	return errors.Join(problems...)
}

type capability struct {
	name string
	bit  uint // in the effective set, from linux/capability.h
}

func capabilities() []capability {
	return []capability{
		{"CAP_KILL", 5}, {"CAP_NET_ADMIN", 12}, {"CAP_NET_RAW", 13}, {"CAP_SYS_CHROOT", 18},
		{"CAP_SYS_PTRACE", 19}, {"CAP_SYS_ADMIN", 21}, {"CAP_MKNOD", 27},
	}
}

func checkCapabilities(status string) error {
	for line := range strings.Lines(status) {
		value, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}

		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return fmt.Errorf("read the capabilities of this process: %w", err)
		}

		var missing []string
		for _, c := range capabilities() {
			if set&(1<<c.bit) == 0 {
				missing = append(missing, c.name)
			}
		}

		if len(missing) > 0 {
			return fmt.Errorf("this root lacks %s: in a container, run it privileged", strings.Join(missing, ", "))
		}

		return nil
	}

	return errors.New("/proc/self/status does not tell the capabilities of this process: mount /proc")
}

// What kubelet insists on, and what runc needs to start any container.
func controllersV1() []string { return []string{"cpu", "cpuacct", "cpuset", "memory", "devices"} }
func controllersV2() []string { return []string{"cpu", "cpuset", "memory", "pids"} }

func checkCgroups(mounts, controllers string) error {
	var mounted []string
	unified := false
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		const path, kind, options = 1, 2, 3
		if len(fields) <= options {
			continue
		}
		if fields[kind] == "cgroup2" && fields[path] == "/sys/fs/cgroup" {
			unified = true
		}
		if fields[kind] == "cgroup" && strings.HasPrefix(fields[path], "/sys/fs/cgroup/") {
			mounted = append(mounted, strings.Split(fields[options], ",")...)
		}
	}

	if unified {
		if missing := lacking(controllersV2(), strings.Fields(controllers)); len(missing) > 0 {
			return fmt.Errorf("cgroup v2 lacks the controllers %s: enable them in the kernel, or in /sys/fs/cgroup/cgroup.subtree_control of the parent",
				strings.Join(missing, ", "))
		}
		return nil
	}

	if len(mounted) == 0 {
		return errors.New("no cgroups are mounted: `mount -t cgroup2 none /sys/fs/cgroup`")
	}

	if missing := lacking(controllersV1(), mounted); len(missing) > 0 {
		return fmt.Errorf("cgroup v1 lacks the controllers %s: mount each, such as `mount -t cgroup -o %[2]s cgroup /sys/fs/cgroup/%[2]s`",
			strings.Join(missing, ", "), missing[0])
	}

	return nil
}

func lacking(want, have []string) []string {
	var missing []string
	for _, name := range want {
		if !slices.Contains(have, name) {
			missing = append(missing, name)
		}
	}
	return missing
}
