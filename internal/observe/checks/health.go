// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"slices"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/gate"
)

// healths are what the words of a check without an answer mean for a gate; what is not here is Check.NoAnswer.
var healths = map[check.Word]gate.Health{
	check.Waiting:    {State: gate.Unknown, Own: true, Reason: v1alpha1.ReasonCheckWaiting},
	check.LooksBack:  {State: gate.Unknown, Own: true, Reason: v1alpha1.ReasonCheckWaiting},
	check.NotAllowed: {State: gate.Unknown, Own: true, Reason: v1alpha1.ReasonCheckNotAllowed},
	// That nobody approved is known, and is no fault of the pod.
	check.NotApproved: {State: gate.Initial, Reason: v1alpha1.ReasonCheckNotApproved},
}

// health returns what the answer of a check, by whose name it goes, means for a gate for which it is decisive.
func health(name string, a check.Answer) gate.Health {
	if a.Verdict == check.Pass {
		return gate.Health{State: gate.Healthy, Reason: v1alpha1.ReasonChecksPassed}
	}

	h, known := healths[a.Word]
	switch {
	case a.Verdict == check.Fail:
		h = gate.Health{State: gate.Unhealthy, Reason: v1alpha1.ReasonCheckFailed}
	case !known:
		h = gate.Health{State: gate.Unknown, Own: true, Reason: v1alpha1.ReasonCheckNoAnswer}
	}

	h.Description = name + ": " + a.Word.String()
	return h
}

// approved reports whether of answers that pass together none but people's do.
func approved(answers []check.Answer) bool {
	return !slices.ContainsFunc(answers, func(a check.Answer) bool { return a.Verdict == check.Pass && a.Word != check.Approved })
}
