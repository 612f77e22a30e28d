// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
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

func (k kind) notFound() *APIError {
	switch k {
	case kindGroup:
		return failed("TargetGroupNotFound", "One or more target groups not found")
	case kindBalancer:
		return failed("LoadBalancerNotFound", "One or more load balancers not found")
	case kindListener:
		return failed("ListenerNotFound", "One or more listeners not found")
	}
	return failed("RuleNotFound", "One or more rules not found")
}

// checkARN says what the service says of an ARN that is malformed or of another
// region or account: ValidationError, not NotFound (hashicorp/
// terraform-provider-aws #4552, aws/aws-cli #3673, spinnaker #5574).
func (s *Sim) checkARN(c *call, k kind, arn string) *APIError {
	wanted := "arn:aws:elasticloadbalancing:" + s.cfg.Region + ":" + c.account + ":" + string(k) + "/"
	if !strings.HasPrefix(arn, wanted) {
		return invalid("'%s' is not a valid %s ARN", arn, k.words())
	}
	return nil
}

func (s *Sim) arn(account, resource string) string {
	return "arn:aws:elasticloadbalancing:" + s.cfg.Region + ":" + account + ":" + resource
}

// suffix is the end of an ARN, such as 73e2d6bc24d8a067.
func suffix() string { return randomHex(8) }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // it never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// requestID has the form of AWS's.
func requestID() string {
	h := randomHex(16)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
