// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
)

// discover finds the target groups that AWS Gateway API Controller fills for a Service. They go by a name that has the
// cluster in it, which comes back as before.
func (p *Provider) discover(ctx context.Context, ref balancer.Ref, of traits.Discovery, before string) (balancer.Group, error) {
	// That nothing is found, or not all of it is ready, a binding may learn from what others know: it asks again and again, and
	// would have the whole account searched each time.
	begin := p.now()
	g, err := p.find(ctx, ref, of, before, begin.Add(-searchKept), begin.Add(-describedKept))
	if err != nil || before != "" {
		return g, err
	}

	// What is found first opens pods: a group that was made just now must not be missing.
	return p.find(ctx, ref, of, before, begin, begin)
}

// find discovers groups by a search that began no earlier than listed, and by descriptions of them no older than asked.
func (p *Provider) find(ctx context.Context, ref balancer.Ref, of traits.Discovery, before string, listed, asked time.Time) (balancer.Group, error) {
	name := of.String()
	tagged, err := p.tagged(ctx, ref, of, listed)
	if err != nil {
		return balancer.Group{}, err
	}
	caveat, err := keep(tagged, of, before)
	if err != nil {
		return balancer.Group{}, err
	}

	var found []balancer.Group
	var waiting error
	for _, arn := range slices.Sorted(maps.Keys(tagged)) {
		one := ref
		one.Group = arn
		g, err := p.described(ctx, one, asked)
		switch {
		case gone(err), hasCode(err, string(types.TargetGroupStatusCreateFailed)), hasCode(err, string(types.TargetGroupStatusDeleteInProgress)):
			delete(tagged, arn)
		case hasCode(err, string(types.TargetGroupStatusCreateInProgress)):
			waiting = err
		case err != nil:
			return balancer.Group{}, err
		case g.OfPods():
			found = append(found, g)
		}
	}

	all := clusters(tagged)
	if len(all) > 1 {
		return balancer.Group{}, &balancer.CallError{Op: opList, Subject: name, Kind: balancer.ErrInvalid, Text: fmt.Sprintf(
			"several clusters have target groups for a Service %s: say in spec.lattice.clusterName which one is meant: %s", service(of), strings.Join(all, ", "))}
	}

	// Without it a pod would seem to serve in all groups before it is a target in this one. Who has found groups before goes
	// on with those that are left of them.
	if waiting != nil && (before == "" || len(found) == 0) {
		return balancer.Group{}, waiting
	}
	if len(found) == 0 {
		return balancer.Group{}, &balancer.CallError{Op: opList, Subject: name, Kind: balancer.ErrNotFound, Text: fmt.Sprintf(
			"no target group in region %s has the tags that AWS Gateway API Controller gives those of Service %s: is there a route to it or a ServiceExport, and does podgate look in that controller's account and region?",
			p.sessions.Region(ref), service(of))}
	}

	of.Cluster = all[0]
	g := combine(found, of.String())
	g.Caveat, g.Unfinished = strings.TrimSpace(caveat+" "+g.Caveat), waiting != nil
	return g, nil
}

// keep leaves of a Service's target groups those of the cluster whose groups were found before, so that those of another
// cluster with a Service of that namespace and name are neither added to them nor taken for them. It returns what is to be
// said of the others, and an error when only others are left: a binding moves to another cluster when its owner says so.
func keep(tagged map[string]traits.Discovery, of traits.Discovery, before string) (caveat string, err error) {
	last, _ := traits.ParseDiscovery(before)
	all := clusters(tagged)
	if last.Cluster == "" || of.Cluster != "" || len(all) == 0 {
		return "", nil
	}

	maps.DeleteFunc(tagged, func(_ string, s traits.Discovery) bool { return s.Cluster != last.Cluster })
	switch {
	case len(tagged) == 0:
		return "", &balancer.CallError{Op: opList, Subject: of.String(), Kind: balancer.ErrNotFound, Text: fmt.Sprintf(
			"cluster %s, whose target groups for Service %s podgate found before, has none now, and only %s: set spec.lattice.clusterName if that is meant",
			last.Cluster, service(of), only(all))}
	case len(all) == 1:
		return "", nil
	}
	return fmt.Sprintf("Several clusters have target groups for a Service %s: %s. podgate goes on with those of %s, which it found first: say in spec.lattice.clusterName which cluster is meant.",
		service(of), strings.Join(all, ", "), last.Cluster), nil
}

// only says which clusters have target groups.
func only(clusters []string) string {
	if len(clusters) == 1 {
		return "cluster " + clusters[0] + " has"
	}
	return "clusters " + strings.Join(clusters, ", ") + " have"
}

// clusters lists the clusters whose target groups these are.
func clusters(tagged map[string]traits.Discovery) []string {
	all := map[string]bool{}
	for _, s := range tagged {
		all[s.Cluster] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// tagged returns the target groups that are for a Service by their tags, each with what those say, as of some time or later.
func (p *Provider) tagged(ctx context.Context, ref balancer.Ref, of traits.Discovery, since time.Time) (map[string]traits.Discovery, error) {
	all, err := p.search(ctx, ref, since)
	if err != nil {
		return nil, err
	}

	tagged := map[string]traits.Discovery{}
	for arn, s := range all {
		if s.Namespace == of.Namespace && s.Service == of.Service && (of.Cluster == "" || of.Cluster == s.Cluster) {
			tagged[arn] = s
		}
	}
	return tagged, nil
}

// service names the Service for people.
func service(of traits.Discovery) string { return of.Namespace + "/" + of.Service }
