// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"reflect"
	"sync"
	"time"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/podgate/podgate/internal/index"
)

// compactPod is a cached pod as it is kept: what slimPod leaves of one is a third of what a Pod takes, whose fields are
// mostly empty then. Whoever asks the cache, or is told by it, gets a Pod.
type compactPod struct {
	name, version string
	uid           types.UID
	namespace     unique.Handle[string]
	created       int64 // in nanoseconds of the Unix clock; 0 where no time is given
	*template
	node       unique.Handle[string]
	phase      unique.Handle[corev1.PodPhase]
	ip         string
	message    unique.Handle[string]
	conditions []compactCondition
	rare       *rare // nil for a pod that has nothing of it
}

// rare is what few pods have.
type rare struct {
	deleted     *metav1.Time
	grace       *int64
	annotations map[string]string
	managed     []metav1.ManagedFieldsEntry
	// ips are a pod's addresses, unless they are ip alone.
	ips []corev1.PodIP
}

// rareOf gives what a pod has of it; nil when it has nothing.
func rareOf(pod *corev1.Pod) *rare {
	r := rare{deleted: pod.DeletionTimestamp, grace: pod.DeletionGracePeriodSeconds, annotations: pod.Annotations, managed: pod.ManagedFields}
	if ips := pod.Status.PodIPs; len(ips) != 1 || pod.Status.PodIP == "" || ips[0] != (corev1.PodIP{IP: pod.Status.PodIP}) {
		r.ips = ips
	}
	if zero(&r) {
		return nil
	}
	return &r
}

// compactCondition is a condition of a pod. Most of them are the same on many.
type compactCondition struct {
	said unique.Handle[saidCondition]
	at   int64 // in nanoseconds of the Unix clock; 0 where no time is given
}

// saidCondition is all of a condition but its time.
type saidCondition struct {
	kind            corev1.PodConditionType
	status          corev1.ConditionStatus
	reason, message string
}

// pack makes a pod compact. One that has what a compactPod has no place for stays as it is.
func (s *templates) pack(pod *corev1.Pod) any {
	meta, spec, status := pod.ObjectMeta, pod.Spec, pod.Status
	meta.Name, meta.Namespace, meta.UID, meta.ResourceVersion, meta.CreationTimestamp, meta.ManagedFields = "", "", "", "", metav1.Time{}, nil
	meta.DeletionTimestamp, meta.DeletionGracePeriodSeconds, meta.Annotations, meta.Labels, meta.OwnerReferences = nil, nil, nil, nil, nil
	spec.ReadinessGates, spec.Containers, spec.InitContainers, spec.HostNetwork, spec.NodeName = nil, nil, nil, false, ""
	status.Phase, status.PodIP, status.PodIPs, status.Conditions, status.Message = "", "", nil, nil, ""
	if pod.TypeMeta != (metav1.TypeMeta{}) || !zero(&meta) || !zero(&spec) || !zero(&status) {
		return pod
	}
	common, whole := templateOf(pod)
	if !whole || pod.Status.PodIP != "" && pod.Status.PodIPs == nil {
		return pod
	}

	small := &compactPod{
		name: pod.Name, version: pod.ResourceVersion, uid: pod.UID, namespace: unique.Make(pod.Namespace),
		template: s.share(common), node: unique.Make(pod.Spec.NodeName), phase: unique.Make(pod.Status.Phase),
		ip: pod.Status.PodIP, message: unique.Make(pod.Status.Message), rare: rareOf(pod),
	}
	if !pod.CreationTimestamp.IsZero() {
		small.created = pod.CreationTimestamp.UnixNano()
	}

	if len(pod.Status.Conditions) > 0 {
		small.conditions = make([]compactCondition, len(pod.Status.Conditions))
	}
	for i, c := range pod.Status.Conditions {
		if c.ObservedGeneration != 0 || !c.LastProbeTime.IsZero() {
			return pod
		}
		small.conditions[i].said = unique.Make(saidCondition{c.Type, c.Status, c.Reason, c.Message})
		if !c.LastTransitionTime.IsZero() {
			small.conditions[i].at = c.LastTransitionTime.UnixNano()
		}
	}

	return small
}

