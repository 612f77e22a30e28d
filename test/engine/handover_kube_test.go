// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/manager"
)

// lbc plays AWS Load Balancer Controller: it renews its lease and, when it starts,
// puts its finalizer and its checkpoint on every binding. It does not serve them.
type lbc struct {
	*cluster
	stop func()
}

// startLBC starts it; its lease lasts a second, so that it is not missed for long.
func (c *cluster) startLBC() lbc {
	c.Helper()
	renew := func() {
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: elbv2.LBCLease}}
		_, err := controllerutil.CreateOrUpdate(c.Context(), c.kube, lease, func() error {
			lease.Spec = coordinationv1.LeaseSpec{
				HolderIdentity: aws.String("aws-load-balancer-controller-7d4b_0c4a"), LeaseDurationSeconds: aws.Int32(1),
				RenewTime: new(metav1.NowMicro()), LeaseTransitions: aws.Int32(3),
			}
			return nil
		})
		if err != nil && c.Context().Err() == nil {
			c.Error(err)
		}
	}

	renew()
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				renew()
			case <-end:
				return
			}
		}
	}()

	l := lbc{cluster: c, stop: func() { close(end); <-done }}
	var all elbv2.TargetGroupBindingList
	if err := c.kube.List(c.Context(), &all, client.InNamespace(c.ns)); err != nil {
		c.Fatal(err)
	}

	for i := range all.Items {
		l.claim(&all.Items[i])
	}

	return l
}

// claim does what it does to a binding that it reconciles.
func (l lbc) claim(b *elbv2.TargetGroupBinding) {
	l.Helper()
	before := b.DeepCopy()
	controllerutil.AddFinalizer(b, elbv2.LBCFinalizer)
	metav1.SetMetaDataAnnotation(&b.ObjectMeta, elbv2.LBCCheckpoint, "d1946fbf/3b5d5c37")
	metav1.SetMetaDataAnnotation(&b.ObjectMeta, elbv2.LBCCheckpointTime, "1772366400")

	if err := l.kube.Patch(l.Context(), b, client.MergeFrom(before)); err != nil {
		l.Fatal(err)
	}

	before = b.DeepCopy()
	b.Status.ObservedGeneration = &b.Generation
	if err := l.kube.Status().Patch(l.Context(), b, client.MergeFrom(before)); err != nil {
		l.Fatal(err)
	}
}

// lbcBinding makes a binding as LBC makes one for an Ingress.
func (c *cluster) lbcBinding(name, service, arn string) *elbv2.TargetGroupBinding {
	c.Helper()
	b := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: c.ns, Labels: map[string]string{"ingress.k8s.aws/stack-name": "web", "ingress.k8s.aws/stack-namespace": c.ns},
		},
		Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupARN: arn, TargetType: new(elbv2.TargetTypeIP), IPAddressType: aws.String("ipv4"), VpcID: "vpc-1", TargetGroupProtocol: aws.String("HTTP"),
			ServiceRef: elbv2.ServiceReference{Name: service},
			Networking: &elbv2.Networking{Ingress: []elbv2.NetworkingIngressRule{{
				From:  []elbv2.NetworkingPeer{{SecurityGroup: &elbv2.SecurityGroup{GroupID: "sg-0123456789abcdef0"}}},
				Ports: []elbv2.NetworkingPort{{Protocol: aws.String("TCP")}},
			}}},
		},
	}

	b.Spec.ServiceRef.Port.IntVal = 80
	c.create(b)
	return b
}

// registered registers targets as somebody else than podgate.
func (c *cluster) registered(arn string, addresses ...string) {
	c.Helper()
	var targets []elbtypes.TargetDescription
	for _, a := range addresses {
		targets = append(targets, elbtypes.TargetDescription{Id: aws.String(a), Port: aws.Int32(8080)})
	}
	if _, err := c.elb.RegisterTargets(c.Context(), &elb.RegisterTargetsInput{TargetGroupArn: aws.String(arn), Targets: targets}); err != nil {
		c.Fatal(err)
	}
}

