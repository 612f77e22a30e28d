// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package preflight

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Command is the hidden command that Try runs of this program, in namespaces of its own.
const Command = "preflight-probe"

// rules use what kube-proxy uses of nftables.
const rules = `table ip probe {
	map services { type ipv4_addr . inet_proto . inet_service : verdict; }
	set local { type ipv4_addr; flags interval; }
	chain endpoint { meta l4proto tcp dnat to 10.244.0.2:80; }
	chain service { numgen random mod 1 vmap { 0 : goto endpoint }; }
	chain dispatch { ip daddr . meta l4proto . th dport vmap @services; fib daddr type local jump service; }
	chain prerouting { type nat hook prerouting priority dstnat; policy accept; jump dispatch; }
	chain output { type nat hook output priority -100; policy accept; jump dispatch; }
	chain postrouting { type nat hook postrouting priority srcnat; policy accept; meta mark & 0x4000 != 0 masquerade fully-random; }
	chain forward { type filter hook forward priority filter; policy accept; ct state new ip daddr @local reject; }
}
`

// Try tries every kernel feature in a child with mount and network namespaces of its own, below dir for what depends on the filesystem.
func Try(dir string) error {
	cmd := exec.Command("/proc/self/exe", Command, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC, Pdeathsig: unix.SIGKILL}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if err == nil {
		return nil
	}

	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return errors.New(strings.TrimSpace(said.String()))
	}

	return fmt.Errorf("the kernel refuses new mount, network, PID, UTS and IPC namespaces (%w): "+
		"in a container, run it privileged; on a kernel of your own, set CONFIG_NAMESPACES, CONFIG_NET_NS and CONFIG_PID_NS", err)
}

// Probe is the child's part.
func Probe(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("the kernel refuses private mounts (%w): in a container, run it privileged", err)
	}

	problems := []error{tryOverlay(dir)}
	for _, kind := range []string{"bridge", "veth"} {
		if out, err := exec.Command("ip", "link", "add", "probe-"+kind, "type", kind).CombinedOutput(); err != nil {
			problems = append(problems, missing(kind+" devices", kind, out))
		}
	}

	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(rules)
	if out, err := nft.CombinedOutput(); err != nil {
		problems = append(problems, missing("nftables with nat, fib, numgen and reject", "nf_tables, nft_chain_nat, nft_fib_ipv4, nft_numgen, nft_reject_ipv4 and nft_masq", out))
	}

	return errors.Join(problems...)
}

func missing(what, modules string, out []byte) error {
	return fmt.Errorf("the kernel has no %s: load or build in %s (it said: %s)", what, modules, strings.TrimSpace(string(out)))
}

// tryOverlay stacks two folders of the file system that containers will lie on.
func tryOverlay(dir string) error {
	base, err := os.MkdirTemp(dir, ".probe-")
	if err != nil {
		return fmt.Errorf("cannot write to %s: %w", dir, err)
	}
	defer func() { _ = os.RemoveAll(base) }()
	parts := map[string]string{}
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		parts[name] = filepath.Join(base, name)
		if err := os.Mkdir(parts[name], 0o755); err != nil {
			return err
		}
	}

	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", parts["lower"], parts["upper"], parts["work"])
	err = unix.Mount("overlay", parts["merged"], "overlay", 0, options)
	if errors.Is(err, unix.ENODEV) {
		return errors.New("the kernel has no overlay file system: `modprobe overlay`, or build in CONFIG_OVERLAY_FS")
	}
	if err != nil {
		return fmt.Errorf("the overlay file system does not work on %s (%w): put a file system such as ext4 or xfs there "+
			"(an overlay on an overlay, as in most containers, does not work: mount a volume there)", dir, err)
	}

	return unix.Unmount(parts["merged"], unix.MNT_DETACH)
}
