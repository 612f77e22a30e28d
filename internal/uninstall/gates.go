// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/pods"
	"github.com/podgate/podgate/internal/gates"
)

// open opens every gate of podgate's that is closed, and again those of pods that were
// being admitted when the webhook was taken away, at the time silent.
func (o Options) open(ctx context.Context, theirs map[types.NamespacedName]bool, silent time.Time) error {
	err := o.openEach(ctx, theirs)

	select {
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("wait for pods that are being admitted: %w", ctx.Err()))
	case <-time.After(time.Until(silent.Add(o.Settle))):
	}

	return o.openEach(ctx, theirs) // what failed before, too
}

func (o Options) openEach(ctx context.Context, theirs map[types.NamespacedName]bool) error {
	var left []error
	err := each(ctx, o, func() *corev1.PodList { return &corev1.PodList{} }, func(list *corev1.PodList) {
		for i := range list.Items {
			if err := o.openAll(ctx, &list.Items[i], theirs); err != nil {
				left = append(left, fmt.Errorf("open the gates of pod %s: %w", client.ObjectKeyFromObject(&list.Items[i]), err))
			}
		}
	})
	return errors.Join(append(left, err)...)
}

func (o Options) openAll(ctx context.Context, pod *corev1.Pod, theirs map[types.NamespacedName]bool) error {
	var opened []corev1.PodCondition
	for _, gate := range o.Gates.Of(pod) {
		owner, _ := binding.OfGate(gate)
		another := theirs[types.NamespacedName{Namespace: pod.Namespace, Name: owner}] || gates.OtherWriter(pod, gate) != ""
		if another || binding.IsTrue(pod, corev1.PodConditionType(gate)) {
			continue
		}
		opened = append(opened, corev1.PodCondition{
			Type: corev1.PodConditionType(gate), Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
			Reason: v1alpha1.ReasonUninstalled, Message: "podgate was uninstalled, so nobody sets this gate now.",
		})
	}

	raw, err := pods.Patch(pod.UID, "", nil, opened)
	if err != nil || raw == nil {
		return err
	}

	err = o.Client.Status().Patch(ctx, pod, client.RawPatch(types.StrategicMergePatchType, raw))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // The pod is gone, and is none of a later one's.
	}
	if err != nil {
		return err
	}

	o.Log.Info("Opened gates that nobody else would open", "pod", client.ObjectKeyFromObject(pod), "gates", len(opened))
	return nil
}
