// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package state knows where a cluster keeps its files, who is running it, and how to remove every trace of one that has ended in
// whatever way. It starts nothing.
package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	rootRun  = "/run/localcluster"
	rootData = "/var/lib/localcluster"
	// CgroupParent is the cgroup below which every cluster has one of its own name.
	CgroupParent = "localcluster"
)

// Dirs are the two folders of a cluster.
type Dirs struct {
	Name string
	// Run has the state: who runs, credentials, logs, sockets.
	Run string
	// Data has what is large: etcd's database, images, the kubelet's volumes. It is below Run for who is not root.
	Data string
}

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// Of says where the cluster of that name lives for the calling user.
func Of(name string) (Dirs, error) {
	if !validName.MatchString(name) {
		return Dirs{}, fmt.Errorf("%q cannot be a cluster's name: it is the node's name too, so at most 40 lower-case letters, digits and hyphens", name)
	}
	run := filepath.Join(base(), name)
	if os.Geteuid() != 0 {
		return Dirs{Name: name, Run: run, Data: filepath.Join(run, "data")}, nil
	}
	return Dirs{Name: name, Run: run, Data: filepath.Join(rootData, name)}, nil
}

func base() string {
	if os.Geteuid() == 0 {
		return rootRun
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "localcluster")
	}
	return filepath.Join(os.TempDir(), "localcluster-"+strconv.Itoa(os.Geteuid()))
}

// Kubeconfig is the administrator's.
func (d Dirs) Kubeconfig() string { return filepath.Join(d.Run, "kubeconfig") }

// PKI is the folder of keys and certificates.
func (d Dirs) PKI() string { return filepath.Join(d.Run, "pki") }

// Logs has one file for each component.
func (d Dirs) Logs() string { return filepath.Join(d.Run, "log") }

// Log is the file of one component.
func (d Dirs) Log(component string) string { return filepath.Join(d.Logs(), component+".log") }

// Config is the folder of the components' configuration files.
func (d Dirs) Config() string { return filepath.Join(d.Run, "config") }

// Containerd is the socket of the container runtime.
func (d Dirs) Containerd() string { return filepath.Join(d.Run, "containerd.sock") }

// Control is the name of the supervisor's socket in Run.
const Control = "control.sock"

// Cgroup is the path of the cluster's cgroup in each hierarchy.
func (d Dirs) Cgroup() string { return "/" + CgroupParent + "/" + d.Name }

// Lock makes the state folder and holds it against other commands on the same cluster. Unlock leaves the folder as it is; a
// folder that was removed while somebody waited for it is made anew.
func (d Dirs) Lock(ctx context.Context, waiting func()) (unlock func(), err error) {
	for told := false; ; {
		if err := os.MkdirAll(d.Run, 0o700); err != nil {
			return nil, fmt.Errorf("make the state folder: %w", err)
		}

		unlock, err := d.tryLock()
		if err == nil || !errors.Is(err, errBusy) {
			return unlock, err
		}

		if !told {
			waiting()
			told = true
		}

		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

var errBusy = errors.New("busy")

func (d Dirs) tryLock() (func(), error) {
	dir, err := os.Open(d.Run)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errBusy
	}
	if err != nil {
		return nil, fmt.Errorf("open the state folder: %w", err)
	}

	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = dir.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errBusy
		}
		return nil, fmt.Errorf("lock %s: %w", d.Run, err)
	}

	// The folder may have been removed, and even made again, between opening and locking it.
	held, err := dir.Stat()
	if err == nil {
		now, statErr := os.Stat(d.Run)
		if statErr == nil && os.SameFile(held, now) {
			return func() { _ = dir.Close() }, nil
		}
	}

	_ = dir.Close()
	return nil, errBusy
}

// Names lists the clusters that have left anything in the state folder.
func Names() ([]string, error) {
	var names []string
	for _, dir := range []string{base(), rootData} {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, os.ErrNotExist) || (errors.Is(err, os.ErrPermission) && dir == rootData) {
			continue
		}
		if err != nil {
			return nil, err
		}

		for _, entry := range entries {
			if entry.IsDir() && !slices.Contains(names, entry.Name()) {
				names = append(names, entry.Name())
			}
		}

		if os.Geteuid() != 0 {
			break
		}
	}

	return names, nil
}
