// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/plural"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

func newExplainIngress(e *environment) *cobra.Command {
	return &cobra.Command{
		Use:     "ingress NAME",
		Aliases: []string{"ing", "ingresses"},
		Short:   "Whether an Ingress is served, by which rules and backends, and what its load balancer waits for",
		Long: "explain ingress shows whether podgate serves an Ingress and why not; the Ingresses that share its load balancer, and what is wrong with each; " +
			"its rules in the order in which they apply; what serves behind them; and what podgate told of it last. " +
			"It asks the API server alone: what only AWS knows, such as subnets and certificates, the events tell.",
		Example: "  podgate explain ingress -n shop web\n  kubectl podgate explain ingress -n shop web -o wide",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || strings.Contains(args[0], "/") {
				return fmt.Errorf("explain one Ingress: its name is missing, or there are several (%d); kubectl get ingresses lists them", len(args))
			}
			return nil
		},
		ValidArgsFunction: e.completeIngresses,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.explainIngress(cmd.Context(), args[0])
		},
	}
}

func (e *environment) explainIngress(ctx context.Context, name string) error {
	reader, err := e.snapshot(ctx)
	if err != nil {
		return err
	}
	namespace, err := e.namespace()
	if err != nil {
		return err
	}
	x, err := explainIngress(ctx, reader, types.NamespacedName{Namespace: namespace, Name: name}, e.home, metav1.Time{Time: e.Now()})
	if err != nil {
		return err
	}
	return e.write(x, x.write)
}

// IngressExplanation is what is known of an Ingress.
type IngressExplanation struct {
	Namespace string `json:"namespace"`
	Ingress   string `json:"ingress"`
	// Verdict is the answer in a sentence, and Next what to do.
	Verdict string `json:"verdict"`
	Next    string `json:"next,omitempty"`
	// Served: podgate serves it, as far as its class and podgate's flags say.
	Served bool        `json:"served"`
	Class  ClassReport `json:"class"`
	// Group names the group that it joins; empty: its load balancer is for it alone.
	Group string `json:"group,omitempty"`
	// Leaves are the groups that it was in before, and of which podgate may have something of it still.
	Leaves []string `json:"leaves,omitempty"`
	// Members are the Ingresses that share its load balancer, in the order in which their rules apply.
	Members []GroupMember `json:"members,omitempty"`
	// Listeners are those of its load balancer as they should be.
	Listeners []ListenerReport `json:"listeners,omitempty"`
	Backends  []BackendReport  `json:"backends,omitempty"`
	// Hostname is the load balancer's, and Says what podgate told of that last.
	Hostname string        `json:"hostname,omitempty"`
	Says     *IngressEvent `json:"says,omitempty"`
	// Events are the latest ones on the Ingress, the latest first.
	Events []IngressEvent `json:"events"`
	// Installation is podgate itself.
	Installation *Installation `json:"podgate"`
	// Unknown is what could not be read, and so not be told.
	Unknown gaps `json:"unknown,omitempty"`

	good bool
}

// ClassReport is the class of an Ingress.
type ClassReport struct {
	// Name is the IngressClass's; empty where the Ingress names none and there is no default. Annotated: the annotation names it.
	Name      string `json:"name,omitempty"`
	Annotated bool   `json:"annotated,omitempty"`
	// Controller is what the IngressClass names; empty where there is no such class.
	Controller string `json:"controller,omitempty"`
	// Params names its IngressClassParams.
	Params string `json:"params,omitempty"`
}

// mostEvents is how many events are shown.
const mostEvents = 10

