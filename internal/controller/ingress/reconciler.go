// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ingress makes application load balancers of Ingresses, one for each group of them, and network load balancers of
// Services, each of which is a group of its own. It finds the members of a group, has a stack made of them, reads what there
// is of it, and does the steps from the one to the other until nothing is left to do or something has to be waited for. It
// remembers nothing that counts: what it needs is in the cluster and at AWS.
//
// It refuses to decide how a load balancer should be, which packages route/ingress and route/service do, and in which order it
// is changed, which package provision/elb does. What pods and nodes are targets is up to the bindings that it makes.
package ingress

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/provision/elb"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// What this package may do in the cluster, where Ingresses are served.
//
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=list;watch;patch,roleName=podgate-ingress
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses/status,verbs=patch,roleName=podgate-ingress
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingressclasses,verbs=list;watch,roleName=podgate-ingress
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=ingressclassparams,verbs=list;watch,roleName=podgate-ingress
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=targetgroupbindings,verbs=create;delete,roleName=podgate-ingress
// +kubebuilder:rbac:groups="",resources=services,verbs=patch,roleName=podgate-ingress
// +kubebuilder:rbac:groups="",resources=services/status,verbs=patch,roleName=podgate-ingress

const (
	// provisioning is how soon to look again at what AWS is making, and serving at targets that are to become healthy.
	provisioning = 5 * time.Second
	serving      = 2 * time.Second
	// Who has waited for long is looked at after a part of that time, at last every slowest: it may wait for ever.
	partOfWait = 16
	slowest    = time.Minute
	// mistaken is how soon to look again at an Ingress that cannot be served as it is: what it lacks may be at AWS.
	mistaken = time.Minute
	// rereading is how often all is read again of what is waited for, by podgate or by a person who has been told.
	rereading = 30 * time.Second
	// holding is how soon to look again at a deletion that a person holds up.
	holding = 15 * time.Second
	// audit is how soon, at least, to look for what somebody else changed at AWS. Up to as much is added.
	audit = 5 * time.Minute
	// patienceWithGroups is how long the deletion of an Ingress waits for a security group that something uses.
	patienceWithGroups = 10 * time.Minute
	// lag is for how long what AWS lists may lack what was made.
	lag = time.Minute
	// mostSteps bounds the steps of one pass.
	mostSteps = 2000
)

// Cloud has what there is of stacks; an *apply.Cloud does.
type Cloud interface {
	// Observe reads what there is of a stack, but for its bindings, for what names it and for health. fresh is for who is about to
	// change something.
	Observe(ctx context.Context, stack elb.Stack, fresh bool) (elb.Observed, error)
	// Health adds the health of target groups to what is observed.
	Health(ctx context.Context, seen *elb.Observed, arns []string) error
	// TargetGroups are all of the account and region; where fresh, as they were a minute ago at most.
	TargetGroups(ctx context.Context, fresh bool) ([]elb.ObservedTargetGroup, error)
	// Perform does a step, other than those of bindings, and brings what is observed in step with it.
	Perform(ctx context.Context, of elb.Identity, step elb.Step, seen *elb.Observed) error
}

// Reconciler brings the load balancer of one group at a time in step with its Ingresses.
type Reconciler struct {
	client   client.Client
	cloud    Cloud
	settings routes.Settings
	shared   *shared
	kind     kind
	lbc      *lbc.Ingresses
	manage   bool
	teller   *teller
	metrics  *metrics
	read     *times
	waiting  *times
	// doubted is since when AWS may have more of a group than it lists.
	doubted *times
	now     func() time.Time
	random  func(time.Duration) time.Duration
}

// Reconcile implements reconcile.Reconciler. The request is a group's Key.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	group := req.NamespacedName
	logger := log.FromContext(ctx).WithValues("stack", routes.StackOf(group))
	ctx = log.IntoContext(ctx, logger)

	members, err := r.kind.members(ctx, group)
	if err != nil {
		return reconcile.Result{}, err
	}
	r.teller.forget(group, members)
	if len(members) == 0 {
		r.read.forget(group)
		r.waiting.forget(group)
		r.doubted.forget(group)
		r.metrics.stands(group, "", 0)
		return reconcile.Result{}, nil
	}

	p := &pass{Reconciler: r, group: group, members: members, log: logger, notes: map[string][]note{}}
	result, err := p.run(ctx)
	if err != nil {
		p.failed(err)
	}
	for _, m := range members {
		for _, n := range r.teller.tell(group, m.Object, p.notes[m.owner()]) {
			logger.Info("Reported on an object", strings.ToLower(nounOf(m.Object)), m.owner(), "reason", n.reason, "message", n.message)
		}
	}
	r.metrics.stands(group, p.state, p.refused)
	return result, err
}

