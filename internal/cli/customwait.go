// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/plural"
)

// whatWaits says what wait waits for.
const whatWaits = "a workload is deploy/NAME, sts/NAME, ds/NAME, rs/NAME, or KIND/NAME of a custom resource that makes pods"

// kindCalled returns the kind that people call by its name in singular or plural, with its group and version or without. Of the
// groups that podgate knows, its own among them, only apps has workloads to wait for.
func kindCalled(kube client.Client, text string) (schema.GroupVersionKind, error) {
	full, partial := schema.ParseResourceArg(strings.ToLower(text))
	asked := []schema.GroupVersionResource{partial.WithVersion("")}
	if full != nil {
		asked = append(asked, *full)
	}

	var found []schema.GroupVersionKind
	for _, resource := range asked {
		if len(found) > 0 {
			break
		}
		kinds, err := kube.RESTMapper().KindsFor(resource)
		if err != nil && !meta.IsNoMatchError(err) {
			return schema.GroupVersionKind{}, fmt.Errorf("find kind %s: %w", text, err)
		}
		found = append(found, kinds...)
	}

	// The first version of a kind is the preferred one.
	var groups []string
	for _, k := range found {
		if !slices.Contains(groups, k.Group) {
			groups = append(groups, k.Group)
		}
	}

	switch {
	case len(groups) == 0:
		return schema.GroupVersionKind{}, fmt.Errorf("the cluster has no kind %q: %s", text, whatWaits)
	case len(groups) > 1:
		return schema.GroupVersionKind{}, fmt.Errorf("kinds of several groups are called %q: add the group, as in %s.%s/NAME", text, text, groups[0])
	case groups[0] != appsv1.GroupName && kube.Scheme().IsGroupRegistered(groups[0]):
		return schema.GroupVersionKind{}, fmt.Errorf("%q: %s", text, whatWaits)
	}

	return found[0], nil
}

// lookCustom looks once at a workload of a kind that podgate does not know.
func (w *waiter) lookCustom(ctx context.Context) (*Waited, error) {
	var o unstructured.Unstructured
	o.SetGroupVersionKind(w.custom)
	if err := w.kube.Get(ctx, w.key, &o); err != nil {
		return nil, fmt.Errorf("get %s %s: %w", w.kind, w.key, err)
	}

	if metav1.GetControllerOf(&o) != nil {
		return nil, fmt.Errorf("%s %s is another object's: wait for that", w.kind, w.key)
	}

	selector, wanted := selectorOf(&o), wantedOf(&o)
	if selector == nil || wanted == nil {
		scale, err := w.scale(ctx, &o)
		if err != nil {
			return nil, err
		}
		if selector == nil {
			selector = scale.selector
		}
		if wanted == nil {
			wanted = scale.replicas
		}
	}

	pods, err := w.customPods(ctx, &o, selector)
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s %s: %w", w.kind, w.key, err)
	}

	return judge(pods, customProgress(&o, wanted, len(pods))), nil
}

// wantedOf is how many pods an object wants; nil when it does not say.
func wantedOf(o *unstructured.Unstructured) *int64 {
	if n, stated := number(o, "spec", "replicas"); stated {
		return &n
	}
	return nil
}

// scale is what an object's scale subresource says.
type scale struct {
	replicas *int64
	selector *metav1.LabelSelector
}

// scale reads an object's scale subresource; all is nil where there is none, or where it may not be read.
func (w *waiter) scale(ctx context.Context, o *unstructured.Unstructured) (scale, error) {
	var read unstructured.Unstructured
	read.SetGroupVersionKind(autoscalingv1.SchemeGroupVersion.WithKind("Scale"))
	err := w.kube.SubResource("scale").Get(ctx, o, &read)
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err):
		return scale{}, nil
	case err != nil:
		return scale{}, fmt.Errorf("read the scale of %s %s: %w", w.kind, w.key, err)
	}

	s := scale{replicas: wantedOf(&read)}
	text, _, _ := unstructured.NestedString(read.Object, "status", "selector")
	if selector, err := metav1.ParseToLabelSelector(text); err == nil && text != "" {
		s.selector = selector
	}

	return s, nil
}

// customPods lists the running pods that a selector selects, or that the object or its ReplicaSets control where there is none.
func (w *waiter) customPods(ctx context.Context, o *unstructured.Unstructured, selector *metav1.LabelSelector) ([]corev1.Pod, error) {
	if selector != nil {
		return workload{kind: w.kind, group: w.custom.Group, namespace: o.GetNamespace(), name: o.GetName(), selector: selector, custom: true}.pods(ctx, w.kube)
	}

	all, err := runningPods(ctx, w.kube, o.GetNamespace(), labels.Everything())
	if err != nil {
		return nil, err
	}

	sets, err := replicaSets(ctx, w.kube, o.GetNamespace())
	if err != nil {
		return nil, err
	}

	return slices.DeleteFunc(all, func(p corev1.Pod) bool {
		c := metav1.GetControllerOf(&p)
		return c == nil || c.UID != o.GetUID() && (sets[c.UID] == nil || !controls(o.GetUID(), sets[c.UID]))
	}), nil
}

// controls reports whether an object is the controller of another.
func controls(owner types.UID, of client.Object) bool {
	c := metav1.GetControllerOf(of)
	return c != nil && c.UID == owner
}

