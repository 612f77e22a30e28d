// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/console"
)

// What people type to set a readiness gate by hand, in the namespace default, through kubectl proxy.
const (
	gateByHand = "www.example.com/gate-1"
	runNginx   = `kubectl run nginx --image=nginx --overrides='{"spec": {"readinessGates": [{"conditionType": "www.example.com/gate-1"}]}}'`
	seeStatus  = `curl -s -k -H 'Accept: application/json' http://localhost:12345/api/v1/namespaces/default/pods/nginx/status`
	closeGate  = `curl -s -k \
     -H "Content-Type: application/json-patch+json" \
     -X PATCH http://localhost:12345/api/v1/namespaces/default/pods/nginx/status \
     --data '[ { "op": "add", "path": "/status/conditions/-", "value": { "lastProbeTime": null, "lastTransitionTime": "2020-03-05T15:50:51Z", "status": "False", "type": "www.example.com/gate-1" }}]'`
	openGate = `curl -s -k \
     -H "Content-Type: application/json-patch+json" \
     -X PATCH http://localhost:12345/api/v1/namespaces/default/pods/nginx/status \
     --data '[{ "op": "replace", "path": "/status/conditions/0", "value": { "type": "www.example.com/gate-1", "status": "True" }}]'`
	headings = "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"
	nginxRow = "nginx 1/1 Running 0 25s 10.244.0.6 kind-control-plane <none> "
	nginxIP  = "10.244.0.6"
)

// TestGateByHand types what sets a gate by hand, for a pod of which podgate serves nothing: it does what it does without podgate.
func TestGateByHand(t *testing.T) {
	c := newShell(t)
	c.start()
	c.types(runNginx, "pod/nginx created")
	c.types("curl -s http://localhost:12345/", "{", `"paths": [`, console.Anything)
	c.types(seeStatus, "{", `"kind": "Pod",`, console.Anything)
	c.types("kubectl get pods -o wide", headings, nginxRow+"0/1")

	c.types(closeGate, console.Anything, `"type": "www.example.com/gate-1",`, console.Anything)
	c.types("kubectl get pods -o wide", headings, nginxRow+"0/1")
	c.types("kubectl describe pod nginx", console.Anything,
		"Readiness Gates:", "Type Status", "www.example.com/gate-1 False",
		"Conditions:", "Type Status", "www.example.com/gate-1 False", "Initialized True", "Ready False", "ContainersReady True", "PodScheduled True",
		console.Anything)

	c.types(openGate, console.Anything, `"status": "True",`, console.Anything)
	c.types("kubectl get pods -o wide", headings, nginxRow+"1/1")
	c.eventually("the pod is Ready", func() bool { return c.condition("nginx", corev1.PodReady).Status == corev1.ConditionTrue })
}

// TestGateByHandBesideChecks types the same for a pod that podgate holds by a gate of its own. That stands first among the
// conditions, where the last command writes without looking: podgate writes it again. The gate that is set by hand is left alone,
// and the pod is Ready when both are open.
func TestGateByHandBesideChecks(t *testing.T) {
	c := newShell(t)
	s := c.withServers()
	c.warm(nil)
	c.start()
	c.types(strings.Replace(runNginx, "}]}}", `}, {"conditionType": "checks.podgate.dev/warm"}]}}`, 1), "pod/nginx created")
	failing := func() bool { return c.warmGate("nginx").Reason == v1alpha1.ReasonCheckFailed }
	c.eventually("the check fails", failing)
	c.types(closeGate, console.Anything)
	c.types("kubectl get pods -o wide", headings, nginxRow+"0/2")

	c.eventually("podgate's gate stands first", func() bool { return c.conditions("nginx")[0] == warmGate+"=False" })
	c.types(openGate, console.Anything)
	c.eventually("podgate writes its gate again", failing)
	c.types("kubectl get pods -o wide", headings, nginxRow+"1/2")
	if got := c.condition("nginx", gateByHand); got.Status != corev1.ConditionTrue || got.Reason != "" {
		t.Errorf("the gate that was opened by hand is %+v", got)
	}

	// Others follow the gate as they follow any condition.
	waits := c.begin("kubectl wait --for=condition=checks.podgate.dev/warm pod/nginx --timeout=60s")
	follows := c.begin(`kubectl get pod nginx --watch -o jsonpath='{.status.conditions[?(@.type=="checks.podgate.dev/warm")].status}{"\n"}'`)
	follows.until("False")
	s.says(nginxIP, http.StatusOK)
	waits.until("pod/nginx condition met")
	follows.until("True")
	c.types("kubectl get pods -o wide", headings, nginxRow+"2/2")
	c.eventually("the pod is Ready", func() bool { return c.condition("nginx", corev1.PodReady).Status == corev1.ConditionTrue })
}

