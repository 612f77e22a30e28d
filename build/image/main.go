// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command image makes a container image from one static binary, as a docker-archive
// that containerd imports, with no Docker, base image or registry. Equal input gives
// equal bytes. It refuses to build, pull or push anything, and an image has one layer
// with static programs in it and nothing else.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// list collects a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func run(args []string, usage io.Writer) error {
	var s Spec
	var out string
	f := flag.NewFlagSet("image", flag.ContinueOnError)
	f.SetOutput(usage)
	f.Usage = func() {
		_, _ = fmt.Fprintln(usage, "image -name NAME:TAG -entrypoint /PATH -o FILE.tar [flags] BINARY")
		f.PrintDefaults()
	}

	f.StringVar(&s.Name, "name", "", "reference of the image, `NAME:TAG`")
	f.StringVar(&s.Entrypoint, "entrypoint", "", "absolute `path` of the binary in the image; what a container starts")
	f.StringVar(&s.User, "user", "", "numeric `UID[:GID]` that a container runs as (default root)")
	f.StringVar(&s.Arch, "arch", runtime.GOARCH, "architecture as Go spells it")
	f.StringVar(&out, "o", "", "`file` to write")
	f.Var((*list)(&s.Env), "env", "environment `KEY=VALUE`; may be repeated")
	f.Func("add", "another static binary as `/PATH=FILE`; may be repeated", func(v string) error {
		at, file, _ := strings.Cut(v, "=")
		program, err := os.ReadFile(file)
		s.Programs = append(s.Programs, Program{Path: at, Content: program})
		return err
	})

	f.Var((*list)(&s.Links), "link", "another absolute `path` of the binary; may be repeated")
	if err := f.Parse(args); err != nil {
		return err
	}

	if f.NArg() != 1 || out == "" {
		f.Usage()
		return errors.New("want one BINARY and -o FILE")
	}

	program, err := os.ReadFile(f.Arg(0))
	if err != nil {
		return fmt.Errorf("read program: %w", err)
	}

	s.Program = program
	return writeAtomically(out, func(w io.Writer) error { return WriteArchive(w, s) })
}

// writeAtomically leaves either the whole file or what was there before.
func writeAtomically(file string, write func(io.Writer) error) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make directory of %s: %w", file, err)
	}

	t, err := os.CreateTemp(dir, filepath.Base(file)+".*")
	if err != nil {
		return fmt.Errorf("create %s: %w", file, err)
	}
	defer func() { _ = os.Remove(t.Name()) }()
	err = errors.Join(write(t), t.Chmod(0o644), t.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}

	return os.Rename(t.Name(), file)
}
