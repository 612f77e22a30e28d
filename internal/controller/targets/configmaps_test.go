// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// Create implements client.Writer for ConfigMaps.
func (k kube) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	if _, exists := k.w.maps[o.GetName()]; exists {
		return apierrors.NewAlreadyExists(schema.GroupResource{Resource: "configmaps"}, o.GetName())
	}
	return k.put(o.(*corev1.ConfigMap))
}

// Update implements client.Writer for ConfigMaps.
func (k kube) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	stored, exists := k.w.maps[o.GetName()]
	if !exists {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, o.GetName())
	}
	if stored.ResourceVersion != o.GetResourceVersion() {
		return apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, o.GetName(), nil)
	}
	return k.put(o.(*corev1.ConfigMap))
}

func (k kube) put(cm *corev1.ConfigMap) error {
	if err := k.w.refused["configmaps"]; err != nil {
		return err
	}
	k.w.calls = append(k.w.calls, "record "+cm.Data[elbv2.LBCTargetsKey])
	cm.ResourceVersion += "i"
	k.w.maps[cm.Name] = cm.DeepCopy()
	return nil
}

// Delete implements client.Writer for ConfigMaps.
func (k kube) Delete(_ context.Context, o client.Object, _ ...client.DeleteOption) error {
	delete(k.w.maps, o.GetName())
	return nil
}

// forbidden is the API server's answer to who may not do something.
func forbidden(resource string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no such permission"))
}
