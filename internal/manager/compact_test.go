// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gates"
)

// kept is a pod as slimPod leaves it, of a workload's first revision.
func kept() *corev1.Pod {
	always, now := corev1.ContainerRestartPolicyAlways, metav1.Time{Time: time.Unix(1767225600, 0)}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-0", UID: "uid", ResourceVersion: "7", Labels: map[string]string{"app": "web", "empty": ""}, Annotations: map[string]string{"a": "b"},
			OwnerReferences:   []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "rs", Controller: new(true)}},
			CreationTimestamp: now, DeletionTimestamp: &now, DeletionGracePeriodSeconds: new(int64(60)), ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "other"}},
		},
		Spec: corev1.PodSpec{
			NodeName: "node", HostNetwork: true,
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "example.com/other"}},
			Containers:     []corev1.Container{{Name: "app", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, HostPort: 80, HostIP: "10.0.0.1", Protocol: corev1.ProtocolTCP}}}},
			InitContainers: []corev1.Container{{Name: "proxy", RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "admin", ContainerPort: 15000}}}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.7", PodIPs: []corev1.PodIP{{IP: "10.0.0.7"}, {IP: "2001:db8::7"}},
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ReadinessGatesNotReady", Message: "wait", LastTransitionTime: now},
				{Type: "example.com/other", Status: corev1.ConditionTrue},
			},
		},
	}
	drain.Keep(pod, drain.Manifest{Grace: 60})
	return pod
}

// TestPack: whatever is in a cached pod, who asks for it gets all of it.
func TestPack(t *testing.T) {
	compact := map[string]func(*corev1.Pod){
		"as most are":                   func(*corev1.Pod) {},
		"empty":                         func(pod *corev1.Pod) { *pod = corev1.Pod{} },
		"with one address":              func(pod *corev1.Pod) { pod.Status.PodIPs = pod.Status.PodIPs[:1] },
		"with another in its list":      func(pod *corev1.Pod) { pod.Status.PodIP = "10.0.0.8" },
		"with a list alone":             func(pod *corev1.Pod) { pod.Status.PodIP = "" },
		"with an empty list":            func(pod *corev1.Pod) { pod.Status.PodIP, pod.Status.PodIPs = "", []corev1.PodIP{} },
		"with an address that is empty": func(pod *corev1.Pod) { pod.Status.PodIP, pod.Status.PodIPs = "", []corev1.PodIP{{}} },
		"that nothing is rare in": func(pod *corev1.Pod) {
			pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds, pod.Annotations, pod.ManagedFields = nil, nil, nil, nil
			pod.Status.PodIPs = pod.Status.PodIPs[:1]
		},
	}
	whole := map[string]func(*corev1.Pod){
		"with a type":                   func(pod *corev1.Pod) { pod.Kind = "Pod" },
		"with more of its metadata":     func(pod *corev1.Pod) { pod.Generation = 1 },
		"with more of a spec":           func(pod *corev1.Pod) { pod.Spec.Hostname = "web" },
		"with more of a status":         func(pod *corev1.Pod) { pod.Status.HostIP = "10.0.0.1" },
		"with more of a container":      func(pod *corev1.Pod) { pod.Spec.Containers[0].Image = "app" },
		"with more of an initContainer": func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Image = "app" },
		"with a condition's generation": func(pod *corev1.Pod) { pod.Status.Conditions[0].ObservedGeneration = 1 },
		"with an address in no list":    func(pod *corev1.Pod) { pod.Status.PodIPs = nil },
		"with a probe's time":           func(pod *corev1.Pod) { pod.Status.Conditions[1].LastProbeTime = metav1.Now() },
	}

	var all templates
	for i, tests := range []map[string]func(*corev1.Pod){compact, whole} {
		for name, change := range tests {
			t.Run(name, func(t *testing.T) {
				pod := kept()
				change(pod)
				want := pod.DeepCopy()
				packed := all.pack(pod)
				if _, isWhole := packed.(*corev1.Pod); isWhole != (i == 1) {
					t.Errorf("it is kept as %T", packed)
				}
				for range 2 {
					if diff := cmp.Diff(want, unpacked(packed)); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				}
			})
		}
	}

	gone := new(latest).unpack(toolscache.DeletedFinalStateUnknown{Key: "shop/web-0", Obj: all.pack(kept())}).(toolscache.DeletedFinalStateUnknown)
	if diff := cmp.Diff(kept(), gone.Obj); diff != "" || gone.Key != "shop/web-0" {
		t.Errorf("of a pod that is gone (-want +got):\n%s", diff)
	}
}

