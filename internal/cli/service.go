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

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/provision/elb"
	routes "github.com/podgate/podgate/internal/route/ingress"
	"github.com/podgate/podgate/internal/route/service"
)

// servicePrefix begins the name of a Service, as kubectl writes it.
const servicePrefix = "service/"

func newExplainService(e *environment) *cobra.Command {
	return &cobra.Command{
		Use:     "service NAME",
		Aliases: []string{"svc", "services"},
		Short:   "Whether a Service has a network load balancer, at which ports, and what that waits for",
		Long: "explain service shows whether podgate makes a network load balancer of a Service and why not; what of it is refused or has no effect; " +
			"the listeners, who may connect, and what serves behind them; and what podgate told of it last. " +
			"It asks the API server alone: what only AWS knows, such as subnets and certificates, the events tell.",
		Example: "  podgate explain service -n shop web\n  kubectl podgate explain service -n shop web -o yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || strings.Contains(args[0], "/") {
				return fmt.Errorf("explain one Service: its name is missing, or there are several (%d); kubectl get services lists them", len(args))
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			return e.completeNames(cmd, args, begun, &corev1.ServiceList{})
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.explainService(cmd.Context(), args[0])
		},
	}
}

func (e *environment) explainService(ctx context.Context, name string) error {
	reader, err := e.snapshot(ctx)
	if err != nil {
		return err
	}
	namespace, err := e.namespace()
	if err != nil {
		return err
	}
	x, err := explainService(ctx, reader, types.NamespacedName{Namespace: namespace, Name: name}, e.home, metav1.Time{Time: e.Now()})
	if err != nil {
		return err
	}
	return e.write(x, x.write)
}

// ServiceExplanation is what is known of a Service that may ask for a load balancer.
type ServiceExplanation struct {
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	BalancerReport
	// Class is its spec.loadBalancerClass; empty where it names none.
	Class string `json:"class,omitempty"`
	// Scheme is internal or internet-facing.
	Scheme string `json:"scheme,omitempty"`
	// Clients are who may connect: ranges of addresses and prefix lists, or the security groups that say so. None: everybody may.
	Clients  []string     `json:"clients,omitempty"`
	Problems []Problem    `json:"problems,omitempty"`
	Ports    []PortReport `json:"ports,omitempty"`
}

// PortReport is a listener of a Service's load balancer as it should be.
type PortReport struct {
	Port     int32  `json:"port"`
	Protocol string `json:"protocol"`
	// TargetType is instance or ip, and TargetProtocol what targets are spoken to in.
	TargetType     string `json:"targetType"`
	TargetProtocol string `json:"targetProtocol"`
	// Certificates are ARNs that the Service names.
	Certificates []string `json:"certificates,omitempty"`
}

// explainService finds out all about a Service.
func explainService(ctx context.Context, r *snapshot, key types.NamespacedName, home string, now metav1.Time) (*ServiceExplanation, error) {
	svc := &corev1.Service{}
	if err := r.Get(ctx, key, svc); err != nil {
		return nil, fmt.Errorf("get service %s: %w", key, err)
	}

	x := &ServiceExplanation{Namespace: svc.Namespace, Service: svc.Name, BalancerReport: BalancerReport{Hostname: hostnameOfService(svc), Events: []BalancerEvent{}}}
	if class := svc.Spec.LoadBalancerClass; class != nil {
		x.Class = *class
	}
	var err error
	if x.Installation, err = findInstallation(ctx, r, home, now.Time, &x.Unknown); err != nil {
		return nil, err
	}
	asked, err := x.Installation.ingressFlags(ctx, r, &x.Unknown)
	if err != nil {
		return nil, err
	}

	if x.Served = asked.takes(svc); x.Served && svc.DeletionTimestamp.IsZero() {
		if err := x.balanced(ctx, r, svc, asked); err != nil {
			return nil, err
		}
	}

	events, err := balancerEvents(ctx, r, kindService, svc.Namespace)
	if err := x.Unknown.forgive(err, "what podgate told of the Service"); err != nil {
		return nil, err
	}
	further := x.told(events[svc.UID])
	if x.Served {
		x.Problems = withTold(x.Problems, further)
	}
	x.conclude(asked, svc)
	return x, nil
}

// takes reports whether a Service is podgate's, as far as that is known: AWS Load Balancer Controller serves each that asks, too.
func (f ingressFlags) takes(svc *corev1.Service) bool {
	return service.Asks(svc) && f.serves(svc.Namespace) && (f.known || claimed(svc))
}

// balance has the load balancer of a Service built. What only AWS knows is taken to be there.
func balance(svc *corev1.Service, settings routes.Settings) (elb.Stack, []Problem) {
	settings.Limits = service.Limits
	stack, found := service.Build(svc, elb.Observed{}, settings, takenAsThere(nil))
	var problems []Problem
	for _, p := range found {
		problems = append(problems, Problem{Severity: severities[p.Severity], Reason: p.Reason, Message: p.Message})
	}
	return stack, problems
}

