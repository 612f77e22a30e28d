// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ui looks at the pages of `podgate ui` as a person does: in a real Chromium, of a real API server.
package ui

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/cli"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/chromium"
)

// shared is the API server of the package's tests.
var shared *rest.Config

func TestMain(m *testing.M) { kubetest.Main(m, func(cfg *rest.Config) { shared = cfg }) }

// scene is a namespace, and a person who looks at it.
type scene struct {
	*testing.T
	kube client.WithWatch
	ns   string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	kube, err := kubetest.Client(shared)
	if err != nil {
		t.Fatal(err)
	}
	return &scene{T: t, kube: kube, ns: kubetest.Namespace(t, kube, map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled})}
}

// serve runs `podgate ui` with further flags until the test ends, at an API server, and returns the address that it prints.
func (s *scene) serve(cfg *rest.Config, flags ...string) string {
	s.Helper()
	file := filepath.Join(s.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(kubeconfig(cfg), file); err != nil {
		s.Fatal(err)
	}

	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var said strings.Builder
	done := make(chan int, 1)
	go func() {
		code := cli.Run(ctx, cli.PluginName, append([]string{"ui", "--kubeconfig", file}, flags...), cli.Streams{In: strings.NewReader(""), Out: in, Err: &said, Now: time.Now})
		_ = in.Close()
		done <- code
	}()

	lines := bufio.NewScanner(out)
	address := ""
	for address == "" && lines.Scan() {
		_, address, _ = strings.Cut(lines.Text(), "The page is at ")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	s.Cleanup(func() {
		stop()
		if code := <-done; code != cli.ExitDone {
			s.Errorf("podgate ui ends with %d: %s", code, said.String())
		}
	})
	if address == "" {
		s.Fatal("podgate ui prints no address")
	}
	return address
}

func kubeconfig(cfg *rest.Config) clientcmdapi.Config {
	c := clientcmdapi.NewConfig()
	c.Clusters["test"] = &clientcmdapi.Cluster{Server: cfg.Host, CertificateAuthorityData: cfg.CAData, CertificateAuthority: cfg.CAFile}
	c.AuthInfos["test"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: cfg.CertData, ClientCertificate: cfg.CertFile, ClientKeyData: cfg.KeyData, ClientKey: cfg.KeyFile,
		Token: cfg.BearerToken, Impersonate: cfg.Impersonate.UserName,
	}
	c.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	c.CurrentContext = "test"
	return *c
}

func (s *scene) create(all ...client.Object) {
	s.Helper()
	for _, o := range all {
		o.SetNamespace(s.ns)
		if err := s.kube.Create(s.Context(), o); err != nil {
			s.Fatalf("create %T %s: %v", o, o.GetName(), err)
		}
	}
}

// wire makes a Service web and a binding of it.
func (s *scene) wire() {
	s.Helper()
	ip := elbv2.TargetTypeIP
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	b.Spec.TargetGroupARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"
	b.Spec.TargetType = &ip
	b.Spec.ServiceRef = elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}
	s.create(
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		}}, b)
}

// The revisions of Deployment web, as their pods' labels say them.
const (
	before = "7c9b"
	after  = "5d4f"
)

// gate is the gate of the binding web.
var gate = corev1.PodConditionType(elbv2.GateType("web"))

// pod is one of Deployment web, of a revision, with the gate of the binding web.
func pod(revision, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-" + revision + "-" + name, Labels: map[string]string{"app": "web", "pod-template-hash": revision},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-" + revision, UID: "the-owner", Controller: new(true)}},
		},
		Spec: corev1.PodSpec{
			NodeName:       "node-1",
			Containers:     []corev1.Container{{Name: "app", Image: "app"}},
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: gate}},
		},
	}
}

// condition is one that changed now.
func condition(t corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) corev1.PodCondition {
	return corev1.PodCondition{Type: t, Status: status, LastTransitionTime: metav1.Now(), Reason: reason, Message: message}
}

// serving are the conditions of a pod that serves, and closed of one that waits at its gate.
func serving() []corev1.PodCondition {
	return []corev1.PodCondition{
		condition(corev1.PodScheduled, corev1.ConditionTrue, "", ""), condition(corev1.ContainersReady, corev1.ConditionTrue, "", ""),
		condition(corev1.PodReady, corev1.ConditionTrue, "", ""), condition(gate, corev1.ConditionTrue, "Healthy", ""),
	}
}

