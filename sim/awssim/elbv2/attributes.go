// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"maps"
	"slices"
	"strconv"
	"time"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// Attributes that the simulator acts on; the others are only kept.
const (
	attrDeregistrationDelay  = "deregistration_delay.timeout_seconds"
	attrTerminateAtDelay     = "deregistration_delay.connection_termination.enabled"
	attrMinimumHealthy       = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"
	attrUnhealthyTermination = "target_health_state.unhealthy.connection_termination.enabled"
	attrUnhealthyDraining    = "target_health_state.unhealthy.draining_interval_seconds"
	attrIdleTimeout          = "idle_timeout.timeout_seconds"
	attrDeletionProtection   = "deletion_protection.enabled"
	attrPreserveHost         = "routing.http.preserve_host_header.enabled"
)

// attributeBounds is the range that the service documents for an attribute.
func attributeBounds(key string) (lowest, highest int, bounded bool) {
	switch key {
	case attrDeregistrationDelay:
		return 0, 3600, true
	case attrUnhealthyDraining:
		return 0, 360000, true
	case attrIdleTimeout:
		return 1, 4000, true
	case "slow_start.duration_seconds": // 0 or 30-900
		return 0, 900, true
	}
	return 0, 0, false
}

// groupAttributes are a new group's attributes, by its kind.
func groupAttributes(g *targetGroup) map[string]string {
	if g.lambda() {
		return map[string]string{
			"lambda.multi_value_headers.enabled": "false",
		}
	}

	common := map[string]string{
		attrDeregistrationDelay:             "300",
		"stickiness.enabled":                "false",
		"load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
		attrMinimumHealthy:                  "1",
		"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
		"target_group_health.dns_failover.minimum_healthy_targets.count":                 "1",
		"target_group_health.dns_failover.minimum_healthy_targets.percentage":            "off",
	}

	own := map[string]string{
		"stickiness.type":            "source_ip",
		attrTerminateAtDelay:         "false",
		"proxy_protocol_v2.enabled":  "false",
		"preserve_client_ip.enabled": strconv.FormatBool(g.view.TargetType == types.TargetTypeEnumInstance),
		attrUnhealthyTermination:     "true",
		attrUnhealthyDraining:        "0",
	}
	if g.http() {
		own = map[string]string{
			"stickiness.type":                             "lb_cookie",
			"stickiness.lb_cookie.duration_seconds":       "86400",
			"stickiness.app_cookie.cookie_name":           "",
			"stickiness.app_cookie.duration_seconds":      "86400",
			"slow_start.duration_seconds":                 "0",
			"load_balancing.algorithm.type":               "round_robin",
			"load_balancing.algorithm.anomaly_mitigation": "off",
		}
	}

	maps.Copy(common, own)
	return common
}

// balancerAttributes are a new load balancer's attributes, by its type.
func balancerAttributes(kind types.LoadBalancerTypeEnum) map[string]string {
	common := map[string]string{
		"access_logs.s3.enabled":            "false",
		"access_logs.s3.bucket":             "",
		"access_logs.s3.prefix":             "",
		attrDeletionProtection:              "false",
		"load_balancing.cross_zone.enabled": "false",
		"ipv6.deny_all_igw_traffic":         "false",
	}
	if kind != types.LoadBalancerTypeEnumApplication {
		common["dns_record.client_routing_policy"] = "any_availability_zone"
		return common
	}

	maps.Copy(common, map[string]string{
		"load_balancing.cross_zone.enabled":                        "true",
		attrIdleTimeout:                                            "60",
		"client_keep_alive.seconds":                                "3600",
		attrPreserveHost:                                           "false",
		"routing.http2.enabled":                                    "true",
		"routing.http.desync_mitigation_mode":                      "defensive",
		"routing.http.drop_invalid_header_fields.enabled":          "false",
		"routing.http.xff_client_port.enabled":                     "false",
		"routing.http.xff_header_processing.mode":                  "append",
		"routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
		"waf.fail_open.enabled":                                    "false",
		"connection_logs.s3.enabled":                               "false",
		"connection_logs.s3.bucket":                                "",
		"connection_logs.s3.prefix":                                "",
	})

	return common
}

