// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// rule is a rule of a listener. The default rule has no priority and no match.
type rule struct {
	*object
	listener  *listener
	priority  int
	match     *match
	action    action
	isDefault bool
}

type ruleIn struct {
	listenerIn
	RuleIdentifier string `json:"ruleIdentifier"`
}

type createRuleIn struct {
	listenerIn
	Name     string            `json:"name"`
	Priority int               `json:"priority"`
	Match    *match            `json:"match"`
	Action   action            `json:"action"`
	Tags     map[string]string `json:"tags"`
}

// ruleOut is a rule as answers have it.
type ruleOut struct {
	ARN           string  `json:"arn"`
	ID            string  `json:"id"`
	Name          string  `json:"name"`
	Priority      int     `json:"priority,omitempty"`
	Match         *match  `json:"match,omitempty"`
	Action        *action `json:"action,omitempty"`
	IsDefault     *bool   `json:"isDefault,omitempty"`
	CreatedAt     *stamp  `json:"createdAt,omitempty"`
	LastUpdatedAt *stamp  `json:"lastUpdatedAt,omitempty"`
}

func (r *rule) view() *ruleOut {
	a := r.action
	return &ruleOut{ARN: r.arn, ID: r.id, Name: r.name, Priority: r.priority, Match: r.match, Action: &a, IsDefault: &r.isDefault}
}

// rule finds a rule of a listener.
func (s *Service) rule(c *Call, in ruleIn) (*rule, error) {
	l, err := s.listener(c, in.listenerIn)
	if err != nil {
		return nil, err
	}
	return s.ruleOf(c, l, in.RuleIdentifier)
}

func (s *Service) ruleOf(c *Call, l *listener, identifier string) (*rule, error) {
	r, err := find(s, c, kindRule, s.rules, identifier)
	if err != nil {
		return nil, err
	}
	if r.listener != l {
		return nil, notFound(kindRule, r.id)
	}
	return r, nil
}

// rulesOf are a listener's rules in the order in which they apply: by ascending priority, the default rule last.
func (s *Service) rulesOf(l *listener) []*rule {
	var list []*rule
	for _, r := range s.rules {
		if r.listener == l {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *rule) int {
		switch {
		case a.isDefault:
			return 1
		case b.isDefault:
			return -1
		}
		return cmp.Compare(a.priority, b.priority)
	})
	return list
}

func (s *Service) defaultRule(l *listener) *rule {
	all := s.rulesOf(l)
	return all[len(all)-1]
}

func (s *Service) createRule(c *Call, in *createRuleIn) (*ruleOut, error) {
	l, err := s.listener(c, in.listenerIn)
	if err != nil {
		return nil, err
	}
	if err := l.service.ready(); err != nil {
		return nil, err
	}
	if l.protocol == "TLS_PASSTHROUGH" {
		return nil, invalid("listenerIdentifier", "a TLS_PASSTHROUGH listener has only its default rule")
	}

	others := s.rulesOf(l)
	for _, r := range others {
		switch {
		case r.name == in.Name:
			return nil, s.refused(s.cfg.Assumptions.NameTaken, r.object, "A rule with name "+in.Name+" already exists")
		case r.priority == in.Priority:
			return nil, conflict(kindRule, r.id, "Priority %d is in use by rule %s", in.Priority, r.id)
		}
	}
	if limit := s.cfg.Quotas.RulesPerListener; len(others)-1 >= limit {
		return nil, tooMany(kindListener, l.id, "L-D1EC8FC6", "rules per listener", limit)
	}

	a, err := s.checkAction(c, l.service, l.protocol, in.Action)
	if err != nil {
		return nil, err
	}
	o, err := s.newObject(c, kindRule, l.arn, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}

	r := &rule{object: o, listener: l, priority: in.Priority, match: in.Match, action: a}
	s.rules[r.id] = r
	s.refresh()

	out := r.view()
	out.IsDefault = nil // the model does not have it here
	return out, nil
}

func (s *Service) getRule(c *Call, in *ruleIn) (*ruleOut, error) {
	r, err := s.rule(c, *in)
	if err != nil {
		return nil, err
	}
	out := r.view()
	out.CreatedAt, out.LastUpdatedAt = (*stamp)(&r.created), (*stamp)(&r.updated)
	return out, nil
}

// ruleChange is what an update of a rule says; what is absent stays.
type ruleChange struct {
	Priority int     `json:"priority"`
	Match    *match  `json:"match"`
	Action   *action `json:"action"`
}

