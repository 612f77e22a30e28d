// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/sim/awssim"
)

// ingressVPC is where load balancers of Ingresses are made.
const ingressVPC = "vpc-0a1b2c3d4e5f60718"

// newIngressCluster makes a cluster whose podgate serves Ingresses, with a network whose subnets have the tags of their role.
// Clocks at AWS go ten times as fast.
func newIngressCluster(t *testing.T, change ...func(*awssim.Config)) *cluster {
	t.Helper()
	vpc := awssim.DefaultVPC(region)
	for i := range vpc.Subnets {
		vpc.Subnets[i].Tags = map[string]string{"kubernetes.io/role/elb": "1", "kubernetes.io/role/internal-elb": "1"}
	}
	conf := awssim.Config{TimeScale: 10, EC2: awssim.EC2{VPCs: []awssim.VPC{vpc}}, ELB: awssim.ELB{ProvisionDelay: 20 * time.Second, Relaxed: true}}
	for _, f := range change {
		f(&conf)
	}

	c := newClusterWith(t, conf)
	c.config = func(cfg *manager.Config) {
		cfg.Ingress.Enabled, cfg.Ingress.ClusterName, cfg.Ingress.VPC = true, "test", ingressVPC
		cfg.Ingress.Controllers = []string{"ingress.k8s.aws/alb"}
		cfg.AWS.DescribeRate, cfg.AWS.RegisterRate, cfg.AWS.DescribeBurst, cfg.AWS.RegisterBurst = 200, 200, 200, 200
	}
	return c
}

// albClass makes the class that the public examples name.
func (c *cluster) albClass() {
	c.Helper()
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "alb"}, Spec: networkingv1.IngressClassSpec{Controller: "ingress.k8s.aws/alb"}}
	c.create(class)
	c.Cleanup(func() { _ = c.kube.Delete(context.Background(), class) })
}

// ingress makes an Ingress for a Service's port 80, with annotations in pairs without their prefix.
func (c *cluster) ingress(name, service, path string, annotations ...string) *networkingv1.Ingress {
	c.Helper()
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name, Annotations: map[string]string{}}}
	for i := 0; i < len(annotations); i += 2 {
		ing.Annotations["alb.ingress.kubernetes.io/"+annotations[i]] = annotations[i+1]
	}
	ing.Spec = networkingv1.IngressSpec{IngressClassName: aws.String("alb"), Rules: []networkingv1.IngressRule{{IngressRuleValue: networkingv1.IngressRuleValue{
		HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
			Path: path, PathType: new(networkingv1.PathTypePrefix),
			Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: 80}}},
		}}},
	}}}}
	c.create(ing)
	return ing
}

// nodePortService makes a Service of type NodePort for port 80, whose pods listen on a port.
func (c *cluster) nodePortService(name string, port int32) *corev1.Service {
	c.Helper()
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": name},
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(port)}},
		},
	}
	c.create(svc)
	return svc
}

// hostname is the name in an Ingress's status.
func (c *cluster) hostname(ing *networkingv1.Ingress) string {
	c.Helper()
	var now networkingv1.Ingress
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(ing), &now); err != nil {
		c.Fatal(err)
	}
	if at := now.Status.LoadBalancer.Ingress; len(at) == 1 {
		return at[0].Hostname
	}
	return ""
}

// made are the names of the load balancers, target groups and security groups, but for the network's own.
func (c *cluster) made() []string {
	c.Helper()
	var all []string
	lbs, err := c.elb.DescribeLoadBalancers(c.Context(), &elb.DescribeLoadBalancersInput{})
	if err != nil {
		c.Fatal(err)
	}
	for _, lb := range lbs.LoadBalancers {
		all = append(all, "load balancer "+*lb.LoadBalancerName)
	}
	groups, err := c.elb.DescribeTargetGroups(c.Context(), &elb.DescribeTargetGroupsInput{})
	if err != nil {
		c.Fatal(err)
	}
	for _, g := range groups.TargetGroups {
		all = append(all, "target group "+*g.TargetGroupName)
	}
	return all
}

// bindings are the TargetGroupBindings of the namespace.
func (c *cluster) bindings() []elbv2.TargetGroupBinding {
	c.Helper()
	var list elbv2.TargetGroupBindingList
	if err := c.kube.List(c.Context(), &list, client.InNamespace(c.ns)); err != nil {
		c.Fatal(err)
	}
	return list.Items
}

// serve answers requests at an address with a text.
func (c *cluster) serve(address, text string) {
	c.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		c.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })}
	go func() { _ = server.Serve(l) }()
	c.Cleanup(func() { _ = server.Close() })
}

