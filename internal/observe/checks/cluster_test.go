// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/index/indextest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// running is a pod whose containers have been ready since noon.
func running(name string, port int32) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: port}}}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.1", PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}, {IP: "fd00::1"}},
			Conditions: []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)}},
		},
	}
}

func TestPod(t *testing.T) {
	whole := Pod{
		Subject: check.Subject{
			UID: "uid-of-web-0", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
			Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
		},
		ReadySince: noon,
	}
	but := func(change func(*Pod)) *Pod {
		pod := whole
		change(&pod)
		return &pod
	}
	ending := func(pod *corev1.Pod) *corev1.Pod {
		pod.DeletionTimestamp = new(metav1.NewTime(noon))
		return pod
	}
	host := func(pod *corev1.Pod) { pod.Spec.HostNetwork = true }

	for name, tc := range map[string]struct {
		reason string
		change func(*corev1.Pod)
		others []client.Object
		want   *Pod
	}{
		"Running":  {reason: "All that a check is asked about.", change: func(*corev1.Pod) {}, want: &whole},
		"Unready":  {reason: "Nothing is asked before the containers are ready.", change: func(p *corev1.Pod) { p.Status.Conditions[0].Status = "False" }, want: but(func(p *Pod) { p.ReadySince = time.Time{} })},
		"Starting": {reason: "The kubelet has said nothing yet.", change: func(p *corev1.Pod) { p.Status.Conditions = nil }, want: but(func(p *Pod) { p.ReadySince = time.Time{} })},
		"Ending":   {reason: "It is no longer asked.", change: func(p *corev1.Pod) { ending(p) }},
		"Over":     {reason: "Its address may be another's.", change: func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }},
		"AddressShared": {
			reason: "Without the node's network an address is one pod's, whatever the cache still shows.", change: func(*corev1.Pod) {},
			others: []client.Object{ending(running("old", 8080))}, want: &whole,
		},
		"HostPortContested": {
			reason: "The other pod may answer still.", change: host, others: []client.Object{ending(running("old", 8080))},
			want: but(func(p *Pod) { p.HostNetwork, p.Contested = true, true }),
		},
		"HostPortOfAnother": {
			reason: "Other ports are no matter.", change: host, others: []client.Object{ending(running("old", 9090))},
			want: but(func(p *Pod) { p.HostNetwork = true }),
		},
		"HostPortShared": {
			reason: "A pod that stays does not listen at the same port.", change: host, others: []client.Object{running("neighbour", 8080)},
			want: but(func(p *Pod) { p.HostNetwork = true }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := running("web-0", 8080)
			tc.change(pod)
			cache, err := indextest.New(t.Context(), append(tc.others, pod)...)
			if err != nil {
				t.Fatal(err)
			}

			got, there := Pods{cache}.Pod(t.Context(), named("web-0"))
			if there != (tc.want != nil) {
				t.Fatalf("%s\nthere: %t", tc.reason, there)
			}
			if there && (got.Pod == nil || got.Pod.UID != pod.UID) {
				t.Errorf("%s\nexpressions see the pod %+v", tc.reason, got.Pod)
			}
			got.Pod = nil
			if diff := cmp.Diff(tc.want, &got, cmpopts.EquateComparable(netip.Addr{})); there && diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if _, there := (Pods{cache}).Pod(t.Context(), named("web-9")); there {
				t.Error("a pod that is not there was found")
			}
		})
	}
}
