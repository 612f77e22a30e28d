// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"text/template"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// appLabel selects the application's pods.
const appLabel = "app.kubernetes.io/name"

// CheckGate is the condition type of the gate that the application's ReadinessGate has.
const CheckGate = "checks.podgate.dev/warm"

// App is a web application in a namespace of its own, with a Service and a
// TargetGroupBinding or a TargetBinding. Its name is that of the Service, the binding and the Deployment.
type App struct {
	Namespace, Name string
	// Gated labels the namespace so that its pods get readiness gates.
	Gated bool
	// Drained labels the namespace so that its pods get preStop hooks.
	Drained bool
	// Adaptive has these hooks end when the pod is drained.
	Adaptive bool
	// TargetGroupARN is what the binding refers to; no binding when empty.
	TargetGroupARN string
	// Nodes makes nodes the targets of the TargetGroupBinding: its group is of instances, and the Service of type NodePort.
	Nodes bool
	// Local has nodes forward to pods of their own only, and the Service of type LoadBalancer.
	Local bool
	// LatticeARN is the target group of VPC Lattice that a TargetBinding refers to; no such
	// binding when empty.
	LatticeARN string
	// HAProxy is the backend that a TargetBinding refers to; no such binding when nil.
	HAProxy *Backend
	// RoleARN is the role to assume for calls about the group; none when empty.
	RoleARN string
	// Checks is the spec of a ReadinessGate of the name warm, in YAML of one line; no such object
	// when empty.
	Checks string
	// Image of the pods; its tag tells the version.
	Image    string
	Replicas int
	// MaxSurge and MaxUnavailable are numbers or percentages.
	MaxSurge, MaxUnavailable string
	// PrestopSeconds is how long a preStop hook sleeps, by the program /bin/sleep of the
	// image; 0 is no hook.
	PrestopSeconds int
	// GracePeriodSeconds of the pods; 0 is Kubernetes' default of 30.
	GracePeriodSeconds int
	// ReadinessPath is what the kubelet's readiness probe asks for, once a second; no probe
	// when empty.
	ReadinessPath string
	// Gates are condition types that the pod template lists as readiness gates, as another
	// controller's webhook would add them.
	Gates []string
	// LivenessPath is the same of the liveness probe, which restarts the container at its
	// first failure. The probe begins when the container listens, and waits 10 s for an
	// answer: a container that is slow on a busy machine must not count as one that failed.
	LivenessPath string
	// Tolerant pods may be scheduled to a cordoned node.
	Tolerant bool
	// Annotations are the binding's, or the Ingress's.
	Annotations map[string]string
	// Source is the template of the objects in the place of this package's own, which gets the App; Labels are its pods', and
	// Ingress is the name of its Ingress; empty without one.
	Source  string
	Labels  map[string]string
	Ingress string
	// Env is the environment of the container.
	Env map[string]string
}

// Backend is one of HAProxy's, at all instances.
type Backend struct {
	Name string
	// Instances are the runtime sockets, as a TargetBinding spells them.
	Instances []string
	// IntervalMilliseconds, Rise and Fall are of the checks.
	IntervalMilliseconds, Rise, Fall int
	// MaxConn bounds a server's connections and MaxServers the backend's servers; no bound
	// when 0.
	MaxConn, MaxServers int
}

//go:embed application.yaml
var applicationSource string

// Manifest renders all objects of the application.
func (a App) Manifest() (Manifest, error) {
	t, err := template.New("application").Parse(cmp.Or(a.Source, applicationSource))
	if err != nil {
		return nil, fmt.Errorf("parse application: %w", err)
	}

	var b bytes.Buffer
	if err := t.Execute(&b, a); err != nil {
		return nil, fmt.Errorf("render application %s: %w", a.Name, err)
	}

	m, err := ParseManifest(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("render application %s: %w", a.Name, err)
	}

	return m, nil
}