// pass is one look at a group.
type pass struct {
	*Reconciler
	group   Key
	members []member
	log     logr.Logger

	stack    elb.Stack
	seen     elb.Observed
	bindings *bindings
	// notes are what to tell people, by owner.
	notes map[string][]note
	// state is for the metric, and refused counts the Ingresses that cannot be served as they are.
	state   string
	refused int
	// unready are steps that AWS does not do yet, and culprits are whose steps failed.
	unready  []elb.Wait
	culprits map[string]error
	// missed is lookups.missed.
	missed error
	// uncertified: a host has no certificate, or not the one that it should have.
	uncertified bool
}

// run does what can be done now, and says when to look again.
func (p *pass) run(ctx context.Context) (reconcile.Result, error) {
	whose, err := p.own(ctx, p.group, p.members)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !whose.Podgates() {
		return reconcile.Result{RequeueAfter: p.lbc.Poll()}, p.observe(ctx, whose)
	}

	p.judge()
	if !p.held() {
		return reconcile.Result{RequeueAfter: mistaken}, nil
	}
	p.doubt()
	p.stack.Identity = p.kind.identity(p.settings, p.group)
	if err := p.prepare(ctx, false); err != nil {
		return reconcile.Result{}, err
	}
	if !p.held() {
		return reconcile.Result{RequeueAfter: mistaken}, nil
	}

	// Somebody may have written a member without its finalizer, and then its deletion would leave all of this behind.
	if len(p.seen.LoadBalancers)+len(p.seen.TargetGroups)+len(p.seen.SecurityGroups) > 0 {
		if err := p.claim(ctx); err != nil {
			return reconcile.Result{}, err
		}
	}

	if err := p.withdraw(ctx); err != nil {
		return reconcile.Result{}, err
	}

	plan, err := p.plan(ctx)
	if err == nil && (len(plan.Steps) > 0 || p.deserted() || len(plan.Waits)+len(plan.Refusals) > 0 && p.stale()) {
		plan, err = p.converge(ctx)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	p.say(plan)

	err = errors.Join(p.publish(ctx, plan), p.settle(ctx), p.blame())
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: p.again(plan)}, nil
}

