// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	stdjson "encoding/json"
	"maps"
	"slices"
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
	notes := map[string]string{}
	var ops []operation
	if adaptive {
		ops = helper.bring(p, p.Spec.Containers[plan.Sleep[0]])
		notes[safeToEvict] = listed(p.Metadata.Annotations[safeToEvict], helperName)
	}

	for _, i := range plan.Sleep {
		hook := preStop{Sleep: &sleepAction{Seconds: plan.Seconds}}
		if adaptive {
			hook = adaptiveHook(p.Spec.Containers[i].Name, plan)
			ops = append(ops, mount(i, len(p.Spec.Containers[i].VolumeMounts) > 0))
			ops = append(ops, helper.tell(p, i)...)
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
		notes[v1alpha1.GraceAnnotation] = strconv.FormatInt(*plan.Original, 10)
	}

	return append(ops, annotate(p, notes)...)
}

// patchLeftOut notes on a pod what it did not get, which explain and events tell.
func patchLeftOut(p pod, what string) []operation {
	return annotate(p, map[string]string{v1alpha1.LeftOutAnnotation: listed(p.Metadata.Annotations[v1alpha1.LeftOutAnnotation], what)})
}

// listed is a list with commas that has a name.
func listed(list, name string) string {
	switch {
	case list == "":
		return name
	case slices.Contains(strings.Split(list, ","), name):
		return list
	}
	return list + "," + name
}

// annotate sets those annotations that the pod does not have so.
func annotate(p pod, notes map[string]string) []operation {
	maps.DeleteFunc(notes, func(name, value string) bool {
		has, there := p.Metadata.Annotations[name]
		return there && has == value
	})

	if len(notes) == 0 {
		return nil
	}
	if p.Metadata.Annotations == nil {
		return []operation{{Op: "add", Path: annotationsPath, Value: notes}}
	}

	var ops []operation
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		ops = append(ops, operation{Op: "add", Path: annotationsPath + "/" + strings.ReplaceAll(name, "/", "~1"), Value: notes[name]})
	}

	return ops
}

// handles reports whether a hook does anything. A webhook that encodes pods anew leaves an empty one where its library does
// not know the handler, and the API server refuses that.
func handles(hook stdjson.RawMessage) bool {
	var handlers map[string]stdjson.RawMessage
	if len(hook) == 0 || stdjson.Unmarshal(hook, &handlers) == nil && len(handlers) == 0 {
		return false
	}
	return true
}

// hooks is what draining reads of the pod.
func (p pod) hooks() injection.Hooks {
	h := injection.Hooks{Grace: p.Spec.Grace}
	for _, c := range p.Spec.Containers {
		own := c == nil || c.Lifecycle != nil && handles(c.Lifecycle.PreStop)
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
