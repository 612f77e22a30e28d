// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
)

// spin is the argument with which the bench keeps a core busy until it is told to end.
const spin = "spin"

// keepBusy starts as many processes as were asked for that keep a core busy each, until idle is called.
func (o options) keepBusy() (idle func(), err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}

	var started []*exec.Cmd
	idle = func() {
		for _, cmd := range started {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}

	for range o.busy {
		cmd := exec.Command(program, spin)
		cmd.SysProcAttr = childAttributes()
		if err := cmd.Start(); err != nil {
			idle()
			return nil, fmt.Errorf("keep a core busy: %w", err)
		}
		started = append(started, cmd)
	}

	return idle, nil
}
