// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/instance"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/membership"
)

// Where a group's targets are instances, nodes take the place of pods in its population. Everything after that is the same:
// plans, guards, records, and who else's targets are left alone.

// errNodesUnknown says that nobody knows yet which nodes there are, so that no target may go, nor may any be missed.
var errNodesUnknown = errors.New("the cluster's nodes are not known")

// ofNodes reports whether the targets of a binding's group are nodes that podgate registers.
func (r *Reconciler) ofNodes(b *binding.Binding, g balancer.Group) bool {
	return g.OfNodes() && r.drivers.Of(g.Ref.Provider).Nodes && !b.External
}

// fills reports whether podgate registers, or observes, the targets of a binding's group.
func (r *Reconciler) fills(b *binding.Binding, g balancer.Group) bool {
	return g.OfPods() || r.ofNodes(b, g)
}

// withoutNodes handles a binding whose nodes are not known: in a moment they are, or podgate may not read them.
func (r *Reconciler) withoutNodes(ctx context.Context, b *binding.Binding, unwritten error) (reconcile.Result, error) {
	if r.nodes.awaited(r.now()) {
		return r.written(ctx, reconcile.Result{RequeueAfter: readyAgain}, unwritten), nil
	}
	return r.written(ctx, reconcile.Result{RequeueAfter: resolveSoon}, unwritten), r.report.ready(ctx, b, nodesNotRead)
}

// nodesNotRead says that podgate cannot find out which nodes there are.
var nodesNotRead = verdict{
	reason:  v1alpha1.ReasonNodesNotRead,
	message: "The target group's targets are nodes, and podgate cannot read those of this cluster, so it changes nothing: allow it to list and watch nodes.",
}

// nodeSelector returns what a node's labels must match for a binding; what is wrong when that cannot be read.
func nodeSelector(b *binding.Binding) (labels.Selector, *verdict) {
	if b.NodeSelector == nil {
		return labels.Everything(), nil
	}
	selector, err := metav1.LabelSelectorAsSelector(b.NodeSelector)
	if err != nil {
		return nil, &verdict{reason: v1alpha1.ReasonInvalidRequest, message: sentence(fmt.Sprintf("spec.nodeSelector cannot be used, so nothing is changed: %v", err))}
	}
	return selector, nil
}

// nodePopulation is the population of a group of nodes: those that should be in it, and those that are there.
func (r *Reconciler) nodePopulation(ctx context.Context, b *binding.Binding, group balancer.Group, observed map[gate.Target]gate.Health, rec *lbc.Record, known *history) (population, error) {
	if !r.nodes.known() {
		return population{}, errNodesUnknown
	}

	svc, trouble, err := r.findService(ctx, b)
	if err != nil {
		return population{}, err
	}

	port, caveat := int32(0), ""
	if trouble == nil {
		port, trouble = nodePort(svc, group, b.ServiceRef)
		caveat = binding.NodeChecks(svc, group)
	}
	r.states.update(b.Key(), func(s *state) { s.service.caveat = caveat })

	rules, err := r.nodeRules(ctx, b, svc)
	if err != nil {
		return population{}, err
	}

	found, skipped := instance.Select(r.nodes.all(), rules)
	c := nodeCensus{
		population: population{nodes: map[gate.Target]string{}, record: rec, service: svc, missing: true, trouble: trouble, skipped: skipped},
		port:       port, observed: byInstance(observed), known: known,
	}

	for _, n := range found {
		c.add(n)
	}
	c.addGone(found)

	return c.population, nil
}

// nodeRules returns which nodes a binding wants.
func (r *Reconciler) nodeRules(ctx context.Context, b *binding.Binding, svc *corev1.Service) (instance.Rules, error) {
	selector, wrong := nodeSelector(b)
	if wrong != nil {
		selector = labels.Everything() // Only what a deleted binding registered is to be found then.
	}

	rules := instance.Rules{Selector: selector, Notice: func(n *disruption.Node) disruption.Notice { return r.nodes.notice(n.Name) }}
	if settings, _ := b.Settings(); !settings.Hosting || svc == nil || len(svc.Spec.Selector) == 0 {
		return rules, nil
	}

	pods, err := index.PodsOf(ctx, r.client, svc)
	if err != nil {
		return instance.Rules{}, err
	}

	rules.Hosts = binding.Hosts(pods)
	return rules, nil
}

