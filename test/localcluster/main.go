// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Localcluster runs a real single-node Kubernetes on a bare Linux machine, built from Go modules and Debian packages: no registry, no
// Docker, no systemd. It is for tests: it is not a cluster to keep anything in.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:]))
}
