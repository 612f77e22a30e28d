// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
)

// judge notes what is wrong with the classes of the members.
func (p *pass) judge() {
	for _, m := range p.members {
		if m.class.Notice != "" {
			p.note(m.owner(), corev1.EventTypeWarning, v1alpha1.ReasonClassConflict, m.class.Notice)
		}
		if m.standing == kept || m.standing == refused {
			p.refused++
			p.note(m.owner(), corev1.EventTypeWarning, v1alpha1.ReasonClassNotUsable, m.class.Refused)
		}
	}
}

// say notes what the plan waits for and what it refuses.
func (p *pass) say(plan elb.Plan) {
	for _, w := range plan.Waits {
		p.noteAll(w.Owner, corev1.EventTypeNormal, v1alpha1.ReasonLoadBalancerWaiting, w.Message)
	}
	for _, refusal := range plan.Refusals {
		p.noteAll(refusal.Owner, corev1.EventTypeWarning, v1alpha1.ReasonLoadBalancerHeld, refusal.Message)
	}
	p.state = stateReady
	if len(plan.Waits) > 0 {
		p.state = stateWaiting
	}
}

// blame tells the owners of what failed, and returns it.
func (p *pass) blame() error {
	var all []error
	for owner, err := range p.culprits {
		p.noteAll(owner, corev1.EventTypeWarning, v1alpha1.ReasonLoadBalancerFailed, err.Error())
		all = append(all, err)
	}
	if len(all) > 0 {
		p.state = stateFailing
	}
	return errors.Join(all...)
}

// failed notes what ended the pass.
func (p *pass) failed(err error) {
	p.state = stateFailing
	// That somebody wrote an Ingress in between, or that a cache was behind, is over at the next try.
	passing := errors.Is(err, context.Canceled) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
	if p.culprits == nil && !passing {
		p.noteAll("", corev1.EventTypeWarning, v1alpha1.ReasonLoadBalancerFailed, err.Error())
	}
}

func (p *pass) note(owner, kind, reason, message string) {
	p.notes[owner] = append(p.notes[owner], note{kind, reason, message})
}

// noteAll notes something of an owner, or where there is none of all members that the stack has something of.
func (p *pass) noteAll(owner, kind, reason, message string) {
	for _, m := range p.members {
		if m.owner() == owner || owner == "" && m.standing != refused && m.standing != guest {
			p.note(m.owner(), kind, reason, message)
		}
	}
}

// tell makes events of what was noted.
func (p *pass) tell() {
	for _, m := range p.members {
		for _, n := range p.teller.tell(p.group, m.Object, p.notes[m.owner()]) {
			p.log.Info("Reported on an object", strings.ToLower(nounOf(m.Object)), m.owner(), "reason", n.reason, "message", n.message)
		}
	}
}
