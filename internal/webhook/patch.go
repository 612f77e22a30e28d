// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"slices"
	"strconv"

	"github.com/podgate/podgate/internal/injection"
)

const gatesPath = "/spec/readinessGates"

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// gate is an entry of spec.readinessGates.
type gate struct {
	ConditionType string `json:"conditionType"`
}

// patch turns a plan for p into operations on its readiness gates. Entries that stay are
// never rewritten, whatever fields they have.
func patch(p pod, plan injection.Plan) []operation {
	if len(p.Spec.ReadinessGates) == 0 {
		return patchNone(plan)
	}
	var ops []operation
	for _, i := range slices.Backward(plan.Remove) {
		ops = append(ops, operation{Op: "remove", Path: gatesPath + "/" + strconv.Itoa(i)})
	}
	for _, t := range plan.Add {
		ops = append(ops, operation{Op: "add", Path: gatesPath + "/-", Value: gate{ConditionType: t}})
	}
	return ops
}

// patchNone sets the whole list, for a pod where it is absent, null or empty.
func patchNone(plan injection.Plan) []operation {
	if len(plan.Add) == 0 {
		return nil
	}
	gates := make([]gate, len(plan.Add))
	for i, t := range plan.Add {
		gates[i].ConditionType = t
	}
	return []operation{{Op: "add", Path: gatesPath, Value: gates}}
}
