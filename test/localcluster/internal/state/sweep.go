// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Variable marks the processes that `localcluster exec` started, so that Sweep finds those of the cluster it removes.
const Variable = "LOCALCLUSTER_NAME"

// Sweep removes what a cluster whose supervisor has ended left: processes that were started in its network namespace by exec, cgroups, files. Mounts,
// namespaces and devices went with the supervisor, since they were in namespaces of its own.
func (d Dirs) Sweep(s State) error {
	return errors.Join(d.sweepKernel(s), d.RemoveFiles())
}

// SweepContents is Sweep that leaves the state folder itself, empty, to who holds its lock.
func (d Dirs) SweepContents(s State) error {
	problems := []error{d.sweepKernel(s), os.RemoveAll(d.Data)}
	entries, err := os.ReadDir(d.Run)
	problems = append(problems, err)
	for _, entry := range entries {
		problems = append(problems, os.RemoveAll(filepath.Join(d.Run, entry.Name())))
	}
	return errors.Join(problems...)
}

func (d Dirs) sweepKernel(s State) error {
	var problems []error
	if s.Netns != "" {
		problems = append(problems, d.endGuests(s.Netns))
	}
	if os.Geteuid() == 0 {
		problems = append(problems, d.removeCgroups())
	}
	return errors.Join(problems...)
}

// RemoveFiles removes the folders; those that several clusters share go with the last.
func (d Dirs) RemoveFiles() error {
	err := errors.Join(os.RemoveAll(d.Data), os.RemoveAll(d.Run))
	// Not empty means that there are other clusters.
	_ = os.Remove(filepath.Dir(d.Run))
	if os.Geteuid() == 0 {
		_ = os.Remove(rootData)
	}
	return err
}

// endGuests ends the processes of the host that are in the cluster's network namespace and were started by exec.
func (d Dirs) endGuests(netns string) error {
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		deadline := time.Now().Add(3 * time.Second)
		for time.Now().Before(deadline) {
			guests := d.guests(netns)
			if len(guests) == 0 {
				return nil
			}
			for _, pid := range guests {
				_ = unix.Kill(pid, signal)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}

	if left := d.guests(netns); len(left) > 0 {
		return fmt.Errorf("processes %v, started in the network of %q, do not end", left, d.Name)
	}

	return nil
}

func (d Dirs) guests(netns string) []int {
	var found []int
	for _, pid := range Processes() {
		if link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid)); err != nil || link != netns {
			continue
		}
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || !slices.Contains(strings.Split(string(bytes.TrimRight(environ, "\x00")), "\x00"), Variable+"="+d.Name) {
			continue
		}
		if _, alive := StartTime(pid); alive {
			found = append(found, pid)
		}
	}

	return found
}

// Processes lists the numbers of all processes that the caller sees.
func Processes() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// removeCgroups removes the cluster's cgroup in every hierarchy, leaves first. The kernel needs a moment to see that a killed
// process is gone.
func (d Dirs) removeCgroups() error {
	const patience = 5 * time.Second
	deadline := time.Now().Add(patience)
	for {
		err := d.tryRemoveCgroups()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (d Dirs) tryRemoveCgroups() error {
	// A hierarchy is the mount itself on cgroup v2 and a folder of it on v1.
	parents, err := filepath.Glob("/sys/fs/cgroup/*/" + CgroupParent)
	if err != nil {
		return err
	}
	var problems []error
	for _, parent := range append(parents, "/sys/fs/cgroup/"+CgroupParent) {
		problems = append(problems, removeTree(filepath.Join(parent, d.Name)))
		// Not empty means that there are other clusters.
		_ = unix.Rmdir(parent)
	}
	return errors.Join(problems...)
}

func removeTree(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}

	for _, dir := range slices.Backward(dirs) {
		if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove cgroup %s: %w", dir, err)
		}
	}

	return nil
}
