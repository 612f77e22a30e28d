// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/injection"
)

// workload is what makes pods.
type workload struct {
	kind, namespace, name string
	// group is the API group of a custom workload: one of a kind that podgate does not know.
	group  string
	custom bool
	// counted: its replicas are the pods that there are.
	counted  bool
	replicas int32
	// assumed: nothing says how many replicas there are, so that they are taken for one.
	assumed  bool
	template *corev1.PodTemplateSpec
	selector *metav1.LabelSelector
	// atOnce is how many pods a rollout may take away before others are ready; 0 for what
	// does no rollouts.
	atOnce int32
	// deadlineSeconds is how long a rollout may make no progress; 0 for what has no such limit.
	deadlineSeconds int32
	// paused: a change of the template does not begin a rollout. onDelete: it replaces what somebody deletes.
	paused, onDelete bool
	// ordered: a rollout of a StatefulSet waits for each pod that is not Ready. revision is its latest.
	ordered  bool
	revision string
	// governor is the Service that gives the pods of a StatefulSet their DNS names.
	governor string
	// failure is why its pods cannot be created; empty where they can, or nobody knows.
	failure string
	// partition is how many pods a rollout leaves as they are.
	partition int32
	// place is the object's in the files, from 1 up; 0 when it is in the cluster.
	place int
	// maker is the object that controls this one, such as an operator's; empty without one.
	maker string
	// pausedBy is the field by which a custom workload is paused. stuck is why its rollout does not go on, and unstick what
	// to do about that; empty where nothing is known.
	pausedBy, stuck, unstick string
}

func (w workload) String() string { return fmt.Sprintf("%s %s/%s", w.kind, w.namespace, w.name) }

// The defaults of the API server, which objects of files do not have yet.
const (
	defaultDeadline    = 600
	defaultUnavailable = "25%"
)

// podKind is the kind of a pod that is applied by itself.
const podKind = "Pod"

// workloadOf gives what an object makes pods of; false for what makes none, or does no rollouts and only makes some for
// another object.
func workloadOf(o client.Object) (workload, bool) {
	w := workload{namespace: o.GetNamespace(), name: o.GetName()}
	if owner := metav1.GetControllerOf(o); owner != nil {
		w.maker = owner.Kind + " " + owner.Name
	}

	switch o := o.(type) {
	case *corev1.Pod:
		w.kind, w.template, w.replicas = podKind, &corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}, 1
		return w, w.maker == ""

	case *unstructured.Unstructured:
		if w.maker != "" {
			return workload{}, false
		}
		return customOf(o)

	case *appsv1.Deployment:
		w.paused = o.Spec.Paused
		w.kind, w.template, w.selector, w.replicas = "Deployment", &o.Spec.Template, o.Spec.Selector, replicas(o.Spec.Replicas)
		w.assumed = o.Spec.Replicas == nil
		w.deadlineSeconds = defaultDeadline
		if d := o.Spec.ProgressDeadlineSeconds; d != nil {
			w.deadlineSeconds = *d
		}
		w.atOnce = deploymentAtOnce(o, w.replicas)
		for _, c := range o.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
				w.failure = c.Message
			}
		}

	case *appsv1.StatefulSet:
		w.kind, w.template, w.selector, w.replicas = "StatefulSet", &o.Spec.Template, o.Spec.Selector, replicas(o.Spec.Replicas)
		w.assumed = o.Spec.Replicas == nil
		w.onDelete = o.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType
		w.ordered, w.revision, w.governor = o.Spec.PodManagementPolicy != appsv1.ParallelPodManagement, o.Status.UpdateRevision, o.Spec.ServiceName
		if u := o.Spec.UpdateStrategy.RollingUpdate; o.Spec.UpdateStrategy.Type != appsv1.OnDeleteStatefulSetStrategyType {
			w.atOnce = 1
			if u != nil && u.MaxUnavailable != nil {
				w.atOnce = max(scaled(u.MaxUnavailable, w.replicas, false), 1)
			}
			if u != nil && u.Partition != nil {
				w.partition = *u.Partition
			}
		}

	case *appsv1.DaemonSet:
		w.kind, w.template, w.selector, w.replicas = "DaemonSet", &o.Spec.Template, o.Spec.Selector, o.Status.DesiredNumberScheduled
		w.onDelete = o.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType
		w.atOnce = daemonSetAtOnce(o, w.replicas)

	case *appsv1.ReplicaSet:
		w.kind, w.template, w.selector, w.replicas = "ReplicaSet", &o.Spec.Template, o.Spec.Selector, replicas(o.Spec.Replicas)
		return w, w.maker == ""
	default:
		return workload{}, false
	}

	return w, true
}

