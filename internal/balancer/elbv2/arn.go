// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"strings"

	podaws "github.com/podgate/podgate/internal/aws"
)

// arns are how those of this service's target groups look.
var arns = podaws.ARNs{
	Service: "elasticloadbalancing", Example: "targetgroup/name/0123456789abcdef", Field: "spec.elbv2.region",
	Group: func(resource string) bool {
		parts := strings.Split(resource, "/")
		return len(parts) == 3 && parts[0] == "targetgroup" && parts[1] != "" && parts[2] != ""
	},
}
