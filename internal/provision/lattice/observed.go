// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

// Observed is what there is of a stack. Everything in it carries the stack's tags, unless it is Foreign or not Own. The Tags of
// everything are all that it has.
type Observed struct {
	Services     []ObservedService
	TargetGroups []ObservedTargetGroup
	// Foreign are the names of services and target groups that the stack wants and that somebody else has, with whose they are as
	// far as their tags say.
	Foreign map[string]string
}

// State is how far AWS is with what it makes or deletes.
type State string

// States, as AWS names them.
const (
	Active         State = "ACTIVE"
	Creating       State = "CREATE_IN_PROGRESS"
	CreationFailed State = "CREATE_FAILED"
	Deleting       State = "DELETE_IN_PROGRESS"
	DeletionFailed State = "DELETE_FAILED"
)

// ObservedService is a service that exists. Its Listeners and TargetGroups are empty: see Has.
type ObservedService struct {
	Service
	ARN, DNSName string
	State        State
	Associations []Association
	Has          []ObservedListener
}

// Association has a service be in a service network.
type Association struct {
	ARN     string
	Network string // its id
	State   State
	// Own reports that it carries the stack's tags.
	Own bool
}

// ObservedListener is a listener that exists. Its Rules is empty: see Has.
type ObservedListener struct {
	Listener
	ARN string
	// Own reports that it carries the stack's tags.
	Own     bool
	Default Action
	// Has are its rules without the default one.
	Has []ObservedRule
}

// ObservedRule is a rule that exists. Its action names target groups by ARN.
type ObservedRule struct {
	Rule
	ARN, Name string
	Priority  int
	// Own reports that it carries the stack's tags.
	Own bool
}

// ObservedTargetGroup is a target group that exists.
type ObservedTargetGroup struct {
	TargetGroup
	ARN   string
	State State
	// Services are the ARNs of those that use it.
	Services []string
	// Bound reports that it has its binding, which is in Binding then, and Unbinding that the binding is being deleted.
	Bound, Unbinding bool
	// Registered are its targets that are not draining, Healthy those of them that get requests, and Targets all, the draining ones too.
	Registered, Healthy, Targets int
}
