// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/aws/acm"
	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/elb"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a cluster, and an AWS of which load balancers are active at once and have no listeners.
type world struct {
	*testing.T
	client.Client
	*Reconciler
	clock    time.Time
	recorder *events.FakeRecorder

	options Options

	seen  elb.Observed
	steps []string
	// whole: AWS does all that a Service asks for, and targets are healthy.
	whole bool
	// fails says what becomes of a step; nil: it succeeds.
	fails func(elb.Step) error
	reads int
	// issued are the certificates of ACM, and acm is why it does not tell them.
	issued []acm.Certificate
	acm    error
	// asked counts the calls for subnets, and bare is that none of them is tagged.
	asked int
	bare  bool
	// groups are the target groups of the account, and elb is why it does not tell them.
	groups []elb.ObservedTargetGroup
	elb    error
	// securityGroups are those of the VPC, ec2 is why it does not tell them, and groupsAsked counts the questions.
	securityGroups []ec2.SecurityGroup
	ec2            error
	groupsAsked    int
	// quotas are the account's, and quotasOf are the ages that were asked for.
	quotas   elb.Quotas
	quotasOf []time.Duration
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{T: t, clock: noon, recorder: events.NewFakeRecorder(100), fails: func(elb.Step) error { return nil }}
	w.Client = fake.NewClientBuilder().WithScheme(scheme(t)).WithStatusSubresource(&networkingv1.Ingress{}).
		WithObjects(append(objects, class("alb", v1alpha1.IngressController))...).Build()
	w.options = Options{
		Settings: routes.Settings{Cluster: "test", VPC: "vpc-1", Scheme: "internal", TargetType: "ip", SSLPolicy: "policy", Limits: routes.ALB},
		Cloud:    w, Network: w, Certificates: w,
		Labels:            func(context.Context, string) (map[string]string, error) { return nil, nil },
		LBCLeaseNamespace: "kube-system",
		Recorder:          w.recorder, Now: func() time.Time { return w.clock }, Random: func(time.Duration) time.Duration { return 0 },
	}
	var err error
	w.Reconciler, err = NewReconciler(w.Client, w.options)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Observe implements Cloud.
func (w *world) Observe(_ context.Context, _ elb.Stack, fresh bool) (elb.Observed, error) {
	if fresh {
		w.reads++
	}
	seen := w.seen
	seen.TargetGroups, seen.LoadBalancers = slices.Clone(seen.TargetGroups), slices.Clone(seen.LoadBalancers)
	return seen, nil
}

// Health implements Cloud.
func (w *world) Health(_ context.Context, seen *elb.Observed, _ []string) error {
	for i := range seen.TargetGroups {
		seen.TargetGroups[i].Health = &elb.Health{Registered: 1, Healthy: 1}
	}
	return nil
}

// TargetGroups implements Cloud.
func (w *world) TargetGroups(context.Context, bool) ([]elb.ObservedTargetGroup, error) {
	return w.groups, w.elb
}

// Quotas implements Cloud.
func (w *world) Quotas(_ context.Context, _ elb.Kind, age time.Duration) (elb.Quotas, error) {
	w.quotasOf = append(w.quotasOf, age)
	return w.quotas, nil
}

// Perform implements Cloud.
func (w *world) Perform(_ context.Context, _ elb.Identity, step elb.Step, seen *elb.Observed) error {
	w.steps = append(w.steps, step.String())
	if err := w.fails(step); err != nil {
		return err
	}
	switch s := step.(type) {
	case elb.CreateSecurityGroup:
		g := s.SecurityGroup
		seen.SecurityGroups = append(seen.SecurityGroups, elb.ObservedSecurityGroup{SecurityGroup: g, ID: "sg-1"})
	case elb.AuthorizeIngress:
		seen.SecurityGroups[0].Ingress = s.Permissions
	case elb.CreateLoadBalancer:
		seen.LoadBalancers = append(seen.LoadBalancers, elb.ObservedLoadBalancer{LoadBalancer: s.LoadBalancer, ARN: "lb", DNSName: "LB.example.com", State: "active"})
	case elb.CreateTargetGroup:
		seen.TargetGroups = append(seen.TargetGroups, elb.ObservedTargetGroup{TargetGroup: s.TargetGroup, ARN: s.TargetGroup.Name})
	default:
		if !w.whole || !w.further(step, seen) {
			return errors.New("not in this world")
		}
	}
	w.seen = *seen
	return nil
}

// further does the steps that only a whole AWS does.
func (w *world) further(step elb.Step, seen *elb.Observed) bool {
	switch s := step.(type) {
	case elb.CreateListener:
		lb := &seen.LoadBalancers[0]
		lb.Listeners = append(slices.Clone(lb.Listeners), elb.ObservedListener{Listener: s.Listener, ARN: "listener-" + s.Listener.Resource, Own: true})
		for i := range seen.TargetGroups {
			if g := &seen.TargetGroups[i]; g.ARN == s.Listener.Default.Forward[0].Group {
				g.LoadBalancer = lb.ARN
			}
		}
	case elb.SetTargetGroupAttributes:
	case elb.DeleteListener:
		lb := &seen.LoadBalancers[0]
		lb.Listeners = slices.DeleteFunc(slices.Clone(lb.Listeners), func(l elb.ObservedListener) bool { return l.ARN == s.ARN })
	case elb.DeleteLoadBalancer:
		seen.LoadBalancers = nil
		for i := range seen.TargetGroups {
			seen.TargetGroups[i].LoadBalancer = ""
		}
	case elb.DeleteTargetGroup:
		seen.TargetGroups = slices.DeleteFunc(seen.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.ARN == s.TargetGroup })
	case elb.DeleteSecurityGroup:
		seen.SecurityGroups = nil
	default:
		return false
	}
	return true
}

// Subnets implements Network, and so do the following.
func (w *world) Subnets(context.Context, ...ec2.Filter) ([]ec2.Subnet, error) {
	var all []ec2.Subnet
	if w.asked++; w.bare {
		return nil, nil
	}
	for _, zone := range []string{"a", "b"} {
		all = append(all, ec2.Subnet{ID: "subnet-" + zone, VPC: "vpc-1", Zone: zone, Free: 100, Tags: map[string]string{"kubernetes.io/role/internal-elb": "1"}})
	}
	return all, nil
}

func (w *world) RouteTables(context.Context, ...ec2.Filter) ([]ec2.RouteTable, error) {
	return nil, nil
}

func (w *world) Zones(context.Context) ([]ec2.Zone, error) { return nil, nil }

func (w *world) SecurityGroups(context.Context, ...ec2.Filter) ([]ec2.SecurityGroup, error) {
	w.groupsAsked++
	return w.securityGroups, w.ec2
}

// Certificates implements Certificates.
func (w *world) Certificates(context.Context) ([]acm.Certificate, error) { return w.issued, w.acm }

