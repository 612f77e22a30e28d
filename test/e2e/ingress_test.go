// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// ingressed is an application behind an Ingress whose load balancer podgate makes.
type ingressed struct {
	*service
	// name is what the Ingress publishes, and address where that leads.
	name, address string
	// trusted signs the certificates of ACM.
	trusted *x509.CertPool
}

// TestIngress has podgate make the load balancers of an application, of an Ingress and of a Service, updates the application
// behind both, makes its Service again, and changes its routing, under load. The process that makes the second load balancer is
// killed in the middle, the certificate expires, the Ingress is invalid for a while and then has more rules than there may be, and no
// request is lost. Then the namespace goes, and with it all that was made at AWS.
func TestIngress(t *testing.T) {
	o := scaled()
	o.ingress = true
	i := start(t, o).behindIngress(quick())
	i.apply()
	i.waitComplete()
	i.waitSecure()

	var network *service
	var connections load.Summary
	sum := i.underLoad(func() {
		// A rule for a part of the requests comes, and goes.
		if got := i.ask("/closed"); got != http.StatusNotFound {
			t.Errorf("/closed is %d from the application", got)
		}
		i.route(closedPath)
		i.waitAnswer("/closed", http.StatusGone)

		i.remakeService()
		i.expireCertificate()
		network = i.behindNLB()
		i.waitSecure()
		// It balances connections, so each request makes one.
		connections = network.loadedBy(load.Config{URL: network.lb.URL, Host: network.lb.Host, Rate: connectionRate, IdleTimeout: time.Nanosecond}, func(*load.Generator) {
			i.update()
			network.waitComplete()
			i.makeInvalid()
			i.exceedRules()
		})
		i.route("")
		i.waitAnswer("/closed", http.StatusNotFound)
	})
	if connections.Failed > 0 || connections.Attempts != connections.Requests || connections.Reused > 0 {
		t.Errorf("of %d connections through the network load balancer %d failed, and %d were reused", connections.Requests, connections.Failed, connections.Reused)
	}
	for _, got := range []map[string]int{versions(sum), versions(connections)} {
		if got["v1"] == 0 || got["v2"] == 0 {
			t.Errorf("answers by version: %v, want some of v1 and of v2", got)
		}
	}
	i.assertOpenStayedOpen()
	for _, p := range i.alive() {
		if p.Gates != 2 {
			t.Errorf("pod %s has %d gates, want one for each load balancer", p.Name, p.Gates)
		}
	}

	deleted := time.Now()
	i.must(i.cluster.Delete(i.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: i.app.Namespace}}))
	i.eventually("all that was made at AWS to be gone", func(ctx context.Context) (bool, error) {
		hosts, err := i.sim.Hosts(ctx)
		if err != nil {
			return false, err
		}
		groups, err := i.groups(ctx)
		return err == nil && len(hosts)+len(groups) == 0, err
	})
	t.Logf("all that was made at AWS was gone %s after the deletion of the namespace", time.Since(deleted).Round(time.Millisecond))
}

// closedPath is a path of the Ingress that the load balancer answers.
const closedPath = `{path: /closed, pathType: Prefix, backend: {service: {name: closed, port: {name: use-annotation}}}},`

// remakeService deletes the Service and makes it again, so that another target group takes the place of its own. That one is
// deleted when its targets have drained.
func (i *ingressed) remakeService() {
	i.t.Helper()
	old := i.lb.TargetGroupARN
	i.must(i.cluster.Delete(i.ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: i.app.Namespace, Name: i.app.Name}}))
	i.must(i.app.ApplyWiring(i.ctx, i.cluster))
	i.eventually("another target group to take the place of the old one", func(ctx context.Context) (bool, error) {
		groups, err := i.groups(ctx)
		i.lb.TargetGroupARN = groups["HTTP"]
		return len(groups) == 1 && i.lb.TargetGroupARN != old, err
	})
	i.waitComplete()
}