// TestOwnGateByHand types the same for podgate's own gate. A second condition of the type is one that nobody reads. A gate
// that was opened by hand stays open. One that was closed opens again when its check passes.
func TestOwnGateByHand(t *testing.T) {
	c := newShell(t)
	s := c.withServers()
	c.warm(nil)
	c.start()
	own := func(command string) string { return strings.ReplaceAll(command, gateByHand, warmGate) }
	c.types(own(runNginx), "pod/nginx created")
	c.eventually("the check fails", func() bool { return c.warmGate("nginx").Reason == v1alpha1.ReasonCheckFailed })

	c.types(strings.Replace(own(closeGate), "False", "True", 1), console.Anything)
	c.never("a second condition counts", time.Second, func() bool { return c.condition("nginx", corev1.PodReady).Status == corev1.ConditionTrue })
	if n := s.questions(nginxIP); n == 0 {
		t.Errorf("the pod was not asked")
	}

	opened := func() bool { return c.warmGate("nginx").Status == corev1.ConditionTrue }
	c.types(own(openGate), console.Anything)
	c.eventually("the pod is Ready", func() bool { return c.condition("nginx", corev1.PodReady).Status == corev1.ConditionTrue })
	c.never("podgate closes what was opened by hand", 3*time.Second, func() bool { return !opened() })
	if g := c.warmGate("nginx"); g.Reason != "" {
		t.Errorf("podgate wrote what was opened by hand: %+v", g)
	}

	c.types(strings.Replace(own(openGate), "True", "False", 1), console.Anything)
	c.eventually("podgate asks again, and says what it heard", func() bool { return c.warmGate("nginx").Reason == v1alpha1.ReasonCheckFailed })
	s.says(nginxIP, http.StatusOK)
	c.eventually("it opens", func() bool { return c.warmGate("nginx").Reason == v1alpha1.ReasonChecksPassed })
	c.types(strings.Replace(own(openGate), "True", "False", 1), console.Anything)
	c.eventually("it opens again", func() bool { return c.warmGate("nginx").Reason == v1alpha1.ReasonChecksPassed })
}

// TestGateByProgram runs the program that does the same in Python, for a pod of which podgate serves nothing and for one that it
// holds by a gate of its own.
func TestGateByProgram(t *testing.T) {
	for what, also := range map[string]string{"NotServed": "", "Served": `, {"conditionType": "checks.podgate.dev/warm"}`} {
		t.Run(what, func(t *testing.T) {
			c := newShell(t)
			s := c.withServers()
			c.warm(nil)
			c.start()

			program := c.python()
			program.runs("1-create.py", also, "Pod is 'Running'...")
			served := func() bool { return also == "" || c.warmGate("nginx").Reason == v1alpha1.ReasonCheckFailed }
			c.eventually("the check fails", served)

			// The kubelet may not have seen the gate's condition yet when the program reads what it says of the pod.
			program.runs("2-close.py", "",
				`ReadinessGate 'Ready' has readiness status: False, Reason: the status of pod readiness gate "www.example.com/gate-1" is not "True", but False`,
				`ReadinessGate 'Ready' has readiness status: False, Reason: corresponding condition of pod readiness gate "www.example.com/gate-1" does not exist.`)
			c.eventually("the kubelet has seen it", func() bool {
				return strings.Contains(c.condition("nginx", corev1.PodReady).Message, `"www.example.com/gate-1" is not "True", but False`)
			})

			program.runs("3-open.py", "", "ReadinessGate 'www.example.com/gate-1' has readiness status: False, Reason: None.")
			c.eventually("the gate is open", func() bool { return c.condition("nginx", gateByHand).Status == corev1.ConditionTrue })
			if !served() {
				t.Errorf("podgate's gate is %+v", c.warmGate("nginx"))
			}
			s.says(nginxIP, http.StatusOK)
			c.eventually("the pod is Ready", func() bool { return c.condition("nginx", corev1.PodReady).Status == corev1.ConditionTrue })
		})
	}
}

