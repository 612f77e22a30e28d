// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
)

// state sets policies of a binding as kubectl does.
func (c *cluster) state(binding string, pairs ...string) {
	c.Helper()
	var set []string
	for i := 0; i < len(pairs); i += 2 {
		set = append(set, fmt.Sprintf("%q:%q", pairs[i], pairs[i+1]))
	}
	body := fmt.Sprintf(`{"metadata":{"annotations":{%s}}}`, strings.Join(set, ","))
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: binding}}
	if err := c.kube.Patch(c.Context(), b, client.RawPatch(types.MergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}
}

// policy is the condition of the binding "web" about its policies; its zero value when there is none.
func (c *cluster) policy() metav1.Condition {
	c.Helper()
	var b elbv2.TargetGroupBinding
	if err := c.kube.Get(c.Context(), types.NamespacedName{Namespace: c.ns, Name: "web"}, &b); err != nil {
		c.Fatal(err)
	}
	if cond := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionPolicyAccepted); cond != nil {
		return *cond
	}
	return metav1.Condition{}
}

// waitingPod starts podgate with a binding "web" whose only pod waits.
func (c *cluster) waitingPod() (arn string) {
	c.Helper()
	arn = c.group("web")
	c.script(arn, "initial")
	c.service("web")
	c.binding("web", "web", arn)
	c.start()
	c.pod("web-1", "web", "10.0.0.1", "web")
	c.eventually("waits", func() bool { return strings.HasPrefix(c.gate("web-1", "web").Reason, "Elb.") })
	return arn
}

// An annotation that states no policy is told on the binding, which works on with the
// default; one that is corrected counts for the pod that waits already.
func TestPolicyIsToldAndCorrected(t *testing.T) {
	c := newCluster(t)
	c.waitingPod()
	c.eventually("synced", func() bool { return c.verdict("web").Reason == "Synced" })

	if cond := c.policy(); cond.Type != "" {
		t.Errorf("a binding without policies has a condition about them: %+v", cond)
	}

	c.state("web", v1alpha1.TimeoutAnnotation, "soon", v1alpha1.OnTimeoutAnnotation, "Open", "podgate.dev/on-timeuot", "Open")
	c.eventually("the condition names each annotation, and what is allowed", func() bool {
		cond := c.policy()
		return cond.Status == metav1.ConditionFalse && cond.Reason == v1alpha1.ReasonInvalidPolicy &&
			strings.Contains(cond.Message, `podgate.dev/timeout: "soon" is not a duration of at least 1s`) &&
			strings.Contains(cond.Message, "podgate.dev/on-timeuot")
	})

	c.eventually("an event says so", func() bool { return c.event("web", v1alpha1.ReasonInvalidPolicy, "podgate.dev/timeout") })
	if cond := c.verdict("web"); cond.Status != metav1.ConditionTrue {
		t.Errorf("the binding does not work: %+v", cond)
	}

	c.state("web", v1alpha1.TimeoutAnnotation, "1s", "podgate.dev/on-timeuot", "")
	c.eventually("the unknown one is still told", func() bool {
		m := c.policy().Message
		return strings.Contains(m, "podgate.dev/on-timeuot") && !strings.Contains(m, `"soon"`)
	})

	c.eventually("the corrected one counts", func() bool { return c.gate("web-1", "web").Reason == v1alpha1.ReasonTimedOut })
}

// An annotation that states no policy is told on a TargetBinding, too.
func TestPolicyOfTargetBindingIsTold(t *testing.T) {
	c := newCluster(t)
	c.group("web")
	c.service("web")
	b := elbv2Binding(c.ns)
	b.Annotations = map[string]string{"podgate.dev/drain-tme": "45s"}
	c.create(b)
	c.start()

	told := func() *metav1.Condition {
		if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(b), b); err != nil {
			c.Fatal(err)
		}
		return meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionPolicyAccepted)
	}

	c.eventually("the condition names the annotation, and what is allowed", func() bool {
		cond := told()
		return cond != nil && cond.Status == metav1.ConditionFalse && cond.Reason == v1alpha1.ReasonInvalidPolicy &&
			strings.Contains(cond.Message, "podgate.dev/drain-tme") && strings.Contains(cond.Message, "drain-time")
	})

	c.eventually("an event says so", func() bool { return c.event("web", v1alpha1.ReasonInvalidPolicy, "podgate.dev/drain-tme") })

	c.patch(b, `{"metadata":{"annotations":{"podgate.dev/drain-tme":null}},"spec":{"drain":{"seconds":45}}}`)
	c.eventually("the field counts", func() bool {
		cond := told()
		return cond != nil && cond.Status == metav1.ConditionTrue && b.Status.Drain != nil && b.Status.Drain.Seconds == 45
	})
}