// connectionRate is how many connections a second go through the network load balancer.
const connectionRate = 50

// behindNLB puts the application behind the network load balancer of another Service as well. The process that makes it is killed
// when it has made the load balancer, and the next one goes on: nothing is made twice.
func (i *ingressed) behindNLB() *service {
	i.t.Helper()
	check := i.group.HealthCheck
	i.applyText(`{apiVersion: v1, kind: Service, metadata: {namespace: %s, name: edge, annotations: {
		service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip, service.beta.kubernetes.io/aws-load-balancer-scheme: internet-facing,
		service.beta.kubernetes.io/aws-load-balancer-target-group-attributes: deregistration_delay.timeout_seconds=%d,
		service.beta.kubernetes.io/aws-load-balancer-healthcheck-protocol: http, service.beta.kubernetes.io/aws-load-balancer-healthcheck-path: %s,
		service.beta.kubernetes.io/aws-load-balancer-healthcheck-interval: "%d", service.beta.kubernetes.io/aws-load-balancer-healthcheck-timeout: "%d"}},
		spec: {type: LoadBalancer, loadBalancerClass: service.k8s.aws/nlb, selector: {app.kubernetes.io/name: %s}, ports: [{name: http, port: 80, targetPort: http}]}}`,
		i.app.Namespace, i.group.DeregistrationDelay, check.Path, check.Interval, check.Timeout, i.app.Name)
	i.eventually("the network load balancer to be made", func(ctx context.Context) (bool, error) {
		made, err := i.sim.ELB().DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{})
		return err == nil && len(made.LoadBalancers) == 2, err
	})
	leader, err := i.leader(i.ctx)
	i.must(err)
	i.kill([]corev1.Pod{*leader})

	name := ""
	i.eventually("the Service to publish a name", func(ctx context.Context) (bool, error) {
		var edge corev1.Service
		err := i.cluster.Get(ctx, client.ObjectKey{Namespace: i.app.Namespace, Name: "edge"}, &edge)
		for _, at := range edge.Status.LoadBalancer.Ingress {
			name = at.Hostname
		}
		return name != "", err
	})
	hosts, err := i.sim.Hosts(i.ctx)
	i.must(err)
	groups, err := i.groups(i.ctx)
	i.must(err)
	if len(hosts) != 2 || len(groups) != 2 || groups["TCP"] == "" || hosts[name] == "" {
		i.t.Fatalf("there are the load balancers %v and the target groups %v, and %q is published", hosts, groups, name)
	}

	network := *i.service
	network.lb = &env.LoadBalancer{URL: "http://" + hosts[name] + "/", Host: name, TargetGroupARN: groups["TCP"]}
	i.waitPodgateAlone()
	network.waitComplete()
	return &network
}