// shell is a cluster whose administrator types commands, in the namespace default, where a kubelet runs the pod nginx.
type shell struct{ *cluster }

func newShell(t *testing.T) *shell {
	t.Helper()
	c := &shell{newCluster(t)}
	c.ns = metav1.NamespaceDefault
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.kubelet(ctx)
	}()

	t.Cleanup(func() {
		c.stop()
		cancel()
		<-done
		for _, o := range []client.Object{&corev1.Pod{}, &v1alpha1.ReadinessGate{}} {
			if err := c.kube.DeleteAllOf(context.Background(), o, client.InNamespace(c.ns), client.GracePeriodSeconds(0)); err != nil {
				t.Errorf("clean up: %v", err)
			}
		}
	})

	c.begin("exec kubectl proxy --port 12345").until("Starting to serve on 127.0.0.1:12345")
	return c
}

// command is what the administrator types.
func (c *shell) command(name string, args ...string) *exec.Cmd {
	c.Helper()
	cmd, err := kubetest.Command(c.Context(), name, args...)
	if err != nil {
		c.Fatal(err)
	}
	return cmd
}

// types runs a command and ends the test unless it prints what is shown. Who looks at pods looks again until he sees it.
func (c *shell) types(command string, shown ...string) {
	c.Helper()
	step := console.Step{Command: command, Shown: shown}
	looks := strings.HasPrefix(command, "kubectl get ") || strings.HasPrefix(command, "kubectl describe ")
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		out, err := c.command("bash", "-c", command).CombinedOutput()
		if err == nil && step.Matches(string(out)) {
			return
		}
		if !looks || time.Since(begun) > 30*time.Second {
			c.Fatalf("$ %s\n%v, printed:\n%s\nwant:\n%s", command, err, out, strings.Join(shown, "\n"))
		}
	}
}

// running is a command that goes on.
type running struct {
	c     *shell
	lines chan string
	said  *bytes.Buffer
	stdin io.Writer
}

// begin runs a command that ends with the test, or before.
func (c *shell) begin(command string) *running {
	c.Helper()
	return c.run(c.command("bash", "-c", command))
}

func (c *shell) run(cmd *exec.Cmd) *running {
	c.Helper()
	r := &running{c: c, lines: make(chan string, 100), said: &bytes.Buffer{}}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		c.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		c.Fatal(err)
	}
	r.stdin, cmd.Stderr = stdin, r.said
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}

	go func() {
		defer close(r.lines)
		for in := bufio.NewScanner(stdout); in.Scan(); {
			r.lines <- in.Text()
		}
	}()
	c.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range r.lines { // until it has ended
		}
		_ = cmd.Wait()
	})
	return r
}

// until waits for a line that begins with one of these.
func (r *running) until(lines ...string) {
	r.c.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case line, more := <-r.lines:
			if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(line, l) }) {
				return
			}
			if !more {
				r.c.Fatalf("it ended without printing any of %q, and said: %s", lines, r.said)
			}
		case <-deadline:
			r.c.Fatalf("it does not print any of %q", lines)
		}
	}
}

