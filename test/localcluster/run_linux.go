// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/podgate/podgate/test/localcluster/internal/cli"
)

func run(args []string) int { return cli.Run(args, os.Stdout, os.Stderr) }
