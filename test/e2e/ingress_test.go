// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/test/env"
)

// ingressed is an application behind an Ingress whose load balancer podgate makes.
type ingressed struct {
	*service
	// name is what the Ingress publishes, and address where that leads.
	name, address string
}

// TestIngress has podgate make the load balancer of an application, updates the application behind it, and changes its
// routing, under load; no request is lost. Then the Ingress goes, and with it all that was made at AWS.
func TestIngress(t *testing.T) {
	o := scaled()
	o.ingress = true
	i := start(t, o).behindIngress(quick())
	i.apply()
	i.waitComplete()

	sum := i.underLoad(func() {
		i.update()

		// A rule for a part of the requests comes, and goes.
		if got := i.ask("/closed"); got != http.StatusNotFound {
			t.Errorf("/closed is %d from the application", got)
		}
		i.route(`{path: /closed, pathType: Prefix, backend: {service: {name: closed, port: {name: use-annotation}}}},`)
		i.waitAnswer("/closed", http.StatusGone)
		i.route("")
		i.waitAnswer("/closed", http.StatusNotFound)
	})
	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}
	i.assertOpenStayedOpen()

	i.must(i.cluster.Delete(i.ctx, &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: i.app.Namespace, Name: i.app.Ingress}}))
	i.eventually("all that was made at AWS to be gone", func(ctx context.Context) (bool, error) {
		hosts, err := i.sim.Hosts(ctx)
		if err != nil {
			return false, err
		}
		groups, err := i.sim.ELB().DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{})
		return err == nil && len(hosts)+len(groups.TargetGroups) == 0, err
	})
}

// behindIngress makes the application's namespace, Service and Ingress, and waits until requests for the name that the
// Ingress publishes can be sent, and the webhook knows the binding.
func (w *world) behindIngress(a env.App) *ingressed {
	w.t.Helper()
	a.Namespace, a.Ingress = "e2e-ingress-"+strconv.FormatInt(time.Now().Unix(), 36), "web"
	i := &ingressed{service: &service{world: w, app: a, group: targetGroup(), lb: &env.LoadBalancer{}}}
	w.t.Cleanup(i.remove)
	i.enter()
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
	groups, err := i.sim.ELB().DescribeTargetGroups(i.ctx, &elb.DescribeTargetGroupsInput{})
	i.must(err)
	if i.address == "" || len(groups.TargetGroups) != 1 {
		i.t.Fatalf("%q leads to %q, and there are %d target groups", i.name, i.address, len(groups.TargetGroups))
	}

	i.lb.URL, i.lb.Host, i.lb.TargetGroupARN = "http://"+i.address+"/", i.name, *groups.TargetGroups[0].TargetGroupArn
	i.must(env.WaitInjected(i.ctx, i.cluster, i.app))
	return i
}

// route applies the Ingress with paths before the one that leads to the application.
func (i *ingressed) route(paths string) {
	i.t.Helper()
	check := i.group.HealthCheck
	text := fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {namespace: %s, name: %s, annotations: {
		kubernetes.io/ingress.class: alb, alb.ingress.kubernetes.io/scheme: internet-facing, alb.ingress.kubernetes.io/target-type: ip,
		alb.ingress.kubernetes.io/target-group-attributes: deregistration_delay.timeout_seconds=%d,
		alb.ingress.kubernetes.io/healthcheck-path: %s, alb.ingress.kubernetes.io/healthcheck-interval-seconds: "%d", alb.ingress.kubernetes.io/healthcheck-timeout-seconds: "%d",
		alb.ingress.kubernetes.io/actions.closed: '{"type":"fixed-response","fixedResponseConfig":{"statusCode":"410"}}'}},
		spec: {rules: [{http: {paths: [%s {path: /, pathType: Prefix, backend: {service: {name: %s, port: {number: 80}}}}]}}]}}`,
		i.app.Namespace, i.app.Ingress, i.group.DeregistrationDelay, check.Path, check.Interval, check.Timeout, paths, i.app.Name)
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
