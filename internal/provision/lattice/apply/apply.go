// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apply reads what VPC Lattice has for a Gateway, and performs the steps
// of a plan there. It decides nothing, and retries nothing: what a step needs is
// in it, and what failed is planned anew from what is seen then.
package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	services "github.com/podgate/podgate/internal/provision/lattice"
)

// Bindings are those of target groups in the cluster.
type Bindings interface {
	// Of returns the binding of a target group, and whether it is being deleted; nil: it has none.
	Of(arn string) (of *services.Binding, unbinding bool)
	// Set makes the binding of a target group, or gives it its labels.
	Set(ctx context.Context, arn string, of services.TargetGroup) error
	// Delete deletes one.
	Delete(ctx context.Context, namespace, name string) error
}

// Client is VPC Lattice in one account and region.
type Client struct {
	api      *vpclattice.Client
	bindings Bindings
}

// New makes a client, without a call.
func New(api *vpclattice.Client, bindings Bindings) *Client {
	return &Client{api: api, bindings: bindings}
}

// Perform performs a step. Names, ports and priorities are taken once, so that a step that was performed and not seen yet fails.
func (c *Client) Perform(ctx context.Context, step services.Step) error {
	if err := c.perform(ctx, step); err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	return nil
}

func (c *Client) perform(ctx context.Context, step services.Step) (err error) {
	switch s := step.(type) {
	case services.CreateService:
		_, err = c.api.CreateService(ctx, &vpclattice.CreateServiceInput{Name: &s.Service.Name, CustomDomainName: given(s.Service.Domain), CertificateArn: given(s.Service.Certificate), Tags: s.Service.Tags})
	case services.SetCertificate:
		_, err = c.api.UpdateService(ctx, &vpclattice.UpdateServiceInput{ServiceIdentifier: &s.Service, CertificateArn: &s.Certificate})
	case services.DeleteService:
		_, err = c.api.DeleteService(ctx, &vpclattice.DeleteServiceInput{ServiceIdentifier: &s.ARN})
		err = gone(err)
	case services.Associate:
		_, err = c.api.CreateServiceNetworkServiceAssociation(ctx, &vpclattice.CreateServiceNetworkServiceAssociationInput{ServiceIdentifier: &s.Service, ServiceNetworkIdentifier: &s.Network, Tags: s.Tags})
	case services.Dissociate:
		_, err = c.api.DeleteServiceNetworkServiceAssociation(ctx, &vpclattice.DeleteServiceNetworkServiceAssociationInput{ServiceNetworkServiceAssociationIdentifier: &s.ARN})
		err = gone(err)

	case services.CreateTargetGroup:
		_, err = c.api.CreateTargetGroup(ctx, createGroup(s.TargetGroup))
	case services.ModifyTargetGroup:
		_, err = c.api.UpdateTargetGroup(ctx, &vpclattice.UpdateTargetGroupInput{TargetGroupIdentifier: &s.ARN, HealthCheck: checkTo(s.HealthCheck)})
	case services.DeleteTargetGroup:
		_, err = c.api.DeleteTargetGroup(ctx, &vpclattice.DeleteTargetGroupInput{TargetGroupIdentifier: &s.ARN})
		err = gone(err)
	case services.Deregister:
		err = c.deregister(ctx, s.ARN)
	case services.CreateBinding:
		err = c.bindings.Set(ctx, s.ARN, s.TargetGroup)
	case services.UpdateBinding:
		err = c.bindings.Set(ctx, s.ARN, s.TargetGroup)
	case services.DeleteBinding:
		err = c.bindings.Delete(ctx, s.Namespace, s.Name)

	case services.Tag:
		_, err = c.api.TagResource(ctx, &vpclattice.TagResourceInput{ResourceArn: &s.ARN, Tags: s.Tags})
	default:
		err = c.performRule(ctx, step)
	}
	return err
}

// performRule performs a step of a listener or a rule.
func (c *Client) performRule(ctx context.Context, step services.Step) (err error) {
	switch s := step.(type) {
	case services.CreateListener:
		_, err = c.api.CreateListener(ctx, &vpclattice.CreateListenerInput{
			ServiceIdentifier: &s.Service, Name: &s.Listener.Name, Port: &s.Listener.Port, Protocol: types.ListenerProtocol(s.Listener.Protocol),
			DefaultAction: actionTo(services.Action{Answer: 404}), Tags: s.Listener.Tags,
		})
	case services.DeleteListener:
		service, listener, _ := parts(s.ARN)
		_, err = c.api.DeleteListener(ctx, &vpclattice.DeleteListenerInput{ServiceIdentifier: &service, ListenerIdentifier: &listener})
		err = gone(err)
	case services.CreateRule:
		service, listener, _ := parts(s.Listener)
		_, err = c.api.CreateRule(ctx, &vpclattice.CreateRuleInput{
			ServiceIdentifier: &service, ListenerIdentifier: &listener, Name: &s.Name, Priority: number(s.Priority), Match: matchTo(s.Rule.Match), Action: actionTo(s.Rule.Action), Tags: s.Rule.Tags,
		})
	case services.ModifyRule:
		err = c.updateRule(ctx, s.ARN, vpclattice.UpdateRuleInput{Action: actionTo(s.Action)})
	case services.ReplaceRule:
		err = c.updateRule(ctx, s.ARN, vpclattice.UpdateRuleInput{Action: actionTo(s.Rule.Action), Match: matchTo(s.Rule.Match), Priority: number(s.Priority)})
	case services.SetPriority:
		err = c.updateRule(ctx, s.ARN, vpclattice.UpdateRuleInput{Priority: number(s.Priority)})
	case services.DeleteRule:
		service, listener, rule := parts(s.ARN)
		_, err = c.api.DeleteRule(ctx, &vpclattice.DeleteRuleInput{ServiceIdentifier: &service, ListenerIdentifier: &listener, RuleIdentifier: &rule})
		err = gone(err)
	default:
		err = errors.New("the step is not known")
	}
	return err
}

func (c *Client) updateRule(ctx context.Context, arn string, in vpclattice.UpdateRuleInput) error {
	service, listener, rule := parts(arn)
	in.ServiceIdentifier, in.ListenerIdentifier, in.RuleIdentifier = &service, &listener, &rule
	_, err := c.api.UpdateRule(ctx, &in)
	return err
}

// deregister deregisters all targets of a group that are not draining.
func (c *Client) deregister(ctx context.Context, arn string) error {
	targets, err := c.targets(ctx, arn)
	if err != nil {
		return err
	}
	var out []types.Target
	for _, t := range targets {
		if t.Status != types.TargetStatusDraining && len(out) < 100 {
			out = append(out, types.Target{Id: t.Id, Port: t.Port})
		}
	}
	if len(out) == 0 {
		return nil
	}
	done, err := c.api.DeregisterTargets(ctx, &vpclattice.DeregisterTargetsInput{TargetGroupIdentifier: &arn, Targets: out})
	if err == nil && len(done.Unsuccessful) > 0 {
		err = fmt.Errorf("target %s: %s", aws.ToString(done.Unsuccessful[0].Id), aws.ToString(done.Unsuccessful[0].FailureMessage))
	}
	return err
}

// gone takes away the error that something is not there.
func gone(err error) error {
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return nil
	}
	return err
}
