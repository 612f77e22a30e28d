// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import "github.com/podgate/podgate/internal/balancer"

// Limits is what AWS documents for ELBv2 per account and region; other clients of the
// account draw on the same allowance.
var Limits = balancer.Limits{DescribeRate: 10, DescribeBurst: 40, ChangeRate: 4, ChangeBurst: 20, Batch: BatchSize}