// reconcile looks at a group once.
func (w *world) reconcile(group Key) (reconcile.Result, error) {
	return w.Reconcile(w.Context(), reconcile.Request{NamespacedName: group})
}

// told are the events so far.
func (w *world) told() string {
	var all []string
	for {
		select {
		case e := <-w.recorder.Events:
			all = append(all, e)
		default:
			return strings.Join(all, "\n")
		}
	}
}

func (w *world) ingress(name string) *networkingv1.Ingress {
	w.Helper()
	ing := &networkingv1.Ingress{}
	if err := w.Get(w.Context(), client.ObjectKey{Namespace: "shop", Name: name}, ing); err != nil {
		w.Fatal(err)
	}
	return ing
}

// member makes an Ingress of group g with a Service of its name.
func memberOf(name string, annotations ...string) []client.Object {
	ing := ingressOf("alb", append([]string{groupAnnotation, "g"}, annotations...)...)
	ing.Name = name
	ing.UID = types.UID("uid-of-" + name)
	ing.Spec.Rules = []networkingv1.IngressRule{{Host: name, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
		Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: new(networkingv1.PathTypePrefix), Backend: networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: name, Port: networkingv1.ServiceBackendPort{Number: 80}},
		}}},
	}}}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	return []client.Object{ing, service}
}

// TestLaw7AStepThatFailsHindersNoOther: what needs it waits, all else is done, and only its owner is told.
func TestLaw7AStepThatFailsHindersNoOther(t *testing.T) {
	w := newWorld(t, slices.Concat(memberOf("bad"), memberOf("good"))...)
	w.fails = func(s elb.Step) error {
		if g, ok := s.(elb.CreateTargetGroup); ok && g.TargetGroup.Owner == "shop/bad" {
			return errors.New("it cannot be made")
		}
		return nil
	}
	if _, err := w.reconcile(Key{Name: "g"}); err == nil || !strings.Contains(err.Error(), "it cannot be made") {
		t.Errorf("the error is lost: %v", err)
	}

	if !slices.ContainsFunc(w.seen.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.Owner == "shop/good" }) {
		t.Errorf("the good one has no target group; steps %q", w.steps)
	}
	told := w.told()
	if !strings.Contains(told, v1alpha1.ReasonLoadBalancerFailed) || !strings.Contains(told, "it cannot be made") {
		t.Errorf("told: %s", told)
	}

	_, _ = w.reconcile(Key{Name: "g"})
	if again := w.told(); strings.Contains(again, "it cannot be made") {
		t.Errorf("told twice: %s", again)
	}
}

// TestConflictIsNobodysFault: that somebody wrote an Ingress in between is tried again, and nobody is told.
func TestConflictIsNobodysFault(t *testing.T) {
	w := newWorld(t, memberOf("web")...)
	conflict := apierrors.NewConflict(networkingv1.Resource("ingresses"), "web", errors.New("it was modified"))
	p := &pass{Reconciler: w.Reconciler, members: []member{{Object: w.ingress("web"), standing: active}}, notes: map[string][]note{}}
	p.failed(fmt.Errorf("write it: %w", conflict))
	if len(p.notes) != 0 {
		t.Errorf("told: %v", p.notes)
	}
	p.failed(errors.New("no"))
	if len(p.notes["shop/web"]) != 1 {
		t.Errorf("told: %v", p.notes)
	}
}

// TestThrottled: no further call is made when AWS asks for less of them.
func TestThrottled(t *testing.T) {
	w := newWorld(t, memberOf("web")...)
	w.fails = func(elb.Step) error { return fmt.Errorf("slower: %w", balancer.ErrThrottled) }
	if _, err := w.reconcile(Key{Name: "g"}); !errors.Is(err, balancer.ErrThrottled) {
		t.Errorf("got %v", err)
	}
	if len(w.steps) != 1 {
		t.Errorf("steps %q", w.steps)
	}
}

// TestWithoutACM: who names certificates is served without ACM, and so is all else of those who do not.
func TestWithoutACM(t *testing.T) {
	https := []string{routes.Prefix + "listen-ports", `[{"HTTP":80},{"HTTPS":443}]`}
	named := memberOf("named", append(https, routes.Prefix+"certificate-arn", "arn:1")...)
	w := newWorld(t, named...)
	w.acm = errors.New("ACM is closed")
	_, err := w.reconcile(Key{Name: "g"})
	if told := w.told(); strings.Contains(told, "ACM is closed") || strings.Contains(fmt.Sprint(err), "ACM is closed") {
		t.Errorf("named: %v, told %s", err, told)
	}
	if len(w.seen.LoadBalancers) == 0 {
		t.Errorf("named: steps %q", w.steps)
	}

	w = newWorld(t, slices.Concat(memberOf("found", https...), named)...)
	w.acm = errors.New("ACM is closed")
	_, _ = w.reconcile(Key{Name: "g"})
	if told := w.told(); strings.Count(told, "ACM is closed") != 1 || len(w.seen.LoadBalancers) == 0 {
		t.Errorf("found: steps %q, told %s", w.steps, told)
	}
	if again := (&pass{Reconciler: w.Reconciler, missed: w.acm}).again(elb.Plan{}); again != mistaken {
		t.Errorf("looks again after %s", again)
	}
}

