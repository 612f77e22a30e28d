// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
)

// unreached tells of rules that no request reaches, since at each listener one before them takes all their requests.
func (b *builder) unreached(listeners []elb.Listener) {
	reached := map[string]bool{}
	for _, l := range listeners {
		for i, r := range l.Rules {
			if taker(l.Rules[:i], r) == nil {
				reached[ruleKey(r)] = true
			}
		}
	}

	for _, l := range listeners {
		for i, r := range l.Rules {
			if reached[ruleKey(r)] {
				continue
			}
			first := taker(l.Rules[:i], r)
			for _, m := range b.members {
				if m.Owner == r.Owner {
					m.Notice(v1alpha1.ReasonNoEffect, "%s is never reached, since %s of Ingress %s is before it: change the order of the paths, or group.order", ruleName(r.Match), ruleName(first.Match), first.Owner)
				}
			}
		}
	}
}

func ruleKey(r elb.Rule) string { return fmt.Sprintf("%s %q", r.Owner, r.Match) }

// taker is the first of the rules that takes all requests of another one; nil: none does.
func taker(rules []elb.Rule, r elb.Rule) *elb.Rule {
	for i := range rules {
		if first := &rules[i]; !first.Kept && !r.Kept && first.Match.Covers(r.Match) {
			return first
		}
	}
	return nil
}