// TestTemplates: what pods have in common is kept once, and what differs is told apart.
func TestTemplates(t *testing.T) {
	var all templates
	share := func(change func(*corev1.Pod)) *template {
		pod := kept()
		change(pod)
		return all.pack(pod).(*compactPod).template
	}

	of := map[string]func(*corev1.Pod){
		"the same":             func(*corev1.Pod) {},
		"a label's key":        func(pod *corev1.Pod) { pod.Labels = map[string]string{"appw": "eb", "empty": ""} },
		"a label's value":      func(pod *corev1.Pod) { pod.Labels["app"] = "api" },
		"a label more":         func(pod *corev1.Pod) { pod.Labels["x"] = "" },
		"no label":             func(pod *corev1.Pod) { pod.Labels = nil },
		"no owner":             func(pod *corev1.Pod) { pod.OwnerReferences = nil },
		"an owner's version":   func(pod *corev1.Pod) { pod.OwnerReferences[0].APIVersion = "apps/v2" },
		"an owner's kind":      func(pod *corev1.Pod) { pod.OwnerReferences[0].Kind = "StatefulSet" },
		"an owner's name":      func(pod *corev1.Pod) { pod.OwnerReferences[0].Name = "api" },
		"an owner's UID":       func(pod *corev1.Pod) { pod.OwnerReferences[0].UID = "other" },
		"no controller":        func(pod *corev1.Pod) { pod.OwnerReferences[0].Controller = nil },
		"another controller":   func(pod *corev1.Pod) { pod.OwnerReferences[0].Controller = new(false) },
		"an owner that blocks": func(pod *corev1.Pod) { pod.OwnerReferences[0].BlockOwnerDeletion = new(true) },
		"a gate":               func(pod *corev1.Pod) { pod.Spec.ReadinessGates[0].ConditionType = "example.com/x" },
		"no gate":              func(pod *corev1.Pod) { pod.Spec.ReadinessGates = nil },
		"the network":          func(pod *corev1.Pod) { pod.Spec.HostNetwork = false },
		"a container's name":   func(pod *corev1.Pod) { pod.Spec.Containers[0].Name = "x" },
		"a sidecar's name":     func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Name = "x" },
		"no sidecar's policy":  func(pod *corev1.Pod) { pod.Spec.InitContainers[0].RestartPolicy = nil },
		"a port's name":        func(pod *corev1.Pod) { pod.Spec.Containers[0].Ports[0].Name = "x" },
		"a port's number":      func(pod *corev1.Pod) { pod.Spec.Containers[0].Ports[0].ContainerPort = 1 },
		"a port's protocol":    func(pod *corev1.Pod) { pod.Spec.Containers[0].Ports[0].Protocol = corev1.ProtocolUDP },
		"a node's port":        func(pod *corev1.Pod) { pod.Spec.Containers[0].Ports[0].HostPort = 81 },
		"a node's address":     func(pod *corev1.Pod) { pod.Spec.Containers[0].Ports[0].HostIP = "" },
		"no port":              func(pod *corev1.Pod) { pod.Spec.Containers[0].Ports = nil },
		"one container more":   func(pod *corev1.Pod) { pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "y"}) },
		"containers the others": func(pod *corev1.Pod) {
			pod.Spec.Containers, pod.Spec.InitContainers = pod.Spec.InitContainers, pod.Spec.Containers
		},
	}

	known := map[*template]string{}
	for name, change := range of {
		first := share(change)
		if other, there := known[first]; there {
			t.Errorf("%q and %q are not told apart", name, other)
		}
		known[first] = name
		if share(change) != first {
			t.Errorf("%q is kept twice", name)
		}
	}

	if n := len(all.known); n != len(of) {
		t.Errorf("%d are known of %d", n, len(of))
	}
	runtime.KeepAlive(known)

	// Those that nobody has any more are forgotten, soon after they are collected.
	for range 1000 {
		runtime.GC()
		time.Sleep(time.Millisecond)
		all.mu.Lock()
		left := len(all.known)
		all.mu.Unlock()
		if left == 0 {
			return
		}
	}
	t.Error("templates that no pod has are kept")
}

