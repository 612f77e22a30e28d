// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/api/v1alpha1"
)

// lab is a namespace with pods that carry the gates of its ReadinessGates by hand: neither a load balancer nor the webhook
// has to do with them. Each ReadinessGate has one check of the name asked.
type lab struct {
	*world
	namespace string
}

// labLabel is what an administrator knows a lab's namespace by.
const labLabel = "e2e.podgate.dev/lab"

// lab makes a namespace that is named after the test.
func (w *world) lab() *lab {
	w.t.Helper()
	name := w.t.Name()[strings.LastIndex(w.t.Name(), "/")+1:]
	l := &lab{world: w, namespace: "e2e-lab-" + strings.ToLower(name) + "-" + strconv.FormatInt(time.Now().Unix(), 36)}
	w.t.Cleanup(l.remove)
	w.t.Cleanup(l.explainFailure)
	w.must(w.cluster.Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.namespace, Labels: map[string]string{labLabel: "true"}}}))
	return l
}

// remove takes the namespace away, and does not wait for its end.
func (l *lab) remove() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), cleanupTimeout)
	defer cancel()
	if err := l.cluster.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.namespace}}); client.IgnoreNotFound(err) != nil {
		l.t.Errorf("clean up: %v", err)
	}
}

// delayed deletes an object at the end of the test that goes with no namespace.
func (w *world) delayed(o client.Object) {
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), cleanupTimeout)
		defer cancel()
		if err := w.cluster.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
			w.t.Errorf("clean up: %v", err)
		}
	})
}

// explainFailure logs, after a failed test, what is known of the namespace.
func (l *lab) explainFailure() {
	if !l.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), explainTimeout)
	defer cancel()
	l.tell("pods", l.table(ctx, l.namespace, "pods"))
	l.tell("events", l.events(ctx, l.namespace))
	gates, err := l.said(ctx)
	for of, c := range gates {
		l.t.Logf("gate %s of pod %s since %s: %s, %s, %s", of.gate, of.pod, c.LastTransitionTime.Format(clock), c.Status, c.Reason, c.Message)
	}
	if err != nil {
		l.t.Log(err)
	}
}

// gate makes a ReadinessGate with one check, and returns the condition type of its gate. The check is YAML of one line, and
// so is what else the spec says.
func (l *lab) gate(name, check, rest string) corev1.PodConditionType {
	l.t.Helper()
	g := l.readinessGate(name)
	spec := "{spec: {checks: [{name: asked, " + check + "}]" + rest + "}}"
	if err := yaml.Unmarshal([]byte(spec), &g.Object); err != nil {
		l.t.Fatalf("read %s: %v", spec, err)
	}
	l.must(l.cluster.Create(l.ctx, g))
	return corev1.PodConditionType(v1alpha1.CheckPrefix + name)
}

// readinessGate is one of the namespace, without a spec.
func (l *lab) readinessGate(name string) *unstructured.Unstructured {
	g := &unstructured.Unstructured{Object: map[string]any{}}
	g.SetAPIVersion(v1alpha1.GroupVersion.String())
	g.SetKind("ReadinessGate")
	g.SetNamespace(l.namespace)
	g.SetName(name)
	return g
}

// appSpec is that of a pod of the application, which has the port http.
func appSpec(gates []corev1.PodConditionType) corev1.PodSpec {
	spec := corev1.PodSpec{Containers: []corev1.Container{{
		Name: "app", Image: imageV1, ImagePullPolicy: corev1.PullIfNotPresent, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
	}}}
	for _, gate := range gates {
		spec.ReadinessGates = append(spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: gate})
	}
	return spec
}

// pod is a pod of the application that has no owner.
func (l *lab) pod(name string, gates ...corev1.PodConditionType) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: name, Labels: map[string]string{"app": name}}, Spec: appSpec(gates)}
}

// replicaSet is one with one pod of the application, whose name never returns.
func replicaSet(namespace, name string, gates ...corev1.PodConditionType) *appsv1.ReplicaSet {
	meta, selector, template := ofOnePod(namespace, name, gates)
	return &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}}
}

// statefulSet is one with one pod of the application, whose name returns.
func statefulSet(namespace, name string, gates ...corev1.PodConditionType) *appsv1.StatefulSet {
	meta, selector, template := ofOnePod(namespace, name, gates)
	return &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}}
}

func ofOnePod(namespace, name string, gates []corev1.PodConditionType) (metav1.ObjectMeta, *metav1.LabelSelector, corev1.PodTemplateSpec) {
	labels := map[string]string{"app": name}
	return metav1.ObjectMeta{Namespace: namespace, Name: name}, &metav1.LabelSelector{MatchLabels: labels},
		corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: appSpec(gates)}
}

