// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/check/expr"
	"github.com/podgate/podgate/internal/injection"
)

// checkGates are the ReadinessGates at which new pods of a workload wait. missing are those that the template names and that
// are not there.
func checkGates(pod injection.Pod, all []v1alpha1.ReadinessGate) (gates []*v1alpha1.ReadinessGate, missing []string) {
	for i := range all {
		g := &all[i]
		if g.Spec.DryRun || !g.DeletionTimestamp.IsZero() {
			continue
		}
		if slices.Contains(pod.Gates, v1alpha1.CheckPrefix+g.Name) || !pod.OptedOut() && selects(g, pod.Labels) {
			gates = append(gates, g)
		}
	}

	for _, named := range pod.Gates {
		name, ofChecks := strings.CutPrefix(named, v1alpha1.CheckPrefix)
		if ofChecks && !slices.ContainsFunc(all, func(g v1alpha1.ReadinessGate) bool { return g.Name == name }) {
			missing = append(missing, name)
		}
	}

	slices.SortFunc(gates, func(a, b *v1alpha1.ReadinessGate) int { return cmp.Compare(a.Name, b.Name) })
	return gates, missing
}

// selects reports whether the selector of a ReadinessGate is for pods with labels.
func selects(g *v1alpha1.ReadinessGate, of map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(g.Spec.Selector)
	return err == nil && selector.Matches(labels.Set(of))
}

// checked tells of the ReadinessGates at which a workload's pods wait.
func (f *flight) checked(ctx context.Context, w workload, gates []*v1alpha1.ReadinessGate, missing []string) error {
	for _, name := range missing {
		f.find(SeverityError, CheckGateMissing, w, fmt.Sprintf("The pod template names the gate %s, and there is no ReadinessGate %q: nothing is asked about its pods, and each waits until podgate releases it, 5 minutes after its containers became ready (--orphan-grace).", v1alpha1.CheckPrefix+name, name),
			"create the ReadinessGate, or remove the gate from the template")
	}

	for _, g := range gates {
		if err := f.readinessGate(ctx, g); err != nil {
			return err
		}
		f.laterGate(w, g)
		f.patience(w, g)
		if err := f.sidecar(ctx, w, g); err != nil {
			return err
		}
	}

	if len(gates) > 0 {
		return f.evictable(ctx, w)
	}
	return nil
}

// laterGate tells of a ReadinessGate that is applied after the pods that it is to hold.
func (f *flight) laterGate(w workload, g *v1alpha1.ReadinessGate) {
	named := slices.ContainsFunc(w.template.Spec.ReadinessGates, func(r corev1.PodReadinessGate) bool { return string(r.ConditionType) == v1alpha1.CheckPrefix+g.Name })
	if w.place > 0 && !named && f.reader.placeOf(g) > w.place && f.reader.isNew(g) {
		f.find(SeverityError, CheckBindingAfter, w, fmt.Sprintf("ReadinessGate %q comes after the workload in the files and is not in the cluster yet: pods that are created first get no gate.", g.Name), "apply the ReadinessGate before the workload")
	}
}

// patience tells of a rollout that is given up while its pods may wait for their checks.
func (f *flight) patience(w workload, g *v1alpha1.ReadinessGate) {
	timeout := g.Spec.Gate.TimeoutSeconds
	if w.deadlineSeconds == 0 || timeout < w.deadlineSeconds {
		return
	}
	f.find(SeverityWarning, CheckDeadline, w, fmt.Sprintf("progressDeadlineSeconds is %d, and its pods may wait %d s at the gate of ReadinessGate %q: the rollout counts as failed before it.", w.deadlineSeconds, timeout, g.Name),
		fmt.Sprintf("set progressDeadlineSeconds to more than %d, plus the time that the containers need to become ready, or timeoutSeconds of the gate to less", timeout))
}

// The marks of a pod whose every port is answered by a proxy of Istio.
const (
	sidecarContainer = "istio-proxy"
	sidecarLabel     = "sidecar.istio.io/inject"
	injectionLabel   = "istio-injection"
)

// sidecar tells of connections that a proxy accepts, whatever the application does.
func (f *flight) sidecar(ctx context.Context, w workload, g *v1alpha1.ReadinessGate) error {
	for _, c := range g.Spec.Checks {
		if c.TCP == nil || c.TCP.Port == nil {
			continue
		}
		proxied, err := f.proxied(ctx, w)
		if err != nil || !proxied {
			return err
		}
		f.find(SeverityWarning, CheckSidecar, w, fmt.Sprintf("Check %s of ReadinessGate %q opens a connection, which the pods' Istio sidecar accepts at every port: it passes whatever the application does.", c.Name, g.Name),
			"ask by http or grpc instead")
	}
	return nil
}

