// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/console"
	"github.com/podgate/podgate/test/env"
)

// exampleNamespace is the namespace of the commands that users of AWS Gateway API Controller know.
const exampleNamespace = "example-ns"

// TestLatticeReference types what users of AWS Gateway API Controller type to get its readiness gate, and sees what they
// see: the namespace with its label, no gate before the webhook is enabled, READINESS GATES 0/1 and then 1/1, the reason
// in the pod's YAML, the error at the start while the Secret webhook-cert is empty, and the webhook's objectSelector edited
// by hand, which a restart of podgate does not undo.
func TestLatticeReference(t *testing.T) {
	o := latticeOptions()
	o.lattice = false
	w := start(t, o)
	w.types("kubectl create namespace example-ns", "namespace/example-ns created")
	w.types("kubectl label namespace example-ns application-networking.k8s.aws/pod-readiness-gate-inject=enabled", "namespace/example-ns labeled")
	w.types("kubectl describe namespace example-ns",
		"Name: example-ns",
		"Labels: application-networking.k8s.aws/pod-readiness-gate-inject=enabled",
		"kubernetes.io/metadata.name=example-ns",
		"Annotations: <none>",
		"Status: Active",
		console.Anything)

	s := w.exampleService()
	s.explains(s.onlyPod(), "GATE MISSING "+gwc.Gate+": EntrySwitchedOff", "WEBHOOK_ENABLED=true")
	w.types("kubectl -n podgate-system set env deployment/podgate WEBHOOK_ENABLED=true", "deployment.apps/podgate env updated")
	w.waitPodgateAlone()
	s.must(env.WaitInjected(s.ctx, s.cluster, s.app))
	w.types("kubectl -n example-ns rollout restart deployment/nginx-test", "deployment.apps/nginx-test restarted")

	const head = "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"
	row := "nginx-test-5744b9ff84-7ftl9 1/1 Running 0 81s 10.244.0.9 " + w.realNode() + " <none> "
	w.types("kubectl -n example-ns get pod -o wide", head, row+"0/1")
	s.must(s.sim.ClearHealth(s.ctx, s.lb.TargetGroupARN, nil))
	w.types("kubectl -n example-ns get pod -o wide", head, row+"1/1")
	w.types("kubectl -n example-ns get pod -o yaml | grep -A1 -B5 'type: application-networking.k8s.aws/pod-readiness-gate'",
		console.Anything, "reason: Healthy", `status: "True"`, "type: application-networking.k8s.aws/pod-readiness-gate", console.Anything)

	s.provideSecret()
	s.editSelector()
	s.assertSelected()
	w.restartPodgate()
	w.waitPodgateAlone()
	s.assertSelected()
}

// exampleService is the example's application, in the namespace that is there, with targets of which nothing is known yet.
func (w *world) exampleService() *service {
	w.t.Helper()
	group := latticeGroup()
	group.Name = "nginx-test"
	s := &service{world: w, group: group, app: env.App{
		Namespace: exampleNamespace, Name: "nginx-test", Gated: true, Image: imageV1, Replicas: 1, MaxSurge: "0", MaxUnavailable: "1",
	}}

	var err error
	s.lb, err = w.sim.CreateLoadBalancer(w.ctx, group)
	w.must(err)
	s.app.LatticeARN = s.lb.TargetGroupARN
	w.must(w.sim.SetHealth(w.ctx, s.lb.TargetGroupARN, nil, awssim.Script{State: "INITIAL"}))
	w.t.Cleanup(s.remove)
	s.enter()
	s.apply()
	return s
}

// types runs a command as a person does and ends the test unless it prints what is shown. Who looks and does not see it
// yet looks again, and so does the test.
func (w *world) types(command string, shown ...string) {
	w.t.Helper()
	step := console.Step{Command: command, Shown: shown}
	looks := strings.Contains(command, " get ") || strings.Contains(command, " describe ")
	for begun := time.Now(); ; time.Sleep(lookInterval) {
		out, err := exec.CommandContext(w.ctx, "bash", "-c", command).CombinedOutput()
		if err == nil && step.Matches(string(out)) {
			w.t.Logf("%5.1f s  $ %s\n%s", time.Since(begun).Seconds(), command, out)
			return
		}
		if !looks || time.Since(begun) > lookingTime {
			w.t.Fatalf("$ %s\n%v, printed:\n%s\nwant:\n%s", command, err, out, strings.Join(shown, "\n"))
		}
	}
}

