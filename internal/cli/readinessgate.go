// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/variables"
	"github.com/podgate/podgate/internal/observe/checks"
	"github.com/podgate/podgate/internal/plural"
)

// ReadinessGateReport is what a ReadinessGate asks, and what it says of itself.
type ReadinessGateReport struct {
	Name string `json:"name"`
	// Status, Reason, Message and Since are those of its condition Ready; empty while podgate has not reported on it.
	Status  string       `json:"status,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	Message string       `json:"message,omitempty"`
	Since   *metav1.Time `json:"since,omitempty"`
	// Match says how many of the checks have to pass.
	Match  v1alpha1.Match    `json:"match"`
	Mode   v1alpha1.GateMode `json:"mode"`
	DryRun bool              `json:"dryRun,omitempty"`
	Checks []CheckReport     `json:"checks"`
}

// CheckReport is what one check asks, and what it said last of all pods that it is asked about.
type CheckReport struct {
	Name string `json:"name"`
	// Asks is what is asked of each pod; in an explanation, what is asked about that pod.
	Asks string `json:"asks"`
	// Resolved is the query, the URL, the path or the name of the object with the pod's values for variables. It is empty where
	// there is none, or where the pod lacks a value, which Unresolved says.
	Resolved   string `json:"resolved,omitempty"`
	Unresolved bool   `json:"unresolved,omitempty"`
	// Said is nil while podgate asks it about no pod.
	Said *v1alpha1.CheckStatus `json:"said,omitempty"`
}

// checkGate reports a gate of a ReadinessGate.
func (x *explanation) checkGate(ctx context.Context, g *GateReport) error {
	x.byHand(g)
	name := strings.TrimPrefix(g.Type, v1alpha1.CheckPrefix)
	g.From = fmt.Sprintf("ReadinessGate %q", name)
	var object v1alpha1.ReadinessGate
	err := x.reader.Get(ctx, client.ObjectKey{Namespace: x.pod.Namespace, Name: name}, &object)
	switch {
	case notFound(err) || meta.IsNoMatchError(err):
		g.From += ": there is none of that name in the namespace"
		g.Next = unfed(g)
		return nil
	case err != nil:
		g.From += ", which you may not read"
		g.Next = adviceOf(g.open(), g.Reason)
		return x.Unknown.forgive(err, "what the checks ask")
	}

	report := readinessGateReport(&object)
	for i := range report.Checks {
		report.Checks[i].resolve(&object.Spec.Checks[i], x.pod)
	}
	g.ReadinessGate = &report
	g.Next = x.nextOfChecks(g, &report, object.Spec.Checks)
	return nil
}

// nextOfChecks is what to do about a gate of a ReadinessGate that is there.
func (x *explanation) nextOfChecks(g *GateReport, r *ReadinessGateReport, of []v1alpha1.Check) string {
	switch {
	case g.open():
		return adviceOf(true, g.Reason)
	case !isTrue(binding.Condition(x.pod, corev1.ContainersReady)):
		return untangle(x.pod)
	case r.Status == string(metav1.ConditionFalse):
		e, _ := v1alpha1.Explain(v1alpha1.OnReadinessGate, r.Reason)
		return cmp.Or(e.Fix, "look at the message")
	case g.Reason == v1alpha1.ReasonCheckNoAnswer:
		return cmp.Or(withoutAnswer(of, g.Message), adviceOf(false, g.Reason))
	}
	return x.Installation.closedAdvice(*g, true)
}

// withoutAnswer is what to do about the check that a gate's message names, which has no answer; empty where it asks a pod or a host.
func withoutAnswer(all []v1alpha1.Check, message string) string {
	name, _, _ := strings.Cut(message, ": ")
	i := slices.IndexFunc(all, func(c v1alpha1.Check) bool { return c.Name == name })
	switch {
	case i < 0:
		return ""
	case all[i].Prometheus != nil:
		return "ask the query at the Prometheus server: it has to return one number for this pod"
	case all[i].Resource != nil:
		return "see whether the object is there, and whether the expression asks with has() for fields that it may not have"
	case all[i].Pod != nil:
		return "have the expression ask with has() for what this pod does not have"
	}
	return ""
}

func readinessGateReport(g *v1alpha1.ReadinessGate) ReadinessGateReport {
	r := ReadinessGateReport{
		Name: g.Name, Match: cmp.Or(g.Spec.Match, v1alpha1.MatchAll), Mode: cmp.Or(g.Spec.Gate.Mode, "Latch"), DryRun: g.Spec.DryRun,
	}
	if c := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		r.Status, r.Reason, r.Message, r.Since = string(c.Status), c.Reason, c.Message, &c.LastTransitionTime
	}

	for i := range g.Spec.Checks {
		c := &g.Spec.Checks[i]
		report := CheckReport{Name: c.Name, Asks: question(c)}
		for j := range g.Status.Checks {
			if g.Status.Checks[j].Name == c.Name {
				report.Said = &g.Status.Checks[j]
			}
		}
		r.Checks = append(r.Checks, report)
	}

	return r
}

// resolve has a report say what the check asks about one pod.
func (r *CheckReport) resolve(c *v1alpha1.Check, pod *corev1.Pod) {
	filled, ok := filledIn(c, checks.SubjectOf(pod))
	if !ok {
		r.Unresolved = true
		return
	}

	r.Asks = question(filled)
	switch {
	case filled.HTTP != nil && filled.HTTP.Port == nil:
		r.Resolved = filled.HTTP.URL
	case filled.HTTP != nil:
		r.Resolved = cmp.Or(filled.HTTP.Path, "/")
	case filled.Prometheus != nil:
		r.Resolved = filled.Prometheus.Query
	case filled.Resource != nil:
		r.Resolved = filled.Resource.Name
	}
}

// filledIn is a check with a pod's values for variables; ok is false when the pod lacks one.
func filledIn(c *v1alpha1.Check, pod check.Subject) (filled *v1alpha1.Check, ok bool) {
	filled, ok = c.DeepCopy(), true
	fill := func(text *string, with func(variables.Text, check.Subject) (string, bool)) {
		parsed, err := variables.Parse(*text)
		value, has := with(parsed, pod)
		*text, ok = value, ok && err == nil && has
	}

	switch {
	case filled.HTTP != nil:
		fill(&filled.HTTP.URL, variables.Text.FillURL)
		fill(&filled.HTTP.Path, variables.Text.FillURL)
		fill(&filled.HTTP.Host, variables.Text.Fill)
		for i := range filled.HTTP.Headers {
			fill(&filled.HTTP.Headers[i].Value, variables.Text.Fill)
		}
	case filled.Prometheus != nil:
		fill(&filled.Prometheus.Query, variables.Text.Fill)
	case filled.Resource != nil:
		fill(&filled.Resource.Name, variables.Text.Fill)
	}
	return filled, ok
}

// question is what a check asks, for people.
func question(c *v1alpha1.Check) string {
	text := c.Kind()
	switch {
	case c.HTTP != nil:
		text = httpQuestion(c.HTTP)
	case c.TCP != nil && c.TCP.Port != nil:
		text = "a connection to port " + c.TCP.Port.String()
	case c.TCP != nil:
		text = "a connection to " + c.TCP.Address
	case c.GRPC != nil:
		text = "gRPC health" + of(c.GRPC.Service) + " at "
		if c.GRPC.Port != nil {
			text += "port " + c.GRPC.Port.String()
		} else {
			text += c.GRPC.Address
		}
	case c.Prometheus != nil:
		text = fmt.Sprintf("%s at Prometheus server %s, %s", c.Prometheus.Query, c.Prometheus.Server, c.Prometheus.Expression)
	case c.Resource != nil:
		text = fmt.Sprintf("%s %s, %s", c.Resource.Kind, cmp.Or(c.Resource.Name, metav1.FormatLabelSelector(c.Resource.Selector)), c.Resource.Expression)
	case c.Pod != nil:
		text = "the pod, " + c.Pod.Expression
	case c.Manual != nil:
		text = "a person's approval of the " + strings.ToLower(string(cmp.Or(c.Manual.Scope, v1alpha1.ApprovalRevision)))
	}

	if period := c.Period(); period > 0 {
		text += ", every " + period.String()
	}
	return strings.Join(strings.Fields(text), " ") // Queries and expressions may have several lines.
}

func httpQuestion(h *v1alpha1.HTTPCheck) string {
	text := string(cmp.Or(h.Method, "GET")) + " "
	if h.Port == nil {
		text += h.URL
	} else {
		text += fmt.Sprintf("%s at port %s", cmp.Or(h.Path, "/"), h.Port)
	}
	if h.Expression != "" {
		text += ", " + h.Expression
	}
	return text
}

// of is " of " and a name, if there is one.
func of(name string) string {
	if name == "" {
		return ""
	}
	return " of " + name
}

// says writes what a ReadinessGate asks and says.
func (r *ReadinessGateReport) says(p *paper) {
	text := "podgate has not reported on it yet"
	if r.Status != "" {
		text = fmt.Sprintf("Ready %s, %s", p.status(r.Status), r.Reason)
		if r.Since != nil {
			text += ", for " + p.ago(r.Since.Time)
		}
	}
	text += fmt.Sprintf("; match %s, mode %s", r.Match, r.Mode)
	if r.DryRun {
		text += ", a dry run"
	}
	p.field("gate", text)
	if r.Status == string(metav1.ConditionFalse) {
		p.field("", r.Message)
	}

	for _, c := range r.Checks {
		p.field("check", c.Name+": "+c.Asks)
		if c.Unresolved {
			p.field("", "a variable in it has no value for this pod, which gives no answer")
		}
		if s := c.Said; s != nil {
			said := fmt.Sprintf("of the pods that are asked about %d %s, %d %s, %d %s no answer",
				s.Passing, plural.Of(s.Passing, "passes", "pass"), s.Failing, plural.Of(s.Failing, "fails", "fail"), s.NoAnswer, plural.Of(s.NoAnswer, "gives", "give"))
			if s.Problem != "" {
				said += "; most often: " + s.Problem
			}
			p.field("", said)
		}
	}
}

// readinessGates lists the ReadinessGates.
func (s *Status) readinessGates(ctx context.Context, r *snapshot) error {
	var all v1alpha1.ReadinessGateList
	if err := r.List(ctx, &all, client.InNamespace(s.namespace)); err != nil {
		return err
	}

	for i := range all.Items {
		g := &all.Items[i]
		status := ReadinessGateStatus{Namespace: g.Namespace, ReadinessGateReport: readinessGateReport(g)}
		if g.Status.Pods != nil {
			status.Pods = *g.Status.Pods
		}
		s.ReadinessGates = append(s.ReadinessGates, status)
	}

	slices.SortFunc(s.ReadinessGates, func(a, b ReadinessGateStatus) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

// writeReadinessGates writes nothing where there are none: most namespaces have only bindings.
func (s *Status) writeReadinessGates(p *paper) {
	if len(s.ReadinessGates) == 0 {
		return
	}

	headings := []string{"NAMESPACE", "READINESSGATE", "READY", "REASON", "GATES OPEN", "WAITING"}
	if p.wide {
		headings = append(headings, "MESSAGE", "NEXT")
	}

	var rows [][]string
	for _, g := range s.ReadinessGates {
		row := []string{
			g.Namespace, g.Name, p.status(or(g.Status)), or(g.Reason),
			fmt.Sprintf("%d/%d", g.Pods.Open, g.Pods.Gated), strconv.Itoa(int(g.Pods.Waiting)),
		}
		if p.wide {
			fix, _ := v1alpha1.Explain(v1alpha1.OnReadinessGate, g.Reason)
			row = append(row, or(g.Message), cmp.Or(fix.Fix, "look at the message"))
		}
		rows = append(rows, row)
	}

	p.printf("\n%s\n", p.paint(bold, "READINESS GATES"))
	p.table(headings, rows)
	s.writeChecks(p)
}

// writeChecks writes what each check said last.
func (s *Status) writeChecks(p *paper) {
	headings := []string{"NAMESPACE", "READINESSGATE", "CHECK", "PASS", "FAIL", "NO ANSWER", "PROBLEM"}
	if p.wide {
		headings = append(headings, "ASKS")
	}

	var rows [][]string
	for _, g := range s.ReadinessGates {
		for _, c := range g.Checks {
			row := []string{g.Namespace, g.Name, c.Name, "-", "-", "-", "-"}
			if said := c.Said; said != nil {
				copy(row[3:], []string{strconv.Itoa(int(said.Passing)), strconv.Itoa(int(said.Failing)), strconv.Itoa(int(said.NoAnswer)), or(said.Problem)})
			}
			if p.wide {
				row = append(row, c.Asks)
			}
			rows = append(rows, row)
		}
	}

	p.printf("\n%s\n", p.paint(bold, "CHECKS: of the pods that each was asked about last"))
	p.table(headings, rows)
}
