// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

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

// health is what a script with a state says, with the usual reason and text.
func (sc *Script) health() Health {
	reason := sc.Reason
	if reason == "" {
		reason, _ = usualReason(sc.State)
	}
	h := defaultHealth(sc.State, reason)
	if sc.Description != "" {
		h.Description = sc.Description
	}
	h.NoTraffic = sc.NoTraffic
	return h
}

func (sc *Script) check() error {
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

func (g *targetGroup) scriptFor(k Target) *Script {
	if own := g.scripts[k]; own != nil {
		return own
	}
	return g.script
}

// SetHealth scripts the health of a target, registered or not, or of a whole
// group when target is nil. A target's own script goes before its group's.
func (s *Sim) SetHealth(groupARN string, target *Target, script Script) error {
	if err := script.check(); err != nil {
		return err
	}
	return s.rescript(groupARN, target, &script)
}

// ClearHealth takes back what SetHealth said; real checks start again.
func (s *Sim) ClearHealth(groupARN string, target *Target) error {
	return s.rescript(groupARN, target, nil)
}

func (s *Sim) rescript(groupARN string, target *Target, script *Script) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[groupARN]
	if g == nil {
		return fmt.Errorf("script health: no target group %q", groupARN)
	}

	before := map[*row]*Script{}
	for k, r := range g.rows {
		before[r] = g.scriptFor(k)
	}

	switch {
	case target == nil:
		g.script = script
	case script == nil:
		delete(g.scripts, *target)
	default:
		g.scripts[*target] = script
	}

	for r, old := range before {
		now := g.scriptFor(r.key)
		if now == old {
			continue
		}
		r.outcome = 0
		if old != nil && old.State != "" || now != nil && now.State != "" {
			s.restart(g, r)
		}
	}

	return nil
}