// listing has client-go list and then watch.
type listing struct{ toolscache.ListerWatcher }

// IsWatchListSemanticsUnSupported is what client-go asks.
func (listing) IsWatchListSemanticsUnSupported() bool { return true }

// TestCompactInformer: who asks an informer, or listens to it, gets pods.
func TestCompactInformer(t *testing.T) {
	api := watch.NewFakeWithOptions(watch.FakeOptions{ChannelSize: 10})
	lw := listing{&toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (kruntime.Object, error) {
			return &corev1.PodList{Items: []corev1.Pod{*kept()}}, nil
		},
		WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) { return api, nil },
	}}

	plain := informing(newInformer(logr.Discard()))
	if _, compact := plain.compact(lw, &corev1.Service{}, 0, nil).(compactInformer); compact {
		t.Error("Services are kept as pods are")
	}

	ofName := func(o any) ([]string, error) { return []string{"name " + o.(*corev1.Pod).Name}, nil }
	informer := plain.compact(lw, &corev1.Pod{}, 0, toolscache.Indexers{"first": ofName})
	if err := informer.SetTransform(slimPod(gates.All())); err != nil {
		t.Fatal(err)
	}
	if err := informer.AddIndexers(toolscache.Indexers{"second": ofName}); err != nil {
		t.Fatal(err)
	}

	heard := make(chan *corev1.Pod, 100)
	hear := toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { heard <- o.(*corev1.Pod) },
		UpdateFunc: func(before, now any) { heard <- before.(*corev1.Pod); heard <- now.(*corev1.Pod) },
		DeleteFunc: func(o any) { heard <- o.(*corev1.Pod) },
	}
	for _, add := range []func() error{
		func() error { _, err := informer.AddEventHandler(hear); return err },
		func() error { _, err := informer.AddEventHandlerWithResyncPeriod(hear, 0); return err },
		func() error {
			_, err := informer.AddEventHandlerWithOptions(hear, toolscache.HandlerOptions{})
			return err
		},
	} {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		informer.RunWithContext(ctx)
	}()
	defer func() {
		cancel()
		<-ended
	}()

	hears := func(names ...string) {
		t.Helper()
		for range 3 {
			for range names {
				select {
				case pod := <-heard:
					if !slices.Contains(names, pod.Name+" "+pod.Labels["app"]) {
						t.Errorf("heard of %s %s, want %v", pod.Name, pod.Labels["app"], names)
					}
				case <-time.After(10 * time.Second):
					t.Fatalf("nothing was heard of %v", names)
				}
			}
		}
	}
	hears("web-0 web")

	changed := kept()
	changed.ResourceVersion, changed.Labels = "8", map[string]string{"app": "new"}
	api.Modify(changed)
	hears("web-0 web", "web-0 new")

	for name, ask := range map[string]func(toolscache.Indexer) ([]any, error){
		"List":    func(i toolscache.Indexer) ([]any, error) { return i.List(), nil },
		"ByIndex": func(i toolscache.Indexer) ([]any, error) { return i.ByIndex("first", "name web-0") },
		"Index":   func(i toolscache.Indexer) ([]any, error) { return i.Index("second", changed) },
		"Get": func(i toolscache.Indexer) ([]any, error) {
			o, _, err := i.Get(changed)
			return []any{o}, err
		},
		"GetByKey": func(i toolscache.Indexer) ([]any, error) {
			o, _, err := informer.GetStore().GetByKey("shop/web-0")
			return []any{o}, err
		},
	} {
		found, err := ask(informer.GetIndexer())
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %v", name, found, err)
			continue
		}
		if pod, isPod := found[0].(*corev1.Pod); !isPod || pod.Labels["app"] != "new" {
			t.Errorf("%s: %v", name, found[0])
		}
	}

	api.Delete(changed)
	hears("web-0 new")
}

