// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/instance"
)

// outlives is how long a node's notice counts after the node is gone: the pods that it leaves
// behind are deleted within a minute or two.
const outlives = 10 * time.Minute

// nodesSoon is how long the first list of nodes may take before a binding says that they cannot be read.
const nodesSoon = 10 * time.Second

// nodes remember the cluster's nodes, and which of them announce that their pods are going to end. The zero value
// knows none.
type nodes struct {
	mu      sync.Mutex
	notices map[string]nodeNotice
	// there are the nodes by their names, and instances the names by the nodes' instances.
	there     map[string]*disruption.Node
	instances map[string]string
	// synced reports whether all nodes were seen; nil while nobody follows them.
	synced func() bool
	// missed is since when somebody has been waiting for that; zero when nobody has.
	missed time.Time
}

// nodeNotice is what a node announces, and since when the node is gone.
type nodeNotice struct {
	notice disruption.Notice
	gone   time.Time
}

// notice returns what a node announces.
func (n *nodes) notice(name string) disruption.Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.notices[name].notice
}

// update remembers what a node announces, and reports whether that is new. A node that has shut down announces
// nothing in the end, and its pods end all the same: its notice counts until it is Ready again.
func (n *nodes) update(node *disruption.Node, now time.Time) bool {
	name, what := node.Name, node.Notice

	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.notices, func(_ string, known nodeNotice) bool { return !known.gone.IsZero() && now.Sub(known.gone) > outlives })

	before := n.notices[name].notice
	if before == disruption.Ending && !node.Ready {
		what = max(what, before)
	}

	if what == disruption.None {
		delete(n.notices, name)
		return before != what
	}

	if n.notices == nil {
		n.notices = map[string]nodeNotice{}
	}

	n.notices[name] = nodeNotice{notice: what}
	return before != what
}

// keep remembers a node as it is now, and reports whether it changed in what makes it a target.
func (n *nodes) keep(node *disruption.Node) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.there == nil {
		n.there, n.instances = map[string]*disruption.Node{}, map[string]string{}
	}

	before := n.there[node.Name]
	n.drop(node.Name)
	n.there[node.Name] = node
	if id := instance.ID(node.ProviderID); id != "" {
		n.instances[id] = node.Name
	}

	return before == nil || before.ProviderID != node.ProviderID || before.Ready != node.Ready || before.Silent != node.Silent ||
		before.DeletionTimestamp.IsZero() != node.DeletionTimestamp.IsZero() || !maps.Equal(before.Labels, node.Labels)
}

// drop forgets a node. The caller holds the lock.
func (n *nodes) drop(name string) {
	if node := n.there[name]; node != nil {
		if id := instance.ID(node.ProviderID); n.instances[id] == name {
			delete(n.instances, id)
		}
		delete(n.there, name)
	}
}

// all lists the nodes.
func (n *nodes) all() []*disruption.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Values(n.there))
}

// hasInstance reports whether a node is an instance.
func (n *nodes) hasInstance(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, has := n.instances[id]
	return has
}

// known reports whether all nodes were seen.
func (n *nodes) known() bool { return n.synced != nil && n.synced() }

// awaited notes that somebody waits for the nodes to be known, and reports whether that may still be so in a moment.
func (n *nodes) awaited(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.missed.IsZero() {
		n.missed = now
	}
	return n.synced != nil && now.Sub(n.missed) < nodesSoon
}

// gone forgets a node that is gone, and keeps its notice for a while.
func (n *nodes) gone(name string, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drop(name)
	if known, ok := n.notices[name]; ok {
		n.notices[name] = nodeNotice{notice: known.notice, gone: now}
	}
}

// KnowNodes takes what reports whether the handler of FollowNodes has seen all nodes.
func (r *Reconciler) KnowNodes(synced func() bool) { r.nodes.synced = synced }

// FollowNodes returns what handles the events of a cache of nodes that disruption.Slim has cut down. When a
// node begins or ceases to announce that its pods are going to end, their bindings are woken; when it changes as a target,
// those of nodes are.
// Where nodes may not be read nobody announces it, and pods are deregistered when they are deleted.
func (r *Reconciler) FollowNodes(ctx context.Context, wake func(types.NamespacedName)) toolscache.ResourceEventHandler {
	update := func(o any) {
		node, ok := o.(*disruption.Node)
		if !ok {
			return
		}

		announces := r.nodes.update(node, r.now())
		if announces {
			r.wakeNode(ctx, node, wake)
		}
		if r.nodes.keep(node) || announces {
			r.wakeGroups(wake)
		}
	}

	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    update,
		UpdateFunc: func(_, o any) { update(o) },
		DeleteFunc: func(o any) {
			if last, unseen := o.(toolscache.DeletedFinalStateUnknown); unseen {
				o = last.Obj
			}
			if node, ok := o.(*disruption.Node); ok {
				r.nodes.gone(node.Name, r.now())
				r.wakeGroups(wake)
			}
		},
	}
}

// wakeGroups wakes the bindings whose groups are of nodes.
func (r *Reconciler) wakeGroups(wake func(types.NamespacedName)) {
	for _, key := range r.states.ofNodes() {
		wake(key)
	}
}

// wakeNode wakes the bindings of a node's pods.
func (r *Reconciler) wakeNode(ctx context.Context, node *disruption.Node, wake func(types.NamespacedName)) {
	log := log.FromContext(ctx).WithValues("node", node.Name)
	pods, err := index.PodsOn(ctx, r.client, node.Name)
	if err != nil {
		log.Error(err, "Finding a node's pods failed")
		return
	}

	log.Info("Node says something else of its pods' end", "notice", node.Notice.String(), "pods", len(pods))
	for i := range pods {
		pod := &pods[i]
		bindings, err := binding.ForPod(ctx, r.client, pod)
		if err != nil {
			log.Error(err, "Finding a pod's bindings failed", "pod", client.ObjectKeyFromObject(pod))
		}
		for _, b := range bindings {
			wake(b.Key())
		}

		// No selector leads to the bindings that a switch of theirs left behind.
		for _, key := range r.states.holding(client.ObjectKeyFromObject(pod)) {
			wake(key)
		}
	}
}

// notice returns what is known of a pod's end before it is deleted.
func (r *Reconciler) notice(pod *corev1.Pod) disruption.Notice {
	return max(disruption.OfPod(pod), r.nodes.notice(pod.Spec.NodeName))
}
