// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/plural"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// LoadBalancer is what is known of the load balancer of a group of Ingresses, or of a Service.
type LoadBalancer struct {
	// Kind is that of what asks for it: Ingress or Service.
	Kind string `json:"kind"`
	// Group is the group's name, or that of the only Ingress or the Service as namespace/name.
	Group string `json:"group"`
	// Members are its Ingresses in the order in which their rules apply, or the Service. Rules counts the rules of Ingresses on all
	// listeners, without those of Ingresses that cannot be served as they are.
	Members []GroupMember `json:"members"`
	Rules   int           `json:"rules"`
	// Listeners are those of a Service's, such as TCP:80.
	Listeners []string `json:"listeners,omitempty"`
	Hostname  string   `json:"hostname,omitempty"`
	// State is the reason of the event that says how it is, or Published, Refused, Deleting or Unreported. Message is the event's.
	State   string       `json:"state"`
	Message string       `json:"message,omitempty"`
	Since   *metav1.Time `json:"since,omitempty"`
	Next    string       `json:"next"`
}

// loadBalancers finds those that have an Ingress or a Service of the namespace.
func (s *Status) loadBalancers(ctx context.Context, r *snapshot) error {
	// Who has no load balancers is not bothered with what may not be read of them.
	var unknown gaps
	all, err := readIngresses(ctx, r, s.Installation, s.namespace, &unknown)
	if err != nil || !all.asked.on {
		return err
	}
	if err := s.ofIngresses(ctx, r, all); err != nil {
		return err
	}
	if err := s.ofServices(ctx, r, all.asked, &unknown); err != nil {
		return err
	}
	if len(s.LoadBalancers) > 0 || all.asked.known {
		s.Unknown = append(s.Unknown, unknown...)
	}
	return nil
}

// ofIngresses finds the load balancers of Ingresses.
func (s *Status) ofIngresses(ctx context.Context, r *snapshot, all *ingresses) error {
	var keys []routes.Key
	for i := range all.all {
		ing := &all.all[i]
		if all.serves(ing) && all.asked.serves(ing.Namespace) && (s.namespace == "" || ing.Namespace == s.namespace) && !slices.Contains(keys, all.groupOf(ing)) {
			keys = append(keys, all.groupOf(ing))
		}
	}
	if len(keys) == 0 {
		return nil
	}

	// The events of other namespaces may not be readable, and those of one member tell how the load balancer is.
	events, err := balancerEvents(ctx, r, kindIngress, s.namespace)
	if err := all.unknown.forgive(err, "what load balancers of Ingresses wait for"); err != nil {
		return err
	}
	for _, key := range keys {
		g, err := all.group(ctx, key)
		if err != nil {
			return err
		}
		b := LoadBalancer{Kind: kindIngress, Group: routes.StackOf(key), Members: g.members, Hostname: g.hostname()}
		for _, l := range g.stack.Listeners {
			for _, rule := range l.Rules {
				if !rule.Kept {
					b.Rules++
				}
			}
		}

		var said []BalancerEvent
		for _, ing := range g.ingresses {
			said = append(said, events[ing.UID]...)
		}
		b.stands(newest(said))
		s.LoadBalancers = append(s.LoadBalancers, b)
	}
	slices.SortFunc(s.LoadBalancers, func(a, b LoadBalancer) int { return strings.Compare(a.Group, b.Group) })
	return nil
}

