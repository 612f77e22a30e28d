// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/webhook"
)

// DrainReport is how a pod ends.
type DrainReport struct {
	// NeedSeconds is how long the pod has to serve on after its deletion has begun.
	NeedSeconds int64 `json:"needSeconds"`
	// HookSeconds is for how long the preStop hook of the container that serves sleeps; -1 where it cannot be read.
	HookSeconds int64 `json:"hookSeconds"`
	// Container is whose hook that is.
	Container string `json:"container,omitempty"`
	// Suffices: a hook that cannot be read sleeps for long enough before it does anything else.
	Suffices bool `json:"suffices,omitempty"`
	// GraceSeconds is terminationGracePeriodSeconds.
	GraceSeconds int64 `json:"graceSeconds"`
	// HookShort and GraceShort are by how many seconds those are too short.
	HookShort  int64 `json:"hookShortSeconds,omitempty"`
	GraceShort int64 `json:"graceShortSeconds,omitempty"`
	// Asked: the namespace's or the pod's label has podgate add hooks.
	Asked *bool `json:"asked,omitempty"`
	// Adaptive: podgate's hooks end as soon as the pod is drained, after HookSeconds at the latest.
	Adaptive bool `json:"adaptive,omitempty"`
	// RecommendedSeconds is what podgate recommends instead of what it computes, by the latest
	// drains of the pod's bindings.
	RecommendedSeconds int64 `json:"recommendedSeconds,omitempty"`
	// Unsure: no container declares the target's port, and it depends on which one serves whether anything is too short.
	Unsure bool `json:"unsure,omitempty"`
	// Message says it for people, and Next what to do where something is too short.
	Message string `json:"message"`
	Next    string `json:"next,omitempty"`
	// Killed is what was said last of a pod of the same owner that ended too soon.
	Killed *Killed `json:"killed,omitempty"`
	// Waits are what a pod that is being deleted waits for.
	Waits []string `json:"waits,omitempty"`
	// DeletedAt and KilledAt are when the deletion began and when the kubelet kills what still runs.
	DeletedAt *metav1.Time `json:"deletedAt,omitempty"`
	KilledAt  *metav1.Time `json:"killedAt,omitempty"`

	// atOnce: the hook ends within a second. least is for how many seconds one that cannot be read sleeps first.
	atOnce bool
	least  int64
	// follow says what to set so that hooks follow the recommendation.
	follow string
}

// hooksOf is what draining reads of a pod that exists.
func hooksOf(pod *corev1.Pod) injection.Hooks {
	return injection.Hooks{OfJob: binding.OfJob(pod)}
}

// draining tells how the pod ends.
func (x *explanation) draining(ctx context.Context) error {
	judged := injection.PodOf(x.pod)
	judged.Hooks = hooksOf(x.pod)
	candidates, err := x.reader.candidates(ctx, x.pod.Namespace, judged)
	if err != nil {
		return x.Unknown.forgive(err, "how long the pod has to drain")
	}

	manifest, adaptive := manifestOf(x.pod)
	x.Drain, err = drainOf(ctx, x.reader, x.Installation, judged, manifest, x.pod.Namespace, candidates, &x.Unknown)
	if err != nil {
		return err
	}

	if x.Drain != nil {
		x.Drain.Next = x.reader.maker(ctx, x.pod).Say(x.Drain.Next)
		x.Drain.Adaptive, x.Drain.follow = adaptive, x.follow
		x.Drain.RecommendedSeconds = x.recommended
		if err := x.siblings(ctx); err != nil {
			return err
		}
	}

	if x.pod.DeletionTimestamp.IsZero() {
		return nil
	}

	return x.terminating(ctx)
}