func (f *flight) proxied(ctx context.Context, w workload) (bool, error) {
	if slices.ContainsFunc(slices.Concat(w.template.Spec.Containers, w.template.Spec.InitContainers), func(c corev1.Container) bool { return c.Name == sidecarContainer }) {
		return true, nil
	}
	if asked := w.template.Labels[sidecarLabel]; asked != "" {
		return asked == "true", nil
	}

	var ns corev1.Namespace
	if err := f.reader.Get(ctx, client.ObjectKey{Name: w.namespace}, &ns); err != nil {
		return false, f.Unknown.forgive(client.IgnoreNotFound(err), "whether pods get a sidecar of Istio")
	}
	return ns.Labels[injectionLabel] == "enabled", nil
}

// evictable tells of PodDisruptionBudgets that keep pods which wait at a gate from being evicted.
func (f *flight) evictable(ctx context.Context, w workload) error {
	var all policyv1.PodDisruptionBudgetList
	if err := f.reader.List(ctx, &all, client.InNamespace(w.namespace)); err != nil {
		return f.Unknown.forgive(err, "whether a PodDisruptionBudget blocks evictions")
	}

	for i := range all.Items {
		b := &all.Items[i]
		policy, key := b.Spec.UnhealthyPodEvictionPolicy, client.ObjectKeyFromObject(b)
		if !covers(b, w) || f.evicting[key] || policy != nil && *policy == policyv1.AlwaysAllow {
			continue
		}
		f.evicting[key] = true
		f.find(SeverityWarning, CheckBudget, about(fmt.Sprintf("PodDisruptionBudget %s/%s", b.Namespace, b.Name)),
			"It lets pods that wait at a gate be evicted only while enough others are Ready: when checks fail, a node that is drained waits for them.", "set unhealthyPodEvictionPolicy to AlwaysAllow")
	}
	return nil
}

