// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/manager"
)

// besideLBC makes the bindings of a group that AWS Load Balancer Controller has, and that
// podgate observes.
func (c *cluster) besideLBC(arn string, wake v1alpha1.Wake) (theirs *elbv2.TargetGroupBinding, own *v1alpha1.TargetBinding) {
	c.Helper()
	c.config = func(cfg *manager.Config) { cfg.Bindings = string(binding.OwnNone) }
	theirs = c.binding("web", "web", arn)
	c.annotate(theirs, `{"metadata":{"finalizers":["elbv2.k8s.aws/resources"]}}`)
	own = elbv2Binding(c.ns)
	own.Spec.ELBv2 = &v1alpha1.ELBv2{TargetGroupARN: arn}
	own.Spec.Membership, own.Spec.Wake = v1alpha1.MembershipExternal, wake
	c.create(own)
	return theirs, own
}

func (c *cluster) nudged(b *elbv2.TargetGroupBinding) string {
	c.Helper()
	var now elbv2.TargetGroupBinding
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(b), &now); err != nil {
		c.Fatal(err)
	}
	return now.Annotations[v1alpha1.NudgeAnnotation]
}

// An External binding beside AWS Load Balancer Controller: podgate touches that
// controller's binding when a pod waits, opens the gate when somebody has registered it,
// and calls AWS for reading only.
func TestExternalNudges(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "initial")
	c.service("web")
	theirs, own := c.besideLBC(arn, v1alpha1.WakeNudge)
	c.start()
	c.eventually("observed", func() bool { return c.verdict(ownGate).Status == metav1.ConditionTrue })
	c.never("nudged for nobody", time.Second, func() bool { return c.nudged(theirs) != "" })
	c.pod("web-1", "web", "10.0.0.1", ownGate)
	c.eventually("nudged", func() bool { return c.nudged(theirs) != "" })
	first := c.nudged(theirs)
	c.eventually("nudged again while it is not registered", func() bool { return c.nudged(theirs) != first })

	target := []elbtypes.TargetDescription{{Id: aws.String("10.0.0.1"), Port: aws.Int32(8080)}}
	if _, err := c.elb.RegisterTargets(t.Context(), &elb.RegisterTargetsInput{TargetGroupArn: &arn, Targets: target}); err != nil {
		t.Fatal(err)
	}

	c.eventually("the pod's target is seen", func() bool { return strings.HasPrefix(c.gate("web-1", ownGate).Reason, "Elb.") })
	registered := c.nudged(theirs)
	c.never("nudged for a registered pod", 6*time.Second, func() bool { return c.nudged(theirs) != registered })
	c.script(arn, "healthy")
	c.eventually("open", func() bool { return c.gate("web-1", ownGate).Status == corev1.ConditionTrue })

	if err := c.kube.Delete(t.Context(), own); err != nil {
		t.Fatal(err)
	}

	c.eventually("podgate's binding is gone", func() bool { return c.gone(own) })
	if n, m := len(c.calls("RegisterTargets")), len(c.calls("DeregisterTargets")); n != 1 || m != 0 {
		t.Errorf("%d registrations and %d deregistrations, want only the test's own registration", n, m)
	}

	if got := c.finalizers(theirs); len(got) != 1 || got[0] != elbv2.LBCFinalizer {
		t.Errorf("finalizers of the other controller's binding: %v", got)
	}
}

// A pod that nobody would hear of is told on the binding.
func TestExternalUnheard(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.service("web")
	theirs, _ := c.besideLBC(arn, "")
	c.start()
	c.eventually("observed", func() bool { return c.verdict(ownGate).Reason == "Synced" })
	c.pod("web-1", "web", "10.0.0.1")
	c.eventually("told", func() bool { return c.verdict(ownGate).Reason == "NoGateOfLBC" })
	c.never("nudged", 2*time.Second, func() bool { return c.nudged(theirs) != "" })
}

// What a nudge counts on: a patch with the UID of a binding that was made anew since is refused.
func TestPatchOfABindingMadeAnew(t *testing.T) {
	c := newCluster(t)
	b := c.binding("web", "web", c.group("web"))
	patch := []byte(`{"metadata":{"uid":"00000000-0000-0000-0000-000000000000","annotations":{"podgate.dev/nudge":"now"}}}`)
	if err := c.kube.Patch(t.Context(), b.DeepCopy(), client.RawPatch(types.MergePatchType, patch)); err == nil {
		t.Error("the API server took a patch that was meant for another object")
	}
	if at := c.nudged(b); at != "" {
		t.Errorf("nudged at %s", at)
	}
}