// explainIngress finds out all about an Ingress.
func explainIngress(ctx context.Context, r *snapshot, key types.NamespacedName, home string, now metav1.Time) (*IngressExplanation, error) {
	ing := &networkingv1.Ingress{}
	if err := r.Get(ctx, key, ing); err != nil {
		return nil, fmt.Errorf("get ingress %s: %w", key, err)
	}

	x := &IngressExplanation{Namespace: ing.Namespace, Ingress: ing.Name, Hostname: hostnameOf(ing), Events: []IngressEvent{}}
	var err error
	if x.Installation, err = findInstallation(ctx, r, home, now.Time, &x.Unknown); err != nil {
		return nil, err
	}
	all, err := readIngresses(ctx, r, x.Installation, ing.Namespace, &x.Unknown)
	if err != nil {
		return nil, err
	}

	if x.Class, err = all.class(ctx, ing); err != nil {
		return nil, err
	}
	if x.Served = all.serves(ing) && all.asked.serves(ing.Namespace); x.Served {
		if err := x.grouped(ctx, all, ing); err != nil {
			return nil, err
		}
	}

	events, err := ingressEvents(ctx, r, ing.Namespace)
	if err := x.Unknown.forgive(err, "what podgate told of the Ingress"); err != nil {
		return nil, err
	}
	x.told(events[ing.UID])
	x.conclude(all, ing)
	return x, nil
}

// told takes from the events what is known at AWS alone.
func (x *IngressExplanation) told(events []IngressEvent) {
	x.Events = append(x.Events, events[:min(len(events), mostEvents)]...)
	x.Says = newest(events)
	for i := range events {
		if x.Says == nil && events[i].Type == corev1.EventTypeWarning && events[i].next() != "" {
			x.Says = &events[i]
		}
	}

	i := slices.IndexFunc(x.Members, func(m GroupMember) bool { return m.Namespace == x.Namespace && m.Name == x.Ingress })
	if i < 0 {
		return
	}
	known := map[string]bool{}
	for _, p := range x.Members[i].Problems {
		known[p.Message] = true
	}
	for _, e := range events {
		if e.Reason == v1alpha1.ReasonNoCertificate && !known[e.Message] {
			known[e.Message] = true
			x.Members[i].Problems = append(x.Members[i].Problems, Problem{Severity: severities[routes.Partial], Reason: e.Reason, Message: e.Message, Told: &e.At})
		}
	}
}

// grouped reports the Ingress's load balancer.
func (x *IngressExplanation) grouped(ctx context.Context, all *ingresses, ing *networkingv1.Ingress) error {
	g, err := all.group(ctx, all.groupOf(ing))
	if err != nil {
		return err
	}
	if g.key.Namespace == "" {
		x.Group = g.key.Name
	}
	for stack := range strings.SplitSeq(ing.Annotations[v1alpha1.StacksAnnotation], ",") {
		if stack != "" && stack != routes.StackOf(g.key) {
			x.Leaves = append(x.Leaves, stack)
		}
	}
	x.Members = g.members
	x.Listeners = listenersOf(g.stack)
	x.Backends, err = all.backends(ctx, g, ing)
	return err
}

// class reports the class of an Ingress, which the annotation, the name or the default says.
func (s *ingresses) class(ctx context.Context, ing *networkingv1.Ingress) (ClassReport, error) {
	var report ClassReport
	report.Name, report.Annotated = ing.Annotations[annotationOfClass]
	if name := ing.Spec.IngressClassName; name != nil && !report.Annotated {
		report.Name = *name
	}

	var all networkingv1.IngressClassList
	if err := s.reader.List(ctx, &all); err != nil {
		return report, s.unknown.forgive(err, "what its class is")
	}
	for _, class := range all.Items {
		byDefault := report.Name == "" && class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
		if class.Name != report.Name && !byDefault {
			continue
		}
		report.Name, report.Controller = class.Name, class.Spec.Controller
		if class.Spec.Parameters != nil {
			report.Params = class.Spec.Parameters.Name
		}
		break
	}
	return report, nil
}

// annotationOfClass is what chose a class before spec.ingressClassName did.
const annotationOfClass = "kubernetes.io/ingress.class"

