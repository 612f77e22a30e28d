// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/disruption"
)

// node is one as the cache keeps it.
func node(t *testing.T, name, system, kubelet, runtime string) any {
	t.Helper()
	o, err := disruption.Slim(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{OperatingSystem: system, KubeletVersion: kubelet, ContainerRuntimeVersion: runtime}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestImageVolumesEverywhere: one node that cannot mount images is enough, since a new pod may run there.
func TestImageVolumesEverywhere(t *testing.T) {
	cases := map[string]struct {
		reason                   string
		system, kubelet, runtime string
		want                     bool
	}{
		"New":           {reason: "Nothing is configured for it since 1.35.", system: "linux", kubelet: "v1.35.2-eks-3abbec1", runtime: "containerd://2.1.5", want: true},
		"Newer":         {reason: "Nor later.", system: "linux", kubelet: "v1.37.0", runtime: "containerd://2.4.2-k3s1", want: true},
		"OldKubelet":    {reason: "A feature gate of the kubelet is off.", system: "linux", kubelet: "v1.34.9", runtime: "containerd://2.1.5"},
		"OldContainerd": {reason: "It ignores what it does not know, and the container does not start.", system: "linux", kubelet: "v1.35.0", runtime: "containerd://2.0.7"},
		"Fargate":       {reason: "So does it there.", system: "linux", kubelet: "v1.35.0-eks-1", runtime: "containerd://1.7.27"},
		"OtherRuntime":  {reason: "Whether programs run from its volumes was not tried.", system: "linux", kubelet: "v1.36.0", runtime: "cri-o://1.36.0"},
		"Unknown":       {reason: "A node that has not said what it is.", system: "", kubelet: "", runtime: ""},
		"Windows":       {reason: "Its pods get the sleep whatever it can.", system: "windows", kubelet: "v1.33.0", runtime: "containerd://1.7.1", want: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := &imageVolumes{synced: func() bool { return true }}
			if v.everywhere() {
				t.Error("no node is known, and all can")
			}

			h := v.follow()
			h.OnAdd(node(t, "good", "linux", "v1.36.1", "containerd://2.2.0"), true)
			other := node(t, "other", tc.system, tc.kubelet, tc.runtime)
			h.OnAdd(other, true)
			h.OnUpdate(other, other)
			if got := v.everywhere(); got != tc.want {
				t.Errorf("%s\neverywhere: %t, want %t", tc.reason, got, tc.want)
			}

			h.OnDelete(other)
			if !v.everywhere() {
				t.Error("it counts although it is gone")
			}

			v.synced = func() bool { return false }
			if v.everywhere() {
				t.Error("it is known before all nodes are")
			}
		})
	}
}