// informers are those of a cache.
type informers struct {
	client.FieldIndexer
	kinds map[reflect.Type]toolscache.SharedIndexInformer
}

// GetInformer is a part of cache.Cache.
func (i informers) GetInformer(_ context.Context, kind client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	of := reflect.TypeOf(kind)
	if i.kinds[of] == nil {
		i.kinds[of] = informing(newInformer(logr.Discard())).compact(&toolscache.ListWatch{}, kind, 0, toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc})
	}
	return i.kinds[of], nil
}

// decoded is one of ten thousand pods, as it comes from an API server.
func decoded(t testing.TB, n int) *corev1.Pod {
	web := fmt.Sprint("web-", n/10)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprintf("%s-6c8f9d7b4d-%05d", web, n), UID: "0d9c8b7a-6f5e-4d3c-2b1a-000000000000", ResourceVersion: "1234567",
			Labels:            map[string]string{"app.kubernetes.io/name": web, "app.kubernetes.io/instance": web, "pod-template-hash": "6c8f9d7b4d"},
			OwnerReferences:   []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: web + "-6c8f9d7b4d", UID: "0d9c8b7a-6f5e-4d3c-2b1a-111111111111", Controller: new(true)}},
			CreationTimestamp: metav1.Now(), ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}},
		},
		Spec: corev1.PodSpec{
			NodeName: fmt.Sprint("node-", n%100), TerminationGracePeriodSeconds: new(int64(60)),
			Containers:     []corev1.Container{{Name: "app", Image: "app", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}}}},
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(elbv2.GateType(web))}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: fmt.Sprintf("10.0.%d.%d", n/250, n%250), PodIPs: []corev1.PodIP{{IP: fmt.Sprintf("10.0.%d.%d", n/250, n%250)}}},
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady, corev1.PodConditionType(elbv2.GateType(web))} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
	}

	raw, err := pod.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var fresh corev1.Pod
	if err := fresh.Unmarshal(raw); err != nil {
		t.Fatal(err)
	}
	return &fresh
}

// cachedPods is what keeps pods, with all indexes of them, and what takes one in.
func cachedPods(t testing.TB) (toolscache.Indexer, func(*corev1.Pod)) {
	c := informers{kinds: map[reflect.Type]toolscache.SharedIndexInformer{}}
	if err := binding.PodIndexes(gates.All().Owns)(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	informer := c.kinds[reflect.TypeFor[*corev1.Pod]()].(compactInformer)
	store, slim := informer.SharedIndexInformer.GetIndexer(), slimPod(gates.All())
	return store, func(pod *corev1.Pod) {
		o, err := slim(pod)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Update(informer.templates.pack(o.(*corev1.Pod))); err != nil {
			t.Fatal(err)
		}
	}
}

// Limits of what a cached pod costs, a seventh above what it did when they were set.
const (
	podBytes  = 1185
	podAllocs = 133
)

// TestMemoryOfAPod: memory grows with every pod of the cluster, by so much.
func TestMemoryOfAPod(t *testing.T) {
	live := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}

	const pods = 10000
	store, add := cachedPods(t)
	before := live()
	for n := range pods {
		add(decoded(t, n))
	}
	per := (live() - before) / pods
	runtime.KeepAlive(store)

	if per > podBytes {
		t.Errorf("a cached pod takes %d bytes, want at most %d", per, podBytes)
	}
	t.Logf("a cached pod takes %d bytes", per)
}

// TestAllocationsOfAPod: an event of a pod that changed makes so many pieces of garbage, with one who listens to it.
func TestAllocationsOfAPod(t *testing.T) {
	_, add := cachedPods(t)
	pod := decoded(t, 0)
	allocs := testing.AllocsPerRun(1000, func() { add(pod) })
	if allocs > podAllocs {
		t.Errorf("an event of a pod allocates %.0f times, want at most %d", allocs, podAllocs)
	}
	t.Logf("an event of a pod allocates %.0f times", allocs)
}
