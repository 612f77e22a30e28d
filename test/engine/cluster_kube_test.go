// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package engine tests the whole process, wired as internal/manager wires it, with a real
// API server and a simulated AWS. The tests play the kubelet.
package engine

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/sim/awssim"
)

const region = "eu-west-1"

// cluster is a real API server, a simulated load balancer, and a podgate between them.
type cluster struct {
	*testing.T
	kube client.WithWatch
	cfg  *rest.Config
	sim  *awssim.Sim
	elb  *elb.Client
	ns   string
	log  logr.Logger
	// config changes the configuration of the next start.
	config func(*manager.Config)
	// metrics takes the metrics of the next start; a registry of its own when nil.
	metrics *catalogue
	stop    func()
}

// The API server is one for the package; every test has a namespace and a simulator.
var shared struct {
	cfg *rest.Config
}

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard()) // podgate's own log goes to its test
	kubetest.Main(m, func(cfg *rest.Config) {
		shared.cfg = cfg
		if err := kubetest.InstallPolicies(cfg); err != nil {
			panic(err)
		}
	})
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	return newClusterWith(t, awssim.Config{})
}

// newClusterWith makes a cluster whose load balancer is configured otherwise.
func newClusterWith(t *testing.T, conf awssim.Config) *cluster {
	t.Helper()
	kube, err := kubetest.Client(shared.cfg)
	if err != nil {
		t.Fatal(err)
	}

	conf.Region, conf.NoDataPath, conf.Throttle = region, !conf.EphemeralPorts, awssim.ThrottleOff
	sim, err := awssim.New(conf)
	if err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = sim.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	c := &cluster{T: t, log: newJournal(t), kube: kube, cfg: shared.cfg, sim: sim, stop: func() {}}
	c.elb = elb.New(elb.Options{Region: region, BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")})
	c.ns = kubetest.Namespace(t, kube, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled})
	t.Cleanup(func() { c.stop() })

	return c
}

// start starts podgate; a second call restarts it.
func (c *cluster) start() {
	c.Helper()
	c.stop()
	end := c.launch(c.cfg)
	c.stop = func() {
		if err := end(); err != nil {
			c.Errorf("podgate: %v", err)
		}
		c.stop = func() {}
	}
}

// launch starts a podgate that reaches the API server as kube says, under podgate's name and the manifest's admission policies; end ends it.
func (c *cluster) launch(kube *rest.Config) (end func() error) {
	c.Helper()
	kube = kubetest.AsPodgate(kube)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var cfg manager.Config
	cfg.Bind(flag.NewFlagSet("podgate", flag.PanicOnError))
	cfg.AWS.Region, cfg.Namespace, cfg.WatchNamespace = region, "default", c.ns
	cfg.Election.Enabled, cfg.Listen.Metrics, cfg.Listen.Health, cfg.Listen.WebhookPort = false, "0", "0", -1
	cfg.AbsenceGrace = 2 * time.Second
	cfg.Linger = 0
	cfg.AWS.DescribeRate, cfg.AWS.RegisterRate = 50, 20
	if c.config != nil {
		c.config(&cfg)
	}

	if err := cfg.Validate(); err != nil {
		c.Fatal(err)
	}

	var metrics prometheus.Registerer = prometheus.NewRegistry()
	if c.metrics != nil {
		metrics = c.metrics
	}

	go func() {
		done <- manager.Run(ctx, c.log, kube, metrics, cfg)
	}()

	return func() error {
		cancel()
		return <-done
	}
}

// group makes a target group of pods that a load balancer uses.
func (c *cluster) group(name string) string {
	c.Helper()
	return c.groupOf(name, elbtypes.TargetTypeEnumIp)
}

func (c *cluster) groupOf(name string, kind elbtypes.TargetTypeEnum) string {
	c.Helper()
	return c.groupLike(name, elb.CreateTargetGroupInput{TargetType: kind})
}

func (c *cluster) groupLike(name string, in elb.CreateTargetGroupInput) string {
	c.Helper()
	ctx := c.Context()
	in.Name, in.Protocol, in.Port, in.VpcId = aws.String(name), elbtypes.ProtocolEnumHttp, aws.Int32(80), aws.String("vpc-1")
	in.HealthCheckIntervalSeconds, in.HealthCheckTimeoutSeconds = aws.Int32(5), aws.Int32(2)
	tg, err := c.elb.CreateTargetGroup(ctx, &in)
	if err != nil {
		c.Fatal(err)
	}

	arn := *tg.TargetGroups[0].TargetGroupArn
	lb, err := c.elb.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("lb-" + name), Subnets: []string{"subnet-1", "subnet-2"}})
	if err != nil {
		c.Fatal(err)
	}

	_, err = c.elb.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: aws.String(arn)}},
	})
	if err != nil {
		c.Fatal(err)
	}

	return arn
}