// ask sends a request through the one load balancer that there is.
func (c *cluster) ask(path string) string {
	c.Helper()
	listeners := c.sim.Listeners()
	if len(listeners) != 1 {
		return fmt.Sprintf("%d listeners", len(listeners))
	}
	r, err := http.NewRequestWithContext(c.Context(), http.MethodGet, "http://"+listeners[0].Address+path, nil)
	if err != nil {
		c.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}

// TestIngress2048: the public example, as it is but for the port of its pods, becomes a load balancer that serves; and nothing
// is left of it when it is deleted.
func TestIngress2048(t *testing.T) {
	c := newIngressCluster(t, func(conf *awssim.Config) { conf.EphemeralPorts = true })
	c.albClass()
	c.nodePortService("service-2048", 18048)
	ing := c.ingress("ingress-2048", "service-2048", "/", "scheme", "internet-facing", "target-type", "ip")
	c.serve("127.0.48.1:18048", "2048")
	c.start()

	c.eventually("a binding is made", func() bool { return len(c.bindings()) == 1 })
	b := c.bindings()[0]
	if got := b.Labels[elbv2.IngressNamespaceLabel] + "/" + b.Labels[elbv2.IngressNameLabel]; got != c.ns+"/ingress-2048" {
		t.Errorf("its labels name %s", got)
	}
	pod := c.pod("pod-1", "service-2048", "127.0.48.1", b.Name)
	c.eventually("the pod's gate opens", func() bool { return c.gate(pod.Name, b.Name).Status == corev1.ConditionTrue })
	c.eventually("the status has the name", func() bool { return c.hostname(ing) != "" })
	if name := c.hostname(ing); name != strings.ToLower(name) || !strings.HasPrefix(name, "k8s-") {
		t.Errorf("its name is %q", name)
	}
	c.eventually("requests are answered", func() bool { return c.ask("/any") == "200 2048" })
	c.eventually("people are told", func() bool { return c.event(ing.Name, v1alpha1.ReasonLoadBalancerReady, c.hostname(ing)) })

	if err := c.kube.Delete(t.Context(), ing); err != nil {
		t.Fatal(err)
	}
	c.eventually("the Ingress goes", func() bool { return c.gone(ing) })
	if left := c.made(); len(left) > 0 || len(c.bindings()) > 0 {
		t.Errorf("left are %q and %d bindings", left, len(c.bindings()))
	}
}

// TestIngressOfV1: the example of the controller's first version, with the annotation for its class, a path that begins with
// a wildcard and nodes as targets.
func TestIngressOfV1(t *testing.T) {
	c := newIngressCluster(t)
	svc := c.nodePortService("service-2048", 80)
	c.nodeOf("a", "i-0a", "10.0.0.1")
	ing := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "2048-ingress", Annotations: map[string]string{
			"kubernetes.io/ingress.class": "alb", "alb.ingress.kubernetes.io/scheme": "internet-facing",
			"alb.ingress.kubernetes.io/target-node-labels": "test=" + c.ns,
		}},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/*", PathType: new(networkingv1.PathTypeImplementationSpecific),
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "service-2048", Port: networkingv1.ServiceBackendPort{Number: 80}}},
			}}},
		}}}},
	}
	c.create(ing)
	c.start()

	c.eventually("a binding is made", func() bool { return len(c.bindings()) == 1 })
	arn := c.bindings()[0].Spec.TargetGroupARN
	c.eventually("the node is registered at its node port", func() bool { return c.ports(arn)["i-0a"] == svc.Spec.Ports[0].NodePort })
	c.eventually("the status has the name", func() bool { return c.hostname(ing) != "" })
}

// TestIngressGroup: a member that cannot be served is told so, and keeps nobody else; its deletion does not, either.
func TestIngressGroup(t *testing.T) {
	c := newIngressCluster(t)
	c.albClass()
	c.nodePortService("good", 8080)
	c.nodePortService("bad", 8080)
	good := c.ingress("good", "good", "/good", "target-type", "ip", "group.name", c.ns)
	bad := c.ingress("bad", "bad", "/bad", "target-type", "ip", "group.name", c.ns, "auth-type", "cognito")
	c.start()

	c.eventually("the good one is served", func() bool { return c.hostname(good) != "" })
	c.eventually("the bad one is told why it is not", func() bool { return c.event(bad.Name, v1alpha1.ReasonProtectionNotServed, "auth-type") })
	if c.hostname(bad) != "" || len(c.bindings()) != 1 || c.event(good.Name, v1alpha1.ReasonProtectionNotServed, "") {
		t.Errorf("the bad one has the name %q, there are %d bindings", c.hostname(bad), len(c.bindings()))
	}

	// It becomes good, is served, becomes bad again, and keeps its rules.
	change := func(value string) {
		t.Helper()
		before := bad.DeepCopy()
		bad.Annotations["alb.ingress.kubernetes.io/auth-type"] = value
		if err := c.kube.Patch(t.Context(), bad, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
	}
	change("none")
	c.eventually("it is served once it asks for no more", func() bool { return c.hostname(bad) == c.hostname(good) })
	change("oidc")
	c.eventually("people are told again", func() bool { return c.event(bad.Name, v1alpha1.ReasonProtectionNotServed, "auth-type") })
	c.never("its rules go", time.Second, func() bool { return len(c.bindings()) != 2 })

	if err := c.kube.Delete(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	c.eventually("a member goes although another one is bad", func() bool { return c.gone(good) })
	if err := c.kube.Delete(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	c.eventually("and the bad one, too", func() bool { return c.gone(bad) && len(c.made()) == 0 })
}

// TestIngressForeign: a load balancer of the name that podgate would give is somebody else's, and stays so.
func TestIngressForeign(t *testing.T) {
	c := newIngressCluster(t)
	c.albClass()
	c.nodePortService("web", 8080)
	foreign, err := c.elb.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{Name: aws.String("theirs"), Subnets: []string{"subnet-1", "subnet-2", "subnet-3"}, Scheme: elbtypes.LoadBalancerSchemeEnumInternal})
	if err != nil {
		t.Fatal(err)
	}
	since := len(c.sim.Calls(0))
	ing := c.ingress("web", "web", "/", "target-type", "ip", "load-balancer-name", "theirs")
	c.start()

	c.eventually("people are told", func() bool { return c.event(ing.Name, v1alpha1.ReasonLoadBalancerHeld, "theirs") })
	c.never("it is published", time.Second, func() bool { return c.hostname(ing) != "" })
	arn := *foreign.LoadBalancers[0].LoadBalancerArn
	for _, call := range c.sim.Calls(0)[since:] {
		if !strings.HasPrefix(call.Operation, "Describe") && strings.Contains(fmt.Sprint(call), arn) {
			t.Errorf("podgate changed it: %+v", call)
		}
	}
	if err := c.kube.Delete(t.Context(), ing); err != nil {
		t.Fatal(err)
	}
	c.eventually("the Ingress goes", func() bool { return c.gone(ing) })
	if made := c.made(); !slices.Equal(made, []string{"load balancer theirs"}) {
		t.Errorf("left are %q", made)
	}
}

// TestIngressProtected: a load balancer that a person protected is not deleted, and the Ingress says why it is still there.
func TestIngressProtected(t *testing.T) {
	c := newIngressCluster(t)
	c.albClass()
	c.nodePortService("web", 8080)
	ing := c.ingress("web", "web", "/", "target-type", "ip")
	c.start()
	c.eventually("the status has the name", func() bool { return c.hostname(ing) != "" })

	lbs, err := c.elb.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{})
	if err != nil || len(lbs.LoadBalancers) != 1 {
		t.Fatal(len(lbs.LoadBalancers), err)
	}
	protect := func(value string) {
		t.Helper()
		if _, err := c.elb.ModifyLoadBalancerAttributes(t.Context(), &elb.ModifyLoadBalancerAttributesInput{
			LoadBalancerArn: lbs.LoadBalancers[0].LoadBalancerArn, Attributes: []elbtypes.LoadBalancerAttribute{{Key: aws.String("deletion_protection.enabled"), Value: &value}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	protect("true")
	if err := c.kube.Delete(t.Context(), ing); err != nil {
		t.Fatal(err)
	}
	c.eventually("people are told", func() bool {
		return c.event(ing.Name, v1alpha1.ReasonLoadBalancerHeld, "protection") || c.event(ing.Name, v1alpha1.ReasonLoadBalancerFailed, "protection")
	})
	c.never("the Ingress goes", time.Second, func() bool { return c.gone(ing) })

	// What is read while there is nothing left to do is not believed for long either.
	read := len(c.calls("DescribeLoadBalancerAttributes"))
	if err := c.kube.Patch(t.Context(), ing.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"example.com/note":"a"}}}`))); err != nil {
		t.Fatal(err)
	}
	c.eventually("it is looked at again", func() bool { return len(c.calls("DescribeLoadBalancerAttributes")) > read })
	protect("false")
	c.eventually("the load balancer goes when nothing protects it", func() bool { return len(c.made()) == 0 })
	c.eventually("the Ingress goes", func() bool { return c.gone(ing) })
}

// TestIngressRoleSuffices: what is generated from the code is enough for Ingresses, with the role that is for them alone.
func TestIngressRoleSuffices(t *testing.T) {
	c := newIngressCluster(t)
	c.albClass()
	_, ofIngresses, _ := c.allRoles()
	c.permit(kubetest.Account, func(wide *rbacv1.ClusterRole) { wide.Rules = append(wide.Rules, ofIngresses.Rules...) })
	cfg, refused := c.as(kubetest.Account)
	c.cfg = cfg
	before := c.config
	c.config = func(config *manager.Config) {
		before(config)
		config.Namespace = "podgate-system"
	}
	c.nodePortService("web", 8080)
	ing := c.ingress("web", "web", "/", "target-type", "ip", "no-such-annotation", "x")
	c.start()

	c.eventually("the status has the name", func() bool { return c.hostname(ing) != "" })
	c.eventually("people are told what is not served", func() bool { return c.event(ing.Name, v1alpha1.ReasonAnnotationNotServed, "no-such-annotation") })
	if err := c.kube.Delete(t.Context(), ing); err != nil {
		t.Fatal(err)
	}
	c.eventually("the Ingress goes", func() bool { return c.gone(ing) })
	c.stop()
	if r := refused(); len(r) > 0 {
		t.Errorf("refused: %q", r)
	}
}

// TestIngressMoves: an Ingress that joins another group leaves nothing in the first one, also where podgate was away meanwhile.
func TestIngressMoves(t *testing.T) {
	c := newIngressCluster(t)
	c.albClass()
	c.nodePortService("web", 8080)
	ing := c.ingress("web", "web", "/", "target-type", "ip", "group.name", c.ns+"-a")
	c.start()
	c.eventually("the status has the name", func() bool { return c.hostname(ing) != "" })
	first := c.hostname(ing)

	c.stop()
	if err := c.kube.Get(t.Context(), client.ObjectKeyFromObject(ing), ing); err != nil {
		t.Fatal(err)
	}
	before := ing.DeepCopy()
	ing.Annotations["alb.ingress.kubernetes.io/group.name"] = c.ns + "-b"
	if err := c.kube.Patch(t.Context(), ing, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	c.start()

	c.eventually("it has another name", func() bool { return c.hostname(ing) != first })
	c.eventually("nothing is left of the first group", func() bool { return len(c.made()) == 2 && len(c.bindings()) == 1 })
	if got := c.bindings()[0].Labels[elbv2.IngressGroupLabel]; got != c.ns+"-b" {
		t.Errorf("the binding is of group %q", got)
	}
}

// TestIngressOfLBC: an Ingress that AWS Load Balancer Controller has, and that lives, is left alone, and taken over with what
// there is of it when that controller is gone.
func TestIngressOfLBC(t *testing.T) {
	c := newIngressCluster(t)
	c.albClass()
	c.nodePortService("web", 8080)
	before := c.config
	c.config = func(config *manager.Config) {
		before(config)
		config.LBCLeaseNamespace = c.ns
	}
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: elbv2.LBCLease},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: aws.String("lbc"), LeaseDurationSeconds: aws.Int32(3), RenewTime: new(metav1.NowMicro())},
	}
	c.create(lease)
	lives := make(chan struct{})
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		for {
			select {
			case <-lives:
				return
			case <-time.After(100 * time.Millisecond):
				body := fmt.Sprintf(`{"spec":{"renewTime":%q}}`, time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00"))
				_ = c.kube.Patch(context.WithoutCancel(t.Context()), lease.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(body)))
			}
		}
	}()
	end := sync.OnceFunc(func() { close(lives); <-renewed })
	t.Cleanup(end)

	ing := c.ingress("web", "web", "/", "target-type", "ip")
	ing.Finalizers = []string{elbv2.LBCIngressFinalizer}
	if err := c.kube.Update(t.Context(), ing); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.eventually("people are told whose it is", func() bool { return c.event(ing.Name, v1alpha1.ReasonOwnedByLBC, "") })
	if made := c.made(); len(made) > 0 {
		t.Errorf("podgate made %q", made)
	}

	end()
	read := func() {
		t.Helper()
		if err := c.kube.Get(t.Context(), client.ObjectKeyFromObject(ing), ing); err != nil {
			t.Fatal(err)
		}
	}
	c.eventually("it is taken over", func() bool { read(); return !slices.Contains(ing.Finalizers, elbv2.LBCIngressFinalizer) })
	c.eventually("the status has the name", func() bool { return c.hostname(ing) != "" })
	read()
	if !slices.Equal(ing.Finalizers, []string{v1alpha1.IngressFinalizer}) {
		t.Errorf("finalizers %q", ing.Finalizers)
	}
}
