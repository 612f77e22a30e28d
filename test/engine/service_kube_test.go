// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/sim/awssim"
)

const serviceAnnotations = "service.beta.kubernetes.io/aws-load-balancer-"

// balanced makes a Service of type LoadBalancer for port 80, with annotations in pairs without their prefix.
func (c *cluster) balanced(name string, port int32, annotations ...string) *corev1.Service {
	c.Helper()
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name, Annotations: map[string]string{}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: new(elbv2.LoadBalancerClass), Selector: map[string]string{"app": name},
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(port)}},
		},
	}
	for i := 0; i < len(annotations); i += 2 {
		svc.Annotations[serviceAnnotations+annotations[i]] = annotations[i+1]
	}
	c.create(svc)
	return svc
}

// read reads a Service as it is now.
func (c *cluster) read(svc *corev1.Service) *corev1.Service {
	c.Helper()
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(svc), svc); err != nil {
		c.Fatal(err)
	}
	return svc
}

// published is the name in a Service's status.
func (c *cluster) published(svc *corev1.Service) string {
	c.Helper()
	if at := c.read(svc).Status.LoadBalancer.Ingress; len(at) == 1 {
		return at[0].Hostname
	}
	return ""
}

// annotateService sets an annotation of a Service; an empty value takes it away.
func (c *cluster) annotateService(svc *corev1.Service, name, value string) {
	c.Helper()
	before := c.read(svc).DeepCopy()
	svc.Annotations[serviceAnnotations+name] = value
	if value == "" {
		delete(svc.Annotations, serviceAnnotations+name)
	}
	if err := c.kube.Patch(c.Context(), svc, client.MergeFrom(before)); err != nil {
		c.Fatal(err)
	}
}

// TestServiceNLB: a Service of the class becomes a network load balancer that serves, with the role that is generated from the
// code; what it cannot be served with is told and changes nothing; and nothing is left of it when it is deleted.
func TestServiceNLB(t *testing.T) {
	c := newIngressCluster(t, func(conf *awssim.Config) { conf.EphemeralPorts = true })
	_, ofIngresses, _ := c.allRoles()
	c.permit(kubetest.Account, func(wide *rbacv1.ClusterRole) { wide.Rules = append(wide.Rules, ofIngresses.Rules...) })
	cfg, denied := c.as(kubetest.Account)
	c.cfg = cfg
	before := c.config
	c.config = func(config *manager.Config) {
		before(config)
		config.Namespace = "podgate-system"
	}
	svc := c.balanced("web", 18049, "nlb-target-type", "ip", "scheme", "internet-facing", "no-such-thing", "x")
	theirs := c.balanced("theirs", 80, "nlb-target-type", "ip")
	if err := c.kube.Delete(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	other := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "other"}, Spec: *theirs.Spec.DeepCopy()}
	other.Spec.LoadBalancerClass, other.Spec.ClusterIP, other.Spec.ClusterIPs = new("example.com/other"), "", nil
	c.create(other)
	c.serve("127.0.49.1:18049", "nlb")
	c.start()

	c.eventually("a binding is made", func() bool { return len(c.bindings()) == 1 })
	b := c.bindings()[0]
	if got := b.Labels[elbv2.ServiceNamespaceLabel] + "/" + b.Labels[elbv2.ServiceNameLabel]; got != c.ns+"/web" {
		t.Errorf("its labels name %s", got)
	}
	pod := c.pod("pod-1", "web", "127.0.49.1", b.Name)
	c.eventually("the pod's gate opens", func() bool { return c.gate(pod.Name, b.Name).Status == corev1.ConditionTrue })
	c.eventually("the status has the name", func() bool { return c.published(svc) != "" })
	first := c.published(svc)
	if at := svc.Status.LoadBalancer.Ingress[0]; len(at.Ports) != 1 || at.Ports[0].Port != 80 || at.Hostname != strings.ToLower(at.Hostname) {
		t.Errorf("its status is %+v", at)
	}
	if !slices.Contains(svc.Finalizers, elbv2.LBCServiceFinalizer) {
		t.Errorf("its finalizers are %q", svc.Finalizers)
	}
	c.eventually("connections are carried", func() bool { return c.ask("/") == "200 nlb" })
	c.eventually("people are told", func() bool { return c.event(svc.Name, v1alpha1.ReasonLoadBalancerReady, first) })
	c.eventually("and what is not known", func() bool { return c.event(svc.Name, v1alpha1.ReasonAnnotationNotServed, "no-such-thing") })
	if other = c.read(other); len(other.Finalizers) > 0 {
		t.Errorf("another controller's has the finalizers %q", other.Finalizers)
	}

	c.annotateService(svc, "source-ranges", "10.0.0.0/8")
	c.eventually("what protects and is not served is told", func() bool { return c.event(svc.Name, v1alpha1.ReasonProtectionNotServed, "source-ranges") })
	if c.published(svc) != first || c.ask("/") != "200 nlb" {
		t.Errorf("it has the name %q, and answers %s", c.published(svc), c.ask("/"))
	}

	if err := c.kube.Delete(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	c.eventually("the Service goes", func() bool { return c.gone(svc) })
	if left := c.made(); len(left) > 0 || len(c.bindings()) > 0 {
		t.Errorf("left are %q and %d bindings", left, len(c.bindings()))
	}
	c.stop()
	if r := denied(); len(r) > 0 {
		t.Errorf("denied: %q", r)
	}
}

