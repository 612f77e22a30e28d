// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"flag"
	"testing"
)

// TestAuditFlags: target groups are read rarely, and never more rarely than somebody wants, who may want what makes no sense.
func TestAuditFlags(t *testing.T) {
	for given, accepted := range map[string]bool{
		"--aws-audit-interval=5m": true, "--aws-audit-interval=4m59s": false, "--aws-audit-interval=0": false, "--aws-audit-interval=24h": true,
		"--aws-audit-quiet=1ns": true, "--aws-audit-quiet=0": false,
	} {
		var c Config
		fs := flag.NewFlagSet("podgate", flag.ContinueOnError)
		c.Bind(fs)
		if err := fs.Parse([]string{"--namespace=podgate-system", given}); err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); (err == nil) != accepted {
			t.Errorf("%s: %v", given, err)
		}
	}
}
