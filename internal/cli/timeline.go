// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/timeline"
	"github.com/podgate/podgate/internal/timeline/draw"
)

// defaultSince is how far a timeline looks back: as long as an API server keeps events by default.
const defaultSince = time.Hour

func newTimeline(e *environment) *cobra.Command {
	var html, raw string
	since := defaultSince
	cmd := &cobra.Command{
		Use:   "timeline POD|KIND/NAME",
		Short: "What the cluster remembers of a workload's latest rollouts, as a table, a picture or data",
		Long: "timeline shows the pods of a workload, or one pod, from their creation to their end: when their containers were ready, when their gates opened, when they were Ready, deleted and gone, " +
			"and what events told meanwhile. It takes this from conditions, events and ReplicaSets, which keep the latest change only, and marks what nobody remembers. " +
			"Pods that are gone are known by their events, which an API server keeps for an hour by default. How long a target drained is not remembered at all.\n\n" +
			"Below the lanes are the closed gates, with what to do, and the latest warnings; -o wide lists all events and pods. --html writes a picture for a post-mortem: one file, with a lane for each pod, its gates, its targets as far as gates tell, and events.",
		Example:           "  podgate timeline -n shop deploy/web\n  kubectl podgate timeline -n shop deploy/web --since 20m --html rollout.html",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: e.completeWorkloads,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.checkTimeline(args[0], since, html, raw); err != nil {
				return err
			}
			t, err := e.timeline(cmd.Context(), args[0], since)
			if err != nil {
				return err
			}
			return e.writeTimeline(t, html, raw)
		},
	}

	cmd.Flags().DurationVar(&since, "since", since, "how far to look back")
	cmd.Flags().StringVar(&html, "html", "", "write a page that needs nothing else to this file; - is standard output")
	cmd.Flags().StringVar(&raw, "json", "", "write the data to this file; - is standard output, as with -o json")
	return cmd
}

// checkTimeline finds what is wrong with what was asked for, before anything is read.
func (e *environment) checkTimeline(what string, since time.Duration, html, raw string) error {
	kind, name, of := strings.Cut(what, "/")
	switch {
	case kind == "" || of && (name == "" || strings.Contains(name, "/")):
		return fmt.Errorf("%q is neither POD nor KIND/NAME, such as deploy/web", what)
	case since <= 0:
		return fmt.Errorf("--since %s: it must be longer than 0, such as 20m", since)
	case html != "" && raw != "" && filepath.Clean(html) == filepath.Clean(raw):
		return fmt.Errorf("--html and --json cannot both be written to %q", html)
	case (html != "" || raw != "") && e.output != formatText:
		return fmt.Errorf("-o %s is not for --html and --json: give either", e.output)
	}
	return errors.Join(writable("--html", html), writable("--json", raw))
}