// ApplyWiring applies the namespace, the Service and the binding, and waits until pods
// can be created.
func (a App) ApplyWiring(ctx context.Context, c *Cluster) error {
	m, err := a.Manifest()
	if err != nil {
		return err
	}

	for _, u := range m {
		if u.GetKind() == "Deployment" {
			continue
		}
		if err := c.ApplyObjects(ctx, u); err != nil {
			return err
		}
	}

	return nil
}

// ApplyDeployment applies the Deployment: the first time it creates the pods, later it
// updates them.
func (a App) ApplyDeployment(ctx context.Context, c *Cluster) error {
	m, err := a.Manifest()
	if err != nil {
		return err
	}
	return c.ApplyObjects(ctx, m.OfKind("Deployment")...)
}

// Delete removes the application: the Deployment, its pods without grace, then the
// binding while its controller can still let go of it, then the namespace. It does not
// wait for the namespace's end.
func (a App) Delete(ctx context.Context, c *Cluster) error {
	var errs []error
	note := func(what string, err error) {
		if client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("delete %s of %s: %w", what, a.Namespace, err))
		}
	}

	note("Deployment", c.Delete(ctx, a.object(deploymentKind), client.PropagationPolicy(metav1.DeletePropagationBackground)))
	// As long as there is a ReplicaSet, it makes new pods.
	note("ReplicaSets", a.waitNoReplicaSet(ctx, c))
	note("pods", c.DeleteAllOf(ctx, a.object(podKind), client.InNamespace(a.Namespace), client.GracePeriodSeconds(1)))

	for _, kind := range a.bindings() {
		note("binding", c.Delete(ctx, a.object(kind)))
		note("binding", waitDeleted(ctx, c, a.object(kind)))
	}

	if a.Ingress != "" {
		ingress := a.object(ingressKind)
		ingress.SetName(a.Ingress)
		note("Ingress", c.Delete(ctx, ingress))
		note("Ingress", waitDeleted(ctx, c, ingress))
	}

	namespace := a.object(namespaceKind)
	namespace.SetNamespace("")
	namespace.SetName(a.Namespace)
	err := c.Delete(ctx, namespace)
	if apierrors.IsConflict(err) {
		err = nil // It is being deleted already.
	}
	note("namespace", err)

	return errors.Join(errs...)
}

// Kinds that are deleted. The binding is untyped so that another controller's own
// definition of it serves as well.
var (
	bindingKind    = schema.GroupVersionKind{Group: "elbv2.k8s.aws", Version: "v1beta1", Kind: "TargetGroupBinding"}
	ownBindingKind = schema.GroupVersionKind{Group: "podgate.dev", Version: "v1alpha1", Kind: "TargetBinding"}
	ingressKind    = schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}
	deploymentKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	podKind        = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
	namespaceKind  = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
)

// object is the application's object of a kind.
func (a App) object(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	u.SetNamespace(a.Namespace)
	u.SetName(a.Name)
	return u
}

func (a App) waitNoReplicaSet(ctx context.Context, c *Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	return poll(ctx, "their end", func(ctx context.Context) (bool, error) {
		var sets appsv1.ReplicaSetList
		err := c.List(ctx, &sets, client.InNamespace(a.Namespace))
		return err == nil && len(sets.Items) == 0, err
	})
}

// deleteTimeout bounds how long an object may take to go after it was deleted.
const deleteTimeout = 20 * time.Second

// bindings are the kinds of the application's bindings.
func (a App) bindings() []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	if a.TargetGroupARN != "" {
		kinds = append(kinds, bindingKind)
	}
	if a.HAProxy != nil || a.LatticeARN != "" {
		kinds = append(kinds, ownBindingKind)
	}
	return kinds
}

func waitDeleted(ctx context.Context, c *Cluster, o *unstructured.Unstructured) error {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	return poll(ctx, "the controller to let go of it", func(ctx context.Context) (bool, error) {
		now := o.DeepCopy()
		err := c.Get(ctx, client.ObjectKeyFromObject(o), now)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

// ignoreMissingAccount forgives that a namespace is so new that its service account is
// not there yet.
func ignoreMissingAccount(err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
