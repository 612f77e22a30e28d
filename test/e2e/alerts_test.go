// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/alerts"
)

var recordTo = flag.String("record", "", "file to record podgate's metrics to, for the tests of its alert rules; it takes 25 minutes")

// scrapeInterval is a usual one of Prometheus.
const scrapeInterval = 15 * time.Second

// The recording's parts. Rules wait ten minutes and look five back.
const (
	quiet      = 4 * time.Minute
	troubled   = 16 * time.Minute
	leaderless = 7 * time.Minute
)

// idleGroups is how many groups have a waiting pod in the recording: four times as many
// as podgate may read in a second.
const idleGroups = 40

// TestRecordAlerts makes the recording that the alert rules are tried on: an application
// that is well, then all troubles at once, then replicas that cannot elect a leader.
func TestRecordAlerts(t *testing.T) {
	if *recordTo == "" {
		t.Skip("records only when asked to: make record-alerts")
	}

	a := application()
	a.Replicas, a.PrestopSeconds, a.GracePeriodSeconds = 2, 5, 20
	w := start(t, options{timeout: time.Hour})
	w.must(elbv2.AddToScheme(w.cluster.Scheme()))
	s := w.deploy(a, targetGroup())
	r := s.record()

	s.pass(quiet)
	r.mark("troubles")
	s.troubles()
	s.pass(troubled)
	r.mark("leaderless")
	s.forbidElection()
	s.pass(leaderless)

	out, err := yaml.Marshal(r.finish())
	s.must(err)
	s.must(os.WriteFile(*recordTo, append([]byte("# Recorded by make record-alerts.\n"), out...), 0o600))
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	select {
	case <-time.After(d):
	case <-w.ctx.Done():
		w.t.Fatal(context.Cause(w.ctx))
	}
}

// recorder scrapes podgate's replicas until it is finished.
type recorder struct {
	mu    sync.Mutex
	r     alerts.Recording
	began time.Time
	end   func()
}

// record begins to scrape the metrics that alert rules ask for.
func (w *world) record() *recorder {
	w.t.Helper()
	rules, err := alerts.ReadRules(alerts.RulesFile)
	w.must(err)
	var metrics []string
	for _, rule := range rules {
		metrics = append(metrics, rule.Metrics()...)
	}

	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan struct{})
	rec := &recorder{r: alerts.Recording{Interval: scrapeInterval.String()}, began: time.Now(), end: func() { cancel(); <-done }}
	w.t.Cleanup(cancel)
	go func() {
		defer close(done)
		tick := time.NewTicker(scrapeInterval)
		defer tick.Stop()

		for ctx.Err() == nil {
			s := w.scrape(ctx, func(metric string) bool { return slices.Contains(metrics, metric) })
			rec.mu.Lock()
			rec.r.Add(s)
			rec.mu.Unlock()
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()

	return rec
}

func (r *recorder) mark(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.r.Mark(what)
}

func (r *recorder) finish() alerts.Recording {
	r.end()
	r.mark("end")
	if err := r.r.Finish(r.began); err != nil {
		panic(err) // What it reads it wrote itself.
	}
	return r.r
}

// scrape reads all replicas that answer, as Prometheus would.
func (w *world) scrape(ctx context.Context, wanted func(string) bool) alerts.Scrape {
	all := alerts.Scrape{}
	ctx, cancel := context.WithTimeout(ctx, scrapeInterval/2)
	defer cancel()
	pods, err := w.podgatePods(ctx)
	for _, p := range pods {
		if p.Status.PodIP == "" || !p.DeletionTimestamp.IsZero() {
			continue
		}
		page, e := w.metricsPage(ctx, p)
		if e == nil {
			e = errors.Join(all.Read(page, p.Name, wanted), page.Close())
		}
		err = errors.Join(err, e)
	}

	if err != nil && ctx.Err() == nil {
		w.t.Logf("scrape: %v", err)
	}

	return all
}

// troubles begins all that can go wrong while there is a leader.
func (s *service) troubles() {
	s.t.Helper()
	s.createWhileAway()
	late := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: s.app.Name + "-later"},
		Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupARN: s.lb.TargetGroupARN, TargetType: new(elbv2.TargetTypeIP),
			ServiceRef: elbv2.ServiceReference{Name: s.app.Name, Port: intstr.FromInt32(80)},
		},
	}

	s.must(s.cluster.Create(s.ctx, late))
	s.waitForNobody()
	s.fault(awssim.Fault{Error: &awssim.APIError{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable}})
	s.takeAway() // It ends before it can be let go of.
	s.t.Cleanup(func() {
		ctx := context.WithoutCancel(s.ctx)
		if err := s.sim.RemoveFaults(ctx, ""); err != nil {
			s.t.Error(err)
		}
		if err := s.cluster.DeleteAllOf(ctx, &elbv2.TargetGroupBinding{}, client.InNamespace(s.app.Namespace)); err != nil {
			s.t.Error(err)
		}
	})
}

