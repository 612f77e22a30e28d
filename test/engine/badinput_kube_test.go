// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/sim/awssim"
)

// Every bad input gives a condition and an event that say what is wrong and what to
// do, leaves another binding alone, and heals once its cause is gone.
func TestBadInput(t *testing.T) {
	for _, row := range []struct {
		name    string
		reason  string // of the binding's Ready condition, and of its event
		says    string // part of the message
		ready   bool   // the binding is meant to be so, and only its pods get no gate
		binding func(c *cluster, b *elbv2.TargetGroupBinding)
		hurt    func(c *cluster)
		mend    func(c *cluster) // nil when only another object can
	}{{
		name: "missing Service", reason: "ServiceNotFound", says: `Service "other" does not exist`,
		binding: func(_ *cluster, b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Name = "other" },
		mend:    func(c *cluster) { c.service("other"); c.pod("other-1", "other", "10.0.9.1") },
	}, {
		name: "missing port", reason: "PortNotFound", says: `has no port "metrics": it has 80 (http)`,
		binding: func(_ *cluster, b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Port = intstr.FromString("metrics") },
		mend: func(c *cluster) {
			c.updateService(func(svc *corev1.Service) {
				svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: "metrics", Port: 9090})
			})
		},
	}, {
		name: "target port", reason: "PortNotFound", says: `8080 is the target port of port 80 (http): write 80`,
		binding: func(_ *cluster, b *elbv2.TargetGroupBinding) { b.Spec.ServiceRef.Port = intstr.FromInt32(8080) },
		mend: func(c *cluster) {
			c.updateService(func(svc *corev1.Service) {
				svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: "alt", Port: 8080})
			})
		},
	}, {
		name: "missing target group", reason: "TargetGroupNotFound", says: `"later" does not exist: create it`,
		binding: func(_ *cluster, b *elbv2.TargetGroupBinding) {
			b.Spec.TargetGroupARN, b.Spec.TargetGroupName = "", "later"
		},
		mend: func(c *cluster) { c.group("later") },
	}, {
		name: "ARN of another region", reason: "InvalidRequest", says: "us-east-1",
		binding: func(_ *cluster, b *elbv2.TargetGroupBinding) {
			b.Spec.TargetGroupARN = strings.Replace(b.Spec.TargetGroupARN, region, "us-east-1", 1)
		},
	}, {
		name: "name of 64 characters", reason: "NameTooLong", says: "at most 63 characters", ready: true,
		binding: func(_ *cluster, b *elbv2.TargetGroupBinding) { b.Name = strings.Repeat("n", 64) },
	}, {
		name: "credentials refused", reason: "AccessDenied", says: "check podgate's credentials",
		hurt: fault(awssim.Fault{Operation: "DescribeTargetGroups", Error: &awssim.APIError{Status: 403, Code: "AccessDenied", Message: "not authorized"}}),
		mend: noFaults,
	}, {
		name: "throttled", reason: "Throttled", says: "repeated more slowly",
		hurt: fault(awssim.Fault{Operation: "DescribeTargetGroups", Error: &awssim.APIError{Status: 400, Code: "Throttling", Message: "Rate exceeded"}}),
		mend: noFaults,
	}, {
		name: "down", reason: "LoadBalancerUnavailable", says: "asked again",
		hurt: fault(awssim.Fault{Operation: "DescribeTargetGroups", Drop: true}),
		mend: noFaults,
	}, {
		name: "answer cut off", reason: "LoadBalancerUnavailable", says: "asked again",
		hurt: fault(awssim.Fault{Operation: "DescribeTargetGroups", Truncate: true}),
		mend: noFaults,
	}, {
		name: "instance targets", reason: "TargetTypeMismatch", says: `"instance"`,
		binding: func(_ *cluster, b *elbv2.TargetGroupBinding) {
			instance := elbv2.TargetTypeInstance
			b.Spec.TargetType = &instance
		},
	}, {
		name: "group of instances without a node port", reason: "NoNodePort", says: "Set spec.type of the Service to NodePort",
		binding: func(c *cluster, b *elbv2.TargetGroupBinding) {
			b.Spec.TargetGroupARN = c.groupOf("nodes", elbtypes.TargetTypeEnumInstance)
		},
	}, {
		name: "group bound twice", reason: "GroupBoundTwice", says: "/bystander is older and names the same target group",
		binding: func(c *cluster, b *elbv2.TargetGroupBinding) {
			b.Spec.TargetGroupARN = c.spec("bystander").TargetGroupARN
		},
	}, {
		name: "group bound twice by name", reason: "GroupBoundTwice", says: "/bystander is older and names the same target group",
		binding: func(_ *cluster, b *elbv2.TargetGroupBinding) {
			b.Spec.TargetGroupARN, b.Spec.TargetGroupName = "", "bystander"
		},
	}} {
		t.Run(row.name, func(t *testing.T) {
			c := newCluster(t)
			c.healthyBystander()
			arn := c.group("bad")
			c.script(arn, "healthy")
			c.service("web")
			b := &elbv2.TargetGroupBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "bad", Namespace: c.ns},
				Spec:       elbv2.TargetGroupBindingSpec{TargetGroupARN: arn, ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}},
			}
			if row.binding != nil {
				row.binding(c, b)
			}

			if row.hurt != nil {
				row.hurt(c)
			}

			c.create(b)
			c.eventually("condition says "+row.reason, func() bool {
				cond := c.verdict(b.Name)
				return (cond.Status == metav1.ConditionTrue) == row.ready && cond.Reason == row.reason && strings.Contains(cond.Message, row.says)
			})

			c.eventually("an event says so", func() bool { return c.event(b.Name, row.reason, row.says) })
			c.bystanderServes()

			if row.mend == nil {
				return
			}

			row.mend(c)
			c.eventually("healed", func() bool { return c.verdict(b.Name).Reason == "Synced" })
		})
	}
}