// TestCertificateIsLookedForAgain: a certificate that is missing, or that has expired, is issued at AWS, where nobody tells of it.
func TestCertificateIsLookedForAgain(t *testing.T) {
	w := newWorld(t, memberOf("web", routes.Prefix+"listen-ports", `[{"HTTPS":443}]`)...)
	for name, tc := range map[string]struct {
		issued []acm.Certificate
		want   time.Duration
	}{
		"None":    {nil, mistaken},
		"Expired": {[]acm.Certificate{{ARN: "arn:1", Names: []string{"web"}, Status: "ISSUED", NotAfter: noon}}, mistaken},
		"Valid":   {[]acm.Certificate{{ARN: "arn:1", Names: []string{"web"}, Status: "ISSUED", NotAfter: noon.Add(time.Hour)}}, audit},
	} {
		t.Run(name, func(t *testing.T) {
			w.issued, w.shared.issued.at = tc.issued, time.Time{}
			members, err := w.kind.members(t.Context(), Key{Name: "g"})
			if err != nil {
				t.Fatal(err)
			}
			p := &pass{Reconciler: w.Reconciler, group: Key{Name: "g"}, members: members, notes: map[string][]note{}}
			if err := p.build(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			if got := p.again(elb.Plan{}); got != tc.want {
				t.Errorf("looks again after %s, want %s", got, tc.want)
			}
		})
	}
}

// TestNoNameBeforeRules: an Ingress whose rules cannot be made gets no name, and one that has a name keeps it.
func TestNoNameBeforeRules(t *testing.T) {
	w := newWorld(t, slices.Concat(memberOf("good"), memberOf("bad"), memberOf("old"))...)
	old := w.ingress("old")
	old.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{Hostname: "lb.example.com"}}
	if err := w.Status().Update(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	members, err := w.kind.members(t.Context(), Key{Name: "g"})
	if err != nil {
		t.Fatal(err)
	}

	balancer := elb.LoadBalancer{Name: "lb", Scheme: "internal"}
	p := &pass{
		Reconciler: w.Reconciler, group: Key{Name: "g"}, members: members, notes: map[string][]note{},
		stack:    elb.Stack{LoadBalancer: balancer, Listeners: []elb.Listener{{Port: 80}}},
		seen:     elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{{LoadBalancer: balancer, ARN: "arn", DNSName: "LB.example.com", Published: true}}},
		culprits: map[string]error{"shop/bad": errors.New("too many rules"), "shop/old": errors.New("too many rules")},
	}
	if err := p.publish(t.Context(), elb.Plan{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"good": 1, "bad": 0, "old": 1} {
		if got := w.ingress(name).Status.LoadBalancer.Ingress; len(got) != want {
			t.Errorf("%s has the names %v", name, got)
		}
	}
}

// TestLookupsWithoutACM: named certificates are judged by what ACM said last, and others are unknown.
func TestLookupsWithoutACM(t *testing.T) {
	w := newWorld(t)
	w.issued = []acm.Certificate{{ARN: "arn:pending", Names: []string{"a.test"}, Status: "PENDING_VALIDATION"}, {ARN: "arn:good", Names: []string{"*.test"}, Status: "ISSUED"}}
	hosts := []certificates.Host{{Name: "a.test", Named: []string{"arn:pending", "arn:good"}}, {Name: "b.test"}}
	look := &lookups{shared: w.shared, ctx: t.Context()}
	before := look.found(hosts)

	w.acm, w.clock = errors.New("ACM is closed"), w.clock.Add(fresh)
	after := look.found(hosts)
	if !reflect.DeepEqual(after[0], before[0]) || !slices.Equal(after[0].ARNs, []string{"arn:good"}) {
		t.Errorf("named: %v, before %v", after[0], before[0])
	}
	if !after[1].Unknown || len(after[1].ARNs) > 0 || before[1].Unknown || look.failed != nil || look.missed == nil {
		t.Errorf("found: %v, before %v; failed %v, missed %v", after[1], before[1], look.failed, look.missed)
	}
}

// TestTargetGroupsOfOthers: an Ingress may name those that it may have, by name and by ARN.
func TestTargetGroupsOfOthers(t *testing.T) {
	w := newWorld(t)
	stack := routes.Identity("test", "vpc-1", Key{Name: "g"})
	tags := func(key, value string) map[string]string { return map[string]string{key: value} }
	for name, g := range map[string]elb.ObservedTargetGroup{
		"free":    {TargetGroup: elb.TargetGroup{VPC: "vpc-1"}},
		"lambda":  {},
		"used":    {TargetGroup: elb.TargetGroup{VPC: "vpc-1"}, LoadBalancer: "arn:lb/own"},
		"own":     {TargetGroup: elb.TargetGroup{VPC: "vpc-1", Tags: stack.Tags}},
		"busy":    {TargetGroup: elb.TargetGroup{VPC: "vpc-1"}, LoadBalancer: "arn:lb/other"},
		"away":    {TargetGroup: elb.TargetGroup{VPC: "vpc-2"}},
		"cluster": {TargetGroup: elb.TargetGroup{VPC: "vpc-1", Tags: tags(routes.ClusterTag, "other")}},
		"stack":   {TargetGroup: elb.TargetGroup{VPC: "vpc-1", Tags: tags(routes.StackTag, "other")}},
		"secret":  {TargetGroup: elb.TargetGroup{VPC: "vpc-1"}},
	} {
		g.Name, g.ARN = name, "arn:"+name
		w.groups = append(w.groups, g)
	}
	w.shared.allowed = func(_ context.Context, namespace string, arns []string) (string, error) {
		if namespace == "shop" && slices.Contains(arns, "arn:secret") {
			return "arn:secret", nil
		}
		return "", nil
	}
	look := func() *lookups {
		return &lookups{shared: w.shared, ctx: t.Context(), stack: stack, observed: elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{{ARN: "arn:lb/own"}}}}
	}

	for name, want := range map[string]string{
		"free": "", "lambda": "", "used": "", "own": "",
		"busy":    `target group "busy" belongs to load balancer arn:lb/other`,
		"away":    `target group "away" is in vpc-2, and the load balancer is in vpc-1`,
		"cluster": `by its tag elbv2.k8s.aws/cluster=other`,
		"stack":   `by its tag ingress.k8s.aws/stack=other`,
		"secret":  `Ingresses of namespace "shop" may not name arn:secret: ask the podgate administrator to allow it with --allow-targets`,
		"none":    `there is no target group`,
	} {
		for _, named := range []string{name, "arn:" + name} {
			l := look()
			arn, err := l.targetGroup("shop", named)
			if want == "" && (err != nil || arn != "arn:"+name) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) || l.failed != nil {
				t.Errorf("%s: %s, %v; failed %v", named, arn, err, l.failed)
			}
		}
	}
	if _, err := look().targetGroup("vault", "secret"); err != nil {
		t.Errorf("another namespace: %v", err)
	}

	// What cannot be told now is no mistake of the Ingress.
	w.elb = errors.New("nobody answers")
	l := look()
	if _, err := l.targetGroup("shop", "free"); err == nil || l.failed == nil {
		t.Errorf("without an answer: %v, failed %v", err, l.failed)
	}
	w.elb, w.shared.allowed = nil, func(context.Context, string, []string) (string, error) { return "", errors.New("no labels") }
	l = look()
	if _, err := l.targetGroup("shop", "free"); err == nil || l.failed == nil {
		t.Errorf("without labels: %v, failed %v", err, l.failed)
	}
}

// TestFinalizerFirst: an Ingress is held before anything is made for it, and not for nothing.
func TestFinalizerFirst(t *testing.T) {
	w := newWorld(t, slices.Concat(memberOf("web"), memberOf("refused", routes.Prefix+"auth-type", "oidc"))...)
	w.fails = func(elb.Step) error {
		if !holds(Key{Name: "g"}, w.ingress("web")) {
			t.Error("a step is done before the Ingress is held")
		}
		return balancer.ErrThrottled
	}
	_, _ = w.reconcile(Key{Name: "g"})
	if len(w.steps) == 0 {
		t.Error("no step was done")
	}
	if len(w.ingress("refused").Finalizers) > 0 {
		t.Error("an Ingress is held that nothing was made for")
	}

	alone := newWorld(t, memberOf("refused", routes.Prefix+"auth-type", "oidc")...)
	if result, err := alone.reconcile(Key{Name: "g"}); err != nil || result.RequeueAfter != mistaken {
		t.Errorf("looks again after %s, %v", result.RequeueAfter, err)
	}
	if told := alone.told(); len(alone.steps) > 0 || !strings.Contains(told, v1alpha1.ReasonProtectionNotServed) {
		t.Errorf("steps %q, told %s", alone.steps, told)
	}
}