// createWhileAway has a pod of the application created while no replica of podgate runs.
func (s *service) createWhileAway() {
	s.t.Helper()
	s.scalePodgate(0)
	s.app.Replicas++
	s.apply()
	s.eventually("the new pod", func(context.Context) (bool, error) { return len(s.alive()) == s.app.Replicas, nil })
	s.scalePodgate(2)
}

// waitForNobody makes a pod that waits for groups which no load balancer uses.
func (s *service) waitForNobody() {
	s.t.Helper()
	const name = "idle"
	labels := map[string]string{"app": name}
	s.must(s.cluster.Create(s.ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: name},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}))

	for i := range idleGroups {
		each := fmt.Sprintf("%s-%02d", name, i)
		group, err := s.sim.ELB().CreateTargetGroup(s.ctx, &elb.CreateTargetGroupInput{
			Name: aws.String(each), Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-idle"), TargetType: types.TargetTypeEnumIp,
		})
		s.must(err)
		s.must(s.cluster.Create(s.ctx, &elbv2.TargetGroupBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: each},
			Spec: elbv2.TargetGroupBindingSpec{
				TargetGroupARN: *group.TargetGroups[0].TargetGroupArn, TargetType: new(elbv2.TargetTypeIP),
				ServiceRef: elbv2.ServiceReference{Name: name, Port: intstr.FromInt32(80)},
			},
		}))
	}

	s.pass(scrapeInterval) // The webhook hears of them.
	s.must(s.cluster.Create(s.ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: imageV1, ImagePullPolicy: corev1.PullNever}}},
	}))
}

// scalePodgate sets the number of podgate's replicas and waits for it.
func (w *world) scalePodgate(n int) {
	w.t.Helper()
	d, err := w.clientset.AppsV1().Deployments(podgateNamespace).GetScale(w.ctx, podgateDeployment, metav1.GetOptions{})
	w.must(err)
	d.Spec.Replicas = int32(n)
	_, err = w.clientset.AppsV1().Deployments(podgateNamespace).UpdateScale(w.ctx, podgateDeployment, d, metav1.UpdateOptions{})
	w.must(err)
	w.eventually(fmt.Sprintf("%d replicas of podgate", n), func(ctx context.Context) (bool, error) {
		pods, err := w.podgatePods(ctx)
		ready := slices.DeleteFunc(pods, func(p corev1.Pod) bool { return n > 0 && !isReady(p) })
		return len(ready) == n, err
	})
}

func isReady(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// forbidElection takes the right to write the lease from podgate.
func (w *world) forbidElection() {
	w.t.Helper()
	var role rbacv1.Role
	w.must(w.cluster.Get(w.ctx, client.ObjectKey{Namespace: podgateNamespace, Name: "podgate"}, &role))
	before := role.DeepCopy()

	for i, rule := range role.Rules {
		if slices.Contains(rule.Resources, "leases") && slices.Contains(rule.ResourceNames, "podgate-leader") {
			role.Rules[i].Verbs = []string{"get"}
		}
	}

	w.must(w.cluster.Update(w.ctx, &role))
	w.t.Cleanup(func() {
		before.ResourceVersion = ""
		if err := w.cluster.Update(context.WithoutCancel(w.ctx), before); err != nil {
			w.t.Errorf("give podgate its role back: %v", err)
		}
	})
}