// nodePort returns the port of all nodes that is registered, or why there is none.
func nodePort(svc *corev1.Service, group balancer.Group, ref v1alpha1.ServiceReference) (int32, *verdict) {
	port, err := binding.NodePort(svc, group, ref)
	if err == nil {
		return port, nil
	}
	reason := v1alpha1.ReasonPortNotFound
	if missing := (*binding.NoNodePortError)(nil); errors.As(err, &missing) {
		reason = v1alpha1.ReasonNoNodePort
	}
	return 0, &verdict{reason: reason, message: err.Error() + "."}
}

// byInstance sorts a group's targets by their instances.
func byInstance(observed map[gate.Target]gate.Health) map[string][]gate.Target {
	found := map[string][]gate.Target{}
	for t := range observed {
		found[t.Instance] = append(found[t.Instance], t)
	}
	return found
}

// nodeCensus is a population while its nodes are counted.
type nodeCensus struct {
	population
	// port is that of the targets; 0 when the Service has none.
	port int32
	// observed are the group's targets by their instances, and known is what this process has seen of them.
	observed map[string][]gate.Target
	known    *history
}

// add counts one node.
func (c *nodeCensus) add(n instance.Node) {
	own := gate.Target{}
	if n.Wanted && c.port != 0 {
		own = gate.Target{Instance: n.ID, Port: c.port}
		c.member(own, n, true)
		c.missing = c.missing && n.Ends
	}

	// What the group holds of this node already goes when the others serve: a label that is gone by mistake, or another
	// port, must not empty it.
	for _, t := range c.observed[n.ID] {
		if t != own && c.record.Owns(t) {
			c.member(t, n, false)
		}
	}
}

// member adds a node's target.
func (c *nodeCensus) member(t gate.Target, n instance.Node, wanted bool) {
	c.members = append(c.members, membership.Member{Target: t, Wanted: wanted, Ready: n.Ready && !n.Dead, Serving: n.Ready && !n.Dead, Terminating: n.Ends})
	c.nodes[t] = n.Name
}

// addGone counts the targets of nodes that are gone. Their instances may serve on for a moment, or for longer when
// somebody deleted the nodes by mistake, so that the last that serves stays.
func (c *nodeCensus) addGone(there []instance.Node) {
	for _, n := range there {
		delete(c.observed, n.ID)
	}
	for _, targets := range c.observed {
		for _, t := range targets {
			if c.known.saw(t) && c.record.Owns(t) {
				c.members = append(c.members, membership.Member{Target: t, Ready: true, Terminating: true})
			}
		}
	}
}

// mostNamed is how many nodes an event names.
const mostNamed = 3

// skipped reports by an event which nodes of a binding have no instance, when that changes.
func (r *reporter) skipped(b *binding.Binding, nodes []string) {
	now, news := strings.Join(nodes, ","), false
	r.states.report(b, func(known *reported) { news, known.skipped = known.skipped != now, now })
	if !news || len(nodes) == 0 {
		return
	}

	who := "node " + nodes[0] + " is"
	if len(nodes) > 1 {
		who = strings.Join(nodes[:min(len(nodes), mostNamed)], ", ")
		if more := len(nodes) - mostNamed; more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		who = "nodes " + who + " are"
	}
	r.recorder.Eventf(b.Object, nil, corev1.EventTypeWarning, v1alpha1.ReasonNodeWithoutInstance, "Register",
		"The %s not registered, because spec.providerID has no instance of EC2. All others are registered. If that is meant, label them %s.", who, instance.LabelExclude)
}
