// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	services "github.com/podgate/podgate/internal/provision/lattice"
)

// prefix is what the names of all services and target groups begin with that podgate makes, so that the tags of others need not be
// read. A name alone says nothing: tags do.
const prefix = "k8s-"

// Observe reads what there is of a stack whose target groups are in a VPC. It reads all of it or fails.
func (c *Client) Observe(ctx context.Context, stack services.Stack, vpc string) (services.Observed, error) {
	o := &observer{Client: c, stack: stack, ids: map[string]string{}}
	o.seen.Foreign = map[string]string{}
	if err := o.groups(ctx, vpc); err != nil {
		return services.Observed{}, fmt.Errorf("read target groups: %w", err)
	}
	if err := o.services(ctx); err != nil {
		return services.Observed{}, fmt.Errorf("read services: %w", err)
	}
	return o.seen, nil
}

// observer reads one stack.
type observer struct {
	*Client
	stack services.Stack
	seen  services.Observed
	// ids are the ARNs of target groups, by id: rules name either.
	ids map[string]string
}

// own reports whether tags are the stack's.
func (o *observer) own(tags map[string]string) bool {
	for k, v := range o.stack.Tags {
		if tags[k] != v {
			return false
		}
	}
	return len(o.stack.Tags) > 0
}

func (o *observer) tags(ctx context.Context, arn *string) (map[string]string, error) {
	out, err := o.api.ListTagsForResource(ctx, &vpclattice.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil {
		return nil, gone(err) // What went meanwhile is nobody's.
	}
	return out.Tags, nil
}

// wanted reports whether the stack wants a name.
func (o *observer) wanted(name string) bool {
	return slices.ContainsFunc(o.stack.Services, func(s services.Service) bool {
		return s.Name == name || slices.ContainsFunc(s.TargetGroups, func(g services.TargetGroup) bool { return g.Name == name })
	})
}

// stranger notes somebody else's name that the stack wants.
func (o *observer) stranger(name string, tags map[string]string) {
	if !o.wanted(name) {
		return
	}
	whose := "it has none of podgate's tags"
	for k := range o.stack.Tags {
		if tags[k] != "" {
			whose = cmp.Or(tags[k], whose)
		}
	}
	o.seen.Foreign[name] = whose
}

func (o *observer) groups(ctx context.Context, vpc string) error {
	pages := vpclattice.NewListTargetGroupsPaginator(o.api, &vpclattice.ListTargetGroupsInput{MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, g := range page.Items {
			o.ids[aws.ToString(g.Id)] = aws.ToString(g.Arn)
			if !strings.HasPrefix(aws.ToString(g.Name), prefix) {
				continue
			}
			tags, err := o.tags(ctx, g.Arn)
			if err != nil {
				return err
			}
			if !o.own(tags) || aws.ToString(g.VpcIdentifier) != vpc {
				o.stranger(aws.ToString(g.Name), tags)
				continue
			}
			if err := o.group(ctx, g.Arn, tags); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *observer) group(ctx context.Context, arn *string, tags map[string]string) error {
	g, err := o.api.GetTargetGroup(ctx, &vpclattice.GetTargetGroupInput{TargetGroupIdentifier: arn})
	if err != nil {
		return gone(err)
	}
	targets, err := o.targets(ctx, *arn)
	if err != nil {
		return gone(err)
	}

	one := services.ObservedTargetGroup{ARN: *arn, State: services.State(g.Status), Services: g.ServiceArns, Targets: len(targets)}
	one.TargetGroup = services.TargetGroup{Resource: tags[o.stack.ResourceTag], Name: aws.ToString(g.Name), Tags: tags}
	if config := g.Config; config != nil {
		one.VPC, one.Protocol, one.Version, one.Port = aws.ToString(config.VpcIdentifier), string(config.Protocol), string(config.ProtocolVersion), aws.ToInt32(config.Port)
		one.AddressType, one.HealthCheck = string(config.IpAddressType), checkFrom(config.HealthCheck)
	}
	for _, t := range targets {
		if t.Status != types.TargetStatusDraining {
			one.Registered++
		}
		if t.Status == types.TargetStatusHealthy || t.Status == types.TargetStatusUnavailable {
			one.Healthy++
		}
	}
	if binding, unbinding := o.bindings.Of(*arn); binding != nil {
		one.Binding, one.Bound, one.Unbinding = *binding, true, unbinding
	}
	o.seen.TargetGroups = append(o.seen.TargetGroups, one)
	return nil
}

func (c *Client) targets(ctx context.Context, arn string) ([]types.TargetSummary, error) {
	var all []types.TargetSummary
	pages := vpclattice.NewListTargetsPaginator(c.api, &vpclattice.ListTargetsInput{TargetGroupIdentifier: &arn, MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
	}
	return all, nil
}

func (o *observer) services(ctx context.Context) error {
	pages := vpclattice.NewListServicesPaginator(o.api, &vpclattice.ListServicesInput{MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, s := range page.Items {
			if !strings.HasPrefix(aws.ToString(s.Name), prefix) {
				continue
			}
			tags, err := o.tags(ctx, s.Arn)
			if err != nil {
				return err
			}
			if !o.own(tags) {
				o.stranger(aws.ToString(s.Name), tags)
				continue
			}
			if err := o.service(ctx, s.Arn, tags); gone(err) != nil {
				return err
			}
		}
	}
	return nil
}

func (o *observer) service(ctx context.Context, arn *string, tags map[string]string) error {
	s, err := o.api.GetService(ctx, &vpclattice.GetServiceInput{ServiceIdentifier: arn})
	if err != nil {
		return err
	}
	one := services.ObservedService{ARN: *arn, State: services.State(s.Status)}
	one.Service = services.Service{Resource: tags[o.stack.ResourceTag], Name: aws.ToString(s.Name), Domain: aws.ToString(s.CustomDomainName), Certificate: aws.ToString(s.CertificateArn), Tags: tags}
	if s.DnsEntry != nil {
		one.DNSName = aws.ToString(s.DnsEntry.DomainName)
	}

	pages := vpclattice.NewListServiceNetworkServiceAssociationsPaginator(o.api, &vpclattice.ListServiceNetworkServiceAssociationsInput{ServiceIdentifier: arn, MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, a := range page.Items {
			has, err := o.tags(ctx, a.Arn)
			if err != nil {
				return err
			}
			one.Associations = append(one.Associations, services.Association{ARN: aws.ToString(a.Arn), Network: aws.ToString(a.ServiceNetworkId), State: services.State(a.Status), Own: o.own(has)})
		}
	}

	listeners := vpclattice.NewListListenersPaginator(o.api, &vpclattice.ListListenersInput{ServiceIdentifier: arn, MaxResults: aws.Int32(100)})
	for listeners.HasMorePages() {
		page, err := listeners.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, l := range page.Items {
			has, err := o.listener(ctx, arn, l)
			if err != nil {
				return err
			}
			one.Has = append(one.Has, has)
		}
	}
	o.seen.Services = append(o.seen.Services, one)
	return nil
}

func (o *observer) listener(ctx context.Context, service *string, l types.ListenerSummary) (services.ObservedListener, error) {
	one := services.ObservedListener{ARN: aws.ToString(l.Arn), Listener: services.Listener{Name: aws.ToString(l.Name), Port: aws.ToInt32(l.Port), Protocol: string(l.Protocol)}}
	tags, err := o.tags(ctx, l.Arn)
	if err != nil {
		return one, err
	}
	one.Tags, one.Own = tags, o.own(tags)

	pages := vpclattice.NewListRulesPaginator(o.api, &vpclattice.ListRulesInput{ServiceIdentifier: service, ListenerIdentifier: l.Id, MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return one, err
		}
		for _, r := range page.Items {
			rule, err := o.api.GetRule(ctx, &vpclattice.GetRuleInput{ServiceIdentifier: service, ListenerIdentifier: l.Id, RuleIdentifier: r.Id})
			if err != nil {
				return one, err
			}
			action := o.actionFrom(rule.Action)
			if aws.ToBool(r.IsDefault) {
				one.Default = action
				continue
			}
			tags, err := o.tags(ctx, r.Arn)
			if err != nil {
				return one, err
			}
			one.Has = append(one.Has, services.ObservedRule{
				ARN: aws.ToString(r.Arn), Name: aws.ToString(r.Name), Priority: int(aws.ToInt32(rule.Priority)), Own: o.own(tags),
				Rule: services.Rule{Owner: tags[services.OwnerTag], Match: matchFrom(rule.Match), Action: action, Tags: tags},
			})
		}
	}
	return one, nil
}

// actionFrom reads an action. Target groups are named by their ARNs.
func (o *observer) actionFrom(of types.RuleAction) services.Action {
	switch a := of.(type) {
	case *types.RuleActionMemberFixedResponse:
		return services.Action{Answer: int(aws.ToInt32(a.Value.StatusCode))}
	case *types.RuleActionMemberForward:
		var to services.Action
		for _, g := range a.Value.TargetGroups {
			id := aws.ToString(g.TargetGroupIdentifier)
			weight := int32(1)
			if g.Weight != nil {
				weight = *g.Weight
			}
			to.Forward = append(to.Forward, services.Forward{Group: cmp.Or(o.ids[id], id), Weight: weight})
		}
		return to
	}
	return services.Action{}
}
