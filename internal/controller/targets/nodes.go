// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"maps"
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
)

// outlives is for how long what a node said counts when it is gone: the pods that are left
// of it are deleted within a minute or two.
const outlives = 10 * time.Minute

// nodes are those that say that their pods are going to end. The zero value knows none.
type nodes struct {
	mu   sync.Mutex
	said map[string]word
}

// word is what a node says, and since when it is gone.
type word struct {
	notice disruption.Notice
	gone   time.Time
}

// of tells what a node says.
func (n *nodes) of(name string) disruption.Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.said[name].notice
}

// note remembers it and reports whether that is new. A node that shut down says nothing any
// more in the end, and its pods end all the same: that counts until it is Ready again.
func (n *nodes) note(node *disruption.Node, now time.Time) bool {
	name, what := node.Name, node.Notice
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.said, func(_ string, s word) bool { return !s.gone.IsZero() && now.Sub(s.gone) > outlives })
	before := n.said[name].notice
	if before == disruption.Ending && !node.Ready {
		what = max(what, before)
	}

	if what == disruption.None {
		delete(n.said, name)
		return before != what
	}

	if n.said == nil {
		n.said = map[string]word{}
	}

	n.said[name] = word{notice: what}
	return before != what
}

// leave keeps what a node said that is gone.
func (n *nodes) leave(name string, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s, known := n.said[name]; known {
		n.said[name] = word{notice: s.notice, gone: now}
	}
}

// FollowNodes handles the events of a cache of nodes that notice.Slim has cut down. When a
// node begins or ceases to say that its pods are going to end, their bindings are woken.
// Where nodes may not be read nobody says so, and pods are deregistered when they are deleted.
func (r *Reconciler) FollowNodes(ctx context.Context, wake func(types.NamespacedName)) toolscache.ResourceEventHandler {
	note := func(o any) {
		if node, ok := o.(*disruption.Node); ok && r.nodes.note(node, r.now()) {
			r.wakeNode(ctx, node, wake)
		}
	}

	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    note,
		UpdateFunc: func(_, o any) { note(o) },
		DeleteFunc: func(o any) {
			if last, unseen := o.(toolscache.DeletedFinalStateUnknown); unseen {
				o = last.Obj
			}
			if node, ok := o.(*disruption.Node); ok {
				r.nodes.leave(node.Name, r.now())
			}
		},
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
		for _, key := range r.states.holding(client.ObjectKeyFromObject(pod)) {
			wake(key)
		}
	}
}

// notice is what is known of a pod's end before it is deleted.
func (r *Reconciler) notice(pod *corev1.Pod) disruption.Notice {
	return max(disruption.OfPod(pod), r.nodes.of(pod.Spec.NodeName))
}
