// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/ingress"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/provision/elb"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// lbcController is what the IngressClasses of AWS Load Balancer Controller name.
const lbcController = "ingress.k8s.aws/alb"

// Served is what podgate would serve of an object that asks for a load balancer.
type Served struct {
	// Object is the Ingress or the Service, such as "Ingress shop/web".
	Object string `json:"object"`
	// Serves says it for people.
	Serves string `json:"serves"`
}

// judged is an Ingress with what its class says of it.
type judged struct {
	*networkingv1.Ingress
	class ingress.Class
}

func (j judged) key() types.NamespacedName { return client.ObjectKeyFromObject(j) }

// group is the group that the Ingress is in.
func (j judged) group() routes.Key {
	if j.class.Group != "" {
		return routes.Key{Name: j.class.Group}
	}
	return j.key()
}

// ingresses checks Ingresses as if podgate served them, with the code that makes load balancers of them: those of files, and
// if they are asked for those of the namespace. Those of its own class are podgate's; those of AWS Load Balancer Controller's
// count if they are asked for. AWS is asked nothing, so that what an Ingress names there counts as found.
func (f *flight) ingresses(ctx context.Context, scope preflightScope) error {
	inFiles := slices.ContainsFunc(f.reader.added, func(o client.Object) bool { _, is := o.(*networkingv1.Ingress); return is })
	if scope.files && !inFiles || !scope.files && !scope.ingresses {
		return nil
	}

	all, err := f.judgeable(ctx, scope)
	if err != nil {
		return err
	}

	groups := map[routes.Key][]judged{}
	for _, j := range all {
		groups[j.group()] = append(groups[j.group()], j)
	}
	for _, group := range slices.SortedFunc(maps.Keys(groups), func(a, b routes.Key) int { return strings.Compare(a.String(), b.String()) }) {
		members := groups[group]
		if !slices.ContainsFunc(members, func(j judged) bool { return scope.judges(f.reader, j) }) {
			continue
		}
		if err := f.group(ctx, scope, group, members); err != nil {
			return err
		}
	}
	slices.SortFunc(f.Ingresses, func(a, b Served) int { return strings.Compare(a.Object, b.Object) })
	return nil
}

// judges reports whether findings of an Ingress are asked for, and not only its part in a group.
func (s preflightScope) judges(r *snapshot, j judged) bool {
	if s.files {
		return r.isAdded(j.Ingress)
	}
	return s.namespace == "" || j.Namespace == s.namespace
}

// judgeable are the Ingresses that podgate serves or would serve. Members of a group may be in every namespace.
func (f *flight) judgeable(ctx context.Context, scope preflightScope) ([]judged, error) {
	var list networkingv1.IngressList
	if err := f.reader.List(ctx, &list); err != nil {
		return nil, f.unchecked(err, "what Ingresses and others of their groups ask for")
	}

	classes := ingress.Classes{Reader: assumed{f.reader}, Labels: f.labels}
	if scope.ingresses {
		classes.Controllers = []string{lbcController}
	}

	var all []judged
	for i := range list.Items {
		j := judged{Ingress: &list.Items[i]}
		var err error
		if j.class, err = classes.Of(ctx, j.Ingress); err != nil {
			if err := f.unchecked(err, "whose Ingresses are"); err != nil {
				return nil, err
			}
			continue
		}

		ours := j.class.Served && (!j.class.LBC || scope.ingresses)
		switch {
		case !ours && j.class.Refused == "":
			f.skip(scope, j)
		case j.class.Refused != "":
			f.unusable(scope, j)
		default:
			all = append(all, j)
		}
	}
	return all, nil
}

// skip counts the Ingresses of files that seem to be meant for an application load balancer.
func (f *flight) skip(scope preflightScope, j judged) {
	if scope.files && f.reader.isAdded(j.Ingress) && slices.ContainsFunc(slices.Collect(maps.Keys(j.Annotations)), func(name string) bool { return strings.HasPrefix(name, routes.Prefix) }) {
		f.skipped++
	}
}

// unusable tells of a class that cannot be used.
func (f *flight) unusable(scope preflightScope, j judged) {
	if scope.judges(f.reader, j) {
		f.problem(kindIngress, j.key().String(), Problem{Severity: severities[routes.Refused], Reason: v1alpha1.ReasonClassNotUsable, Message: j.class.Refused})
		f.Ingresses = append(f.Ingresses, Served{Object: "Ingress " + j.key().String(), Serves: "nothing"})
	}
}

// labels are those of a namespace.
func (f *flight) labels(ctx context.Context, namespace string) (map[string]string, error) {
	var n corev1.Namespace
	if err := f.reader.Get(ctx, client.ObjectKey{Name: namespace}, &n); err != nil && (!f.reader.alone || !apierrors.IsNotFound(err)) {
		return nil, err
	}
	return n.Labels, nil
}

