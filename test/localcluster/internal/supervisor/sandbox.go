// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// covered are the folders in which containerd, runc, CNI and kubelet keep files at paths that cannot be configured. Each cluster has its own, in memory,
// so that clusters do not meet there and nothing stays.
func covered() []string { return []string{"/run", "/var/lib", "/var/log"} }

// hostSettings are kernel settings that are not part of any namespace and that kubelet would set on the host. It is shown the
// values it wants instead.
func hostSettings() map[string]string {
	return map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	}
}

// enterSandbox makes the mount namespace and the host name the cluster's own.
func (s *supervisor) enterSandbox() error {
	// Unmounting on the host still arrives here; nothing mounted here arrives there. Shared among the processes here, as volumes with
	// mount propagation need it.
	for _, flag := range []uintptr{unix.MS_SLAVE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|flag, ""); err != nil {
			return fmt.Errorf("separate the mounts from the host's: %w", err)
		}
	}

	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc of the cluster: %w", err)
	}

	if err := unix.Sethostname([]byte(s.Dirs.Name)); err != nil {
		return fmt.Errorf("set the host name of the cluster: %w", err)
	}

	kept := map[string]string{s.Dirs.Run: s.Dirs.Run, s.Dirs.Data: s.Dirs.Data, s.Bin: binMount}
	if err := cover(kept); err != nil {
		return err
	}

	return showSettings()
}

// cover mounts empty folders over the covered ones and shows in them what is kept (its path -> where it is shown).
func cover(kept map[string]string) error {
	open := map[string]*os.File{}
	for path := range kept {
		dir, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = dir.Close() }()
		open[path] = dir
	}

	for _, dir := range covered() {
		if err := unix.Mount("localcluster", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("give the cluster its own %s: %w", dir, err)
		}
	}

	for path, at := range kept {
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", open[path].Fd()), at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("show %s in the cluster: %w", path, err)
		}
	}

	return nil
}

func showSettings() error {
	const dir = "/run/localcluster-settings"
	for name, value := range hostSettings() {
		target, file := "/proc/sys/"+name, filepath.Join(dir, name)
		if _, err := os.Stat(target); err != nil {
			continue
		}

		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}

		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}

		if err := unix.Mount(file, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("keep kubelet from changing the host's %s: %w", target, err)
		}
	}

	return nil
}

// leaveSandbox uncovers the real folders, so that the cluster's own in them can be removed.
func leaveSandbox() {
	for _, dir := range covered() {
		_ = unix.Unmount(dir, unix.MNT_DETACH)
	}
}

// makeNetwork gives the network namespace the node's address. The default route leads nowhere: it is there so that the kernel
// routes addresses of Services, which kube-proxy then replaces.
func (s *supervisor) makeNetwork() error {
	batch := strings.Join([]string{
		"link set lo up",
		"link add node0 type bridge",
		"addr add " + nodeNetwork + " dev node0",
		"link set node0 up",
		"route add default dev node0 src " + NodeAddress,
	}, "\n")

	file := s.config("network")
	if err := os.WriteFile(file, []byte(batch+"\n"), 0o600); err != nil {
		return err
	}

	if out, err := s.run("ip", "-batch", file); err != nil {
		return fmt.Errorf("make the node's network: %w: %s", err, out)
	}

	for name, value := range map[string]string{
		"ip_forward":              "1",
		"ip_local_reserved_ports": strconv.Itoa(s.APIPort),
		// Every question to the DNS server that is not there is refused at once, not only one a second.
		"icmp_ratelimit": "0",
	} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0o644); err != nil {
			return fmt.Errorf("set net.ipv4.%s of the cluster's network: %w", name, err)
		}
	}

	return nil
}
