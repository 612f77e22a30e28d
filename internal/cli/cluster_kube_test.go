// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/kubetest"
)

// shared is the API server of the package's tests; every test has a namespace.
var shared *rest.Config

func TestMain(m *testing.M) {
	kubetest.Main(m, func(cfg *rest.Config) {
		shared = cfg
		if err := kubetest.InstallPolicies(cfg); err != nil {
			panic(err)
		}
	})
}

// cluster is a namespace of a real API server, and commands that are given to it.
type cluster struct {
	*testing.T
	kube client.WithWatch
	ns   string
	// as makes the commands a user's with few permissions; an administrator's when empty.
	as string
	// kinds are the kinds of gates that there are.
	kinds gates.Kinds
	// now is the user's clock.
	now func() time.Time
}

func newCluster(t *testing.T, labels map[string]string) *cluster {
	t.Helper()
	kube, err := kubetest.Client(shared)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{T: t, kube: kube, ns: kubetest.Namespace(t, kube, labels), kinds: gates.All(), now: time.Now}
}

// answer is what a command said.
type answer struct {
	code     int
	out, err string
}

// run gives a command, in the cluster's namespace.
func (c *cluster) run(args ...string) answer {
	c.Helper()
	cfg := rest.CopyConfig(shared)
	if c.as != "" {
		cfg.Impersonate = rest.ImpersonationConfig{UserName: c.as}
	}
	var out, errs bytes.Buffer
	e := &environment{Streams: Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Now: c.now}, output: formatText, kinds: c.kinds}
	e.config = cfg
	code := run(c.Context(), Name, append([]string{"-n", c.ns}, args...), e)
	return answer{code, out.String(), errs.String()}
}

// has asserts an exit code and what is said.
func (c *cluster) has(a answer, code int, said ...string) {
	c.Helper()
	if a.code != code {
		c.Errorf("exit code %d, want %d", a.code, code)
	}
	for _, s := range said {
		if !strings.Contains(a.out+a.err, s) {
			c.Errorf("it does not say %q", s)
		}
	}
	if c.Failed() {
		c.Logf("standard output:\n%sstandard error:\n%s", a.out, a.err)
	}
}

func (c *cluster) create(all ...client.Object) {
	c.Helper()
	for _, o := range all {
		o.SetNamespace(c.ns)
		if err := c.kube.Create(c.Context(), o); err != nil {
			c.Fatalf("create %T %s: %v", o, o.GetName(), err)
		}
	}
}

// wire makes a Service web and a binding of it.
func (c *cluster) wire() {
	c.Helper()
	const name = "web"
	ip := elbv2.TargetTypeIP
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	b.Spec.TargetGroupARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/" + name + "/0123456789abcdef"
	b.Spec.TargetType = &ip
	b.Spec.ServiceRef = elbv2.ServiceReference{Name: name, Port: intstr.FromInt32(80)}
	c.create(
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		}}, b)
}

// pod makes a pod of Service web with gates, whose containers are ready.
func (c *cluster) pod(name string, gates ...string) *corev1.Pod {
	c.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	for _, g := range gates {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(g)})
	}
	c.create(pod)
	pod.Status.Phase, pod.Status.PodIP, pod.Status.PodIPs = corev1.PodRunning, "10.0.0.7", []corev1.PodIP{{IP: "10.0.0.7"}}
	c.condition(pod, corev1.ContainersReady, corev1.ConditionTrue, "", "")
	return pod
}

// condition sets a condition of a pod.
func (c *cluster) condition(pod *corev1.Pod, t corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) {
	c.Helper()
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: t, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.Now()})
	if err := c.kube.Status().Update(c.Context(), pod); err != nil {
		c.Fatalf("update status of %s: %v", pod.Name, err)
	}
}

// allow lets a user do no more than rules say, in the cluster's namespace.
func (c *cluster) allow(user string, rules ...rbacv1.PolicyRule) {
	c.Helper()
	c.create(
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: rules},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
	c.as = user
}