// TestFinalizerAgain: an Ingress that was written without its finalizer is held again, though there is no step to do.
func TestFinalizerAgain(t *testing.T) {
	w := newWorld(t, memberOf("web")...)
	// It could not be started, and cannot be deleted for somebody else's listener.
	w.seen.LoadBalancers = []elb.ObservedLoadBalancer{{ARN: "lb", State: "failed", Retired: noon.Add(-time.Hour), LoadBalancer: elb.LoadBalancer{
		Kind: elb.Application, Name: "web", Scheme: "internal",
	}, Listeners: []elb.ObservedListener{{ARN: "theirs"}}}}
	ing := w.ingress("web")
	ing.Annotations[routes.Prefix+"load-balancer-name"] = "web"
	ing.Annotations[routes.Prefix+"security-groups"] = "sg-1"
	if err := w.Update(t.Context(), ing); err != nil {
		t.Fatal(err)
	}

	w.read.at(Key{Name: "g"}, noon)
	_, err := w.reconcile(Key{Name: "g"})
	if err != nil || len(w.steps) > 0 || w.reads > 0 {
		t.Fatalf("steps %q, %v", w.steps, err)
	}
	if !holds(Key{Name: "g"}, w.ingress("web")) {
		t.Error("it is not held")
	}
}

// TestRefusalIsReadAgain: what a person is told to put right at AWS is read again before it is told again.
func TestRefusalIsReadAgain(t *testing.T) {
	w := newWorld(t, memberOf("web", routes.Prefix+"load-balancer-name", "web", routes.Prefix+"security-groups", "sg-1")...)
	w.seen.LoadBalancers = []elb.ObservedLoadBalancer{{ARN: "lb", State: "failed", Retired: noon.Add(-time.Hour), LoadBalancer: elb.LoadBalancer{
		Kind: elb.Application, Name: "web", Scheme: "internal",
	}, Listeners: []elb.ObservedListener{{ARN: "theirs"}}}}
	for reads := 1; reads < 4; reads++ {
		result, err := w.reconcile(Key{Name: "g"})
		if err != nil || result.RequeueAfter != mistaken || len(w.steps) > 0 {
			t.Fatalf("steps %q, again after %s, %v", w.steps, result.RequeueAfter, err)
		}
		if w.reads != reads {
			t.Errorf("read %d times, want %d", w.reads, reads)
		}
		w.clock = w.clock.Add(mistaken)
	}
}

