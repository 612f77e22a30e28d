// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// TestHooks: pods of a published ALB group with the default deregistration delay sleep 55 s.
func TestHooks(t *testing.T) {
	h := newHandler(t, &world{
		services: []corev1.Service{service("shop", "web", map[string]string{"app": "web"})},
		bindings: []elbv2.TargetGroupBinding{
			published(bindingTo("shop", "web-tg", "web"), `{"arn":"arn","targetType":"ip","protocol":"HTTP","deregistrationDelaySeconds":300}`),
		},
	}, Options{Disabled: true, Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})

	const slept = `{"preStop":{"sleep":{"seconds":55}}}`
	cases := map[string]struct{ reason, pod, want string }{
		"Plain": {
			reason: "Every container sleeps, and the grace period grows by that; init containers and sidecars are left alone.",
			pod:    `{"metadata":{"labels":{"app":"web"}},"spec":{"initContainers":[{"restartPolicy":"Always"}],"containers":[{"name":"a"},{"name":"b"}],"terminationGracePeriodSeconds":40}}`,
			want: `{"metadata":{"labels":{"app":"web"},"annotations":{"podgate.dev/grace-period":"40"}},"spec":{"initContainers":[{"restartPolicy":"Always"}],
				"containers":[{"name":"a","lifecycle":` + slept + `},{"name":"b","lifecycle":` + slept + `}],"terminationGracePeriodSeconds":95}}`,
		},
		"NoGrace": {
			reason: "What the API server would fill in counts.",
			pod:    `{"metadata":{"labels":{"app":"web"},"annotations":{"a":"b"}},"spec":{"containers":[{}]}}`,
			want:   `{"metadata":{"labels":{"app":"web"},"annotations":{"a":"b","podgate.dev/grace-period":"30"}},"spec":{"containers":[{"lifecycle":` + slept + `}],"terminationGracePeriodSeconds":85}}`,
		},
		"OtherLifecycle": {
			reason: "A postStart and fields that nobody here knows stay.",
			pod:    `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"lifecycle":{"postStart":{"exec":{}},"stopSignal":"SIGUSR1","preStop":null}}]}}`,
			want: `{"metadata":{"labels":{"app":"web"},"annotations":{"podgate.dev/grace-period":"30"}},"spec":{"containers":[{"lifecycle":
				{"postStart":{"exec":{}},"stopSignal":"SIGUSR1","preStop":{"sleep":{"seconds":55}}}}],"terminationGracePeriodSeconds":85}}`,
		},
		"OwnHook": {
			reason: "A hook of the user's own is never replaced, and alone it changes nothing.",
			pod:    `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"lifecycle":{"preStop":{"exec":{"command":["stop"]}}}}]}}`,
			want:   `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"lifecycle":{"preStop":{"exec":{"command":["stop"]}}}}]}}`,
		},
		"NotSelected": {
			reason: "Another application's pod has nothing to drain.",
			pod:    `{"metadata":{"labels":{"app":"other"}},"spec":{"containers":[{}]}}`,
			want:   `{"metadata":{"labels":{"app":"other"}},"spec":{"containers":[{}]}}`,
		},
		"Job": {
			reason: "A Job's pod ends by itself.",
			pod:    `{"metadata":{"labels":{"app":"web"},"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job"}]},"spec":{"containers":[{}]}}`,
			want:   `{"metadata":{"labels":{"app":"web"},"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job"}]},"spec":{"containers":[{}]}}`,
		},
		"CopiedAnnotation": {
			reason: "The annotation of a manifest that was copied from another pod is replaced.",
			pod:    `{"metadata":{"labels":{"app":"web"},"annotations":{"podgate.dev/grace-period":"9223372036854775807"}},"spec":{"containers":[{}],"terminationGracePeriodSeconds":60}}`,
			want:   `{"metadata":{"labels":{"app":"web"},"annotations":{"podgate.dev/grace-period":"60"}},"spec":{"containers":[{"lifecycle":` + slept + `}],"terminationGracePeriodSeconds":115}}`,
		},
		"OptedOut": {
			reason: "The pod's label opts out.",
			pod:    `{"metadata":{"labels":{"app":"web","podgate.dev/drain":"disabled"}},"spec":{"containers":[{}]}}`,
			want:   `{"metadata":{"labels":{"app":"web","podgate.dev/drain":"disabled"}},"spec":{"containers":[{}]}}`,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := admitHooks(t, h, tc.pod)
			if diff := diffJSON(t, tc.want, got); diff != "" {
				t.Errorf("%s\npod: -want, +got:\n%s", tc.reason, diff)
			}
			if again := admitHooks(t, h, got); again != got {
				t.Errorf("asked again, the handler changes %s to %s", got, again)
			}
		})
	}
}

// TestHooksReinvoked: a container that another webhook adds after podgate was asked sleeps
// as well, and what the application had of the grace period stays what it was.
func TestHooksReinvoked(t *testing.T) {
	h := newHandler(t, &world{
		services: []corev1.Service{service("shop", "web", map[string]string{"app": "web"})},
		bindings: []elbv2.TargetGroupBinding{annotated(bindingTo("shop", "web-tg", "web"), v1alpha1.DrainTimeAnnotation, "45s")},
	}, Options{Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})
	const slept = `{"lifecycle":{"preStop":{"sleep":{"seconds":45}}}}`
	pod := `{"metadata":{"labels":{"app":"web"},"annotations":{"podgate.dev/grace-period":"30"}},"spec":{"containers":[%s,%s],"terminationGracePeriodSeconds":75}}`
	got := admitHooks(t, h, fmt.Sprintf(pod, slept, "{}"))
	if diff := diffJSON(t, fmt.Sprintf(pod, slept, slept), got); diff != "" {
		t.Errorf("pod: -want, +got:\n%s", diff)
	}
}

// TestWorkloadOfANewPod: it is the one that the pod's owner has once the pod is there.
func TestWorkloadOfANewPod(t *testing.T) {
	for body, want := range map[string]string{
		`{"metadata":{"labels":{"pod-template-hash":"abc"},"ownerReferences":[{"kind":"X","name":"x"},{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-abc","uid":"u","controller":true}]},"spec":{}}`: "ReplicaSet/web",
		`{"metadata":{"ownerReferences":[{"kind":"X","name":"x","controller":false}]},"spec":{}}`:                                                                                                             "",
		`{"metadata":{},"spec":{}}`: "",
	} {
		p, err := decodePod([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		var pod corev1.Pod
		if err := json.Unmarshal([]byte(body), &pod); err != nil {
			t.Fatal(err)
		}
		if got, later := p.workload(), binding.Workload(&pod); got != want || later != want {
			t.Errorf("%s: want %q, got %q, and later %q", body, want, got, later)
		}
	}
}