// A time-out passes by itself: no pod and no answer of the load balancer changes.
func TestPolicyTimeout(t *testing.T) {
	for answer, want := range map[string]corev1.PodCondition{
		"Open": {Status: corev1.ConditionTrue, Reason: v1alpha1.ReasonTimedOut, Message: "time-out of 4s"},
		"Hold": {Status: corev1.ConditionFalse, Reason: "Elb.InitialHealthChecking", Message: "time-out of 4s has passed"},
	} {
		t.Run(answer, func(t *testing.T) {
			c := newCluster(t)
			arn := c.group("web")
			c.script(arn, "initial")
			c.service("web")
			b := c.binding("web", "web", arn)
			c.state(b.Name, v1alpha1.TimeoutAnnotation, "4s", v1alpha1.OnTimeoutAnnotation, answer)
			c.start()
			c.pod("web-1", "web", "10.0.0.1", "web")
			c.eventually("accepted", func() bool { return c.policy().Status == metav1.ConditionTrue })
			c.eventually("waits", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionFalse })
			c.eventually("timed out", func() bool {
				g := c.gate("web-1", "web")
				return g.Status == want.Status && g.Reason == want.Reason && strings.Contains(g.Message, want.Message)
			})

			c.eventually("an event says so", func() bool { return c.event("web-1", "GateTimedOut", "time-out of 4s") })
			c.script(arn, "healthy")
			c.eventually("healthy", func() bool {
				g := c.gate("web-1", "web")
				return g.Status == corev1.ConditionTrue && g.Reason == v1alpha1.ReasonHealthy && g.Message == ""
			})
		})
	}
}

// A group that no load balancer uses opens its gates for those who ask for it.
func TestPolicyUnused(t *testing.T) {
	c := newCluster(t)
	tg, err := c.elb.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{
		Name: aws.String("unused"), Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-1"), TargetType: elbtypes.TargetTypeEnumIp,
	})
	if err != nil {
		t.Fatal(err)
	}

	c.service("web")
	c.binding("web", "web", *tg.TargetGroups[0].TargetGroupArn)
	c.start()
	c.pod("web-1", "web", "10.0.0.1", "web")
	c.eventually("waits, and says for what", func() bool { return c.gate("web-1", "web").Reason == "Target.NotInUse" })
	c.state("web", v1alpha1.OnUnusedAnnotation, "Open")
	c.eventually("open, and says why", func() bool {
		g := c.gate("web-1", "web")
		return g.Status == corev1.ConditionTrue && g.Reason == v1alpha1.ReasonTargetUnused
	})
}

// Under Track a gate follows its target's health both ways; the others stay open when
// all targets fail.
func TestPolicyTrack(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	b := c.binding("web", "web", arn)
	c.state(b.Name, v1alpha1.ModeAnnotation, "Track", v1alpha1.TrackAfterAnnotation, "5s")
	c.start()
	const pods = 3
	for i := range pods {
		c.pod(fmt.Sprintf("web-%d", i), "web", fmt.Sprintf("10.0.0.%d", i+1), "web")
	}

	open := func() (n int) {
		for i := range pods {
			if c.gate(fmt.Sprintf("web-%d", i), "web").Status == corev1.ConditionTrue {
				n++
			}
		}
		return n
	}

	c.eventually("all open", func() bool { return open() == pods })
	one := awssim.Target{ID: "10.0.0.1", Port: 8080}
	if err := c.sim.SetHealth(arn, &one, awssim.Script{State: "unhealthy", Reason: "Target.Timeout"}); err != nil {
		t.Fatal(err)
	}

	c.eventually("the failing one closes", func() bool { return c.gate("web-0", "web").Reason == "Target.Timeout" })
	if n := open(); n != pods-1 {
		t.Errorf("one target fails, and %d of %d gates are open", n, pods)
	}

	c.script(arn, "unhealthy")
	c.eventually("the floor holds", func() bool {
		return c.gate("web-1", "web").Reason == v1alpha1.ReasonTrackFloor && c.gate("web-2", "web").Reason == v1alpha1.ReasonTrackFloor
	})

	c.eventually("an event says so", func() bool { return c.event("web-1", v1alpha1.ReasonTrackFloor, "too few") })
	if err := c.sim.SetHealth(arn, &one, awssim.Script{State: "healthy"}); err != nil {
		t.Fatal(err)
	}

	c.eventually("the first opens again", func() bool { return c.gate("web-0", "web").Reason == v1alpha1.ReasonHealthy })
}