// observe leaves the group to AWS Load Balancer Controller. What that has let go of already needs podgate's finalizer no more.
func (p *pass) observe(ctx context.Context, whose lbc.Ownership) error {
	p.state = stateObserved
	for _, m := range p.members {
		if whose == lbc.OwnedByLBC {
			p.note(m.owner(), corev1.EventTypeNormal, v1alpha1.ReasonOwnedByLBC, "AWS Load Balancer Controller runs and serves this "+nounOf(m.Object)+": podgate leaves it alone")
		}
		if whose == lbc.OwnedByLBC && m.standing == leaving && holds(p.group, m.Object) && !slices.Contains(m.GetFinalizers(), elbv2.LBCServiceFinalizer) && lbc.IngressFinalizers(m) == nil {
			if err := letGo(ctx, p.client, m.Object, p.group, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge notes what is wrong with the classes of the members.
func (p *pass) judge() {
	for _, m := range p.members {
		if m.class.Notice != "" {
			p.note(m.owner(), corev1.EventTypeWarning, v1alpha1.ReasonClassConflict, m.class.Notice)
		}
		if m.standing == kept || m.standing == refused {
			p.refused++
			p.note(m.owner(), corev1.EventTypeWarning, v1alpha1.ReasonClassNotUsable, m.class.Refused)
		}
	}
}

// prepare reads what there is, and makes the stack. fresh is for who is about to change something.
func (p *pass) prepare(ctx context.Context, fresh bool) error {
	var err error
	if p.seen, err = p.cloud.Observe(ctx, p.stack, fresh); err != nil {
		return fmt.Errorf("read what there is: %w", err)
	}
	p.verify()
	if p.bindings, err = p.bindingsOf(ctx, p.group); err != nil {
		return err
	}
	p.bindings.note(&p.seen)
	p.notePublished()
	return p.build(ctx, fresh)
}

// verify keeps only those without a usable class that the stack really has something of. Anybody may write on an Ingress that a
// group's stack has.
func (p *pass) verify() {
	for i := range p.members {
		m := &p.members[i]
		if m.class.Refused == "" || m.standing != kept && m.standing != refused || !holds(p.group, m.Object) {
			continue
		}
		m.standing = refused
		if p.has(m.owner()) {
			m.standing = kept
		}
	}
}

// has reports whether the stack has rules or target groups of an owner.
func (p *pass) has(owner string) bool {
	var owners []string
	for _, m := range p.members {
		owners = append(owners, m.owner())
	}
	if slices.ContainsFunc(p.seen.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.OwnerAmong(owners) == owner }) {
		return true
	}
	return p.hasRules(owner)
}

// hasRules reports whether the stack has rules of an owner.
func (p *pass) hasRules(owner string) bool {
	for _, b := range p.seen.LoadBalancers {
		for _, l := range b.Listeners {
			if slices.ContainsFunc(l.Has, func(r elb.ObservedRule) bool { return r.Own && r.Owner == owner }) {
				return true
			}
		}
	}
	return false
}

// plan says what is to do now.
func (p *pass) plan(ctx context.Context) (elb.Plan, error) {
	for {
		needs := elb.NeedsHealth(p.stack, p.seen)
		if len(needs) == 0 {
			break
		}
		if err := p.cloud.Health(ctx, &p.seen, needs); err != nil {
			return elb.Plan{}, fmt.Errorf("read the health of targets: %w", err)
		}
	}
	return elb.Make(p.stack, p.seen, p.now()), nil
}

// build makes the stack of the members, and notes what of them is not served as they ask. Who is about to change something,
// and who lacks something, has it made by fresh answers.
func (p *pass) build(ctx context.Context, changes bool) error {
	look := &lookups{shared: p.shared, ctx: ctx, reader: p.client, stack: p.stack.Identity, observed: p.seen, age: settledFor(p.metrics.served())}
	if changes {
		look.age = fresh
	}
	made, problems := p.kind.build(p.group, p.members, p.seen, p.settings, look.all())
	if look.lacks && !changes {
		look.age, look.failed, look.missed = fresh, nil, nil
		made, problems = p.kind.build(p.group, p.members, p.seen, p.settings, look.all())
	}
	p.stack = made
	if look.failed != nil {
		return look.failed
	}
	if p.missed == nil && look.missed != nil {
		p.log.Error(look.missed, "Something could not be looked for")
	}
	p.missed = look.missed
	p.uncertified = slices.ContainsFunc(problems, func(of routes.Problem) bool { return of.Reason == v1alpha1.ReasonNoCertificate })

	for _, problem := range problems {
		if noted := (note{corev1.EventTypeWarning, problem.Reason, problem.Message}); slices.Contains(p.notes[problem.Owner], noted) {
			continue // It was there before it was read again.
		}
		p.note(problem.Owner, corev1.EventTypeWarning, problem.Reason, problem.Message)
		if m := p.member(problem.Owner); problem.Severity == routes.Refused && m != nil && m.standing == active {
			p.refused++
			m.standing = refused
			if holds(p.group, m.Object) {
				m.standing = kept
			}
		}
	}
	return nil
}

func (p *pass) member(owner string) *member {
	for i := range p.members {
		if p.members[i].owner() == owner {
			return &p.members[i]
		}
	}
	return nil
}

// held reports whether there is, or is to be, something of the group at AWS.
func (p *pass) held() bool {
	return slices.ContainsFunc(p.members, func(m member) bool { return m.standing != refused })
}

// claim puts finalizers on the members before the first call to AWS.
func (p *pass) claim(ctx context.Context) error {
	for _, m := range p.members {
		if m.standing != active && (m.standing != kept || !m.abandoned) {
			continue
		}
		if err := claim(ctx, p.client, m.Object, p.group, m.abandoned); err != nil {
			return err
		}
		if m.abandoned {
			p.log.Info("Took an object over from AWS Load Balancer Controller", strings.ToLower(nounOf(m.Object)), m.owner())
			p.note(m.owner(), corev1.EventTypeNormal, v1alpha1.ReasonTakenOverFromLBC, "podgate took this "+nounOf(m.Object)+" over from AWS Load Balancer Controller")
		}
	}
	return nil
}

// converge does steps until none is left that can be done now. A step that fails holds up what needs it, and nothing else.
func (p *pass) converge(ctx context.Context) (elb.Plan, error) {
	if err := p.claim(ctx); err != nil {
		return elb.Plan{}, err
	}
	if err := p.prepare(ctx, true); err != nil {
		return elb.Plan{}, err
	}
	p.read.at(p.group, p.now())

	failed := map[string]bool{}
	for range mostSteps {
		// After a step the health of other target groups may matter.
		plan, err := p.plan(ctx)
		if err != nil {
			return elb.Plan{}, err
		}
		i := slices.IndexFunc(plan.Steps, func(s elb.Step) bool { return !failed[s.String()] })
		if i < 0 {
			plan.Waits = append(plan.Waits, p.unready...)
			return plan, nil
		}

		step := plan.Steps[i]
		err = p.perform(ctx, step)
		p.metrics.performed(kindOf(step), err)
		if err == nil {
			p.waiting.forget(p.group)
			p.log.Info("Did a step", "step", step.String())
			continue
		}
		if unknown(step, err) {
			p.doubted.at(p.group, p.now())
		}
		if ctx.Err() != nil || errors.Is(err, balancer.ErrThrottled) {
			return elb.Plan{}, fmt.Errorf("%s: %w", step, err) // Every other step would meet the same.
		}
		failed[step.String()] = true
		if errors.Is(err, balancer.ErrNotReady) {
			p.unready = append(p.unready, elb.Wait{Owner: ownerOf(step), Message: fmt.Sprintf("%s: %v", step, err)})
			continue
		}
		p.blamed(step, err)
	}
	return elb.Plan{}, fmt.Errorf("%d steps did not suffice", mostSteps)
}

// doubt notes at the first look at a group whether another process may have made something just before.
func (p *pass) doubt() {
	if !p.doubted.last(p.group).IsZero() {
		return
	}
	inherited := slices.ContainsFunc(p.members, func(m member) bool { return holds(p.group, m.Object) || m.abandoned })
	since := p.now()
	if !inherited {
		since = since.Add(-lag)
	}
	p.doubted.at(p.group, since)
}

// doubtful is for how long AWS may still have more of the group than it lists.
func (p *pass) doubtful() time.Duration { return lag - p.now().Sub(p.doubted.last(p.group)) }

// unknown reports whether a step that failed may have made something all the same.
func unknown(step elb.Step, err error) bool {
	for _, told := range []error{balancer.ErrThrottled, balancer.ErrInvalid, balancer.ErrQuota, balancer.ErrDenied} {
		if errors.Is(err, told) {
			return false
		}
	}
	switch step.(type) {
	case elb.CreateSecurityGroup, elb.CreateLoadBalancer, elb.CreateTargetGroup:
		return true
	}
	return false
}

// stale reports whether what is waited for, or refused, may have come about without a trace in what was read.
func (p *pass) stale() bool { return p.now().Sub(p.read.last(p.group)) >= rereading }

// deserted reports whether all that there is of the group goes, which is read again each time: what holds it up, such as a
// protected load balancer, a person puts right at AWS, and nobody may let go of what was only not listed.
func (p *pass) deserted() bool {
	return !slices.ContainsFunc(p.members, func(m member) bool { return m.standing == active || m.standing == kept })
}

// kindOf is how the metric calls a step.
func kindOf(step elb.Step) string { return reflect.TypeOf(step).Name() }

// perform does a step.
func (p *pass) perform(ctx context.Context, step elb.Step) error {
	var err error
	switch s := step.(type) {
	case elb.CreateBinding:
		err = p.bindings.bind(ctx, s.TargetGroup, s.ARN)
	case elb.UpdateBinding:
		err = p.bindings.bind(ctx, s.TargetGroup, s.ARN)
	case elb.DeleteBinding:
		err = p.bindings.unbind(ctx, s.ARN)
	default:
		return p.cloud.Perform(ctx, p.stack.Identity, step, &p.seen)
	}
	p.bindings.note(&p.seen)
	return err
}

// blamed notes whose step failed; all of the group's, where it is nobody's alone.
func (p *pass) blamed(step elb.Step, err error) {
	if p.culprits == nil {
		p.culprits = map[string]error{}
	}
	err = fmt.Errorf("%s: %w", step, err)
	p.log.Error(err, "A step failed")
	p.culprits[ownerOf(step)] = errors.Join(p.culprits[ownerOf(step)], err)
}

// ownerOf is whose a step is; empty: the whole stack's.
func ownerOf(step elb.Step) string {
	switch s := step.(type) {
	case elb.CreateRule:
		return s.Rule.Owner
	case elb.ReplaceRule:
		return s.Rule.Owner
	case elb.CreateTargetGroup:
		return s.TargetGroup.Owner
	case elb.CreateBinding:
		return s.TargetGroup.Owner
	case elb.UpdateBinding:
		return s.TargetGroup.Owner
	}
	return ""
}

// blame tells the owners of what failed, and returns it.
func (p *pass) blame() error {
	var all []error
	for owner, err := range p.culprits {
		p.noteAll(owner, corev1.EventTypeWarning, v1alpha1.ReasonLoadBalancerFailed, err.Error())
		all = append(all, err)
	}
	if len(all) > 0 {
		p.state = stateFailing
	}
	return errors.Join(all...)
}

// failed notes what ended the pass.
func (p *pass) failed(err error) {
	p.state = stateFailing
	// That somebody wrote an Ingress in between, or that a cache was behind, is over at the next try.
	passing := errors.Is(err, context.Canceled) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
	if p.culprits == nil && !passing {
		p.noteAll("", corev1.EventTypeWarning, v1alpha1.ReasonLoadBalancerFailed, err.Error())
	}
}

// say notes what the plan waits for and what it refuses.
func (p *pass) say(plan elb.Plan) {
	for _, w := range plan.Waits {
		p.noteAll(w.Owner, corev1.EventTypeNormal, v1alpha1.ReasonLoadBalancerWaiting, w.Message)
	}
	for _, refusal := range plan.Refusals {
		p.noteAll(refusal.Owner, corev1.EventTypeWarning, v1alpha1.ReasonLoadBalancerHeld, refusal.Message)
	}
	p.state = stateReady
	if len(plan.Waits) > 0 {
		p.state = stateWaiting
	}
}

// publish writes the load balancer's name into the status of its Ingresses. What is there stays where there is no name now.
func (p *pass) publish(ctx context.Context, plan elb.Plan) error {
	hostname := strings.ToLower(elb.Hostname(p.stack, p.seen))
	if hostname == "" {
		return nil
	}

	var errs []error
	for _, m := range p.members {
		if m.standing != active && m.standing != kept {
			continue
		}
		if p.culprits[m.owner()] != nil && len(hostnames(m.Object)) == 0 {
			continue // It has no name before its rules are in place.
		}
		errs = append(errs, p.publishOn(ctx, m, hostname))
		waits := slices.ContainsFunc(plan.Waits, func(w elb.Wait) bool { return w.Owner == m.owner() })
		if m.standing == active && !waits && p.culprits[m.owner()] == nil {
			p.note(m.owner(), corev1.EventTypeNormal, v1alpha1.ReasonLoadBalancerReady, "load balancer "+hostname+" is active and has the "+p.kind.parts()+" of this "+nounOf(m.Object))
		}
	}
	p.notePublished()
	return errors.Join(errs...)
}

func (p *pass) publishOn(ctx context.Context, m member, hostname string) error {
	before := copyOf(m.Object)
	name(m.Object, hostname, p.stack.Listeners)
	if reflect.DeepEqual(before, m.Object) {
		return nil
	}
	if err := p.client.Status().Patch(ctx, m.Object, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		set(m.Object, before)
		return fmt.Errorf("write the status of %s %s: %w", nounOf(m.Object), m.owner(), err)
	}
	p.log.Info("Published the load balancer's name", strings.ToLower(nounOf(m.Object)), m.owner(), "hostname", hostname)
	return nil
}

// withdraw takes the load balancer's name off the status of Ingresses that went to a class of others, while it is known: before
// the first step that takes their rules away. What others wrote stays. An Ingress that podgate serves in another group gets the
// name of that one when it serves.
func (p *pass) withdraw(ctx context.Context) error {
	for _, m := range p.members {
		if m.standing != leaving || !m.GetDeletionTimestamp().IsZero() || m.class.Served {
			continue
		}
		ours := func(hostname string) bool {
			return slices.ContainsFunc(p.seen.LoadBalancers, func(lb elb.ObservedLoadBalancer) bool { return strings.EqualFold(lb.DNSName, hostname) })
		}
		if !slices.ContainsFunc(hostnames(m.Object), ours) {
			continue
		}

		before := copyOf(m.Object)
		unname(m.Object, ours)
		err := p.client.Status().Patch(ctx, m.Object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("write the status of %s %s: %w", nounOf(m.Object), m.owner(), err)
		}
		p.log.Info("Withdrew the load balancer's name", strings.ToLower(nounOf(m.Object)), m.owner())
	}
	return nil
}

// notePublished adds to what is observed which load balancers the cluster names.
func (p *pass) notePublished() {
	named := map[string]bool{}
	for _, m := range p.members {
		for _, hostname := range hostnames(m.Object) {
			named[hostname] = m.standing != leaving || named[hostname]
		}
	}
	for i := range p.seen.LoadBalancers {
		p.seen.LoadBalancers[i].Published = named[strings.ToLower(p.seen.LoadBalancers[i].DNSName)]
	}
}

// settle lets go of Ingresses that left and have nothing more at AWS, and of bindings whose target groups are gone.
func (p *pass) settle(ctx context.Context) error {
	if err := p.bindings.sweep(ctx, p.seen, p.now()); err != nil {
		return err
	}

	var errs []error
	for _, m := range p.members {
		if m.standing != leaving {
			continue
		}
		if p.left(m) {
			continue
		}
		if err := letGo(ctx, p.client, m.Object, p.group, m.abandoned); err != nil {
			errs = append(errs, err)
			continue
		}
		p.log.Info("Let go of an object", strings.ToLower(nounOf(m.Object)), m.owner())
	}
	return errors.Join(errs...)
}

// left reports whether there may be something of an Ingress that left. The last one of a group has all that there is, but for a
// security group that AWS does not let go of: what uses it may be anybody's.
func (p *pass) left(m member) bool {
	if p.deserted() {
		held := len(p.seen.SecurityGroups) > 0
		if at := m.GetDeletionTimestamp(); held && at != nil && p.now().Sub(at.Time) >= patienceWithGroups {
			held = false
			p.log.Info("Left a security group behind, which something else uses", strings.ToLower(nounOf(m.Object)), m.owner(), "group", p.seen.SecurityGroups[0].ID)
		}
		return len(p.seen.LoadBalancers)+len(p.seen.TargetGroups) > 0 || held || p.doubtful() > 0
	}
	return p.hasRules(m.owner())
}

// again says when to look at the group again.
func (p *pass) again(plan elb.Plan) time.Duration {
	next := audit + p.random(audit)
	if p.refused+len(plan.Refusals) > 0 || p.missed != nil || p.uncertified {
		next = mistaken
	}
	if len(plan.Refusals) > 0 && slices.ContainsFunc(p.members, func(m member) bool { return m.standing == leaving }) {
		next = holding
	}
	if rest := p.doubtful(); rest > 0 && p.deserted() {
		next = min(next, rest)
	}

	unseen := p.unseen(plan)
	for _, w := range plan.Waits {
		at := max(provisioning, unseen)
		switch {
		case !w.Until.IsZero():
			at = max(w.Until.Sub(p.now()), time.Second)
		case p.active() && len(p.unready) == 0:
			at = max(serving, unseen)
		}
		next = min(next, at)
	}
	return next
}

// unseen is how long a group that waits can do so without a look, by how long nothing has come about.
func (p *pass) unseen(plan elb.Plan) time.Duration {
	if len(plan.Waits) == 0 {
		p.waiting.forget(p.group)
		return 0
	}
	since := p.waiting.last(p.group)
	if since.IsZero() {
		since = p.now()
		p.waiting.at(p.group, since)
	}
	return min(p.now().Sub(since)/partOfWait, slowest)
}

// active reports whether every load balancer is there as AWS makes it, so that only targets are waited for.
func (p *pass) active() bool {
	return len(p.seen.LoadBalancers) > 0 && !slices.ContainsFunc(p.seen.LoadBalancers, func(b elb.ObservedLoadBalancer) bool { return b.State == "provisioning" })
}

func (p *pass) note(owner, kind, reason, message string) {
	p.notes[owner] = append(p.notes[owner], note{kind, reason, message})
}

// noteAll notes something of an owner, or where there is none of all members that the stack has something of.
func (p *pass) noteAll(owner, kind, reason, message string) {
	for _, m := range p.members {
		if m.owner() == owner || owner == "" && m.standing != refused {
			p.note(m.owner(), kind, reason, message)
		}
	}
}

// times are one of each group, such as when all of it was read last.
type times struct {
	mu  sync.Mutex
	all map[Key]time.Time
}

func (t *times) at(group Key, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[group] = now
}

func (t *times) last(group Key) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[group]
}

func (t *times) forget(group Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, group)
}
