// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
)

// Published is what the leader knows of a binding's target group.
// +kubebuilder:object:generate=false
type Published struct {
	// Of is the UID of the binding that it was published on: a copy in another cluster has another.
	Of         types.UID `json:"of,omitempty"`
	ARN        string    `json:"arn"`
	Name       string    `json:"name,omitempty"`
	TargetType string    `json:"targetType"`
	Protocol   string    `json:"protocol,omitempty"`
	// IPAddressType is ipv4 or ipv6.
	IPAddressType string `json:"ipAddressType,omitempty"`
	// HealthCheckIntervalSeconds and UnhealthyThreshold say how soon the load balancer notices a dead target.
	HealthCheckIntervalSeconds int64 `json:"healthCheckIntervalSeconds,omitempty"`
	UnhealthyThreshold         int   `json:"unhealthyThreshold,omitempty"`
	// HealthCheckPort is the port at which all targets are checked; 0 when each is at its own.
	HealthCheckPort int32 `json:"healthCheckPort,omitempty"`
	// DeregistrationDelaySeconds is how long a deregistered target may finish requests.
	DeregistrationDelaySeconds int64 `json:"deregistrationDelaySeconds,omitempty"`
}

// Published gives what the leader published on the binding; false when it did not
// or when somebody put something unreadable there, or copied it from another binding.
func (b *TargetGroupBinding) Published() (Published, bool) {
	var p Published
	raw, ok := b.Annotations[v1alpha1.PublishedAnnotation]
	if !ok || json.Unmarshal([]byte(raw), &p) != nil || p.ARN == "" || p.Of != b.UID {
		return Published{}, false
	}
	return p, true
}
