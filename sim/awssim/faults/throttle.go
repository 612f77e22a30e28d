// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// Throttling modes. The numbers are AWS's documented token buckets.
const (
	// ThrottleCurrent: Describe 200 tokens, 50/s; Register and Deregister 20,
	// 4/s; everything else 20, 3/s. EC2: 100, 20/s and 50, 5/s. ACM: 10, 8/s and 5, 5/s. It is
	// the default.
	ThrottleCurrent = "current"
	// ThrottleClassic is the older documentation: Describe 40 tokens, 10/s.
	ThrottleClassic = "classic"
	// ThrottleOff answers every call.
	ThrottleOff = "off"
)

// bucketLimit is one token bucket: so many tokens, so many back a second.
type bucketLimit struct {
	burst  int
	refill rate.Limit
}

// bucketLimits are the buckets by operation class; nil means no throttling.
func bucketLimits(mode string) (map[string]bucketLimit, error) {
	describe := bucketLimit{200, 50}
	switch mode {
	case ThrottleOff:
		return nil, nil
	case ThrottleClassic:
		describe = bucketLimit{40, 10}
	case ThrottleCurrent:
	default:
		return nil, fmt.Errorf("throttle mode %q: must be %s, %s or %s", mode, ThrottleCurrent, ThrottleClassic, ThrottleOff)
	}

	return map[string]bucketLimit{
		"describe": describe,
		"register": {20, 4},
		"modify":   {20, 3},

		"ec2 describe": {100, 20},
		"ec2 modify":   {50, 5},

		"acm describe": {10, 8},
		"acm modify":   {5, 5},
	}, nil
}

// operationClass is the bucket that an operation draws from. VPC Lattice, whose
// limits AWS does not publish, is taken to have those of ELBv2.
func operationClass(operation string) string {
	switch {
	case strings.HasPrefix(operation, "Describe"), strings.HasPrefix(operation, "Get"), strings.HasPrefix(operation, "List"):
		return "describe"
	case operation == "RegisterTargets" || operation == "DeregisterTargets":
		return "register"
	}
	return "modify"
}

// Buckets are the token buckets of every account; all clients of an account
// share them, as they do at AWS.
type Buckets struct {
	limits map[string]bucketLimit
	scale  float64

	mu sync.Mutex
	by map[string]*rate.Limiter
}

// NewBuckets returns full buckets, which refill that many times faster than
// AWS's. It fails when mode is none of the Throttle constants.
func NewBuckets(mode string, scale float64) (*Buckets, error) {
	limits, err := bucketLimits(mode)
	if err != nil {
		return nil, err
	}
	return &Buckets{limits: limits, scale: scale, by: map[string]*rate.Limiter{}}, nil
}

// Take takes a token from an account's bucket at a service, or returns the refusal when there is none.
func (b *Buckets) Take(service, account, operation string) *wire.APIError {
	if b.limits == nil {
		return nil
	}

	class := operationClass(operation)
	if service == "ec2" || service == "acm" {
		class = service + " " + class
	}
	owner := service + "/" + account + "/" + class
	b.mu.Lock()
	l := b.by[owner]
	if l == nil {
		limit := b.limits[class]
		l = rate.NewLimiter(limit.refill*rate.Limit(b.scale), limit.burst)
		b.by[owner] = l
	}

	b.mu.Unlock()

	if !l.AllowN(time.Now(), 1) {
		return wire.Failed("Throttling", "Rate exceeded")
	}

	return nil
}