// customProgress reads how far the rollout of an object of an unknown kind has come, from the fields that many kinds share. What
// they do not say is noted, and then the pods decide.
func customProgress(o *unstructured.Unstructured, wanted *int64, pods int) progress {
	kind := o.GetKind()
	p := progress{exist: int32(pods), wanted: int32(pods), surplus: true}
	if wanted != nil {
		p.wanted = int32(*wanted)
	} else {
		p.note = joinedNotes(p.note, "nothing says how many pods the "+kind+" should have, so wait looked at those that there are")
		if pods == 0 {
			p.further = append(p.further, "there is no pod yet")
		}
	}

	if observed, stated := number(o, "status", "observedGeneration"); stated {
		p.generation, p.observed = o.GetGeneration(), observed
	}

	p.latest = p.wanted - keptBack(o, p.wanted)
	if expected, stated := number(o, "status", "expectedUpdatedReplicas"); stated {
		p.latest = int32(expected)
	}
	if p.latest < p.wanted {
		p.note = joinedNotes(p.note, fmt.Sprintf("the partition keeps %s at an earlier revision when the template changes", plural.Count(p.wanted-p.latest, "pod")))
	}
	if strategyType(o) == "OnDelete" {
		p.latest, p.note = 0, joinedNotes(p.note, onDelete)
	}

	updated, stated := number(o, "status", "updatedReplicas")
	p.updated = int32(updated)
	if !stated && p.latest > 0 {
		p.latest = 0
		p.note = joinedNotes(p.note, "the status of the "+kind+" does not say how many pods are of the latest revision, so wait did not look at that")
	}

	customHalts(o, &p)
	return p
}

// customHalts adds what keeps a rollout from going on, as far as the fields say that many kinds share.
func customHalts(o *unstructured.Unstructured, p *progress) {
	phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
	why, _, _ := unstructured.NestedString(o.Object, "status", "message")
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "pauseConditions")
	aborted, _, _ := unstructured.NestedBool(o.Object, "status", "abort")
	midway := phase == "Paused" || len(conditions) > 0

	switch {
	case aborted || phase == "Degraded":
		p.further = append(p.further, "its rollout has failed: "+or(joined(phase, why)))
		p.halted = "its own tool has to retry the rollout, or take the change back"

	case midway && timedPause(o):
		p.further = append(p.further, "its rollout pauses for a while: "+or(joined(phase, why)))

	case midway || paused(o) != "":
		if midway {
			p.further = append(p.further, "its rollout has not come to its end")
		}
		p.halted = fmt.Sprintf("the %s is paused: its own tool lets it go on", o.GetKind())

	case phase == "Progressing":
		p.further = append(p.further, "its status says that its rollout goes on: "+or(joined(phase, why)))
	}
}

// paused returns the field of an object's spec by which somebody asked for a halt; empty where nobody did.
func paused(o *unstructured.Unstructured) string {
	for _, field := range [][]string{{"spec", "paused"}, {"spec", "updateStrategy", "paused"}, {"spec", "updateStrategy", "rollingUpdate", "paused"}} {
		if paused, _, err := unstructured.NestedBool(o.Object, field...); err == nil && paused {
			return strings.Join(field, ".")
		}
	}
	return ""
}

// timedPause reports whether a pause in the middle of a rollout ends by itself: the step that a canary is at has a
// duration, or a new set of pods is promoted after some seconds.
func timedPause(o *unstructured.Unstructured) bool {
	if seconds, _ := number(o, "spec", "strategy", "blueGreen", "autoPromotionSeconds"); seconds > 0 {
		return true
	}

	steps, _, _ := unstructured.NestedSlice(o.Object, "spec", "strategy", "canary", "steps")
	at, stated := number(o, "status", "currentStepIndex")
	if !stated || at < 0 || at >= int64(len(steps)) {
		return false
	}

	step, _ := steps[at].(map[string]any)
	_, timed, err := unstructured.NestedFieldNoCopy(step, "pause", "duration")
	return timed && err == nil
}

// keptBack is how many of n pods a partition keeps at an earlier revision.
func keptBack(o *unstructured.Unstructured, n int32) int32 {
	for _, field := range [][]string{{"spec", "updateStrategy", "partition"}, {"spec", "updateStrategy", "rollingUpdate", "partition"}} {
		switch v, _, _ := unstructured.NestedFieldNoCopy(o.Object, field...); v := v.(type) {
		case int64:
			return int32(min(max(v, 0), int64(n)))
		case string:
			share := intstr.Parse(v)
			return min(max(scaled(&share, n, true), 0), n)
		}
	}
	return 0
}

func strategyType(o *unstructured.Unstructured) string {
	for _, field := range [][]string{{"spec", "updateStrategy", "type"}, {"spec", "strategy", "type"}} {
		if text, _, err := unstructured.NestedString(o.Object, field...); err == nil && text != "" {
			return text
		}
	}
	return ""
}

// number reads a whole number, which some kinds write as text; false where there is none.
func number(o *unstructured.Unstructured, field ...string) (int64, bool) {
	v, _, err := unstructured.NestedFieldNoCopy(o.Object, field...)
	if err != nil {
		return 0, false
	}

	switch v := v.(type) {
	case int64:
		return v, true
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}

// selectorOf is what an object selects its pods by; nil when it does not say.
func selectorOf(o *unstructured.Unstructured) *metav1.LabelSelector {
	// Kinds older than label selectors have a map of labels there.
	if set, found, err := unstructured.NestedStringMap(o.Object, "spec", "selector"); found && err == nil {
		return &metav1.LabelSelector{MatchLabels: labels.Set(set)}
	}

	var selector metav1.LabelSelector
	if convert(o, &selector, "spec", "selector") {
		return &selector
	}
	return nil
}

// joinedNotes are the sentences that are not empty.
func joinedNotes(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(s string) bool { return s == "" }), "; ")
}
