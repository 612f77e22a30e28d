// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

// broken finds the laws that a schedule says were broken, and its seed.
var (
	brokenLaw = regexp.MustCompile(`(?m)^\s+\S+_test\.go:\d+: law (\d+): `)
	itsSeed   = regexp.MustCompile(`(?m)^\s*seed (\d+); replay`)
)

// model prints, for each mutation, the law that the model's schedules find broken
// first. A mutation that they do not notice is no failure: the model is not the laws'
// test, and not all that has laws is in it.
func (r runner) model(ctx context.Context, out io.Writer, mutations []mutation, schedules int) error {
	noticed := 0
	for _, m := range mutations {
		said, err := r.schedules(ctx, m, schedules)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		if said != "-" {
			noticed++
		}
		fmt.Fprintf(out, "| `%s` | %s |\n", m.Name, said)
	}

	fmt.Fprintf(out, "%d of %d mutations noticed\n", noticed, len(mutations))
	return nil
}

// schedules lives through schedules of a mutated product.
func (r runner) schedules(ctx context.Context, m mutation, n int) (string, error) {
	dir, err := os.MkdirTemp("", "podgate-mutation-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := m.overlay(r.root, dir)
	if err != nil {
		return "", err
	}

	cmd := exec.CommandContext(ctx, "go", "test", "-tags=model", "-vet=off", "-count=1", "-timeout=15m", "-overlay", overlay,
		"-run", "TestModel", "./internal/model", "-schedules", strconv.Itoa(n))
	cmd.Dir = r.root
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return "-", nil
	case !errors.As(err, &exit):
		return "", err
	}

	law, seed := brokenLaw.FindSubmatch(said), itsSeed.FindSubmatch(said)
	if law == nil || seed == nil {
		return "", fmt.Errorf("the model failed otherwise: %s", said)
	}

	return fmt.Sprintf("law %s, seed %s", law[1], seed[1]), nil
}
