// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/lbc"
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
	BalancerReport
	Class ClassReport `json:"class"`
	// Group names the group that it joins; empty: its load balancer is for it alone.
	Group string `json:"group,omitempty"`
	// Leaves are the groups that it was in before, and of which podgate may have something of it still.
	Leaves []string `json:"leaves,omitempty"`
	// Members are the Ingresses that share its load balancer, in the order in which their rules apply.
	Members []GroupMember `json:"members,omitempty"`
	// Listeners are those of its load balancer as they should be.
	Listeners []ListenerReport `json:"listeners,omitempty"`
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

// explainIngress finds out all about an Ingress.
func explainIngress(ctx context.Context, r *snapshot, key types.NamespacedName, home string, now metav1.Time) (*IngressExplanation, error) {
	ing := &networkingv1.Ingress{}
	if err := r.Get(ctx, key, ing); err != nil {
		return nil, fmt.Errorf("get ingress %s: %w", key, err)
	}

	x := &IngressExplanation{Namespace: ing.Namespace, Ingress: ing.Name, BalancerReport: BalancerReport{Hostname: hostnameOf(ing), Events: []BalancerEvent{}}}
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

	events, err := balancerEvents(ctx, r, kindIngress, ing.Namespace)
	if err := x.Unknown.forgive(err, "what podgate told of the Ingress"); err != nil {
		return nil, err
	}
	further := x.told(events[ing.UID])
	if i := slices.IndexFunc(x.Members, func(m GroupMember) bool { return m.owner() == ownerOf(ing) }); i >= 0 {
		x.Members[i].Problems = withTold(x.Members[i].Problems, further)
	}
	x.conclude(all, ing)
	return x, nil
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
	x.Backends, err = all.reader.backends(ctx, g.maker(ing), all.unknown)
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
		x.deleted(claimed(ing))
	case !told:
		x.Verdict, x.Next = "has a class of which podgate cannot tell whose it is", "ask somebody who may read IngressClasses"
	case !class.Served && class.Refused == "":
		x.Verdict, x.Next = x.Class.notPodgates(all.asked), "nothing, if another controller serves it; else name an IngressClass of controller "+v1alpha1.IngressController
		if claimed(ing) {
			x.Verdict += "; podgate is taking away what it had of it"
		}
	case class.Served && !all.serves(ing):
		x.Verdict, x.Next = "has a class that AWS Load Balancer Controller serves, too, and podgate's flags are not known here", "ask somebody who may read podgate's Deployment: --ingress-controller says which classes it serves"
	case !all.asked.serves(ing.Namespace):
		x.unserved(all.asked)
	case lbc.IngressFinalizers(ing) != nil:
		x.Verdict, x.Next = "belongs to AWS Load Balancer Controller, which has its finalizer on it: while that runs, podgate only observes it", "nothing, or remove that controller: podgate then takes the Ingress over"
	case i < 0:
		x.Verdict = "is not served: " + class.Refused
	default:
		x.stands(x.Members[i].Problems, claimed(ing), "rules that its load balancer has of it stay as they are")
	}
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

// write is for people.
func (x *IngressExplanation) write(p *paper) {
	x.writeVerdict(p, "Ingress "+x.Namespace+"/"+x.Ingress)
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
	x.writeRest(p)
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
			writeProblems(p, m.Problems, "")
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
		writeProblems(p, m.Problems, "     ")
	}
}

// completeIngresses gives a shell the names of Ingresses.
func (e *environment) completeIngresses(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return e.completeNames(cmd, args, begun, &networkingv1.IngressList{})
}
