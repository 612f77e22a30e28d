// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/podgate/podgate/test/localcluster/internal/state"
	"github.com/podgate/podgate/test/localcluster/internal/supervisor"
)

func downCommand() *command {
	return &command{
		name: "down", synopsis: "down [--name NAME] [--all]", short: "end a cluster and remove every trace of it",
		long: `Down ends everything that runs in the cluster, and what was started by "localcluster exec", and removes its files and cgroups.
It also removes what a cluster left that crashed. Without a cluster of that name it does nothing.`,
		examples: []string{"localcluster down", "localcluster down --name second", "localcluster down --all"},
		run: func(ctx context.Context, e *env, c *command, args []string) error {
			set, name := c.flags(e)
			all := set.Bool("all", false, "every cluster of this user")

			if _, err := parse(e, set, args, 0, 0); err != nil {
				return err
			}

			names := []string{*name}
			if *all {
				var err error
				if names, err = state.Names(); err != nil {
					return err
				}
			}

			var problems []error
			for _, name := range names {
				problems = append(problems, down(ctx, e, name))
			}

			return errors.Join(problems...)
		},
	}
}

func down(ctx context.Context, e *env, name string) error {
	dirs, err := state.Of(name)
	if err != nil {
		return err
	}

	unlock, err := dirs.Lock(ctx, func() { e.progress("waiting for another localcluster command on " + name) })
	if err != nil {
		return err
	}
	defer unlock()
	s, err := dirs.Read()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		e.progress(err.Error())
	}

	if err := s.Stop(stopGrace); err != nil {
		return err
	}

	if err := dirs.Sweep(s); err != nil {
		return err
	}

	if s.Name == "" {
		e.progress("there is no cluster " + name)
		return nil
	}

	e.progress("cluster " + name + " is gone")
	return nil
}

// running finds a cluster that works.
func running(name string) (state.Dirs, state.State, error) {
	dirs, err := state.Of(name)
	if err != nil {
		return dirs, state.State{}, err
	}
	s, err := dirs.Read()
	if errors.Is(err, os.ErrNotExist) || (err == nil && (!s.Ready || !s.Running())) {
		return dirs, s, fmt.Errorf("cluster %q is not running: `localcluster up --name %s` starts it", name, name)
	}
	return dirs, s, err
}

func componentCommand(name, short, long string, signalled bool) *command {
	return &command{
		name: name, synopsis: name + " COMPONENT [--name NAME]" + map[bool]string{true: " [--signal SIGNAL]"}[signalled], short: short, long: long,
		examples: []string{"localcluster " + name + " kube-apiserver", "localcluster " + name + " kubelet --name second"},
		run: func(_ context.Context, e *env, c *command, args []string) error {
			set, cluster := c.flags(e)
			signal := "TERM"
			if signalled {
				set.StringVar(&signal, "signal", signal, "the `signal` that ends it: KILL is a crash, TERM lets it end in order")
			}

			rest, err := parse(e, set, args, 1, 1)
			if err != nil {
				return err
			}

			number := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(signal), "SIG"))
			if number == 0 {
				return fmt.Errorf("there is no signal %q", signal)
			}

			dirs, _, err := running(*cluster)
			if err != nil {
				return err
			}

			_, err = supervisor.Ask(dirs.Run, supervisor.Request{Do: name, Component: rest[0], Signal: number})
			return err
		},
	}
}

func restartCommand() *command {
	return componentCommand("restart", "end a component and start it again",
		`Restart ends one component, starts it again and returns when it works: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, containerd,
kubelet or kube-proxy. Pods run on meanwhile. (A component that dies by itself is started again after a second.)`, true)
}

func stopCommand() *command {
	return componentCommand("stop", "end a component and leave it stopped", `Stop ends one component, which stays away until "localcluster start".`, true)
}

func startCommand() *command {
	return componentCommand("start", "start a component that was stopped", `Start starts a component that was stopped and returns when it works.`, false)
}
