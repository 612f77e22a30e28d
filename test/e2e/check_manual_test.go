// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
)

// waitsForPeople has two pods wait for approvals of their revision, of each pod and of all, which kubectl's plugin gives. Then
// come a pod in the place of another, a new revision, and a ReadinessGate in the place of another.
func waitsForPeople(w *world) {
	l := w.lab()
	gates := []corev1.PodConditionType{
		l.gate("revision", "manual: {}", ""), l.gate("pod", "manual: {scope: Pod}", ""), l.gate("all", "manual: {scope: Gate}", ""),
	}
	meta, selector, template := ofOnePod(l.namespace, "web", gates)
	two := int32(2)
	l.create(&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &two, Selector: selector, Template: template}})

	pods := l.podsOf("web", 2)
	first, other := pods[0], pods[1]
	approved, waits := verdict{open: true, reason: v1alpha1.ReasonApproved}, verdict{reason: v1alpha1.ReasonCheckNotApproved, word: "not approved"}
	says := map[gateOf]verdict{}
	expect := func(pod corev1.Pod, revision, one, all verdict) {
		says[gateOf{pod.Name, "revision"}], says[gateOf{pod.Name, "pod"}], says[gateOf{pod.Name, "all"}] = revision, one, all
	}
	expect(first, waits, waits, waits)
	expect(other, waits, waits, waits)
	l.waitSaid(says)

	l.approve("revision", "--revision", first.Labels[appsv1.DefaultDeploymentUniqueLabelKey])
	l.approve("pod", "--pod", first.Name)
	l.approve("all")
	expect(first, approved, approved, approved)
	expect(other, approved, waits, approved)
	l.waitSaid(says)

	// A pod of the same revision that comes in its place has its revision's approval, and not the other pod's.
	l.must(l.cluster.Delete(l.ctx, &first))
	third := l.another("web", 2, first.UID, other.UID)
	forget(says, first)
	expect(third, approved, waits, approved)
	l.waitSaid(says)

	l.must(l.cluster.Patch(l.ctx, &appsv1.Deployment{ObjectMeta: meta}, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"template":{"metadata":{"annotations":{"version":"2"}}}}}`))))
	newer := l.another("web", 3, other.UID, third.UID)
	expect(newer, waits, waits, approved)
	l.waitSaid(says)

	// With the ReadinessGate its approvals go, and what is open stays so.
	l.must(l.cluster.Delete(l.ctx, l.readinessGate("all")))
	l.gate("all", "manual: {scope: Gate}", "")
	l.must(l.cluster.Delete(l.ctx, &newer))
	newest := l.another("web", 3, other.UID, third.UID, newer.UID)
	forget(says, newer)
	expect(newest, waits, waits, waits)
	l.waitSaid(says)

	l.approve("pod", "--all")
	expect(other, approved, approved, approved)
	expect(third, approved, approved, approved)
	expect(newest, waits, approved, waits)
	l.waitSaid(says)
}

// approve approves at a ReadinessGate, by the plugin of kubectl.
func (l *lab) approve(gate string, flags ...string) {
	l.t.Helper()
	folder := l.t.TempDir()
	program, err := filepath.Abs(podgateBinary)
	l.must(err)
	l.must(os.Symlink(program, filepath.Join(folder, "kubectl-podgate")))

	command := exec.CommandContext(l.ctx, "kubectl", append([]string{"podgate", "approve", "-n", l.namespace, gate, "--reason", "it looks good"}, flags...)...)
	command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
	out, err := command.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "Approved at ReadinessGate "+l.namespace+"/"+gate) {
		l.t.Fatalf("%q: %v\n%s", command.Args, err, out)
	}
}

// another waits for a workload to have so many pods, and returns the one that is none of those that were there.
func (l *lab) another(app string, n int, known ...types.UID) corev1.Pod {
	l.t.Helper()
	pods := l.podsOf(app, n)
	i := slices.IndexFunc(pods, func(p corev1.Pod) bool { return !slices.Contains(known, p.UID) })
	if i < 0 {
		l.t.Fatalf("there is no new pod of %s", app)
	}
	return pods[i]
}

// forget leaves out what a pod says that is gone.
func forget(says map[gateOf]verdict, gone corev1.Pod) {
	for of := range says {
		if of.pod == gone.Name {
			delete(says, of)
		}
	}
}
