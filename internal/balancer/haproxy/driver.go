// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import "github.com/podgate/podgate/internal/balancer"

// Limits is for the instances of one or more backends: a read is one line on each
// socket, and the thread that answers it serves requests, too.
var Limits = balancer.Limits{DescribeRate: 50, DescribeBurst: 100, ChangeRate: 50, ChangeBurst: 100}
