// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"errors"
	"net/netip"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

const opHealth = "list targets"

const (
	// pageSize is the most that a list's page can have.
	pageSize = 100
	// maxPages bounds a list, whose tokens may lead nowhere. The quota is 1,000 targets of a group, and
	// 500 groups; AWS raises both on request.
	maxPages = 100
	// maxRestarts is how often a list is read from its beginning again when a page's token is no longer good.
	maxRestarts = 2
)

// Health implements provider.Reporter with a call for each hundred targets of each group.
func (p *Provider) Health(ctx context.Context, g balancer.Group) (map[gate.Target]gate.Health, error) {
	all := refs(g.Ref)
	healths := make([]map[gate.Target]gate.Health, len(all))
	for i, ref := range all {
		var err error
		if healths[i], err = p.health(ctx, ref); err != nil {
			if gone(err) {
				p.searches.by(p.role(ref)).forget(ref.Group)
			}
			return nil, err
		}
	}

	if len(all) == 1 {
		return healths[0], nil
	}

	// What nobody uses and nobody fills is left over: it would keep each target waiting.
	var inUse []balancer.Ref
	var counting []map[gate.Target]gate.Health
	for i, ref := range all {
		if len(healths[i]) > 0 || !p.leftOver(ctx, ref) {
			inUse, counting = append(inUse, ref), append(counting, healths[i])
		}
	}
	return together(inUse, counting, p.ports.compare(p.now(), inUse, counting)), nil
}

// health reads one target group.
func (p *Provider) health(ctx context.Context, ref balancer.Ref) (map[gate.Target]gate.Health, error) {
	if err := p.check(opHealth, ref); err != nil {
		return nil, err
	}

	c := p.sessions.Connection(ref)
	rows, err := pages(opHealth, ref.Group, func(token *string) ([]types.TargetSummary, *string, error) {
		out, err := podaws.Call(ctx, c, opHealth, ref.Group, c.API.ListTargets,
			&vpclattice.ListTargetsInput{TargetGroupIdentifier: &ref.Group, MaxResults: aws.Int32(pageSize), NextToken: token})
		if err != nil {
			return nil, nil, whose(err, ref)
		}
		return out.Items, out.NextToken, nil
	})
	if err != nil {
		return nil, err
	}

	return readHealths(ref, rows)
}

// pages reads a list to its end. A page's token may end its life before it is used; then the list
// is read again, for half of one is no answer.
func pages[T any](op, subject string, page func(token *string) ([]T, *string, error)) ([]T, error) {
	for range 1 + maxRestarts {
		all, err := once(op, subject, page)
		if !errors.Is(err, errToken) {
			return all, err
		}
	}
	return nil, &balancer.CallError{Op: op, Subject: subject, Text: "the tokens of the list's pages are refused again and again"}
}

// errToken means that the API refused a page's token.
var errToken = errors.New("the page's token is refused")

// once reads a list once, from its beginning to its end.
func once[T any](op, subject string, page func(token *string) ([]T, *string, error)) ([]T, error) {
	all := []T{}
	var token *string
	for range maxPages {
		items, next, err := page(token)
		switch {
		case err != nil && token != nil && hasCode(err, codeInvalid):
			return nil, errToken
		case err != nil:
			return nil, err
		case items == nil:
			return nil, nonsense(op, subject, "it has no list")
		}

		all = append(all, items...)
		if aws.ToString(next) == "" {
			return all, nil
		}
		token = next
	}
	return nil, nonsense(op, subject, "its list has no end")
}

// readHealths reads all rows or none. Targets that are no IP address are left out.
func readHealths(ref balancer.Ref, rows []types.TargetSummary) (map[gate.Target]gate.Health, error) {
	healths := make(map[gate.Target]gate.Health, len(rows))
	for _, row := range rows {
		if row.Id == nil {
			return nil, nonsense(opHealth, ref.Group, "a row without a target")
		}
		if _, err := netip.ParseAddr(*row.Id); err != nil {
			continue
		}

		target, err := gate.ParseTarget(*row.Id, aws.ToInt32(row.Port))
		if err != nil {
			return nil, nonsense(opHealth, ref.Group, "target %s: %s", *row.Id, err)
		}
		if row.Status == "" {
			return nil, nonsense(opHealth, ref.Group, "target %s without a status", target)
		}

		health := readHealth(row)
		if other, twice := healths[target]; twice {
			health = latest(health, other)
		}
		healths[target] = health
	}

	return healths, nil
}

// latest picks one of two rows of a target. It was registered again while it drained, or
// between two pages: what is not draining is the later registration, and of two of those the
// one that says less.
func latest(a, b gate.Health) gate.Health {
	if a.Leaving() != b.Leaving() {
		if a.Leaving() {
			return b
		}
		return a
	}
	return worse(a, b)
}
