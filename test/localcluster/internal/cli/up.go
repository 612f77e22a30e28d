// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podgate/podgate/test/localcluster/internal/binaries"
	"github.com/podgate/podgate/test/localcluster/internal/debian"
	"github.com/podgate/podgate/test/localcluster/internal/preflight"
	"github.com/podgate/podgate/test/localcluster/internal/state"
	"github.com/podgate/podgate/test/localcluster/internal/supervisor"
)

// stopGrace is what the supervisor gets to end and remove everything before it is killed.
const stopGrace = 30 * time.Second

func buildCommand() *command {
	return &command{
		name: "build", synopsis: "build [--api-only [--kubernetes RELEASE]]", short: "install the Debian packages that are missing and build the programs",
		long: `Build installs the Debian packages that are missing and builds Kubernetes, etcd and containerd from their Go modules into a cache.
The first time takes about ten minutes on two cores; with a full cache it returns at once. Nothing is started. Several may run at
once: one builds and the others wait. Of older releases of Kubernetes there is the API server only.`,
		examples: []string{
			"localcluster build",
			"localcluster build --api-only                     # etcd, kube-apiserver and kubectl; needs no root",
			"localcluster build --api-only --kubernetes 1.36   # an older kube-apiserver",
		},
		run: func(ctx context.Context, e *env, c *command, args []string) error {
			set, _ := c.flags(e)
			apiOnly := set.Bool("api-only", false, "only what `up --api-only` needs")
			release := releaseFlag(set)

			if _, err := parse(e, set, args, 0, 0); err != nil {
				return err
			}

			cache, err := open(*release, *apiOnly)
			if err != nil {
				return err
			}

			if err := provide(ctx, e, cache, *apiOnly); err != nil {
				return err
			}

			fmt.Fprintln(e.out, cache.Bin())
			return nil
		},
	}
}

func releaseFlag(set *flag.FlagSet) *string {
	releases := binaries.Releases()
	return set.String("kubernetes", releases[len(releases)-1], "the `release` of Kubernetes: "+strings.Join(releases, ", "))
}

// open finds the programs, which may not be built yet.
func open(release string, apiOnly bool) (*binaries.Cache, error) {
	if apiOnly {
		return binaries.Open(release, binaries.Control)
	}
	return binaries.Open(release, binaries.Node)
}

// provide makes sure of the Debian packages and the programs.
func provide(ctx context.Context, e *env, cache *binaries.Cache, apiOnly bool) error {
	if !apiOnly {
		if err := debian.Install(ctx, e.progress); err != nil {
			return err
		}
	}
	return cache.Build(ctx, e.progress)
}

type upOptions struct {
	name      string
	apiOnly   bool
	release   string
	parentPID int
	maxPods   int
}

func upCommand() *command {
	return &command{
		name: "up", synopsis: "up [--name NAME] [--api-only [--kubernetes RELEASE]] [--parent-pid PID] [--max-pods N]", short: "start a cluster and return when it works",
		long: `Up starts a cluster, which runs on in the background. It returns when the node is Ready, Services are routed and the default
ServiceAccount exists. What a cluster of that name left behind in a crash is removed first; one that is running already is left alone.
With --api-only it starts etcd and kube-apiserver alone, on free ports of 127.0.0.1, as any user.`,
		examples: []string{
			"localcluster up",
			"localcluster up --name second                            # beside the first",
			"localcluster up --api-only --name test --parent-pid $$   # goes when this shell does",
		},
		run: func(ctx context.Context, e *env, c *command, args []string) error {
			var o upOptions
			set, name := c.flags(e)
			release := releaseFlag(set)
			set.BoolVar(&o.apiOnly, "api-only", false, "only etcd and kube-apiserver, on loopback of the host")
			set.IntVar(&o.parentPID, "parent-pid", 0, "remove the cluster when the process with this `PID` ends, in whatever way")
			set.IntVar(&o.maxPods, "max-pods", 250, "how many pods the node takes")
			if _, err := parse(e, set, args, 0, 0); err != nil {
				return err
			}
			o.name, o.release = *name, *release
			return up(ctx, e, o)
		},
	}
}

