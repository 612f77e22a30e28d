// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"strconv"
	"strings"
)

// healthCheck is a group's health check, as requests and answers have it. In a request, what is absent stays as it is,
// and 0 or an empty text goes back to the default.
type healthCheck struct {
	Enabled                    *bool    `json:"enabled,omitempty"`
	Protocol                   *string  `json:"protocol,omitempty"`
	ProtocolVersion            *string  `json:"protocolVersion,omitempty"`
	Port                       *int     `json:"port,omitempty"` // absent: the target's own
	Path                       *string  `json:"path,omitempty"`
	HealthCheckIntervalSeconds *int     `json:"healthCheckIntervalSeconds,omitempty"`
	HealthCheckTimeoutSeconds  *int     `json:"healthCheckTimeoutSeconds,omitempty"`
	HealthyThresholdCount      *int     `json:"healthyThresholdCount,omitempty"`
	UnhealthyThresholdCount    *int     `json:"unhealthyThresholdCount,omitempty"`
	Matcher                    *matcher `json:"matcher,omitempty"`
}

// matcher says which status codes pass.
type matcher struct {
	HTTPCode *string `json:"httpCode,omitempty"`
}

func (h *healthCheck) on() bool { return h != nil && *h.Enabled }

// defaultCheck is the health check of a group that says nothing about it (user guide, target group health checks).
func defaultCheck(config *groupConfig) *healthCheck {
	h := &healthCheck{
		Enabled: new(config.ProtocolVersion == "HTTP1"), Path: new("/"), Matcher: &matcher{new("200")},
		HealthCheckIntervalSeconds: new(30), HealthCheckTimeoutSeconds: new(5), HealthyThresholdCount: new(5), UnhealthyThresholdCount: new(2),
	}
	if config.Protocol != "TCP" {
		h.Protocol, h.ProtocolVersion = &config.Protocol, new("HTTP1")
	}
	return h
}

// setHealthCheck validates a health check, and changes that of a group to it.
func (s *Service) setHealthCheck(to *healthCheck, config *groupConfig, in *healthCheck) error {
	if in == nil {
		return nil
	}

	minimum := 5
	if s.cfg.Relaxed {
		minimum = 1
	}

	usual := defaultCheck(config)
	for _, number := range []struct {
		name     string
		to       **int
		value    *int
		usual    *int
		min, max int
	}{
		{"healthCheck.healthCheckIntervalSeconds", &to.HealthCheckIntervalSeconds, in.HealthCheckIntervalSeconds, usual.HealthCheckIntervalSeconds, minimum, 300},
		{"healthCheck.healthCheckTimeoutSeconds", &to.HealthCheckTimeoutSeconds, in.HealthCheckTimeoutSeconds, usual.HealthCheckTimeoutSeconds, 1, 120},
		{"healthCheck.healthyThresholdCount", &to.HealthyThresholdCount, in.HealthyThresholdCount, usual.HealthyThresholdCount, 2, 10},
		{"healthCheck.unhealthyThresholdCount", &to.UnhealthyThresholdCount, in.UnhealthyThresholdCount, usual.UnhealthyThresholdCount, 2, 10},
		{"healthCheck.port", &to.Port, in.Port, nil, 1, 65535},
	} {
		switch {
		case number.value == nil:
		case *number.value == 0:
			*number.to = number.usual
		case *number.value < number.min || *number.value > number.max:
			return invalid(number.name, "must be 0 or within %d and %d", number.min, number.max)
		default:
			*number.to = number.value
		}
	}

	setText(&to.Path, in.Path, usual.Path)
	setText(&to.Protocol, in.Protocol, usual.Protocol)
	setText(&to.ProtocolVersion, in.ProtocolVersion, usual.ProtocolVersion)
	if in.Enabled != nil {
		to.Enabled = in.Enabled
	}

	if in.Matcher != nil {
		changed := *to.Matcher
		setText(&changed.HTTPCode, in.Matcher.HTTPCode, usual.Matcher.HTTPCode)
		to.Matcher = &changed
	}

	return s.checkHealthCheck(to)
}

func setText(to **string, value, usual *string) {
	switch {
	case value == nil:
	case *value == "":
		*to = usual
	default:
		*to = value
	}
}

// checkHealthCheck validates what depends on more than one value.
func (s *Service) checkHealthCheck(h *healthCheck) error {
	switch {
	case *h.HealthCheckTimeoutSeconds >= *h.HealthCheckIntervalSeconds && !s.cfg.Relaxed:
		return invalid("healthCheck.healthCheckTimeoutSeconds", "must be smaller than the interval")
	case *h.Enabled && h.Protocol == nil:
		return invalid("healthCheck.protocol", "is required for health checks of a TCP group")
	case h.Protocol != nil && *h.Protocol == "TCP":
		return invalid("healthCheck.protocol", "must be HTTP or HTTPS")
	}

	for part := range strings.SplitSeq(*h.Matcher.HTTPCode, ",") {
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || from < 200 || to > s.cfg.Assumptions.HighestMatch || from > to {
			return invalid("healthCheck.matcher.httpCode", "must be codes within 200-%d, not '%s'", s.cfg.Assumptions.HighestMatch, *h.Matcher.HTTPCode)
		}
	}

	return nil
}
