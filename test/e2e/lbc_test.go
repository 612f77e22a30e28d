// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/sim/lbc"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// lbcKey is by whom the stand-in for AWS Load Balancer Controller calls AWS.
const lbcKey = "AKIAEXAMPLEEXAMPLE77"

// Names of the two gates of a pod beside that controller.
const (
	lbcGate = "target-health.elbv2.k8s.aws/web"
	ownGate = "targets.podgate.dev/web"
)

// besideRate is the load of each of the two updates, which run at the same time, in
// requests per second.
const besideRate = 50

// beside is an application whose TargetGroupBinding AWS Load Balancer Controller has, with
// a TargetBinding of podgate's of the same group that only observes.
type beside struct{ *service }

// TestBesideLBC runs podgate beside a stand-in for AWS Load Balancer Controller that is no
// kinder than that controller is. It registers and deregisters, podgate only observes and
// gates. Time is scaled, but for what that controller itself waits.
func TestBesideLBC(t *testing.T) {
	o := scaled()
	o.podgate = []string{"--target-group-bindings=none"}
	w := start(t, o)
	controller, err := lbc.Start(w.ctx, lbc.Options{Config: w.cluster.Config, Endpoint: w.sim.Endpoint, Region: region, AccessKeyID: lbcKey})
	w.must(err)
	t.Cleanup(func() {
		if err := controller.Stop(); err != nil {
			t.Error(err)
		}
	})

	t.Run("all", func(t *testing.T) { // ends before what it needs is taken away
		for _, b := range []struct {
			name string
			test func(*world)
		}{
			{"ItsGate", itsGate},
			{"Nudge", nudge},
			{"NoGate", noGate},
			{"NobodyWakes", nobodyWakes},
		} {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				b.test(w.in(t))
			})
		}
	})
}

// itsGate is a rolling update of pods that have that controller's gate, as its own
// webhook adds it, and therefore podgate's.
func itsGate(w *world) {
	app := quick()
	app.Gates = []string{lbcGate}
	b := w.beside(app, "")
	b.gated(lbcGate, ownGate)
	b.rollout(2)
	if at := b.touched(); at != "" {
		w.t.Errorf("podgate nudged at %s without being asked to", at)
	}
}

// nudge is a rolling update of pods that have podgate's gate alone: it is podgate's nudge
// that has that controller register them.
func nudge(w *world) {
	b := w.beside(slow(), "Nudge")
	b.gated(ownGate)
	b.rollout(1)
	if b.touched() == "" {
		w.t.Error("podgate never nudged: something else has woken that controller")
	}
}

// noGate creates pods that have neither gate nor nudge: they get no gate of podgate's, and
// the binding and an event on the pod say why.
func noGate(w *world) {
	b := w.beside(quick(), "")
	b.gated()
	b.apply()
	b.waitComplete()
	b.waitSaid("NoGateOfLBC", "False")
	b.waitTold(b.app.Namespace, "that a pod has no gate, and why", func(e corev1.Event) bool {
		return e.InvolvedObject.Kind == "Pod" && e.Reason == "NoGate" && strings.Contains(e.Message, "AWS Load Balancer Controller")
	})

	for _, p := range b.pods.Pods() {
		if p.Gates != 0 {
			w.t.Errorf("pod %s has %d gates, want none", p.Name, p.Gates)
		}
	}

	b.assertOnlyLBCWrote()
}

// nobodyWakes tells podgate that nobody has to be woken, which is wrong here: the pod
// waits unregistered, whatever podgate sees. The nudge cures that while it waits.
func nobodyWakes(w *world) {
	app := slow()
	app.Replicas = 1
	b := w.beside(app, "None")
	b.gated(ownGate)
	b.apply()
	b.eventually("the pod's containers to be ready", func(context.Context) (bool, error) {
		return slices.ContainsFunc(b.alive(), func(p env.PodHistory) bool { return !p.ContainersReady.IsZero() }), nil
	})

	time.Sleep(20 * time.Second) // longer than that controller takes to look again by itself, if it did
	if calls := b.calls("RegisterTargets", lbcKey); len(calls) > 0 {
		w.t.Fatalf("the stand-in registered at %s without having been woken: it is kinder than it should be", calls[0].Time.Format(clock))
	}

	b.set("Nudge")
	b.waitComplete()
	b.assertGatedWell()
	b.assertOnlyLBCWrote()
}

// slow is an application whose pods are ready some seconds after they have their address,
// so that the EndpointSlice has changed by then and does not change again.
func slow() env.App {
	app := quick()
	app.Env, app.ReadinessPath = map[string]string{"START_DELAY": "3"}, "/healthz"
	return app
}

