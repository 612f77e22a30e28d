// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/sim/awssim"
)

// nodeOf makes a node of the test's own, with an instance that runs and that the load balancer knows; without one when id
// is empty.
func (c *cluster) nodeOf(name, id, address string) *corev1.Node {
	c.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: c.ns + "-" + name, Labels: map[string]string{"test": c.ns}}}
	if id != "" {
		node.Spec.ProviderID = "aws:///eu-west-1a/" + id
		c.sim.SetInstances(map[string]string{id: address})
	}

	c.create(node)
	c.Cleanup(func() { _ = c.kube.Delete(context.Background(), node) })
	c.nodeSays(node, corev1.ConditionTrue)
	return node
}

// nodeSays plays a node's kubelet.
func (c *cluster) nodeSays(node *corev1.Node, ready corev1.ConditionStatus) {
	c.Helper()
	body := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":%q}]}}`, ready)
	if err := c.kube.Status().Patch(c.Context(), node.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}
}

// nodeBinding makes a Service that nodes serve, and a binding of a group of the test's nodes.
func (c *cluster) nodeBinding(arn string, local bool) (*elbv2.TargetGroupBinding, *corev1.Service) {
	c.Helper()
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: c.ns},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": "web"},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	if local {
		svc.Spec.Type, svc.Spec.ExternalTrafficPolicy = corev1.ServiceTypeLoadBalancer, corev1.ServiceExternalTrafficPolicyLocal
	}
	c.create(svc)

	b := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: c.ns},
		Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupARN: arn, ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)},
			NodeSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"test": c.ns}},
		},
	}
	c.create(b)
	return b, svc
}

// bindingSays reads a binding's condition: its status and reason.
func (c *cluster) bindingSays(b *elbv2.TargetGroupBinding, kind string) string {
	c.Helper()
	var now elbv2.TargetGroupBinding
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(b), &now); err != nil {
		c.Fatal(err)
	}
	if found := meta.FindStatusCondition(now.Status.Conditions, kind); found != nil {
		return string(found.Status) + " " + found.Reason
	}
	return ""
}

