// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package traits is what is true of HAProxy. It calls nobody, so that those may use it who
// must not reach a load balancer.
package traits

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// Kind is of backends of HAProxy.
const Kind balancer.Kind = "haproxy"

// Limits is for the instances of one or more backends: a read is one line on each
// socket, and the thread that answers it serves requests, too.
var Limits = balancer.Limits{DescribeRate: 50, DescribeBurst: 100, ChangeRate: 50, ChangeBurst: 100}

// Audit is the time between two reads of a backend where nothing is expected. A reload
// loses what was registered, and servers whose drain has ended go by Tend, which follows a read.
const Audit = 2 * time.Second

// Driver is HAProxy with nobody to call.
func Driver() balancer.Driver {
	return balancer.Driver{Kind: Kind, Traits: balancer.Traits{
		Immediate: true,
		Audit:     Audit,
		Limits:    Limits,
		Account:   account,

		Manifest:          manifest,
		Only:              only,
		ManifestDecides:   true,
		EmptyUntilReached: true,
		Need:              need,
		// A server is removed from an instance when it has no connection left there.
		GoneIsDone: true,

		Reasons:     reasons,
		Advice:      advice,
		OtherAdvice: otherAdvice,

		NotFound: v1alpha1.ReasonBackendNotFound,
		Explain:  explain,
		Overlap:  overlap,
	}}
}

// account is that of the same HAProxy processes.
func account(ref balancer.Ref) string {
	_, instances, _ := strings.Cut(ref.Group, "@")
	return "haproxy " + instances
}

// explain leaves the word to the error of a call, which says itself what to change.
func explain(_ string, err error) string {
	var call *balancer.CallError
	if !errors.As(err, &call) {
		return ""
	}
	name, _, _ := strings.Cut(call.Subject, "@")
	return fmt.Sprintf("Backend %q of HAProxy: %s", name, call.Text)
}

// overlap is about one instance of a backend: the claims are backend@instance.
func overlap(other, claim string) string {
	return fmt.Sprintf("Binding %s is older and names the same backend of the same instance, %s, so this one is not served: delete one of them, or take the instance off one's list.", other, claim)
}
