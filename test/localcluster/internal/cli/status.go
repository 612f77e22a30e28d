// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/podgate/podgate/test/localcluster/internal/state"
	"github.com/podgate/podgate/test/localcluster/internal/supervisor"
)

// Status is what `status -o json` prints.
type Status struct {
	Name    string     `json:"name"`
	Running bool       `json:"running"`
	Mode    state.Mode `json:"mode,omitempty"`
	// Version is Kubernetes'.
	Version    string `json:"version,omitempty"`
	Kubeconfig string `json:"kubeconfig,omitempty"`
	Server     string `json:"server,omitempty"`
	// Etcd is nil in a cluster with a node, whose network etcd is in.
	Etcd *Etcd `json:"etcd,omitempty"`
	// NodeAddress, PodCIDR, ServiceCIDR and Netns are empty in a cluster without a node.
	NodeAddress string     `json:"nodeAddress,omitempty"`
	PodCIDR     string     `json:"podCIDR,omitempty"`
	ServiceCIDR string     `json:"serviceCIDR,omitempty"`
	Netns       string     `json:"netns,omitempty"`
	Created     *time.Time `json:"created,omitempty"`
	StateDir    string     `json:"stateDir"`
	DataDir     string     `json:"dataDir"`
	Processes   []Process  `json:"processes"`
}

// Etcd is where the API server's database is reached, and the files to log in with.
type Etcd struct {
	URL         string `json:"url"`
	Authority   string `json:"authority"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// Process is one program of the cluster.
type Process struct {
	Name string `json:"name"`
	// PID is the host's number; 0 while it does not run.
	PID      int    `json:"pid"`
	Running  bool   `json:"running"`
	Restarts int    `json:"restarts"`
	Log      string `json:"log"`
}

func statusCommand() *command {
	return &command{
		name: "status", synopsis: "status [--name NAME] [-o json]", short: "say what runs and where",
		long:     `Status says whether a cluster runs, where it is reached, and which processes it has with their logs.`,
		examples: []string{"localcluster status", "localcluster status -o json"},
		run: func(_ context.Context, e *env, c *command, args []string) error {
			set, name := c.flags(e)
			format := set.String("o", "text", "the `format`: text or json")

			if _, err := parse(e, set, args, 0, 0); err != nil {
				return err
			}

			s, err := readStatus(*name)
			if err != nil {
				return err
			}

			switch *format {
			case "json":
				out := json.NewEncoder(e.out)
				out.SetIndent("", "  ")
				return out.Encode(s)
			case "text":
				return printStatus(e, s)
			}

			return fmt.Errorf("there is no format %q: text or json", *format)
		},
	}
}

func listCommand() *command {
	return &command{
		name: "list", synopsis: "list", short: "list the clusters of this user",
		long:     `List names the clusters of this user and says whether they run. One that does not run crashed: "up" or "down" cleans up after it.`,
		examples: []string{"localcluster list"},
		run: func(_ context.Context, e *env, c *command, args []string) error {
			set, _ := c.flags(e)
			if _, err := parse(e, set, args, 0, 0); err != nil {
				return err
			}

			names, err := state.Names()
			if err != nil {
				return err
			}

			table := tabwriter.NewWriter(e.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tMODE\tSTATE")

			for _, name := range names {
				s, err := readStatus(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, s.Mode, word(s.Running))
			}

			return table.Flush()
		},
	}
}

func readStatus(name string) (Status, error) {
	dirs, err := state.Of(name)
	if err != nil {
		return Status{}, err
	}

	found := Status{Name: name, StateDir: dirs.Run, DataDir: dirs.Data, Processes: []Process{}}
	s, err := dirs.Read()
	if errors.Is(err, os.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, err
	}

	found.Mode, found.Created = s.Mode, &s.Created
	if !s.Ready || !s.Running() {
		return found, nil
	}

	components, running := components(dirs)
	if !running {
		return found, nil
	}

	found.Running = true
	found.Version = s.Version
	found.Kubeconfig, found.Server = dirs.Kubeconfig(), "https://"+s.Address
	if s.Etcd != "" {
		pki := func(name string) string { return filepath.Join(dirs.PKI(), name) }
		found.Etcd = &Etcd{URL: s.Etcd, Authority: pki("etcd-ca.crt"), Certificate: pki("etcd-client.crt"), Key: pki("etcd-client.key")}
	}
	if s.Mode == state.Full {
		found.NodeAddress, found.PodCIDR, found.ServiceCIDR, found.Netns = supervisor.NodeAddress, supervisor.PodCIDR, supervisor.ServiceCIDR, s.NetnsPath()
	}

	numbers := hostPIDs(s)
	found.Processes = append(found.Processes, Process{Name: "supervisor", PID: s.Supervisor, Running: true, Log: dirs.Log("supervisor")})
	for _, c := range components {
		found.Processes = append(found.Processes, Process{Name: c.Name, PID: numbers(c.PID), Running: c.Running, Restarts: c.Restarts, Log: c.Log})
	}

	return found, nil
}

// components asks the supervisor; one that does not answer is about to end.
func components(dirs state.Dirs) ([]supervisor.Component, bool) {
	answer, err := supervisor.Ask(dirs.Run, supervisor.Request{Do: "status"})
	return answer.Components, err == nil
}

// hostPIDs translates numbers of the cluster's PID namespace.
func hostPIDs(s state.State) func(int) int {
	if s.Mode != state.Full {
		return func(pid int) int { return pid }
	}

	inside := map[int]int{}
	for _, pid := range state.Processes() {
		if link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); err != nil || link != s.PIDns {
			continue
		}

		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}

		for line := range strings.Lines(string(status)) {
			if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
				fields := strings.Fields(numbers)
				number, _ := strconv.Atoi(fields[len(fields)-1])
				inside[number] = pid
			}
		}
	}

	return func(pid int) int { return inside[pid] }
}

func printStatus(e *env, s Status) error {
	table := tabwriter.NewWriter(e.out, 0, 8, 2, ' ', 0)
	row := func(key, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", key, value)
		}
	}

	row("name", s.Name)
	row("state", word(s.Running))
	row("mode", string(s.Mode))
	row("version", s.Version)
	row("kubeconfig", s.Kubeconfig)
	row("server", s.Server)
	if s.Etcd != nil {
		row("etcd", s.Etcd.URL)
	}
	row("node address", s.NodeAddress)
	row("pods", s.PodCIDR)
	row("services", s.ServiceCIDR)
	row("netns", s.Netns)

	if err := table.Flush(); err != nil || !s.Running {
		return err
	}

	fmt.Fprintln(table, "\nPROCESS\tPID\tSTATE\tRESTARTS\tLOG")
	for _, p := range s.Processes {
		fmt.Fprintf(table, "%s\t%d\t%s\t%d\t%s\n", p.Name, p.PID, word(p.Running), p.Restarts, p.Log)
	}

	return table.Flush()
}

func word(running bool) string {
	if running {
		return "running"
	}
	return "not running"
}
