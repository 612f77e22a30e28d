// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"strconv"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/injection"
)

const (
	containersPath  = "/spec/containers/"
	gracePath       = "/spec/terminationGracePeriodSeconds"
	annotationsPath = "/metadata/annotations"
)

// preStop is a container's hook: one that sleeps in the kubelet, so that the image needs
// no shell, or the adaptive one's program.
type preStop struct {
	Sleep *sleepAction `json:"sleep,omitempty"`
	Exec  *execAction  `json:"exec,omitempty"`
}

type sleepAction struct {
	Seconds int64 `json:"seconds"`
}

type execAction struct {
	Command []string `json:"command"`
}

// lifecycle is a container's.
type lifecycle struct {
	PreStop preStop `json:"preStop"`
}

// patchHooks turns a plan for a pod into operations that add what is missing. What the
// pod states is never rewritten, but the grace period.
func patchHooks(p pod, plan injection.DrainPlan, helper Helper) []operation {
	adaptive := helper.fits(p, plan)
	var ops []operation
	if adaptive {
		ops = helper.bring(p, p.Spec.Containers[plan.Sleep[0]])
	}

	for _, i := range plan.Sleep {
		hook := preStop{Sleep: &sleepAction{Seconds: plan.Seconds}}
		if adaptive {
			hook = adaptiveHook(p.Spec.Containers[i].Name, plan)
			ops = append(ops, mount(i, len(p.Spec.Containers[i].VolumeMounts) > 0))
		}
		path := containersPath + strconv.Itoa(i) + "/lifecycle"
		if p.Spec.Containers[i].Lifecycle == nil {
			ops = append(ops, operation{Op: "add", Path: path, Value: lifecycle{PreStop: hook}})
			continue
		}
		ops = append(ops, operation{Op: "add", Path: path + "/preStop", Value: hook})
	}

	if plan.Grace > 0 {
		ops = append(ops, operation{Op: "add", Path: gracePath, Value: plan.Grace})
	}

	if plan.Original != nil {
		ops = append(ops, annotate(p, v1alpha1.GraceAnnotation, strconv.FormatInt(*plan.Original, 10)))
	}

	return ops
}

func annotate(p pod, name, value string) operation {
	if p.Metadata.Annotations == nil {
		return operation{Op: "add", Path: annotationsPath, Value: map[string]string{name: value}}
	}
	return operation{Op: "add", Path: annotationsPath + "/" + strings.ReplaceAll(name, "/", "~1"), Value: value}
}

// hooks is what draining reads of the pod.
func (p pod) hooks() injection.Hooks {
	h := injection.Hooks{Grace: p.Spec.Grace}
	for _, c := range p.Spec.Containers {
		own := c == nil || c.Lifecycle != nil && len(c.Lifecycle.PreStop) > 0 && string(c.Lifecycle.PreStop) != "null"
		h.PreStop = append(h.PreStop, own)
	}

	// Somebody else's words there are as good as none.
	if n, err := strconv.ParseInt(p.Metadata.Annotations[v1alpha1.GraceAnnotation], 10, 64); err == nil && n > 0 {
		h.Original = &n
	}

	for _, o := range p.Metadata.OwnerReferences {
		if o.Kind == "Job" && strings.HasPrefix(o.APIVersion, "batch") {
			h.OfJob = true
		}
	}

	return h
}

// workload is what binding.Workload says of the pod.
func (p pod) workload() string {
	for _, o := range p.Metadata.OwnerReferences {
		if o.Controller {
			return binding.WorkloadOf(o.Kind, o.Name, p.Metadata.Labels)
		}
	}
	return ""
}
