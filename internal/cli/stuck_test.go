// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/gates"
)

// podsOnly is an API server that has pods and nothing else, and counts what else it is asked for.
type podsOnly struct {
	pods  []corev1.Pod
	asked int
}

func (p *podsOnly) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	if list, ok := into.(*corev1.PodList); ok {
		list.Items = p.pods
	}
	return nil
}

func (p *podsOnly) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	p.asked++
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// TestStuckAsksOnceForAnOwner: when no image can be pulled, the pods that are stuck are many, and their owners few.
func TestStuckAsksOnceForAnOwner(t *testing.T) {
	api := &podsOnly{}
	for i := range 100 {
		api.pods = append(api.pods, corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: fmt.Sprintf("web-%d", i), CreationTimestamp: metav1.NewTime(noon.Add(-2 * stuckAfter)),
				OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web", UID: "uid-of-web", Controller: new(true)}},
			},
			Spec: corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(elbv2.GateType("web"))}}},
		})
	}

	r, err := newSnapshot(t.Context(), api, gates.All())
	if err != nil {
		t.Fatal(err)
	}
	s := &Status{namespace: "shop", now: noon}
	if err := s.stuck(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if len(s.Stuck) != 100 || api.asked != 1 {
		t.Errorf("of %d stuck pods asked %d times, want 100 and 1", len(s.Stuck), api.asked)
	}
}
