// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/route/service"
)

// TestIngressesOfACluster: an Ingress is explained by what the API server has, with its events.
func TestIngressesOfACluster(t *testing.T) {
	c := newCluster(t, nil)
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: c.ns}, Spec: networkingv1.IngressClassSpec{Controller: v1alpha1.IngressController}}
	if err := c.kube.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.kube.Delete(context.Background(), class) })

	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}}
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: networkingv1.IngressSpec{IngressClassName: &c.ns, DefaultBackend: &backend}}
	c.create(
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		}}, ing)
	c.has(c.run("explain", "ingress", "web"), ExitDone, "is not taken up by podgate", "else: Service web:80", "BACKEND Service web, port 80")
	c.has(c.run("status"), ExitDone, "LOAD BALANCERS", c.ns+"/web", StateUnreported)

	c.create(&corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "web.1"}, Type: corev1.EventTypeNormal, Reason: v1alpha1.ReasonLoadBalancerWaiting, Message: "it is being made", LastTimestamp: metav1.Now(),
		InvolvedObject: corev1.ObjectReference{Kind: "Ingress", Namespace: c.ns, Name: ing.Name, UID: ing.UID},
	})
	c.has(c.run("explain", "ingress/web"), ExitDone, "has no load balancer's name yet: LoadBalancerWaiting: it is being made")
	c.has(c.run("status", "-A"), ExitDone, c.ns+"/web", v1alpha1.ReasonLoadBalancerWaiting)
	c.has(c.run("explain", "ing", "nobody"), ExitError, `"nobody" not found`)
	c.has(c.run("explain", "ingress"), ExitError, "explain one Ingress")

	var x IngressExplanation
	if err := json.Unmarshal([]byte(c.run("explain", "ingress", "web", "-o", "json").out), &x); err != nil || !x.Served || len(x.Listeners) != 1 || len(x.Backends) != 1 || len(x.Events) != 1 {
		t.Errorf("as JSON it is %+v, %v", x, err)
	}
	var s Status
	if err := yaml.UnmarshalStrict([]byte(c.run("status", "-o", "yaml").out), &s); err != nil || len(s.LoadBalancers) != 1 || s.LoadBalancers[0].State != v1alpha1.ReasonLoadBalancerWaiting {
		t.Errorf("as YAML it is %+v, %v", s, err)
	}
}

// TestServicesOfACluster: a Service of type LoadBalancer is explained by what the API server has, with its events.
func TestServicesOfACluster(t *testing.T) {
	c := newCluster(t, nil)
	class := service.Class
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web", Finalizers: []string{elbv2.LBCServiceFinalizer}}, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: &class, Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
	c.create(svc)
	t.Cleanup(func() {
		svc.Finalizers = nil
		_ = c.kube.Update(context.Background(), svc)
	})
	c.has(c.run("explain", "service", "web"), ExitDone, "belongs to AWS Load Balancer Controller")

	metav1.SetMetaDataAnnotation(&svc.ObjectMeta, v1alpha1.StacksAnnotation, c.ns+"/web")
	if err := c.kube.Update(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	c.has(c.run("explain", "service", "web"), ExitDone, "has no load balancer's name yet, and no event of late", "80     TCP        nodes, TCP", "BACKEND Service web, port 80")
	c.has(c.run("status"), ExitDone, "LOAD BALANCERS of Services", c.ns+"/web", "TCP:80", StateUnreported)

	c.create(&corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "web.1"}, Type: corev1.EventTypeNormal, Reason: v1alpha1.ReasonLoadBalancerWaiting, Message: "it is being made", LastTimestamp: metav1.Now(),
		InvolvedObject: corev1.ObjectReference{Kind: "Service", Namespace: c.ns, Name: svc.Name, UID: svc.UID},
	})
	c.has(c.run("explain", "service/web"), ExitDone, "has no load balancer's name yet: LoadBalancerWaiting: it is being made")
	c.has(c.run("explain", "svc", "nobody"), ExitError, `"nobody" not found`)
	c.has(c.run("explain", "service"), ExitError, "explain one Service")
	c.has(c.run("preflight", "--ingress"), ExitDone, "Service "+c.ns+"/web: TCP at port 80; 1 target group", "1 Service was checked")

	var x ServiceExplanation
	if err := json.Unmarshal([]byte(c.run("explain", "service", "web", "-o", "json").out), &x); err != nil || !x.Served || len(x.Ports) != 1 || len(x.Backends) != 1 || len(x.Events) != 1 {
		t.Errorf("as JSON it is %+v, %v", x, err)
	}
	var s Status
	if err := yaml.UnmarshalStrict([]byte(c.run("status", "-o", "yaml").out), &s); err != nil || len(s.LoadBalancers) != 1 || s.LoadBalancers[0].State != v1alpha1.ReasonLoadBalancerWaiting {
		t.Errorf("as YAML it is %+v, %v", s, err)
	}
}

// TestIngressesWithFewPermissions: what may not be read is told as unknown, and who has no Ingresses hears nothing of it.
func TestIngressesWithFewPermissions(t *testing.T) {
	c := newCluster(t, nil)
	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}}
	c.create(&networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: networkingv1.IngressSpec{IngressClassName: new("alb"), DefaultBackend: &backend}})
	c.allow("reader", rbacv1.PolicyRule{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses"}, Verbs: []string{"get", "list"}})

	c.has(c.run("explain", "ingress", "web"), ExitDone, "has a class of which podgate cannot tell whose it is",
		`not allowed to list resource "ingressclasses"`, `not allowed to list resource "ingresses" in API group "networking.k8s.io" at the cluster scope`, `not allowed to list resource "events"`)
	if a := c.run("status"); a.code != ExitDone || strings.Contains(a.out, "ingress") {
		t.Errorf("status says %q", a.out)
	}
}