// create creates an object as soon as the namespace has its service account, and the API server knows the kind.
func (l *lab) create(o client.Object) {
	l.t.Helper()
	l.eventually("the API server to take "+o.GetName(), func(ctx context.Context) (bool, error) {
		err := l.cluster.Create(ctx, o)
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// gateOf is a pod's gate of a ReadinessGate.
type gateOf struct{ pod, gate string }

// verdict is what a gate's condition says; an empty reason is that of passed checks, and an empty word is not compared.
type verdict struct {
	open   bool
	reason string
	// word is what the check said.
	word string
}

// What the check of a gate may have said.
func passes() verdict              { return verdict{open: true} }
func fails(word string) verdict    { return verdict{reason: v1alpha1.ReasonCheckFailed, word: word} }
func noAnswer(word string) verdict { return verdict{reason: v1alpha1.ReasonCheckNoAnswer, word: word} }
func notAllowed(word string) verdict {
	return verdict{reason: v1alpha1.ReasonCheckNotAllowed, word: word}
}

// is reports whether a condition says it.
func (v verdict) is(c corev1.PodCondition) bool {
	reason := cmp.Or(v.reason, v1alpha1.ReasonChecksPassed)
	return v.open == (c.Status == corev1.ConditionTrue) && reason == c.Reason && (v.word == "" || c.Message == "asked: "+v.word)
}

// said is what all gates of the namespace's pods say. Pods that are being deleted do not count.
func (l *lab) said(ctx context.Context) (map[gateOf]corev1.PodCondition, error) {
	var pods corev1.PodList
	if err := l.cluster.List(ctx, &pods, client.InNamespace(l.namespace)); err != nil {
		return nil, err
	}

	all := map[gateOf]corev1.PodCondition{}
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.DeletionTimestamp != nil {
			continue
		}
		for _, c := range p.Status.Conditions {
			if gate, is := strings.CutPrefix(string(c.Type), v1alpha1.CheckPrefix); is {
				all[gateOf{p.Name, gate}] = c
			}
		}
	}
	return all, nil
}

// waitSaid waits until all these gates say what they should, at the same time.
func (l *lab) waitSaid(want map[gateOf]verdict) {
	l.t.Helper()
	var wrong []string
	defer func() {
		if l.t.Failed() && len(wrong) > 0 {
			l.t.Logf("not as they should be:\n%s", strings.Join(wrong, "\n"))
		}
	}()

	l.eventually(fmt.Sprintf("%d gates to say what they should", len(want)), func(ctx context.Context) (bool, error) {
		all, err := l.said(ctx)
		if err != nil {
			return false, err
		}
		wrong = nil
		for of, v := range want {
			if c := all[of]; !v.is(c) {
				wrong = append(wrong, fmt.Sprintf("%s of pod %s: %s, %s, %q, want %+v", of.gate, of.pod, c.Status, c.Reason, c.Message, v))
			}
		}
		return len(wrong) == 0, nil
	})
}

// podOf waits for the one pod of a workload, or the pod of that name, that is not being deleted, and for its containers.
func (l *lab) podOf(app string) *corev1.Pod {
	l.t.Helper()
	return &l.podsOf(app, 1)[0]
}

// podsOf waits for a workload to have so many of them.
func (l *lab) podsOf(app string, n int) (running []corev1.Pod) {
	l.t.Helper()
	l.eventually(fmt.Sprintf("%d pods of %s with ready containers", n, app), func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		if err := l.cluster.List(ctx, &pods, client.InNamespace(l.namespace), client.MatchingLabels{"app": app}); err != nil {
			return false, err
		}
		running = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
		waits := func(p corev1.Pod) bool { return condition(&p, corev1.ContainersReady).Status != corev1.ConditionTrue }
		return len(running) == n && !slices.ContainsFunc(running, waits), nil
	})
	return running
}

// waitServes waits until the condition Ready of a ReadinessGate has a reason.
func (l *lab) waitServes(gate, reason string) {
	l.t.Helper()
	l.eventually("ReadinessGate "+gate+" to be "+reason, func(ctx context.Context) (bool, error) {
		g := l.readinessGate(gate)
		if err := l.cluster.Get(ctx, client.ObjectKeyFromObject(g), g); err != nil {
			return false, err
		}
		return said(g, v1alpha1.ConditionReady, "reason") == reason, nil
	})
}
