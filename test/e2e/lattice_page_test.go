// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/test/env"
)

const latticePage = "docs/providers/lattice.md"

// pageBlock is a manifest or commands of a page.
var pageBlock = regexp.MustCompile("(?ms)^```(yaml|console)\n(.*?)^```$")

// TestLatticePage does what docs/providers/lattice.md says, in its namespace and region: it applies the bindings as they
// stand and types the commands. The pods of the Service whose group is named get healthy, and those of the Service whose
// groups AWS Gateway API Controller fills as soon as these, in its stead, are registered.
func TestLatticePage(t *testing.T) {
	o := latticeOptions()
	o.region = "us-east-1"
	w := start(t, o)
	named, filled := plain("web"), plain("api")
	w.t.Cleanup(func() { w.removePlain(named, filled) })
	w.deployPlain(named)
	w.deployPlain(filled)

	group := latticeGroup()
	group.Name = "web"
	_, err := w.sim.CreateLoadBalancer(w.ctx, group)
	w.must(err)
	group.Name, group.Tags = "k8s-shop-api-abcdefghij", map[string]string{
		gwc.TagServiceNamespace: "shop", gwc.TagServiceName: "api", gwc.TagClusterName: "east", gwc.TagSourceType: "HTTPRoute", gwc.TagRouteName: "api", gwc.TagRouteNamespace: "shop",
	}
	theirs, err := w.sim.CreateLoadBalancer(w.ctx, group)
	w.must(err)

	w.follow(latticePage)
	w.must(w.cluster.WaitDeployment(w.ctx, named.Namespace, named.Name))
	w.registerFor(filled, theirs.TargetGroupARN)
	w.must(w.cluster.WaitDeployment(w.ctx, filled.Namespace, filled.Name))
	for _, a := range []env.App{named, filled} {
		for _, p := range w.podsOf(a) {
			if gates := p.Spec.ReadinessGates; len(gates) != 1 || gates[0].ConditionType != gwc.Gate || closed(p) {
				t.Errorf("pod %s has the gates %v with the conditions %v, want one that is open", p.Name, gates, p.Status.Conditions)
			}
		}
	}
}

// plain is an application of one pod in the page's namespace, without a binding.
func plain(name string) env.App {
	return env.App{Namespace: "shop", Name: name, Image: imageV1, Replicas: 1, MaxSurge: "0", MaxUnavailable: "1"}
}

func (w *world) deployPlain(a env.App) {
	w.t.Helper()
	w.must(a.ApplyWiring(w.ctx, w.cluster))
	w.must(a.ApplyDeployment(w.ctx, w.cluster))
	w.must(w.cluster.WaitDeployment(w.ctx, a.Namespace, a.Name))
}

// removePlain takes applications of one namespace away: all Deployments go before any of them is waited for.
func (w *world) removePlain(all ...env.App) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), cleanupTimeout)
	defer cancel()
	var errs []error
	for _, a := range all {
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}}
		for _, o := range []client.Object{w.ownBinding(a.Namespace, a.Name), deployment} {
			errs = append(errs, client.IgnoreNotFound(w.cluster.Delete(ctx, o, client.PropagationPolicy(metav1.DeletePropagationBackground))))
		}
	}
	if err := errors.Join(append(errs, all[0].Delete(ctx, w.cluster))...); err != nil {
		w.t.Errorf("clean up: %v", err)
	}
}

// follow applies the manifests of a page and types its commands, in their order, once podgate serves the manifests'
// bindings.
func (w *world) follow(page string) {
	w.t.Helper()
	text, err := os.ReadFile(page)
	w.must(err)
	for _, block := range pageBlock.FindAllStringSubmatch(string(text), -1) {
		if block[1] == "yaml" {
			cmd := exec.CommandContext(w.ctx, "kubectl", "apply", "-f", "-")
			cmd.Stdin = strings.NewReader(block[2])
			out, err := cmd.CombinedOutput()
			if err != nil {
				w.t.Fatalf("apply a manifest of %s: %v\n%s\n%s", page, err, out, block[2])
			}
			continue
		}

		w.kubectl("-n", "shop", "wait", "--for=condition=Ready", "targetbindings", "--all", "--timeout=1m")
		for _, line := range strings.Split(strings.TrimSpace(block[2]), "\n") {
			command, typed := strings.CutPrefix(line, "$ ")
			if !typed {
				w.t.Fatalf("%s: %q is no command", page, line)
			}
			out, err := exec.CommandContext(w.ctx, "bash", "-c", command).CombinedOutput()
			w.t.Logf("$ %s\n%s", command, out)
			w.must(err)
		}
	}
}

// registerFor registers an application's pods in a group as another controller would, once they have their addresses and gates.
func (w *world) registerFor(a env.App, group string) {
	w.t.Helper()
	w.eventually("pods with gates to register", func(ctx context.Context) (bool, error) {
		var targets []types.Target
		for _, p := range w.podsOf(a) {
			if len(p.Spec.ReadinessGates) > 0 && p.Status.PodIP != "" {
				targets = append(targets, types.Target{Id: new(p.Status.PodIP), Port: new(int32(8080))})
			}
		}
		if len(targets) < a.Replicas {
			return false, nil
		}
		_, err := w.sim.Lattice().RegisterTargets(ctx, &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: &group, Targets: targets})
		return err == nil, err
	})
}

// podsOf are an application's pods.
func (w *world) podsOf(a env.App) []corev1.Pod {
	w.t.Helper()
	var pods corev1.PodList
	w.must(w.cluster.List(w.ctx, &pods, client.InNamespace(a.Namespace), client.MatchingLabels{"app.kubernetes.io/name": a.Name}))
	return pods.Items
}
