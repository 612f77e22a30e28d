// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"strings"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// kind is a kind of resource, as the first word of its ARN's last part.
type kind string

const (
	kindGroup    kind = "targetgroup"
	kindBalancer kind = "loadbalancer"
	kindListener kind = "listener"
	kindRule     kind = "listener-rule"
)

// words are the kind's in "is not a valid ... ARN".
func (k kind) words() string {
	switch k {
	case kindGroup:
		return "target group"
	case kindBalancer:
		return "load balancer"
	case kindListener:
		return "listener"
	}
	return "listener rule"
}

func (k kind) notFound() *wire.APIError {
	switch k {
	case kindGroup:
		return wire.Failed("TargetGroupNotFound", "One or more target groups not found")
	case kindBalancer:
		return wire.Failed("LoadBalancerNotFound", "One or more load balancers not found")
	case kindListener:
		return wire.Failed("ListenerNotFound", "One or more listeners not found")
	}
	return wire.Failed("RuleNotFound", "One or more rules not found")
}

// checkARN says what the service says of an ARN that is malformed or of another
// region or account: ValidationError, not NotFound (hashicorp/
// terraform-provider-aws #4552, aws/aws-cli #3673, spinnaker #5574).
func (s *Service) checkARN(c *Call, k kind, arn string) *wire.APIError {
	wanted := "arn:aws:elasticloadbalancing:" + s.cfg.Region + ":" + c.Account + ":" + string(k) + "/"
	if !strings.HasPrefix(arn, wanted) {
		return wire.Invalid("'%s' is not a valid %s ARN", arn, k.words())
	}
	return nil
}

func (s *Service) arn(account, resource string) string {
	return "arn:aws:elasticloadbalancing:" + s.cfg.Region + ":" + account + ":" + resource
}