// python is a Python that runs the parts of a program one after the other. It is Debian's, which has the package kubernetes.
func (c *shell) python() *running {
	c.Helper()
	const folder = "/usr/lib/python3/dist-packages/kubernetes"
	if _, err := os.Stat(folder); err != nil {
		c.Fatalf("%v: run scripts/install-debian %s=python3-kubernetes", err, folder)
	}
	return c.run(c.command("/usr/bin/python3", "-u", "-c", "import sys\nfor part in sys.stdin: exec(open(part.strip()).read())"))
}

// runs runs a part of the program, with more gates for its pod, until it prints one of these lines.
func (r *running) runs(part, gates string, lines ...string) {
	r.c.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "byhand", part))
	if err != nil {
		r.c.Fatal(err)
	}
	file := filepath.Join(r.c.TempDir(), part)
	text = bytes.Replace(text, []byte(`"www.example.com/gate-1"}`), []byte(`"www.example.com/gate-1"}`+gates), 1)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		r.c.Fatal(err)
	}
	if _, err := fmt.Fprintln(r.stdin, file); err != nil {
		r.c.Fatal(err)
	}
	r.until(lines...)
}

// conditions lists a pod's conditions in their order.
func (c *shell) conditions(name string) []string {
	c.Helper()
	var pod corev1.Pod
	if err := c.kube.Get(c.Context(), types.NamespacedName{Namespace: c.ns, Name: name}, &pod); err != nil {
		c.Fatal(err)
	}
	var all []string
	for _, condition := range pod.Status.Conditions {
		all = append(all, string(condition.Type)+"="+string(condition.Status))
	}
	return all
}

// kubelet runs the pod nginx whenever there is one: its container is ready at once, and it is Ready when its gates are open.
func (c *shell) kubelet(ctx context.Context) {
	for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		var pod corev1.Pod
		if err := c.kube.Get(ctx, types.NamespacedName{Namespace: c.ns, Name: "nginx"}, &pod); err != nil {
			continue
		}
		if pod.Spec.NodeName == "" {
			_ = c.kube.SubResource("binding").Create(ctx, &pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "kind-control-plane"}})
			continue
		}

		before := pod.DeepCopy()
		asKubelet(&pod)
		if equality.Semantic.DeepEqual(before.Status, pod.Status) {
			continue
		}
		if err := c.kube.Status().Update(ctx, &pod); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			c.Errorf("update the pod's status: %v", err)
		}
	}
}

// asKubelet gives a pod its status as a kubelet writes it: others' conditions come first, in their order, and the first of a type counts.
func asKubelet(pod *corev1.Pod) {
	s := &pod.Status
	s.Phase, s.PodIP, s.PodIPs = corev1.PodRunning, nginxIP, []corev1.PodIP{{IP: nginxIP}}
	s.ContainerStatuses = []corev1.ContainerStatus{{Name: "nginx", Image: "nginx", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: pod.CreationTimestamp}}}}

	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	var unready []string
	for _, g := range pod.Spec.ReadinessGates {
		switch c := binding.Condition(pod, g.ConditionType); {
		case c == nil:
			unready = append(unready, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", g.ConditionType))
		case c.Status != corev1.ConditionTrue:
			unready = append(unready, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %s", g.ConditionType, c.Status))
		}
	}
	if len(unready) > 0 {
		ready = corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ReadinessGatesNotReady", Message: strings.Join(unready, ", ")}
	}

	own := []corev1.PodCondition{
		{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}, ready,
		{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}, {Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
	}
	for i := range own {
		own[i].LastTransitionTime = metav1.Now().Rfc3339Copy()
		if was := binding.Condition(pod, own[i].Type); was != nil && was.Status == own[i].Status {
			own[i].LastTransitionTime = was.LastTransitionTime
		}
	}

	others := slices.DeleteFunc(slices.Clone(s.Conditions), func(c corev1.PodCondition) bool {
		return slices.ContainsFunc(own, func(o corev1.PodCondition) bool { return o.Type == c.Type })
	})
	s.Conditions = slices.Concat(others, own)
}
