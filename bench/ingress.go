// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
)

// Ingresses of a large cluster, each with a Service and a pod of its own.
const (
	ingresses      = 200
	ingressGroups  = 20
	ingressChanges = 20
	ingressClass   = "alb"
	ingressPrefix  = "alb.ingress.kubernetes.io/"
	// ingressFlags make podgate serve them, in the VPC that the simulator has.
	ingressFlags = " --ingress --cluster-name bench --vpc-id vpc-0a1b2c3d4e5f60718"
	// publishing bounds how long their load balancers may take. The account's buckets of changes make it minutes.
	publishing = 8 * time.Minute
	// apart is longer than podgate believes its list of all load balancers when it changes something: each change finds it at rest.
	apart = 6 * time.Second
)

// engines are the operations by which targets are registered and looked at, for any binding.
var engines = []string{"DescribeTargetHealth", "RegisterTargets", "DeregisterTargets"}

// routing measures what load balancers of Ingresses cost at rest, and how fast a change reaches them.
func routing(ctx context.Context, w *world) ([]Measure, error) {
	all, err := w.addIngresses(ctx)
	if err != nil {
		return nil, err
	}

	w.options.controller += ingressFlags
	if err := w.start(); err != nil {
		return nil, err
	}

	published, err := w.published(ctx)
	if err != nil {
		return nil, err
	}

	if err := pause(ctx, w.steadyRest); err != nil {
		return nil, err
	}
	latencies, err := w.reroute(ctx, all)
	if err != nil {
		return nil, err
	}

	if err := pause(ctx, w.steadyRest); err != nil {
		return nil, err
	}
	with, err := w.quiet(ctx, w.ingressWindow)
	if err != nil {
		return nil, err
	}

	// The same bindings, without who made them.
	if err := w.stopController(); err != nil {
		return nil, err
	}
	w.options.controller = strings.TrimSuffix(w.options.controller, ingressFlags)
	if err := w.start(); err != nil {
		return nil, err
	}
	if err := pause(ctx, w.steadyRest); err != nil {
		return nil, err
	}
	without, err := w.quiet(ctx, w.steadyWindow)
	if err != nil {
		return nil, err
	}

	return []Measure{
		bounded("calls a minute beyond the engine's", with.beyond, "calls", ingressGroups/5.0),
		bounded("change to rule, p99", percentile(latencies, 99), "s", 2),
		info("change to rule, median", percentile(latencies, 50), "s"),
		info("all load balancers published", published.Seconds(), "s"),
		info("processor", with.processor, "% of a core"),
		info("processor without --ingress", without.processor, "% of a core"),
		info("resident memory", with.rss, "MiB"),
		info("resident memory without --ingress", without.rss, "MiB"),
		info("resident memory at its highest", with.highest, "MiB"),
		info("API calls a minute", with.calls, "calls"),
		info("API calls a minute without --ingress", without.calls, "calls"),
	}, nil
}

// addIngresses makes the class, and the Ingresses with what is behind them.
func (w *world) addIngresses(ctx context.Context) ([]*networkingv1.Ingress, error) {
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: ingressClass}, Spec: networkingv1.IngressClassSpec{Controller: v1alpha1.IngressController}}
	if err := w.kube.Create(ctx, class); err != nil {
		return nil, err
	}

	all, behind := make([]*networkingv1.Ingress, ingresses), make([]*group, ingresses)
	err := each(ctx, ingresses, func(ctx context.Context, i int) error {
		all[i], behind[i] = ingressOf(i), &group{name: fmt.Sprintf("web-%d", i)}
		if err := w.kube.Create(ctx, serviceOf(behind[i].name)); err != nil {
			return err
		}
		return w.kube.Create(ctx, all[i])
	})
	if err != nil {
		return nil, fmt.Errorf("make Ingresses: %w", err)
	}

	_, err = w.addPods(ctx, behind, "web", ingresses, conditions(10*time.Minute, containersReady, podReady))
	return all, err
}

// ingressOf is one Ingress. Those of a group are told apart by their hosts.
func ingressOf(i int) *networkingv1.Ingress {
	name, class := fmt.Sprintf("web-%d", i), ingressClass
	return &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: apps, Name: name, Annotations: map[string]string{
			ingressPrefix + "group.name": fmt.Sprintf("group-%d", i%ingressGroups), ingressPrefix + "scheme": "internet-facing", ingressPrefix + "target-type": "ip",
		}},
		Spec: networkingv1.IngressSpec{IngressClassName: &class, Rules: []networkingv1.IngressRule{{
			Host: name + ".example.com", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/first", PathType: new(networkingv1.PathTypePrefix),
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: name, Port: networkingv1.ServiceBackendPort{Number: 80}}},
			}}}},
		}}},
	}
}