// drainOf tells how a pod with a spec ends; nil when nothing drains it.
func drainOf(ctx context.Context, r *snapshot, in *Installation, pod injection.Pod, manifest drain.Manifest, namespace string, candidates injection.Candidates, g *gaps) (*DrainReport, error) {
	need := injection.DrainTime(pod, candidates)
	if need == 0 || pod.Hooks.OfJob {
		return nil, nil
	}

	short := injection.Short(pod, manifest, candidates)
	stop, least := injection.ServingStop(pod, manifest, candidates)
	d := &DrainReport{NeedSeconds: int64((need + time.Second - 1) / time.Second), Container: stop.Container, HookSeconds: stop.Hook, GraceSeconds: manifest.Grace}
	d.atOnce, d.least, d.Suffices = manifest.Has(stop.Container).AtOnce, least, stop.Hook == drain.Unread && least >= d.NeedSeconds
	if pod.Labels[v1alpha1.DrainLabel] == v1alpha1.DrainDisabled {
		d.Asked = new(false)
		d.Message = fmt.Sprintf("the pod's label %s=%s opts out of draining; its load balancer may send it requests for %d s after its deletion.", v1alpha1.DrainLabel, v1alpha1.DrainDisabled, d.NeedSeconds)
		return d, nil
	}

	reviews, known, err := in.reviews(ctx, r, namespace, pod.Labels, g)
	if err != nil {
		return nil, err
	}

	asked := reviews.Hooks()
	if known {
		d.Asked = &asked
	}

	if short.Empty() {
		d.Message = d.enough()
		return d, nil
	}

	d.Container, d.HookSeconds, d.HookShort, d.GraceShort, d.Unsure = short.Stop.Container, short.Stop.Hook, short.Hook, short.Grace, short.Unsure
	d.atOnce = short.AtOnce
	d.Message, d.Next = short.Problem(), short.Fix()
	switch {
	case !known:
		d.Next = short.OwnFix()
	case !asked:
		d.Next = in.unhooked(ctx, r, namespace, pod.Labels, short)
	}

	return d, nil
}

// unhooked tells what to do about a pod to which podgate adds no preStop hook, and that has none that is long enough.
func (in *Installation) unhooked(ctx context.Context, r *snapshot, namespace string, pod map[string]string, short injection.Shortfall) string {
	graceless := short.Graceless()
	if !graceless && (short.Unsure || short.Renewed == nil || !short.Renewed.Empty()) {
		return short.OwnFix()
	}

	first := ""
	if graceless {
		first = "Set it to 1 or more in the pod template, or leave it out; then: "
	}

	asked := labelled(ctx, r, namespace, pod).Hooks()
	label, command := fmt.Sprintf("%s=%s", v1alpha1.DrainLabel, v1alpha1.DrainEnabled), labelling(ctx, r, namespace, v1alpha1.DrainLabel, v1alpha1.DrainEnabled)
	switch {
	case !in.configured && asked:
		return first + fmt.Sprintf("There is no MutatingWebhookConfiguration %s, so nobody adds hooks: install podgate.", certificate.ConfigurationName)
	case !in.configured:
		return first + fmt.Sprintf("There is no MutatingWebhookConfiguration %s, so nobody adds hooks: install podgate, and label the namespace (%s).", certificate.ConfigurationName, command)
	case asked:
		return first + fmt.Sprintf("A label asks for hooks, but the selectors in MutatingWebhookConfiguration %s leave this pod out: correct them.", certificate.ConfigurationName)
	}

	return first + fmt.Sprintf("The namespace or the pod template needs the label %s (%s): podgate then adds a hook to each pod that is created.", label, command)
}

// labelling is the command that labels a namespace, whatever its label says now.
func labelling(ctx context.Context, r client.Reader, namespace, label, value string) string {
	command := fmt.Sprintf("kubectl label namespace %s %s=%s", namespace, label, value)
	var ns corev1.Namespace
	if err := r.Get(ctx, client.ObjectKey{Name: namespace}, &ns); err == nil && ns.Labels[label] != "" && ns.Labels[label] != value {
		command += " --overwrite"
	}
	return command
}

// manifestOf is what the manifest of a pod says of its end; adaptive when podgate's hooks may end it earlier.
func manifestOf(pod *corev1.Pod) (m drain.Manifest, adaptive bool) {
	plain := pod.DeepCopy()
	for i := range plain.Spec.Containers {
		l := plain.Spec.Containers[i].Lifecycle
		if l == nil || l.PreStop == nil || l.PreStop.Exec == nil {
			continue
		}
		if seconds, ok := webhook.AdaptiveSeconds(l.PreStop.Exec.Command); ok {
			l.PreStop = &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}
			adaptive = true
		}
	}
	return injection.ManifestOf(plain), adaptive
}

// enough says that nothing is known to be too short.
func (d *DrainReport) enough() string {
	if d.HookSeconds == drain.Unread && !d.Suffices {
		return fmt.Sprintf("podgate cannot read how long its preStop hooks take; they have to keep it serving for %d s.", d.NeedSeconds)
	}
	return "it serves on for long enough; nothing to do."
}