// TestLeaves: an Ingress that is deleted goes with the last that there is of it, whatever the others are like.
func TestLeaves(t *testing.T) {
	rule := elb.ObservedRule{Rule: elb.Rule{Owner: "shop/web"}, Own: true}
	of := func(listener elb.ObservedListener) elb.Observed {
		return elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{{Listeners: []elb.ObservedListener{listener}}}}
	}
	web := func(age time.Duration) member {
		return member{Object: &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", DeletionTimestamp: new(metav1.NewTime(noon.Add(-age)))}}, standing: leaving}
	}
	other := member{Object: &networkingv1.Ingress{}, standing: kept}
	foreign := rule
	foreign.Own = false
	theirs := rule
	theirs.Owner = "shop/other"

	for name, tc := range map[string]struct {
		reason string
		age    time.Duration
		others []member
		seen   elb.Observed
		want   bool
	}{
		"Last":          {"the last one waits for the load balancer", 0, nil, of(elb.ObservedListener{}), true},
		"LastGroup":     {"and for target groups", time.Hour, nil, elb.Observed{TargetGroups: make([]elb.ObservedTargetGroup, 1)}, true},
		"LastSG":        {"and for the security group", 10*time.Minute - 1, nil, elb.Observed{SecurityGroups: make([]elb.ObservedSecurityGroup, 1)}, true},
		"LastSGHeld":    {"though not for ever", 10 * time.Minute, nil, elb.Observed{SecurityGroups: make([]elb.ObservedSecurityGroup, 1)}, false},
		"LastNone":      {"it goes when all is gone", 0, nil, elb.Observed{}, false},
		"LastOfRefused": {"others that have nothing do not count", 0, []member{{Object: &networkingv1.Ingress{}, standing: refused}}, of(elb.ObservedListener{}), true},
		"Rules":         {"one of several waits for its rules", 0, []member{other}, of(elb.ObservedListener{Has: []elb.ObservedRule{theirs, rule}}), true},
		"NoRules":       {"and for nothing else", 0, []member{other}, of(elb.ObservedListener{Has: []elb.ObservedRule{theirs, foreign}}), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := &pass{Reconciler: w.Reconciler, log: logr.Discard(), members: append(tc.others, web(tc.age)), seen: tc.seen}
			if got := p.left(web(tc.age)); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}

// TestAgain: what AWS makes, what targets wait for, what people have to correct and what nobody waits for is looked at each on
// a clock of its own.
func TestAgain(t *testing.T) {
	waits := func(until time.Duration) elb.Plan {
		w := elb.Wait{}
		if until != 0 {
			w.Until = noon.Add(until)
		}
		return elb.Plan{Waits: []elb.Wait{w}}
	}
	up := elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{{State: "active"}}}
	making := elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{{State: "active"}, {State: "provisioning"}}}
	for name, tc := range map[string]struct {
		reason string
		pass   pass
		plan   elb.Plan
		want   time.Duration
	}{
		"Nothing":  {"an audit", pass{seen: up}, elb.Plan{}, audit},
		"Refused":  {"a mistake may end at AWS", pass{seen: up, refused: 1}, elb.Plan{}, mistaken},
		"Held":     {"and so may what somebody else has", pass{seen: up}, elb.Plan{Refusals: make([]elb.Refusal, 1)}, mistaken},
		"Deleting": {"somebody waits for a deletion", pass{seen: up, members: []member{{standing: leaving}}}, elb.Plan{Refusals: make([]elb.Refusal, 1)}, holding},
		"Targets":  {"targets become healthy", pass{seen: up}, waits(0), serving},
		"None":     {"there is nothing yet", pass{}, waits(0), provisioning},
		"Making":   {"AWS makes a load balancer", pass{seen: making}, waits(0), provisioning},
		"Unready":  {"AWS does not do it yet", pass{seen: up, unready: make([]elb.Wait, 1)}, waits(0), provisioning},
		"Until":    {"it is known when", pass{seen: up}, waits(3 * time.Minute), 3 * time.Minute},
		"Late":     {"the audit comes first", pass{seen: up}, waits(time.Hour), audit},
		"Past":     {"it is over", pass{seen: up}, waits(-time.Hour), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			p := tc.pass
			p.Reconciler = newWorld(t).Reconciler
			if got := p.again(tc.plan); got != tc.want {
				t.Errorf("%s: after %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

// TestWhoWaitsForLongIsSeldomLookedAt: a group that waits for what may never come costs ever fewer calls, until something
// comes about.
func TestWhoWaitsForLongIsSeldomLookedAt(t *testing.T) {
	w := newWorld(t, memberOf("web")...)
	p := &pass{Reconciler: w.Reconciler, group: Key{Name: "g"}, seen: elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{{State: "active"}}}}
	waits := elb.Plan{Waits: make([]elb.Wait, 1)}
	after := func(waited, want time.Duration) {
		t.Helper()
		w.clock = noon.Add(waited)
		if got := p.again(waits); got != want {
			t.Errorf("after %s: looks again after %s, want %s", waited, got, want)
		}
	}

	after(0, serving)
	after(16*serving, serving)
	after(160*time.Second, 10*time.Second)
	after(time.Hour, slowest)
	if _, err := w.reconcile(p.group); err == nil || len(w.steps) == 0 {
		t.Fatalf("steps %q, %v", w.steps, err)
	}
	after(time.Hour, serving)
	after(2*time.Hour, slowest)
	p.again(elb.Plan{})
	after(2*time.Hour, serving)
}

// TestWhatHoldsADeletionUpIsReadAgain: a person puts it right at AWS, where nothing tells podgate of it.
func TestWhatHoldsADeletionUpIsReadAgain(t *testing.T) {
	ing := memberOf("web")[0]
	ing.SetFinalizers([]string{v1alpha1.IngressFinalizer})
	w := newWorld(t, ing)
	w.seen.LoadBalancers = []elb.ObservedLoadBalancer{{ARN: "lb", Protected: true}}
	if err := w.Delete(t.Context(), ing); err != nil {
		t.Fatal(err)
	}

	for looks := 1; looks <= 2; looks++ {
		result, err := w.reconcile(Key{Name: "g"})
		if err != nil || result.RequeueAfter != holding || len(w.steps) > 0 {
			t.Fatalf("looks again after %s; steps %q, %v", result.RequeueAfter, w.steps, err)
		}
		if w.reads != looks {
			t.Errorf("look %d: all was read %d times", looks, w.reads)
		}
	}
}

// TestLaw13ANewProcessDoubtsAnEmptyList: AWS may not list yet what another process made just before it ended. The last Ingress is
// not let go of by a list that has nothing, before a minute has gone and all is read again.
func TestLaw13ANewProcessDoubtsAnEmptyList(t *testing.T) {
	ing := memberOf("web")[0]
	ing.SetFinalizers([]string{v1alpha1.IngressFinalizer})
	w := newWorld(t, ing)
	if err := w.Delete(t.Context(), ing); err != nil {
		t.Fatal(err)
	}
	gone := func() bool {
		t.Helper()
		return apierrors.IsNotFound(w.Get(t.Context(), client.ObjectKeyFromObject(ing), &networkingv1.Ingress{}))
	}

	for _, tc := range []struct {
		after, again time.Duration
		gone         bool
	}{{0, lag, false}, {lag - time.Second, time.Second, false}, {lag, audit, true}} {
		w.clock = noon.Add(tc.after)
		reads := w.reads
		result, err := w.reconcile(Key{Name: "g"})
		if err != nil || gone() != tc.gone || result.RequeueAfter != tc.again || w.reads != reads+1 {
			t.Errorf("after %s: gone %t, looks again after %s, read %d times, %v", tc.after, gone(), result.RequeueAfter, w.reads-reads, err)
		}
	}
}

// TestDoubts: what another process of podgate did just before this one began, and what AWS Load Balancer Controller did just
// before it was gone, may not be listed yet.
func TestDoubts(t *testing.T) {
	for name, tc := range map[string]struct {
		finalizer string
		abandoned bool
		after     time.Duration
		want      time.Duration
	}{
		"AtFirst":      {finalizer: v1alpha1.IngressFinalizer, want: lag},
		"Later":        {finalizer: v1alpha1.IngressFinalizer, after: 20 * time.Second, want: lag - 20*time.Second},
		"LongAfter":    {finalizer: v1alpha1.IngressFinalizer, after: lag, want: 0},
		"NotInherited": {want: 0},
		"OfLBC":        {abandoned: true, after: lag, want: lag},
	} {
		t.Run(name, func(t *testing.T) {
			ing := memberOf("web")[0]
			if tc.finalizer != "" {
				ing.SetFinalizers([]string{tc.finalizer})
			}
			w := newWorld(t)
			(&pass{Reconciler: w.Reconciler, group: Key{Name: "other"}}).doubt()
			w.clock = w.clock.Add(tc.after)
			p := &pass{Reconciler: w.Reconciler, group: Key{Name: "g"}, members: []member{{Object: ing, abandoned: tc.abandoned}}}
			for range 2 {
				if p.doubt(); p.doubtful() != tc.want {
					t.Errorf("doubts for %s, want %s", p.doubtful(), tc.want)
				}
			}
		})
	}
}

// TestLetsGoAtOnce: a process that held the Ingress itself, and did all that was done, knows what there is. A step of which it
// does not know whether it was done has it doubt again.
func TestLetsGoAtOnce(t *testing.T) {
	for name, failed := range map[string]bool{"Done": false, "Unknown": true} {
		t.Run(name, func(t *testing.T) {
			objects := memberOf("web")
			w := newWorld(t, objects...)
			w.fails = func(elb.Step) error { return balancer.ErrThrottled }
			if failed {
				w.fails = func(elb.Step) error { return errors.New("no answer came in time") }
			}
			if _, err := w.reconcile(Key{Name: "g"}); err == nil {
				t.Fatal("no step failed")
			}
			if !holds(Key{Name: "g"}, w.ingress("web")) {
				t.Fatal("it is not held")
			}

			w.seen = elb.Observed{}
			if err := w.Delete(t.Context(), w.ingress("web")); err != nil {
				t.Fatal(err)
			}
			_, err := w.reconcile(Key{Name: "g"})
			gone := apierrors.IsNotFound(w.Get(t.Context(), client.ObjectKeyFromObject(objects[0]), &networkingv1.Ingress{}))
			if err != nil || gone == failed {
				t.Errorf("gone: %t, %v", gone, err)
			}
		})
	}
}

// TestWithdraws: the name of podgate's load balancer leaves the status of an Ingress that went to a class of others, before
// anything of it goes. What others wrote stays, and so does all of one that went to another group of podgate's.
func TestWithdraws(t *testing.T) {
	for name, tc := range map[string]struct {
		class, group string
		want         []string
	}{
		"Others": {"nginx", "g", []string{"theirs.example.com"}},
		"Ours":   {"alb", "h", []string{"theirs.example.com", "lb.example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			ing := ingressOf(tc.class, groupAnnotation, tc.group, v1alpha1.StacksAnnotation, "g")
			ing.Finalizers = []string{v1alpha1.IngressFinalizer}
			for _, host := range []string{"theirs.example.com", "lb.example.com"} {
				ing.Status.LoadBalancer.Ingress = append(ing.Status.LoadBalancer.Ingress, networkingv1.IngressLoadBalancerIngress{Hostname: host})
			}
			w := newWorld(t, ing, class("nginx", "k8s.io/nginx"))
			w.seen.LoadBalancers = []elb.ObservedLoadBalancer{{ARN: "lb", DNSName: "LB.example.com"}}
			w.fails = func(elb.Step) error {
				var got []string
				for _, at := range w.ingress("web").Status.LoadBalancer.Ingress {
					got = append(got, at.Hostname)
				}
				if !slices.Equal(got, tc.want) {
					t.Errorf("the status names %q, want %q", got, tc.want)
				}
				return nil
			}
			_, _ = w.reconcile(Key{Name: "g"})
			if want := (elb.DeleteLoadBalancer{LoadBalancer: "lb"}).String(); !slices.Equal(w.steps, []string{want}) {
				t.Errorf("steps %q, want %q", w.steps, want)
			}
		})
	}
}

// TestLaw13NobodyJoinsByAForgedNote: an Ingress without a usable class stays in a group only with what the stack has of it,
// whatever is written on it. The load balancer goes with its real members.
func TestLaw13NobodyJoinsByAForgedNote(t *testing.T) {
	forged := ingressOf("none")
	forged.Name, forged.Finalizers = "forged", []string{v1alpha1.IngressFinalizer}
	forged.Annotations[v1alpha1.StacksAnnotation] = "g"
	m := func() member { return member{Object: forged, class: Class{Refused: "no class"}, standing: kept} }
	other := member{Object: memberOf("forged-one")[0].(*networkingv1.Ingress), standing: leaving}
	rules := func(own bool, owner string) elb.Observed {
		return elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{{Listeners: []elb.ObservedListener{{Has: []elb.ObservedRule{{Own: own, Rule: elb.Rule{Owner: owner}}}}}}}}
	}
	groups := func(resource string) elb.Observed {
		return elb.Observed{TargetGroups: []elb.ObservedTargetGroup{{TargetGroup: elb.TargetGroup{Resource: resource}}}}
	}
	for name, tc := range map[string]struct {
		seen elb.Observed
		want standing
	}{
		"Nothing":      {elb.Observed{}, refused},
		"Rule":         {rules(true, "shop/forged"), kept},
		"StrangeRule":  {rules(false, "shop/forged"), refused},
		"OthersRule":   {rules(true, "shop/forged-one"), refused},
		"Group":        {groups("shop/forged-api:80"), kept},
		"OthersGroup":  {groups("shop/forged-one-api:80"), refused},
		"BalancerOnly": {elb.Observed{LoadBalancers: make([]elb.ObservedLoadBalancer, 1)}, refused},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pass{Reconciler: newWorld(t).Reconciler, group: Key{Name: "g"}, members: []member{m(), other}, seen: tc.seen}
			p.verify()
			if got := p.members[0].standing; got != tc.want || p.deserted() != (tc.want == refused) {
				t.Errorf("stands %d, want %d; deserted %t", got, tc.want, p.deserted())
			}

			// What is read again counts, either way.
			p.seen = rules(true, "shop/forged")
			if p.verify(); p.members[0].standing != kept || p.members[1].standing != leaving {
				t.Errorf("with its rule stands %d", p.members[0].standing)
			}
		})
	}

	// The last real member takes the load balancer along.
	web := memberOf("web")[0]
	web.SetFinalizers([]string{v1alpha1.IngressFinalizer})
	w := newWorld(t, forged, web)
	w.seen.LoadBalancers = []elb.ObservedLoadBalancer{{ARN: "lb"}}
	if err := w.Delete(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	_, _ = w.reconcile(Key{Name: "g"})
	if want := (elb.DeleteLoadBalancer{LoadBalancer: "lb"}).String(); !slices.Equal(w.steps, []string{want}) {
		t.Errorf("steps %q, want %q", w.steps, want)
	}
}

// TestClaims: the stacks that may have something of an Ingress are on it, and the last one takes the finalizers along.
func TestClaims(t *testing.T) {
	ing := memberOf("web")[0].(*networkingv1.Ingress)
	ing.Finalizers = []string{elbv2.LBCIngressGroupFinalizer + "g", "example.com/other"}
	w := newWorld(t, ing)
	a, b := Key{Name: "g"}, Key{Namespace: "shop", Name: "web"}
	state := func() string {
		now := w.ingress("web")
		return strings.Join(now.Finalizers, " ") + "; " + now.Annotations[v1alpha1.StacksAnnotation]
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	must(claim(t.Context(), w.Client, w.ingress("web"), a, false))
	if got := state(); got != "group.ingress.k8s.aws/g example.com/other podgate.dev/ingress; g" {
		t.Error(got)
	}
	must(claim(t.Context(), w.Client, w.ingress("web"), b, true))
	if got := state(); got != "example.com/other podgate.dev/ingress; g,shop/web" {
		t.Error(got)
	}
	before := w.ingress("web").ResourceVersion
	must(claim(t.Context(), w.Client, w.ingress("web"), a, true))
	if w.ingress("web").ResourceVersion != before {
		t.Error("it is written without need")
	}
	must(letGo(t.Context(), w.Client, w.ingress("web"), a, false))
	if got := state(); got != "example.com/other podgate.dev/ingress; shop/web" {
		t.Error(got)
	}
	must(letGo(t.Context(), w.Client, w.ingress("web"), b, false))
	if got := state(); got != "example.com/other; " {
		t.Error(got)
	}
}

// TestNewcomerOfLBC: an Ingress that AWS Load Balancer Controller would serve, too, takes no group that podgate serves. It does
// once that controller has its finalizer on it, and where podgate serves nobody of the group or the newcomer itself.
func TestNewcomerOfLBC(t *testing.T) {
	const ours, lbcs = v1alpha1.IngressFinalizer, elbv2.LBCIngressGroupFinalizer + "g"
	for name, tc := range map[string]struct {
		reason        string
		web, newcomer string
		silent        bool
		want          lbc.Ownership
		stands        standing
	}{
		"Claim":     {"a claim is not enough", ours, "", false, lbc.OwnedByPodgate, refused},
		"Forged":    {"nor is a finalizer where it does not serve the class", ours, lbcs, false, lbc.OwnedByPodgate, refused},
		"ForgedAll": {"but where podgate serves nobody, it may be so", "", lbcs, false, lbc.OwnedByLBC, active},
		"Has":       {"its finalizer is", ours, lbcs, false, lbc.OwnedByLBC, active},
		"Unserved":  {"podgate serves nobody", "", "", false, lbc.OwnedByLBC, active},
		"Both":      {"podgate served this one when that controller was gone", ours, ours, false, lbc.OwnedByLBC, active},
		"OtherHas":  {"it has another member", lbcs, "", false, lbc.OwnedByLBC, active},
		"NoLongers": {"that controller is gone", ours, "", true, lbc.OwnedByPodgate, active},
	} {
		t.Run(name, func(t *testing.T) {
			lease := &coordinationv1.Lease{
				ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: elbv2.LBCLease},
				Spec:       coordinationv1.LeaseSpec{HolderIdentity: new("lbc"), RenewTime: new(metav1.NewMicroTime(noon))},
			}
			class := []string{classAnnotation, albClass}
			if strings.HasPrefix(name, "Forged") {
				class = nil // its IngressClass is podgate's alone
			}
			objects := append(slices.Concat(memberOf("web"), memberOf("new", class...)), lease)
			for at, finalizer := range map[int]string{0: tc.web, 2: tc.newcomer} {
				if finalizer != "" {
					objects[at].SetFinalizers([]string{finalizer})
				}
			}
			w := newWorld(t, objects...)

			var members []member
			look := func() lbc.Ownership {
				var err error
				if members, err = w.kind.members(t.Context(), Key{Name: "g"}); err != nil || len(members) != 2 {
					t.Fatalf("members %v, %v", members, err)
				}
				whose, err := w.own(t.Context(), Key{Name: "g"}, members)
				if err != nil {
					t.Fatal(err)
				}
				return whose
			}
			look()
			for range 12 {
				w.clock = w.clock.Add(10 * time.Second)
				if !tc.silent {
					lease.Spec.RenewTime = new(metav1.NewMicroTime(w.clock))
					if err := w.Update(t.Context(), lease); err != nil {
						t.Fatal(err)
					}
				}
				look()
			}
			if whose := look(); whose != tc.want || members[0].standing != tc.stands {
				t.Errorf("%s: whose %d, want %d; the newcomer stands %d, want %d", tc.reason, whose, tc.want, members[0].standing, tc.stands)
			}
			if members[1].standing != active {
				t.Errorf("the other stands %d", members[1].standing)
			}

			_, err := w.reconcile(Key{Name: "g"})
			if told := w.told(); (len(w.steps) > 0) != tc.want.Podgates() || strings.Contains(told, "AWS Load Balancer Controller runs and") != (tc.stands == refused || tc.want == lbc.OwnedByLBC) {
				t.Errorf("steps %q, %v, told %s", w.steps, err, told)
			}
			if made := slices.ContainsFunc(w.seen.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.Owner == "shop/new" }); made != tc.silent {
				t.Errorf("there is a target group of the newcomer: %t", made)
			}
		})
	}
}

// TestStands: who is a member, who leaves, and whose rules stay.
func TestStands(t *testing.T) {
	group := Key{Name: "g"}
	ours, lbcs := v1alpha1.IngressFinalizer, elbv2.LBCIngressGroupFinalizer+"g"
	for name, tc := range map[string]struct {
		reason    string
		class     Class
		finalizer string
		deleted   bool
		want      standing
	}{
		"New":            {"it joins", Class{Served: true, Group: "g"}, "", false, active},
		"Member":         {"it is in", Class{Served: true, Group: "g"}, ours, false, active},
		"Elsewhere":      {"it is in another group", Class{Served: true, Group: "h"}, "", false, stranger},
		"Left":           {"it went to another group", Class{Served: true, Group: "h"}, ours, false, leaving},
		"NotOurs":        {"its class is somebody else's", Class{}, "", false, stranger},
		"LeftUs":         {"its class is somebody else's now", Class{}, ours, false, leaving},
		"Broken":         {"nobody knows whose it is, and it has rules", Class{Refused: "no class"}, ours, false, kept},
		"NeverOurs":      {"nobody knows whose it is, and it has none", Class{Refused: "no class"}, "", false, stranger},
		"Refused":        {"it would join", Class{Served: true, Group: "g", Refused: "no"}, "", false, refused},
		"Deleted":        {"it goes", Class{Served: true, Group: "g"}, ours, true, leaving},
		"DeletedBroken":  {"whatever its class is like", Class{Refused: "no class"}, ours, true, leaving},
		"DeletedUnheld":  {"there is nothing of it", Class{Served: true, Group: "g"}, "", true, stranger},
		"DeletedByLBC":   {"there is something of it", Class{Served: true, Group: "g"}, lbcs, true, leaving},
		"DeletedOfOther": {"it is not podgate's", Class{}, lbcs, true, stranger},
	} {
		t.Run(name, func(t *testing.T) {
			ing := ingressOf("alb")
			if tc.finalizer != "" {
				ing.Finalizers = []string{tc.finalizer}
				ing.Annotations[v1alpha1.StacksAnnotation] = "g"
			}
			if tc.deleted {
				ing.DeletionTimestamp = new(metav1.NewTime(noon))
			}
			if got := stands(member{Object: ing, class: tc.class}, group); got != tc.want {
				t.Errorf("%s: got %d, want %d", tc.reason, got, tc.want)
			}
		})
	}
}

// TestLaw13BindingsOfOthersStay: only bindings that podgate made go with their target groups, and not before what AWS lists may
// be trusted.
func TestLaw13BindingsOfOthersStay(t *testing.T) {
	of := func(name, group string, made bool, age time.Duration) client.Object {
		b := &elbv2.TargetGroupBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "1", Labels: labelsOf(Key{Name: "g"}), CreationTimestamp: metav1.NewTime(noon.Add(-age))},
			Spec:       elbv2.TargetGroupBindingSpec{TargetGroupARN: group},
		}
		if made {
			b.Annotations = map[string]string{v1alpha1.MadeForAnnotation: "Ingress shop/web"}
		}
		return b
	}
	other := of("another-group", "gone", true, time.Hour)
	other.SetLabels(labelsOf(Key{Name: "h"}))
	w := newWorld(t, other, of("stray", "gone", true, strayAfter), of("young", "gone", true, strayAfter-time.Second), of("persons", "gone", false, time.Hour), of("serves", "there", true, time.Hour))
	bindings, err := w.bindingsOf(t.Context(), Key{Name: "g"})
	if err != nil {
		t.Fatal(err)
	}
	if err := bindings.sweep(t.Context(), elb.Observed{TargetGroups: []elb.ObservedTargetGroup{{ARN: "there"}}}, noon); err != nil {
		t.Fatal(err)
	}

	var left elbv2.TargetGroupBindingList
	if err := w.List(t.Context(), &left); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range left.Items {
		names = append(names, b.Name)
	}
	if want := []string{"another-group", "persons", "serves", "young"}; !slices.Equal(names, want) {
		t.Errorf("left are %q, want %q", names, want)
	}
}

