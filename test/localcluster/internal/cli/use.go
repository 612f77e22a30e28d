// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/podgate/podgate/test/localcluster/internal/state"
)

func loadCommand() *command {
	return &command{
		name: "load", synopsis: "load [--name NAME] IMAGE.tar...", short: "give images to the node",
		long: `Load gives images to the node's container runtime: tar archives in docker-archive format or with an OCI layout. Pods that use them say
"imagePullPolicy: Never" or IfNotPresent; there is no registry.`,
		examples: []string{"localcluster load app.tar", "localcluster load --name second app.tar sidecar.tar"},
		run: func(ctx context.Context, e *env, c *command, args []string) error {
			set, name := c.flags(e)
			rest, err := parse(e, set, args, 1, -1)
			if err != nil {
				return err
			}

			dirs, s, err := running(*name)
			if err != nil {
				return err
			}
			if s.Mode != state.Full {
				return fmt.Errorf("cluster %q has no node to load images into: it was started with --api-only", *name)
			}

			for _, archive := range rest {
				if _, err := os.Stat(archive); err != nil {
					return err
				}
				cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, "ctr"), "-a", dirs.Containerd(), "-n", "k8s.io", "images", "import", archive)
				if out, err := cmd.CombinedOutput(); err != nil {
					return fmt.Errorf("load %s: %w: %s", archive, err, strings.TrimSpace(string(out)))
				}
				e.progress("loaded " + archive)
			}

			return nil
		},
	}
}

func kubeconfigCommand() *command {
	return &command{
		name: "kubeconfig", synopsis: "kubeconfig [--name NAME]", short: "print the path of the administrator's kubeconfig",
		long:     `Kubeconfig prints the path of a kubeconfig with all rights. It works on the host and in "localcluster exec" alike.`,
		examples: []string{"export KUBECONFIG=$(localcluster kubeconfig)"},
		run: func(_ context.Context, e *env, c *command, args []string) error {
			set, name := c.flags(e)
			if _, err := parse(e, set, args, 0, 0); err != nil {
				return err
			}
			dirs, _, err := running(*name)
			if err != nil {
				return err
			}
			fmt.Fprintln(e.out, dirs.Kubeconfig())
			return nil
		},
	}
}

func execCommand() *command {
	return &command{
		name: "exec", synopsis: "exec [--name NAME] -- COMMAND [ARGUMENT...]", short: "run a command on the node's network",
		long: `Exec runs a command of the host in the cluster's network namespace: it reaches pods, Services and the node's address 172.30.0.2, and pods reach
what it listens on there. KUBECONFIG is set, and kubectl and ctr are on PATH. The command takes the place of localcluster, so input, output,
signals and the exit code are its own. What still runs at "localcluster down" is ended.`,
		examples: []string{"localcluster exec -- kubectl get nodes", "localcluster exec --name second -- curl http://10.96.0.20"},
		run: func(_ context.Context, e *env, c *command, args []string) error {
			set, name := c.flags(e)
			if len(args) > 0 && asksHelp(args[:1]) {
				set.SetOutput(os.Stdout)
			}

			if err := set.Parse(args); err != nil {
				if asksHelp(args[:1]) {
					return nil
				}
				return errUsage
			}

			if err := want(e, set, set.Args(), 1, -1); err != nil {
				return err
			}

			return replace(*name, set.Args(), true)
		},
	}
}

func kubectlCommand() *command {
	return &command{
		name: "kubectl", synopsis: "kubectl [--name NAME] ARGUMENT...", short: "run the cluster's kubectl as its administrator",
		long: `Kubectl runs kubectl of the cluster's version with the administrator's kubeconfig, on the host's network, so that what "kubectl port-forward"
opens is reached from the host. Everything after --name is kubectl's; "localcluster kubectl help" is its own help.`,
		examples: []string{"localcluster kubectl get pods -A", "localcluster kubectl --name second apply -f app.yaml"},
		run: func(_ context.Context, e *env, c *command, args []string) error {
			set, _ := c.flags(e)
			if len(args) == 0 || asksHelp(args[:1]) {
				_, err := parse(e, set, []string{"--help"}, 0, 0)
				return err
			}

			// kubectl has flags of its own, which only it can read.
			name := defaultName()
			if len(args) > 0 {
				value, joined := strings.CutPrefix(strings.TrimPrefix(args[0], "-"), "-name=")
				switch {
				case joined:
					name, args = value, args[1:]
				case args[0] == "--name" && len(args) > 1:
					name, args = args[1], args[2:]
				}
			}

			return replace(name, append([]string{"kubectl"}, args...), false)
		},
	}
}

// replace turns this process into the command, in the cluster's network or in the caller's.
func replace(name string, argv []string, inside bool) error {
	dirs, s, err := running(name)
	if err != nil {
		return err
	}

	if inside && s.Mode == state.Full {
		// The namespace is this thread's, and exec makes this thread the process.
		runtime.LockOSThread()
		if err := enter(s.NetnsPath()); err != nil {
			return fmt.Errorf("enter the network of cluster %q: %w", name, err)
		}
		if err := os.Setenv(state.Variable, name); err != nil {
			return err
		}
	}

	for key, value := range map[string]string{
		"KUBECONFIG":           dirs.Kubeconfig(),
		"PATH":                 s.Bin + ":" + os.Getenv("PATH"),
		"CONTAINERD_ADDRESS":   dirs.Containerd(),
		"CONTAINERD_NAMESPACE": "k8s.io",
	} {
		if err := os.Setenv(key, value); err != nil {
			return err
		}
	}

	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}

	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, argv, os.Environ()))
}

func enter(path string) error {
	namespace, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = namespace.Close() }()
	return unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET)
}
