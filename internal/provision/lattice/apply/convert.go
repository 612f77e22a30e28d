// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	services "github.com/podgate/podgate/internal/provision/lattice"
)

// given is a text, or nil if it is empty.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// positive is a number, or nil if it is 0.
func positive(n int32) *int32 {
	if n == 0 {
		return nil
	}
	return &n
}

func number(n int) *int32 { return aws.Int32(int32(n)) } //nolint:gosec // Priorities are at most 100.

// parts are the ids of a service, a listener and a rule, as far as an ARN has them.
func parts(arn string) (service, listener, rule string) {
	after := func(kind string) string {
		_, rest, _ := strings.Cut(arn, kind+"/")
		id, _, _ := strings.Cut(rest, "/")
		return id
	}
	return after(":service"), after("/listener"), after("/rule")
}

func createGroup(g services.TargetGroup) *vpclattice.CreateTargetGroupInput {
	return &vpclattice.CreateTargetGroupInput{Name: &g.Name, Type: types.TargetGroupTypeIp, Tags: g.Tags, Config: &types.TargetGroupConfig{
		Port: &g.Port, Protocol: types.TargetGroupProtocol(g.Protocol), ProtocolVersion: types.TargetGroupProtocolVersion(g.Version),
		IpAddressType: types.IpAddressType(g.AddressType), VpcIdentifier: &g.VPC, HealthCheck: checkTo(g.HealthCheck),
	}}
}

func checkTo(h services.HealthCheck) *types.HealthCheckConfig {
	if h.Off {
		return &types.HealthCheckConfig{Enabled: aws.Bool(false)}
	}
	c := &types.HealthCheckConfig{
		Enabled: aws.Bool(true), Protocol: types.TargetGroupProtocol(h.Protocol), ProtocolVersion: types.HealthCheckProtocolVersion(h.Version), Path: given(h.Path), Port: positive(h.Port),
		HealthCheckIntervalSeconds: positive(h.Interval), HealthCheckTimeoutSeconds: positive(h.Timeout), HealthyThresholdCount: positive(h.Healthy), UnhealthyThresholdCount: positive(h.Unhealthy),
	}
	if h.Codes != "" {
		c.Matcher = &types.MatcherMemberHttpCode{Value: h.Codes}
	}
	return c
}

func checkFrom(c *types.HealthCheckConfig) services.HealthCheck {
	if c == nil || !aws.ToBool(c.Enabled) {
		return services.HealthCheck{Off: true}
	}
	h := services.HealthCheck{
		Protocol: string(c.Protocol), Version: string(c.ProtocolVersion), Path: aws.ToString(c.Path), Port: aws.ToInt32(c.Port), Interval: aws.ToInt32(c.HealthCheckIntervalSeconds),
		Timeout: aws.ToInt32(c.HealthCheckTimeoutSeconds), Healthy: aws.ToInt32(c.HealthyThresholdCount), Unhealthy: aws.ToInt32(c.UnhealthyThresholdCount),
	}
	if codes, is := c.Matcher.(*types.MatcherMemberHttpCode); is {
		h.Codes = codes.Value
	}
	return h
}

func matchTo(m services.Match) types.RuleMatch {
	match := types.HttpMatch{Method: given(m.Method), PathMatch: &types.PathMatch{CaseSensitive: aws.Bool(true), Match: &types.PathMatchTypeMemberExact{Value: m.Path}}}
	if m.Prefix {
		match.PathMatch.Match = &types.PathMatchTypeMemberPrefix{Value: m.Path}
	}
	for _, h := range m.Headers {
		match.HeaderMatches = append(match.HeaderMatches, types.HeaderMatch{Name: aws.String(h.Name), CaseSensitive: aws.Bool(true), Match: &types.HeaderMatchTypeMemberExact{Value: h.Value}})
	}
	return &types.RuleMatchMemberHttpMatch{Value: match}
}

// matchFrom reads a match. One that podgate does not make is as none that it makes.
func matchFrom(of types.RuleMatch) services.Match {
	http, is := of.(*types.RuleMatchMemberHttpMatch)
	if !is || http.Value.PathMatch == nil || !aws.ToBool(http.Value.PathMatch.CaseSensitive) {
		return services.Match{Prefix: true}
	}
	m := services.Match{Method: aws.ToString(http.Value.Method)}
	switch path := http.Value.PathMatch.Match.(type) {
	case *types.PathMatchTypeMemberExact:
		m.Path = path.Value
	case *types.PathMatchTypeMemberPrefix:
		m.Path, m.Prefix = path.Value, true
	}
	for _, h := range http.Value.HeaderMatches {
		value, exact := h.Match.(*types.HeaderMatchTypeMemberExact)
		if !exact || !aws.ToBool(h.CaseSensitive) {
			return services.Match{Prefix: true}
		}
		m.Headers = append(m.Headers, services.Header{Name: aws.ToString(h.Name), Value: value.Value})
	}
	return m
}

func actionTo(a services.Action) types.RuleAction {
	if a.Answer != 0 {
		return &types.RuleActionMemberFixedResponse{Value: types.FixedResponseAction{StatusCode: number(a.Answer)}}
	}
	var forward types.ForwardAction
	for _, f := range a.Forward {
		forward.TargetGroups = append(forward.TargetGroups, types.WeightedTargetGroup{TargetGroupIdentifier: aws.String(f.Group), Weight: aws.Int32(f.Weight)})
	}
	return &types.RuleActionMemberForward{Value: forward}
}
