// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"fmt"
	"strings"
)

// Step is one change, of those in this file. What it makes carries all of the tags that it names, the stack's among them.
type Step interface {
	// String says what is done, for logs.
	fmt.Stringer
}

// Steps of services and of their associations.
type (
	// CreateService makes one without listeners.
	CreateService struct{ Service Service }
	// SetCertificate sets that of one.
	SetCertificate struct{ Service, Certificate string }
	// DeleteService deletes one with its listeners and their rules, and no association.
	DeleteService struct{ ARN string }
	// Associate has a service be in a network.
	Associate struct {
		Service, Network string
		Tags             map[string]string
	}
	// Dissociate ends an association.
	Dissociate struct{ ARN string }
)

// Steps of target groups and of their bindings.
type (
	// CreateTargetGroup makes one with its health check, and without its binding.
	CreateTargetGroup struct{ TargetGroup TargetGroup }
	// ModifyTargetGroup sets its health check.
	ModifyTargetGroup struct {
		ARN         string
		HealthCheck HealthCheck
	}
	// DeleteTargetGroup deletes one that nothing uses and that has no targets.
	DeleteTargetGroup struct{ ARN string }
	// Deregister deregisters all targets of one that has no binding, which would do that.
	Deregister struct{ ARN string }
	// CreateBinding makes the binding of a target group.
	CreateBinding struct {
		ARN         string
		TargetGroup TargetGroup
	}
	// UpdateBinding sets its labels.
	UpdateBinding struct {
		ARN         string
		TargetGroup TargetGroup
	}
	// DeleteBinding deletes it, so that the targets drain.
	DeleteBinding struct{ ARN, Namespace, Name string }
)

// Steps of listeners and rules.
type (
	// CreateListener makes one without rules.
	CreateListener struct {
		Service  string // ARN
		Listener Listener
	}
	// DeleteListener deletes one with its rules.
	DeleteListener struct{ ARN string }
	// CreateRule makes one.
	CreateRule struct {
		Listener string // ARN
		Name     string
		Priority int
		Rule     Rule
	}
	// ModifyRule sets what one does. Which requests it matches stays.
	ModifyRule struct {
		ARN    string
		Action Action
	}
	// ReplaceRule has one match the requests of another rule and do what that does, at another priority, at once. Whose it is its
	// tags still say.
	ReplaceRule struct {
		ARN      string
		Priority int
		Rule     Rule
	}
	// SetPriority sets that of one.
	SetPriority struct {
		ARN      string
		Priority int
	}
	// DeleteRule deletes one.
	DeleteRule struct{ ARN string }
)

// Tag adds tags to anything, or changes them.
type Tag struct {
	ARN  string
	Tags map[string]string
}

func (s CreateService) String() string { return "create service " + s.Service.Name }
func (s SetCertificate) String() string {
	return "set certificate of " + s.Service + ": " + s.Certificate
}
func (s DeleteService) String() string { return "delete " + s.ARN }
func (s Associate) String() string     { return "associate " + s.Service + " with network " + s.Network }
func (s Dissociate) String() string    { return "delete " + s.ARN }

func (s CreateTargetGroup) String() string { return "create target group " + s.TargetGroup.Name }
func (s ModifyTargetGroup) String() string { return "set health check of " + s.ARN }
func (s DeleteTargetGroup) String() string { return "delete " + s.ARN }
func (s Deregister) String() string        { return "deregister all targets of " + s.ARN }
func (s CreateBinding) String() string {
	return "create binding " + s.TargetGroup.Binding.Namespace + "/" + s.TargetGroup.Name
}
func (s UpdateBinding) String() string {
	return "update binding " + s.TargetGroup.Binding.Namespace + "/" + s.TargetGroup.Name
}
func (s DeleteBinding) String() string { return "delete binding " + s.Namespace + "/" + s.Name }

func (s CreateListener) String() string {
	return fmt.Sprintf("create listener %s:%d of %s", s.Listener.Protocol, s.Listener.Port, s.Service)
}
func (s DeleteListener) String() string { return "delete " + s.ARN }

func (s CreateRule) String() string {
	return fmt.Sprintf("create rule %d of %s for %s of %s: %s", s.Priority, s.Listener, s.Rule.Match, s.Rule.Owner, s.Rule.Action)
}
func (s ModifyRule) String() string { return "modify " + s.ARN + ": " + s.Action.String() }
func (s ReplaceRule) String() string {
	return fmt.Sprintf("replace %s by rule %d for %s of %s: %s", s.ARN, s.Priority, s.Rule.Match, s.Rule.Owner, s.Rule.Action)
}
func (s SetPriority) String() string { return fmt.Sprintf("set priority of %s: %d", s.ARN, s.Priority) }
func (s DeleteRule) String() string  { return "delete " + s.ARN }
func (s Tag) String() string         { return fmt.Sprintf("tag %s: %v", s.ARN, s.Tags) }

// String says which requests match, for people.
func (m Match) String() string {
	text := m.Path
	if m.Prefix {
		text += "*"
	}
	if m.Method != "" {
		text = m.Method + " " + text
	}
	for _, h := range m.Headers {
		text += fmt.Sprintf(" %s: %s", h.Name, h.Value)
	}
	return text
}

// String says what becomes of requests, for logs.
func (a Action) String() string {
	if a.Answer != 0 {
		return fmt.Sprintf("answer %d", a.Answer)
	}
	var parts []string
	for _, f := range a.Forward {
		parts = append(parts, fmt.Sprintf("%s (%d)", f.Group, f.Weight))
	}
	return "forward to " + strings.Join(parts, ", ")
}