func closed() []corev1.PodCondition {
	return []corev1.PodCondition{
		condition(corev1.PodScheduled, corev1.ConditionTrue, "", ""), condition(corev1.ContainersReady, corev1.ConditionTrue, "", ""),
		condition(corev1.PodReady, corev1.ConditionFalse, "ReadinessGatesNotReady", ""),
		condition(gate, corev1.ConditionFalse, "Target.Timeout", "Request timed out"),
	}
}

// runs sets conditions of a pod that runs, in the object alone.
func runs(p *corev1.Pod, conditions ...corev1.PodCondition) {
	p.Status.Phase, p.Status.PodIP, p.Status.PodIPs = corev1.PodRunning, "10.0.0.7", []corev1.PodIP{{IP: "10.0.0.7"}}
	for _, c := range conditions {
		kept := p.Status.Conditions[:0]
		for _, old := range p.Status.Conditions {
			if old.Type != c.Type {
				kept = append(kept, old)
			}
		}
		kept = append(kept, c)
		p.Status.Conditions = kept
	}
}

// become sets the conditions of a pod that runs.
func (s *scene) become(p *corev1.Pod, conditions ...corev1.PodCondition) {
	s.Helper()
	runs(p, conditions...)
	if err := s.kube.Status().Update(s.Context(), p); err != nil {
		s.Fatal(err)
	}
}

// waiting is a pod whose gate is closed.
func (s *scene) waiting(revision, name string) *corev1.Pod {
	s.Helper()
	p := pod(revision, name)
	s.create(p)
	s.become(p, closed()...)
	return p
}

// sound expects nothing in the console, and no fault that axe finds, in light and in dark, on a screen and on a phone.
func sound(p *chromium.Page, name string) {
	p.Helper()
	for _, width := range []int{1280, 390} {
		for _, dark := range []bool{false, true} {
			p.Size(width, 900)
			p.Dark(dark)
			for _, fault := range p.Faults(filepath.Join(kubetest.Root(), "bin", "axe.min.js")) {
				p.Errorf("%s, %d wide, dark %v: %s", name, width, dark, fault)
			}
			p.Screenshot(filepath.Join(kubetest.Root(), "out", "ui", fmt.Sprintf("%s-%d-%s.png", name, width, map[bool]string{false: "light", true: "dark"}[dark])))
		}
		wide := 0
		p.Eval("document.documentElement.scrollWidth", &wide)
		if wide > width {
			p.Errorf("%s: the page is %d wide in a window of %d", name, wide, width)
		}
	}
	p.Dark(false)
	p.Size(1280, 900)
	for _, e := range p.Errors() {
		p.Errorf("%s: the console says: %s", name, e)
	}
}

// TestPages looks at pages in a browser that all these have in common.
func TestPages(t *testing.T) {
	browser := chromium.Start(t)
	for name, look := range map[string]func(*scene, *chromium.Browser){
		"a gate that stays closed": closedGate,
		"a rollout":                rollout,
		"a crowd":                  crowd,
		"one namespace":            oneNamespace,
		"an API server that ends":  restart,
	} {
		t.Run(name, func(t *testing.T) { look(newScene(t), browser) })
	}
}

// closedGate: the first page says what is wrong and what to do, follows what happens, and a click explains a pod.
func closedGate(s *scene, browser *chromium.Browser) {
	s.wire()
	p := browser.Open(s, s.serve(shared, "-n", s.ns), 1280, 900)
	p.Says("#problems", "there is no MutatingWebhookConfiguration podgate-webhook")
	p.Says("#workloads", "No pod carries a gate, or should.")

	pod := s.waiting(before, "a")
	p.Says("#problems", "1 pod at a closed gate", "Target.Timeout", "Request timed out", "Next:", "web-7c9b-a")
	p.Says("#workloads", "web", "Deployment", "0/1", "1 waiting")
	p.Wait("the worst is on top", `[...document.querySelectorAll(".problem")].map(e => e.className).join() === "problem broken,problem broken,problem waiting"`)
	sound(p, "closed-gate")

	p.Click(`#problems a[href="/explain/` + s.ns + `/web-7c9b-a"]`)
	dialogSays(p, "is not Ready: its containers are ready, and a gate is closed", "GATE "+string(gate)+": False, Target.Timeout", "next")
	sound(p, "explanation")
	closeDialog(p)

	s.become(pod, condition(gate, corev1.ConditionTrue, "Healthy", ""), condition(corev1.PodReady, corev1.ConditionTrue, "", ""))
	p.Says("#workloads", "1/1", "all open")
}

