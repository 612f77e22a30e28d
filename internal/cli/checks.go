// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/plural"
)

// The names of findings that are no reasons of package v1alpha1.
const (
	CheckLegacyGate     = "LegacyGate"
	CheckBindingAfter   = "BindingAfterPods"
	CheckPodsUngated    = "PodsUngated"
	CheckNoProbe        = "NoReadinessProbe"
	CheckHook           = "PreStopTooShort"
	CheckGrace          = "GracePeriodTooShort"
	CheckDeadline       = "ProgressDeadlineTooShort"
	CheckBudget         = "DisruptionBudgetBlocks"
	CheckEmpties        = "RolloutEmptiesGroup"
	CheckHalted         = "RolloutHalted"
	CheckPeers          = "PeersWaitForGates"
	CheckPodgate        = "PodgateNotWorking"
	CheckNobodyReported = "BindingUnreported"
	CheckGateMissing    = "ReadinessGateMissing"
	CheckGateUnused     = "ReadinessGateUnused"
	CheckNoTimeout      = "NoTimeout"
	CheckTrack          = "TrackClosesNothing"
	CheckSidecar        = "SidecarAnswers"
)

// check checks a workload whose pods are targets, or wait for checks.
func (f *flight) check(ctx context.Context, w workload) error {
	pod := w.judged()
	candidates, err := f.reader.candidates(ctx, w.namespace, pod)
	if err != nil {
		return f.unchecked(err, "what the workloads' load balancers are")
	}

	if err := f.legacy(ctx, w, pod.Gates); err != nil {
		return err
	}

	meant, others, err := f.meantFor(ctx, w, candidates.Bindings)
	if err != nil {
		return err
	}
	for _, b := range others {
		f.find(SeverityWarning, v1alpha1.ReasonTargetPortNotFound, w, fmt.Sprintf("Its pods lack the port that %s serves, and those of another workload have it: they get no gate and no requests.", binding.Named(b.Key().Name)), "nothing, if that is meant; else name the port in the pod template")
	}

	candidates.Bindings = meant
	checks, missing := checkGates(pod, candidates.ReadinessGates)
	targets := len(candidates.Bindings) > 0
	if !targets && len(checks)+len(missing) == 0 {
		return nil
	}

	f.Workloads++
	if err := f.gated(ctx, w, pod, candidates); err != nil {
		return err
	}
	if err := f.checked(ctx, w, checks, missing); err != nil {
		return err
	}

	steps := []func(context.Context, workload) error{f.stands, f.peers, f.running, f.budgets}
	if targets {
		f.probes(w)
		steps = []func(context.Context, workload) error{f.empties, f.stands, f.peers, f.bindings, f.running, f.budgets}
	}
	f.halted(w)
	for _, check := range steps {
		if err := check(ctx, w); err != nil {
			return err
		}
	}

	// Nobody sends requests for a while to a pod that ends, unless a load balancer does.
	if !targets {
		return nil
	}
	return f.drains(ctx, w, pod, candidates)
}

// legacy tells of gates of the ALB ingress controller v1 that nobody will set.
func (f *flight) legacy(ctx context.Context, w workload, of []string) error {
	for _, g := range of {
		if !strings.HasPrefix(g, elbv2.LegacyGatePrefix) {
			continue
		}

		sources, ours, err := f.reader.sources(ctx, w.pod(), g)
		if err != nil {
			return f.Unknown.forgive(err, "what the gates of the ALB ingress controller v1 wait for")
		}

		why := ""
		switch waits := func(s gates.Source) bool { return s.Claim != gate.Unclaimed }; {
		case !ours:
			why = "nobody sets it for bindings that podgate does not serve"
		case !slices.ContainsFunc(sources, waits):
			why = "nothing feeds it, so new pods wait until it is released. " + cmp.Or(sources[0].Trouble, "The binding's Service does not select these pods.")
		default:
			continue
		}
		f.find(SeverityWarning, CheckLegacyGate, w, "The pod template has the gate "+g+" of the ALB ingress controller v1: "+strings.TrimSuffix(why, ".")+". Where new pods get a gate of a binding it is removed.", "correct it in the template, or remove it")
	}

	return nil
}