// writable reports why a file cannot be written; nil where it can, or where no file is named.
func writable(flag, file string) error {
	if file == "" || file == "-" {
		return nil
	}

	_, err := os.Lstat(file)
	absent := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	err = f.Close()
	if absent {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// writeTimeline writes a timeline to the files that were asked for, or for people.
func (e *environment) writeTimeline(t timeline.Timeline, html, raw string) error {
	if html == "" && raw == "" {
		return e.write(t, func(p *paper) { writeTimeline(p, t) })
	}

	for _, f := range []struct {
		file  string
		write func(io.Writer) error
	}{
		{html, func(w io.Writer) error { return draw.Page(w, t) }},
		{raw, func(w io.Writer) error {
			encoder := json.NewEncoder(w)
			encoder.SetIndent("", "  ")
			return encoder.Encode(t)
		}},
	} {
		if f.file == "" {
			continue
		}
		var b bytes.Buffer
		if err := f.write(&b); err != nil {
			return err
		}
		if f.file == "-" {
			if _, err := e.Out.Write(b.Bytes()); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(f.file, b.Bytes(), 0o600); err != nil {
			return fmt.Errorf("write timeline: %w", err)
		}
		if _, err := fmt.Fprintf(e.Err, "The timeline of %s %s/%s is in %s.\n", t.Workload.Kind, t.Workload.Namespace, t.Workload.Name, f.file); err != nil {
			return err
		}
	}
	return nil
}

// past reads what the cluster remembers of one workload.
type past struct {
	reader *snapshot
	*timeline.Recorder
	kind string
	// custom is a kind that podgate does not know.
	custom schema.GroupVersionKind
	key    types.NamespacedName
	now    time.Time
	// uid is the workload's; empty while it could not be read.
	uid  types.UID
	gaps gaps
	// there are the pods that were there when they were listed last, which saw is.
	there []types.UID
	saw   time.Time
	// about are the objects whose events belong to the timeline, as KIND/NAME.
	about map[string]bool
}

func (e *environment) timeline(ctx context.Context, what string, since time.Duration) (timeline.Timeline, error) {
	kube, namespace, err := e.here()
	if err != nil {
		return timeline.Timeline{}, err
	}
	p, err := pastOf(kube, namespace, what)
	if err != nil {
		return timeline.Timeline{}, err
	}
	if p.reader, err = newSnapshot(ctx, kube, e.kinds); err != nil {
		return timeline.Timeline{}, err
	}

	p.now = e.Now()
	if err := p.look(ctx); err != nil {
		return timeline.Timeline{}, err
	}
	t := p.Timeline(p.now.Add(-since), p.now)
	if len(t.Lanes) == 0 && p.saw.IsZero() {
		return t, fmt.Errorf("timeline of %s %s: %s", p.kind, p.key, strings.Join(p.gaps, "; "))
	}
	if p.kind == podKind && len(t.Lanes) == 0 {
		return t, ended(ctx, p.reader, p.key, fmt.Errorf("get pod %s: it is not there, and no event of the last %s tells of it", p.key, since))
	}
	return t, nil
}

// pastOf is of what a person names, of which nothing was read yet.
func pastOf(kube client.Client, namespace, what string) (*past, error) {
	kind, name, known := named(what)
	p := &past{kind: kind, key: types.NamespacedName{Namespace: namespace, Name: name}}
	if !known {
		var err error
		if p.custom, err = kindCalled(kube, kind); err != nil {
			return nil, err
		}
		p.kind = p.custom.Kind
		if _, native := kindsOf[strings.ToLower(p.kind)]; native && p.custom.Group == appsv1.GroupName {
			p.custom = schema.GroupVersionKind{}
		}
	}

	p.Recorder = timeline.NewRecorder(p.kind, namespace, name)
	p.about = map[string]bool{p.kind + "/" + name: true}
	return p, nil
}

// look reads all that the cluster remembers now.
func (p *past) look(ctx context.Context) error {
	p.gaps = nil
	for _, step := range []func(context.Context) error{p.workload, p.revisions, p.pods, p.events} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	p.Missing(p.gaps...)
	return nil
}

// workload reads the workload itself. A pod is read with the others, since its events outlive it.
func (p *past) workload(ctx context.Context) error {
	object := map[string]client.Object{"Deployment": &appsv1.Deployment{}, "StatefulSet": &appsv1.StatefulSet{}, "DaemonSet": &appsv1.DaemonSet{}, "ReplicaSet": &appsv1.ReplicaSet{}}[p.kind]
	if !p.custom.Empty() {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(p.custom)
		object = o
	}
	if object == nil {
		return nil
	}

	if err := p.reader.live.Get(ctx, p.key, object); err != nil {
		return p.gaps.forgive(fmt.Errorf("get %s %s: %w", p.kind, p.key, err), "how many pods it wants")
	}
	p.uid = object.GetUID()
	p.Object(object, p.now)
	return nil
}

// revisions reads what keeps the workload's revisions.
func (p *past) revisions(ctx context.Context) error {
	if p.kind == podKind || p.kind == "ReplicaSet" {
		return nil
	}

	// A custom workload may keep them in either, such as an Argo Rollout and a CloneSet.
	sets, controllers := client.ObjectList(&appsv1.ReplicaSetList{}), client.ObjectList(&appsv1.ControllerRevisionList{})
	lists := []client.ObjectList{sets, controllers}
	switch p.kind {
	case "Deployment":
		lists = []client.ObjectList{sets}
	case "StatefulSet", "DaemonSet":
		lists = []client.ObjectList{controllers}
	}

	for _, list := range lists {
		if err := p.reader.List(ctx, list, client.InNamespace(p.key.Namespace)); err != nil {
			untold := "which revisions there were"
			if list == sets {
				untold += ", nor which pods are of a ReplicaSet that is not a Deployment's"
			}
			if err := p.gaps.forgive(err, untold); err != nil {
				return err
			}
			continue
		}
		all, err := items(list)
		if err != nil {
			return err
		}
		for _, o := range all {
			if p.owns(metav1.GetControllerOf(o)) {
				p.Object(o, p.now)
				if set, ok := o.(*appsv1.ReplicaSet); ok {
					p.about["ReplicaSet/"+set.Name] = true
				}
			}
		}
	}
	return nil
}

// owns reports whether an owner is the workload, by its UID where that is known.
func (p *past) owns(owner *metav1.OwnerReference) bool {
	if owner == nil || owner.Kind != p.kind || owner.Name != p.key.Name {
		return false
	}
	if p.uid != "" {
		return owner.UID == p.uid
	}
	return schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).Group == cmp.Or(p.custom.Group, appsv1.GroupName)
}

// pods reads the workload's pods, those that end among them.
func (p *past) pods(ctx context.Context) error {
	var list corev1.PodList
	if err := p.reader.List(ctx, &list, client.InNamespace(p.key.Namespace)); err != nil {
		return p.gaps.forgive(err, "which pods there are")
	}

	var newest *corev1.Pod
	var there []types.UID
	for i := range list.Items {
		pod := &list.Items[i]
		if !p.makes(pod) {
			continue
		}
		p.Object(pod, p.now)
		there = append(there, pod.UID)
		if newest == nil || newest.CreationTimestamp.Before(&pod.CreationTimestamp) {
			newest = pod
		}
	}
	for _, uid := range p.there {
		if !slices.Contains(there, uid) {
			p.Deleted(uid, p.now)
		}
	}
	p.there, p.saw = there, p.now
	p.Resumed(p.now)
	if newest == nil {
		return p.others(ctx)
	}

	for _, g := range newest.Spec.ReadinessGates {
		if name, checks := strings.CutPrefix(string(g.ConditionType), v1alpha1.CheckPrefix); checks {
			p.about["ReadinessGate/"+name] = true
		}
	}
	bindings, err := binding.ForPod(ctx, p.reader, newest)
	if err != nil {
		return p.gaps.forgive(err, "what was told of its bindings")
	}
	for _, b := range bindings {
		p.about[b.Kind()+"/"+b.Key().Name] = true
	}
	return nil
}

// others says which workloads a custom one makes, where it makes no pods itself.
func (p *past) others(ctx context.Context) error {
	if p.custom.Empty() {
		return nil
	}
	all, err := workloads(ctx, p.reader, p.key.Namespace)
	if err != nil {
		return p.gaps.forgive(err, "which workloads "+p.kind+" "+p.key.Name+" makes")
	}

	var names []string
	for _, w := range all {
		if w.maker == p.kind+" "+p.key.Name {
			names = append(names, strings.ToLower(w.kind)+"/"+w.name)
		}
	}
	if len(names) > 0 {
		p.gaps = append(p.gaps, fmt.Sprintf("%s %s makes no pods itself: ask about %s", p.kind, p.key.Name, strings.Join(names, ", ")))
	}
	return nil
}

// makes reports whether a pod is the workload's: made by it, or by one of its ReplicaSets.
func (p *past) makes(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	switch {
	case p.kind == podKind:
		return pod.Name == p.key.Name
	case owner == nil:
		return false
	case owner.Kind == "ReplicaSet" && p.kind == "Deployment":
		// Its name tells, also who may not read ReplicaSets.
		return p.about["ReplicaSet/"+owner.Name] || owner.Name == p.key.Name+"-"+pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	case owner.Kind == "ReplicaSet" && p.kind != "ReplicaSet":
		return p.about["ReplicaSet/"+owner.Name]
	}
	return p.owns(owner)
}

// events reads what was told of the workload, its pods, revisions, bindings and ReadinessGates.
func (p *past) events(ctx context.Context) error {
	var list corev1.EventList
	if err := p.reader.List(ctx, &list, client.InNamespace(p.key.Namespace)); err != nil {
		return p.gaps.forgive(err, "what events told, and which pods are gone")
	}
	for i := range list.Items {
		about := list.Items[i].InvolvedObject
		if about.Kind == podKind || p.about[about.Kind+"/"+about.Name] {
			p.Object(&list.Items[i], p.now)
		}
	}
	return nil
}

// completeWorkloads gives a shell the workloads that people mostly ask about, and pods when one has begun with no kind.
func (e *environment) completeWorkloads(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	kube, namespace, err := e.here()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}

	var names []string
	for kind, list := range map[string]client.ObjectList{"deployment": &appsv1.DeploymentList{}, "statefulset": &appsv1.StatefulSetList{}, "daemonset": &appsv1.DaemonSetList{}} {
		err := kube.List(cmd.Context(), list, client.InNamespace(namespace), client.Limit(page))
		if apierrors.IsForbidden(err) {
			continue
		}
		all, failed := items(list)
		if errors.Join(err, failed) != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, o := range all {
			names = append(names, kind+"/"+o.GetName())
		}
	}

	slices.Sort(names)
	return begunWith(begun, names), cobra.ShellCompDirectiveNoFileComp
}