// conclude says the answer in a sentence.
func (x *IngressExplanation) conclude(all *ingresses, ing *networkingv1.Ingress) {
	class, told := all.of[ownerOf(ing)]
	i := slices.IndexFunc(x.Members, func(m GroupMember) bool { return m.owner() == ownerOf(ing) })
	switch {
	case !ing.DeletionTimestamp.IsZero():
		x.Verdict, x.Next = deleted(ing), "wait; the events say what holds it up, if something does"
	case !told:
		x.Verdict, x.Next = "has a class of which podgate cannot tell whose it is", "ask somebody who may read IngressClasses"
	case !class.Served && class.Refused == "":
		x.Verdict, x.Next = x.Class.notPodgates(all.asked), "nothing, if another controller serves it; else name an IngressClass of controller "+v1alpha1.IngressController
		if claimed(ing) {
			x.Verdict += "; podgate is taking away what it had of it"
		}
	case class.Served && !all.serves(ing):
		x.Verdict, x.Next = "has a class that AWS Load Balancer Controller serves, too, and podgate's flags are not known here", "ask somebody who may read podgate's Deployment: --ingress-controller says which classes it serves"
	case !all.asked.on:
		x.Verdict, x.Next = "is not served: podgate runs without --ingress", "set ingress.enabled in the chart"
	case !all.asked.serves(ing.Namespace):
		x.Verdict, x.Next = fmt.Sprintf("is not served: podgate serves namespace %s alone (--watch-namespace)", all.asked.watch), "nothing, if that is meant"
	case lbc.IngressFinalizers(ing) != nil:
		x.Verdict, x.Next = "belongs to AWS Load Balancer Controller, which has its finalizer on it: while that runs, podgate only observes it", "nothing, or remove that controller: podgate then takes the Ingress over"
	case i < 0:
		x.Verdict = "is not served: " + class.Refused
	case x.Members[i].refused():
		x.refused(x.Members[i], ing)
	default:
		x.published(x.Members[i], ing)
	}
}

// deleted is what becomes of an Ingress that is being deleted.
func deleted(ing *networkingv1.Ingress) string {
	if claimed(ing) {
		return "is being deleted: podgate takes away what it has of it at AWS first"
	}
	return "is being deleted"
}

// notPodgates says why an Ingress is not podgate's.
func (c ClassReport) notPodgates(asked ingressFlags) string {
	switch {
	case c.Name == "":
		return "is not podgate's: it names no class, and there is no default one"
	case c.Controller == sharedController && asked.known:
		return fmt.Sprintf("is not podgate's: its class %q is of controller %s, which podgate serves only with --ingress-controller=%s", c.Name, c.Controller, c.Controller)
	case c.Controller == "":
		return fmt.Sprintf("is not podgate's: its class is %q", c.Name)
	}
	return fmt.Sprintf("is not podgate's: its class %q is of controller %s", c.Name, c.Controller)
}

// refused says why an Ingress cannot be served as it is.
func (x *IngressExplanation) refused(m GroupMember, ing *networkingv1.Ingress) {
	first := m.Problems[slices.IndexFunc(m.Problems, func(p Problem) bool { return p.Severity == "Refused" })]
	x.Verdict = "cannot be served as it is (" + first.Reason + ")"
	if claimed(ing) {
		x.Verdict += "; rules that its load balancer has of it stay as they are"
	}
	x.Next = "correct what its problems name"
}

// published says how the load balancer is.
func (x *IngressExplanation) published(m GroupMember, ing *networkingv1.Ingress) {
	problems := ""
	if n := len(m.Problems); n > 0 {
		problems = ", with " + plural.Count(n, "problem")
	}
	x.Next = "nothing to do"
	if problems != "" {
		x.Next = "look at its problems"
	}

	working := x.Says == nil || x.Says.Reason == v1alpha1.ReasonLoadBalancerReady
	switch {
	case x.Hostname != "" && working:
		x.Verdict, x.good = "is served as "+x.Hostname+problems, true
		for _, b := range x.Backends {
			if why, next := b.trouble(); why != "" {
				x.Verdict, x.Next, x.good = x.Verdict+", but "+why, next, false
				return
			}
		}
	case x.Hostname != "":
		x.Verdict = "is served as " + x.Hostname + problems + "; " + x.Says.sentence()
		x.Next = x.Says.next()
	case x.Says != nil && x.Says.Type == corev1.EventTypeWarning:
		x.Verdict, x.Next = "is not served: "+x.Says.sentence(), x.Says.next()
	case x.Says != nil:
		x.Verdict, x.Next = "has no load balancer's name yet: "+x.Says.sentence(), x.Says.next()
	case claimed(ing):
		x.Verdict, x.Next = "has no load balancer's name yet, and no event of late says what it waits for", "find out whether podgate runs: its log says what it does"
	default:
		x.Verdict = "is not taken up by podgate: it has neither podgate's finalizer nor an event"
		x.Next = "wait a few seconds; else find out whether podgate runs with --ingress and serves this namespace"
	}
}

