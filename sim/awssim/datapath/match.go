// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// match is the action of the first rule that a request satisfies.
func (k *Socket) match(r *http.Request) types.Action {
	for _, rule := range k.rules {
		all := true
		for _, c := range rule.Conditions {
			all = all && satisfies(r, c)
		}
		if all {
			return rule.Actions[0]
		}
	}

	// The default rule has no condition; a listener that is being deleted has
	// no rule.
	return types.Action{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: new("503")}}
}

// weighted is the group of a forward action whose turn it is by weight; nil when there is none.
func (p *Path) weighted(groups []types.TargetGroupTuple) *Routes {
	weights := make([]Weight, 0, len(groups))
	for _, g := range groups {
		weights = append(weights, Weight{*g.TargetGroupArn, int(*g.Weight)})
	}
	return p.choose(weights)
}

// choose is the group whose turn it is by weight, spread evenly over time; nil when there is none.
func (p *Path) choose(groups []Weight) *Routes {
	total := 0
	for _, g := range groups {
		total += g.Weight
	}

	if total == 0 {
		return nil
	}

	p.turn++
	// Stepping by a number prime to most totals mixes the groups well.
	at := int(p.turn * 7919 % int64(total))
	for _, g := range groups {
		at -= g.Weight
		if at < 0 {
			return p.groups[g.Group]
		}
	}

	return nil
}
