// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/check/manual"
	"github.com/podgate/podgate/internal/observe/checks"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/timeline"
	"github.com/podgate/podgate/internal/ui"
)

// answers are what the pages of ui ask: status and explain, of what is followed.
type answers struct {
	*environment
	kube   client.Client
	leases renewals
}

// Overview implements ui.Answers.
func (a *answers) Overview(ctx context.Context, reader client.Reader, namespace string) (*ui.Overview, error) {
	s, err := newSnapshot(ctx, reader, a.kinds)
	if err != nil {
		return nil, err
	}

	s.renews = a.leases.renews
	now := metav1.Time{Time: a.Now()}
	status, err := statusOf(ctx, s, namespace, a.home, now)
	if err != nil {
		return nil, err
	}
	if namespace != "" {
		if err := status.Unknown.absent(ctx, s, namespace); err != nil {
			return nil, err
		}
	}

	o := status.overview()
	if o.Workloads, err = status.workloads(ctx, s); err != nil {
		err = status.Unknown.forgive(err, "which workloads there are")
	}
	o.Unknown = status.Unknown
	return o, err
}

// Explain implements ui.Answers.
func (a *answers) Explain(ctx context.Context, reader client.Reader, pod types.NamespacedName) (string, error) {
	s, err := newSnapshot(ctx, reader, a.kinds)
	if err != nil {
		return "", err
	}
	s.renews = a.leases.renews
	x, err := explainPod(ctx, s, pod, a.home, metav1.Time{Time: a.Now()})
	if err != nil {
		return "", err
	}

	var text bytes.Buffer
	p := &paper{out: &text, now: a.Now()}
	x.write(p)
	return text.String(), p.err
}

// Follow implements ui.Answers.
func (a *answers) Follow(workload types.NamespacedName, kind string) (ui.Look, error) {
	p, err := pastOf(a.kube, workload.Namespace, kind+"/"+workload.Name)
	if err != nil {
		return nil, err
	}

	var mu sync.Mutex
	return func(ctx context.Context, reader client.Reader, since time.Duration) (timeline.Timeline, error) {
		mu.Lock()
		defer mu.Unlock()
		var err error
		if p.reader, err = newSnapshot(ctx, reader, a.kinds); err != nil {
			return timeline.Timeline{}, err
		}
		if err := p.again(ctx, a.Now()); err != nil {
			return timeline.Timeline{}, err
		}
		return p.Timeline(p.now.Add(-since), p.now), nil
	}, nil
}

// unseen is how long after a look the next one has missed nothing that people would notice.
const unseen = 3 * time.Second

// again looks again. Of what happened in a longer time than looks usually are apart, nobody knows when.
func (p *past) again(ctx context.Context, now time.Time) error {
	if !p.saw.IsZero() && now.Sub(p.saw) > unseen {
		p.Interrupted(p.saw)
	}
	p.now = now
	if err := p.look(ctx); err != nil {
		return err
	}
	p.Forget(now.Add(-ui.Longest))
	return nil
}

// renewals remembers when leases were renewed, by the clock of this machine: who follows them need not wait for the next
// renewal to know whether the leader lives.
type renewals struct {
	mu   sync.Mutex
	seen map[types.UID]renewed
}

type renewed struct {
	version string
	at      time.Time
}

func (r *renewals) renews(ctx context.Context, from client.Reader, lease *coordinationv1.Lease) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[types.UID]renewed{}
	}

	last, known := r.seen[lease.UID]
	switch {
	case known && last.version == lease.ResourceVersion:
		return time.Since(last.at) < silent
	case known, watched(ctx, from, lease):
		r.seen[lease.UID] = renewed{lease.ResourceVersion, time.Now()}
		return true
	}
	r.seen[lease.UID] = renewed{version: lease.ResourceVersion}
	return false
}

