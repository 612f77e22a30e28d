// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"golang.org/x/sync/singleflight"

	"github.com/podgate/podgate/api/gwc"
	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
)

const opTags = "list tags of target group"

const (
	// searchKept is how long what a search found counts for all bindings of an account, but for the first groups of one.
	// Those that have groups look once a minute, and others until they find some.
	searchKept = 15 * time.Second
	// tagsKept is how long what a group's tags say is not asked for again. AWS Gateway API Controller gives a group
	// its tags when it makes it, and finds it by them, so they change by a person's hand only.
	tagsKept = 10 * time.Minute
	// maxTags is how many groups' tags one search reads, so that it neither floods the API nor holds its caller
	// for long; the next one goes on.
	maxTags = 50
	// leftOverAfter is how old a group is in which no service has any use for it, before it counts as left over: its route
	// may be about to get it.
	leftOverAfter = 5 * time.Minute
	// describedKept is how long a description counts for all bindings that have found the group, so that those of one
	// Service share it, and a look-up that waits for one group asks about no other.
	describedKept = 50 * time.Second
	// useKept is how long a group counts as left over without being asked about again.
	useKept = searchKept
)

// searches are those of all roles and regions. Their zero value is empty.
type searches struct {
	mu sync.Mutex
	of map[podaws.Role]*search
}

// by returns the search with a role in a region.
func (s *searches) by(role podaws.Role) *search {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[podaws.Role]*search{}
	}
	if s.of[role] == nil {
		s.of[role] = &search{tags: map[string]remembered{}, described: map[string]described{}}
	}
	return s.of[role]
}

// search is what is known of the target groups of addresses in one account and region. Whoever needs it while it is being
// found out waits for that.
type search struct {
	flights singleflight.Group
	// tags are what the groups' tags said last, by ARN. Only a flight reads and changes them.
	tags map[string]remembered

	mu   sync.Mutex
	last findings
	// described are the groups of bindings, by ARN, as they were described last.
	described map[string]described
}

// findings are all groups, by ARN, as a search found them that began at a time.
type findings struct {
	groups map[string]traits.Discovery
	began  time.Time
}

type remembered struct {
	traits.Discovery
	at time.Time
}

// latest returns what was found last.
func (s *search) latest() findings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *search) keep(found findings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = found
	maps.DeleteFunc(s.described, func(arn string, _ described) bool { _, there := found.groups[arn]; return !there })
}

// description returns how a group was described last; the zero value when it was not.
func (s *search) description(arn string) described {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.described[arn]
}

func (s *search) describe(arn string, d described) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.described[arn] = d
}

func (s *search) forget(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.described, arn)
}

// abandoned is the error of a search whose caller gave it up.
type abandoned struct{ error }

// search returns for which Service each target group of addresses is that a ref's role reaches in its region, by ARN, as it
// was found by a search that began no earlier than since. The answer is shared, and not to be changed.
func (p *Provider) search(ctx context.Context, ref balancer.Ref, since time.Time) (map[string]traits.Discovery, error) {
	role := p.role(ref)
	s := p.searches.by(role)
	for {
		shared, err, _ := s.flights.Do("", func() (any, error) {
			if last := s.latest(); !last.began.Before(since) {
				return last, nil
			}
			found := findings{began: p.now()}
			var err error
			found.groups, err = p.look(ctx, role, s.tags)
			if err != nil && ctx.Err() != nil {
				return nil, abandoned{err}
			}
			if err == nil {
				s.keep(found)
			}
			return found, err
		})

		var gaveUp abandoned
		switch {
		case err == nil:
			if found := shared.(findings); !found.began.Before(since) {
				return found.groups, nil
			}
			continue // It was under way before.
		case !errors.As(err, &gaveUp):
			return nil, err
		case ctx.Err() != nil:
			return nil, gaveUp.error
		}
		// Another caller began the search, and left: this one begins it again.
	}
}

// role is by which role, and in which region, a ref's group is reached.
func (p *Provider) role(ref balancer.Ref) podaws.Role {
	return podaws.Role{Region: p.sessions.Region(ref), ARN: ref.RoleARN, ExternalID: ref.ExternalID}
}

// described returns a group as it was described no earlier than since.
func (p *Provider) described(ctx context.Context, ref balancer.Ref, since time.Time) (balancer.Group, error) {
	s := p.searches.by(p.role(ref))
	if last := s.description(ref.Group); !last.at.Before(since) {
		last.Ref = ref
		return last.Group, nil
	}

	d, err := p.describe(ctx, ref)
	if err != nil {
		s.forget(ref.Group)
		return balancer.Group{}, err
	}
	s.describe(ref.Group, d)
	return d.Group, nil
}

// leftOver reports whether a group is in no service, and not new. What it was is asked again before a pod opens without it; a
// group that nobody can tell about is in use.
func (p *Provider) leftOver(ctx context.Context, ref balancer.Ref) bool {
	s := p.searches.by(p.role(ref))
	last := s.description(ref.Group)
	if last.leftOver && p.now().Sub(last.at) >= useKept {
		last, _ = p.describe(ctx, ref)
		s.describe(ref.Group, last)
	}
	return last.leftOver
}

// look asks for all target groups, and for the tags of those that are new.
func (p *Provider) look(ctx context.Context, role podaws.Role, tags map[string]remembered) (map[string]traits.Discovery, error) {
	ref := balancer.Ref{Provider: traits.Kind, Region: role.Region, RoleARN: role.ARN, ExternalID: role.ExternalID}
	all, err := p.list(ctx, ref, role.Region)
	if err != nil {
		return nil, err
	}

	found := map[string]traits.Discovery{}
	asked, left := 0, false
	for _, g := range all {
		if g.Type != types.TargetGroupTypeIp || g.Arn == nil {
			continue
		}

		ref.Group = *g.Arn
		r, known := tags[ref.Group]
		switch {
		case known && p.now().Sub(r.at) < tagsKept:
		case asked < maxTags:
			asked++
			r.Discovery, err = p.ask(ctx, ref)
			if gone(err) {
				continue // It was deleted after it was listed.
			}
			if err != nil {
				return nil, err
			}
			r.at = p.now()
			tags[ref.Group] = r
		case !known:
			left = true
		}
		found[ref.Group] = r.Discovery
	}

	if left {
		return nil, &balancer.CallError{Op: opTags, Subject: role.Region, Kind: balancer.ErrNotReady, Text: "the account has many target groups, and their tags are still being read"}
	}
	maps.DeleteFunc(tags, func(arn string, _ remembered) bool { _, there := found[arn]; return !there })
	return found, nil
}

// ask reads what the tags of one target group say.
func (p *Provider) ask(ctx context.Context, ref balancer.Ref) (traits.Discovery, error) {
	c := p.sessions.Connection(ref)
	out, err := podaws.Call(ctx, c, opTags, ref.Group, c.API.ListTagsForResource, &vpclattice.ListTagsForResourceInput{ResourceArn: aws.String(ref.Group)})
	if err != nil {
		return traits.Discovery{}, whose(err, ref)
	}
	return traits.Discovery{Namespace: out.Tags[gwc.TagServiceNamespace], Service: out.Tags[gwc.TagServiceName], Cluster: out.Tags[gwc.TagClusterName]}, nil
}
