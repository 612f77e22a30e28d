// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

// Status is the status of a pod condition. The zero value means that the pod has
// no such condition.
type Status string

// The statuses of a condition.
const (
	StatusTrue    Status = "True"
	StatusFalse   Status = "False"
	StatusUnknown Status = "Unknown"
)

// Reasons that podgate gives itself. All others are a load balancer's, as its driver
// passes them on.
const (
	// ReasonHealthy: the load balancer said healthy of this very pod.
	ReasonHealthy = "Healthy"
	// ReasonContainersNotReady: the gate closed because the pod's own containers became unready.
	ReasonContainersNotReady = "ContainersNotReady"
	// ReasonNoBinding: no binding claims the gate; with status True, it was released for that.
	ReasonNoBinding = "NoBinding"
	// ReasonBindingDeleted: released because its binding is being deleted.
	ReasonBindingDeleted = "BindingDeleted"
	// ReasonNotIPTargets: released because the group's targets are not pods.
	ReasonNotIPTargets = "NotIPTargets"
	// ReasonNotResolved: the binding does not work yet; its own condition says why.
	ReasonNotResolved = "BindingNotReady"
	// ReasonNotObserved: the group has not been read since the pod got its address.
	ReasonNotObserved = "NotObserved"
	// ReasonNotProven: healthy was said of the address, perhaps of the pod that had it before.
	ReasonNotProven = "NotProvenYet"
	// ReasonTimedOut: opened by the binding's policy, since the time-out passed.
	ReasonTimedOut = "TimedOut"
	// ReasonUnused: opened by the binding's policy, since no load balancer uses the target's group or zone.
	ReasonUnused = "TargetUnused"
	// ReasonUnavailable: opened by the binding's policy, since the load balancer has no health to tell.
	ReasonUnavailable = "TargetUnavailable"
	// ReasonUnhealthyDraining: opened by the binding's policy, although the target is unhealthy and drained.
	ReasonUnhealthyDraining = "TargetUnhealthyDraining"
	// ReasonTrackFloor: the target fails its health checks, and too few other gates are open to close this one.
	ReasonTrackFloor = "TrackFloor"
	// ReasonOverridden: a person set the gate by hand until a time, which the message says.
	ReasonOverridden = "Overridden"
	// ReasonSetByHand: a person wrote the condition while podgate was not running.
	ReasonSetByHand = "SetByHand"
	// ReasonUninstalled: opened because podgate was uninstalled.
	ReasonUninstalled = "Uninstalled"
)

// fromBalancer reports whether a reason is a load balancer's: it is none of podgate's own.
func fromBalancer(reason string) bool {
	switch reason {
	case "", ReasonHealthy, ReasonContainersNotReady, ReasonNoBinding, ReasonBindingDeleted, ReasonNotIPTargets, ReasonNotResolved,
		ReasonNotObserved, ReasonNotProven, ReasonTimedOut, ReasonUnused, ReasonUnavailable, ReasonUnhealthyDraining, ReasonTrackFloor,
		ReasonOverridden, ReasonSetByHand, ReasonUninstalled:
		return false
	}
	return true
}

// Condition is a pod condition without its times.
type Condition struct {
	Status  Status
	Reason  string
	Message string
}
