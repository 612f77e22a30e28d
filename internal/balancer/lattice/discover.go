// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	"github.com/podgate/podgate/api/gwc"
	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
)

const opTags = "list tags of target group"

const (
	// tagsKept is how long it is remembered which Service a group's tags name. AWS Gateway API Controller gives
	// a group its tags when it makes it, and finds it by them, so they change by a person's hand only.
	tagsKept = 10 * time.Minute
	// maxTags is how many groups' tags one search reads, so that it neither floods the API nor holds its caller
	// for long; the next one goes on.
	maxTags = 50
)

// discover finds the target groups that AWS Gateway API Controller fills for a Service. They go by a name that has the
// cluster in it, which comes back as before.
func (p *Provider) discover(ctx context.Context, ref balancer.Ref, of traits.Discovery, before string) (balancer.Group, error) {
	name := of.String()
	tagged, err := p.tagged(ctx, ref, of, name)
	if err != nil {
		return balancer.Group{}, err
	}
	caveat := keep(tagged, of, before)

	var found []balancer.Group
	var waiting error
	for _, arn := range slices.Sorted(maps.Keys(tagged)) {
		one := ref
		one.Group = arn
		g, err := p.describe(ctx, one)
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
	if len(found) == 0 && waiting != nil {
		return balancer.Group{}, waiting
	}
	if len(found) == 0 {
		return balancer.Group{}, &balancer.CallError{Op: opList, Subject: name, Kind: balancer.ErrNotFound, Text: fmt.Sprintf(
			"no target group in region %s has the tags that AWS Gateway API Controller gives those of Service %s: is there a route to it or a ServiceExport, and does podgate look in that controller's account and region?",
			p.sessions.Region(ref), service(of))}
	}

	of.Cluster = all[0]
	g := combine(found, of.String())
	g.Caveat = strings.TrimSpace(caveat + " " + g.Caveat)
	return g, nil
}

// keep leaves of a Service's target groups those of the cluster whose groups were found before, so that a second cluster
// that begins to have groups for a Service of that namespace and name takes none away. It returns what is to be said of
// the others; nothing is left out when there are none, or when none of the groups is of the cluster from before.
func keep(tagged map[string]traits.Discovery, of traits.Discovery, before string) (caveat string) {
	last, known := traits.ParseDiscovery(before)
	all := clusters(tagged)
	if !known || len(all) < 2 || !slices.Contains(all, last.Cluster) {
		return ""
	}

	maps.DeleteFunc(tagged, func(_ string, s traits.Discovery) bool { return s.Cluster != last.Cluster })
	return fmt.Sprintf("Several clusters have target groups for a Service %s: %s. podgate goes on with those of %s, which it found first: say in spec.lattice.clusterName which cluster is meant.",
		service(of), strings.Join(all, ", "), last.Cluster)
}

// clusters lists the clusters whose target groups these are.
func clusters(tagged map[string]traits.Discovery) []string {
	all := map[string]bool{}
	for _, s := range tagged {
		all[s.Cluster] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// tagged returns the target groups that are for a Service by their tags, each with what those say.
func (p *Provider) tagged(ctx context.Context, ref balancer.Ref, of traits.Discovery, subject string) (map[string]traits.Discovery, error) {
	all, err := p.list(ctx, ref, subject)
	if err != nil {
		return nil, err
	}

	tagged := map[string]traits.Discovery{}
	asked, left := 0, false
	for _, g := range all {
		if g.Type != types.TargetGroupTypeIp || g.Arn == nil {
			continue
		}

		one := ref
		one.Group = *g.Arn
		s, known := p.tags.get(one)
		if !known && asked == maxTags {
			left = true
			continue
		}

		if !known {
			asked++
			s, err = p.ask(ctx, one)
			if err != nil && !gone(err) { // It may have been deleted after it was listed.
				return nil, err
			}
		}

		if s.Namespace == of.Namespace && s.Service == of.Service && (of.Cluster == "" || of.Cluster == s.Cluster) {
			tagged[*g.Arn] = s
		}
	}

	if left {
		return nil, &balancer.CallError{Op: opTags, Subject: subject, Kind: balancer.ErrNotReady, Text: "the account has many target groups, and their tags are still being read"}
	}
	return tagged, nil
}

// ask reads the tags of one target group, and remembers what they say.
func (p *Provider) ask(ctx context.Context, ref balancer.Ref) (traits.Discovery, error) {
	c := p.sessions.Connection(ref)
	out, err := podaws.Call(ctx, c, opTags, ref.Group, c.API.ListTagsForResource, &vpclattice.ListTagsForResourceInput{ResourceArn: aws.String(ref.Group)})
	if err != nil {
		return traits.Discovery{}, whose(err, ref)
	}

	s := traits.Discovery{Namespace: out.Tags[gwc.TagServiceNamespace], Service: out.Tags[gwc.TagServiceName], Cluster: out.Tags[gwc.TagClusterName]}
	p.tags.put(ref, s)
	return s, nil
}

// service names the Service for people.
func service(of traits.Discovery) string { return of.Namespace + "/" + of.Service }

// memory holds for which Service groups are, as one role was told. Its zero value is empty.
type memory struct {
	mu sync.Mutex
	of map[balancer.Ref]remembered
}

type remembered struct {
	traits.Discovery
	at time.Time
}

func (m *memory) get(ref balancer.Ref) (traits.Discovery, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.of[ref]
	return r.Discovery, known && time.Since(r.at) < tagsKept
}

// put adds an entry, and takes out those that are too old.
func (m *memory) put(ref balancer.Ref, s traits.Discovery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil {
		m.of = map[balancer.Ref]remembered{}
	}
	maps.DeleteFunc(m.of, func(_ balancer.Ref, r remembered) bool { return time.Since(r.at) >= tagsKept })
	m.of[ref] = remembered{s, time.Now()}
}
