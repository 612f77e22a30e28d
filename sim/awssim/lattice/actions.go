// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"slices"
)

// action is what a listener or rule does with a request, as requests and answers have it.
type action struct {
	Forward       *forward       `json:"forward,omitempty"`
	FixedResponse *fixedResponse `json:"fixedResponse,omitempty"`
}

type forward struct {
	TargetGroups []weightedGroup `json:"targetGroups"`
}

type weightedGroup struct {
	TargetGroupIdentifier string `json:"targetGroupIdentifier"`
	Weight                *int   `json:"weight,omitempty"`
}

type fixedResponse struct {
	StatusCode int `json:"statusCode"`
}

// uses reports whether a goes to a target group.
func (a action) uses(g *targetGroup) bool {
	return a.Forward != nil && slices.ContainsFunc(a.Forward.TargetGroups, func(w weightedGroup) bool { return w.TargetGroupIdentifier == g.id })
}

// checkAction validates an action of a service with a listener of that protocol, and returns it as answers show it:
// groups by their ids, with weights. A single group without a weight is answered with 100 (AWS CLI reference).
func (s *Service) checkAction(c *Call, v *service, protocol string, in action) (action, error) {
	if in.FixedResponse != nil {
		code := in.FixedResponse.StatusCode
		if code != 404 && code != 500 {
			return in, invalid("action.fixedResponse.statusCode", "must be 404 or 500")
		}
		if protocol == "TLS_PASSTHROUGH" {
			return in, invalid("action", "a TLS_PASSTHROUGH listener can only forward")
		}
		return in, nil
	}

	out := action{Forward: &forward{}}
	inUse := map[string]bool{}
	for _, g := range s.groupsOf(v) {
		inUse[g.id] = true
	}

	for _, w := range in.Forward.TargetGroups {
		g, err := s.group(c, w.TargetGroupIdentifier)
		if err != nil {
			return in, err
		}
		if err := s.checkForward(v, protocol, g); err != nil {
			return in, err
		}
		if out.uses(g) {
			return in, invalid("action.forward.targetGroups", "%s is there twice", g.id)
		}

		inUse[g.id] = true
		weight := 100
		if w.Weight != nil {
			weight = *w.Weight
		}
		out.Forward.TargetGroups = append(out.Forward.TargetGroups, weightedGroup{g.id, &weight})
	}

	if limit := s.cfg.Quotas.GroupsPerService; len(inUse) > limit {
		// UpdateRule and UpdateListener do not declare the error of quotas.
		return in, invalid("action.forward.targetGroups", "The limit of %d target groups per service has been reached", limit)
	}
	return out, nil
}

// checkForward returns an error unless a service's listener can forward to a group.
func (s *Service) checkForward(v *service, protocol string, g *targetGroup) error {
	if err := g.ready(); err != nil {
		return err
	}
	if (protocol == "TLS_PASSTHROUGH") != (g.config.Protocol == "TCP") {
		return invalid("action.forward.targetGroups", "a group with protocol TCP goes with a TLS_PASSTHROUGH listener, and with no other: %s", g.id)
	}

	for _, r := range s.rules {
		if other := r.listener.service; other != v && r.action.uses(g) {
			return conflict(kindGroup, g.id, "Target group %s is used by service %s; a target group can be used by only one service", g.id, other.id)
		}
	}
	return nil
}

// groupsOf are the groups that a service forwards to.
func (s *Service) groupsOf(v *service) []*targetGroup {
	var list []*targetGroup
	for _, g := range s.groups {
		for _, r := range s.rules {
			if r.listener.service == v && r.action.uses(g) {
				list = append(list, g)
				break
			}
		}
	}
	return list
}

// servicesOf are the ARNs of the services with a listener or rule that forwards to g.
func (s *Service) servicesOf(g *targetGroup) []string {
	var arns []string
	for _, r := range s.rules {
		if arn := r.listener.service.arn; r.action.uses(g) && !slices.Contains(arns, arn) {
			arns = append(arns, arn)
		}
	}
	slices.SortFunc(arns, cmp.Compare[string])
	return arns
}

// refresh takes note that what forwards to what has changed: targets of a group are checked while a listener or rule
// of an active service forwards to it, and UNUSED otherwise. Networks open and close ports.
func (s *Service) refresh() {
	for _, g := range s.groups {
		used := false
		for _, r := range s.rules {
			used = used || r.listener.service.status == active && r.action.uses(g)
		}
		if used != g.used {
			g.used = used
			s.restartAll(g)
		}
	}

	s.refreshFronts()
}
