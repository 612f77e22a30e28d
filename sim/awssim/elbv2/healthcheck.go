// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"strconv"
	"strings"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/health"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// healthCheck is the part that CreateTargetGroup and ModifyTargetGroup share;
// what is absent stays as it is.
type healthCheck struct {
	enabled            *bool
	interval, timeout  *int32
	healthy, unhealthy *int32
	protocol           types.ProtocolEnum
	port, path         *string
	matcher            *types.Matcher
}

func healthCheckOf(in *api.CreateTargetGroupInput) healthCheck {
	return healthCheck{
		enabled: in.HealthCheckEnabled, interval: in.HealthCheckIntervalSeconds, timeout: in.HealthCheckTimeoutSeconds,
		healthy: in.HealthyThresholdCount, unhealthy: in.UnhealthyThresholdCount,
		protocol: in.HealthCheckProtocol, port: in.HealthCheckPort, path: in.HealthCheckPath, matcher: in.Matcher,
	}
}

// setHealthCheck validates a health check, and changes that of a group to it. Bounds are those of the service model.
func (s *Service) setHealthCheck(view *types.TargetGroup, h healthCheck) error {
	minInterval, minTimeout := int32(5), int32(2)
	if s.cfg.Relaxed {
		minInterval, minTimeout = 1, 1
	}

	for _, bound := range []struct {
		name     string
		value    *int32
		min, max int32
	}{
		{"healthCheckIntervalSeconds", h.interval, minInterval, 300},
		{"healthCheckTimeoutSeconds", h.timeout, minTimeout, 120},
		{"healthyThresholdCount", h.healthy, 2, 10},
		{"unhealthyThresholdCount", h.unhealthy, 2, 10},
	} {
		if err := wire.InRange(bound.name, bound.value, bound.min, bound.max); err != nil {
			return err
		}
	}

	if h.enabled != nil && !*h.enabled && view.TargetType != types.TargetTypeEnumLambda && !s.cfg.Relaxed {
		return wire.Invalid("Health check enabled must be true for target groups with target type '%s'", view.TargetType)
	}

	setIf(&view.HealthCheckEnabled, h.enabled)
	setIf(&view.HealthCheckIntervalSeconds, h.interval)
	setIf(&view.HealthCheckTimeoutSeconds, h.timeout)
	setIf(&view.HealthyThresholdCount, h.healthy)
	setIf(&view.UnhealthyThresholdCount, h.unhealthy)

	if h.port != nil {
		if err := checkHealthPort(*h.port); err != nil {
			return err
		}
		view.HealthCheckPort = h.port
	}

	if h.protocol != "" {
		view.HealthCheckProtocol = h.protocol
	}

	if *view.HealthCheckTimeoutSeconds > *view.HealthCheckIntervalSeconds ||
		*view.HealthCheckTimeoutSeconds == *view.HealthCheckIntervalSeconds && view.HealthCheckProtocol != types.ProtocolEnumTcp && !s.cfg.Relaxed {
		return wire.Invalid("Health check interval must be greater than the timeout.")
	}

	return setHTTPCheck(view, h)
}

// setHTTPCheck sets what only an HTTP check has: a path and a matcher.
func setHTTPCheck(view *types.TargetGroup, h healthCheck) error {
	switch view.HealthCheckProtocol {
	case types.ProtocolEnumHttp, types.ProtocolEnumHttps, "":
	case types.ProtocolEnumTcp:
		view.HealthCheckPath, view.Matcher = nil, nil
		if h.path != nil || h.matcher != nil {
			return wire.Invalid("Health check path and matcher cannot be specified with health check protocol TCP")
		}
		return nil
	default:
		return wire.Invalid("Health check protocol '%s' is not supported", view.HealthCheckProtocol)
	}

	if view.HealthCheckPath == nil {
		view.HealthCheckPath = new("/")
	}

	if view.Matcher == nil {
		view.Matcher = &types.Matcher{HttpCode: new("200")}
		if view.Protocol != types.ProtocolEnumHttp && view.Protocol != types.ProtocolEnumHttps {
			view.Matcher.HttpCode = new("200-399")
		}
	}

	if h.path != nil {
		if !strings.HasPrefix(*h.path, "/") || len(*h.path) > 1024 {
			return wire.Invalid("Health check path '%s' must begin with a '/' character and be at most 1024 characters long", *h.path)
		}
		view.HealthCheckPath = h.path
	}

	if h.matcher == nil {
		return nil
	}
	if h.matcher.HttpCode == nil {
		return wire.Unmodelled("gRPC matchers")
	}

	if _, err := health.ParseMatcher(*h.matcher.HttpCode); err != nil {
		return err
	}

	view.Matcher = h.matcher
	return nil
}

func setIf[T any](to **T, value *T) {
	if value != nil {
		*to = value
	}
}

func checkHealthPort(port string) error {
	if port == "traffic-port" {
		return nil
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return wire.Invalid("Health check port '%s' must be 'traffic-port' or in the range 1 to 65535", port)
	}
	return nil
}
