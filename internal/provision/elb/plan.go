// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import "time"

// Plan is what to do now, and why not more.
type Plan struct {
	// Steps can be done now. What can be done after the first one may be more or less: plan again.
	Steps []Step
	// Waits are what has to happen first. What is left is planned then.
	Waits []Wait
	// Refusals are what is not done because it is not the stack's to change.
	Refusals []Refusal
}

// Wait is something that nobody but AWS, the cluster or time brings about.
type Wait struct {
	// Owner is who waits, such as the Ingress shop/web; empty: all of the stack.
	Owner   string
	Message string
	// Until is when there is something to do; zero: nobody knows, so look again soon.
	Until time.Time
}

// Refusal is something that a person has to decide. The message says what to do.
type Refusal struct {
	// Owner is whom it concerns, such as the Ingress shop/web; empty: all of the stack.
	Owner   string
	Message string
}