// securityGroups are those of the VPC.
func (c *cluster) securityGroups() []ec2.SecurityGroup {
	c.Helper()
	cfg := aws.Config{Region: region, BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL")), Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")}
	groups, err := ec2.New(cfg, region, nil).SecurityGroups(c.Context(), ec2.In(ingressVPC))
	if err != nil {
		c.Fatal(err)
	}
	return groups
}

// sources are those that security groups let in.
func (c *cluster) sources() []string {
	c.Helper()
	var sources []string
	for _, g := range c.securityGroups() {
		for _, p := range g.Ingress {
			sources = append(sources, p.CIDR)
		}
	}
	slices.Sort(sources)
	return slices.Compact(sources)
}

// TestServiceChanges: source ranges let in nobody else, another port has a listener, another scheme has another load balancer made
// first, and who asks for no load balancer any more has none.
func TestServiceChanges(t *testing.T) {
	c := newIngressCluster(t)
	shared := c.securityGroups()[0].ID
	before := c.config
	c.config = func(config *manager.Config) {
		before(config)
		config.Ingress.BackendSecurityGroup = shared
	}
	svc := c.balanced("web", 8080, "nlb-target-type", "ip")
	c.start()
	c.eventually("the status has the name", func() bool { return c.published(svc) != "" })
	first := c.published(svc)
	lbs, err := c.elb.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{})
	if err != nil || len(lbs.LoadBalancers) != 1 || len(lbs.LoadBalancers[0].SecurityGroups) != 2 || !slices.Contains(lbs.LoadBalancers[0].SecurityGroups, shared) {
		t.Errorf("with the shared security group %s there are %+v, %v", shared, lbs.LoadBalancers, err)
	}

	was := c.read(svc).DeepCopy()
	svc.Spec.LoadBalancerSourceRanges = []string{"10.0.0.0/8"}
	svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: "more", Port: 81, Protocol: corev1.ProtocolUDP})
	svc.Spec.Ports[0].Name = "web"
	if err := c.kube.Patch(t.Context(), svc, client.MergeFrom(was)); err != nil {
		t.Fatal(err)
	}
	c.eventually("nobody else is let in", func() bool { return slices.Equal(c.sources(), []string{"10.0.0.0/8"}) })
	c.eventually("another listener is made", func() bool { return len(c.sim.Listeners()) == 2 || len(c.bindings()) == 2 })
	c.eventually("the status has its port", func() bool {
		at := c.read(svc).Status.LoadBalancer.Ingress
		return len(at) == 1 && len(at[0].Ports) == 2
	})

	c.annotateService(svc, "scheme", "internet-facing")
	c.eventually("it has another name", func() bool { return c.published(svc) != first })
	if lbs, err := c.elb.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{}); err != nil || len(lbs.LoadBalancers) != 2 {
		t.Errorf("the old load balancer is not kept for those who have its address: %v", err)
	}

	// Who asks for no load balancer any more has none.
	was = c.read(svc).DeepCopy()
	svc.Spec.Type, svc.Spec.LoadBalancerClass, svc.Spec.LoadBalancerSourceRanges = corev1.ServiceTypeClusterIP, nil, nil
	for i := range svc.Spec.Ports {
		svc.Spec.Ports[i].NodePort = 0
	}
	svc.Spec.ExternalTrafficPolicy, svc.Spec.AllocateLoadBalancerNodePorts = "", nil
	if err := c.kube.Patch(t.Context(), svc, client.MergeFrom(was)); err != nil {
		t.Fatal(err)
	}
	c.eventually("nothing is left", func() bool { return len(c.made()) == 0 && len(c.bindings()) == 0 })
	c.eventually("nor a finalizer", func() bool { return len(c.read(svc).Finalizers) == 0 })
}
