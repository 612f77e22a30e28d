// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package health

// Health is what the API says of one target. The zero value is a target that it does not know.
type Health struct {
	// State is one of the service's: initial, healthy, unhealthy,
	// unhealthy.draining, unused, draining, unavailable.
	State string `json:"state"`
	// Reason and Description are empty only for a healthy target.
	Reason      string `json:"reason,omitempty"`
	Description string `json:"description,omitempty"`
	// NoTraffic is a zonal shift: the API says it in AdministrativeOverride
	// and the data path routes nothing there.
	NoTraffic bool `json:"noTraffic,omitempty"`
}

// Of is a state with the description that goes with its reason.
func Of(state, reason string) Health {
	text, _ := description(state, reason)
	return Health{State: state, Reason: reason, Description: text}
}

// Failed is what a failed check says, by its reason.
func Failed(reason string) *Health {
	h := Of("unhealthy", reason)
	return &h
}