// provideSecret makes the Secret webhook-cert as it is in a manifest that nobody has patched, without a certificate: podgate
// does not start with it, and says why. With what the script makes it starts and serves that, and without the Secret its
// own again.
func (s *service) provideSecret() {
	s.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: podgateNamespace, Name: "webhook-cert"}, Type: corev1.SecretTypeTLS}
	secret.Data = map[string][]byte{"ca.crt": []byte("\n"), "tls.crt": []byte("\n"), "tls.key": []byte("\n")}
	s.must(s.cluster.Create(s.ctx, secret))
	remove := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), cleanupTimeout)
		defer cancel()
		if err := client.IgnoreNotFound(s.cluster.Delete(ctx, secret)); err != nil {
			s.t.Errorf("clean up: %v", err)
		}
	}
	s.t.Cleanup(remove)

	s.restartPodgate()
	s.eventually("a replica that does not start to say why", func(ctx context.Context) (bool, error) {
		pods, err := s.podgatePods(ctx)
		return slices.ContainsFunc(pods, func(p corev1.Pod) bool {
			said := s.log(ctx, p.Name, false) + s.log(ctx, p.Name, true)
			return strings.Contains(said, "tls: failed to find any PEM data in certificate input") && strings.Contains(said, "webhook-cert")
		}), err
	})

	s.types("scripts/gen-webhook-secret.sh podgate-system | kubectl apply -f -", console.Anything, "secret/webhook-cert configured")
	s.restartPodgate()
	s.waitPodgateAlone()
	offered := func(c *x509.Certificate) bool { return c.Issuer.CommonName == "podgate-webhook-ca" }
	s.waitServed("the Secret's certificate", offered)
	s.must(env.WaitInjected(s.ctx, s.cluster, s.app))

	remove()
	s.waitServed("their own certificate", func(c *x509.Certificate) bool { return !offered(c) })
	s.must(env.WaitInjected(s.ctx, s.cluster, s.app))
}

// editSelector opens the webhook's configuration as kubectl edit does, in an editor that gives the entry for VPC Lattice an
// objectSelector. The entry is as it was when the test is over.
func (s *service) editSelector() {
	s.t.Helper()
	before, err := s.configuration(s.ctx)
	s.must(err)
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), cleanupTimeout)
		defer cancel()
		now, err := s.configuration(ctx)
		if err == nil {
			now.Webhooks = before.Webhooks
			err = s.cluster.Update(ctx, now)
		}
		if err != nil {
			s.t.Errorf("clean up: %v", err)
		}
	})

	editor := filepath.Join(s.t.TempDir(), "editor")
	script := fmt.Sprintf(`#!/bin/sh
sed -i '/name: %[1]s$/,/objectSelector:/s|objectSelector: {}|objectSelector:\n    matchLabels:\n      %[2]s: enabled|' "$1"
`, gwc.Webhook, gwc.InjectLabel)
	s.must(os.WriteFile(editor, []byte(script), 0o700))
	s.types("KUBE_EDITOR="+editor+" kubectl edit mutatingwebhookconfigurations podgate-webhook",
		"mutatingwebhookconfiguration.admissionregistration.k8s.io/podgate-webhook edited")
}

// assertSelected asserts that pods with the label of the edited selector get a gate, and others none.
func (s *service) assertSelected() {
	s.t.Helper()
	for label, want := range map[string]int{gwc.InjectEnabled: 1, "": 0} {
		s.eventually(fmt.Sprintf("pods with the label %q to get %d gates", label, want), func(ctx context.Context) (bool, error) {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "trial", Labels: map[string]string{"app.kubernetes.io/name": s.app.Name}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: imageV1}}},
			}
			if label != "" {
				pod.Labels[gwc.InjectLabel] = label
			}
			err := s.cluster.Create(ctx, pod, client.DryRunAll)
			return len(pod.Spec.ReadinessGates) == want, err
		})
	}
}
