// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command drain is the preStop hook of pods that drain adaptively. An init container runs
// `drain install DIR`, which copies it to where the pod's containers find it; their hooks
// run the copy: `drain wait --max=55s ...`. It refuses to shorten a drain on anybody's word
// but podgate's, and on that only while the pod's sockets are quiet.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/podgate/podgate/internal/drain/hook"
)

func main() {
	// It runs within its container's limits: little of everything.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(20)
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "drain:", err)
		os.Exit(1)
	}
}

// run goes by the name that the program was started under, which is always its whole path.
func run(args []string) error {
	if len(args) < 2 {
		return errors.New("want install DIR, check, or wait --max=TIME --container=NAME --binding=NAME")
	}

	self := args[0]
	switch command := args[1]; command {
	case "install":
		if len(args) != 3 {
			return errors.New("install: want one directory")
		}
		c, err := hook.FromEnv(os.Getenv)
		if err != nil {
			return err
		}
		return hook.Install(context.Background(), self, args[2], c)

	case hook.CheckCommand:
		return hook.Check(filepath.Dir(self))
	case "wait":
		wait(self, args[2:])
		return nil

	case "watch":
		return watch(self, args[2:])
	default:
		return fmt.Errorf("%q is not a command", command)
	}
}

// unknown is how long it sleeps when it is not told for how long: what the slowest load
// balancer needs.
const unknown = 155 * time.Second

// wait is the hook. It cannot fail, since a hook that fails lets SIGTERM through at once:
// arguments that it does not know are watch's to refuse.
func wait(self string, args []string) {
	// What the application sends to its process group is not meant for its drain.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	longest := unknown
	for _, arg := range args {
		value, ok := strings.CutPrefix(arg, "--max=")
		if d, err := time.ParseDuration(value); ok && err == nil {
			longest = d
		}
	}
	hook.Hook{Max: longest, Watch: append([]string{self, "watch"}, args...)}.Run(context.Background())
}

// names collects a flag that may be given several times.
type names []string

func (n *names) String() string     { return strings.Join(*n, ",") }
func (n *names) Set(v string) error { *n = append(*n, v); return nil }

// watch ends well when wait may end early.
func watch(self string, args []string) error {
	var q hook.Question
	f := flag.NewFlagSet("watch", flag.ContinueOnError)
	longest := f.Duration("max", unknown, "watch no longer than this")
	f.StringVar(&q.Container, "container", "", "the container whose hook this is")
	f.Var((*names)(&q.Bindings), "binding", "a binding that must have let go of the pod; may be repeated")

	if err := f.Parse(args); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(context.Background(), *longest)
	defer cancel()
	return hook.Watch(ctx, filepath.Dir(self), q)
}