// beside wires an application with bindings of both controllers; wake is what podgate's says.
func (w *world) beside(a env.App, wake string) *beside {
	w.t.Helper()
	name := "e2e-lbc-" + strings.ToLower(w.t.Name()[strings.LastIndex(w.t.Name(), "/")+1:])
	o := targetGroup()
	a.Namespace, o.Name = name+"-"+strconv.FormatInt(time.Now().Unix(), 36), name
	b := &beside{&service{world: w, app: a, group: o}}
	var err error
	b.lb, err = w.sim.CreateLoadBalancer(w.ctx, o)
	w.must(err)
	b.app.TargetGroupARN = b.lb.TargetGroupARN
	w.t.Cleanup(b.remove)
	w.must(b.app.ApplyWiring(w.ctx, w.cluster))
	b.set(wake)
	w.t.Cleanup(b.unbind)
	b.pods, err = env.WatchPods(w.ctx, w.cluster, b.app.Namespace)
	w.must(err)
	w.t.Cleanup(b.pods.Stop)
	b.gates = b.watchGates()
	w.t.Cleanup(b.gates.stop)
	w.t.Cleanup(b.explainFailure)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			u, err := b.own(context.WithoutCancel(w.ctx))
			w.t.Logf("TargetBinding: %v %v", u.Object["status"], err)
		}
	})

	b.eventually("the stand-in to hold its binding", func(ctx context.Context) (bool, error) {
		u, err := b.bindingObject(ctx)
		return err == nil && slices.Equal(u.GetFinalizers(), []string{"elbv2.k8s.aws/resources"}), err
	})

	b.eventually("podgate to observe the group", func(ctx context.Context) (bool, error) {
		u, err := b.own(ctx)
		return err == nil && said(u, "Ready", "status") == "True" && said(u, "Managed", "reason") == "External", err
	})

	return b
}

// set applies podgate's binding.
func (b *beside) set(wake string) {
	b.t.Helper()
	spec := map[string]any{
		"membership": "External",
		"serviceRef": map[string]any{"name": b.app.Name, "port": int64(80)},
		"elbv2":      map[string]any{"targetGroupARN": b.lb.TargetGroupARN},
	}
	if wake != "" {
		spec["wake"] = wake
	}

	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(targetBinding)
	u.SetNamespace(b.app.Namespace)
	u.SetName(b.app.Name)
	b.must(b.cluster.ApplyObjects(b.ctx, u))
}

var targetBinding = schema.GroupVersionKind{Group: "podgate.dev", Version: "v1alpha1", Kind: "TargetBinding"}

// own is podgate's binding as it stands.
func (b *beside) own(ctx context.Context) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(targetBinding)
	return u, b.cluster.Get(ctx, client.ObjectKey{Namespace: b.app.Namespace, Name: b.app.Name}, u)
}

// unbind deletes podgate's binding while podgate can let go of it.
func (b *beside) unbind() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), cleanupTimeout)
	defer cancel()
	u, err := b.own(ctx)
	if err == nil {
		err = b.cluster.Delete(ctx, u)
	}
	if client.IgnoreNotFound(err) != nil {
		b.t.Errorf("clean up: %v", err)
	}
}

// said is a field of a condition of an object.
func said(u *unstructured.Unstructured, kind, field string) string {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if fields, _ := c.(map[string]any); fields["type"] == kind {
			return fmt.Sprint(fields[field])
		}
	}
	return ""
}

// waitSaid waits until podgate's binding has a reason and status of its condition Ready.
func (b *beside) waitSaid(reason, status string) {
	b.t.Helper()
	b.eventually("the TargetBinding to say "+reason, func(ctx context.Context) (bool, error) {
		u, err := b.own(ctx)
		return err == nil && said(u, "Ready", "reason") == reason && said(u, "Ready", "status") == status, err
	})
}

