// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ingress makes application load balancers of Ingresses, one for each group of them, and of Gateways, and network load
// balancers of Services, each of which is a group of its own. It finds the members of a group, has a stack made of them, reads what there
// is of it, and does the steps from the one to the other until nothing is left to do or something has to be waited for. It
// remembers nothing that counts: what it needs is in the cluster and at AWS.
//
// It refuses to decide how a load balancer should be, which the packages in route do, and in which order it
// is changed, which package provision/elb does. What pods and nodes are targets is up to the bindings that it makes.
package ingress

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
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

// Cloud has what there is of stacks; an *apply.Cloud does.
type Cloud interface {
	// Observe reads what there is of a stack, but for its bindings, for what names it and for health. fresh is for who is about to
	// change something.
	Observe(ctx context.Context, stack elb.Stack, fresh bool) (elb.Observed, error)
	// Health adds the health of target groups to what is observed.
	Health(ctx context.Context, seen *elb.Observed, arns []string) error
	// TargetGroups are all of the account and region; where fresh, as they were a minute ago at most.
	TargetGroups(ctx context.Context, fresh bool) ([]elb.ObservedTargetGroup, error)
	// Quotas are what the account allows a load balancer of a kind, as far as AWS told that long ago at most; the error says why it
	// did not.
	Quotas(ctx context.Context, kind elb.Kind, age time.Duration) (elb.Quotas, error)
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
	// begun is when this process looked at a group first: no other one has made anything since.
	begun  func() time.Time
	now    func() time.Time
	random func(time.Duration) time.Duration
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
		r.forget(group)
		return reconcile.Result{}, nil
	}

	p := &pass{Reconciler: r, group: group, members: members, log: logger, notes: map[string][]note{}}
	result, err := p.run(ctx)
	if err != nil {
		p.failed(err)
	}
	if failed := r.kind.conclude(ctx, p); failed != nil {
		result, err = reconcile.Result{}, errors.Join(err, failed)
	}
	p.tell()
	r.metrics.stands(group, p.state, p.refused)
	return result, err
}

// forget drops what is remembered of a group without members.
func (r *Reconciler) forget(group Key) {
	r.read.forget(group)
	r.waiting.forget(group)
	r.doubted.forget(group)
	r.metrics.stands(group, "", 0)
}

// pass is one look at a group.
type pass struct {
	*Reconciler
	group   Key
	members []member
	log     logr.Logger

	// made is what was built of the members, and stack its stack.
	made     built
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
	if err := p.look(ctx); err != nil {
		return reconcile.Result{}, err
	}
	if !p.held() {
		return reconcile.Result{RequeueAfter: mistaken}, nil
	}

	if err := p.reclaim(ctx); err != nil {
		return reconcile.Result{}, err
	}
	if err := p.withdraw(ctx); err != nil {
		return reconcile.Result{}, err
	}
	plan, err := p.act(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}

	p.say(plan)
	if err := errors.Join(p.publish(ctx, plan), p.settle(ctx), p.blame()); err != nil {
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
	return slices.ContainsFunc(p.members, func(m member) bool { return m.standing != refused && m.standing != guest })
}
