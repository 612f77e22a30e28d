// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/test/env"
)

// TestInjectionSurvives: kubectl drains pods with adaptive hooks without being told to delete local data, and a pod that is
// applied by itself can be applied again, by every kind of apply, and differs from nothing.
func TestInjectionSurvives(t *testing.T) {
	s := start(t, options{}).adaptive(func(a *env.App) { a.Replicas = 2 })

	said := s.kubectlSays("drain", s.realNode(), "--dry-run=server", "--ignore-daemonsets", "--pod-selector=app.kubernetes.io/name="+s.app.Name)
	if n := strings.Count(said, "evicting pod "+s.app.Namespace+"/"); n != 2 {
		t.Errorf("kubectl drain would evict %d pods, want both:\n%s", n, said)
	}

	for name, states := range map[string]string{
		"plain": "",
		"grace": "  terminationGracePeriodSeconds: 60\n",
		"solo":  "  terminationGracePeriodSeconds: 60\n  readinessGates: [{conditionType: example.com/checked}]\n",
		"empty": "  readinessGates: []\n",
	} {
		s.assertAppliedAgain(name, states)
	}

	s.kubectl("-n", s.app.Namespace, "wait", "--for=condition=Ready", "pod/plain", "pod/plain-server", "pod/grace", "--timeout=2m")
	s.explains("solo", "GATE MISSING "+binding.GateType(s.app.Name)+": GatesStated", "add the missing gate to readinessGates in the manifest", "podgate adds no hook")
	s.explains("empty", "GatesStated")

	var pod corev1.Pod
	s.must(s.cluster.Get(s.ctx, client.ObjectKey{Namespace: s.app.Namespace, Name: "plain-server"}, &pod))
	if l := pod.Spec.Containers[0].Lifecycle; len(pod.Spec.ReadinessGates) != 1 || l == nil || l.PreStop == nil || l.PreStop.Sleep == nil {
		t.Errorf("a pod whose manifest states nothing has the gates %v and the lifecycle %+v, want a gate and a sleep", pod.Spec.ReadinessGates, l)
	}
}

// assertAppliedAgain applies a pod's manifest by kubectl, again and again.
func (s *service) assertAppliedAgain(name, states string) {
	s.t.Helper()
	for _, manner := range []string{"client", "server"} {
		pod := name
		if manner == "server" {
			pod += "-server"
		}

		file := filepath.Join(s.t.TempDir(), pod+".yaml")
		manifest := fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s, labels: {app.kubernetes.io/name: %s}}\nspec:\n%s  containers:\n  - {name: web, image: %q, imagePullPolicy: IfNotPresent, ports: [{name: http, containerPort: 8080}]}\n",
			pod, s.app.Namespace, s.app.Name, states, s.app.Image)
		s.must(os.WriteFile(file, []byte(manifest), 0o600))

		if manner == "client" {
			s.kubectl("apply", "-f", file)
			s.kubectl("apply", "-f", file)
			s.kubectl("diff", "-f", file)
		}

		// Somebody goes over to server-side apply: what was applied before is its own then, what podgate added is not.
		s.kubectl("apply", "--server-side", "-f", file)
		s.kubectl("apply", "--server-side", "-f", file)
		s.kubectl("diff", "--server-side", "-f", file)
	}
}

// kubectlSays runs it as a person does, and returns what it said.
func (w *world) kubectlSays(args ...string) string {
	w.t.Helper()
	out, err := exec.CommandContext(w.ctx, "kubectl", args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("kubectl %q: %v\n%s", args, err, out)
	}
	return string(out)
}