// uncoveredAdvice is what to do before a rollout whose pods the webhook would not be asked about.
var uncoveredAdvice = map[string]string{
	v1alpha1.ReasonLabelMissing:         "label the namespace before the rollout",
	v1alpha1.ReasonNotSelectedByWebhook: "give the pod template the labels that the webhook's selectors want, or correct those, before the rollout",
	v1alpha1.ReasonEntrySwitchedOff:     "set WEBHOOK_ENABLED to \"true\" before the rollout (kubectl -n podgate-system set env deployment/podgate WEBHOOK_ENABLED=true; in the chart, webhookEnabled)",
	v1alpha1.ReasonWebhookMissing:       "install podgate before the rollout",
}

// gated tells why new pods of the workload would get no gate.
func (f *flight) gated(ctx context.Context, w workload, pod injection.Pod, candidates injection.Candidates) error {
	if pod.OptedOut() {
		return nil
	}

	// A pod that is made now is younger than all that is there.
	pod.Created = f.now.Add(time.Hour)
	why := injection.Explain(pod, candidates)
	if why.Empty() && len(candidates.Bindings) == 0 {
		return nil // The template names its gates itself, and needs nobody to ask for them.
	}
	if why.Reason != "" && (len(why.Missing) == 0 || why.Reason == v1alpha1.ReasonGatesStated) {
		next := strings.Replace(beforeRollout(why.Reason), "the missing gate", joined(why.Missing...), 1)
		f.find(SeverityWarning, why.Reason, w, "New pods get no gate: "+why.Why(), next)
		return nil
	}

	unasked, covered, err := f.installation.unasked(ctx, f.reader, w.namespace, pod.Labels, why.Missing, &f.Unknown)
	if err != nil || covered {
		return err
	}

	none := "New pods get no gate"
	if len(unasked) < len(why.Missing) {
		none += " " + strings.Join(unasked, ", ")
	}

	reason, message := f.installation.uncovered(ctx, f.reader, w.namespace, pod.Labels, unasked)
	next := w.making().Say(uncoveredAdvice[reason])
	f.find(SeverityError, reason, w, none+": "+message, f.installation.withCommands(ctx, f.reader, next, w.namespace, unasked))
	return nil
}

// beforeRollout is what to do so that new pods get a gate: the rollout restarts them anyway.
func beforeRollout(reason string) string {
	return strings.ReplaceAll(noGate(reason, "").Next, ", and "+v1alpha1.RestartPods, "")
}

// probes tells of a workload whose pods nobody asks whether they are ready.
func (f *flight) probes(w workload) {
	// Those of init containers that have ended count for nothing, and may not be stated.
	if slices.ContainsFunc(slices.Concat(w.template.Spec.Containers, w.template.Spec.InitContainers), func(c corev1.Container) bool { return c.ReadinessProbe != nil }) {
		return
	}
	f.find(SeverityWarning, CheckNoProbe, w, "No container has a readiness probe: a pod counts as ready when its process has started, is registered before it listens, and stays in the group when it cannot serve.", "give the container that serves a readinessProbe")
}

// empties tells of a rollout that takes all pods away at once.
func (f *flight) empties(ctx context.Context, w workload) error {
	if w.atOnce == 0 || w.replicas == 0 || w.atOnce < w.replicas || w.partition >= w.replicas {
		return nil
	}

	if w.assumed {
		f.find(SeverityWarning, CheckEmpties, w, "The manifest leaves replicas out, nothing in the files or the cluster says how many there are, and the API server makes it 1: a rollout then takes the only pod away, which empties the group unless other workloads serve in it.",
			"if something else sets replicas, nothing; else set replicas to more than one")
		return nil
	}

	next := ""
	switch {
	case w.kind == "Deployment":
		next = "set strategy.type to RollingUpdate, with maxUnavailable 0 and maxSurge 1"
		if w.claims() || w.onNode() {
			next += ", if its volumes and the ports of its nodes let new pods run beside the old ones; else have another workload serve meanwhile"
		}
	case w.kind == "DaemonSet" && !w.onNode():
		next = "set updateStrategy.rollingUpdate to maxUnavailable 0 and maxSurge 1"
	case w.replicas > 1:
		next = "let updateStrategy.rollingUpdate.maxUnavailable be less than all"
	case w.kind == "DaemonSet":
		next = "let it run on more than one node"
	default:
		var err error
		if next, err = f.more(ctx, w); err != nil {
			return err
		}
	}

	f.find(SeverityError, CheckEmpties, w, fmt.Sprintf("A rollout may take away %d of %s before another is ready, which empties the group unless other workloads serve in it.", w.atOnce, plural.Count(w.replicas, "pod")), next)
	return nil
}