type updateRuleIn struct {
	ruleIn
	ruleChange
}

func (s *Service) updateRule(c *Call, in *updateRuleIn) (*ruleOut, error) {
	r, err := s.rule(c, in.ruleIn)
	if err != nil {
		return nil, err
	}
	if err := s.changeRule(c, r, in.ruleChange, nil); err != nil {
		return nil, err
	}
	return r.view(), nil
}

// changeRule changes a rule. moving are the rules whose priorities are about to change as well.
func (s *Service) changeRule(c *Call, r *rule, to ruleChange, moving map[*rule]int) error {
	l := r.listener
	if err := l.service.ready(); err != nil {
		return err
	}
	if r.isDefault {
		return invalid("ruleIdentifier", "the default rule is changed by UpdateListener")
	}

	for _, other := range s.rulesOf(l) {
		priority := other.priority
		if next, moves := moving[other]; moves {
			priority = next
		}
		if other != r && to.Priority != 0 && priority == to.Priority {
			return conflict(kindRule, other.id, "Priority %d is in use by rule %s", to.Priority, other.id)
		}
	}

	if to.Action != nil {
		a, err := s.checkAction(c, l.service, l.protocol, *to.Action)
		if err != nil {
			return err
		}
		r.action = a
	}
	if to.Match != nil {
		r.match = to.Match
	}
	r.priority = cmp.Or(to.Priority, r.priority)
	r.updated = time.Now()
	s.refresh()
	return nil
}

type batchIn struct {
	listenerIn
	Rules []struct {
		RuleIdentifier string `json:"ruleIdentifier"`
		ruleChange
	} `json:"rules"`
}

type ruleFailure struct {
	RuleIdentifier string `json:"ruleIdentifier"`
	FailureCode    string `json:"failureCode"`
	FailureMessage string `json:"failureMessage"`
}

type batchOut struct {
	Successful   []*ruleOut    `json:"successful"`
	Unsuccessful []ruleFailure `json:"unsuccessful"`
}

func (s *Service) batchUpdateRule(c *Call, in *batchIn) (*batchOut, error) {
	l, err := s.listener(c, in.listenerIn)
	if err != nil {
		return nil, err
	}

	// Rules may change places with each other.
	moving := map[*rule]int{}
	for _, change := range in.Rules {
		if r, err := s.ruleOf(c, l, change.RuleIdentifier); err == nil && change.Priority != 0 {
			moving[r] = change.Priority
		}
	}

	out := &batchOut{Successful: []*ruleOut{}, Unsuccessful: []ruleFailure{}}
	for _, change := range in.Rules {
		r, err := s.ruleOf(c, l, change.RuleIdentifier)
		if err == nil {
			err = s.changeRule(c, r, change.ruleChange, moving)
		}
		if err == nil {
			out.Successful = append(out.Successful, r.view())
			continue
		}

		failure := ruleFailure{change.RuleIdentifier, "InternalServerException", err.Error()}
		var known *wire.APIError
		if errors.As(err, &known) {
			failure.FailureCode, failure.FailureMessage = known.Code, known.Message
		}
		out.Unsuccessful = append(out.Unsuccessful, failure)
	}

	return out, nil
}

func (s *Service) deleteRule(c *Call, in *ruleIn) (*empty, error) {
	r, err := s.rule(c, *in)
	if err != nil {
		return nil, err
	}
	if err := r.listener.service.ready(); err != nil {
		return nil, err
	}
	if r.isDefault {
		return nil, conflict(kindRule, r.id, "The default rule cannot be deleted")
	}
	delete(s.rules, r.id)
	s.refresh()
	return &empty{}, nil
}

type listRulesIn struct {
	listenerIn
	paging
}

func (s *Service) listRules(c *Call, in *listRulesIn) (*listed[*ruleOut], error) {
	l, err := s.listener(c, in.listenerIn)
	if err != nil {
		return nil, err
	}

	list := s.rulesOf(l)
	slices.SortFunc(list, func(a, b *rule) int { return cmp.Compare(a.seq, b.seq) })
	return page(s, "rules "+l.id, in.paging, list, func(r *rule) int64 { return r.seq }, func(r *rule) *ruleOut {
		return &ruleOut{
			ARN: r.arn, ID: r.id, Name: r.name, Priority: r.priority, IsDefault: &r.isDefault,
			CreatedAt: (*stamp)(&r.created), LastUpdatedAt: (*stamp)(&r.updated),
		}
	})
}
