// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"maps"
	"strings"
)

// gatePolicies are the annotations that TargetBindings have always had fields for, so that
// the annotation never counts.
var gatePolicies = []string{
	ModeAnnotation, TrackAfterAnnotation, TrackFloorAnnotation, TimeoutAnnotation,
	OnTimeoutAnnotation, OnUnusedAnnotation, OnUnavailableAnnotation, OnUnhealthyDrainingAnnotation,
}

// fieldsOf are the fields of a TargetBinding that take the values of annotations on a TargetGroupBinding.
var fieldsOf = strings.NewReplacer(
	OnTimeoutAnnotation+":", "spec.gate.onTimeout:",
	OnUnusedAnnotation+":", "spec.gate.onUnused:",
	OnUnavailableAnnotation+":", "spec.gate.onUnavailable:",
	OnUnhealthyDrainingAnnotation+":", "spec.gate.onUnhealthyDraining:",
	OtherGatesAnnotation+":", "spec.otherGates:",
	DrainTimeAnnotation+": "+DrainRecommended, "spec.drain.timeFrom: "+string(DrainTimeRecommended),
)

// InFields writes advice that names annotations of a TargetGroupBinding for a TargetBinding.
func InFields(advice string) string { return fieldsOf.Replace(advice) }

// Policies returns the binding's annotations with its fields written as the annotations that
// say the same on a TargetGroupBinding, so that policies are read in one way for both kinds.
// A field wins over the annotation.
func (b *TargetBinding) Policies() map[string]string {
	stated := maps.Clone(b.Annotations)
	if stated == nil {
		stated = map[string]string{}
	}

	for _, name := range gatePolicies {
		delete(stated, name)
	}

	if b.Spec.Gate != nil {
		b.Spec.Gate.state(stated)
	}

	if b.Spec.Drain != nil {
		b.Spec.Drain.state(stated)
	}

	switch b.Spec.ReplaceUngated {
	case ReplaceUngatedEnabled:
		stated[ReplaceAnnotation] = ReplaceEnabled
	case ReplaceUngatedDisabled:
		delete(stated, ReplaceAnnotation)
	}

	set(stated, OtherGatesAnnotation, string(b.Spec.OtherGates))
	set(stated, NodesAnnotation, string(b.Spec.Nodes))

	return stated
}

// Policies returns the gate's fields as the annotations that say the same on a binding, so that policies are read in one
// way for all kinds.
func (g *ReadinessGate) Policies() map[string]string {
	stated := map[string]string{}
	(&GatePolicy{
		Mode: g.Spec.Gate.Mode, TrackAfterSeconds: g.Spec.Gate.TrackAfterSeconds, TrackFloor: g.Spec.Gate.TrackFloor,
		TimeoutSeconds: g.Spec.Gate.TimeoutSeconds, OnTimeout: g.Spec.Gate.OnTimeout,
	}).state(stated)
	return stated
}

func (p *GatePolicy) state(stated map[string]string) {
	set(stated, ModeAnnotation, string(p.Mode))
	set(stated, TrackAfterAnnotation, seconds(p.TrackAfterSeconds))
	set(stated, TrackFloorAnnotation, p.TrackFloor)
	set(stated, TimeoutAnnotation, seconds(p.TimeoutSeconds))
	set(stated, OnTimeoutAnnotation, string(p.OnTimeout))
	set(stated, OnUnusedAnnotation, string(p.OnUnused))
	set(stated, OnUnavailableAnnotation, string(p.OnUnavailable))
	set(stated, OnUnhealthyDrainingAnnotation, string(p.OnUnhealthyDraining))
}

func (p *DrainPolicy) state(stated map[string]string) {
	set(stated, DrainTimeAnnotation, seconds(p.Seconds))
	set(stated, DrainAtAnnotation, string(p.At))
	set(stated, DrainModeAnnotation, string(p.Mode))

	switch p.TimeFrom {
	case DrainTimeComputed:
		delete(stated, DrainTimeAnnotation)
	case DrainTimeRecommended:
		stated[DrainTimeAnnotation] = DrainRecommended
	}
}

// set writes a value that is given.
func set(stated map[string]string, name, value string) {
	if value != "" {
		stated[name] = value
	}
}

// seconds renders a duration; empty when it is not given.
func seconds(n int32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%ds", n)
}
