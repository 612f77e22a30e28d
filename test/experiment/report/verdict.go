// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import "fmt"

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
		if r.Name == Ungated && r.Failed == 0 {
			problems = append(problems, "ungated: no request failed, so the experiment has shown nothing; give it a higher rate or a longer routing delay")
		}
		if (r.Name == GatedPrestop || r.Name == Drain || r.Name == DrainAdaptive) && r.Failed > 0 {
			problems = append(problems, fmt.Sprintf("%s: %d of %d requests failed (%s), and none may", r.Name, r.Failed, r.Requests, failures(r)))
		}
	}
	return append(problems, slower(runs)...)
}

// slower says when an adaptive drain took no less time than those that sleep.
func slower(runs []Run) []string {
	var problems []string
	for _, a := range runs {
		for _, r := range runs {
			if a.Name == DrainAdaptive && (r.Name == Drain || r.Name == GatedPrestop) && a.RolloutSeconds >= r.RolloutSeconds {
				problems = append(problems, fmt.Sprintf("%s: the last old pod was gone after %.1f s, no earlier than with %s (%.1f s)", a.Name, a.RolloutSeconds, r.Name, r.RolloutSeconds))
			}
		}
	}
	return problems
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
