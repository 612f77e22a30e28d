// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/podgate/podgate/sim/awssim"
)

// ec2Flags are those of EC2.
func ec2Flags(f *flag.FlagSet, c *awssim.EC2) {
	f.DurationVar(&c.Lag, "ec2-lag", 0, "how far all answers of EC2 lag behind")
	f.DurationVar(&c.InterfaceLinger, "ec2-interface-linger", 0, "how long the interfaces of a load balancer outlive it")
	f.Func("vpc", "`file` with a VPC and its subnets in JSON; may be repeated; none: one with three public subnets", func(file string) error {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var vpc awssim.VPC
		if err := json.Unmarshal(raw, &vpc); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		c.VPCs = append(c.VPCs, vpc)
		return nil
	})
}