// gated waits until pods that are created (as a trial) have just these gates: 20 in a row,
// as two replicas of the webhook answer.
func (b *beside) gated(want ...string) {
	b.t.Helper()
	inRow := 0
	b.eventually(fmt.Sprintf("pods to get the gates %v", want), func(ctx context.Context) (bool, error) {
		for ; inRow < 20; inRow++ {
			pod := &corev1.Pod{}
			pod.Namespace, pod.GenerateName = b.app.Namespace, "trial-"
			pod.Labels = map[string]string{"app.kubernetes.io/name": b.app.Name}
			pod.Spec.Containers = []corev1.Container{{Name: "app", Image: imageV1}}
			for _, g := range b.app.Gates {
				pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(g)})
			}

			if err := b.cluster.Create(ctx, pod, client.DryRunAll); err != nil {
				inRow = 0
				if apierrors.IsForbidden(err) {
					err = nil // the service account of a new namespace may be missing
				}
				return false, err
			}

			var got []string
			for _, g := range pod.Spec.ReadinessGates {
				got = append(got, string(g.ConditionType))
			}

			if !cmp.Equal(got, want) {
				inRow = 0
				return false, nil
			}
		}

		return true, nil
	})
}

// rollout deploys the application and updates it under load. Each pod has so many gates
// beside podgate's own that opened when its target was healthy, and not before.
func (b *beside) rollout(gates int) {
	b.t.Helper()
	b.apply()
	b.waitComplete()
	sum := b.loaded(besideRate, func(*load.Generator) { b.update() })
	b.assertNoneLost(sum)

	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		b.t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}

	for _, p := range b.pods.Pods() {
		if p.Gates != gates {
			b.t.Errorf("pod %s has %d gates, want %d", p.Name, p.Gates, gates)
		}
	}

	b.assertGatedWell()
	b.assertOnlyLBCWrote()
	b.logLatencies()
}

// assertGatedWell asserts that each pod that became Ready did so by its gates, and that no
// gate opened before its target was healthy.
func (b *beside) assertGatedWell() {
	b.t.Helper()
	for _, p := range b.alive() {
		if p.GatesOpen.IsZero() || p.Ready.IsZero() {
			b.t.Errorf("the gates of pod %s never opened", p.Name)
		}
	}
	b.assertNoneOpenedEarly()
	b.assertOnlyLeaversDeregistered()
}

// calls are those of an operation about the group that were made with an access key.
func (b *beside) calls(operation, key string) []awssim.Call {
	b.t.Helper()
	all, err := b.sim.Calls(b.ctx, 0)
	b.must(err)
	return slices.DeleteFunc(all, func(c awssim.Call) bool {
		return c.Operation != operation || c.AccessKeyID != key || c.TargetGroupARN != b.lb.TargetGroupARN
	})
}

// assertOnlyLBCWrote asserts that podgate has read the group and changed nothing in it, nor
// anything of that controller's binding but the nudge.
func (b *beside) assertOnlyLBCWrote() {
	b.t.Helper()
	for _, operation := range []string{"RegisterTargets", "DeregisterTargets"} {
		for _, c := range b.calls(operation, env.AccessKeyID) {
			b.t.Errorf("podgate called %s of %v at %s, in a group that is not its own", operation, c.Targets, c.Time.Format(clock))
		}
	}

	accepted := slices.DeleteFunc(b.calls("RegisterTargets", lbcKey), func(c awssim.Call) bool { return c.HTTPStatus != http.StatusOK })
	if len(accepted) == 0 || len(b.calls("DescribeTargetHealth", env.AccessKeyID)) == 0 {
		b.t.Error("the stand-in registered nothing, or podgate read nothing: nothing is shown")
	}

	u, err := b.bindingObject(b.ctx)
	b.must(err)

	if got := u.GetFinalizers(); !slices.Equal(got, []string{"elbv2.k8s.aws/resources"}) {
		b.t.Errorf("finalizers of the TargetGroupBinding: %v, want that of its own controller alone", got)
	}

	annotations := slices.DeleteFunc(slices.Sorted(maps.Keys(u.GetAnnotations())), func(a string) bool { return strings.HasPrefix(a, "elbv2.k8s.aws/") })
	if len(annotations) > 0 && !slices.Equal(annotations, []string{"podgate.dev/nudge"}) {
		b.t.Errorf("podgate wrote %v on a binding that is not its own", annotations)
	}

	for _, f := range u.GetManagedFields() {
		if strings.HasPrefix(f.Manager, "podgate") && f.Manager != "podgate-test" && (f.Subresource != "" || !strings.Contains(f.FieldsV1.GetRawString(), "podgate.dev/nudge")) {
			b.t.Errorf("podgate wrote %s %s of a binding that is not its own", f.Subresource, f.FieldsV1.GetRawString())
		}
	}
}

// touched is when podgate last nudged, empty when it never did.
func (b *beside) touched() string {
	b.t.Helper()
	u, err := b.bindingObject(b.ctx)
	b.must(err)
	return u.GetAnnotations()["podgate.dev/nudge"]
}
