// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/sim/awssim"
)

// targets lists a group's targets that do not drain, by address and port.
func (c *cluster) targets(arn string) string {
	c.Helper()
	out, err := c.elb.DescribeTargetHealth(c.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(arn)})
	if err != nil {
		c.Fatal(err)
	}
	found := map[string]bool{}
	for _, d := range out.TargetHealthDescriptions {
		if d.TargetHealth.State != elbtypes.TargetHealthStateEnumDraining {
			found[net.JoinHostPort(*d.Target.Id, fmt.Sprint(*d.Target.Port))] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(found)), " ")
}

// dualPod makes a pod with an address of each family that listens at a port named web.
func (c *cluster) dualPod(name string, last, port int, gates ...string) *corev1.Pod {
	c.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns, Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{
			NodeName: "node", TerminationGracePeriodSeconds: aws.Int64(60),
			Containers: []corev1.Container{{Name: "app", Image: "app", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: int32(port)}}}},
		},
	}

	for _, g := range gates {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(elbv2.GateType(g))})
	}

	c.create(pod)
	c.ready(pod, fmt.Sprintf("10.0.0.%d", last), true)
	body := fmt.Sprintf(`{"status":{"podIPs":[{"ip":"10.0.0.%[1]d"},{"ip":"2001:db8::%[1]d"}]}}`, last)
	if err := c.kube.Status().Patch(c.Context(), pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}

	return pod
}

// Of a pod with addresses of both families each group of a Service gets the address and
// port that it takes, a port that pods give different numbers included, and each gate
// follows its own group.
func TestFamiliesAndPorts(t *testing.T) {
	c := newCluster(t)
	four := c.group("four")
	six := c.groupLike("six", elb.CreateTargetGroupInput{TargetType: elbtypes.TargetTypeEnumIp, IpAddressType: elbtypes.TargetGroupIpAddressTypeEnumIpv6})
	metrics := c.group("metrics")
	c.create(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: c.ns},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{
			{Name: "http", Port: 80, TargetPort: intstr.FromString("web")}, {Name: "metrics", Port: 9100},
		}},
	})

	for name, spec := range map[string]elbv2.TargetGroupBindingSpec{
		"four":    {TargetGroupName: "four", ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromString("http")}},
		"six":     {TargetGroupARN: six, ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}, IPAddressType: new("ipv6")},
		"metrics": {TargetGroupARN: metrics, ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromString("metrics")}},
	} {
		c.create(&elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns}, Spec: spec})
	}

	c.script(four, "healthy")
	c.script(metrics, "healthy")
	c.script(six, "unhealthy")
	c.start()
	old := c.dualPod("old", 1, 8080, "four", "six", "metrics")
	c.dualPod("new", 2, 9090, "four", "six", "metrics")
	want := map[string]string{
		four:    "10.0.0.1:8080 10.0.0.2:9090",
		six:     "[2001:db8::1]:8080 [2001:db8::2]:9090",
		metrics: "10.0.0.1:9100 10.0.0.2:9100",
	}

	for arn, targets := range want {
		c.eventually(targets, func() bool { return c.targets(arn) == targets })
	}

	for _, pod := range []string{"old", "new"} {
		c.eventually("gates of "+pod, func() bool {
			return c.gate(pod, "four").Status == corev1.ConditionTrue && c.gate(pod, "metrics").Status == corev1.ConditionTrue && c.gate(pod, "six").Status == corev1.ConditionFalse
		})
	}

	c.script(six, "healthy")
	c.eventually("the last gate opens", func() bool { return c.gate("new", "six").Status == corev1.ConditionTrue })

	if err := c.kube.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}

	for arn, targets := range want {
		_, left, _ := strings.Cut(targets, " ")
		c.eventually("only "+left, func() bool { return c.targets(arn) == left })
	}
}

// Addresses outside the VPC are registered with the zone that they need, beside others.
func TestAddressesOutsideTheVPC(t *testing.T) {
	c := newClusterWith(t, awssim.Config{ELB: awssim.ELB{VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}})
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.binding("web", "web", arn)
	c.start()
	c.pod("inside", "web", "10.0.0.1", "web")
	outside := c.pod("outside", "web", "100.64.0.1", "web")
	c.pod("outside-2", "web", "100.64.0.2", "web")

	for _, pod := range []string{"inside", "outside", "outside-2"} {
		c.eventually("the gate of "+pod+" opens", func() bool { return c.gate(pod, "web").Status == corev1.ConditionTrue })
	}

	if err := c.kube.Delete(t.Context(), outside); err != nil {
		t.Fatal(err)
	}

	c.eventually("it leaves", func() bool { return c.targets(arn) == "10.0.0.1:8080 100.64.0.2:8080" })
}

// An address that a new pod got while its row drains is registered: at once where the
// load balancer allows it, and else as soon as it has drained. Other pods do not wait.
func TestAddressThatDrains(t *testing.T) {
	for what, refuses := range map[string]bool{"accepted": false, "refused": true} {
		t.Run(what, func(t *testing.T) {
			c := newClusterWith(t, awssim.Config{ELB: awssim.ELB{RefuseDraining: refuses}})
			arn := c.group("web")
			_, err := c.elb.ModifyTargetGroupAttributes(t.Context(), &elb.ModifyTargetGroupAttributesInput{
				TargetGroupArn: aws.String(arn), Attributes: []elbtypes.TargetGroupAttribute{{Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String("4")}},
			})
			if err != nil {
				t.Fatal(err)
			}

			c.script(arn, "healthy")
			c.service("web")
			c.binding("web", "web", arn)
			c.start()
			old := c.pod("old", "web", "10.0.0.1", "web")
			c.pod("other", "web", "10.0.0.2", "web")
			c.eventually("both serve", func() bool {
				return c.gate("old", "web").Status == corev1.ConditionTrue && c.gate("other", "web").Status == corev1.ConditionTrue
			})

			c.remove(old)
			c.eventually("the old pod's target drains", func() bool { return c.rows(arn)["10.0.0.1"] == "draining" })
			c.pod("new", "web", "10.0.0.1", "web")
			c.pod("third", "web", "10.0.0.3", "web")
			c.eventually("the third pod's gate opens", func() bool { return c.gate("third", "web").Status == corev1.ConditionTrue })
			c.eventually("the new pod is registered", func() bool { return c.targets(arn) == "10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080" })
			refused := slices.ContainsFunc(c.calls("RegisterTargets"), func(call awssim.Call) bool { return call.ErrorCode == "InvalidTarget" })
			if refused != refuses {
				t.Errorf("a registration was refused: %t", refused)
			}
		})
	}
}