// terminating tells what a pod that is being deleted waits for.
func (x *explanation) terminating(ctx context.Context) error {
	if x.Drain == nil {
		manifest, adaptive := manifestOf(x.pod)
		x.Drain = &DrainReport{Adaptive: adaptive, HookSeconds: manifest.Stop().Hook, GraceSeconds: manifest.Grace, Message: "no load balancer has to let go of it."}
	}

	d := x.Drain
	grace := time.Duration(d.GraceSeconds) * time.Second
	if s := x.pod.DeletionGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}

	began := x.pod.DeletionTimestamp.Add(-grace)
	d.DeletedAt, d.KilledAt = &metav1.Time{Time: began}, x.pod.DeletionTimestamp
	switch hook := began.Add(time.Duration(d.HookSeconds) * time.Second); {
	case d.HookSeconds <= 0 || !x.now.Time.Before(hook):
	case hook.After(x.pod.DeletionTimestamp.Time):
		d.Waits = append(d.Waits, fmt.Sprintf("its preStop hook, which would end at about %s and is cut when the pod is killed", hook.UTC().Format(time.TimeOnly)))
	default:
		d.Waits = append(d.Waits, fmt.Sprintf("its preStop hook, which ends at about %s; SIGTERM comes then", hook.UTC().Format(time.TimeOnly)))
	}

	for _, f := range x.pod.Finalizers {
		d.Waits = append(d.Waits, fmt.Sprintf("the finalizer %s, which somebody has to remove", f))
	}

	bound, err := binding.ForPod(ctx, x.reader, x.pod)
	if err != nil {
		return x.Unknown.forgive(err, "whether its target is held")
	}

	for _, b := range bound {
		if c := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionTargetsHeld); c != nil && c.Status == metav1.ConditionTrue {
			d.Waits = append(d.Waits, fmt.Sprintf("%s keeps targets (%s): %s", binding.Named(b.Key().Name), c.Reason, c.Message))
		}
	}

	if len(d.Waits) == 0 && !x.now.After(x.pod.DeletionTimestamp.Time) {
		d.Waits = append(d.Waits, "its containers, which end by themselves or are killed at "+x.pod.DeletionTimestamp.UTC().Format(time.TimeOnly))
	}

	if len(d.Waits) == 0 {
		d.Waits = append(d.Waits, "the kubelet of node "+x.pod.Spec.NodeName+", which has not said that the containers ended although their time is over: is the node alive?")
	}

	return nil
}

// write is for people.
func (d *DrainReport) write(p *paper) {
	heading := p.paint(bold, "DRAIN")
	if d.NeedSeconds > 0 {
		hook := fmt.Sprintf("its preStop hook sleeps %d s", d.HookSeconds)
		switch d.HookSeconds {
		case 0:
			hook = fmt.Sprintf("container %q has no preStop hook", d.Container)
			if d.atOnce {
				hook = fmt.Sprintf("the preStop hook of container %q ends at once", d.Container)
			}
		case drain.Unread:
			hook = "its preStop hooks cannot be read"
			if d.Suffices {
				hook = fmt.Sprintf("its preStop hook sleeps %d s before it does anything else", d.least)
			}
		}
		if d.Adaptive {
			hook += " at most, and less when it is drained"
		}
		p.printf("%s: it has to serve on for %d s after its deletion; %s, its grace period is %d s\n", heading, d.NeedSeconds, hook, d.GraceSeconds)
	} else {
		p.printf("%s\n", heading)
	}

	if d.HookShort > 0 || d.GraceShort > 0 {
		p.field(p.paint(red, "short"), d.Message)
		p.field("next", d.Next)
	} else {
		p.field("drain", d.Message)
	}

	if d.RecommendedSeconds > 0 {
		p.field("recommended", fmt.Sprintf("%d s, by the latest drains; to follow it, set %s", d.RecommendedSeconds, d.follow))
	}

	if d.Killed != nil {
		p.field(p.paint(red, "killed"), fmt.Sprintf("%s ago: %s", p.ago(d.Killed.At.Time), d.Killed.Message))
	}

	if d.DeletedAt != nil {
		p.field("deleted", fmt.Sprintf("%s ago; killed at %s at the latest", p.ago(d.DeletedAt.Time), d.KilledAt.UTC().Format(time.TimeOnly)))
	}

	for _, wait := range d.Waits {
		p.field("waits for", wait)
	}
}
