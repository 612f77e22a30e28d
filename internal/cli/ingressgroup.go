// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/controller/ingress"
	"github.com/podgate/podgate/internal/provision/elb"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// GroupMember is an Ingress of those that share a load balancer, or the Service that has one.
type GroupMember struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Leaving: it is being deleted.
	Leaving  bool      `json:"leaving,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
}

func (m GroupMember) owner() string { return m.Namespace + "/" + m.Name }

// ingresses are the Ingresses that a command may see, by what podgate makes of them.
type ingresses struct {
	reader  *snapshot
	unknown *gaps
	classes ingress.Classes
	// asked is what podgate's flags ask for.
	asked ingressFlags
	all   []networkingv1.Ingress
	// of are what the classes say, by owner; one that could not be read is not there.
	of map[string]ingress.Class
}

// ingressFlags are those of podgate's Deployment that concern Ingresses and Services of type LoadBalancer.
type ingressFlags struct {
	// known is false where they could not be read. Then the defaults stand here.
	known bool
	// on: podgate serves them.
	on bool
	// watch is the only namespace that it serves; empty: all.
	watch       string
	controllers []string
	settings    routes.Settings
}

// ingressFlags reads the flags.
func (in *Installation) ingressFlags(ctx context.Context, r client.Reader, g *gaps) (ingressFlags, error) {
	// Without the flags nobody knows whether Ingresses of a class that two controllers may share are served: see serves.
	f := ingressFlags{on: true, controllers: []string{sharedController}, settings: routes.Settings{Scheme: "internal", TargetType: "instance", Limits: routes.ALB}}
	containers, err := in.containers(ctx, r)
	if apierrors.IsNotFound(err) {
		*g = append(*g, fmt.Sprintf("there is no Deployment of podgate in namespace %s, so podgate cannot tell %s", in.Namespace, untoldFlags))
		return f, nil
	}
	if err != nil {
		return f, g.forgive(err, untoldFlags)
	}

	f.known, f.on, f.controllers = true, false, nil
	for _, c := range containers {
		for _, arg := range c.Args {
			name, value, both := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			if on, err := strconv.ParseBool(value); name == "ingress" && (!both || on && err == nil) {
				f.on = true
			}
		}
		f.controllers = append(f.controllers, flagged(c.Args, "ingress-controller")...)
		for name, into := range map[string]*string{
			"watch-namespace": &f.watch, "cluster-name": &f.settings.Cluster, "vpc-id": &f.settings.VPC,
			"default-load-balancer-scheme": &f.settings.Scheme, "default-target-type": &f.settings.TargetType,
		} {
			for _, value := range flagged(c.Args, name) {
				*into = value
			}
		}
	}
	return f, nil
}

// untoldFlags is what is not known without the flags.
const untoldFlags = "whether it makes load balancers, for which classes and with which defaults"

// serves reports whether podgate serves those of a namespace.
func (f ingressFlags) serves(namespace string) bool {
	return f.on && (f.watch == "" || f.watch == namespace)
}

// sharedController is what the IngressClasses of AWS Load Balancer Controller name.
const sharedController = "ingress.k8s.aws/alb"

// readIngresses reads those of all namespaces, since they may share load balancers, or those of one where no more can be read.
func readIngresses(ctx context.Context, r *snapshot, in *Installation, namespace string, unknown *gaps) (*ingresses, error) {
	s := &ingresses{reader: r, unknown: unknown, of: map[string]ingress.Class{}}
	var err error
	if s.asked, err = in.ingressFlags(ctx, r, unknown); err != nil {
		return nil, err
	}
	s.classes = ingress.Classes{Reader: r, Controllers: s.asked.controllers, Labels: s.labels}

	var list networkingv1.IngressList
	err = r.List(ctx, &list)
	if apierrors.IsForbidden(err) && namespace != "" {
		*unknown = append(*unknown, "not allowed to "+refused(err)+", so podgate cannot tell which Ingresses of other namespaces share load balancers with those of this one")
		err = r.List(ctx, &list, client.InNamespace(namespace))
	}
	if err != nil {
		return s, unknown.forgive(err, "what load balancers there are for Ingresses")
	}
	s.all = list.Items
	slices.SortFunc(s.all, func(a, b networkingv1.Ingress) int { return compare(a.Namespace, b.Namespace, a.Name, b.Name) })

	// One list of each is enough for all. Where it is forbidden the classes say so.
	for _, kind := range []client.ObjectList{&networkingv1.IngressClassList{}, &elbv2.IngressClassParamsList{}} {
		if err := r.List(ctx, kind); err != nil && !apierrors.IsForbidden(err) {
			return nil, err
		}
	}
	for i := range s.all {
		class, err := s.classes.Of(ctx, &s.all[i])
		if err == nil {
			s.of[ownerOf(&s.all[i])] = class
		}
		if err := unknown.forgive(err, "which Ingresses podgate serves"); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *ingresses) labels(ctx context.Context, namespace string) (map[string]string, error) {
	var ns corev1.Namespace
	err := s.reader.Get(ctx, types.NamespacedName{Name: namespace}, &ns)
	return ns.Labels, client.IgnoreNotFound(err)
}

func ownerOf(ing *networkingv1.Ingress) string { return ing.Namespace + "/" + ing.Name }

// serves reports whether an Ingress is podgate's, as far as that is known.
func (s *ingresses) serves(ing *networkingv1.Ingress) bool {
	class := s.of[ownerOf(ing)]
	return class.Served && (s.asked.known || !class.LBC || claimed(ing))
}

// claimed reports whether podgate may have something of an object at AWS. The finalizer of a Service is AWS Load Balancer
// Controller's, too.
func claimed(o client.Object) bool {
	if _, is := o.(*corev1.Service); is {
		return controllerutil.ContainsFinalizer(o, elbv2.LBCServiceFinalizer) && o.GetAnnotations()[v1alpha1.StacksAnnotation] != ""
	}
	return controllerutil.ContainsFinalizer(o, v1alpha1.IngressFinalizer)
}

// groupOf is the group of an Ingress that podgate serves.
func (s *ingresses) groupOf(ing *networkingv1.Ingress) routes.Key {
	if name := s.of[ownerOf(ing)].Group; name != "" {
		return routes.Key{Name: name}
	}
	return client.ObjectKeyFromObject(ing)
}

// ingressGroup are the Ingresses that share a load balancer, and that as it should be.
type ingressGroup struct {
	key     routes.Key
	members []GroupMember
	// ingresses are those of the members in turn.
	ingresses []*networkingv1.Ingress
	stack     elb.Stack
	// blind: what decides about the load balancer could not be read.
	blind bool
}

// group puts a group together as the controller does.
func (s *ingresses) group(ctx context.Context, key routes.Key) (*ingressGroup, error) {
	g := &ingressGroup{key: key}
	building := routes.Group{Key: key}
	problems := map[string][]Problem{}
	leaving := []*networkingv1.Ingress{}

	var list []routes.Member
	for i := range s.all {
		ing := &s.all[i]
		class := s.of[ownerOf(ing)]
		if !s.serves(ing) || s.groupOf(ing) != key {
			continue
		}
		if !ing.DeletionTimestamp.IsZero() {
			leaving = append(leaving, ing)
			continue
		}

		if class.Refused != "" {
			problems[ownerOf(ing)] = append(problems[ownerOf(ing)], Problem{Severity: severities[routes.Refused], Reason: v1alpha1.ReasonClassNotUsable, Message: class.Refused})
		}
		if class.Notice != "" {
			problems[ownerOf(ing)] = append(problems[ownerOf(ing)], Problem{Severity: severities[routes.Notice], Reason: v1alpha1.ReasonClassConflict, Message: class.Notice})
		}
		m := routes.Member{Ingress: ing, Unserved: class.Refused != ""}
		if class.Params != nil {
			m.Params = &class.Params.Spec
		}
		list = append(list, m)
	}
	list = routes.InOrder(list)

	// Those whose class cannot be used and that have nothing at AWS are no members.
	for _, m := range list {
		if !m.Unserved || claimed(m.Ingress) {
			building.Members = append(building.Members, m)
		}
	}
	found, err := s.build(ctx, g, building)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		problems[p.Owner] = append(problems[p.Owner], Problem{Severity: severities[p.Severity], Reason: p.Reason, Message: p.Message})
	}

	for _, m := range list {
		g.ingresses = append(g.ingresses, m.Ingress)
		g.members = append(g.members, GroupMember{Namespace: m.Ingress.Namespace, Name: m.Ingress.Name, Problems: problems[ownerOf(m.Ingress)]})
	}
	for _, ing := range leaving {
		g.ingresses = append(g.ingresses, ing)
		g.members = append(g.members, GroupMember{Namespace: ing.Namespace, Name: ing.Name, Leaving: true})
	}
	return g, nil
}

// build builds a group's load balancer. What only AWS knows is taken to be there.
func (s *ingresses) build(ctx context.Context, g *ingressGroup, members routes.Group) ([]routes.Problem, error) {
	var failed error
	look := takenAsThere(func(namespace, name string) *corev1.Service {
		svc := &corev1.Service{}
		if err := s.reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, svc); err != nil {
			failed = errors.Join(failed, client.IgnoreNotFound(err))
			return nil
		}
		return svc
	})

	stack, problems := routes.Build(members, s.asked.settings, look)
	if failed != nil {
		g.blind = true
		return nil, s.unknown.forgive(failed, "how requests for Ingresses are routed")
	}
	g.stack = stack
	return problems, nil
}

// hostname is what the load balancer is called, by the first member whose status says so.
func (g *ingressGroup) hostname() string {
	for _, ing := range g.ingresses {
		if h := hostnameOf(ing); h != "" {
			return h
		}
	}
	return ""
}

func hostnameOf(ing *networkingv1.Ingress) string {
	for _, at := range ing.Status.LoadBalancer.Ingress {
		if name := cmp.Or(at.Hostname, at.IP); name != "" {
			return name
		}
	}
	return ""
}

// maker is an Ingress of the group as what bindings are made for.
func (g *ingressGroup) maker(ing *networkingv1.Ingress) maker {
	labels := map[string]string{elbv2.IngressNamespaceLabel: g.key.Namespace, elbv2.IngressNameLabel: g.key.Name}
	if g.key.Namespace == "" {
		labels = map[string]string{elbv2.IngressGroupLabel: g.key.Name}
	}
	return maker{noun: kindIngress, namespace: ing.Namespace, owner: ownerOf(ing), labels: labels, stack: g.stack, blind: g.blind}
}