// TestBindings: a binding has what its target group asks for, and what a person added.
func TestBindings(t *testing.T) {
	w := newWorld(t)
	w.manage = true
	want := elb.TargetGroup{Name: "k8s-web", Owner: "shop/web", VPC: "vpc-1", TargetType: "instance", AddressType: "ipv4", Binding: elb.Binding{
		Namespace: "shop", Service: "web", Port: "http", Labels: map[string]string{"a": "1"}, Nodes: map[string]string{"role": "web"},
	}}
	read := func() *elbv2.TargetGroupBinding {
		t.Helper()
		b := &elbv2.TargetGroupBinding{}
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "k8s-web"}, b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	bind := func() {
		t.Helper()
		bindings, err := w.bindingsOf(t.Context(), Key{Name: "g"})
		if err != nil {
			t.Fatal(err)
		}
		if err := bindings.bind(t.Context(), want, "arn"); err != nil {
			t.Fatal(err)
		}
		seen := elb.Observed{TargetGroups: []elb.ObservedTargetGroup{{ARN: "arn"}, {ARN: "other"}}}
		bindings.note(&seen)
		if got := seen.TargetGroups[0]; !got.Bound || got.Binding.Port != "http" || got.Binding.Nodes["role"] != want.Binding.Nodes["role"] || seen.TargetGroups[1].Bound {
			t.Errorf("it is seen as %+v", got)
		}
	}

	bind()
	b := read()
	if b.Spec.TargetGroupARN != "arn" || *b.Spec.TargetType != "instance" || b.Spec.VpcID != "vpc-1" || *b.Spec.IPAddressType != "ipv4" || b.Spec.ServiceRef.Port.String() != "http" || b.Spec.ServiceRef.Name != "web" {
		t.Errorf("made %+v", b.Spec)
	}
	if b.Labels["a"] != "1" || b.Labels[elbv2.IngressGroupLabel] != "g" || b.Annotations[v1alpha1.ManageAnnotation] != "true" || b.Annotations[v1alpha1.MadeForAnnotation] != "Ingress shop/web" {
		t.Errorf("made %+v", b.ObjectMeta)
	}
	if group, ok := groupOfLabels(b.Labels); !ok || group.Name != "g" {
		t.Errorf("its group is %v", group)
	}

	b.Labels["mine"] = "x"
	if err := w.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	want.Binding.Nodes, want.Binding.MultiCluster = nil, true
	bind()
	if b := read(); b.Labels["mine"] != "x" || b.Spec.NodeSelector != nil || !b.Spec.MultiClusterTargetGroup {
		t.Errorf("corrected %+v", b)
	}
	before := read().ResourceVersion
	bind()
	if read().ResourceVersion != before {
		t.Error("it is written without need")
	}
}