// TestNodes: nodes are registered, leave when they are to be removed or are gone, and the last that serves stays, also
// across a restart. Instances of somebody else stay.
func TestNodes(t *testing.T) {
	c := newCluster(t)
	arn := c.groupOf("nodes", elbtypes.TargetTypeEnumInstance)
	c.script(arn, "healthy")
	c.sim.SetInstances(map[string]string{"i-0f": "10.0.9.9"})
	c.register(arn, elbtypes.TargetDescription{Id: aws.String("i-0f"), Port: aws.Int32(30000)})
	b, svc := c.nodeBinding(arn, false)
	one, two, three := c.nodeOf("a", "i-0a", "10.0.0.1"), c.nodeOf("b", "i-0b", "10.0.0.2"), c.nodeOf("c", "i-0c", "10.0.0.3")
	c.nodeOf("d", "", "")
	c.start()

	all := func(states ...string) func() bool {
		return func() bool {
			rows := c.rows(arn)
			return rows["i-0a"] == states[0] && rows["i-0b"] == states[1] && rows["i-0c"] == states[2] && rows["i-0f"] == "healthy"
		}
	}
	c.eventually("nodes are registered", all("healthy", "healthy", "healthy"))
	c.eventually("people are told of the node that is not", func() bool {
		return c.event(b.Name, v1alpha1.ReasonNodeWithoutInstance, "The node "+c.ns+"-d is not registered")
	})
	c.eventually("the binding says how it stands", func() bool {
		return c.bindingSays(b, v1alpha1.ConditionReady) == "True Synced" && c.bindingSays(b, v1alpha1.ConditionGated) == "False InstanceTargets"
	})
	if got := c.ports(arn)["i-0a"]; got != svc.Spec.Ports[0].NodePort || got == 0 {
		t.Errorf("port %d, want the node port %d", got, svc.Spec.Ports[0].NodePort)
	}

	before := one.DeepCopy()
	one.Spec.Unschedulable = true
	if err := c.kube.Patch(t.Context(), one, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	c.never("a cordoned node goes", time.Second, func() bool { return !all("healthy", "healthy", "healthy")() })

	doomed := corev1.Taint{Key: disruption.TaintClusterAutoscaler, Effect: corev1.TaintEffectNoSchedule}
	c.taint(one, doomed)
	c.eventually("a node that is to be removed goes", all("draining", "healthy", "healthy"))
	c.taint(one)
	c.eventually("it comes back when that is taken back", all("healthy", "healthy", "healthy"))

	if err := c.kube.Delete(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	c.eventually("a node that is deleted goes", all("healthy", "draining", "healthy"))
	c.taint(one, doomed)
	c.eventually("another", all("draining", "draining", "healthy"))
	c.taint(three, doomed)
	c.eventually("the last is kept, and that is said", func() bool { return c.bindingSays(b, v1alpha1.ConditionTargetsHeld) == "True ForeignTargets" })
	c.start()
	c.never("the last that serves goes", 3*time.Second, func() bool { return !all("draining", "draining", "healthy")() })

	c.nodeOf("e", "i-0e", "10.0.0.5")
	c.eventually("it goes when another serves", func() bool { return all("draining", "draining", "draining")() && c.rows(arn)["i-0e"] == "healthy" })
	if err := c.kube.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c.eventually("they go with the binding, and the instance of somebody else stays", func() bool {
		rows := c.rows(arn)
		return rows["i-0e"] == "draining" && rows["i-0f"] == "healthy"
	})
}

// register has somebody else register targets.
func (c *cluster) register(arn string, targets ...elbtypes.TargetDescription) {
	c.Helper()
	if _, err := c.elb.RegisterTargets(c.Context(), &elb.RegisterTargetsInput{TargetGroupArn: &arn, Targets: targets}); err != nil {
		c.Fatal(err)
	}
}

// ports reads the ports of a group's targets.
func (c *cluster) ports(arn string) map[string]int32 {
	c.Helper()
	out, err := c.elb.DescribeTargetHealth(c.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: &arn})
	if err != nil {
		c.Fatal(err)
	}
	ports := map[string]int32{}
	for _, d := range out.TargetHealthDescriptions {
		ports[*d.Target.Id] = *d.Target.Port
	}
	return ports
}

// TestThousandNodes: they are registered in a few calls, and an idle group costs none that changes anything.
func TestThousandNodes(t *testing.T) {
	c := newCluster(t)
	arn := c.groupOf("nodes", elbtypes.TargetTypeEnumInstance)
	c.script(arn, "healthy")
	for i := range 1000 {
		c.nodeOf(strconv.Itoa(i), fmt.Sprintf("i-0%04d", i), "10.0.0.1")
	}
	c.nodeBinding(arn, false)
	began := time.Now()
	c.start()
	c.eventually("all are registered", func() bool { return len(c.rows(arn)) == 1000 })
	t.Logf("registered after %s", time.Since(began))
	c.never("further calls", 2*time.Second, func() bool { return len(c.calls("RegisterTargets")) > 5 || len(c.calls("DeregisterTargets")) > 0 })
}

// nodeServer plays a node of which only Ready pods of its own serve: what it drops, its kube-proxy would.
type nodeServer struct{ hosts atomic.Bool }

// serveNode serves a node's address: requests at the Service's node port, and checks at its health port.
func (c *cluster) serveNode(address string, svc *corev1.Service) *nodeServer {
	c.Helper()
	n := &nodeServer{}
	n.listen(c, address, svc.Spec.Ports[0].NodePort, func(w http.ResponseWriter) { _, _ = w.Write([]byte(address)) })
	n.listen(c, address, svc.Spec.HealthCheckNodePort, func(http.ResponseWriter) {})
	return n
}

func (n *nodeServer) listen(c *cluster, address string, port int32, answer func(http.ResponseWriter)) {
	c.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(int(port))))
	if err != nil {
		c.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !n.hosts.Load() {
			panic(http.ErrAbortHandler)
		}
		answer(w)
	})}
	server.SetKeepAlivesEnabled(false)
	go func() { _ = server.Serve(l) }()
	c.Cleanup(func() { _ = server.Close() })
}