// zero reports whether nothing is in a struct.
func zero[T any](v *T) bool { return reflect.ValueOf(v).Elem().IsZero() }

// GetObjectMeta implements metav1.ObjectMetaAccessor: by it client-go tells one from another.
func (p *compactPod) GetObjectMeta() metav1.Object {
	meta := p.meta()
	return &meta
}

func (p *compactPod) meta() metav1.ObjectMeta {
	meta := metav1.ObjectMeta{
		Name: p.name, Namespace: p.namespace.Value(), UID: p.uid, ResourceVersion: p.version,
		Labels: p.labels, OwnerReferences: p.owners,
	}
	if r := p.rare; r != nil {
		meta.DeletionTimestamp, meta.DeletionGracePeriodSeconds, meta.Annotations, meta.ManagedFields = r.deleted, r.grace, r.annotations, r.managed
	}
	if p.created != 0 {
		meta.CreationTimestamp = metav1.Time{Time: time.Unix(0, p.created)}
	}
	return meta
}

// ips are the pod's addresses.
func (p *compactPod) ips() []corev1.PodIP {
	switch {
	case p.rare != nil && p.rare.ips != nil:
		return p.rare.ips
	case p.ip == "":
		return nil
	}
	return []corev1.PodIP{{IP: p.ip}}
}

// unpack makes it a Pod again.
func (p *compactPod) unpack() *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: p.meta(),
		Spec: corev1.PodSpec{
			ReadinessGates: p.gates, Containers: p.containers, InitContainers: p.initContainers,
			HostNetwork: p.hostNetwork, NodeName: p.node.Value(),
		},
		Status: corev1.PodStatus{Phase: p.phase.Value(), PodIP: p.ip, PodIPs: p.ips(), Message: p.message.Value()},
	}

	if len(p.conditions) > 0 {
		pod.Status.Conditions = make([]corev1.PodCondition, len(p.conditions))
	}
	for i, c := range p.conditions {
		said := c.said.Value()
		pod.Status.Conditions[i] = corev1.PodCondition{Type: said.kind, Status: said.status, Reason: said.reason, Message: said.message}
		if c.at != 0 {
			pod.Status.Conditions[i].LastTransitionTime = metav1.Time{Time: time.Unix(0, c.at)}
		}
	}

	return pod
}

// unpacked gives what is cached as others know it.
func unpacked(o any) any {
	if p, compact := o.(*compactPod); compact {
		return p.unpack()
	}
	return o
}

func allUnpacked(all []any) []any {
	for i, o := range all {
		all[i] = unpacked(o)
	}
	return all
}

// latest are the pods that were unpacked last: all indexes look at a pod that changed, and all who listen hear of it.
type latest struct {
	mu   sync.Mutex
	pods [4]struct {
		packed   *compactPod
		unpacked *corev1.Pod
	}
	next int
}

// unpack gives what is cached as others know it.
func (l *latest) unpack(o any) any {
	if gone, is := o.(toolscache.DeletedFinalStateUnknown); is {
		gone.Obj = l.unpack(gone.Obj)
		return gone
	}
	packed, compact := o.(*compactPod)
	if !compact {
		return o
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.pods {
		if l.pods[i].packed == packed {
			return l.pods[i].unpacked
		}
	}

	at := &l.pods[l.next]
	at.packed, at.unpacked = packed, packed.unpack()
	l.next = (l.next + 1) % len(l.pods)
	return at.unpacked
}

// compactInformer is an informer that keeps pods compact.
type compactInformer struct {
	toolscache.SharedIndexInformer
	templates *templates
	latest    *latest
}

// informing makes informers.
type informing func(toolscache.ListerWatcher, runtime.Object, time.Duration, toolscache.Indexers) toolscache.SharedIndexInformer

// compact has the informers of pods keep them compact.
func (next informing) compact(lw toolscache.ListerWatcher, o runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	if _, ofPods := o.(*corev1.Pod); !ofPods {
		return next(lw, o, resync, indexers)
	}
	last := &latest{}
	return compactInformer{next(lw, o, resync, last.indexers(indexers)), &templates{}, last}
}

// SetTransform implements SharedIndexInformer.
func (i compactInformer) SetTransform(slim toolscache.TransformFunc) error {
	return i.SharedIndexInformer.SetTransform(func(o any) (any, error) {
		o, err := slim(o)
		if pod, ok := o.(*corev1.Pod); ok && err == nil {
			return i.templates.pack(pod), nil
		}
		return o, err
	})
}

// AddEventHandler implements SharedIndexInformer.
func (i compactInformer) AddEventHandler(h toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.SharedIndexInformer.AddEventHandler(unpackingHandler{h, i.latest})
}

// AddEventHandlerWithResyncPeriod implements SharedIndexInformer.
func (i compactInformer) AddEventHandlerWithResyncPeriod(h toolscache.ResourceEventHandler, resync time.Duration) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.SharedIndexInformer.AddEventHandlerWithResyncPeriod(unpackingHandler{h, i.latest}, resync)
}