// dialogSays waits until the dialog is open and says all that is given. A closed one still has the text it had.
func dialogSays(p *chromium.Page, texts ...string) {
	p.Helper()
	p.Wait("the dialog is open", `document.querySelector("dialog").open`)
	p.Says("dialog", texts...)
}

// closeDialog closes the explanation. Until it is closed nothing else can have the focus.
func closeDialog(p *chromium.Page) {
	p.Helper()
	p.Press("Escape")
	p.Wait("the dialog is closed", `!document.querySelector("dialog").open`)
}

// deployment makes Deployment web.
func (s *scene) deployment(replicas int32) *appsv1.Deployment {
	s.Helper()
	labels := map[string]string{"app": "web"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod("", "").Spec},
	}}
	s.create(d)
	return d
}

// rollout: the page of a workload has a lane for each pod, whose bars grow; a click and the keys explain a pod.
func rollout(s *scene, browser *chromium.Browser) {
	s.wire()
	s.deployment(1)
	old := pod(before, "a")
	s.create(old)
	s.become(old, serving()...)
	p := browser.Open(s, s.serve(shared, "-n", s.ns), 1280, 900)
	p.Click("#workloads a")
	p.Wait("the page of the workload is there", `location.pathname.endsWith("/deployment/web")`)
	p.Says("h1", "Deployment web")
	p.Wait("the pod has a lane", `document.querySelectorAll("[data-pod]").length === 1`)

	waits := s.waiting(after, "b")
	p.Wait("the new pod has a lane below", `[...document.querySelectorAll("[data-pod]")].map(e => e.dataset.pod).join() === "web-7c9b-a,web-5d4f-b"`)
	p.Wait("its gate is closed", `document.querySelector("[data-pod=web-5d4f-b] .gate.failing, [data-pod=web-5d4f-b] .gate.closed")`)

	// A picture ends now, so that what lasts grows while what is over shrinks.
	const lasts = `(() => { const bars = [...document.querySelectorAll("[data-pod=web-5d4f-b] .gate")]; return Math.max(...bars.map(e => +e.getAttribute("width"))) / 1; })()`
	var width float64
	p.Eval(lasts, &width)
	p.Wait("the bar of the closed gate grows", fmt.Sprintf("%s > %v", lasts, width))
	sound(p, "rollout")

	p.Size(390, 900)
	p.Wait("a phone shows what is now", `(e => e.scrollWidth > e.clientWidth && e.scrollLeft + e.clientWidth > e.scrollWidth - 2)(document.querySelector(".timeline"))`)
	p.Size(1280, 900)

	p.Click("[data-pod=web-5d4f-b] .pod")
	dialogSays(p, "is not Ready: its containers are ready, and a gate is closed", "next")
	closeDialog(p)

	// Between the bars a lane is its pod's, too: a bar may be too narrow to be hit.
	p.Eval(`(() => {
		const box = document.querySelector("[data-pod=web-5d4f-b]").getBoundingClientRect();
		document.querySelector(".timeline svg").dispatchEvent(new MouseEvent("click", {bubbles: true, clientY: (box.top + box.bottom) / 2}));
	})()`, nil)
	dialogSays(p, "web-5d4f-b", "a gate is closed")
	closeDialog(p)

	p.Eval(`document.querySelector("[data-pod=web-7c9b-a]").focus()`, nil)
	p.Press("Enter")
	dialogSays(p, "web-7c9b-a is Ready")
	closeDialog(p)

	s.become(waits, condition(gate, corev1.ConditionTrue, "Healthy", ""), condition(corev1.PodReady, corev1.ConditionTrue, "", ""))
	p.Wait("its gate is open", `document.querySelector("[data-pod=web-5d4f-b] .gate.open")`)

	// The old pod drains, and is gone.
	if err := s.kube.Delete(s.Context(), old, client.GracePeriodSeconds(60)); err != nil {
		s.Fatal(err)
	}
	p.Wait("it is terminating", `document.querySelector("[data-pod=web-7c9b-a] .pod.terminating")`)
	if err := s.kube.Delete(s.Context(), old, client.GracePeriodSeconds(0)); err != nil {
		s.Fatal(err)
	}
	p.Wait("its lane stays, and ends", `(document.querySelector("[data-pod=web-7c9b-a]") || {ariaLabel: ""}).ariaLabel.includes("gone")`)
	for _, e := range p.Errors() {
		s.Errorf("the console says: %s", e)
	}
}
