// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package supervisor is the process that a cluster lives in. For a full cluster it is the first process of a PID, mount and network namespace, so that
// the kernel itself ends every process and drops every mount, device and address when it goes, in whatever way. It starts the
// components, waits until they work, starts again what dies later, and removes the cluster's files at its own end. It never writes outside the
// cluster's two folders and its cgroup, and changes no setting of the host.
package supervisor

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"github.com/podgate/podgate/test/localcluster/internal/state"
)

// Addresses of a full cluster. They may be the same in every cluster, as each has a network of its own.
const (
	NodeAddress = "172.30.0.2"
	nodeNetwork = NodeAddress + "/24"
	PodCIDR     = "10.244.0.0/16"
	podCIDR6    = "fd00:10:244::/64"
	ServiceCIDR = "10.96.0.0/16"
	firstIP     = "10.96.0.1"
)

// Command is the hidden command that runs a supervisor.
const Command = "supervise"

// What is inherited: the socket to the command that started the cluster, and what Config says.
const socketFD = 3

// Config is what the starting command sends first on the socket.
type Config struct {
	Dirs state.Dirs
	Mode state.Mode
	// Version is Kubernetes'.
	Version string
	// Bin has the programs; Pause is the archive of the sandbox image and PauseImage its name.
	Bin, Pause, PauseImage string
	// CNIBin has the CNI plugins.
	CNIBin string
	// APIPort is where the API server is reached, on the host's 127.0.0.1 and inside the cluster's network.
	APIPort int
	// EtcdPort and PeerPort are etcd's.
	EtcdPort, PeerPort int
	// ForwardFD is a listening socket of the host's network whose connections go to the API server; 0 for none.
	ForwardFD int
	// ParentFD is a pidfd: the cluster goes when that process does; 0 for none.
	ParentFD int
	MaxPods  int
}

// Event is what the supervisor tells the starting command; exactly one field is set.
type Event struct {
	Step  string `json:"step,omitempty"`
	Error string `json:"error,omitempty"`
	Ready bool   `json:"ready,omitempty"`
}

// The programs of the cluster are seen in the private /run, since the cache may lie below a folder that is covered.
const binMount = "/run/localcluster-bin"

func (c Config) full() bool { return c.Mode == state.Full }

func (c Config) program(name string) string {
	if c.full() {
		return filepath.Join(binMount, name)
	}
	return filepath.Join(c.Bin, name)
}

func (c Config) pki(name string) string { return filepath.Join(c.Dirs.PKI(), name) }

func (c Config) config(name string) string { return filepath.Join(c.Dirs.Config(), name) }

func (c Config) data(name string) string { return filepath.Join(c.Dirs.Data, name) }

// server is the API server's URL, the same from the host and from inside the cluster's network.
func (c Config) server() string { return "https://127.0.0.1:" + strconv.Itoa(c.APIPort) }

func (c Config) etcd() string { return "https://127.0.0.1:" + strconv.Itoa(c.EtcdPort) }

func (c Config) environ() []string {
	env := []string{"TMPDIR=" + c.data("tmp"), "HOME=" + c.data("tmp")}
	if c.full() {
		return append(env, "PATH="+binMount+":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	return append(env, "PATH="+os.Getenv("PATH"))
}

// probe reports whether a component works now.
type probe func(context.Context) error
