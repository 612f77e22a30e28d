// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"errors"
	"slices"

	"github.com/google/cel-go/common/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	// maxAnnotations bounds the annotations that an expression may see, in bytes.
	maxAnnotations = 4 << 10
	// annotationsTooLarge stands for annotations that are larger. No annotation of a pod has this key.
	annotationsTooLarge = ""
)

// Visible returns what an expression may see of a pod. A cache of pods keeps as much of those whose gates have expressions, and no
// more: the parts are shared with the pod.
func Visible(pod *corev1.Pod) *corev1.Pod {
	s := pod.Status
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, Generation: pod.Generation, CreationTimestamp: pod.CreationTimestamp,
			Labels: pod.Labels, Annotations: visibleAnnotations(pod.Annotations),
		},
		Spec: corev1.PodSpec{NodeName: pod.Spec.NodeName},
		Status: corev1.PodStatus{
			ObservedGeneration: s.ObservedGeneration, Phase: s.Phase, QOSClass: s.QOSClass, StartTime: s.StartTime, Conditions: s.Conditions,
			PodIP: s.PodIP, PodIPs: s.PodIPs, HostIP: s.HostIP, HostIPs: s.HostIPs,
			InitContainerStatuses: withoutImages(s.InitContainerStatuses), ContainerStatuses: withoutImages(s.ContainerStatuses),
			ResourceClaimStatuses: s.ResourceClaimStatuses, ExtendedResourceClaimStatus: s.ExtendedResourceClaimStatus,
		},
	}
}

// visibleAnnotations are all of them, or none.
func visibleAnnotations(all map[string]string) map[string]string {
	size := 0
	for key, value := range all {
		size += len(key) + len(value)
	}
	if size > maxAnnotations {
		return map[string]string{annotationsTooLarge: ""}
	}
	return all
}

func withoutImages(all []corev1.ContainerStatus) []corev1.ContainerStatus {
	all = slices.Clone(all)
	for i := range all {
		all[i].Image, all[i].ImageID, all[i].ContainerID = "", "", ""
	}
	return all
}

// podValue is a pod as JSON has it. Fields that no expression may see are not there, so that an expression that looks at
// one fails, and is not decided by a value that the pod does not have.
func podValue(pod *corev1.Pod) (map[string]any, error) {
	if pod == nil {
		return nil, errors.New("there is no pod")
	}
	visible := Visible(pod)
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(visible)
	if err != nil {
		return nil, err
	}

	delete(object["spec"].(map[string]any), "containers")
	status := object["status"].(map[string]any)
	for _, field := range []string{"initContainerStatuses", "containerStatuses"} {
		statuses, _ := status[field].([]any)
		for _, s := range statuses {
			delete(s.(map[string]any), "image")
			delete(s.(map[string]any), "imageID")
		}
	}

	if _, tooLarge := visible.Annotations[annotationsTooLarge]; tooLarge {
		// Were they simply absent, an expression that asks whether one is there would be told that it is not.
		object["metadata"].(map[string]any)["annotations"] = types.NewErr("the annotations are too large")
	}
	return object, nil
}

// values returns what an expression looks at.
func (r reads) values(in Input) (map[string]any, error) {
	values := map[string]any{string(Value): in.Value, string(Object): in.Object, string(Objects): in.Objects}

	if r.variables[Response] {
		values[string(Response)] = in.Response.value(r)
	}

	if r.variables[Pod] {
		pod, err := podValue(in.Pod)
		if err != nil {
			return nil, err
		}
		values[string(Pod)] = pod
	}

	return values, nil
}