// makeInvalid gives the Ingress an annotation that cannot be: what it has stays.
func (i *ingressed) makeInvalid() {
	i.t.Helper()
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: i.app.Namespace, Name: i.app.Ingress}}
	i.must(i.cluster.Patch(i.ctx, ing, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"alb.ingress.kubernetes.io/scheme":"public"}}}`))))
	i.waitTold(i.app.Namespace, "that the Ingress is invalid", func(e corev1.Event) bool {
		return e.InvolvedObject.Kind == "Ingress" && e.Reason == v1alpha1.ReasonInvalidAnnotation
	})
	i.waitAnswer("/closed", http.StatusGone)
}

// groups are the ARNs of target groups by their protocol; of several ones with the same, all but the first one by their ARN.
func (i *ingressed) groups(ctx context.Context) (map[string]string, error) {
	out, err := i.sim.ELB().DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{})
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, g := range out.TargetGroups {
		key := string(g.Protocol)
		if all[key] != "" {
			key = *g.TargetGroupArn
		}
		all[key] = *g.TargetGroupArn
	}
	return all, nil
}

// behindIngress makes the application's namespace, Service and Ingress, and waits until requests for the name that the
// Ingress publishes can be sent, and the webhook knows the binding.
func (w *world) behindIngress(a env.App) *ingressed {
	w.t.Helper()
	a.Namespace, a.Ingress = "e2e-ingress-"+strconv.FormatInt(time.Now().Unix(), 36), "web"
	i := &ingressed{service: &service{world: w, app: a, group: targetGroup(), lb: &env.LoadBalancer{}}}
	w.t.Cleanup(i.remove)
	i.enter()
	i.trust()
	i.requestCertificate()
	i.route("")

	i.eventually("the Ingress to publish a name", func(ctx context.Context) (bool, error) {
		var ing networkingv1.Ingress
		err := i.cluster.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Ingress}, &ing)
		for _, at := range ing.Status.LoadBalancer.Ingress {
			i.name = at.Hostname
		}
		return i.name != "", err
	})

	hosts, err := i.sim.Hosts(i.ctx)
	i.must(err)
	i.address = hosts[i.name]
	groups, err := i.groups(i.ctx)
	i.must(err)
	if i.address == "" || len(groups) != 1 {
		i.t.Fatalf("%q leads to %q, and there are the target groups %v", i.name, i.address, groups)
	}

	i.lb.URL, i.lb.Host, i.lb.TargetGroupARN = "http://"+i.address+"/", i.name, groups["HTTP"]
	i.must(env.WaitInjected(i.ctx, i.cluster, i.app))
	return i
}

// route applies the Ingress with paths before the one that leads to the application.
func (i *ingressed) route(paths string) {
	i.t.Helper()
	check := i.group.HealthCheck
	i.applyText(`{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {namespace: %s, name: %s, annotations: {
		kubernetes.io/ingress.class: alb, alb.ingress.kubernetes.io/scheme: internet-facing, alb.ingress.kubernetes.io/target-type: ip,
		alb.ingress.kubernetes.io/target-group-attributes: deregistration_delay.timeout_seconds=%d,
		alb.ingress.kubernetes.io/healthcheck-path: %s, alb.ingress.kubernetes.io/healthcheck-interval-seconds: "%d", alb.ingress.kubernetes.io/healthcheck-timeout-seconds: "%d",
		alb.ingress.kubernetes.io/listen-ports: '[{"HTTP":80},{"HTTPS":443}]',
		alb.ingress.kubernetes.io/actions.closed: '{"type":"fixed-response","fixedResponseConfig":{"statusCode":"410"}}'}},
		spec: {tls: [{hosts: [%s]}], rules: [{http: {paths: [%s {path: /, pathType: Prefix, backend: {service: {name: %s, port: {number: 80}}}}]}}]}}`,
		i.app.Namespace, i.app.Ingress, i.group.DeregistrationDelay, check.Path, check.Interval, check.Timeout, host, paths, i.app.Name)
}

// applyText applies an object that is written as YAML with tabs in it.
func (i *ingressed) applyText(form string, args ...any) {
	i.t.Helper()
	text := fmt.Sprintf(form, args...)
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "\t", "")), &u.Object); err != nil {
		i.t.Fatalf("read %s: %v", text, err)
	}
	i.must(i.cluster.ApplyObjects(i.ctx, u))
}

// ask asks for a path, and returns the status.
func (i *ingressed) ask(path string) int {
	i.t.Helper()
	r, err := http.NewRequestWithContext(i.ctx, http.MethodGet, "http://"+i.address+path, nil)
	i.must(err)
	r.Host, r.Close = i.name, true
	answer, err := http.DefaultClient.Do(r)
	i.must(err)
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

func (i *ingressed) waitAnswer(path string, want int) {
	i.t.Helper()
	i.eventually(fmt.Sprintf("%s to be answered by %d", path, want), func(context.Context) (bool, error) { return i.ask(path) == want, nil })
}
