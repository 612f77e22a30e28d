// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package debian provides the programs that a cluster needs and that do not come from Go modules. It installs them with apt-get, and only
// those that are missing; elsewhere it names what to install.
package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// need is a program and the package that has it.
type need struct {
	program string
	pkg     string
}

const plugins = "containernetworking-plugins"

func needs() []need {
	return []need{
		{"ip", "iproute2"},
		{"runc", "runc"},
		{"nft", "nftables"},
		{"conntrack", "conntrack"},
		{"ptp", plugins},
		{"host-local", plugins},
		{"loopback", plugins},
	}
}

// dirs are the folders that a program may be in.
func (n need) dirs() []string {
	if n.pkg == plugins {
		return cniDirs()
	}
	return []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
}

func cniDirs() []string { return []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} }

// CNIBin is the folder of the CNI plugins.
func CNIBin() (string, error) {
	for _, dir := range cniDirs() {
		if isProgram(filepath.Join(dir, "ptp")) && isProgram(filepath.Join(dir, "host-local")) && isProgram(filepath.Join(dir, "loopback")) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no folder of %s has the CNI plugins ptp, host-local and loopback", strings.Join(cniDirs(), ", "))
}

// Missing lists the programs that are not there, with the packages that have them.
func Missing() (programs, packages []string) {
	for _, n := range needs() {
		if slices.ContainsFunc(n.dirs(), func(dir string) bool { return isProgram(filepath.Join(dir, n.program)) }) {
			continue
		}
		programs = append(programs, n.program)
		if !slices.Contains(packages, n.pkg) {
			packages = append(packages, n.pkg)
		}
	}
	return programs, packages
}

// Install installs what is missing and does nothing when nothing is. The package lists are fetched only when they turn out not to do.
func Install(ctx context.Context, progress func(string)) error {
	programs, packages := Missing()
	if len(programs) == 0 {
		return nil
	}

	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return fmt.Errorf("%s are missing and there is no apt-get: install what Debian calls %s", strings.Join(programs, ", "), strings.Join(packages, ", "))
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s are missing and only root can install them: run as root `apt-get install %s`",
			strings.Join(programs, ", "), strings.Join(packages, " "))
	}

	progress("installing the Debian packages " + strings.Join(packages, ", "))
	install := append([]string{"install", "--yes", "--no-install-recommends"}, packages...)
	if err := run(ctx, apt, install...); err != nil {
		progress("fetching Debian's package lists")
		if err := run(ctx, apt, "update"); err != nil {
			return fmt.Errorf("fetch Debian's package lists: %w", err)
		}
		if err := run(ctx, apt, install...); err != nil {
			return fmt.Errorf("install %s: %w", strings.Join(packages, ", "), err)
		}
	}

	if programs, _ := Missing(); len(programs) > 0 {
		return fmt.Errorf("%s are still missing after %s were installed", strings.Join(programs, ", "), strings.Join(packages, ", "))
	}

	return nil
}

func run(ctx context.Context, apt string, args ...string) error {
	cmd := exec.CommandContext(ctx, apt, append([]string{"--option", "DPkg::Lock::Timeout=600"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, errors.New(strings.TrimSpace(said.String())))
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
