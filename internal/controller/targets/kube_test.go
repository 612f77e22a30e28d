// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"encoding/json"

	jsonpatch "github.com/evanphx/json-patch/v5"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// kube is the world as a client.
type kube struct {
	client.Client
	w *world
}

// Get implements client.Reader.
func (k kube) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	missing := apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	switch o := into.(type) {
	case *corev1.Service:
		svc, ok := k.w.services[key.Name]
		if !ok {
			return missing
		}
		svc.DeepCopyInto(o)

	case *elbv2.TargetGroupBinding:
		if err := k.w.refused["get bindings"]; err != nil {
			return err
		}
		b, ok := k.w.bindings[key.Name]
		if !ok {
			return missing
		}
		b.DeepCopyInto(o)

	case *v1alpha1.TargetBinding:
		b, ok := k.w.own[key.Name]
		if !ok {
			return missing
		}
		b.DeepCopyInto(o)

	case *corev1.ConfigMap:
		if err := k.w.refused["get configmaps"]; err != nil {
			return err
		}
		cm, ok := k.w.maps[key.Name]
		if !ok {
			return missing
		}
		cm.DeepCopyInto(o)

	case *coordinationv1.Lease:
		k.w.leaseReads++
		if err := k.w.refused["get leases"]; err != nil {
			return err
		}
		if k.w.lease == nil || key.Namespace != "kube-system" || key.Name != elbv2.LBCLease {
			return missing
		}
		k.w.lease.DeepCopyInto(o)
	}

	return nil
}

// List implements client.Reader.
func (k kube) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	switch l := into.(type) {
	case *corev1.PodList:
		for _, p := range k.w.pods {
			l.Items = append(l.Items, *p)
		}

	case *corev1.ServiceList:
		for _, s := range k.w.services {
			l.Items = append(l.Items, *s)
		}

	case *elbv2.TargetGroupBindingList:
		for _, b := range k.w.bindings {
			l.Items = append(l.Items, *b)
		}

	case *v1alpha1.TargetBindingList:
		for _, b := range k.w.own {
			l.Items = append(l.Items, *b)
		}
	}

	return nil
}

// Patch implements client.Writer; a binding without finalizers that is being deleted goes.
func (k kube) Patch(_ context.Context, o client.Object, p client.Patch, _ ...client.PatchOption) error {
	if err := k.w.refused["bindings"]; err != nil {
		return err
	}
	if own, is := o.(*v1alpha1.TargetBinding); is {
		return k.applyOwn(own, p)
	}
	return k.apply(o, p, func(from, to *elbv2.TargetGroupBinding) { to.Status = from.Status })
}

// Status implements client.Client.
func (k kube) Status() client.SubResourceWriter { return statusWriter{k: k} }

type statusWriter struct {
	client.SubResourceWriter
	k kube
}

// Patch implements client.SubResourceWriter.
func (s statusWriter) Patch(_ context.Context, o client.Object, p client.Patch, _ ...client.SubResourcePatchOption) error {
	if own, is := o.(*v1alpha1.TargetBinding); is {
		return s.k.applyOwn(own, p)
	}
	return s.k.apply(o, p, func(from, to *elbv2.TargetGroupBinding) {
		status := to.Status
		from.DeepCopyInto(to)
		to.Status = status
		if s.k.w.prunes {
			to.Status.Conditions = nil
		}
	})
}

// apply merges a patch into the stored binding; keep restores what the endpoint does not write.
func (k kube) apply(o client.Object, p client.Patch, keep func(from, to *elbv2.TargetGroupBinding)) error {
	k.w.t.Helper()
	if k.w.beforeWrite != nil {
		k.w.beforeWrite()
	}

	stored, ok := k.w.bindings[o.GetName()]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{}, o.GetName())
	}

	k.w.writes++
	data, err := p.Data(o)
	if err != nil {
		k.w.t.Fatal(err)
	}

	var lock struct{ Metadata metav1.ObjectMeta }
	if err := json.Unmarshal(data, &lock); err != nil {
		k.w.t.Fatal(err)
	}

	if v, uid := lock.Metadata.ResourceVersion, lock.Metadata.UID; v != "" && v != stored.ResourceVersion || uid != "" && uid != stored.UID {
		return apierrors.NewConflict(schema.GroupResource{Resource: "targetgroupbindings"}, o.GetName(), nil)
	}

	before, err := json.Marshal(stored)
	if err != nil {
		k.w.t.Fatal(err)
	}

	after, err := jsonpatch.MergePatch(before, data)
	if err != nil {
		k.w.t.Fatal(err)
	}

	next := &elbv2.TargetGroupBinding{}
	if err := json.Unmarshal(after, next); err != nil {
		k.w.t.Fatal(err)
	}

	keep(stored, next)
	next.ResourceVersion = stored.ResourceVersion + "i"
	k.w.bindings[o.GetName()] = next
	next.DeepCopyInto(o.(*elbv2.TargetGroupBinding))

	if k.w.onWrite != nil {
		k.w.onWrite(next)
	}

	if next.DeletionTimestamp != nil && len(next.Finalizers) == 0 {
		delete(k.w.bindings, o.GetName())
	}

	return nil
}

// applyOwn merges a patch into a stored TargetBinding.
func (k kube) applyOwn(o *v1alpha1.TargetBinding, p client.Patch) error {
	k.w.t.Helper()
	k.w.writes++
	data, err := p.Data(o)
	if err != nil {
		k.w.t.Fatal(err)
	}

	before, err := json.Marshal(k.w.own[o.Name])
	if err != nil {
		k.w.t.Fatal(err)
	}

	after, err := jsonpatch.MergePatch(before, data)
	if err != nil {
		k.w.t.Fatal(err)
	}

	next := &v1alpha1.TargetBinding{}
	if err := json.Unmarshal(after, next); err != nil {
		k.w.t.Fatal(err)
	}

	k.w.own[o.Name] = next
	next.DeepCopyInto(o)
	return nil
}