// group checks the Ingresses of a group.
func (f *flight) group(ctx context.Context, scope preflightScope, key routes.Key, members []judged) error {
	var failed error
	look := takenAsThere(func(namespace, name string) *corev1.Service {
		var s corev1.Service
		err := f.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &s)
		if err == nil {
			return &s
		}
		if !apierrors.IsNotFound(err) {
			failed = err
		}
		return nil
	})

	of := routes.Group{Key: key}
	for _, j := range members {
		m := routes.Member{Ingress: j.Ingress}
		if j.class.Params != nil {
			m.Params = &j.class.Params.Spec
		}
		of.Members = append(of.Members, m)
	}
	settings := routes.Settings{Scheme: "internal", TargetType: string(elbv2.TargetTypeInstance), Limits: routes.ALB}
	stack, problems := routes.Build(of, settings, look)
	if failed != nil {
		return f.unchecked(failed, "what Ingresses serve")
	}

	for _, j := range members {
		if !scope.judges(f.reader, j) {
			continue
		}
		owner := j.key().String()
		if j.class.Notice != "" {
			f.problem(kindIngress, owner, Problem{Severity: severities[routes.Notice], Reason: v1alpha1.ReasonClassConflict, Message: j.class.Notice})
		}
		for _, p := range problems {
			if p.Owner == owner {
				f.problem(kindIngress, owner, Problem{Severity: severities[p.Severity], Reason: p.Reason, Message: p.Message})
			}
		}
		f.Ingresses = append(f.Ingresses, Served{Object: "Ingress " + owner, Serves: serves(stack, owner)})
		if err := f.beforeAll(ctx, scope, j.Ingress, "Ingress "+owner, stack, owner); err != nil {
			return err
		}
	}
	return nil
}

// before tells of workloads in the files whose pods are made before the binding that podgate makes for a target group.
func (f *flight) before(ctx context.Context, object string, g elb.TargetGroup) error {
	to := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.Binding.Namespace, Name: g.Name, Labels: g.Binding.Labels},
		Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupName: g.Name, TargetType: new(elbv2.TargetTypeIP), ServiceRef: elbv2.ServiceReference{Name: g.Binding.Service, Port: intstr.Parse(g.Binding.Port)},
		},
	}
	first := "apply Ingress and Service first, and the workload when the Service has its TargetGroupBinding"
	if strings.HasPrefix(object, kindService+" ") {
		first = "apply the Service first, and the workload when the Service has its TargetGroupBinding"
	}
	for _, w := range f.workloads {
		if w.namespace != g.Binding.Namespace || f.early[w.String()] {
			continue
		}
		pod := w.judged()
		candidates, err := f.reader.candidates(ctx, w.namespace, pod)
		if err != nil {
			return f.unchecked(err, "which pods come before their binding")
		}

		// A pod that came after the binding would have a gate of it.
		pod.Created = f.now.Add(time.Hour)
		candidates.Bindings = []*binding.Binding{binding.From(to)}
		if why := injection.Explain(pod, candidates); len(why.Missing) == 0 {
			continue
		}
		f.early[w.String()] = true
		f.find(SeverityError, CheckBindingAfter, w,
			fmt.Sprintf("podgate makes a TargetGroupBinding for %s, which is not in the cluster yet, only when it has made the load balancer: pods that are created first get no gate.", object),
			first)
	}
	return nil
}

// problem tells of a problem of an object. What has no effect may be meant so.
func (f *flight) problem(kind, owner string, p Problem) {
	finding := Finding{Severity: SeverityError, Check: p.Reason, Object: kind + " " + owner, Message: strings.ToUpper(p.Message[:1]) + p.Message[1:] + "."}
	if p.Severity == severities[routes.Notice] {
		finding.Severity = SeverityWarning
	}
	if e, known := v1alpha1.Explain(balancerPlaces[kind], p.Reason); known {
		finding.Next = e.Fix
	}
	f.Findings = append(f.Findings, finding)
}

// serves says what a load balancer serves of an Ingress.
func serves(s elb.Stack, owner string) string {
	groups := map[string]bool{}
	for _, g := range s.TargetGroups {
		if g.Owner == owner {
			groups[g.Resource] = true
		}
	}

	var parts []string
	for _, l := range s.Listeners {
		rules := 0
		for _, r := range l.Rules {
			if r.Owner == owner && !r.Kept {
				rules++
			}
		}

		at := fmt.Sprintf("%s at port %d", l.Protocol, l.Port)
		switch to := l.Default.Redirect; {
		case to != nil && !slices.Contains(s.Keep, owner):
			parts = append(parts, fmt.Sprintf("%s, redirected to port %s", at, to.Port))
		case rules > 0:
			parts = append(parts, fmt.Sprintf("%s with %s", at, plural.Count(rules, "rule")))
		case slices.ContainsFunc(l.Default.Forward, func(to elb.Forward) bool { return groups[to.Group] }):
			parts = append(parts, at+" with the default backend")
		}
	}

	if len(groups) > 0 {
		parts = append(parts, plural.Count(len(groups), "target group"))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

// assumed is a snapshot of files alone in which a class that they do not have is AWS Load Balancer Controller's.
type assumed struct{ *snapshot }

// Get implements client.Reader.
func (a assumed) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	err := a.snapshot.Get(ctx, key, into, options...)
	class, is := into.(*networkingv1.IngressClass)
	if !is || !a.alone || !apierrors.IsNotFound(err) {
		return err
	}
	*class = networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: key.Name}, Spec: networkingv1.IngressClassSpec{Controller: lbcController}}
	return nil
}
