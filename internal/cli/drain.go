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

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/webhook"
	"github.com/podgate/podgate/internal/webhook/profile"
)

// DrainReport is how a pod ends.
type DrainReport struct {
	// NeedSeconds is how long the pod has to serve on after its deletion has begun.
	NeedSeconds int64 `json:"needSeconds"`
	// HookSeconds is for how long its shortest preStop hook sleeps; -1 where no hook can be read.
	HookSeconds int64 `json:"hookSeconds"`
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
	// Message says it for people, and what to do.
	Message string `json:"message"`
	// Killed is what was said last of a pod of the same owner that ended too soon.
	Killed *Killed `json:"killed,omitempty"`
	// Waits are what a pod that is being deleted waits for.
	Waits []string `json:"waits,omitempty"`
	// DeletedAt and KilledAt are when the deletion began and when the kubelet kills what still runs.
	DeletedAt *metav1.Time `json:"deletedAt,omitempty"`
	KilledAt  *metav1.Time `json:"killedAt,omitempty"`
}

// hooksOf is what draining reads of a pod that exists.
func hooksOf(pod *corev1.Pod) injection.Hooks {
	owner := binding.Owner(pod)
	return injection.Hooks{OfJob: owner != nil && owner.Kind == "Job"}
}

// draining tells how the pod ends.
func (x *explanation) draining(ctx context.Context) error {
	candidates, err := injection.Lookup(ctx, x.reader, served, x.pod.Namespace, x.pod.Labels)
	if err != nil {
		return x.Unknown.forgive(err, "how long the pod has to drain")
	}

	judged := injection.PodOf(x.pod)
	judged.Hooks = hooksOf(x.pod)
	x.Drain, err = drainOf(ctx, x.reader, x.Installation, judged, &x.pod.Spec, x.pod.Namespace, candidates, &x.Unknown)
	if err != nil {
		return err
	}

	if x.Drain != nil {
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
func drainOf(ctx context.Context, r *snapshot, in *Installation, pod injection.Pod, spec *corev1.PodSpec, namespace string, candidates injection.Candidates, g *gaps) (*DrainReport, error) {
	need := injection.DrainTime(pod, candidates)
	if need == 0 || pod.Hooks.OfJob {
		return nil, nil
	}

	stop, adaptive := stopOf(spec)
	d := &DrainReport{Adaptive: adaptive, NeedSeconds: int64((need + time.Second - 1) / time.Second), HookSeconds: stop.Hook, GraceSeconds: stop.Grace}
	if pod.Labels[v1alpha1.DrainLabel] == v1alpha1.DrainDisabled {
		d.Asked = new(false)
		d.Message = fmt.Sprintf("the pod's label %s=%s opts out of draining; its load balancer may send it requests for %d s after its deletion.", v1alpha1.DrainLabel, v1alpha1.DrainDisabled, d.NeedSeconds)
		return d, nil
	}

	asked, known, err := in.covers(ctx, r, profile.DrainPath, namespace, pod.Labels, g)
	if err != nil {
		return nil, err
	}

	if known {
		d.Asked = &asked
	}

	short := injection.Short(pod, stop, candidates)
	d.HookShort, d.GraceShort = short.Hook, short.Grace
	d.Message = d.words(short)
	if !short.Empty() && known && !asked {
		d.Message += " " + in.unhooked(ctx, r, namespace, pod.Labels)
	}

	return d, nil
}

// unhooked tells why podgate adds no preStop hook to a pod.
func (in *Installation) unhooked(ctx context.Context, r *snapshot, namespace string, pod map[string]string) string {
	if !in.configured {
		return fmt.Sprintf("There is no MutatingWebhookConfiguration %s, so nobody adds hooks: install podgate.", certificate.ConfigurationName)
	}
	if labelled(ctx, r, profile.DrainPath, namespace, pod) {
		return fmt.Sprintf("A label asks for hooks, but the selectors in MutatingWebhookConfiguration %s leave this pod out: correct them if that is not meant.", certificate.ConfigurationName)
	}
	return fmt.Sprintf("For podgate to add hooks, the namespace or the pod needs the label %s=%s.", v1alpha1.DrainLabel, v1alpha1.DrainEnabled)
}

// stopOf is what a spec says of its pods' end; adaptive when podgate's hooks may end it earlier.
func stopOf(spec *corev1.PodSpec) (stop drain.Stop, adaptive bool) {
	plain := spec.DeepCopy()
	for i := range plain.Containers {
		l := plain.Containers[i].Lifecycle
		if l == nil || l.PreStop == nil || l.PreStop.Exec == nil {
			continue
		}
		if seconds, ok := webhook.AdaptiveSeconds(l.PreStop.Exec.Command); ok {
			l.PreStop = &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}
			adaptive = true
		}
	}
	return drain.StopOf(plain), adaptive
}

// words say whether the pod serves on for long enough.
func (d *DrainReport) words(short injection.Shortfall) string {
	if short.Empty() && d.HookSeconds == drain.Unread {
		return fmt.Sprintf("podgate cannot read how long its preStop hooks take; they have to keep it serving for %d s.", d.NeedSeconds)
	}
	if short.Empty() {
		return "it serves on for long enough; nothing to do."
	}
	return short.String()
}

// terminating tells what a pod that is being deleted waits for.
func (x *explanation) terminating(ctx context.Context) error {
	if x.Drain == nil {
		stop, adaptive := stopOf(&x.pod.Spec)
		x.Drain = &DrainReport{Adaptive: adaptive, HookSeconds: stop.Hook, GraceSeconds: stop.Grace, Message: "no load balancer has to let go of it."}
	}

	d := x.Drain
	grace := time.Duration(d.GraceSeconds) * time.Second
	if s := x.pod.DeletionGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}

	began := x.pod.DeletionTimestamp.Add(-grace)
	d.DeletedAt, d.KilledAt = &metav1.Time{Time: began}, x.pod.DeletionTimestamp
	if hook := began.Add(time.Duration(d.HookSeconds) * time.Second); d.HookSeconds > 0 && x.now.Time.Before(hook) {
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
			hook = "a container has no preStop hook"
		case drain.Unread:
			hook = "its preStop hooks cannot be read"
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
	} else {
		p.field("drain", d.Message)
	}

	if d.RecommendedSeconds > 0 {
		p.field("recommended", fmt.Sprintf("%d s, by the latest drains; to follow it, set %s: %s on the binding, or spec.drain.timeFrom: %s on a TargetBinding", d.RecommendedSeconds, v1alpha1.DrainTimeAnnotation, v1alpha1.DrainRecommended, v1alpha1.DrainTimeRecommended))
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