// opened writes a gate as LBC does: with neither reason nor message.
func (c *cluster) opened(pod *corev1.Pod, name string) {
	c.Helper()
	body := `{"status":{"conditions":[{"type":"` + elbv2.GateType(name) + `","status":"True","lastTransitionTime":"2026-03-01T12:00:00Z"}]}}`
	if err := c.kube.Status().Patch(c.Context(), pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}
}

// alwaysHeld fails the test when the binding is seen without a finalizer.
func (c *cluster) alwaysHeld(b *elbv2.TargetGroupBinding) {
	c.Helper()
	w, err := c.kube.Watch(c.Context(), &elbv2.TargetGroupBindingList{}, client.InNamespace(c.ns))
	if err != nil {
		c.Fatal(err)
	}

	name, done := b.Name, make(chan struct{})
	go func() {
		defer close(done)
		for e := range w.ResultChan() {
			seen, ok := e.Object.(*elbv2.TargetGroupBinding)
			if ok && e.Type == "MODIFIED" && seen.Name == name && len(seen.Finalizers) == 0 {
				c.Errorf("nobody holds the binding at %s", seen.ResourceVersion)
			}
		}
	}()

	c.Cleanup(func() { w.Stop(); <-done })
}

// managed reads a binding's Managed condition's reason.
func (c *cluster) managed(b *elbv2.TargetGroupBinding) string {
	c.Helper()
	var now elbv2.TargetGroupBinding
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(b), &now); err != nil {
		c.Fatal(err)
	}
	if m := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionManaged); m != nil {
		return m.Reason
	}
	return ""
}

// A binding goes from LBC to podgate, back, and to podgate again, and is deleted. Each
// leaves the other's targets and open gates as they are, and somebody always holds it.
func TestHandoverBesideLBC(t *testing.T) {
	c := newCluster(t)
	c.config = func(cfg *manager.Config) { cfg.LBCLeaseNamespace = c.ns }
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	b := c.lbcBinding("k8s-web-web-b21a807597", "web", arn)
	one, two := c.pod("web-1", "web", "10.0.0.1", b.Name), c.pod("web-2", "web", "10.0.0.2", b.Name)
	c.registered(arn, "10.0.0.1", "10.0.0.2")
	c.opened(one, b.Name)
	c.opened(two, b.Name)
	opened := c.gate("web-1", b.Name)
	lbc := c.startLBC()
	c.alwaysHeld(b)
	c.start()
	c.pod("web-3", "web", "10.0.0.3", b.Name)
	calls := func() int { return len(c.calls("RegisterTargets")) - 1 + len(c.calls("DeregisterTargets")) }

	c.eventually("told that LBC owns it", func() bool { return c.managed(b) == v1alpha1.ReasonOwnedByLBC })
	c.never("podgate touches a binding of LBC", 6*time.Second, func() bool {
		return calls() > 0 || c.gate("web-3", b.Name).Status != "" || !slices.Equal(c.finalizers(b), []string{elbv2.LBCFinalizer})
	})

	lbc.stop()
	c.eventually("taken over", func() bool { return slices.Equal(c.finalizers(b), []string{v1alpha1.Finalizer}) })
	c.eventually("the waiting pod is served", func() bool { return c.gate("web-3", b.Name).Reason == v1alpha1.ReasonHealthy })

	if got := c.gate("web-1", b.Name); got != opened {
		t.Errorf("an open gate was written: %+v", got)
	}

	if n := calls(); n != 1 {
		t.Errorf("%d calls to take over two targets and register one", n)
	}

	lbc = c.startLBC()
	c.eventually("handed back", func() bool {
		return slices.Equal(c.finalizers(b), []string{elbv2.LBCFinalizer}) && c.managed(b) == v1alpha1.ReasonOwnedByLBC
	})

	if err := c.kube.Delete(t.Context(), one); err != nil {
		t.Fatal(err)
	}

	c.never("podgate touches what it handed back", 2*time.Second, func() bool { return calls() > 1 })
	lbc.stop()
	c.eventually("taken over again", func() bool { return len(c.calls("DeregisterTargets")) == 1 })

	lbc = c.startLBC()
	c.eventually("handed back again", func() bool { return slices.Equal(c.finalizers(b), []string{elbv2.LBCFinalizer}) })
	lbc.stop()

	if err := c.kube.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}

	c.eventually("ended by podgate, since LBC is gone", func() bool { return c.gone(b) })
	for address, state := range c.rows(arn) {
		if state != "draining" {
			t.Errorf("the binding is gone, and %s is %s", address, state)
		}
	}
}

