// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"maps"
	"slices"
	"strconv"
	"strings"
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

// Attributes that are only kept, but have rules of their own.
const (
	attrCrossZone       = "load_balancing.cross_zone.enabled"
	attrStickinessType  = "stickiness.type"
	attrClientKeepAlive = "client_keep_alive.seconds"
	attrTCPIdleTimeout  = "tcp.idle_timeout.seconds"
	attrSecondaryIPs    = "secondary_ips.auto_assigned.per_subnet"
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
	case attrClientKeepAlive:
		return 60, 604800, true
	case attrTCPIdleTimeout:
		return 60, 6000, true
	case attrSecondaryIPs:
		return 0, 7, true
	case "slow_start.duration_seconds": // 0 or 30-900
		return 0, 900, true
	case "stickiness.lb_cookie.duration_seconds", "stickiness.app_cookie.duration_seconds":
		return 1, 604800, true
	case attrMinimumHealthy, "target_group_health.dns_failover.minimum_healthy_targets.count":
		return 1, 1 << 20, true // the most targets that a group can have
	case "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
		"target_group_health.dns_failover.minimum_healthy_targets.percentage":
		return 1, 100, true
	}
	return 0, 0, false
}

// attributeWords are the words that the service documents for an attribute, beside the numbers in its bounds.
func attributeWords(key string) []string {
	switch key {
	case "target_group_health.dns_failover.minimum_healthy_targets.count",
		"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
		"target_group_health.dns_failover.minimum_healthy_targets.percentage":
		return []string{"off"}
	case "load_balancing.algorithm.type":
		return []string{"round_robin", "least_outstanding_requests", "weighted_random"}
	case "load_balancing.algorithm.anomaly_mitigation":
		return []string{"on", "off"}
	case "routing.http.desync_mitigation_mode":
		return []string{"monitor", "defensive", "strictest"}
	case "routing.http.xff_header_processing.mode":
		return []string{"append", "preserve", "remove"}
	case "routing.http.response.x_content_type_options.header_value":
		return []string{"nosniff", ""}
	case "dns_record.client_routing_policy":
		return []string{"availability_zone_affinity", "partial_availability_zone_affinity", "any_availability_zone"}
	}
	return nil
}

