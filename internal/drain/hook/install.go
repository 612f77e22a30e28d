// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Install copies program into dir, beside c, and starts the copy once with CheckCommand, so
// that a pod whose hook could not run (another architecture, a volume that may not be
// executed from) does not start in the first place. Where dir is the image itself, which is
// read-only, the program is there already.
func Install(ctx context.Context, program, dir string, c Config) error {
	copied := filepath.Join(dir, programFile)
	err := copyProgram(program, copied)
	if err == nil {
		err = writeConfig(dir, c)
	}
	if err != nil && !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("copy the program to %s: %w", dir, err)
	}

	if out, err := exec.CommandContext(ctx, copied, CheckCommand).CombinedOutput(); err != nil {
		return fmt.Errorf("the copy in %s does not run: %w: %s", dir, err, out)
	}

	return nil
}

func writeConfig(dir string, c Config) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	// Containers of the pod may run as anybody.
	return os.WriteFile(filepath.Join(dir, configFile), raw, 0o444)
}

// CheckCommand is the argument with which the program checks what its hook needs.
const CheckCommand = "check"

// Check reports whether a hook would find what it needs in dir.
func Check(dir string) error {
	c, err := ReadConfig(dir)
	if err != nil {
		return err
	}
	if _, err := newClient(c, Question{}); err != nil {
		return err
	}
	_, err = socketReader()()
	return err
}

func copyProgram(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()

	// An init container that is started again finds its own work.
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}

	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o555)
	if err != nil {
		return err
	}

	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(0o555), out.Close())
}