// readinessGates tells of the ReadinessGates in scope, whether or not there are pods for them.
func (f *flight) readinessGates(ctx context.Context, namespace string) error {
	var all v1alpha1.ReadinessGateList
	if err := f.reader.List(ctx, &all, client.InNamespace(namespace)); err != nil {
		return f.Unknown.forgive(err, "whether the ReadinessGates work")
	}

	for i := range all.Items {
		g := &all.Items[i]
		if f.files && !f.reader.isAdded(g) || !g.DeletionTimestamp.IsZero() {
			continue
		}
		if err := f.readinessGate(ctx, g); err != nil {
			return err
		}
		if err := f.unused(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// readinessGate tells what is wrong with one, once.
func (f *flight) readinessGate(ctx context.Context, g *v1alpha1.ReadinessGate) error {
	key := client.ObjectKeyFromObject(g)
	if f.gates[key] {
		return nil
	}
	f.gates[key] = true

	object := gateNamed(g)
	reason, message, err := f.judge(ctx, g)
	if err != nil {
		return err
	}
	if reason != "" && reason != v1alpha1.ReasonServing {
		e, _ := v1alpha1.Explain(v1alpha1.OnReadinessGate, reason)
		f.find(SeverityError, reason, object, message, e.Fix)
	}

	if i := slices.IndexFunc(g.Spec.Checks, sharedByPods); i >= 0 && g.Spec.Gate.TimeoutSeconds == 0 && !g.Spec.DryRun {
		f.find(SeverityWarning, CheckNoTimeout, object, fmt.Sprintf("Check %s answers for all pods at once, and the gate has no time-out: while it does not pass, a rollout waits and nothing reports it.", g.Spec.Checks[i].Name),
			"set gate.timeoutSeconds")
	}

	return f.floor(ctx, g, object)
}

// gateNamed is the name of a ReadinessGate.
func gateNamed(g *v1alpha1.ReadinessGate) about {
	return about(fmt.Sprintf("ReadinessGate %s/%s", g.Namespace, g.Name))
}

// judge says whether podgate can serve a gate: by what podgate said, or, where that was not about this spec, by what can be
// told from here. The reason is empty where nothing can.
func (f *flight) judge(ctx context.Context, g *v1alpha1.ReadinessGate) (reason, message string, err error) {
	if !f.files || !f.reader.isAdded(g) {
		c := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil {
			f.find(SeverityWarning, CheckNobodyReported, gateNamed(g), "podgate has not reported on this ReadinessGate.", "wait a few seconds, else look whether podgate runs and serves the namespace")
			return "", "", nil
		}
		if g.Status.ObservedGeneration == nil || *g.Status.ObservedGeneration == g.Generation {
			return c.Reason, c.Message, nil
		}
	}

	maker, known, err := f.installation.maker(ctx, f.reader, &f.Unknown)
	if err != nil {
		return "", "", err
	}
	reason, message, err = maker.Judge(ctx, g)
	if err != nil {
		return "", "", f.Unknown.forgive(err, "whether checks may ask what they ask")
	}

	// What administrators allow is no matter of the files.
	if !known && (reason == v1alpha1.ReasonNotAllowed || reason == v1alpha1.ReasonNoSuchServer) {
		f.Unknown = append(f.Unknown, fmt.Sprintf("podgate cannot tell whether an administrator allows what ReadinessGate %s asks", g.Name))
		return "", "", nil
	}
	return reason, message, nil
}

// sharedByPods reports whether a check has one answer for all pods. A person's is not meant: it may take its time.
func sharedByPods(c v1alpha1.Check) bool {
	switch {
	case c.HTTP != nil:
		// Its expression sees the pod only where a variable has each pod asked about.
		return c.HTTP.URL != "" && !variable(c.HTTP.URL) && !slices.ContainsFunc(c.HTTP.Headers, func(h v1alpha1.HTTPHeader) bool { return variable(h.Value) })
	case c.TCP != nil:
		return c.TCP.Address != ""
	case c.GRPC != nil:
		return c.GRPC.Address != ""
	case c.Prometheus != nil:
		return c.Prometheus.PodLabel != nil && *c.Prometheus.PodLabel == "" && !variable(c.Prometheus.Query) && !ofPod(c.Prometheus.Expression)
	case c.Resource != nil:
		return !variable(c.Resource.Name) && !ofPod(c.Resource.Expression)
	}
	return false
}

// variable reports whether a text of a check is another one for each pod.
func variable(text string) bool { return strings.Contains(text, "$(pod.") }

// ofPod reports whether an expression looks at the pod. What is wrong with one has a finding of its own.
func ofPod(expression string) bool {
	program, err := expr.Compile(expression, expr.Pod, expr.Value, expr.Object, expr.Objects)
	return err == nil && program.Reads(expr.Pod)
}

// floor tells of a gate that follows its checks and may never close.
func (f *flight) floor(ctx context.Context, g *v1alpha1.ReadinessGate, object about) error {
	if g.Spec.Gate.Mode != "Track" || g.Spec.DryRun {
		return nil
	}
	settings, _ := binding.ParseSettings(g.Policies()) // The API server has checked the fields.

	all, err := f.carriers(ctx, g)
	if err != nil {
		return f.Unknown.forgive(err, "whether Track may close gates")
	}
	pods := 0
	for _, w := range all {
		if w.assumed {
			return nil
		}
		pods += int(w.replicas)
	}

	switch {
	case pods == 0 || settings.Gate.TrackFloor.Allows(pods, pods):
	case pods == 1:
		f.find(SeverityWarning, CheckTrack, object, "Track closes no gate: there is one pod, and the last open gate stays open.", "run more pods, or set gate.mode to Latch")
	default:
		f.find(SeverityWarning, CheckTrack, object, fmt.Sprintf("Track closes no gate: trackFloor keeps all %d of them open.", pods), "lower gate.trackFloor, or set gate.mode to Latch")
	}
	return nil
}

// carriers are the workloads whose pods wait at a gate.
func (f *flight) carriers(ctx context.Context, g *v1alpha1.ReadinessGate) ([]workload, error) {
	all, err := workloads(ctx, f.reader, g.Namespace)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(append(all, f.customs...), func(w workload) bool {
		return w.namespace != g.Namespace || !carries(g, w.template.Labels, w.template.Spec.ReadinessGates)
	}), nil
}

// carries reports whether pods with labels and gates are for a ReadinessGate.
func carries(g *v1alpha1.ReadinessGate, of map[string]string, gates []corev1.PodReadinessGate) bool {
	return selects(g, of) || slices.ContainsFunc(gates, func(r corev1.PodReadinessGate) bool { return string(r.ConditionType) == v1alpha1.CheckPrefix+g.Name })
}

// unused tells of a gate that is for no pod.
func (f *flight) unused(ctx context.Context, g *v1alpha1.ReadinessGate) error {
	all, err := f.carriers(ctx, g)
	if err != nil || len(all) > 0 {
		return f.Unknown.forgive(err, "whether a ReadinessGate is for any pod")
	}
	pods, err := runningPods(ctx, f.reader, g.Namespace, labels.Everything())
	if err != nil || slices.ContainsFunc(pods, func(p corev1.Pod) bool { return carries(g, p.Labels, p.Spec.ReadinessGates) }) {
		return f.Unknown.forgive(err, "whether a ReadinessGate is for any pod")
	}

	message, next := "Its selector matches no workload and no pod of the namespace: it holds no pod back.", "correct the selector, or delete the ReadinessGate"
	if g.Spec.Selector == nil {
		message = "It has no selector, and no pod template of the namespace names its gate: it holds no pod back."
		next = "add a selector, or name " + v1alpha1.CheckPrefix + g.Name + " under readinessGates of the pod template"
	}
	f.find(SeverityWarning, CheckGateUnused, gateNamed(g), message, next)
	return nil
}
