// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package preflight

import (
	"strings"
	"testing"
)

const (
	allCapabilities = "Name:\tlocalcluster\nCapEff:\t000001fffeffffff\n"
	legacyMounts    = `cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/devices cgroup rw,relatime,devices 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
`
	unifiedMount = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
)

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		reason string
		host   Host
		want   string // part of the error; empty for none
	}{
		{
			reason: "a machine with cgroup v1",
			host:   Host{Status: allCapabilities, Mounts: legacyMounts, HasKmsg: true},
		},
		{
			reason: "a machine with cgroup v2",
			host:   Host{Status: allCapabilities, Mounts: unifiedMount, Controllers: "cpuset cpu io memory hugetlb pids\n", HasKmsg: true},
		},
		{
			reason: "not root, told how to go on without",
			host:   Host{UID: 1000, Status: allCapabilities, Mounts: legacyMounts, HasKmsg: true},
			want:   "--api-only",
		},
		{
			reason: "root of an unprivileged container",
			host:   Host{Status: "CapEff:\t00000000a80425fb\n", Mounts: legacyMounts, HasKmsg: true},
			want:   "lacks CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_SYS_ADMIN: in a container, run it privileged",
		},
		{
			reason: "cgroup v1 with a controller that is not mounted",
			host:   Host{Status: allCapabilities, Mounts: strings.ReplaceAll(legacyMounts, "cpuset", "misc"), HasKmsg: true},
			want:   "mount -t cgroup -o cpuset cgroup /sys/fs/cgroup/cpuset",
		},
		{
			reason: "cgroup v2 without a controller",
			host:   Host{Status: allCapabilities, Mounts: unifiedMount, Controllers: "cpu io pids\n", HasKmsg: true},
			want:   "cgroup v2 lacks the controllers cpuset, memory",
		},
		{
			reason: "no cgroups at all",
			host:   Host{Status: allCapabilities, Mounts: "proc /proc proc rw 0 0\n", HasKmsg: true},
			want:   "no cgroups are mounted",
		},
		{
			reason: "a container that hides the kernel's log",
			host:   Host{Status: allCapabilities, Mounts: legacyMounts},
			want:   "--device=/dev/kmsg",
		},
	} {
		err := Check(tc.host)
		if tc.want == "" && err != nil {
			t.Errorf("%s: %v", tc.reason, err)
		}
		if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: error %v, want one that says %q", tc.reason, err, tc.want)
		}
	}
}
