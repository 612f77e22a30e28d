// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"slices"

	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
)

func (p performer) createSecurityGroup(ctx context.Context, s elb.CreateSecurityGroup) error {
	made := s.SecurityGroup
	made.Tags, made.Ingress = p.stack.All(made.Resource, made.Tags), nil
	id, err := p.network.CreateSecurityGroup(ctx, ec2.SecurityGroup{Name: made.Name, Description: made.Description, VPC: made.VPC, Tags: made.Tags})
	if ec2.NameTaken(err) {
		return p.findSecurityGroup(ctx, made, err)
	}
	if err != nil {
		return err
	}
	p.seen.SecurityGroups = append(p.seen.SecurityGroups, elb.ObservedSecurityGroup{SecurityGroup: made, ID: id})
	return nil
}

// findSecurityGroup finds the one that has the name of one that was to be made. It is the stack's where podgate made it before
// and EC2 did not list it yet; where that still does not it is waited for. One of somebody else is the error that there was.
func (p performer) findSecurityGroup(ctx context.Context, want elb.SecurityGroup, taken error) error {
	groups, err := p.network.SecurityGroups(ctx, ec2.In(want.VPC), ec2.Named(want.Name))
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.Name != want.Name {
			continue // A filter takes * and ? for more than themselves.
		}
		if !carries(g.Tags, p.stack.Tags) {
			return taken
		}
		seen := securityGroupOf(g)
		seen.Resource = g.Tags[p.stack.ResourceTag]
		p.seen.SecurityGroups = append(p.seen.SecurityGroups, seen)
		return nil
	}
	return &balancer.CallError{
		Op: words("CreateSecurityGroup"), Subject: want.Name, Kind: balancer.ErrNotReady, Text: "there is one of that name, which EC2 does not list yet: it is looked for again",
	}
}

func (p performer) securityGroup(id string) *elb.ObservedSecurityGroup {
	for i := range p.seen.SecurityGroups {
		if p.seen.SecurityGroups[i].ID == id {
			return &p.seen.SecurityGroups[i]
		}
	}
	return nil
}

func (p performer) authorize(ctx context.Context, s elb.AuthorizeIngress) error {
	g := p.securityGroup(s.ID)
	if g == nil {
		return strange(s)
	}
	if err := p.network.AuthorizeIngress(ctx, s.ID, permissionsFor(s.Permissions)...); err != nil {
		return err
	}
	g.Ingress = slices.Concat(g.Ingress, s.Permissions)
	return nil
}

func (p performer) revoke(ctx context.Context, s elb.RevokeIngress) error {
	g := p.securityGroup(s.ID)
	if g == nil {
		return strange(s)
	}
	if err := p.network.RevokeIngress(ctx, s.ID, permissionsFor(s.Permissions)...); err != nil {
		return err
	}
	g.Ingress = slices.DeleteFunc(slices.Clone(g.Ingress), func(has elb.Permission) bool { return slices.Contains(s.Permissions, has) })
	return nil
}

func (p performer) deleteSecurityGroup(ctx context.Context, s elb.DeleteSecurityGroup) error {
	if p.securityGroup(s.ID) == nil {
		return strange(s)
	}
	if err := p.network.DeleteSecurityGroup(ctx, s.ID); err != nil && !errors.Is(err, balancer.ErrNotFound) {
		return err
	}
	p.seen.SecurityGroups = slices.DeleteFunc(p.seen.SecurityGroups, func(g elb.ObservedSecurityGroup) bool { return g.ID == s.ID })
	return nil
}