func up(ctx context.Context, e *env, o upOptions) error {
	begun := time.Now()
	dirs, err := state.Of(o.name)
	if err != nil {
		return err
	}

	cache, err := open(o.release, o.apiOnly)
	if err != nil {
		return err
	}

	mode := state.APIOnly
	if !o.apiOnly {
		mode = state.Full
		if err := preflight.Check(preflight.ReadHost()); err != nil {
			return fmt.Errorf("this machine cannot run a cluster, nothing was started:\n%w", err)
		}
	}

	parent, err := openParent(o.parentPID)
	if err != nil {
		return err
	}

	unlock, err := dirs.Lock(ctx, func() { e.progress("waiting for another localcluster command on " + o.name) })
	if err != nil {
		return err
	}
	defer unlock()
	already, err := clearTheWay(e, dirs, mode, cache.Version())
	if already || err != nil {
		return err
	}

	if err := bringUp(ctx, e, dirs, mode, cache, o, parent); err != nil {
		// The supervisor removes what it made; this is for what happened before it or in its place.
		s, _ := dirs.Read()
		return errors.Join(err, s.Stop(stopGrace), dirs.Sweep(s))
	}

	e.progress(fmt.Sprintf("cluster %s is up after %.1f s", o.name, time.Since(begun).Seconds()))
	fmt.Fprintf(e.out, "export KUBECONFIG=%s\n", dirs.Kubeconfig())
	return nil
}

// clearTheWay looks at what is there: a cluster that works is left alone, anything else is removed.
func clearTheWay(e *env, dirs state.Dirs, mode state.Mode, version string) (already bool, err error) {
	s, err := dirs.Read()
	if err == nil && s.Running() && s.Ready {
		if _, err := supervisor.Ask(dirs.Run, supervisor.Request{Do: "status"}); err == nil {
			if s.Mode != mode || s.Version != version {
				return false, fmt.Errorf("a cluster %q of another kind (%s, %s) is running: take another --name, or `localcluster down --name %s` first", dirs.Name, s.Mode, s.Version, dirs.Name)
			}
			e.progress("cluster " + dirs.Name + " is up already")
			fmt.Fprintf(e.out, "export KUBECONFIG=%s\n", dirs.Kubeconfig())
			return true, nil
		}
	}

	if err == nil {
		e.progress("removing what an earlier cluster " + dirs.Name + " left behind")
	}

	return false, remove(dirs, s)
}

// remove ends and removes a cluster but keeps its state folder, which the caller has locked.
func remove(dirs state.Dirs, s state.State) error {
	if err := s.Stop(stopGrace); err != nil {
		return err
	}
	return dirs.SweepContents(s)
}

func bringUp(ctx context.Context, e *env, dirs state.Dirs, mode state.Mode, cache *binaries.Cache, o upOptions, parent *os.File) error {
	if err := provide(ctx, e, cache, o.apiOnly); err != nil {
		return err
	}

	if err := os.MkdirAll(dirs.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}

	config := supervisor.Config{
		Dirs: dirs, Mode: mode, Version: cache.Version(), Bin: cache.Bin(), MaxPods: o.maxPods,
		Pause: cache.PauseArchive(), PauseImage: binaries.PauseImage,
	}
	if mode == state.Full {
		if err := preflight.Try(dirs.Data); err != nil {
			return fmt.Errorf("this machine cannot run a cluster, nothing was started:\n%w", err)
		}
		var err error
		if config.CNIBin, err = debian.CNIBin(); err != nil {
			return err
		}
		// The supervisor sees the image below its own folders, wherever the cache is.
		config.Pause = dirs.Data + "/pause.tar"
		if err := copyFile(cache.PauseArchive(), config.Pause); err != nil {
			return err
		}
	}

	if err := launch(ctx, e, config, parent); err != nil {
		return err
	}

	// A signal that came at the last moment still means that nothing is wanted.
	return ctx.Err()
}

// openParent holds on to the process that the cluster is bound to, so that its number cannot come to mean another.
func openParent(pid int) (*os.File, error) {
	if pid == 0 {
		return nil, nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("watch process %d, which the cluster is to be bound to: %w", pid, err)
	}
	return os.NewFile(uintptr(fd), "parent"), nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}