// setAttribute changes an attribute that exists.
func setAttribute(of map[string]string, words, key, value string) error {
	if _, known := of[key]; !known {
		return wire.Invalid("%s attribute key '%s' is not recognized", words, key)
	}

	if lowest, highest, bounded := attributeBounds(key); bounded {
		n, err := strconv.Atoi(value)
		if err != nil || n < lowest || n > highest {
			return wire.Invalid("%s attribute '%s' must be between '%d' and '%d', inclusive", words, key, lowest, highest)
		}
	}

	if old := of[key]; (old == "true" || old == "false") && value != "true" && value != "false" {
		return wire.Invalid("%s attribute '%s' must be 'true' or 'false'", words, key)
	}

	of[key] = value
	return nil
}

// seconds reads an attribute that is a number of seconds.
func seconds(of map[string]string, key string) time.Duration {
	n, _ := strconv.Atoi(of[key]) // setAttribute let only numbers in; absent is 0
	return time.Duration(n) * time.Second
}

func groupAttributeList(of map[string]string) []types.TargetGroupAttribute {
	list := []types.TargetGroupAttribute{}
	for _, key := range slices.Sorted(maps.Keys(of)) {
		list = append(list, types.TargetGroupAttribute{Key: &key, Value: new(of[key])})
	}
	return list
}

func balancerAttributeList(of map[string]string) []types.LoadBalancerAttribute {
	list := []types.LoadBalancerAttribute{}
	for _, key := range slices.Sorted(maps.Keys(of)) {
		list = append(list, types.LoadBalancerAttribute{Key: &key, Value: new(of[key])})
	}
	return list
}

func (s *Service) describeTargetGroupAttributes(c *Call, in *api.DescribeTargetGroupAttributesInput) (*api.DescribeTargetGroupAttributesOutput, error) {
	g, err := s.group(c, in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	return &api.DescribeTargetGroupAttributesOutput{Attributes: groupAttributeList(g.attributes)}, nil
}

func (s *Service) modifyTargetGroupAttributes(c *Call, in *api.ModifyTargetGroupAttributesInput) (*api.ModifyTargetGroupAttributesOutput, error) {
	g, err := s.group(c, in.TargetGroupArn)
	if err != nil {
		return nil, err
	}

	changed := maps.Clone(g.attributes)
	for _, a := range in.Attributes {
		if a.Key == nil || a.Value == nil {
			return nil, wire.Invalid("Target group attribute key and value must be specified")
		}
		if err := setAttribute(changed, "Target group", *a.Key, *a.Value); err != nil {
			return nil, err
		}
	}

	g.attributes = changed
	return &api.ModifyTargetGroupAttributesOutput{Attributes: groupAttributeList(changed)}, nil
}

func (s *Service) describeLoadBalancerAttributes(c *Call, in *api.DescribeLoadBalancerAttributesInput) (*api.DescribeLoadBalancerAttributesOutput, error) {
	b, err := s.balancer(c, in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	return &api.DescribeLoadBalancerAttributesOutput{Attributes: balancerAttributeList(b.attributes)}, nil
}

func (s *Service) modifyLoadBalancerAttributes(c *Call, in *api.ModifyLoadBalancerAttributesInput) (*api.ModifyLoadBalancerAttributesOutput, error) {
	b, err := s.balancer(c, in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}

	changed := maps.Clone(b.attributes)
	for _, a := range in.Attributes {
		if a.Key == nil || a.Value == nil {
			return nil, wire.Invalid("Load balancer attribute key and value must be specified")
		}
		if err := setAttribute(changed, "Load balancer", *a.Key, *a.Value); err != nil {
			return nil, err
		}
	}

	b.attributes = changed
	return &api.ModifyLoadBalancerAttributesOutput{Attributes: balancerAttributeList(changed)}, nil
}