func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// deploymentAtOnce is maxUnavailable as the Deployment controller counts it.
func deploymentAtOnce(d *appsv1.Deployment, n int32) int32 {
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return n
	}

	unavailable, surge := intstr.Parse(defaultUnavailable), intstr.Parse(defaultUnavailable)
	if u := d.Spec.Strategy.RollingUpdate; u != nil {
		if u.MaxUnavailable != nil {
			unavailable = *u.MaxUnavailable
		}
		if u.MaxSurge != nil {
			surge = *u.MaxSurge
		}
	}

	atOnce := scaled(&unavailable, n, false)
	if atOnce == 0 && scaled(&surge, n, true) == 0 {
		return 1
	}

	return atOnce
}

func daemonSetAtOnce(d *appsv1.DaemonSet, n int32) int32 {
	u := d.Spec.UpdateStrategy.RollingUpdate
	switch {
	case d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType:
		return 0
	case u == nil || u.MaxUnavailable == nil:
		return 1
	}
	return scaled(u.MaxUnavailable, n, true)
}

// scaled is a number, or a percentage of n.
func scaled(v *intstr.IntOrString, n int32, up bool) int32 {
	s, err := intstr.GetScaledValueFromIntOrPercent(v, int(n), up)
	if err != nil {
		return 0 // the API server refuses it
	}
	return int32(s)
}

// judged is a pod of the workload as the webhook would see it.
func (w workload) judged() injection.Pod {
	p := injection.Pod{Labels: w.template.Labels, Hooks: injection.Hooks{Grace: w.template.Spec.TerminationGracePeriodSeconds}}
	for _, g := range w.template.Spec.ReadinessGates {
		p.Gates = append(p.Gates, string(g.ConditionType))
	}
	for _, c := range w.template.Spec.Containers {
		p.Hooks.PreStop = append(p.Hooks.PreStop, c.Lifecycle != nil && c.Lifecycle.PreStop != nil)
	}
	if w.kind == podKind && !w.custom {
		p.Stated = injection.Stated{Applied: true, Gates: w.template.Spec.ReadinessGates != nil, End: true}
	}
	return p
}

// making is what of the workload decides how its pods are made anew.
func (w workload) making() binding.Maker {
	m := binding.Maker{Namespace: w.namespace, Kind: w.kind, Name: w.name, Custom: w.custom}
	if w.kind == podKind && !w.custom {
		m.Kind, m.Name = "", ""
	}
	return m
}

// restart says how the workload's pods are created anew. What keeps a rollout from replacing them keeps a restart, too.
func (w workload) restart() string {
	object := fmt.Sprintf("-n %s %s/%s", w.namespace, strings.ToLower(w.kind), w.name)
	switch {
	case w.custom:
	case w.paused:
		return "restart the pods (kubectl rollout resume " + object + ", then kubectl rollout restart " + object + ")"
	case w.onDelete || w.partition > 0:
		return "delete the pods one after the other"
	case w.kind == "StatefulSet" || w.kind == "DaemonSet":
		return "restart the pods (kubectl rollout restart " + object + ")"
	}
	return w.making().Restart()
}

// onNode reports whether a node has room for only one of the pods, since they take ports of it.
func (w workload) onNode() bool {
	return w.template.Spec.HostNetwork || slices.ContainsFunc(w.template.Spec.Containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort > 0 })
	})
}