// ofServices finds the load balancers of Services.
func (s *Status) ofServices(ctx context.Context, r *snapshot, asked ingressFlags, unknown *gaps) error {
	var list corev1.ServiceList
	if err := r.List(ctx, &list, client.InNamespace(s.namespace)); err != nil {
		return unknown.forgive(err, "what load balancers there are for Services")
	}
	all := slices.DeleteFunc(list.Items, func(svc corev1.Service) bool { return !asked.takes(&svc) })
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b corev1.Service) int { return compare(a.Namespace, b.Namespace, a.Name, b.Name) })

	events, err := balancerEvents(ctx, r, kindService, s.namespace)
	if err := unknown.forgive(err, "what load balancers of Services wait for"); err != nil {
		return err
	}
	for i := range all {
		svc := &all[i]
		m := GroupMember{Namespace: svc.Namespace, Name: svc.Name, Leaving: !svc.DeletionTimestamp.IsZero()}
		b := LoadBalancer{Kind: kindService, Group: m.owner(), Hostname: hostnameOfService(svc)}
		if !m.Leaving {
			stack, problems := balance(svc, asked.settings)
			m.Problems = problems
			for _, l := range stack.Listeners {
				b.Listeners = append(b.Listeners, fmt.Sprintf("%s:%d", l.Protocol, l.Port))
			}
		}
		b.Members = []GroupMember{m}
		b.stands(newest(events[svc.UID]))
		s.LoadBalancers = append(s.LoadBalancers, b)
	}
	return nil
}

// stands says how a load balancer is, by what podgate told last.
func (b *LoadBalancer) stands(said *BalancerEvent) {
	unfit := func(unfit func(GroupMember) bool) bool {
		return !slices.ContainsFunc(b.Members, func(m GroupMember) bool { return !unfit(m) })
	}
	switch {
	case unfit(func(m GroupMember) bool { return m.Leaving }):
		b.State, b.Next = StateDeleting, "wait"
	case unfit(func(m GroupMember) bool { return m.Leaving || refusal(m.Problems) != nil }):
		b.State, b.Next = StateRefused, "correct its Ingresses; explain ingress says how"
		if b.Kind == kindService {
			b.Next = "correct the Service; explain service says how"
		}
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

// problems counts those of what asks for a load balancer.
func (b LoadBalancer) problems() int {
	n := 0
	for _, m := range b.Members {
		n += len(m.Problems)
	}
	return n
}

// writeLoadBalancers writes nothing where there are none: they are for Ingresses and Services alone.
func (s *Status) writeLoadBalancers(p *paper) {
	s.writeBalancersOf(p, kindIngress, "LOAD BALANCERS of Ingresses", []string{"GROUP", "INGRESSES", "RULES"})
	s.writeBalancersOf(p, kindService, "LOAD BALANCERS of Services", []string{"SERVICE", "LISTENERS"})
}

// writeBalancersOf writes the load balancers of objects of a kind.
func (s *Status) writeBalancersOf(p *paper, kind, title string, headings []string) {
	headings = append(headings, "PROBLEMS", "STATE", "HOSTNAME")
	if p.wide {
		headings = append(headings, "MESSAGE", "NEXT")
	}

	var rows [][]string
	for _, b := range s.LoadBalancers {
		if b.Kind != kind {
			continue
		}
		row := []string{b.Group, b.askedBy(), fmt.Sprint(b.Rules)}
		if kind == kindService {
			row = []string{b.Group, or(strings.Join(b.Listeners, ", "))}
		}
		row = append(row, fmt.Sprint(b.problems()), b.State, or(b.Hostname))
		if p.wide {
			row = append(row, or(b.Message), b.Next)
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		p.printf("\n%s\n", p.paint(bold, title))
		p.table(headings, rows)
	}
}

// mostNamed is how many Ingresses of a group are named in a cell.
const mostNamed = 3

// serves names the listeners of a Service's load balancer, and counts the rules of one of Ingresses.
func (b LoadBalancer) serves() string {
	if b.Kind == kindService {
		return strings.Join(b.Listeners, ", ")
	}
	return plural.Count(b.Rules, "rule")
}

// askedBy names what asks for a load balancer.
func (b LoadBalancer) askedBy() string {
	if b.Kind == kindService {
		return "Service " + b.Group
	}
	var names []string
	for _, m := range b.Members[:min(len(b.Members), mostNamed)] {
		names = append(names, m.owner())
	}
	if more := len(b.Members) - mostNamed; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