// TestMapper: an event wakes the groups that it concerns, and no other.
func TestMapper(t *testing.T) {
	web := memberOf("web")[0].(*networkingv1.Ingress)
	web.Finalizers = []string{v1alpha1.IngressFinalizer}
	web.Annotations[v1alpha1.StacksAnnotation] = "g,shop/web"
	byDefault := ingressOf("alb")
	byDefault.Name = "default"
	byDefault.Spec.DefaultBackend = &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "fallback"}}
	byAction := ingressOf("alb", actionsPrefix+"x", `{"serviceName":"canary"}`)
	byAction.Name = "action"
	foreign := ingressOf("nginx")
	foreign.Name = "foreign"
	w := newWorld(t, web, byDefault, byAction, foreign, class("nginx", "k8s.io/nginx"))
	m := mapper{w.Client, w.kind.(ingresses).classes}

	for name, tc := range map[string]struct {
		got  []reconcile.Request
		want string
	}{
		"Ingress":  {m.ingress(t.Context(), web), "/g shop/web"},
		"Foreign":  {m.ingress(t.Context(), foreign), ""},
		"Backend":  {m.service(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}), "/g shop/web"},
		"Default":  {m.service(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "fallback"}}), "shop/default"},
		"Action":   {m.service(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "canary"}}), "shop/action"},
		"Nowhere":  {m.service(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "else", Name: "web"}}), ""},
		"All":      {m.all(t.Context(), nil), "shop/action shop/default /g shop/web"},
		"Binding":  {bound(t.Context(), &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Labels: labelsOf(Key{Namespace: "shop", Name: "web"})}}), "shop/web"},
		"NoLabels": {bound(t.Context(), &elbv2.TargetGroupBinding{}), ""},
	} {
		var all []string
		for _, req := range tc.got {
			all = append(all, req.String())
		}
		if got := strings.Join(all, " "); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

// TestProblemsAreExplained: what the builder says of an Ingress is in the catalog of reasons.
func TestProblemsAreExplained(t *testing.T) {
	for _, reason := range []string{
		v1alpha1.ReasonInvalidAnnotation, v1alpha1.ReasonConflictInGroup, v1alpha1.ReasonProtectionNotServed, v1alpha1.ReasonAnnotationNotServed, v1alpha1.ReasonNoEffect,
		v1alpha1.ReasonLimitExceeded, v1alpha1.ReasonPathNotServed, v1alpha1.ReasonNoCertificate, v1alpha1.ReasonNoSubnets, v1alpha1.ReasonSettingsHeld,
	} {
		if _, ok := v1alpha1.Explain(v1alpha1.OnIngressEvent, reason); !ok {
			t.Errorf("%s is not explained", reason)
		}
	}
}

// TestQuotasOfTheAccount: what the account allows is counted before the first call, and the Ingress is named that exceeds it. That is
// looked at sooner, since a person may have had AWS raise it.
func TestQuotasOfTheAccount(t *testing.T) {
	w := newWorld(t, slices.Concat(memberOf("first"), memberOf("second"))...)
	w.quotas.Rules = 1
	_, _ = w.reconcile(Key{Name: "g"})
	told := w.told()
	if want := "with this Ingress the load balancer would have 2 rules, and it may have 1, of which others use 1"; strings.Count(told, want) != 1 {
		t.Errorf("told: %s", told)
	}
	if slices.ContainsFunc(w.seen.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.Owner == "shop/second" }) {
		t.Errorf("steps for the one that is refused: %q", w.steps)
	}
	if !slices.Equal(slices.Compact(slices.Sorted(slices.Values(w.quotasOf))), []time.Duration{exceeded, quotas}) {
		t.Errorf("asked for quotas of %v", w.quotasOf)
	}

	w.quotas.Rules, w.quotasOf = 2, nil
	_, _ = w.reconcile(Key{Name: "g"})
	if !slices.ContainsFunc(w.seen.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.Owner == "shop/second" }) {
		t.Errorf("steps where there is room: %q", w.steps)
	}
	if slices.Contains(w.quotasOf, exceeded) {
		t.Errorf("asked for quotas of %v", w.quotasOf)
	}
}