// balanced reports the Service's load balancer.
func (x *ServiceExplanation) balanced(ctx context.Context, r *snapshot, svc *corev1.Service, asked ingressFlags) error {
	stack, problems := balance(svc, asked.settings)
	x.Problems, x.Scheme, x.Clients = problems, stack.LoadBalancer.Scheme, clientsOf(stack)
	for _, l := range stack.Listeners {
		port := PortReport{Port: l.Port, Protocol: l.Protocol, Certificates: l.Certificates}
		for _, g := range stack.TargetGroups {
			if g.Resource == l.Default.Forward[0].Group {
				port.TargetType, port.TargetProtocol = g.TargetType, g.Protocol
			}
		}
		x.Ports = append(x.Ports, port)
	}

	key := client.ObjectKeyFromObject(svc)
	of := maker{noun: kindService, namespace: svc.Namespace, owner: key.String(), labels: service.Labels(key), stack: stack}
	var err error
	x.Backends, err = r.backends(ctx, of, &x.Unknown)
	return err
}

// clientsOf are who may connect to a load balancer; none: everybody may.
func clientsOf(stack elb.Stack) []string {
	if stack.SecurityGroup == nil {
		return stack.LoadBalancer.SecurityGroups
	}
	var all []string
	for _, p := range stack.SecurityGroup.Ingress {
		if from := cmp.Or(p.CIDR, p.PrefixList); !slices.Contains(all, from) {
			all = append(all, from)
		}
	}
	if slices.Contains(all, "0.0.0.0/0") {
		return nil
	}
	return all
}

func hostnameOfService(svc *corev1.Service) string {
	for _, at := range svc.Status.LoadBalancer.Ingress {
		if name := cmp.Or(at.Hostname, at.IP); name != "" {
			return name
		}
	}
	return ""
}

// conclude says the answer in a sentence.
func (x *ServiceExplanation) conclude(asked ingressFlags, svc *corev1.Service) {
	switch {
	case !svc.DeletionTimestamp.IsZero():
		x.deleted(claimed(svc))
	case !service.Asks(svc):
		x.Verdict, x.Next = notBalanced(svc), "nothing, if that is meant; else make it one of type LoadBalancer with loadBalancerClass "+service.Class
		if claimed(svc) {
			x.Verdict += "; podgate is taking away what it had of it"
		}
	case !asked.serves(svc.Namespace):
		x.unserved(asked)
	case lbc.IngressFinalizers(svc) != nil:
		x.Verdict, x.Next = "belongs to AWS Load Balancer Controller, which has its finalizer on it: while that runs, podgate only observes it", "nothing, or remove that controller: podgate then takes the Service over"
	case !asked.takes(svc):
		x.Verdict, x.Next = "asks for a load balancer that AWS Load Balancer Controller serves, too, and podgate's flags are not known here", "ask somebody who may read podgate's Deployment: --ingress says whether it serves Services"
	default:
		x.stands(x.Problems, claimed(svc), "what it has of a load balancer stays as it is")
	}
}

// notBalanced says why a Service asks for no load balancer of podgate's.
func notBalanced(svc *corev1.Service) string {
	switch class := svc.Spec.LoadBalancerClass; {
	case svc.Spec.Type != corev1.ServiceTypeLoadBalancer:
		return "is not podgate's: its type is " + cmp.Or(string(svc.Spec.Type), string(corev1.ServiceTypeClusterIP))
	case class != nil:
		return fmt.Sprintf("is not podgate's: its loadBalancerClass is %q", *class)
	}
	return "is not podgate's: it has no loadBalancerClass, and its annotations ask for no network load balancer"
}

// write is for people.
func (x *ServiceExplanation) write(p *paper) {
	x.writeVerdict(p, "Service "+x.Namespace+"/"+x.Service)
	if x.Class != "" {
		p.field("class", x.Class)
	}
	if x.Scheme != "" {
		p.field("scheme", x.Scheme)
		p.field("clients", cmp.Or(strings.Join(x.Clients, ", "), "everybody"))
	}
	p.field("next", x.Next)
	writeProblems(p, x.Problems, "")

	var rows [][]string
	for _, port := range x.Ports {
		targets := map[string]string{"ip": "pods", "instance": "nodes"}[port.TargetType]
		rows = append(rows, []string{strconv.Itoa(int(port.Port)), port.Protocol, targets + ", " + port.TargetProtocol, or(strings.Join(port.Certificates, ", "))})
	}
	if len(rows) > 0 {
		p.printf("\n%s\n", p.paint(bold, "LISTENERS"))
		p.table([]string{"PORT", "PROTOCOL", "TARGETS", "CERTIFICATES"}, rows)
	}
	x.writeRest(p)
}
