// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/podgate/podgate/internal/balancer"
)

// SecurityGroup is a security group.
type SecurityGroup struct {
	ID, Name, Description, VPC string
	// Ingress are its rules for what comes in, one for each source.
	Ingress []Permission
	Tags    map[string]string
}

// Permission lets one source in: one of CIDR, which may be an IPv4 or IPv6 range, PrefixList and Group is set.
type Permission struct {
	// Protocol is tcp, udp, icmp, icmpv6, a number, or -1 for all. From and To are ports; -1 where the protocol has none.
	Protocol string
	From, To int32
	// CIDR, PrefixList and Group are the source.
	CIDR, PrefixList, Group string
}

type securityGroups struct {
	token
	Items []struct {
		ID          string        `xml:"groupId"`
		Name        string        `xml:"groupName"`
		Description string        `xml:"groupDescription"`
		VPC         string        `xml:"vpcId"`
		Ingress     []permissions `xml:"ipPermissions>item"`
		tags
	} `xml:"securityGroupInfo>item"`
}

// permissions are rules of one protocol and range of ports, as answers have them.
type permissions struct {
	Protocol string `xml:"ipProtocol"`
	From     *int32 `xml:"fromPort"`
	To       *int32 `xml:"toPort"`
	IPv4     []struct {
		CIDR string `xml:"cidrIp"`
	} `xml:"ipRanges>item"`
	IPv6 []struct {
		CIDR string `xml:"cidrIpv6"`
	} `xml:"ipv6Ranges>item"`
	Lists []struct {
		ID string `xml:"prefixListId"`
	} `xml:"prefixListIds>item"`
	Groups []struct {
		ID string `xml:"groupId"`
	} `xml:"groups>item"`
}

func (p permissions) each() []Permission {
	of := Permission{Protocol: p.Protocol, From: -1, To: -1}
	if p.From != nil && p.To != nil {
		of.From, of.To = *p.From, *p.To
	}

	var all []Permission
	add := func(source func(*Permission)) {
		one := of
		source(&one)
		all = append(all, one)
	}
	for _, r := range p.IPv4 {
		add(func(one *Permission) { one.CIDR = r.CIDR })
	}
	for _, r := range p.IPv6 {
		add(func(one *Permission) { one.CIDR = r.CIDR })
	}
	for _, l := range p.Lists {
		add(func(one *Permission) { one.PrefixList = l.ID })
	}
	for _, g := range p.Groups {
		add(func(one *Permission) { one.Group = g.ID })
	}
	return all
}

// SecurityGroups lists the security groups that match all filters.
func (e *EC2) SecurityGroups(ctx context.Context, filters ...Filter) ([]SecurityGroup, error) {
	var all []SecurityGroup
	err := list(ctx, e, "DescribeSecurityGroups", subject(filters), filtered(1000, filters), func(page securityGroups) {
		for _, g := range page.Items {
			group := SecurityGroup{ID: g.ID, Name: g.Name, Description: g.Description, VPC: g.VPC, Tags: g.values()}
			for _, p := range g.Ingress {
				group.Ingress = append(group.Ingress, p.each()...)
			}
			all = append(all, group)
		}
	})
	return all, err
}

// CreateSecurityGroup makes a security group with its tags, and returns its id. It has no rules for what comes in: g's
// are not looked at.
func (e *EC2) CreateSecurityGroup(ctx context.Context, g SecurityGroup) (string, error) {
	form := url.Values{
		"GroupName": {g.Name}, "GroupDescription": {g.Description}, "VpcId": {g.VPC},
		"TagSpecification.1.ResourceType": {"security-group"},
	}
	setTags(form, "TagSpecification.1.", g.Tags)
	out, err := call[struct {
		ID string `xml:"groupId"`
	}](ctx, e, "CreateSecurityGroup", g.Name, true, form)
	if err == nil && out.ID == "" {
		err = &balancer.CallError{Op: ops["CreateSecurityGroup"], Subject: g.Name, Text: "the answer makes no sense: it has no id"}
	}
	return out.ID, err
}

// AuthorizeIngress adds rules for what comes in: all of them, or none. Rules that are there already are no error if there
// is only one to be added, else EC2 adds none.
func (e *EC2) AuthorizeIngress(ctx context.Context, group string, rules ...Permission) error {
	_, err := call[struct{}](ctx, e, "AuthorizeSecurityGroupIngress", group, true, rulesForm(group, rules))
	if len(rules) == 1 && hasCode(err, codeDuplicateRule) {
		return nil
	}
	return err
}

// RevokeIngress removes rules for what comes in: all of them, or none. A single rule that is not there is no error.
func (e *EC2) RevokeIngress(ctx context.Context, group string, rules ...Permission) error {
	_, err := call[struct{}](ctx, e, "RevokeSecurityGroupIngress", group, true, rulesForm(group, rules))
	if len(rules) == 1 && hasCode(err, codeNoRule) {
		return nil
	}
	return err
}

// DeleteSecurityGroup deletes a security group. It is an error that wraps balancer.ErrNotReady while something uses it,
// such as the network interfaces of a load balancer that is gone for less than some minutes.
func (e *EC2) DeleteSecurityGroup(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, e, "DeleteSecurityGroup", id, true, url.Values{"GroupId": {id}})
	return err
}

// CreateTags gives a resource tags, and replaces those of the same keys.
func (e *EC2) CreateTags(ctx context.Context, id string, tags map[string]string) error {
	form := url.Values{"ResourceId.1": {id}}
	setTags(form, "", tags)
	_, err := call[struct{}](ctx, e, "CreateTags", id, true, form)
	return err
}

func setTags(form url.Values, prefix string, tags map[string]string) {
	for i, key := range slices.Sorted(maps.Keys(tags)) {
		form.Set(fmt.Sprintf("%sTag.%d.Key", prefix, i+1), key)
		form.Set(fmt.Sprintf("%sTag.%d.Value", prefix, i+1), tags[key])
	}
}

// rulesForm is a request about rules of a security group, each by itself.
func rulesForm(group string, rules []Permission) url.Values {
	form := url.Values{"GroupId": {group}}
	for i, r := range rules {
		of := fmt.Sprintf("IpPermissions.%d.", i+1)
		form.Set(of+"IpProtocol", r.Protocol)
		if r.Protocol != "-1" {
			form.Set(of+"FromPort", strconv.Itoa(int(r.From)))
			form.Set(of+"ToPort", strconv.Itoa(int(r.To)))
		}

		switch {
		case strings.Contains(r.CIDR, ":"):
			form.Set(of+"Ipv6Ranges.1.CidrIpv6", r.CIDR)
		case r.CIDR != "":
			form.Set(of+"IpRanges.1.CidrIp", r.CIDR)
		case r.PrefixList != "":
			form.Set(of+"PrefixListIds.1.PrefixListId", r.PrefixList)
		default:
			form.Set(of+"Groups.1.GroupId", r.Group)
		}
	}
	return form
}

// NameTaken reports whether a security group was not made because its VPC has one of that name.
func NameTaken(err error) bool { return hasCode(err, codeDuplicateGroup) }

// hasCode reports whether EC2 answered an error code.
func hasCode(err error, code string) bool {
	var failed *balancer.CallError
	return errors.As(err, &failed) && failed.Code == code
}
