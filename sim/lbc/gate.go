// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// What is said of a target that was registered a moment ago, and of one whose binding is gone.
var (
	registering = &elbtypes.TargetHealth{
		State: elbtypes.TargetHealthStateEnumInitial, Reason: elbtypes.TargetHealthReasonEnumRegistrationInProgress,
		Description: aws.String("Target registration is in progress"),
	}
	released = &elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumHealthy, Description: aws.String("Target Group Binding is deleted")}
)

func gateOf(b *elbv2.TargetGroupBinding) corev1.PodConditionType {
	return corev1.PodConditionType(elbv2.GateType(b.Name))
}

func carries(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	for _, g := range pod.Spec.ReadinessGates {
		if g.ConditionType == kind {
			return true
		}
	}
	return false
}

// closed reports whether the pod has the gate's condition and it is not True.
func closed(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	c := condition(pod, kind)
	return c != nil && c.Status != corev1.ConditionTrue
}

// tell writes the conditions of the pods that carry the gate, and reports whether one of
// those waits on. What was listed before this time's registrations is all it knows.
func (r *reconciler) tell(ctx context.Context, kind corev1.PodConditionType, pods []endpoint, rows states) (waiting bool, err error) {
	for _, e := range pods {
		if !carries(e.pod, kind) {
			continue
		}
		health, there := rows[e.row]
		if !there || leaving(health) {
			health = registering
		}
		if err := r.write(ctx, e.pod, kind, health); err != nil {
			return false, err
		}
		waiting = waiting || status(health) != corev1.ConditionTrue
	}

	return waiting, nil
}

func status(h *elbtypes.TargetHealth) corev1.ConditionStatus {
	switch {
	case h == nil:
		return corev1.ConditionUnknown
	case h.State == elbtypes.TargetHealthStateEnumHealthy:
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

// write patches the gate's condition if it says something else, and only of this very pod.
func (r *reconciler) write(ctx context.Context, pod *corev1.Pod, kind corev1.PodConditionType, h *elbtypes.TargetHealth) error {
	next := corev1.PodCondition{Type: kind, Status: status(h), LastTransitionTime: metav1.Now()}
	if h != nil {
		next.Reason, next.Message = string(h.Reason), aws.ToString(h.Description)
	}

	if c := condition(pod, kind); c != nil {
		if c.Status == next.Status && c.Reason == next.Reason && c.Message == next.Message {
			return nil
		}
		if c.Status == next.Status {
			next.LastTransitionTime = c.LastTransitionTime
		}
	}

	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status": map[string]any{"conditions": []map[string]any{{
			"type": next.Type, "status": next.Status, "reason": next.Reason, "message": next.Message, "lastTransitionTime": next.LastTransitionTime,
		}}},
	})
	if err != nil {
		return fmt.Errorf("encode condition: %w", err)
	}

	target := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	return client.IgnoreNotFound(r.Status().Patch(ctx, target, client.RawPatch(types.StrategicMergePatchType, patch)))
}

// release opens a binding's gates, of all pods of its namespace.
func (r *reconciler) release(ctx context.Context, b *elbv2.TargetGroupBinding) error {
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(b.Namespace)); err != nil {
		return err
	}
	for i := range pods.Items {
		if pod := &pods.Items[i]; carries(pod, gateOf(b)) {
			if err := r.write(ctx, pod, gateOf(b), released); err != nil {
				return err
			}
		}
	}
	return nil
}