// runsOn makes a Ready pod on a node.
func (c *cluster) runsOn(node *corev1.Node, name, ip string) *corev1.Pod {
	c.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns, Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{NodeName: node.Name, TerminationGracePeriodSeconds: aws.Int64(60), Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	c.create(pod)
	c.ready(pod, ip, true)
	body := `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`
	if err := c.kube.Status().Patch(c.Context(), pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}
	return pod
}

// TestNodesLoseNoRequest: with the traffic policy Local, requests flow at the load balancer while pods move to another
// node, and while a node is cordoned, drained, deleted and switched off. The nodes are played: each serves while it has a pod.
func TestNodesLoseNoRequest(t *testing.T) {
	c := newClusterWith(t, awssim.Config{
		DataPath: awssim.DataPath{EphemeralPorts: true},
		ELB:      awssim.ELB{Profiles: awssim.Profiles{ALB: &awssim.Profile{InitialHealthyChecks: 1}}, Relaxed: true},
	})
	b, svc := c.nodeBinding("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/later/0123456789abcdef", true)
	if svc.Spec.HealthCheckNodePort == 0 {
		t.Fatal("the Service has no health port")
	}
	if err := c.kube.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}

	// The group's checks go to the port that says whether a node has pods.
	arn := c.groupLike("nodes", elb.CreateTargetGroupInput{
		TargetType: elbtypes.TargetTypeEnumInstance, HealthCheckPath: aws.String("/healthz"), HealthCheckPort: aws.String(strconv.Itoa(int(svc.Spec.HealthCheckNodePort))),
		HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2),
	})
	if _, err := c.elb.ModifyTargetGroupAttributes(t.Context(), &elb.ModifyTargetGroupAttributesInput{TargetGroupArn: &arn, Attributes: []elbtypes.TargetGroupAttribute{
		{Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String("2")},
	}}); err != nil {
		t.Fatal(err)
	}
	again := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: "web-nodes", Namespace: c.ns, Annotations: map[string]string{v1alpha1.NodesAnnotation: "WithReadyPods"}}, Spec: b.Spec}
	again.Spec.TargetGroupARN = arn
	c.create(again)

	one, two := c.nodeOf("a", "i-0a", "127.0.9.1"), c.nodeOf("b", "i-0b", "127.0.9.2")
	a, other := c.serveNode("127.0.9.1", svc), c.serveNode("127.0.9.2", svc)
	pod := c.runsOn(one, "web-1", "10.0.0.1")
	a.hosts.Store(true)
	c.start()
	c.eventually("the node with the pod serves", func() bool { rows := c.rows(arn); return len(rows) == 1 && rows["i-0a"] == "healthy" })

	served, lost := c.requests(c.sim.Listeners()[0].Address)

	// The pod moves: its successor serves on the other node, it drains for as long as its node is registered, and ends.
	c.runsOn(two, "web-2", "10.0.0.2")
	other.hosts.Store(true)
	c.eventually("the other node serves, too", func() bool { return c.rows(arn)["i-0b"] == "healthy" })
	if err := c.kube.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	c.eventually("the node of the pod that is deleted is done", func() bool { _, there := c.rows(arn)["i-0a"]; return !there })
	a.hosts.Store(false)
	c.remove(pod)

	// A pod comes back, and its node is cordoned and removed; the instance is switched off when its target is gone.
	c.runsOn(one, "web-3", "10.0.0.3")
	a.hosts.Store(true)
	c.eventually("the node is back", func() bool { return c.rows(arn)["i-0a"] == "healthy" })
	before := two.DeepCopy()
	two.Spec.Unschedulable = true
	if err := c.kube.Patch(t.Context(), two, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	c.taint(two, corev1.Taint{Key: disruption.TaintClusterAutoscaler, Effect: corev1.TaintEffectNoSchedule})
	c.eventually("the node that is removed is done", func() bool { _, there := c.rows(arn)["i-0b"]; return !there })
	if err := c.kube.Delete(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	other.hosts.Store(false)
	c.sim.SetInstances(map[string]string{"i-0b": ""})

	seen := served.Load()
	c.eventually("requests go on", func() bool { return served.Load() > seen+20 })
	if lost.Load() > 0 {
		t.Errorf("%d of %d requests were lost", lost.Load(), served.Load()+lost.Load())
	}
}

// requests asks an address again and again, on a connection for each request, until the test ends, and counts.
func (c *cluster) requests(address string) (served, lost *atomic.Int64) {
	served, lost = &atomic.Int64{}, &atomic.Int64{}
	ask := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	ctx := c.Context()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "http://"+address+"/", nil)
			if err != nil {
				lost.Add(1)
				return
			}
			resp, err := ask.Do(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			if err != nil || resp.StatusCode != http.StatusOK {
				lost.Add(1)
			} else {
				served.Add(1)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	c.Cleanup(func() { <-done })
	return served, lost
}
