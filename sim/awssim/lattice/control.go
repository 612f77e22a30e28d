// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
)

// Owns reports whether an ARN is one of VPC Lattice's.
func Owns(arn string) bool { return strings.Contains(arn, ":vpc-lattice:") }

// GroupARN returns the ARN of the target group that an identifier in a request means, which may be its id. It needs
// the lock.
func (s *Service) GroupARN(identifier string) string {
	if g := s.groups[identifier]; g != nil {
		return g.arn
	}
	return identifier
}

// GroupPort returns the port of targets that name none. It needs the lock.
func (s *Service) GroupPort(arn string) int {
	if g := s.byARN(arn); g != nil {
		return g.config.Port
	}
	return 0
}

func (s *Service) byARN(arn string) *targetGroup {
	g := s.groups[arn[strings.LastIndex(arn, "/")+1:]]
	if g == nil || g.arn != arn {
		return nil
	}
	return g
}

// SetHealth scripts the health of a target, registered or not, or of a whole
// group when target is nil. A target's own script goes before its group's.
// States are the service's, in either case, and reasons any text.
func (s *Service) SetHealth(groupARN string, target *faults.Target, script health.Script) error {
	judged := script
	judged.State, judged.Reason = strings.ToLower(script.State), ""
	if err := judged.Check(); err != nil {
		return err
	}
	if judged.State == "unhealthy.draining" || script.NoTraffic {
		return fmt.Errorf("health script: VPC Lattice has neither unhealthy.draining nor zonal shifts")
	}

	script.State = judged.State
	if script.State == "unhealthy" {
		script.Reason = cmp.Or(script.Reason, checkFailed)
	}
	return s.rescript(groupARN, target, &script)
}

// ClearHealth takes back what SetHealth said; real checks start again.
func (s *Service) ClearHealth(groupARN string, target *faults.Target) error {
	return s.rescript(groupARN, target, nil)
}

func (s *Service) rescript(groupARN string, target *faults.Target, script *health.Script) error {
	s.clock.Lock()
	defer s.clock.Unlock()
	g := s.byARN(groupARN)
	if g == nil {
		return fmt.Errorf("script health: no target group %q", groupARN)
	}

	g.scripts.Set(target, script, maps.Keys(g.registrations), func(t faults.Target, again bool) {
		r := g.registrations[t]
		r.outcome = 0
		if again {
			s.restart(g, r)
		}
	})

	return nil
}

// LoseTarget makes a target vanish from its group, on both clocks at once, as
// if the service had forgotten it.
func (s *Service) LoseTarget(groupARN string, target faults.Target) error {
	s.clock.Lock()
	defer s.clock.Unlock()
	g := s.byARN(groupARN)
	if g == nil || g.registrations[target] == nil {
		return fmt.Errorf("lose target: %s:%d is not in target group %q", target.ID, target.Port, groupARN)
	}
	s.remove(g, g.registrations[target], "Fault.Lost")
	return nil
}
