// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/podgate/podgate/test/mutations/overlay"
)

// chosen is the environment variable that says which mutant a test's program is.
const chosen = "PODGATE_MUTANT"

// runner runs the tests of one package on one mutant after the other.
type runner struct {
	program, dir string
	flags        []string
	// limit is how long the tests may take; a mutant that never ends is noticed by that.
	limit time.Duration
}

// fate is what became of a mutant.
type fate int

const (
	survived fate = iota
	noticed
	endless
)

// try runs the tests of the package in a folder on each of its mutants.
func try(ctx context.Context, root, folder string) (report, error) {
	begun := time.Now()
	s, err := find(ctx, root, folder)
	if err != nil {
		return report{}, err
	}
	mutants, files, err := s.mutate(root)
	if err != nil {
		return report{}, err
	}

	dir, err := os.MkdirTemp("", "podgate-mutants-")
	if err != nil {
		return report{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	r := runner{program: filepath.Join(dir, "mutants.test"), dir: filepath.Join(root, folder), flags: s.flags()}
	if err := r.compile(ctx, root, dir, files); err != nil {
		return report{}, err
	}
	if err := r.baseline(ctx); err != nil {
		return report{}, err
	}

	fates, err := r.all(ctx, len(mutants))
	if err != nil {
		return report{}, err
	}

	made := report{pkg: folder, mutants: len(mutants), took: time.Since(begun)}
	for i, f := range fates {
		switch f {
		case survived:
			made.survivors = append(made.survivors, mutants[i])
		case endless:
			made.endless++
		}
	}

	return made, nil
}

func (r runner) compile(ctx context.Context, root, dir string, files map[string][]byte) error {
	changed, err := overlay.Write(root, dir, files)
	if err != nil {
		return err
	}

	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", changed, "-o", r.program, ".")
	cmd.Dir = r.dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the mutants: %w: %s", err, said)
	}

	if _, err := os.Stat(r.program); err != nil {
		return errors.New("the package has no tests")
	}

	return nil
}

// baseline requires that the tests pass without any mutant, and sets the limit by how long
// they take.
func (r *runner) baseline(ctx context.Context) error {
	begun := time.Now()
	r.limit = 5 * time.Minute
	f, said, err := r.test(ctx, 0)
	if err != nil {
		return err
	}
	if f != survived {
		return fmt.Errorf("without any mutant the tests must pass:\n%s", said)
	}

	// A busy machine must not make a mutant look endless.
	r.limit = 5*time.Second + 20*time.Since(begun)
	return nil
}

// all tries as many mutants at once as there are cores, and returns their fates.
func (r runner) all(ctx context.Context, mutants int) ([]fate, error) {
	fates := make([]fate, mutants)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range runtime.NumCPU() {
		group.Go(func() error {
			for {
				number := int(next.Add(1))
				if number > mutants {
					return nil
				}

				f, _, err := r.test(ctx, number)
				if err != nil {
					return err
				}
				fates[number-1] = f
			}
		})
	}

	return fates, group.Wait()
}

// test runs the tests on one mutant; number 0 is the product itself.
func (r runner) test(ctx context.Context, number int) (fate, []byte, error) {
	timed, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()

	cmd := exec.CommandContext(timed, r.program, r.flags...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), chosen+"="+strconv.Itoa(number), "GOMAXPROCS=1")
	said, err := cmd.CombinedOutput()

	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return survived, nil, ctx.Err()
	case timed.Err() != nil:
		return endless, said, nil
	case errors.As(err, &exit):
		return noticed, said, nil
	}
	return survived, said, err
}
