// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// rule is one rule of a security group: a protocol, ports, and one peer.
type rule struct {
	id                             string
	description                    *string
	egress                         bool
	protocol                       string
	from, to                       int32  // -1 for protocol -1
	cidr, cidr6, prefixList, group string // one of them
}

// same reports whether two rules say the same. Ids and descriptions do not count.
func (r rule) same(other rule) bool {
	r.id, r.description = other.id, other.description
	return r == other
}

// allowAll is the rule that a new group has.
func allowAll() rule {
	return rule{id: id("sgr"), egress: true, protocol: "-1", from: -1, to: -1, cidr: "0.0.0.0/0"}
}

// permission is rules of the same protocol and ports, as requests and answers write them.
type permission struct {
	IpProtocol    *string
	FromPort      *int32
	ToPort        *int32
	Groups        []groupPair
	IpRanges      []ipRange
	Ipv6Ranges    []ipv6Range
	PrefixListIds []prefixList
}

type groupPair struct {
	GroupId                *string
	GroupName              *string
	UserId                 *string
	VpcId                  *string
	VpcPeeringConnectionId *string
	PeeringStatus          *string
	Description            *string
}

type ipRange struct {
	CidrIp      *string
	Description *string
}

type ipv6Range struct {
	CidrIpv6    *string
	Description *string
}

type prefixList struct {
	PrefixListId *string
	Description  *string
}

// permissionsOf are the rules of one direction as a description of their group shows them: one permission for each
// protocol and ports.
func permissionsOf(rules []rule, egress bool) []permission {
	list := []permission{}
	for _, r := range rules {
		if r.egress != egress {
			continue
		}

		at := slices.IndexFunc(list, func(p permission) bool {
			return *p.IpProtocol == r.protocol && (p.FromPort == nil || *p.FromPort == r.from && *p.ToPort == r.to)
		})
		if at < 0 {
			p := permission{IpProtocol: &r.protocol, Groups: []groupPair{}, IpRanges: []ipRange{}, Ipv6Ranges: []ipv6Range{}, PrefixListIds: []prefixList{}}
			if r.protocol != "-1" {
				p.FromPort, p.ToPort = &r.from, &r.to
			}
			list, at = append(list, p), len(list)
		}

		p := &list[at]
		switch {
		case r.cidr != "":
			p.IpRanges = append(p.IpRanges, ipRange{&r.cidr, r.description})
		case r.cidr6 != "":
			p.Ipv6Ranges = append(p.Ipv6Ranges, ipv6Range{&r.cidr6, r.description})
		case r.prefixList != "":
			p.PrefixListIds = append(p.PrefixListIds, prefixList{&r.prefixList, r.description})
		default:
			p.Groups = append(p.Groups, groupPair{GroupId: &r.group, Description: r.description})
		}
	}
	return list
}

// protocols are the names of the protocols that have one, by their numbers.
var protocols = map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}

// rulesOf are the rules that permissions of a request ask for.
func (s *Service) rulesOf(of *group, permissions []permission, egress bool) ([]rule, error) {
	list := []rule{}
	for _, p := range permissions {
		proto, err := p.protocolAndPorts()
		if err != nil {
			return nil, err
		}
		proto.egress = egress

		add := func(description *string, peer func(*rule)) {
			r := proto
			r.id, r.description = id("sgr"), description
			peer(&r)
			list = append(list, r)
		}
		before := len(list)
		for _, v := range p.IpRanges {
			block, err := canonical(v.CidrIp, true)
			if err != nil {
				return nil, err
			}
			add(v.Description, func(r *rule) { r.cidr = block })
		}
		for _, v := range p.Ipv6Ranges {
			block, err := canonical(v.CidrIpv6, false)
			if err != nil {
				return nil, err
			}
			add(v.Description, func(r *rule) { r.cidr6 = block })
		}
		for _, v := range p.PrefixListIds {
			if v.PrefixListId == nil || !strings.HasPrefix(*v.PrefixListId, "pl-") {
				return nil, wire.Failed("InvalidPrefixListID.NotFound", "The prefix list ID does not exist")
			}
			add(v.Description, func(r *rule) { r.prefixList = *v.PrefixListId })
		}
		for _, v := range p.Groups {
			if v.GroupId == nil {
				return nil, wire.Failed("MissingParameter", "Source group ID missing.")
			}
			peer := s.now().groups[*v.GroupId]
			if peer == nil || peer.vpc != of.vpc {
				return nil, groupNotFound(*v.GroupId)
			}
			add(v.Description, func(r *rule) { r.group = peer.id })
		}

		if len(list) == before {
			return nil, wire.Failed("MissingParameter", "Source group ID missing.")
		}
	}

	if len(list) == 0 {
		return nil, wire.Failed("MissingParameter", "The request must contain the parameter ipPermissions")
	}
	return list, nil
}