// halted tells what keeps a rollout from replacing all pods.
func (f *flight) halted(w workload) {
	if w.stuck != "" {
		f.find(SeverityWarning, CheckHalted, w, "A rollout is under way that does not go on by itself: "+w.stuck+".", w.unstick)
	}
	if w.paused && w.stuck == "" {
		next := fmt.Sprintf("kubectl rollout resume -n %s deployment/%s, when changes are to be rolled out", w.namespace, w.name)
		if w.custom {
			next = "set " + w.pausedBy + " to false, when changes are to be rolled out"
		}
		f.find(SeverityWarning, CheckHalted, w, "It is paused: a change of its pod template replaces no pods, which keep the gates and hooks that they have.", next)
	}
	if w.onDelete {
		f.find(SeverityWarning, CheckHalted, w, "Its update strategy is OnDelete: a rollout replaces no pods until somebody deletes them, and they keep the gates and hooks that they have.", "delete its pods one after the other, when changes are to be rolled out")
	}
	if w.partition > 0 {
		f.find(SeverityWarning, CheckHalted, w, fmt.Sprintf("Its partition of %d keeps %d of %s as they are: a rollout does not replace them, and they keep the gates and hooks that they have.", w.partition, min(w.partition, w.replicas), plural.Count(w.replicas, "pod")), "nothing, if that is meant; else set the partition of its updateStrategy to 0")
	}
	if w.failure != "" {
		f.find(SeverityError, CheckHalted, w, "Its pods cannot be created: "+w.failure, "correct what the message names")
	}
	if w.custom {
		f.Unknown = append(f.Unknown, fmt.Sprintf("podgate does not know how many pods a rollout of %s takes away at once, so it cannot tell whether that empties the group", w))
	}
}

// bindings tells what is wrong with those that take the workload's pods.
func (f *flight) bindings(ctx context.Context, w workload) error {
	pod := w.pod()
	all, err := binding.ForPod(ctx, f.reader, pod)
	if err != nil {
		return f.Unknown.forgive(err, "whether the bindings work")
	}
	if all, _, err = f.meantFor(ctx, w, all); err != nil {
		return err
	}

	slices.SortFunc(all, func(a, b *binding.Binding) int { return compare(a.Key().Name, b.Key().Name) })
	f.deadline(w, all)

	for _, b := range all {
		f.later(w, b)
		if !served(b) || ownedByLBC(b) {
			continue
		}

		report := reportOf(b)
		object := about(fmt.Sprintf("%s %s/%s", report.Kind, report.Namespace, report.Name))
		if !f.told[b.Key()] {
			f.told[b.Key()] = true
			f.binding(b, report, object)
		}
		if err := f.port(ctx, w, b, object, pod); err != nil {
			return err
		}
	}

	return nil
}

// ofPorts are the reasons of bindings for which preflight looks itself: what they say is of the pods and Services that are
// there, which a rollout may change.
var ofPorts = []string{v1alpha1.ReasonPortNotFound, v1alpha1.ReasonTargetPortNotFound, v1alpha1.ReasonNoNodePort, v1alpha1.ReasonServiceNotFound, v1alpha1.ReasonServiceWithoutSelector}

// pod is one that the workload makes, as it runs.
func (w workload) pod() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Labels: w.template.Labels}, Spec: w.template.Spec}
	pod.Status.PodIPs = []corev1.PodIP{{IP: "192.0.2.1"}, {IP: "2001:db8::1"}}
	return pod
}