// rows reads a group's targets by address.
func (c *cluster) rows(arn string) map[string]string {
	c.Helper()
	out, err := c.elb.DescribeTargetHealth(c.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(arn)})
	if err != nil {
		c.Fatal(err)
	}
	rows := map[string]string{}
	for _, d := range out.TargetHealthDescriptions {
		rows[*d.Target.Id] = string(d.TargetHealth.State)
	}
	return rows
}

func (c *cluster) service(name string) {
	c.Helper()
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": name},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	c.create(svc)
}

func (c *cluster) binding(name, service, arn string) *elbv2.TargetGroupBinding {
	c.Helper()
	b := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns},
		Spec:       elbv2.TargetGroupBindingSpec{TargetGroupARN: arn, ServiceRef: elbv2.ServiceReference{Name: service, Port: intstr.FromInt32(80)}},
	}
	c.create(b)
	return b
}

// pod makes a pod as a kubelet would show it once its containers are ready.
func (c *cluster) pod(name, app, ip string, of ...string) *corev1.Pod {
	c.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns, Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{
			NodeName:                      "node",
			TerminationGracePeriodSeconds: aws.Int64(60),
			Containers:                    []corev1.Container{{Name: "app", Image: "app"}},
		},
	}

	for _, g := range of {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(binding.GateType(g))})
	}

	c.create(pod)
	c.ready(pod, ip, true)
	return pod
}

// ready plays the kubelet: address, phase, ContainersReady, and Ready from the gates.
func (c *cluster) ready(pod *corev1.Pod, ip string, ready bool) {
	c.Helper()
	status := metav1.ConditionStatus("False")
	if ready {
		status = "True"
	}
	body := fmt.Sprintf(`{"status":{"phase":"Running","podIP":%q,"podIPs":[{"ip":%q}],"conditions":[{"type":"ContainersReady","status":%q,"lastTransitionTime":%q}]}}`,
		ip, ip, status, time.Now().UTC().Format(time.RFC3339))
	if err := c.kube.Status().Patch(c.Context(), pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}
}

// remove plays the kubelet's end of a deletion.
func (c *cluster) remove(pod *corev1.Pod) {
	c.Helper()
	if err := c.kube.Delete(c.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) create(o client.Object) {
	c.Helper()
	if err := c.kube.Create(c.Context(), o); err != nil {
		c.Fatalf("create %T %s: %v", o, o.GetName(), err)
	}
}

// script sets what the load balancer says of a target, or of all of them.
func (c *cluster) script(arn, state string) {
	c.Helper()
	if err := c.sim.SetHealth(arn, nil, awssim.Script{State: state}); err != nil {
		c.Fatal(err)
	}
}

// gate reads the condition of a pod's gate of a binding, by the name of its key; its zero value when there is none.
func (c *cluster) gate(pod, name string) corev1.PodCondition {
	c.Helper()
	var p corev1.Pod
	if err := c.kube.Get(c.Context(), types.NamespacedName{Namespace: c.ns, Name: pod}, &p); err != nil {
		c.Fatal(err)
	}
	if cond := binding.Condition(&p, corev1.PodConditionType(binding.GateType(name))); cond != nil {
		return *cond
	}
	return corev1.PodCondition{}
}

// verdict reads a binding's Ready condition; its zero value when there is none.
func (c *cluster) verdict(name string) metav1.Condition {
	c.Helper()
	b, err := binding.Get(c.Context(), c.kube, types.NamespacedName{Namespace: c.ns, Name: name})
	if err != nil {
		c.Fatal(err)
	}
	if cond := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionReady); cond != nil {
		return *cond
	}
	return metav1.Condition{}
}

// eventually waits until what holds, and fails with it otherwise.
func (c *cluster) eventually(what string, holds func() bool) {
	c.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			c.Fatalf("never happened: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// never watches for a while that something does not happen.
func (c *cluster) never(what string, d time.Duration, happens func() bool) {
	c.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if happens() {
			c.Fatalf("happened: %s", what)
		}
	}
}

// calls lists the simulator's recorded calls of an operation.
func (c *cluster) calls(operation string) []awssim.Call {
	var found []awssim.Call
	for _, call := range c.sim.Calls(0) {
		if call.Operation == operation {
			found = append(found, call)
		}
	}
	return found
}

func (c *cluster) gone(o client.Object) bool {
	return apierrors.IsNotFound(c.kube.Get(c.Context(), client.ObjectKeyFromObject(o), o))
}
