// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// maker is what makes a pod, and how it makes pods anew as it is now: a workload that is paused does not by a restart.
func (s *snapshot) maker(ctx context.Context, pod *corev1.Pod) binding.Maker {
	m := binding.MakerOf(pod)
	object := map[string]client.Object{"Deployment": &appsv1.Deployment{}, "StatefulSet": &appsv1.StatefulSet{}, "DaemonSet": &appsv1.DaemonSet{}}[m.Kind]
	if object == nil || m.Custom {
		return m
	}

	if anew, known := s.anew[m]; known {
		m.Anew = anew
		return m
	}

	// Where it may not be read, the pod says enough.
	anew := ""
	if err := s.Get(ctx, types.NamespacedName{Namespace: m.Namespace, Name: m.Name}, object); err == nil {
		if w, makes := workloadOf(object); makes {
			anew = w.restart()
		}
	}

	s.anew[m] = anew
	m.Anew = anew
	return m
}

// typed puts into advice about a gate of a pod what is typed, and what its binding has for a policy.
func typed(advice string, pod *corev1.Pod, gateType string) string {
	advice = strings.ReplaceAll(advice, "POD TYPE", "-n "+pod.Namespace+" "+pod.Name+" "+gateType)
	return inFields(advice, gateType)
}

// inFields writes advice that names annotations for the binding that a gate is of: a TargetBinding has fields instead, and
// all gates of bindings are of those, but for the ones with AWS Load Balancer Controller's prefix. About a gate of somebody
// else nothing changes.
func inFields(advice, gateType string) string {
	if !binding.IsGate(gateType) || strings.HasPrefix(gateType, elbv2.GatePrefix) {
		return advice
	}
	return v1alpha1.InFields(advice)
}
