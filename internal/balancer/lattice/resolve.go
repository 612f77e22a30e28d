// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
)

const (
	opResolve = "get target group"
	opList    = "list target groups"
)

// Resolve implements provider.Resolver. A group that is named by its ARN or id takes one call; one
// that is named takes a list of all groups, too, and those that are found by a Service's tags share one search.
func (p *Provider) Resolve(ctx context.Context, wanted balancer.Group) (balancer.Group, error) {
	ref, name := wanted.Ref, wanted.Name
	of, tagged := traits.ParseDiscovery(name)
	switch {
	case ref.Group != "":
		return p.resolve(ctx, refs(ref), name)
	case name == "":
		return balancer.Group{}, &balancer.CallError{Op: opResolve, Kind: balancer.ErrInvalid, Text: "neither an ARN nor a name is given"}
	case p.sessions.Region(ref) == "":
		return balancer.Group{}, podaws.NoRegion(opResolve, name, arns)
	case traits.IsID(name):
		ref.Group = name
		return p.resolve(ctx, refs(ref), "")
	case tagged:
		return p.discover(ctx, ref, of, wanted.Before)
	}

	arn, err := p.named(ctx, ref, name)
	if err != nil {
		return balancer.Group{}, err
	}
	ref.Group = arn
	return p.resolve(ctx, refs(ref), "")
}

// resolve asks for target groups. What is several goes by the name by which it was found.
func (p *Provider) resolve(ctx context.Context, all []balancer.Ref, name string) (balancer.Group, error) {
	var found []balancer.Group
	for _, ref := range all {
		g, err := p.describe(ctx, ref)
		if err != nil {
			return balancer.Group{}, err
		}
		found = append(found, g.Group)
	}

	if len(found) == 1 {
		return found[0], nil
	}
	return combine(found, name), nil
}

// described is a target group as it was described at a time.
type described struct {
	balancer.Group
	// leftOver: no service uses it, and it is not new.
	leftOver bool
	at       time.Time
}

// describe asks for one target group.
func (p *Provider) describe(ctx context.Context, ref balancer.Ref) (described, error) {
	if err := p.check(opResolve, ref); err != nil {
		return described{}, err
	}

	at := p.now()
	c := p.sessions.Connection(ref)
	out, err := podaws.Call(ctx, c, opResolve, ref.Group, c.API.GetTargetGroup, &vpclattice.GetTargetGroupInput{TargetGroupIdentifier: &ref.Group})
	if err != nil {
		return described{}, whose(err, ref)
	}

	if !strings.HasSuffix(aws.ToString(out.Arn), id(ref)) {
		return described{}, nonsense(opResolve, ref.Group, "it is about %q", aws.ToString(out.Arn))
	}
	if err := usable(ref, out); err != nil {
		return described{}, err
	}

	ref.Group = *out.Arn
	old := out.CreatedAt != nil && at.Sub(*out.CreatedAt) >= leftOverAfter
	return described{Group: readGroup(ref, out), leftOver: old && len(out.ServiceArns) == 0, at: at}, nil
}

// usable returns an error unless a target group can have targets.
func usable(ref balancer.Ref, out *vpclattice.GetTargetGroupOutput) error {
	failed := &balancer.CallError{Op: opResolve, Subject: ref.Group, Code: string(out.Status)}
	switch out.Status {
	case types.TargetGroupStatusCreateInProgress:
		failed.Kind, failed.Text = balancer.ErrNotReady, "the target group is being created"
	case types.TargetGroupStatusDeleteInProgress:
		failed.Kind, failed.Text = balancer.ErrNotReady, "the target group is being deleted"
	case types.TargetGroupStatusCreateFailed:
		failed.Kind, failed.Text = balancer.ErrInvalid, "the target group could not be created: delete it and make it again. "+aws.ToString(out.FailureMessage)
	default: // One whose deletion failed is as it was before.
		return nil
	}
	return failed
}

// list reads all target groups of a role's account, in the region of a ref.
func (p *Provider) list(ctx context.Context, ref balancer.Ref, subject string) ([]types.TargetGroupSummary, error) {
	c := p.sessions.Connection(ref)
	return pages(opList, subject, func(token *string) ([]types.TargetGroupSummary, *string, error) {
		out, err := podaws.Call(ctx, c, opList, subject, c.API.ListTargetGroups, &vpclattice.ListTargetGroupsInput{MaxResults: aws.Int32(pageSize), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.Items, out.NextToken, nil
	})
}

// named returns the ARN of the target group that has a name. A name is unique in its account and
// region, but for what is on its way out.
func (p *Provider) named(ctx context.Context, ref balancer.Ref, name string) (string, error) {
	all, err := p.list(ctx, ref, name)
	if err != nil {
		return "", err
	}

	var stay, leave []string
	for _, g := range all {
		switch arn := aws.ToString(g.Arn); {
		case aws.ToString(g.Name) != name || arn == "":
		case g.Status == types.TargetGroupStatusDeleteInProgress:
			leave = append(leave, arn)
		default:
			stay = append(stay, arn)
		}
	}

	failed := &balancer.CallError{Op: opResolve, Subject: name}
	switch {
	case len(stay) == 1:
		return stay[0], nil
	case len(stay) > 1:
		failed.Kind, failed.Text = balancer.ErrInvalid, fmt.Sprintf("several target groups have this name: name one of them by targetGroupARN: %s", strings.Join(stay, ", "))
	case len(leave) > 0:
		failed.Kind, failed.Text = balancer.ErrNotReady, "the target group is being deleted"
	default:
		failed.Kind, failed.Text = balancer.ErrNotFound, "no such target group in region "+p.sessions.Region(ref)
	}
	return "", failed
}

// gone reports whether a target group went away between two calls about it.
func gone(err error) bool { return errors.Is(err, balancer.ErrNotFound) }