// binding tells what is wrong with one, by what it says of itself.
func (f *flight) binding(b *binding.Binding, report BindingReport, object fmt.Stringer) {
	for _, c := range report.Further {
		if c.Type == v1alpha1.ConditionPolicyAccepted || c.Type == v1alpha1.ConditionSupported {
			e, _ := v1alpha1.Explain(v1alpha1.Place(c.Type), c.Reason)
			f.find(SeverityWarning, c.Reason, object, c.Message, e.Fix)
		}
	}

	switch {
	case report.Status == string(metav1.ConditionFalse) && (!f.files || !slices.Contains(ofPorts, report.Reason)):
		severity := SeverityError
		if report.Reason == v1alpha1.ReasonThrottled {
			severity = SeverityWarning
		}
		f.find(severity, report.Reason, object, report.Message, report.Next)
		f.ported[b.Key()] = slices.Contains(ofPorts, report.Reason)

	case report.Status == "" && !f.reader.isAdded(b.Object):
		f.find(SeverityWarning, CheckNobodyReported, object, "podgate has not reported on this binding.", report.Next)
	}
}

// nodesServe reports whether nodes serve a Service of its type.
func nodesServe(svc *corev1.Service) bool {
	return svc.Spec.Type == corev1.ServiceTypeNodePort || svc.Spec.Type == corev1.ServiceTypeLoadBalancer
}

// port reports a port that leads nowhere, before podgate can: one that the Service lacks once, one that pods lack for each
// workload.
func (f *flight) port(ctx context.Context, w workload, b *binding.Binding, object fmt.Stringer, pod *corev1.Pod) error {
	if f.ported[b.Key()] {
		return nil
	}

	var svc corev1.Service
	if err := f.reader.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: b.ServiceRef.Name}, &svc); err != nil {
		return f.Unknown.forgive(err, "whether the bindings' ports lead to pods")
	}

	// A node port is allocated when the Service is created, if its type says so.
	if _, err := binding.NodePort(&svc, b.Group(), b.ServiceRef); b.Group().OfNodes() && !b.External && !nodesServe(&svc) {
		if missing := (*binding.NoNodePortError)(nil); errors.As(err, &missing) {
			f.ported[b.Key()] = true
			f.find(SeverityError, v1alpha1.ReasonNoNodePort, object, missing.Error()+".", fixOf(v1alpha1.ReasonNoNodePort))
			return nil
		}
	}

	// A port that the Service lacks is wrong for a group of any type, so the type is left out.
	_, _, trouble := binding.TargetOf(pod, &svc, balancer.Group{IPAddressType: b.IPAddressType}, b.ServiceRef)
	var noPort *binding.NoPortError
	switch {
	case errors.As(trouble, &noPort):
		f.ported[b.Key()] = true
		f.find(SeverityError, v1alpha1.ReasonPortNotFound, object, noPort.Error()+".", fixOf(v1alpha1.ReasonPortNotFound))
	case trouble != nil:
		f.find(SeverityError, v1alpha1.ReasonTargetPortNotFound, w, fmt.Sprintf("New pods are no targets of %s: %v.", binding.Named(b.Key().Name), trouble), w.making().Say(fixOf(v1alpha1.ReasonTargetPortNotFound)))
	}

	return nil
}

// later tells of a binding, or its Service, that is applied after the pods.
func (f *flight) later(w workload, b *binding.Binding) {
	if w.place == 0 {
		return
	}
	for _, o := range []client.Object{b.Object, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: b.ServiceRef.Name}}} {
		if at := f.reader.placeOf(o); at > w.place && f.reader.isNew(o) {
			f.find(SeverityError, CheckBindingAfter, w, fmt.Sprintf("%s comes after the workload in the files and is not in the cluster yet: pods that are created first get no gate.", binding.Named(b.Key().Name)), "apply Service and binding before the workload")
			return
		}
	}
}