// protocolAndPorts is a rule without its peer.
func (p permission) protocolAndPorts() (rule, error) {
	if p.IpProtocol == nil {
		return rule{}, wire.Failed("MissingParameter", "The request must contain the parameter IpProtocol")
	}

	r := rule{protocol: cmp.Or(protocols[*p.IpProtocol], strings.ToLower(*p.IpProtocol)), from: -1, to: -1}
	if _, err := strconv.Atoi(r.protocol); err != nil && r.protocol != "tcp" && r.protocol != "udp" && r.protocol != "icmp" && r.protocol != "icmpv6" {
		return rule{}, wire.Failed("InvalidParameterValue", "Invalid value '%s' for IP protocol. Unknown protocol.", *p.IpProtocol)
	}
	if r.protocol == "-1" {
		return r, nil // it has no ports, whatever the request says
	}

	if p.FromPort != nil {
		r.from = *p.FromPort
	}
	if p.ToPort != nil {
		r.to = *p.ToPort
	}
	if (r.protocol == "tcp" || r.protocol == "udp") && (r.from < 0 || r.to > 65535 || r.from > r.to) {
		return rule{}, wire.Failed("InvalidParameterValue", "Invalid value '%d-%d' for portRange. Must be between 0 and 65535, the lower port first.", r.from, r.to)
	}
	return r, nil
}

// canonical is an address range as answers show it, without bits behind its length.
func canonical(block *string, v4 bool) (string, error) {
	if block != nil {
		if p, err := netip.ParsePrefix(*block); err == nil && p.Addr().Is4() == v4 {
			return p.Masked().String(), nil
		}
	}
	text := ""
	if block != nil {
		text = *block
	}
	return "", wire.Failed("InvalidParameterValue", "CIDR block %s is malformed", text)
}

type rulesInput struct {
	DryRun              *bool
	GroupId             *string
	GroupName           *string
	IpPermissions       []permission
	SecurityGroupRuleId []string
	TagSpecification    []tagSpecification

	// One rule of a request in its short form.
	IpProtocol *string
	FromPort   *int32
	ToPort     *int32
	CidrIp     *string
}

// permissions are those of a request, in whichever form it has them.
func (in *rulesInput) permissions() []permission {
	if in.IpProtocol == nil && in.CidrIp == nil {
		return in.IpPermissions
	}
	return append(in.IpPermissions, permission{IpProtocol: in.IpProtocol, FromPort: in.FromPort, ToPort: in.ToPort, IpRanges: []ipRange{{CidrIp: in.CidrIp}}})
}

type ruleView struct {
	SecurityGroupRuleId string
	GroupId             string
	GroupOwnerId        string
	IsEgress            bool
	IpProtocol          string
	FromPort            int32
	ToPort              int32
	CidrIpv4            string
	CidrIpv6            string
	PrefixListId        string
	ReferencedGroupInfo *referencedGroup
	Description         *string
	TagSet              []tagOf
}

type referencedGroup struct {
	GroupId string
	UserId  string
}

func viewOf(g *group, r rule) ruleView {
	view := ruleView{
		SecurityGroupRuleId: r.id, GroupId: g.id, GroupOwnerId: g.owner, IsEgress: r.egress, IpProtocol: r.protocol, FromPort: r.from, ToPort: r.to,
		CidrIpv4: r.cidr, CidrIpv6: r.cidr6, PrefixListId: r.prefixList, Description: r.description, TagSet: []tagOf{},
	}
	if r.group != "" {
		view.ReferencedGroupInfo = &referencedGroup{r.group, g.owner}
	}
	return view
}

type authorizeOutput struct {
	Return               bool
	SecurityGroupRuleSet []ruleView
}

func (s *Service) authorizeIngress(c *Call, in *rulesInput) (*authorizeOutput, error) {
	return s.authorize(c, in, false)
}

func (s *Service) authorizeEgress(c *Call, in *rulesInput) (*authorizeOutput, error) {
	return s.authorize(c, in, true)
}