// AddEventHandlerWithOptions implements SharedIndexInformer.
func (i compactInformer) AddEventHandlerWithOptions(h toolscache.ResourceEventHandler, options toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.SharedIndexInformer.AddEventHandlerWithOptions(unpackingHandler{h, i.latest}, options)
}

// AddIndexers implements SharedIndexInformer.
func (i compactInformer) AddIndexers(indexers toolscache.Indexers) error {
	return i.SharedIndexInformer.AddIndexers(i.latest.indexers(indexers))
}

// GetIndexer implements SharedIndexInformer.
func (i compactInformer) GetIndexer() toolscache.Indexer {
	return unpackingIndexer{i.SharedIndexInformer.GetIndexer()}
}

// GetStore implements SharedIndexInformer.
func (i compactInformer) GetStore() toolscache.Store { return i.GetIndexer() }

// indexers have indexes look at pods.
func (l *latest) indexers(indexers toolscache.Indexers) toolscache.Indexers {
	all := toolscache.Indexers{}
	for name, values := range indexers {
		all[name] = func(o any) ([]string, error) { return values(l.unpack(o)) }
		if name == index.ByAddress {
			all[name] = byRange(all[name])
		}
	}
	return all
}

// unpackingHandler is told of pods.
type unpackingHandler struct {
	toolscache.ResourceEventHandler
	latest *latest
}

// OnAdd implements ResourceEventHandler.
func (h unpackingHandler) OnAdd(o any, first bool) {
	h.ResourceEventHandler.OnAdd(h.latest.unpack(o), first)
}

// OnUpdate implements ResourceEventHandler.
func (h unpackingHandler) OnUpdate(before, now any) {
	h.ResourceEventHandler.OnUpdate(h.latest.unpack(before), h.latest.unpack(now))
}

// OnDelete implements ResourceEventHandler.
func (h unpackingHandler) OnDelete(o any) { h.ResourceEventHandler.OnDelete(h.latest.unpack(o)) }

// unpackingIndexer gives pods.
type unpackingIndexer struct{ toolscache.Indexer }

// List implements Store.
func (i unpackingIndexer) List() []any { return allUnpacked(i.Indexer.List()) }

// Get implements Store.
func (i unpackingIndexer) Get(o any) (any, bool, error) {
	found, there, err := i.Indexer.Get(o)
	return unpacked(found), there, err
}

// GetByKey implements Store.
func (i unpackingIndexer) GetByKey(key string) (any, bool, error) {
	found, there, err := i.Indexer.GetByKey(key)
	return unpacked(found), there, err
}

// Index implements Indexer.
func (i unpackingIndexer) Index(name string, o any) ([]any, error) {
	found, err := i.Indexer.Index(name, o)
	return allUnpacked(found), err
}

// ByIndex implements Indexer.
func (i unpackingIndexer) ByIndex(name, value string) ([]any, error) {
	if name == index.ByAddress {
		return i.byAddress(value)
	}
	found, err := i.Indexer.ByIndex(name, value)
	return allUnpacked(found), err
}
