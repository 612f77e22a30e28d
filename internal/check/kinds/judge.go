// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/prometheus"
	"github.com/podgate/podgate/internal/check/resource"
)

// Judge says whether a ReadinessGate can be served, by a reason of its condition Ready, and a message that names the checks which
// cannot be asked. An error means that it cannot be told now.
func (m Maker) Judge(ctx context.Context, g *v1alpha1.ReadinessGate) (reason, message string, err error) {
	return judge(ctx, g, m.try(ctx, g))
}

// judge is the same of checks that were tried to make.
func judge(ctx context.Context, g *v1alpha1.ReadinessGate, all []attempt) (reason, message string, err error) {
	reason = v1alpha1.ReasonServing
	var wrong []string
	for i, made := range all {
		err := made.err
		if checker, ofObjects := made.Checker.(resource.Checker); ofObjects {
			err = access(ctx, checker, &g.Spec.Checks[i])
		}
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
		case errors.Is(err, errNoAccess):
			found = v1alpha1.ReasonNoAccess
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

// errNoAccess means that nobody may read what a check looks at.
var errNoAccess = errors.New("no access")

// access returns errNoAccess where a check cannot read what it looks at.
func access(ctx context.Context, r resource.Checker, c *v1alpha1.Check) error {
	word, err := r.Access(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errUnknown, err)
	case word == check.NotAllowed:
		return fmt.Errorf("check %s: %w: the ServiceAccount %s may not read the object", c.Name, errNoAccess, c.Resource.ServiceAccountName)
	case word != (check.Word{}):
		return fmt.Errorf("check %s: %w: %s", c.Name, errNoAccess, word)
	}
	return nil
}
