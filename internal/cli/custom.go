// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
)

// customOf returns what an object of a kind that podgate does not know makes pods of, such as an Argo Rollout or a CloneSet;
// false where it has no pod template.
func customOf(o *unstructured.Unstructured) (workload, bool) {
	var template corev1.PodTemplateSpec
	if !convert(o, &template, "spec", "template") || len(template.Spec.Containers) == 0 {
		return workload{}, false
	}

	w := workload{kind: o.GetKind(), group: o.GroupVersionKind().Group, namespace: o.GetNamespace(), name: o.GetName(), template: &template, custom: true}
	n, stated, err := unstructured.NestedInt64(o.Object, "spec", "replicas")
	w.replicas, w.assumed = int32(n), !stated || err != nil
	if w.assumed {
		w.replicas = 1
	}

	deadline, _ := number(o, "spec", "progressDeadlineSeconds")
	w.selector, w.deadlineSeconds = selectorOf(o), int32(deadline)
	w.pausedBy = paused(o)
	w.paused, w.onDelete, w.partition = w.pausedBy != "", strategyType(o) == "OnDelete", keptBack(o, w.replicas)

	var p progress
	customHalts(o, &p)
	if len(p.further) > 0 && p.halted != "" {
		w.stuck, w.unstick = p.further[0], p.halted
	}

	return w, true
}

// convert reads a field of an object; false where it is not there, or something else.
func convert(o *unstructured.Unstructured, into any, field ...string) bool {
	read, found, err := unstructured.NestedMap(o.Object, field...)
	return found && err == nil && runtime.DefaultUnstructuredConverter.FromUnstructured(read, into) == nil
}

// customs finds the workloads of kinds that podgate does not know by the pods that they made, since nobody
// can be asked which kinds make pods.
func customs(ctx context.Context, r *snapshot, namespace string, g *gaps) ([]workload, error) {
	if r.alone {
		return nil, nil
	}

	const untold = "whether workloads of further kinds are there"
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return nil, g.forgive(err, untold)
	}

	var all []workload
	found := map[types.UID]int{}
	var sets map[types.UID]*appsv1.ReplicaSet
	for i := range pods.Items {
		pod := &pods.Items[i]
		owner, template := binding.Owner(pod), corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}
		if owner == nil || binding.Over(pod) || !pod.DeletionTimestamp.IsZero() {
			continue
		}

		// A ReplicaSet may be another object's than a Deployment's.
		if owner.Kind == "ReplicaSet" {
			if sets == nil {
				var err error
				if sets, err = replicaSets(ctx, r, namespace); err != nil {
					return nil, g.forgive(err, untold)
				}
			}

			set := sets[owner.UID]
			if set == nil {
				continue
			}
			if owner = controllerOf(set); owner == nil {
				continue
			}
			template = set.Spec.Template
		}

		if known(owner) {
			continue
		}
		if at, there := found[owner.UID]; there {
			if all[at].counted {
				all[at].replicas++
			}
			continue
		}

		w, err := customOwner(ctx, r, owner, template, g)
		if err != nil {
			return nil, err
		}
		found[owner.UID] = len(all)
		all = append(all, w)
	}

	slices.SortFunc(all, func(a, b workload) int { return compare(a.namespace, b.namespace, a.kind, b.kind, a.name, b.name) })
	return all, nil
}

// customOwner reads the owner of a pod. Where it has no template, or may not be read, its pods are as the one at hand.
func customOwner(ctx context.Context, r *snapshot, owner *corev1.ObjectReference, template corev1.PodTemplateSpec, g *gaps) (workload, error) {
	var o unstructured.Unstructured
	o.SetGroupVersionKind(schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind))
	err := r.live.Get(ctx, client.ObjectKey{Namespace: owner.Namespace, Name: owner.Name}, &o)
	if err == nil {
		if w, makes := customOf(&o); makes {
			return w, nil
		}
	}

	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		err = nil
	}

	w := workload{kind: owner.Kind, group: o.GroupVersionKind().Group, namespace: owner.Namespace, name: owner.Name, template: &template, replicas: 1, counted: true, custom: true}
	return w, g.forgive(err, "what "+w.String()+" wants of new pods")
}

// known reports whether an owner of pods is one of Kubernetes' own kinds.
func known(owner *corev1.ObjectReference) bool {
	group := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).Group
	return group == "" || group == "apps" && owner.Kind != "ReplicaSet" || group == "batch"
}

func controllerOf(o client.Object) *corev1.ObjectReference {
	c := metav1.GetControllerOf(o)
	if c == nil {
		return nil
	}
	return &corev1.ObjectReference{APIVersion: c.APIVersion, Kind: c.Kind, Namespace: o.GetNamespace(), Name: c.Name, UID: c.UID}
}

func replicaSets(ctx context.Context, r client.Reader, namespace string) (map[types.UID]*appsv1.ReplicaSet, error) {
	var list appsv1.ReplicaSetList
	if err := r.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	sets := map[types.UID]*appsv1.ReplicaSet{}
	for i := range list.Items {
		sets[list.Items[i].UID] = &list.Items[i]
	}
	return sets, nil
}

// called reports whether people mean a workload by KIND/NAME; kinds of others are called by their
// name in singular or plural, with their group or without.
func (w workload) called(text string) bool {
	short, name, _ := strings.Cut(text, "/")
	if name != w.name {
		return false
	}
	if kind, common := kindsOf[strings.ToLower(short)]; common {
		return kind == w.kind && !w.custom
	}

	short, group, grouped := strings.Cut(strings.ToLower(short), ".")
	kind := strings.ToLower(w.kind)
	return w.custom && (short == kind || short == kind+"s" || short == kind+"es") && (!grouped || group == w.group)
}

// readable splits objects of files into those that podgate reads, and the kinds of which it
// knows nothing.
func readable(all []client.Object) (read []client.Object, unread []string) {
	for _, o := range all {
		u, further := o.(*unstructured.Unstructured)
		if further {
			if _, makes := customOf(u); !makes && !isScaler(u) {
				unread = append(unread, u.GetKind())
				continue
			}
		}
		read = append(read, o)
	}

	slices.Sort(unread)
	return read, slices.Compact(unread)
}