// deadline tells of a rollout that is given up before its gates can open.
func (f *flight) deadline(w workload, all []*binding.Binding) {
	var slowest *binding.Binding
	var most time.Duration
	for _, b := range all {
		if takes := opensWithin(b); takes > most {
			slowest, most = b, takes
		}
	}

	if w.deadlineSeconds == 0 || slowest == nil || time.Duration(w.deadlineSeconds)*time.Second > most {
		return
	}

	seconds := int(most.Seconds())
	f.find(SeverityWarning, CheckDeadline, w, fmt.Sprintf("progressDeadlineSeconds is %d, and a gate of %s may take %d s to open, as podgate estimates it: the rollout counts as failed before it.", w.deadlineSeconds, binding.Named(slowest.Key().Name), seconds),
		fmt.Sprintf("set progressDeadlineSeconds to more than %d, plus the time that the containers need to become ready", seconds))
}

// opensWithin is how long a binding's gate may take to open, as an estimate; zero where nobody
// need be warned.
func opensWithin(b *binding.Binding) time.Duration {
	driver := traits.All().Of(b.Ref.Provider)
	if driver.OpensWithin == nil {
		return 0
	}

	if settings, _ := b.Settings(); settings.Gate.OnTimeout == gate.Open && settings.Gate.Timeout > 0 {
		return settings.Gate.Timeout
	}

	group, _ := b.Published()
	return driver.OpensWithin(group)
}

// running tells of pods that are there and lack a gate.
func (f *flight) running(ctx context.Context, w workload) error {
	if f.reader.alone || w.selector == nil {
		return nil
	}

	pods, err := w.pods(ctx, f.reader)
	if err != nil {
		return f.Unknown.forgive(err, "whether running pods lack a gate")
	}

	why := map[string]*NoGateReport{}
	counts := map[string]int{}
	for i := range pods {
		report, err := lacking(ctx, f.reader, f.installation, injection.PodOf(&pods[i]), w.namespace, &f.Unknown)
		if err != nil {
			return err
		}
		if report == nil || binding.Owner(&pods[i]) == nil && w.kind == "Deployment" || len(report.Missing) == 0 || report.Reason == v1alpha1.ReasonLabelMissing || report.Reason == v1alpha1.ReasonWebhookMissing {
			continue // the latter two are told of the workload
		}
		why[report.Reason] = report
		counts[report.Reason]++
	}

	for _, reason := range sorted(why) {
		f.find(SeverityWarning, CheckPodsUngated, w, fmt.Sprintf("%s a gate (%s): %s", plural.Part(counts[reason], len(pods), "running pod", "lacks", "lack"), reason, why[reason].Message), w.restart()+", when it is convenient")
	}

	return nil
}

// drains tells by how many seconds new pods end too early, with what podgate adds.
func (f *flight) drains(ctx context.Context, w workload, pod injection.Pod, candidates injection.Candidates) error {
	reviews, _, err := f.installation.reviews(ctx, f.reader, w.namespace, pod.Labels, &f.Unknown)
	if err != nil {
		return err
	}

	// What podgate adds to new pods is there when they end.
	manifest := drain.ManifestOf(&w.template.Spec, nil)
	if reviews.Hooks() && !pod.Stated.End {
		manifest = manifest.Renewed(int64(math.Ceil(injection.DrainTime(pod, candidates).Seconds())))
	}

	d, err := drainOf(ctx, f.reader, f.installation, pod, manifest, w.namespace, candidates, &f.Unknown)
	if err != nil || d == nil {
		return err
	}

	d.Next = w.making().Say(d.Next)
	severity := SeverityError
	if d.Unsure {
		severity = SeverityWarning
	}

	switch {
	case d.HookShort > 0 && d.GraceSeconds > 0:
		f.find(severity, CheckHook, w, d.Message, d.Next)
	case d.HookShort > 0, d.GraceShort > 0:
		f.find(severity, CheckGrace, w, d.Message, d.Next)
	}

	if d.HookSeconds == drain.Unread && !d.Suffices && pod.Labels[v1alpha1.DrainLabel] != v1alpha1.DrainDisabled {
		f.Unknown = append(f.Unknown, fmt.Sprintf("podgate cannot read how long the preStop hooks of %s take; they have to keep its pods serving for %d s", w, d.NeedSeconds))
	}

	return nil
}

// about is the name of an object that is no workload.
type about string

// String implements fmt.Stringer.
func (a about) String() string { return string(a) }