// sentence is what an event says of a load balancer.
func (e *IngressEvent) sentence() string {
	return e.Reason + ": " + strings.TrimSuffix(e.Message, ".")
}

// next is what to do about it; empty where it is not podgate's.
func (e *IngressEvent) next() string {
	fix, _ := v1alpha1.Explain(v1alpha1.OnIngressEvent, e.Reason)
	return fix.Fix
}

// write is for people.
func (x *IngressExplanation) write(p *paper) {
	colour := red
	if x.good {
		colour = green
	}
	p.printf("Ingress %s/%s %s.\n", x.Namespace, x.Ingress, p.paint(colour, strings.TrimSuffix(x.Verdict, ".")))
	p.field("class", x.Class.write())
	if x.Served && x.Group == "" {
		p.field("group", "none: its load balancer is for it alone")
	}
	if len(x.Leaves) > 0 {
		p.field("leaves", strings.Join(x.Leaves, ", ")+", where podgate takes its rules away")
	}
	p.field("next", x.Next)

	x.writeMembers(p)
	for _, l := range x.Listeners {
		l.write(p, x.Namespace+"/"+x.Ingress)
	}
	for _, b := range x.Backends {
		b.write(p)
	}

	p.printf("\n%s\n", p.paint(bold, "EVENTS, the latest first"))
	if len(x.Events) == 0 {
		p.printf("none of late\n")
	}
	var rows [][]string
	for _, e := range x.Events {
		rows = append(rows, []string{p.ago(e.At.Time), e.Type, e.Reason, e.Message})
	}
	if len(rows) > 0 {
		p.table([]string{"AGO", "TYPE", "REASON", "MESSAGE"}, rows)
	}

	if p.wide || len(x.Installation.Trouble) > 0 {
		p.printf("\n")
		x.Installation.write(p)
	}
	if len(x.Unknown) > 0 {
		p.printf("\n")
	}
	p.gaps(x.Unknown)
}

// write is for people.
func (c ClassReport) write() string {
	text := or(c.Name)
	if c.Annotated {
		text += " (annotation " + annotationOfClass + ")"
	}
	if c.Controller != "" {
		text += ", of controller " + c.Controller
	}
	if c.Params != "" {
		text += ", with IngressClassParams " + c.Params
	}
	return text
}

// writeMembers writes the members of a group, and what is wrong with each.
func (x *IngressExplanation) writeMembers(p *paper) {
	if x.Group == "" {
		for _, m := range x.Members {
			m.write(p, "")
		}
		return
	}

	p.printf("\n%s\n", p.paint(bold, fmt.Sprintf("GROUP %s, in the order of their rules", x.Group)))
	for i, m := range x.Members {
		line := fmt.Sprintf("%d. %s", i+1, m.owner())
		if m.Namespace == x.Namespace && m.Name == x.Ingress {
			line += " (this one)"
		}
		if m.Leaving {
			line += ": is being deleted"
		}
		p.printf("  %s\n", line)
		m.write(p, "     ")
	}
}

// write writes what is wrong with an Ingress.
func (m GroupMember) write(p *paper, indent string) {
	if len(m.Problems) > 0 && indent == "" {
		p.printf("\n%s\n", p.paint(bold, "PROBLEMS"))
		indent = "  "
	}
	for _, problem := range m.Problems {
		heading := problem.Severity + " " + problem.Reason
		if problem.Told != nil {
			heading += ", told " + p.ago(problem.Told.Time) + " ago"
		}
		p.printf("%s%s %s\n", indent, p.paint(problem.colour(), heading+":"), problem.Message)
	}
}

func (p Problem) colour() string {
	if p.Severity == "Notice" {
		return yellow
	}
	return red
}

// completeIngresses gives a shell the names of Ingresses.
func (e *environment) completeIngresses(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	kube, namespace, err := e.here()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}

	var list networkingv1.IngressList
	if err := kube.List(cmd.Context(), &list, client.InNamespace(namespace), client.Limit(page)); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return begunWith(begun, names), cobra.ShellCompDirectiveNoFileComp
}
