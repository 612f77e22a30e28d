// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	routes "github.com/podgate/podgate/internal/route/ingress"
)

// LoadBalancer is what is known of the load balancer of a group of Ingresses.
type LoadBalancer struct {
	// Group is the group's name, or that of the only Ingress as namespace/name.
	Group string `json:"group"`
	// Members are its Ingresses in the order in which their rules apply. Rules counts their rules on all listeners, without those
	// of Ingresses that cannot be served as they are.
	Members  []GroupMember `json:"members"`
	Rules    int           `json:"rules"`
	Hostname string        `json:"hostname,omitempty"`
	// State is the reason of the event that says how it is, or Published, Refused, Deleting or Unreported. Message is the event's.
	State   string       `json:"state"`
	Message string       `json:"message,omitempty"`
	Since   *metav1.Time `json:"since,omitempty"`
	Next    string       `json:"next"`
}

// loadBalancers finds those that have an Ingress of the namespace.
func (s *Status) loadBalancers(ctx context.Context, r *snapshot) error {
	// Who has no load balancers of Ingresses is not bothered with what may not be read of them.
	var unknown gaps
	all, err := readIngresses(ctx, r, s.Installation, s.namespace, &unknown)
	if err != nil || !all.asked.on {
		return err
	}
	var keys []routes.Key
	for i := range all.all {
		ing := &all.all[i]
		if all.serves(ing) && all.asked.serves(ing.Namespace) && (s.namespace == "" || ing.Namespace == s.namespace) && !slices.Contains(keys, all.groupOf(ing)) {
			keys = append(keys, all.groupOf(ing))
		}
	}
	if len(keys) > 0 || all.asked.known {
		defer func() { s.Unknown = append(s.Unknown, unknown...) }()
	}
	if len(keys) == 0 {
		return nil
	}

	// The events of other namespaces may not be readable, and those of one member tell how the load balancer is.
	events, err := ingressEvents(ctx, r, s.namespace)
	if err := unknown.forgive(err, "what load balancers of Ingresses wait for"); err != nil {
		return err
	}
	for _, key := range keys {
		g, err := all.group(ctx, key)
		if err != nil {
			return err
		}
		b := LoadBalancer{Group: routes.StackOf(key), Members: g.members, Hostname: g.hostname()}
		for _, l := range g.stack.Listeners {
			for _, rule := range l.Rules {
				if !rule.Kept {
					b.Rules++
				}
			}
		}

		var said []IngressEvent
		for _, ing := range g.ingresses {
			said = append(said, events[ing.UID]...)
		}
		b.stands(newest(said))
		s.LoadBalancers = append(s.LoadBalancers, b)
	}
	slices.SortFunc(s.LoadBalancers, func(a, b LoadBalancer) int { return strings.Compare(a.Group, b.Group) })
	return nil
}

// stands says how a load balancer is, by what podgate told last.
func (b *LoadBalancer) stands(said *IngressEvent) {
	unfit := func(unfit func(GroupMember) bool) bool {
		return !slices.ContainsFunc(b.Members, func(m GroupMember) bool { return !unfit(m) })
	}
	switch {
	case unfit(func(m GroupMember) bool { return m.Leaving }):
		b.State, b.Next = StateDeleting, "wait"
	case unfit(func(m GroupMember) bool { return m.Leaving || m.refused() }):
		b.State, b.Next = StateRefused, "correct its Ingresses; explain ingress says how"
	case b.Hostname != "":
		b.State, b.Next = StatePublished, "nothing to do"
	default:
		b.State, b.Next = StateUnreported, "find out whether podgate runs: it has said nothing of late"
	}
	if said == nil || b.State == StateRefused {
		return
	}
	b.Message, b.Since = said.Message, &said.At
	if b.State != StateDeleting {
		b.State, b.Next = said.Reason, said.next()
	}
}

// problems counts those of a load balancer's Ingresses.
func (b LoadBalancer) problems() int {
	n := 0
	for _, m := range b.Members {
		n += len(m.Problems)
	}
	return n
}

// writeLoadBalancers writes nothing where there are none: they are for Ingresses alone.
func (s *Status) writeLoadBalancers(p *paper) {
	if len(s.LoadBalancers) == 0 {
		return
	}

	headings := []string{"GROUP", "INGRESSES", "RULES", "PROBLEMS", "STATE", "HOSTNAME"}
	if p.wide {
		headings = append(headings, "MESSAGE", "NEXT")
	}
	var rows [][]string
	for _, b := range s.LoadBalancers {
		row := []string{b.Group, b.ingresses(), fmt.Sprint(b.Rules), fmt.Sprint(b.problems()), b.State, or(b.Hostname)}
		if p.wide {
			row = append(row, or(b.Message), b.Next)
		}
		rows = append(rows, row)
	}
	p.printf("\n%s\n", p.paint(bold, "LOAD BALANCERS of Ingresses"))
	p.table(headings, rows)
}

// mostNamed is how many Ingresses of a group are named in a cell.
const mostNamed = 3

func (b LoadBalancer) ingresses() string {
	var names []string
	for _, m := range b.Members[:min(len(b.Members), mostNamed)] {
		names = append(names, m.owner())
	}
	if more := len(b.Members) - mostNamed; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
