// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
)

// standby is a replica that never led, beside a leader that synced the group.
func standby(t *testing.T, ready ...int) *world {
	w := newWorld(t)
	w.serve(ready...)
	for _, n := range ready {
		pod := w.pods[w.pod(n).Name]
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
	}
	w.reconcile()
	w.restart()
	w.unread, w.calls, w.writes = true, nil, 0
	return w
}

func (w *world) urgent(key types.NamespacedName) int {
	w.t.Helper()
	n, err := w.Urgent(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestUrgent: a standby deregisters what its leader would, for the bindings that the
// leader serves, and touches nothing else.
func TestUrgent(t *testing.T) {
	live, holder, seconds := metav1.NewMicroTime(noon), "lbc", int32(15)
	cases := map[string]struct {
		reason string
		change func(w *world, b *elbv2.TargetGroupBinding)
		want   string
	}{
		"Terminating": {reason: "The pod is being deleted and two others serve.", want: "deregister 3"},
		"NothingToDo": {reason: "No pod is being deleted.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.pods["web-3"].DeletionTimestamp = nil }},
		"NotRegistered": {
			reason: "Pods that are not in the group wait for the next leader.",
			change: func(w *world, _ *elbv2.TargetGroupBinding) { delete(w.rows, at(1)); w.pod(4) }, want: "deregister 3",
		},
		"Replaced": {
			reason: "Running targets that the Service selects no more wait for the next leader.",
			change: func(w *world, _ *elbv2.TargetGroupBinding) { w.pods["web-2"].Labels = nil }, want: "deregister 3",
		},
		"Unpublished": {
			reason: "Nobody said which group it is, or that it is of ips.",
			change: func(_ *world, b *elbv2.TargetGroupBinding) { b.Annotations = nil },
		},
		"OtherGroup": {
			reason: "What was published is about another group than the one that is named now.",
			change: func(_ *world, b *elbv2.TargetGroupBinding) { b.Spec.TargetGroupARN = "arn:other" },
		},
		"NeverServed": {reason: "The leader did not take the binding on.", change: func(_ *world, b *elbv2.TargetGroupBinding) { b.Finalizers = nil }},
		"Deleted": {
			reason: "A binding that is being deleted is emptied by a leader, in its own order.",
			change: func(w *world, b *elbv2.TargetGroupBinding) { b.DeletionTimestamp = &metav1.Time{Time: w.clock} },
		},
		"NotOurs": {reason: "The binding is left out.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.lbc.Owners.Ownership = binding.OwnAnnotated }},
		"OfLBC": {
			reason: "A live AWS Load Balancer Controller owns it.",
			change: func(w *world, b *elbv2.TargetGroupBinding) {
				b.Finalizers = append(b.Finalizers, elbv2.LBCFinalizer)
				w.lease = &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: &live, LeaseDurationSeconds: &seconds}}
			},
		},
		"BoundTwice": {reason: "An older binding has the group.", change: func(w *world, _ *elbv2.TargetGroupBinding) { w.bind("older", time.Hour) }},
		"MultiCluster": {
			reason: "The pod is this cluster's, whoever shares the group.",
			change: func(_ *world, b *elbv2.TargetGroupBinding) { b.Spec.MultiClusterTargetGroup = true }, want: "deregister 3",
		},
		"Gone": {reason: "The binding is no more.", change: func(w *world, _ *elbv2.TargetGroupBinding) { delete(w.bindings, "web-tg") }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := standby(t, 1, 2, 3)
			w.terminate(w.pods["web-3"])

			if tc.change != nil {
				tc.change(w, w.bindings["web-tg"])
			}

			n := w.urgent(web)
			if got := w.made(); got != tc.want || (n > 0) != (tc.want != "") {
				t.Errorf("%s\nwant %q, got %q (%d targets)", tc.reason, tc.want, got, n)
			}

			if w.writes != 0 {
				t.Errorf("%s\na standby wrote to the cluster", tc.reason)
			}

			if w.urgent(web); len(w.calls) > 0 {
				t.Errorf("%s\na second time: %q", tc.reason, w.made())
			}
		})
	}
}

// TestLaw3StandbyKeepsTheLastOne: which one of several the leader kept a standby cannot
// know, so it keeps all, until only the drain is left of their grace periods.
func TestLaw3StandbyKeepsTheLastOne(t *testing.T) {
	w := standby(t, 1, 2)
	w.terminate(w.pods["web-1"])
	w.clock = w.clock.Add(4 * time.Second)
	w.terminate(w.pods["web-2"])

	if w.urgent(web); len(w.calls) > 0 {
		t.Fatalf("nothing else serves, and yet %q", w.made())
	}

	w.clock = noon.Add(5 * time.Second)
	if w.urgent(web); w.made() != "deregister 1" {
		t.Error("the first did not go when only its drain was left")
	}

	w.clock = noon.Add(9 * time.Second)
	if w.urgent(web); w.made() != "deregister 2" {
		t.Error("the second did not go when only its drain was left")
	}
}

// TestUrgentIsTriedAgain: what failed is not taken for done.
func TestUrgentIsTriedAgain(t *testing.T) {
	w := standby(t, 1, 2)
	w.terminate(w.pods["web-2"])
	w.fail["deregister"] = balancer.ErrThrottled
	if n, err := w.Urgent(t.Context(), web); err == nil || n != 0 {
		t.Fatalf("want the error, got %d targets, %v", n, err)
	}
	w.fail["deregister"], w.calls = nil, nil
	if n := w.urgent(web); n != 1 || w.rows[at(2)].State != gate.Draining {
		t.Errorf("want the target deregistered, got %d: %q", n, w.made())
	}
}

// TestStandbyRemembersWhenItLeads: the standby's own calls are known to it as the leader.
func TestStandbyRemembersWhenItLeads(t *testing.T) {
	w := standby(t, 1, 2)
	w.terminate(w.pods["web-2"])
	w.urgent(web)
	w.made()
	w.unread = false
	w.rows[at(2)] = gate.Health{State: gate.Healthy} // the API lags behind
	if w.reconcile(); len(w.calls) > 0 {
		t.Errorf("the new leader repeats what it did as a standby: %q", w.made())
	}
}