// podgate is told to leave every binding: one waits for LBC's finalizer while LBC lives.
func TestNoneHandsBackToLBC(t *testing.T) {
	c := newCluster(t)
	c.config = func(cfg *manager.Config) { cfg.LBCLeaseNamespace = c.ns }
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	b := c.lbcBinding("web", "web", arn)
	c.start()
	c.pod("web-1", "web", "10.0.0.1", b.Name)
	c.eventually("podgate serves it", func() bool { return c.gate("web-1", b.Name).Reason == v1alpha1.ReasonHealthy })
	lbc := c.startLBC()
	c.annotate(b, `{"metadata":{"finalizers":["`+v1alpha1.Finalizer+`"]}}`)
	c.config = func(cfg *manager.Config) { cfg.LBCLeaseNamespace, cfg.Bindings = c.ns, string(binding.OwnNone) }
	c.alwaysHeld(b)
	c.start()
	c.eventually("told that it is not served", func() bool { return c.managed(b) == v1alpha1.ReasonNotServed })
	c.never("let go before LBC has it", 3*time.Second, func() bool { return !slices.Contains(c.finalizers(b), v1alpha1.Finalizer) })

	if err := c.kube.Get(t.Context(), client.ObjectKeyFromObject(b), b); err != nil {
		t.Fatal(err)
	}

	lbc.claim(b)
	c.eventually("let go", func() bool { return slices.Equal(c.finalizers(b), []string{elbv2.LBCFinalizer}) })
	lbc.stop()

	if rows := c.rows(arn); rows["10.0.0.1"] != "healthy" || c.gate("web-1", b.Name).Reason != v1alpha1.ReasonHealthy {
		t.Errorf("the targets are %v", rows)
	}
}

// A group that clusters share: after a restart the target of a pod that died meanwhile
// goes, and another cluster's stays, also when the binding is deleted.
func TestSharedGroupOverARestart(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	b := c.lbcBinding("web", "web", arn)
	c.annotate(b, `{"spec":{"multiClusterTargetGroup":true}}`)
	c.registered(arn, "10.0.0.9")
	c.start()
	one := c.pod("web-1", "web", "10.0.0.1", b.Name)
	c.pod("web-2", "web", "10.0.0.2", b.Name)
	c.eventually("both served", func() bool {
		return c.gate("web-1", b.Name).Reason == v1alpha1.ReasonHealthy && c.gate("web-2", b.Name).Reason == v1alpha1.ReasonHealthy
	})

	record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "aws-lbc-targets-web"}}
	if err := c.kube.Get(t.Context(), client.ObjectKeyFromObject(record), record); err != nil || record.Data["targets"] != "10.0.0.1:8080,10.0.0.2:8080" {
		t.Errorf("recorded %q, %v", record.Data, err)
	}

	c.stop()
	c.remove(one)
	c.start()
	c.eventually("the dead pod's target leaves", func() bool { return c.rows(arn)["10.0.0.1"] != "healthy" })

	if err := c.kube.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}

	c.eventually("binding and record gone", func() bool { return c.gone(b) && c.gone(record) })
	if rows := c.rows(arn); rows["10.0.0.9"] != "healthy" || rows["10.0.0.2"] == "healthy" {
		t.Errorf("the targets are %v", rows)
	}
}