// claims reports whether its pods share a volume that perhaps only one of them can have at a time.
func (w workload) claims() bool {
	return slices.ContainsFunc(w.template.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil })
}

// pods lists the workload's running pods.
func (w workload) pods(ctx context.Context, r client.Reader) ([]corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(w.selector)
	if err != nil {
		return nil, fmt.Errorf("selector of %s: %w", w, err)
	}
	all, err := runningPods(ctx, r, w.namespace, selector)
	if err != nil {
		return nil, err
	}

	var sets map[types.UID]*appsv1.ReplicaSet
	if w.custom && slices.ContainsFunc(all, func(p corev1.Pod) bool { return ofReplicaSet(&p) }) {
		if sets, err = replicaSets(ctx, r, w.namespace); err != nil {
			return nil, err
		}
	}

	return slices.DeleteFunc(all, func(p corev1.Pod) bool { return !w.mayMake(&p, sets) }), nil
}

// ofReplicaSet reports whether a ReplicaSet controls a pod.
func ofReplicaSet(pod *corev1.Pod) bool {
	c := metav1.GetControllerOf(pod)
	return c != nil && c.Kind == "ReplicaSet"
}

// runningPods lists the running pods of a namespace that a selector selects.
func runningPods(ctx context.Context, r client.Reader, namespace string, selector labels.Selector) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return !selector.Matches(labels.Set(p.Labels)) || !p.DeletionTimestamp.IsZero() || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	}), nil
}

// mayMake reports whether a pod may be the workload's, by what controls the pod, or its ReplicaSet among those of the
// namespace. A pod of a Job, or of another workload, may have the same labels.
func (w workload) mayMake(pod *corev1.Pod, sets map[types.UID]*appsv1.ReplicaSet) bool {
	c := metav1.GetControllerOf(pod)
	switch {
	case c == nil:
		return true
	case w.custom && c.Kind == "ReplicaSet":
		set := sets[c.UID]
		return set != nil && w.is(metav1.GetControllerOf(set))
	case w.custom:
		return c.Kind != "Job"
	case w.kind == "Deployment":
		return c.Kind == "ReplicaSet" && c.Name == w.name+"-"+pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	}
	return w.is(c)
}

// is reports whether an owner is the workload.
func (w workload) is(owner *metav1.OwnerReference) bool {
	if owner == nil || owner.Kind != w.kind || owner.Name != w.name {
		return false
	}
	group := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).Group
	return w.custom && (w.group == "" || group == w.group) || !w.custom && group == appsv1.GroupName
}

// workloads lists those that do rollouts of a namespace, or of all, sorted.
func workloads(ctx context.Context, r client.Reader, namespace string) ([]workload, error) {
	var all []workload
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.StatefulSetList{}, &appsv1.DaemonSetList{}} {
		if err := r.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		objects, err := items(list)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if w, makes := workloadOf(o); makes {
				all = append(all, w)
			}
		}
	}

	slices.SortFunc(all, func(a, b workload) int { return compare(a.namespace, b.namespace, a.kind, b.kind, a.name, b.name) })
	return all, nil
}

// kindsOf are what people call workloads, as kubectl does.
var kindsOf = map[string]string{
	"po": "Pod", "pod": "Pod", "pods": "Pod",
	"deploy": "Deployment", "deployment": "Deployment", "deployments": "Deployment",
	"sts": "StatefulSet", "statefulset": "StatefulSet", "statefulsets": "StatefulSet",
	"ds": "DaemonSet", "daemonset": "DaemonSet", "daemonsets": "DaemonSet",
	"rs": "ReplicaSet", "replicaset": "ReplicaSet", "replicasets": "ReplicaSet",
}

// named reads KIND/NAME, or the name of a pod. Where the kind is none of Kubernetes' own, it is what people called it.
func named(text string) (kind, name string, known bool) {
	short, name, ok := strings.Cut(text, "/")
	if !ok {
		return "Pod", text, true
	}
	if kind, known = kindsOf[strings.ToLower(short)]; known {
		return kind, name, true
	}
	return short, name, false
}
