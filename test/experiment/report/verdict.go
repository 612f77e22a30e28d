// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
)

// Verdict says what is wrong with the runs, one sentence each; nothing if the
// experiment succeeded.
func Verdict(runs []Run) []string {
	problems := []string{}
	for _, r := range runs {
		if r.Requests == 0 {
			problems = append(problems, fmt.Sprintf("%s: no request was sent", r.Name))
			continue
		}

		if r.Attempts != r.Requests {
			problems = append(problems, fmt.Sprintf("%s: %d attempts were counted at the sockets for %d requests: something tried again, the figures mean nothing",
				r.Name, r.Attempts, r.Requests))
		}

		problems = append(problems, early(r)...)
		problems = append(problems, cold(r)...)
		if r.Name == Ungated && r.Failed == 0 {
			problems = append(problems, "ungated: no request failed, so the experiment has shown nothing; give it a higher rate or a longer routing delay")
		}

		if r.Name == Unchecked && r.Failed == 0 {
			problems = append(problems, "unchecked: no request failed, so the experiment has shown nothing; give it a longer warm-up")
		}

		if slices.Contains([]string{GatedPrestop, Drain, DrainAdaptive, Checked}, r.Name) && r.Failed > 0 {
			problems = append(problems, fmt.Sprintf("%s: %d of %d requests failed (%s), and none may", r.Name, r.Failed, r.Requests, failures(r)))
		}
	}

	return append(problems, slower(runs)...)
}

// slower says when pods that drain adaptively ended no earlier than those that sleep. What
// is compared is how long they lived after their deletion: when that was depends on how
// busy the machine is.
func slower(runs []Run) []string {
	var problems []string
	for _, a := range runs {
		for _, r := range runs {
			if a.Name == DrainAdaptive && (r.Name == Drain || r.Name == GatedPrestop) && ending(a) >= ending(r) {
				problems = append(problems, fmt.Sprintf("%s: old pods were gone up to %.1f s after their deletion, no earlier than with %s (%.1f s)", a.Name, ending(a), r.Name, ending(r)))
			}
		}
	}
	return problems
}

// ending is the longest that an old pod took to end.
func ending(r Run) float64 {
	longest := 0.0
	for _, l := range r.Lanes {
		if l.Old && l.Terminating != nil && l.Gone != nil {
			longest = max(longest, *l.Gone-*l.Terminating)
		}
	}
	return longest
}

// early names gates that opened while the load balancer did not call the target healthy.
func early(r Run) []string {
	var problems []string
	for _, l := range r.Lanes {
		if l.GateOpen != nil && (l.Healthy == nil || *l.GateOpen < *l.Healthy) {
			problems = append(problems, fmt.Sprintf("%s: the gate of pod %s opened before its target was healthy", r.Name, l.Pod))
		}
	}
	return problems
}

// cold names new pods that were registered although a ReadinessGate kept them back while they warmed up.
func cold(r Run) []string {
	var problems []string
	for _, l := range r.Lanes {
		if r.Name == Checked && !l.Old && l.Registered != nil && l.Created != nil && *l.Registered-*l.Created < float64(r.WarmUpSeconds+r.SettleSeconds) {
			problems = append(problems, fmt.Sprintf("%s: pod %s was registered %.1f s after its creation, and cannot have been warm before %d s", r.Name, l.Pod, *l.Registered-*l.Created, r.WarmUpSeconds+r.SettleSeconds))
		}
	}
	return problems
}