// authorize adds rules: all of them, or if one is there already none.
func (s *Service) authorize(c *Call, in *rulesInput, egress bool) (*authorizeOutput, error) {
	g, err := s.groupAs(c, in.GroupId, in.GroupName)
	if err != nil {
		return nil, err
	}
	added, err := s.rulesOf(g, in.permissions(), egress)
	if err != nil {
		return nil, err
	}

	views := []ruleView{}
	for i, r := range added {
		if slices.ContainsFunc(g.rules, r.same) {
			return nil, wire.Failed("InvalidPermission.Duplicate", "the specified rule %q already exists", r.words())
		}
		if slices.ContainsFunc(added[:i], r.same) {
			return nil, wire.Failed("InvalidParameterValue", "The same permission must not appear multiple times")
		}
		views = append(views, viewOf(g, r))
	}

	next := *g
	next.rules = append(slices.Clone(g.rules), added...)
	if next.most(egress) > s.cfg.Quotas.RulesPerGroup {
		return nil, wire.Failed("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	}

	s.change(func(st *state) { st.groups[g.id] = &next })
	return &authorizeOutput{true, views}, nil
}

// words are a rule in the words of errors.
func (r rule) words() string {
	peer := cmp.Or(r.cidr, r.cidr6, r.prefixList, r.group)
	if r.protocol == "-1" {
		return fmt.Sprintf("peer: %s, ALL, ALLOW", peer)
	}
	return fmt.Sprintf("peer: %s, %s, from port: %d, to port: %d, ALLOW", peer, strings.ToUpper(r.protocol), r.from, r.to)
}

// most is how many rules of a direction the quota counts: those for IPv4 or those for IPv6, whichever are more. Rules
// for groups and prefix lists are for both.
func (g *group) most(egress bool) int {
	v4, v6 := 0, 0
	for _, r := range g.rules {
		if r.egress != egress {
			continue
		}
		if r.cidr6 == "" {
			v4++
		}
		if r.cidr == "" {
			v6++
		}
	}
	return max(v4, v6)
}

type revokeOutput struct {
	Return                      bool
	UnknownIpPermissionSet      []permission
	RevokedSecurityGroupRuleSet []revokedRule
}

type revokedRule struct {
	SecurityGroupRuleId string
	GroupId             string
	IsEgress            bool
	IpProtocol          string
	FromPort            int32
	ToPort              int32
	CidrIpv4            string
	CidrIpv6            string
	PrefixListId        string
	ReferencedGroupId   string
	Description         *string
}

func (s *Service) revokeIngress(c *Call, in *rulesInput) (*revokeOutput, error) {
	return s.revoke(c, in, false)
}

func (s *Service) revokeEgress(c *Call, in *rulesInput) (*revokeOutput, error) {
	return s.revoke(c, in, true)
}

// revoke takes rules away: all of them, or if one is not there none. In a default VPC those that are not there are
// no error (API_RevokeSecurityGroupIngress).
func (s *Service) revoke(c *Call, in *rulesInput, egress bool) (*revokeOutput, error) {
	g, err := s.groupAs(c, in.GroupId, in.GroupName)
	if err != nil {
		return nil, err
	}

	wanted, err := s.named(g, in, egress)
	if err != nil {
		return nil, err
	}

	unknown := []rule{}
	kept := slices.Clone(g.rules)
	out := &revokeOutput{Return: true, RevokedSecurityGroupRuleSet: []revokedRule{}}
	for _, w := range wanted {
		at := slices.IndexFunc(kept, w.same)
		if at < 0 {
			unknown = append(unknown, w)
			continue
		}
		r := kept[at]
		out.RevokedSecurityGroupRuleSet = append(out.RevokedSecurityGroupRuleSet, revokedRule{
			r.id, g.id, r.egress, r.protocol, r.from, r.to, r.cidr, r.cidr6, r.prefixList, r.group, r.description,
		})
		kept = slices.Delete(kept, at, at+1)
	}

	if len(unknown) > 0 && !s.now().vpcs[g.vpc].isDefault {
		return nil, wire.Failed("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
	}
	out.UnknownIpPermissionSet = permissionsOf(unknown, egress)

	next := *g
	next.rules = kept
	s.change(func(st *state) { st.groups[g.id] = &next })
	return out, nil
}

// named are the rules that a request names, by their ids or by what they say.
func (s *Service) named(g *group, in *rulesInput, egress bool) ([]rule, error) {
	if len(in.SecurityGroupRuleId) == 0 {
		return s.rulesOf(g, in.permissions(), egress)
	}

	list := []rule{}
	for _, id := range in.SecurityGroupRuleId {
		at := slices.IndexFunc(g.rules, func(r rule) bool { return r.id == id && r.egress == egress })
		if at < 0 {
			return nil, wire.Failed("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
		}
		list = append(list, g.rules[at])
	}
	return list, nil
}

type describeRulesInput struct {
	DryRun              *bool
	Filter              []filter
	SecurityGroupRuleId []string
	MaxResults          *int32
	NextToken           *string
}

type describeRulesOutput struct {
	SecurityGroupRuleSet []ruleView
	NextToken            *string
}

func (s *Service) describeSecurityGroupRules(c *Call, in *describeRulesInput) (*describeRulesOutput, error) {
	st := s.seen(c)
	all := map[string]ruleView{}
	for _, g := range st.groups {
		for _, r := range g.rules {
			all[r.id] = viewOf(g, r)
		}
	}

	found, next, err := find(st, all, question{in.Filter, in.SecurityGroupRuleId, in.MaxResults, in.NextToken}, wanted[ruleView]{
		id: func(r ruleView) string { return r.SecurityGroupRuleId },
		attributes: func(r ruleView) attributes {
			return attributes{"group-id": {r.GroupId}, "security-group-rule-id": {r.SecurityGroupRuleId}}
		},
		notFound: func(id string) error {
			return wire.Failed("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
		},
	})
	return &describeRulesOutput{found, next}, err
}