// overview is what the first page shows.
func (s *Status) overview() *ui.Overview {
	o := &ui.Overview{At: s.now.Time, Podgate: ui.Podgate{Namespace: s.Installation.Namespace, Replicas: s.Installation.WebhookReady}}
	o.Podgate.Leader, _, _ = strings.Cut(s.Installation.Leader, "_")
	if at := s.Installation.LeaderRenewed; at != nil {
		o.Podgate.Renewed = at.Time
	}

	o.Problems = s.problems()
	for _, b := range s.Bindings {
		o.Bindings = append(o.Bindings, b.row())
	}
	for _, g := range s.ReadinessGates {
		o.ReadinessGates = append(o.ReadinessGates, g.row())
	}
	for _, b := range s.LoadBalancers {
		o.LoadBalancers = append(o.LoadBalancers, ui.LoadBalancer{Group: b.Group, AskedBy: b.askedBy(), Serves: b.serves(), State: b.State, Hostname: b.Hostname, Message: b.Message, Problems: b.problems()})
	}

	return o
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

func (b *BindingStatus) row() ui.Binding {
	row := ui.Binding{
		Kind: b.Kind, Namespace: b.Namespace, Name: b.Name, Service: b.Service + ":" + b.Port, Group: or(shortGroup(b.words.InTable(b.Group))),
		Status: b.Status, Reason: b.Reason, Message: b.Message, Since: timeOf(b.Since), Gates: b.Gates, Open: b.Open,
	}
	if c := b.Targets; c != nil {
		row.Targets = fmt.Sprintf("%d/%d", c.Healthy, c.Total)
		if c.Foreign > 0 {
			row.Targets += fmt.Sprintf(" (%d foreign)", c.Foreign)
		}
	}
	if b.Nodes != nil {
		row.Targets = joined(row.Targets, b.Nodes.write())
	}
	return row
}

func (g *ReadinessGateStatus) row() ui.ReadinessGate {
	row := ui.ReadinessGate{
		Namespace: g.Namespace, Name: g.Name, Status: g.Status, Reason: g.Reason, Message: g.Message, Since: timeOf(g.Since),
		Pods: fmt.Sprintf("%d/%d", g.Pods.Open, g.Pods.Gated), DryRun: g.DryRun,
	}
	for _, c := range g.Checks {
		check := ui.Check{Name: c.Name, Asks: c.Asks}
		if said := c.Said; said != nil {
			check.Asked, check.Message = true, said.Problem
			check.Passing, check.Failing, check.Unanswered = int(said.Passing), int(said.Failing), int(said.NoAnswer)
		}
		row.Checks = append(row.Checks, check)
	}
	return row
}

// findings are problems in the making: what has the same key is one problem.
type findings struct {
	all []ui.Problem
	at  map[string]int
}

// add adds what an object has to the problem of a key, which begins as it is given.
func (f *findings) add(key string, p ui.Problem, o ui.Object) {
	i, known := f.at[key]
	if !known {
		i = len(f.all)
		if f.at == nil {
			f.at = map[string]int{}
		}
		f.at[key] = i
		p.Key = key
		f.all = append(f.all, p)
	}

	with := &f.all[i]
	with.Count++
	if len(with.Objects) < listed {
		with.Objects = append(with.Objects, o)
	}
	if with.Since.IsZero() || !o.Since.IsZero() && o.Since.Before(with.Since) {
		with.Since = o.Since
	}
}

// problems are what is wrong, the worst first, and of the same level the longest.
func (s *Status) problems() []ui.Problem {
	var f findings
	for _, t := range s.Installation.Trouble {
		f.all = append(f.all, troubled(t, s.Installation.Namespace))
	}

	s.failingBindings(&f)
	s.failingGates(&f)
	s.failingLoadBalancers(&f)
	s.closedGates(&f)
	s.lackingPods(&f)

	slices.SortStableFunc(f.all, func(a, b ui.Problem) int {
		levels := ui.Levels()
		return cmp.Or(slices.Index(levels, a.Level)-slices.Index(levels, b.Level), a.Since.Compare(b.Since))
	})
	for i := range f.all {
		f.all[i].Title = strings.ReplaceAll(f.all[i].Title, "COUNT pods", plural.Count(f.all[i].Count, "pod"))
	}
	return f.all
}

// troubled is the problem of a sentence about podgate itself: what is wrong, what comes of it, and perhaps what to do.
func troubled(sentence, namespace string) ui.Problem {
	p := ui.Problem{Level: ui.Broken, Key: "podgate " + sentence, Next: "look at podgate's pods and their logs: kubectl -n " + namespace + " get pods"}
	p.Title, p.Message, _ = strings.Cut(sentence, ": ")
	if at := strings.LastIndex(p.Message, "; "); at >= 0 {
		p.Message, p.Next = p.Message[:at], p.Message[at+2:]
	}
	if !strings.HasPrefix(p.Title, "podgate ") {
		p.Title = "podgate: " + p.Title
	}
	return p
}

// failingBindings are those whose group cannot be read or served, and those that keep targets on purpose.
func (s *Status) failingBindings(f *findings) {
	for _, b := range s.Bindings {
		o := ui.Object{Kind: strings.ToLower(b.Kind), Namespace: b.Namespace, Name: b.Name, Since: timeOf(b.Since)}
		if b.Status != string(metav1.ConditionTrue) && b.Status != "" {
			f.add("binding "+b.object()+" "+b.Namespace, ui.Problem{Level: ui.Failing, Title: "A binding does not work", Reason: b.Reason, Message: b.Message, Next: b.Next}, o)
		}

		for _, c := range b.Further {
			p := ui.Problem{Level: ui.Failing, Title: "A binding says " + c.Type, Reason: c.Reason, Message: c.Message}
			if c.Type == v1alpha1.ConditionTargetsHeld {
				p.Level, p.Title = ui.Waiting, "Targets are kept that should go"
			}
			if e, told := v1alpha1.Explain(v1alpha1.Place(c.Type), c.Reason); told {
				p.Next = e.Fix
			}
			o.Since = c.LastTransitionTime.Time
			f.add("further "+c.Type+b.object()+" "+b.Namespace, p, o)
		}
	}
}

// failingGates are ReadinessGates that do not work, and their checks that do not pass.
func (s *Status) failingGates(f *findings) {
	for _, g := range s.ReadinessGates {
		o := ui.Object{Kind: "readinessgate", Namespace: g.Namespace, Name: g.Name, Since: timeOf(g.Since)}
		if g.Status == string(metav1.ConditionFalse) {
			fix, _ := v1alpha1.Explain(v1alpha1.OnReadinessGate, g.Reason)
			f.add("gate "+g.Namespace+"/"+g.Name, ui.Problem{Level: ui.Failing, Title: "A ReadinessGate does not work", Reason: g.Reason, Message: g.Message, Next: cmp.Or(fix.Fix, "look at the message")}, o)
		}

		for _, c := range g.Checks {
			if c.Said != nil && c.Said.Failing+c.Said.NoAnswer > 0 && g.Pods.Waiting > 0 {
				o.Since = timeOf(c.Said.Since)
				title := fmt.Sprintf("Check %s fails for %s", c.Name, plural.Count(int(c.Said.Failing), "pod"))
				if c.Said.NoAnswer > 0 {
					title += fmt.Sprintf(", and has no answer for %d", c.Said.NoAnswer)
				}
				f.add("check "+c.Name+g.Namespace+"/"+g.Name, ui.Problem{Level: ui.Waiting, Title: title, Message: c.Said.Problem, Next: "look at what the check asks: " + c.Asks}, o)
			}
		}
	}
}

func (s *Status) failingLoadBalancers(f *findings) {
	for _, b := range s.LoadBalancers {
		if b.State == StateRefused || b.problems() > 0 {
			p := ui.Problem{Level: ui.Failing, Title: "The load balancer of " + map[string]string{kindIngress: "Ingresses", kindService: "a Service"}[b.Kind] + " is not as asked", Reason: b.State, Message: b.Message, Next: b.Next}
			f.add("lb "+b.Kind+b.Group, p, ui.Object{Kind: "group", Name: b.Group, Since: timeOf(b.Since)})
		}
	}
}

// closedGates are those that pods with ready containers wait at, by their reason.
func (s *Status) closedGates(f *findings) {
	for _, w := range s.Waiting {
		key := joined(w.Namespace, w.Type, w.Reason)
		f.add("closed "+key, ui.Problem{
			Level: ui.Waiting, Title: "COUNT pods at a closed gate of " + w.From, Reason: w.Reason, Message: w.Message, Next: w.Next,
		}, ui.Object{Kind: "pod", Namespace: w.Namespace, Name: w.Pod, Since: w.ReadySince.Time})
	}

	for _, p := range s.Stuck {
		f.add("stuck "+p.Namespace+p.Reason, ui.Problem{
			Level: ui.Waiting, Title: "COUNT pods with containers that do not become ready", Reason: p.Reason, Message: p.Rollout, Next: p.Next,
		}, ui.Object{Kind: "pod", Namespace: p.Namespace, Name: p.Pod, Since: p.Since.Time})
	}
}

// lackingPods are those that should carry a gate and do not.
func (s *Status) lackingPods(f *findings) {
	for _, u := range s.Ungated {
		f.add("ungated "+joined(u.Namespace, u.Reason, u.Message), ui.Problem{
			Level: ui.Lacking, Title: "COUNT pods without a gate that they should have", Reason: u.Reason, Message: u.Message, Next: u.Next,
		}, ui.Object{Kind: "pod", Namespace: u.Namespace, Name: u.Pod, Since: u.Created.Time})
	}
}

// workloads are those whose pods carry a gate, or should.
func (s *Status) workloads(ctx context.Context, r *snapshot) ([]ui.Workload, error) {
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(s.namespace)); err != nil {
		return nil, err
	}

	ungated := map[string]bool{}
	for _, u := range s.Ungated {
		ungated[u.Namespace+"/"+u.Pod] = true
	}

	type made struct {
		ui.Workload
		revisions map[string]bool
		gated     bool
	}
	all := map[binding.Maker]*made{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		m := binding.MakerOf(pod)
		if m.Kind == "" {
			m.Kind, m.Name = podKind, pod.Name
		}
		if binding.Over(pod) {
			continue
		}

		w := all[m]
		if w == nil {
			w = &made{Workload: ui.Workload{Kind: m.Kind, Namespace: m.Namespace, Name: m.Name}, revisions: map[string]bool{}}
			all[m] = w
		}

		lacks := ungated[pod.Namespace+"/"+pod.Name]
		w.gated = w.gated || lacks || len(r.kinds.Of(pod)) > 0
		if !pod.DeletionTimestamp.IsZero() {
			w.Leaving++
			continue
		}

		w.Pods++
		w.revisions[manual.Revision(checks.SubjectOf(pod))] = true
		if lacks {
			w.Ungated++
		}
		if isTrue(binding.Condition(pod, corev1.PodReady)) {
			w.Ready++
		}
		if len(s.waitingAt(r.kinds, pod)) > 0 {
			w.Waiting++
		}
	}

	var rows []ui.Workload
	for _, w := range all {
		if w.gated {
			w.Revisions = len(w.revisions)
			rows = append(rows, w.Workload)
		}
	}
	slices.SortFunc(rows, func(a, b ui.Workload) int {
		return cmp.Or(b.Waiting-a.Waiting, b.Ungated-a.Ungated, (b.Pods-b.Ready)-(a.Pods-a.Ready), compare(a.Namespace, b.Namespace, a.Name, b.Name, a.Kind, b.Kind))
	})
	return rows, nil
}
