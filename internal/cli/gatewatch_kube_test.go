// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/podgate/podgate/internal/gates"
)

// watching is gate watch, while it runs.
type watching struct {
	*cluster
	lines *bufio.Scanner
	stop  func() error
}

func (c *cluster) watch(args ...string) *watching {
	c.Helper()
	read, write := io.Pipe()
	e := &environment{Streams: Streams{In: strings.NewReader(""), Out: write, Err: io.Discard, Now: c.now}, output: formatText, kinds: c.kinds}
	e.config = rest.CopyConfig(shared)
	ctx, cancel := context.WithCancel(c.Context())
	done := make(chan int, 1)
	go func() { done <- run(ctx, Name, append([]string{"-n", c.ns, "gate", "watch"}, args...), e) }()

	w := &watching{cluster: c, lines: bufio.NewScanner(read)}
	w.stop = func() error {
		cancel()
		_ = read.Close()
		if code := <-done; code != 0 {
			return errors.New("it failed")
		}
		return nil
	}

	return w
}

// change sets a condition of a pod anew.
func (c *cluster) change(pod *corev1.Pod, t corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) {
	c.Helper()
	pod.Status.Conditions = slices.DeleteFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == t })
	c.condition(pod, t, status, reason, message)
}

// next reads a line.
func (w *watching) next() GateChange {
	w.Helper()
	if !w.lines.Scan() {
		w.Fatal("no line came")
	}
	var change GateChange
	if err := json.Unmarshal(w.lines.Bytes(), &change); err != nil {
		w.Fatalf("%s: %v", w.lines.Text(), err)
	}
	return change
}

// TestGateWatch: each change of a gate of podgate's is a line, and --since goes on where a script has stopped.
func TestGateWatch(t *testing.T) {
	const warm = "checks.podgate.dev/warm"
	c := newCluster(t, nil)
	old := c.pod("old", warm)
	c.condition(old, warm, corev1.ConditionTrue, "ChecksPassed", "")
	w := c.watch("--since", "1h")
	if change := w.next(); change.Pod != "old" || change.Status != "True" || change.Gate != warm || change.UID != old.UID || change.Time.IsZero() {
		t.Errorf("what has changed since then: %+v", change)
	}

	pod := c.pod("web", warm, "example.com/other")
	c.condition(pod, "example.com/other", corev1.ConditionTrue, "Other", "")
	c.condition(pod, warm, corev1.ConditionFalse, "Check.Failed", "warm: HTTP status 503")
	c.change(pod, warm, corev1.ConditionFalse, "Check.Failed", "warm: HTTP status 500")
	c.change(pod, warm, corev1.ConditionTrue, "ChecksPassed", "")
	if change := w.next(); change.Pod != "web" || change.Status != "False" || change.Message == "" || change.Reason != "Check.Failed" {
		t.Errorf("it closed: %+v", change)
	}
	if change := w.next(); change.Pod != "web" || change.Status != "True" || change.Gate != warm {
		t.Errorf("it opened, and nothing else changed in between: %+v", change)
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}

// TestGateWatchBegins: of what was there at the beginning it tells what has changed since then, in the order of the times; of what comes
// later everything.
func TestGateWatchBegins(t *testing.T) {
	const warm = "checks.podgate.dev/warm"
	at := func(name string, second int, status corev1.ConditionStatus) *corev1.Pod {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}}
		pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: warm}}
		pod.Status.Conditions = []corev1.PodCondition{{Type: warm, Status: status, LastTransitionTime: metav1.Unix(int64(second), 0)}}
		return pod
	}

	for name, tc := range map[string]struct {
		since time.Time
		want  []string
	}{
		"from now on": {want: []string{"new True", "a False"}},
		"since":       {since: time.Unix(20, 500), want: []string{"b True", "c True", "new True", "a False"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := &gateWatch{
				environment: &environment{Streams: Streams{Out: &out}, kinds: gates.All()}, since: tc.since,
				known: map[types.UID]map[corev1.PodConditionType]corev1.ConditionStatus{},
			}
			w.see(at("c", 30, "True"), true)
			w.see(at("b", 20, "True"), true)
			w.see(at("a", 10, "True"), true)
			w.see(at("new", 40, "True"), false)
			w.begin()
			w.see(at("a", 50, "False"), false)
			w.see(at("a", 50, "False"), false)
			w.forget(toolscache.DeletedFinalStateUnknown{Obj: at("a", 50, "False")})
			if w.known["a"] != nil {
				t.Error("a pod that is gone is remembered")
			}

			var got []string
			for line := range strings.Lines(out.String()) {
				var change GateChange
				if err := json.Unmarshal([]byte(line), &change); err != nil {
					t.Fatal(err)
				}
				got = append(got, change.Pod+" "+string(change.Status))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

// TestGateWatchRefuses: what cannot be followed is said at once.
func TestGateWatchRefuses(t *testing.T) {
	c := newCluster(t, nil)
	c.has(c.run("gate", "watch", "--since", "yesterday"), 2, "--since=yesterday: want a time such as")
	c.as = "nobody"
	c.allow("nobody", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list"}})
	c.has(c.run("gate", "watch"), 2, "list pods", "forbidden")
	c.as = "reader"
	c.allow("reader", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}})
	c.has(c.run("gate", "watch"), 2, "watch pods", "forbidden")
}
