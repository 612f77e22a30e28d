// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"errors"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/prometheus"
)

// Judge says whether a ReadinessGate can be served, by a reason of its condition Ready, and a message that names the checks which
// cannot be asked. An error means that it cannot be told now.
func (m Maker) Judge(ctx context.Context, g *v1alpha1.ReadinessGate) (reason, message string, err error) {
	reason = v1alpha1.ReasonServing
	var wrong []string
	for i := range g.Spec.Checks {
		_, err := m.Check(ctx, g, &g.Spec.Checks[i])
		switch {
		case err == nil:
			continue
		case errors.Is(err, errUnknown):
			return "", "", err
		}

		// What its author has to correct comes first, whatever administrators allow and name.
		found := v1alpha1.ReasonInvalidSpec
		switch {
		case errors.Is(err, network.ErrNotAllowed):
			found = v1alpha1.ReasonNotAllowed
		case errors.Is(err, prometheus.ErrNoSuchServer):
			found = v1alpha1.ReasonNoSuchServer
		}
		if reason == v1alpha1.ReasonServing || found == v1alpha1.ReasonInvalidSpec {
			reason = found
		}
		wrong = append(wrong, err.Error())
	}

	if len(wrong) > 0 {
		return reason, strings.Join(wrong, "; "), nil
	}
	if g.Spec.DryRun {
		return reason, "A dry run: new pods get no gate, and pods that have it are released.", nil
	}
	return reason, "podgate asks the checks and writes the gates.", nil
}
