// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"slices"
	"testing"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

func TestCounts(t *testing.T) {
	yes, no := true, false
	ready := discoveryv1.EndpointConditions{Ready: &yes}
	held := discoveryv1.EndpointConditions{Ready: &no, Terminating: &no}
	leaving := discoveryv1.EndpointConditions{Ready: &no, Terminating: &yes}
	containers := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}}}}
	for reason, tc := range map[string]struct {
		is   discoveryv1.EndpointConditions
		pod  *corev1.Pod
		node bool
		want bool
	}{
		"a Ready pod":                          {ready, &corev1.Pod{}, false, true},
		"nothing said means Ready":             {discoveryv1.EndpointConditions{}, &corev1.Pod{}, false, true},
		"held back by whatever gate":           {held, containers, true, true},
		"its containers are not ready":         {held, &corev1.Pod{}, true, false},
		"its node is not":                      {held, containers, false, false},
		"it terminates, and is not Ready then": {leaving, containers, true, false},
	} {
		if got := counts(discoveryv1.Endpoint{Conditions: tc.is}, tc.pod, tc.node); got != tc.want {
			t.Errorf("%s: a target %t, want %t", reason, got, tc.want)
		}
	}
}

func TestCompare(t *testing.T) {
	at := func(id string) endpoint { return endpoint{row: row{id, 80}, pod: &corev1.Pod{}} }
	in := func(state elbtypes.TargetHealthStateEnum) *elbtypes.TargetHealth {
		return &elbtypes.TargetHealth{State: state}
	}

	newcomers, strangers := compare(
		[]endpoint{at("new"), at("known"), at("back"), at("unknown")},
		states{
			{"known", 80}: in("healthy"), {"unknown", 80}: nil, {"back", 80}: in("draining"),
			{"dead", 80}: in("unhealthy"), {"known", 81}: in("healthy"), {"gone", 80}: in("draining"),
		})
	if diff := cmp.Diff([]row{{"new", 80}, {"back", 80}}, newcomers, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("to register (-want +got):\n%s", diff)
	}

	if len(strangers) != 2 || !slices.Contains(strangers, row{"dead", 80}) || !slices.Contains(strangers, row{"known", 81}) {
		t.Errorf("to deregister: %v, want what is no pod's and does not drain", strangers)
	}
}

// TestWakes: what that controller does not wake for is the reason for podgate's nudge.
func TestWakes(t *testing.T) {
	pod := func(gate string, change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1"}}
		p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(gate)}}
		change(p)
		return p
	}

	same := func(*corev1.Pod) {}
	containers := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}}
	}

	deleted := func(p *corev1.Pod) { now := metav1.Now(); p.DeletionTimestamp = &now }
	for reason, tc := range map[string]struct {
		gate   string
		change func(*corev1.Pod)
		want   bool
	}{
		"its gate, and the containers became ready":       {"target-health.elbv2.k8s.aws/web", containers, true},
		"its gate, and nothing that it keeps":             {"target-health.elbv2.k8s.aws/web", deleted, false},
		"podgate's gate, and the containers became ready": {"targets.podgate.dev/web", containers, false},
	} {
		after := pod(tc.gate, tc.change)
		passes := podsChanged().Update(event.UpdateEvent{ObjectOld: pod(tc.gate, same), ObjectNew: after})
		if got := passes && len(ofPod(t.Context(), after)) > 0; got != tc.want {
			t.Errorf("%s: wakes %t, want %t", reason, got, tc.want)
		}
	}

	before, after := &discoveryv1.EndpointSlice{}, &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"touched": "now"}}}
	if slicesChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}) {
		t.Error("wakes for a slice whose endpoints are the same")
	}

	after.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}}
	if !slicesChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}) {
		t.Error("sleeps through a new endpoint")
	}
}
