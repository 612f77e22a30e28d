// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// patienceWithGroups is how long the deletion of an Ingress waits for a security group that something uses.
const patienceWithGroups = 10 * time.Minute

// settle lets go of Ingresses that left and have nothing more at AWS, and of bindings whose target groups are gone.
func (p *pass) settle(ctx context.Context) error {
	if err := p.bindings.sweep(ctx, p.seen, p.now()); err != nil {
		return err
	}

	var errs []error
	for _, m := range p.members {
		if m.standing != leaving {
			continue
		}
		if p.left(m) {
			continue
		}
		if err := letGo(ctx, p.client, m.Object, p.group, m.abandoned); err != nil {
			errs = append(errs, err)
			continue
		}
		p.log.Info("Let go of an object", strings.ToLower(nounOf(m.Object)), m.owner())
	}
	return errors.Join(errs...)
}

// left reports whether there may be something of an Ingress that left. The last one of a group has all that there is, but for a
// security group that AWS does not let go of: what uses it may be anybody's.
func (p *pass) left(m member) bool {
	if p.deserted() {
		held := len(p.seen.SecurityGroups) > 0
		if at := m.GetDeletionTimestamp(); held && at != nil && p.now().Sub(at.Time) >= patienceWithGroups {
			held = false
			p.log.Info("Left a security group behind, which something else uses", strings.ToLower(nounOf(m.Object)), m.owner(), "group", p.seen.SecurityGroups[0].ID)
		}
		return len(p.seen.LoadBalancers)+len(p.seen.TargetGroups) > 0 || held || p.doubtful() > 0
	}
	return p.hasRules(m.owner())
}

// deserted reports whether all that there is of the group goes, which is read again each time: what holds it up, such as a
// protected load balancer, a person puts right at AWS, and nobody may let go of what was only not listed.
func (p *pass) deserted() bool {
	return !slices.ContainsFunc(p.members, func(m member) bool { return m.standing == active || m.standing == kept })
}
