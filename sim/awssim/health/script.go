// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"slices"
	"strconv"
)

// Script stands in for health checks, so that a test needs nothing that
// listens. With a State the API says exactly that, from now on and without a
// check, until the script is changed or cleared (deregistering still drains).
// With Outcomes the checks go on at their interval and thresholds, but their
// results come from the list; the last one repeats.
type Script struct {
	State       string `json:"state,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Description string `json:"description,omitempty"`
	NoTraffic   bool   `json:"noTraffic,omitempty"`
	// Outcomes are pass, timeout, refused, internal-error, or an HTTP status
	// code, which the group's matcher judges.
	Outcomes []string `json:"outcomes,omitempty"`
}

// Health is what a script with a state says, with the usual reason and text.
func (sc *Script) Health() Health {
	reason := sc.Reason
	if reason == "" {
		reason, _ = usualReason(sc.State)
	}

	h := Of(sc.State, reason)
	if sc.Description != "" {
		h.Description = sc.Description
	}

	h.NoTraffic = sc.NoTraffic
	return h
}

// Check returns what is wrong with a script.
func (sc *Script) Check() error {
	if (sc.State == "") == (len(sc.Outcomes) == 0) {
		return fmt.Errorf("health script: wants either a state or outcomes")
	}

	if _, known := usualReason(sc.State); sc.State != "" && !known {
		return fmt.Errorf("health script: state %q is none of the service's", sc.State)
	}

	if _, known := description(sc.State, sc.Reason); !known {
		return fmt.Errorf("health script: reason %q is none of the service's", sc.Reason)
	}

	for _, o := range sc.Outcomes {
		code, err := strconv.Atoi(o)
		if !slices.Contains([]string{"pass", "timeout", "refused", "internal-error"}, o) && (err != nil || code < 100 || code > 599) {
			return fmt.Errorf("health script: outcome %q is not pass, timeout, refused, internal-error or a status code", o)
		}
	}

	return nil
}
