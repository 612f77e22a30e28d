// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package health

// description is the text that goes with a reason on the wire; false: the
// reason is none of the service's. A healthy target has neither.
func description(state, reason string) (string, bool) {
	switch reason {
	case "":
		return "", true
	case "Elb.RegistrationInProgress":
		return "Target registration is in progress", true
	case "Elb.InitialHealthChecking":
		return "Initial health checks in progress", true
	case "Target.ResponseCodeMismatch":
		return "Health checks failed with these codes: [503]", true
	case "Target.Timeout":
		return "Request timed out", true
	case "Target.FailedHealthChecks":
		return "Health checks failed", true
	case "Elb.InternalError":
		if state == "unavailable" {
			return "Target health is unavailable due to an internal error", true
		}
		return "Health checks failed due to an internal error", true

	case "Target.NotRegistered":
		return "Target is not registered to the target group", true
	case "Target.NotInUse":
		return "Target group is not configured to receive traffic from the load balancer", true
	case "Target.InvalidState":
		return "Target is in the stopped or terminated state", true
	case "Target.IpUnusable":
		return "The target IP address is reserved for use by a load balancer", true
	case "Target.DeregistrationInProgress":
		return "Target deregistration is in progress", true
	case "Target.HealthCheckDisabled":
		return "Health checks are disabled", true
	}

	return "", false
}

// usualReason is a state's reason where a script names none; false: the state
// is none of the service's.
func usualReason(state string) (string, bool) {
	switch state {
	case "initial":
		return "Elb.InitialHealthChecking", true
	case "healthy":
		return "", true
	case "unhealthy", "unhealthy.draining":
		return "Target.FailedHealthChecks", true
	case "unused":
		return "Target.NotInUse", true
	case "draining":
		return "Target.DeregistrationInProgress", true
	case "unavailable":
		return "Target.HealthCheckDisabled", true
	}

	return "", false
}
