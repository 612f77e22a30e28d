// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
)

// port is where the pods' containers listen.
const port = 8080

// healthInterval and healthThreshold are every group's. A controller may know from
// them when a target can be healthy at the earliest, so health comes later than that.
const (
	healthInterval  = 5
	healthThreshold = 2
)

func newClient(cfg *rest.Config) (client.WithWatch, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, elbv2.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return client.NewWithWatch(cfg, client.Options{Scheme: scheme})
}

// installManifests makes the CRDs and the webhook's configuration, into which a
// controller writes its authority.
func installManifests(ctx context.Context, kube client.Client, root string) error {
	files, err := filepath.Glob(filepath.Join(root, "charts", "podgate", "files", "crd", "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no CRDs in the chart of %s (%w)", root, err)
	}

	for _, file := range files {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := createFrom(ctx, kube, file, &crd); err != nil {
			return err
		}

		err := wait.PollUntilContextCancel(ctx, tick, true, func(ctx context.Context) (bool, error) {
			if err := kube.Get(ctx, client.ObjectKeyFromObject(&crd), &crd); err != nil {
				return false, err
			}
			for _, c := range crd.Status.Conditions {
				if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
					return true, nil
				}
			}
			return false, nil
		})
		if err != nil {
			return fmt.Errorf("install %s: %w", file, err)
		}
	}

	return createFrom(ctx, kube, filepath.Join(root, "config", "podgate", "templates", "webhook.yaml"), &admissionv1.MutatingWebhookConfiguration{})
}

func createFrom(ctx context.Context, kube client.Client, file string, into client.Object) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(raw, into); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	if err := kube.Create(ctx, into); err != nil {
		return fmt.Errorf("create %s: %w", file, err)
	}
	return nil
}

// group is a target group with its Service and binding, all of one name.
type group struct {
	name, arn string
}

// addGroups makes groups whose targets have a scripted state.
func (w *world) addGroups(ctx context.Context, prefix string, n int, state string) ([]*group, error) {
	made := make([]*group, n)
	err := each(ctx, n, func(ctx context.Context, i int) error {
		g := &group{name: fmt.Sprintf("%s-%d", prefix, i)}
		made[i] = g
		if err := w.createTargetGroup(ctx, g); err != nil {
			return fmt.Errorf("make target group %s: %w", g.name, err)
		}
		return w.sim.SetHealth(ctx, g.arn, nil, awssim.Script{State: state})
	})
	return made, err
}

func (w *world) createTargetGroup(ctx context.Context, g *group) error {
	if err := w.creations.Wait(ctx); err != nil {
		return err
	}

	out, err := w.elb.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: &g.name, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String(podVPC), TargetType: elbtypes.TargetTypeEnumIp,
		HealthCheckIntervalSeconds: aws.Int32(healthInterval), HealthCheckTimeoutSeconds: aws.Int32(2),
		HealthyThresholdCount: aws.Int32(healthThreshold), UnhealthyThresholdCount: aws.Int32(2),
	})
	if err != nil {
		return err
	}

	g.arn = *out.TargetGroups[0].TargetGroupArn
	return nil
}

// addBindings makes a Service and a binding for each group.
func (w *world) addBindings(ctx context.Context, groups []*group) error {
	w.groups = append(w.groups, groups...)
	ip := elbv2.TargetTypeIP
	return each(ctx, len(groups), func(ctx context.Context, i int) error {
		name := groups[i].name
		meta := metav1.ObjectMeta{Namespace: apps, Name: name}
		if err := w.kube.Create(ctx, serviceOf(name)); err != nil {
			return err
		}

		return w.kube.Create(ctx, &elbv2.TargetGroupBinding{ObjectMeta: meta, Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupARN: groups[i].arn, TargetType: &ip, ServiceRef: elbv2.ServiceReference{Name: name, Port: intstr.FromInt32(80)},
		}})
	})
}

// serviceOf is a Service of pods with its name as label. It takes no address of the API server's range: nothing routes here.
func serviceOf(name string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: apps, Name: name}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": name}, ClusterIP: corev1.ClusterIPNone,
		Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(port)}},
	}}
}

// pod is one that the bench made. gate is the condition type of its readiness gate, and
// group is nil where that waits for no load balancer.
type pod struct {
	name, ip, gate string
	group          *group
}

// object is the pod as its workload makes it.
func (p *pod) object() *corev1.Pod {
	o := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: apps, Name: p.name},
		Spec: corev1.PodSpec{
			NodeName: nodeName, TerminationGracePeriodSeconds: aws.Int64(60),
			Containers:     []corev1.Container{{Name: "app", Image: "app"}},
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(p.gate)}},
		},
	}
	if p.group != nil {
		o.Labels = map[string]string{"app": p.group.name}
	}
	return o
}

func (p *pod) target() *awssim.Target { return &awssim.Target{ID: p.ip, Port: port} }

// addPods makes n pods for the groups in turn, and writes their status when it is not nil.
func (w *world) addPods(ctx context.Context, groups []*group, prefix string, n int, status map[string]any) ([]*pod, error) {
	made := w.newPods(groups, prefix, n)
	return made, w.createPods(ctx, made, func(*pod) map[string]any { return status })
}

// newPods thinks of n pods for the groups in turn.
func (w *world) newPods(groups []*group, prefix string, n int) []*pod {
	made := make([]*pod, n)
	for i := range made {
		a := w.addresses
		w.addresses++
		g := groups[i%len(groups)]
		made[i] = &pod{
			name: fmt.Sprintf("%s-%d", prefix, i), ip: fmt.Sprintf("10.%d.%d.%d", a/62500+1, a/250%250, a%250+1),
			gate: elbv2.GateType(g.name), group: g,
		}
	}
	return made
}

// createPods makes pods, and writes their status when it is not nil.
func (w *world) createPods(ctx context.Context, pods []*pod, status func(*pod) map[string]any) error {
	err := each(ctx, len(pods), func(ctx context.Context, i int) error {
		p := pods[i]
		if err := w.kube.Create(ctx, p.object()); err != nil {
			return err
		}

		if s := status(p); s != nil {
			return w.setStatus(ctx, p, s)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make pods: %w", err)
	}
	return nil
}

// setStatus plays the kubelet. What the status says of conditions is merged by type.
func (w *world) setStatus(ctx context.Context, p *pod, status map[string]any) error {
	body := map[string]any{"phase": "Running", "podIP": p.ip, "podIPs": []any{map[string]any{"ip": p.ip}}}
	for k, v := range status {
		body[k] = v
	}
	raw, err := json.Marshal(map[string]any{"status": body})
	if err != nil {
		return err
	}
	o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: apps, Name: p.name}}
	return w.kube.Status().Patch(ctx, o, client.RawPatch(types.StrategicMergePatchType, raw))
}

// conditions is a status with some conditions True since a while ago.
func conditions(ago time.Duration, kinds ...string) map[string]any {
	var all []any
	for _, kind := range kinds {
		all = append(all, condition(kind, "True", "", ago))
	}
	return map[string]any{"conditions": all}
}

func condition(kind, status, reason string, ago time.Duration) map[string]any {
	return map[string]any{"type": kind, "status": status, "reason": reason, "lastTransitionTime": time.Now().Add(-ago).UTC().Format(time.RFC3339)}
}

// The kubelet's conditions.
const (
	containersReady = string(corev1.ContainersReady)
	podReady        = string(corev1.PodReady)
)