// published makes the targets of all bindings healthy as these come, and returns how long after the start of the controller
// every Ingress named its load balancer.
func (w *world) published(ctx context.Context) (time.Duration, error) {
	scripted := map[string]bool{}
	var took time.Duration
	err := w.eventually(ctx, "all Ingresses name their load balancer", publishing, func(ctx context.Context) (bool, error) {
		var bindings elbv2.TargetGroupBindingList
		if err := w.kube.List(ctx, &bindings, client.InNamespace(apps)); err != nil {
			return false, err
		}
		for _, b := range bindings.Items {
			if arn := b.Spec.TargetGroupARN; !scripted[arn] {
				if err := w.sim.SetHealth(ctx, arn, nil, awssim.Script{State: "healthy"}); err != nil {
					return false, err
				}
				scripted[arn] = true
			}
		}

		var list networkingv1.IngressList
		if err := w.kube.List(ctx, &list, client.InNamespace(apps)); err != nil {
			return false, err
		}
		waits := slices.ContainsFunc(list.Items, func(i networkingv1.Ingress) bool { return len(i.Status.LoadBalancer.Ingress) == 0 })
		if !waits && took == 0 {
			took = time.Since(w.controller.started)
		}
		return took > 0 && len(scripted) == ingresses, nil
	})
	return took, err
}

// reroute changes the path of an Ingress at a time, each in a group of its own, and returns how long each took to be in the rules.
func (w *world) reroute(ctx context.Context, all []*networkingv1.Ingress) ([]time.Duration, error) {
	var latencies []time.Duration
	for n := range ingressChanges {
		if err := pause(ctx, apart); err != nil {
			return nil, err
		}
		var ing networkingv1.Ingress
		if err := w.kube.Get(ctx, client.ObjectKeyFromObject(all[n]), &ing); err != nil {
			return nil, err
		}
		mark, err := w.mark(ctx)
		if err != nil {
			return nil, err
		}

		before := ing.DeepCopy()
		ing.Spec.Rules[0].HTTP.Paths[0].Path = "/second"
		began := time.Now()
		if err := w.kube.Patch(ctx, &ing, client.MergeFrom(before)); err != nil {
			return nil, err
		}
		at, err := w.ruled(ctx, mark, ing.Spec.Rules[0].Host)
		if err != nil {
			return nil, err
		}
		latencies = append(latencies, at.Sub(began))
	}
	return latencies, nil
}

// ruled waits until a rule for a host has the second path, and returns when the last call wrote rules.
func (w *world) ruled(ctx context.Context, since int64, host string) (time.Time, error) {
	var at time.Time
	err := w.eventually(ctx, "a rule for "+host+" has the new path", time.Minute, func(ctx context.Context) (bool, error) {
		calls, err := w.calls(ctx, since)
		if err != nil {
			return false, err
		}
		// Looking takes calls, too: only what was written is looked at.
		written := times(calls, func(c awssim.Call) bool {
			return strings.Contains(c.Operation, "Rule") && !describes(c) && c.HTTPStatus == 200
		})
		if len(written) == 0 || written[len(written)-1].Equal(at) {
			return false, nil
		}
		at = written[len(written)-1]
		return w.routes(ctx, host, "/second")
	})
	return at, err
}

// routes reports whether a rule of any load balancer is for a host and a path.
func (w *world) routes(ctx context.Context, host, path string) (bool, error) {
	balancers, err := w.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{})
	if err != nil {
		return false, err
	}
	for _, lb := range balancers.LoadBalancers {
		listeners, err := w.elb.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: lb.LoadBalancerArn})
		if err != nil {
			return false, err
		}
		for _, l := range listeners.Listeners {
			rules, err := w.elb.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: l.ListenerArn, PageSize: aws.Int32(400)})
			if err != nil {
				return false, err
			}
			for _, r := range rules.Rules {
				var values []string
				for _, c := range r.Conditions {
					if c.HostHeaderConfig != nil {
						values = append(values, c.HostHeaderConfig.Values...)
					}
					if c.PathPatternConfig != nil {
						values = append(values, c.PathPatternConfig.Values...)
					}
				}
				if slices.Contains(values, host) && slices.Contains(values, path) {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// still is what a controller costs in a quiet time.
type still struct{ processor, rss, highest, calls, beyond float64 }

// quiet measures for so long. It prints which calls there were.
func (w *world) quiet(ctx context.Context, window time.Duration) (still, error) {
	mark, err := w.mark(ctx)
	if err != nil {
		return still{}, err
	}
	began, before := time.Now(), w.cpu()
	if err := pause(ctx, window); err != nil {
		return still{}, err
	}
	used, elapsed := w.cpu()-before, time.Since(began)

	memory, err := w.controller.memory()
	if err != nil {
		return still{}, err
	}
	calls, err := w.calls(ctx, mark)
	if err != nil {
		return still{}, err
	}
	by, beyond := map[string]int{}, 0
	for _, c := range calls {
		by[c.Operation]++
		if !slices.Contains(engines, c.Operation) {
			beyond++
		}
	}
	fmt.Fprintf(os.Stderr, "bench: %d calls in %s: %v\n", len(calls), elapsed.Round(time.Second), by)
	return still{percent(used, elapsed), memory.rss, memory.highest, float64(len(calls)) / elapsed.Minutes(), float64(beyond) / elapsed.Minutes()}, nil
}
