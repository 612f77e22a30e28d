// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/datapath"
)

// match is the action of the first rule that a request satisfies.
func (l *listener) match(r *http.Request) types.Action {
	for _, rule := range l.table {
		all := true
		for _, c := range rule.view.Conditions {
			all = all && datapath.Satisfies(r, c)
		}
		if all {
			return rule.view.Actions[0]
		}
	}
	// The default rule has no condition; a listener that is being deleted has
	// no rule.
	return types.Action{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: ptr("503")}}
}

// weighted is the group whose turn it is by weight, spread evenly over time.
func (s *Sim) weighted(groups []types.TargetGroupTuple) string {
	total := 0
	for _, g := range groups {
		total += int(*g.Weight)
	}

	if total == 0 {
		return ""
	}

	s.turn++
	// Stepping by a number prime to most totals mixes the groups well.
	at := int(s.turn * 7919 % int64(total))
	for _, g := range groups {
		at -= int(*g.Weight)
		if at < 0 {
			return *g.TargetGroupArn
		}
	}

	return ""
}