// A port in quotes, as templating tools write it, is the port of that number.
func TestQuotedPort(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.create(&elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: c.ns},
		Spec:       elbv2.TargetGroupBindingSpec{TargetGroupARN: arn, ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromString("80")}},
	})
	c.start()

	c.pod("web-1", "web", "10.0.0.1", "web")
	c.eventually("registered", func() bool { return c.rows(arn)["10.0.0.1"] == "healthy" })
	c.eventually("open", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionTrue })
	if v := c.verdict("web"); v.Reason != "Synced" {
		t.Errorf("want the binding Ready, got %+v", v)
	}
}

// A gate that nobody's binding claims says so on the pod, and opens nothing else.
func TestBadInputGateWithoutBinding(t *testing.T) {
	c := newCluster(t)
	c.healthyBystander()
	c.pod("hand", "hand", "10.0.9.9", "no-such-binding")
	c.eventually("condition says NoBinding", func() bool {
		g := c.gate("hand", "no-such-binding")
		return g.Status == corev1.ConditionFalse && g.Reason == "NoBinding"
	})

	c.eventually("an event says so", func() bool { return c.event("hand", "NoBinding", "No binding of this gate") })
	c.bystanderServes()
	c.service("hand")
	arn := c.group("hand")
	c.script(arn, "initial")
	c.binding("no-such-binding", "hand", arn)
	c.eventually("the binding claims it", func() bool { return strings.HasPrefix(c.gate("hand", "no-such-binding").Reason, "Elb.") })
	c.script(arn, "healthy")
	c.eventually("open", func() bool { return c.gate("hand", "no-such-binding").Status == corev1.ConditionTrue })
}

func fault(f awssim.Fault) func(*cluster) {
	return func(c *cluster) {
		if _, err := c.sim.AddFault(f); err != nil {
			c.Fatal(err)
		}
	}
}

func noFaults(c *cluster) {
	if err := c.sim.RemoveFaults(""); err != nil {
		c.Fatal(err)
	}
}

// healthyBystander starts podgate with a binding that works and must go on to.
func (c *cluster) healthyBystander() {
	c.Helper()
	arn := c.group("bystander")
	c.script(arn, "initial")
	c.service("bystander")
	c.binding("bystander", "bystander", arn)
	c.start()
	c.pod("bystander-1", "bystander", "10.0.8.1", "bystander")
	c.eventually("bystander registered", func() bool { return c.rows(arn)["10.0.8.1"] == "initial" })
	c.eventually("bystander waits", func() bool { return c.gate("bystander-1", "bystander").Status == corev1.ConditionFalse })
	c.script(arn, "healthy")
	c.eventually("bystander open", func() bool { return c.gate("bystander-1", "bystander").Status == corev1.ConditionTrue })
}

func (c *cluster) bystanderServes() {
	c.Helper()
	if cond := c.verdict("bystander"); cond.Reason != "Synced" {
		c.Errorf("bystander: %+v", cond)
	}
	if g := c.gate("bystander-1", "bystander"); g.Status != corev1.ConditionTrue {
		c.Errorf("bystander's gate: %+v", g)
	}
}

// event reports whether an object of a name has an event with a reason.
func (c *cluster) event(name, reason, says string) bool {
	c.Helper()
	var list eventsv1.EventList
	if err := c.kube.List(c.Context(), &list, client.InNamespace(c.ns)); err != nil {
		c.Fatal(err)
	}
	for _, e := range list.Items {
		if e.Regarding.Name == name && e.Reason == reason && strings.Contains(e.Note, says) {
			return true
		}
	}
	return false
}

func (c *cluster) spec(binding string) elbv2.TargetGroupBindingSpec {
	c.Helper()
	var b elbv2.TargetGroupBinding
	if err := c.kube.Get(c.Context(), client.ObjectKey{Namespace: c.ns, Name: binding}, &b); err != nil {
		c.Fatal(err)
	}
	return b.Spec
}

// updateService changes the Service web.
func (c *cluster) updateService(change func(*corev1.Service)) {
	c.Helper()
	var svc corev1.Service
	if err := c.kube.Get(c.Context(), client.ObjectKey{Namespace: c.ns, Name: "web"}, &svc); err != nil {
		c.Fatal(err)
	}
	change(&svc)
	if err := c.kube.Update(c.Context(), &svc); err != nil {
		c.Fatal(err)
	}
}
