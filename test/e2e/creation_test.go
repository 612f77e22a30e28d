// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// creationInterval is the time between two creations, which do not wait for each other.
const creationInterval = 40 * time.Millisecond

// webhookConfiguration is the name of podgate's.
const webhookConfiguration = "podgate-webhook"

// creation makes pods at a steady pace. They are held back from the scheduler: what
// counts is what the webhook did to them.
type creation struct {
	service *service
	label   map[string]string

	// replicas and lost say, of pods without a gate, what podgate and the API server logged then.
	replicas *replicaLogs
	lost     func() (string, error)

	mu      sync.Mutex
	created int
	ungated []creationOf
	errs    []error
}

// creationOf is a pod's, from the request to the answer.
type creationOf struct {
	pod      string
	from, to time.Time
}

func (c creationOf) String() string {
	return c.pod + " from " + c.from.UTC().Format(clock) + " to " + c.to.UTC().Format(clock)
}

// createPods creates pods before, during and after what happens meanwhile, at least so
// many, and asserts that each was given its gate. The webhook's failure policy is
// Ignore: a call that fails is a pod without a gate.
func (s *service) createPods(least int, meanwhile func()) {
	s.t.Helper()
	s.assertFailuresIgnored()
	c := &creation{service: s, label: map[string]string{"app.kubernetes.io/name": s.app.Name}, replicas: s.followReplicas()}
	defer c.replicas.cancel()
	var err error
	c.lost, err = lostCalls()
	s.must(err)

	over := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.run(s.ctx, least, over)
	}()

	end := sync.OnceFunc(func() {
		close(over)
		<-done
	})

	defer end()

	s.eventually("the first pods", func(context.Context) (bool, error) { return c.count() >= least/20, nil })
	meanwhile()
	s.t.Logf("%d pods were created until then", c.count())
	end()
	c.assert()
}

// run creates pods until it is over and there are enough of them.
func (c *creation) run(ctx context.Context, least int, over <-chan struct{}) {
	var flying sync.WaitGroup
	defer flying.Wait()
	tick := time.NewTicker(creationInterval)
	defer tick.Stop()

	for n := 0; ; n++ {
		select {
		case <-over:
			if n >= least {
				return
			}
		default:
		}

		flying.Go(func() { c.one(ctx, n) })
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *creation) one(ctx context.Context, n int) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.service.app.Namespace, Name: fmt.Sprintf("held-%04d", n), Labels: c.label},
		Spec: corev1.PodSpec{
			SchedulingGates: []corev1.PodSchedulingGate{{Name: "podgate.dev/e2e"}},
			Containers:      []corev1.Container{{Name: "app", Image: imageV1}},
		},
	}

	begun := time.Now()
	err := c.service.cluster.Create(ctx, pod)
	ended := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()

	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("create pod %s: %w", pod.Name, err))
		return
	}

	c.created++
	if !c.gated(pod) {
		c.ungated = append(c.ungated, creationOf{pod.Name, begun, ended})
	}
}

func (c *creation) gated(pod *corev1.Pod) bool {
	gates := pod.Spec.ReadinessGates
	return len(gates) == 1 && string(gates[0].ConditionType) == "target-health.elbv2.k8s.aws/"+c.service.app.Name
}

func (c *creation) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.created
}

// assert looks at what was answered and at what is stored.
func (c *creation) assert() {
	s := c.service
	s.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.t.Logf("%d pods created, %d of them without their gate, %d creations failed", c.created, len(c.ungated), len(c.errs))

	if len(c.ungated) > 0 {
		s.t.Errorf("%d of %d pods have no gate: %v", len(c.ungated), c.created, c.ungated[:min(len(c.ungated), 20)])
		c.explain()
	}

	if len(c.errs) > 0 {
		s.t.Errorf("%d creations failed, the first: %v", len(c.errs), c.errs[0])
	}

	var stored corev1.PodList
	s.must(s.cluster.List(s.ctx, &stored, client.InNamespace(s.app.Namespace)))
	gated := 0
	for i := range stored.Items {
		if c.gated(&stored.Items[i]) {
			gated++
		}
	}

	if gated != c.created || len(stored.Items) != c.created {
		s.t.Errorf("of %d pods %d are stored and %d have their gate, want all", c.created, len(stored.Items), gated)
	}
}

// explain says why pods have no gate: calls of the webhook that the API server lost, or else an answer without a gate.
func (c *creation) explain() {
	s := c.service
	lost, err := c.lost()
	s.must(err)
	if lost == "" {
		lost = "no call of a webhook failed: a replica answered without the gate"
	}
	s.t.Logf("the API server says\n%s", firstLines(lost, 20))

	slices.SortFunc(c.ungated, func(a, b creationOf) int { return a.from.Compare(b.from) })
	first, last := c.ungated[0], c.ungated[len(c.ungated)-1]
	around := c.replicas.between(first.from.Add(-aroundLost), last.to.Add(aroundLost))
	s.t.Logf("podgate's replicas say, from %s before to %s after\n%s", aroundLost, aroundLost, firstLines(around, 30))
	s.tell("all that podgate's replicas say", c.replicas.between(time.Time{}, time.Now()))
}

// aroundLost is how long before and after a pod got no gate the logs are looked at.
const aroundLost = 10 * time.Second

func firstLines(text string, n int) string {
	lines := strings.SplitN(text, "\n", n+1)
	if len(lines) > n {
		lines[n] = "..."
	}
	return strings.Join(lines, "\n")
}

// configuration is the webhook's as it stands.
func (w *world) configuration(ctx context.Context) (*admissionv1.MutatingWebhookConfiguration, error) {
	var c admissionv1.MutatingWebhookConfiguration
	if err := w.cluster.Get(ctx, client.ObjectKey{Name: webhookConfiguration}, &c); err != nil {
		return nil, fmt.Errorf("get webhook configuration: %w", err)
	}
	return &c, nil
}

func (w *world) assertFailuresIgnored() {
	w.t.Helper()
	c, err := w.configuration(w.ctx)
	w.must(err)
	for _, each := range c.Webhooks {
		if each.FailurePolicy == nil || *each.FailurePolicy != admissionv1.Ignore {
			w.t.Fatalf("failure policy of webhook %s is not Ignore: a lost call would not be seen", each.Name)
		}
	}
}