// groupAttributes are a new group's attributes, by its kind.
func groupAttributes(g *targetGroup) map[string]string {
	if g.lambda() {
		return map[string]string{
			"lambda.multi_value_headers.enabled": "false",
		}
	}

	common := map[string]string{
		attrDeregistrationDelay: "300",
		"stickiness.enabled":    "false",
		attrCrossZone:           "use_load_balancer_configuration",
		attrMinimumHealthy:      "1",
		"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
		"target_group_health.dns_failover.minimum_healthy_targets.count":                 "1",
		"target_group_health.dns_failover.minimum_healthy_targets.percentage":            "off",
	}

	own := map[string]string{
		attrStickinessType:           "source_ip",
		attrTerminateAtDelay:         "false",
		"proxy_protocol_v2.enabled":  "false",
		"preserve_client_ip.enabled": strconv.FormatBool(g.view.TargetType == types.TargetTypeEnumInstance),
		attrUnhealthyTermination:     "true",
		attrUnhealthyDraining:        "0",
	}
	if g.http() {
		own = map[string]string{
			attrStickinessType:                            "lb_cookie",
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

// balancerAttributes are a new load balancer's attributes, by its type and scheme.
func balancerAttributes(kind types.LoadBalancerTypeEnum, scheme types.LoadBalancerSchemeEnum) map[string]string {
	common := map[string]string{
		"access_logs.s3.enabled":     "false",
		"access_logs.s3.bucket":      "",
		"access_logs.s3.prefix":      "",
		attrDeletionProtection:       "false",
		attrCrossZone:                "false",
		"ipv6.deny_all_igw_traffic":  strconv.FormatBool(scheme == types.LoadBalancerSchemeEnumInternal),
		"zonal_shift.config.enabled": "false",
	}

	own := map[string]string{
		"dns_record.client_routing_policy": "any_availability_zone",
		attrSecondaryIPs:                   "0",
	}
	if kind == types.LoadBalancerTypeEnumApplication {
		own = map[string]string{
			attrCrossZone:                         "true",
			attrIdleTimeout:                       "60",
			attrClientKeepAlive:                   "3600",
			attrPreserveHost:                      "false",
			"routing.http2.enabled":               "true",
			"routing.http.desync_mitigation_mode": "defensive",
			"routing.http.drop_invalid_header_fields.enabled":          "false",
			"routing.http.xff_client_port.enabled":                     "false",
			"routing.http.xff_header_processing.mode":                  "append",
			"routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
			"waf.fail_open.enabled":                                    "false",
			"connection_logs.s3.enabled":                               "false",
			"connection_logs.s3.bucket":                                "",
			"connection_logs.s3.prefix":                                "",
			"health_check_logs.s3.enabled":                             "false",
			"health_check_logs.s3.bucket":                              "",
			"health_check_logs.s3.prefix":                              "",
		}
	}

	maps.Copy(common, own)
	return common
}

// attributeOwner is whose attributes are changed, in the words of the service's errors.
type attributeOwner struct {
	words    string // such as Load balancer
	kind     string // such as load balancers with type 'network'
	siblings []map[string]string
	// choices are the values of attributes whose choice depends on the owner.
	choices map[string][]string
}

// refusal is what the service says of a key that the owner does not have. Only of a key that nobody has does it say that
// it is not recognized (hashicorp/terraform-provider-aws #3611 and #23971).
func (o attributeOwner) refusal(key string) error {
	for _, s := range o.siblings {
		if _, known := s[key]; known {
			return wire.Failed("InvalidConfigurationRequest", "%s attribute key '%s' is not supported on %s", o.words, key, o.kind)
		}
	}
	return wire.Invalid("%s attribute key '%s' is not recognized", o.words, key).Lacking("attribute '%s'", key)
}

func (b *loadBalancer) attributeOwner() attributeOwner {
	return attributeOwner{
		words: "Load balancer", kind: "load balancers with type '" + string(b.view.Type) + "'",
		siblings: []map[string]string{
			balancerAttributes(types.LoadBalancerTypeEnumApplication, ""),
			balancerAttributes(types.LoadBalancerTypeEnumNetwork, ""),
		},
	}
}

func (g *targetGroup) attributeOwner() attributeOwner {
	kind := "target groups with protocol '" + string(g.view.Protocol) + "'"
	if g.lambda() {
		kind = "target groups with type 'lambda'"
	}

	group := func(p types.ProtocolEnum, t types.TargetTypeEnum) map[string]string {
		return groupAttributes(&targetGroup{view: types.TargetGroup{Protocol: p, TargetType: t}})
	}
	return attributeOwner{
		words: "Target group", kind: kind,
		siblings: []map[string]string{
			group(types.ProtocolEnumHttp, types.TargetTypeEnumIp),
			group(types.ProtocolEnumTcp, types.TargetTypeEnumIp),
			group("", types.TargetTypeEnumLambda),
		},
		choices: map[string][]string{attrCrossZone: {"true", "false", "use_load_balancer_configuration"}},
	}
}

// setAttribute changes an attribute that exists.
func setAttribute(of map[string]string, owner attributeOwner, key, value string) error {
	old, known := of[key]
	if !known {
		return owner.refusal(key)
	}

	words := attributeWords(key)
	if choices := owner.choices[key]; choices != nil {
		words = choices
	}

	lowest, highest, bounded := attributeBounds(key)
	switch {
	case slices.Contains(words, value):
	case bounded:
		n, err := strconv.Atoi(value)
		if err != nil || n < lowest || n > highest {
			return wire.Invalid("%s attribute '%s' must be between '%d' and '%d', inclusive", owner.words, key, lowest, highest)
		}
	case words != nil:
		return wire.Invalid("%s attribute '%s' must be one of '[%s]'", owner.words, key, strings.Join(words, ", "))
	case (old == "true" || old == "false") && value != "true" && value != "false":
		return wire.Invalid("%s attribute '%s' must be 'true' or 'false'", owner.words, key)
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

// checkAttribute says what the service has against a value that depends on the group.
func (g *targetGroup) checkAttribute(key, value string) error {
	switch key {
	case attrStickinessType:
		allowed := []string{"source_ip"}
		if g.http() {
			allowed = []string{"lb_cookie", "app_cookie"}
		}
		if !g.lambda() && !slices.Contains(allowed, value) {
			return wire.Failed("InvalidConfigurationRequest", "Stickiness type '%s' is not supported for target groups with the %s protocol", value, g.view.Protocol)
		}

	case "slow_start.duration_seconds":
		if n, err := strconv.Atoi(value); err == nil && n > 0 && n < 30 {
			return wire.Invalid("Target group attribute '%s' must be '0' or between '30' and '900', inclusive", key)
		}
	}

	return nil
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
		if err := g.checkAttribute(*a.Key, *a.Value); err != nil {
			return nil, err
		}
		if err := setAttribute(changed, g.attributeOwner(), *a.Key, *a.Value); err != nil {
			return nil, err
		}
	}

	g.attributes = changed
	return &api.ModifyTargetGroupAttributesOutput{Attributes: groupAttributeList(changed)}, nil
}

// maxBalancerAttributes is how many attributes of a load balancer one call may change (the service model).
const maxBalancerAttributes = 20

// checkAttributes says what the service has against the attributes of b taken together.
func (b *loadBalancer) checkAttributes(changed map[string]string) error {
	if b.application() && changed[attrCrossZone] != "true" {
		return wire.Failed("InvalidConfigurationRequest", "Load balancer attribute '%s' cannot be changed on load balancers with type 'application'", attrCrossZone)
	}

	for _, logs := range []string{"access_logs", "connection_logs", "health_check_logs"} {
		if changed[logs+".s3.enabled"] == "true" && changed[logs+".s3.bucket"] == "" {
			return wire.Failed("InvalidConfigurationRequest", "Load balancer attribute '%s.s3.bucket' is required when '%s.s3.enabled' is 'true'", logs, logs)
		}
	}

	return nil
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

	if len(in.Attributes) > maxBalancerAttributes {
		return nil, wire.Invalid("1 validation error detected: Value at 'attributes' failed to satisfy constraint: Member must have length less than or equal to %d", maxBalancerAttributes)
	}

	changed := maps.Clone(b.attributes)
	for _, a := range in.Attributes {
		if a.Key == nil || a.Value == nil {
			return nil, wire.Invalid("Load balancer attribute key and value must be specified")
		}
		if err := setAttribute(changed, b.attributeOwner(), *a.Key, *a.Value); err != nil {
			return nil, err
		}
	}

	if err := b.checkAttributes(changed); err != nil {
		return nil, err
	}

	b.attributes = changed
	return &api.ModifyLoadBalancerAttributesOutput{Attributes: balancerAttributeList(changed)}, nil
}
