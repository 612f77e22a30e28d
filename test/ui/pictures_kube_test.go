// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/internal/webhook/profile"
	"github.com/podgate/podgate/test/chromium"
)

var update = flag.Bool("update", false, "make the pictures of docs/ui.md again, which takes a minute")

// TestPicturesOfTheDocumentation: what the pictures of docs/ui.md show is what the pages say. Their words are kept beside the
// test without their times; pixels would differ with a machine's fonts.
func TestPicturesOfTheDocumentation(t *testing.T) {
	s := newShop(t)
	p := chromium.Start(t).Open(t, s.serve(shared, "-n", s.ns), 1260, 760)
	s.rollOut(p)

	p.Says("#problems", "1 pod at a closed gate", "Target.Timeout")
	p.Says("#workloads", "rollout", "1 leaving")
	p.Says("#bindings", "Synced")
	depict(p, "overview", `document.querySelector("main").innerText`)

	p.Click(`#problems a[href="/explain/shop/web-5d4f-x7m2q"]`)
	dialogSays(p, "a gate is closed", "next")
	depict(p, "explanation", `document.querySelector("dialog").innerText`)
	closeDialog(p)

	p.Click("#workloads a")
	p.Wait("all pods have lanes", `document.querySelectorAll("[data-pod]").length === 4`)
	p.Wait("the old pod leaves", `document.querySelector("[data-pod=web-7c9b-hv4wd] .pod.terminating")`)
	depict(p, "workload", `[document.querySelector("h1").innerText, ...[...document.querySelectorAll("[data-pod]")].map(e => e.dataset.pod), document.querySelector("#progress").innerText, document.querySelector("#key").innerText].join("\n")`)
}

// newShop is a scene in a namespace with the name that the documentation has. It is emptied, since one that is deleted goes
// nowhere without the controllers of a cluster.
func newShop(t *testing.T) *scene {
	t.Helper()
	kube, err := kubetest.Client(shared)
	if err != nil {
		t.Fatal(err)
	}

	s := &scene{T: t, kube: kube, ns: "shop"}
	for name, labels := range map[string]map[string]string{s.ns: {elbv2.InjectLabel: elbv2.InjectEnabled}, "podgate-system": nil} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
		if err := client.IgnoreAlreadyExists(kube.Create(t.Context(), ns)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, o := range []client.Object{&corev1.Pod{}, &corev1.Service{}, &appsv1.Deployment{}, &appsv1.ReplicaSet{}, &elbv2.TargetGroupBinding{}} {
			if err := kube.DeleteAllOf(context.Background(), o, client.InNamespace(s.ns), client.GracePeriodSeconds(0)); err != nil {
				t.Error(err)
			}
		}
	})
	return s
}

// rollOut is a rolling update of Deployment web: one new pod serves, one waits at its gate, and an old one leaves. It takes as
// long as it would for the pictures, and no time where only their words count.
func (s *scene) rollOut(p *chromium.Page) {
	s.Helper()
	s.wire()
	s.install()
	s.synced()
	s.workload()

	var all []*corev1.Pod
	for _, name := range []string{"7c9b hv4wd", "7c9b k8rzn", "5d4f q9tzl", "5d4f x7m2q"} {
		one := pod(name[:4], name[5:])
		s.create(one)
		s.become(one, condition(corev1.PodScheduled, corev1.ConditionTrue, "", ""))
		s.pause(3)
		s.become(one, condition(corev1.ContainersReady, corev1.ConditionTrue, "", ""),
			condition(corev1.PodReady, corev1.ConditionFalse, "ReadinessGatesNotReady", ""),
			condition(gate, corev1.ConditionFalse, "Elb.InitialHealthChecking", "Initial health checks in progress"))
		p.Says("#workloads", "waiting")
		s.pause(6)
		all = append(all, one)
		if len(all) == 4 {
			s.become(one, condition(gate, corev1.ConditionFalse, "Target.Timeout", "Request timed out"))
			break
		}
		s.become(one, condition(gate, corev1.ConditionTrue, "Healthy", ""), condition(corev1.PodReady, corev1.ConditionTrue, "", ""))
		if len(all) == 3 {
			s.pause(2)
			if err := s.kube.Delete(s.Context(), all[0], client.GracePeriodSeconds(60)); err != nil {
				s.Fatal(err)
			}
		}
	}
	s.pause(15)
}

// pause lets time pass for a picture.
func (s *scene) pause(seconds int) {
	if *update {
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

// install makes what shows that podgate runs, for an hour, since nobody renews its lease. The webhook's configuration asks nobody about any pod.
func (s *scene) install() {
	s.Helper()
	const home = "podgate-system"
	never := &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "nowhere"}}
	all := []client.Object{
		&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: manager.LeaseName}, Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("podgate-6c8f9d7b5-9lszc_1"), RenewTime: new(metav1.NewMicroTime(time.Now().Add(time.Hour))),
		}},
		&discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "podgate-webhook-1", Labels: map[string]string{discoveryv1.LabelServiceName: certificate.ServiceName}},
			AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.1.1"}}, {Addresses: []string{"10.0.1.2"}}}},
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: certificate.ConfigurationName}, Webhooks: []admissionv1.MutatingWebhook{{
			Name: "mpod.elbv2.k8s.aws", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionv1.SideEffectClassNone), NamespaceSelector: never, FailurePolicy: new(admissionv1.Ignore),
			ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: home, Name: certificate.ServiceName, Path: new(profile.GatesPath)}},
		}}},
	}
	for _, o := range all {
		if err := s.kube.Create(s.Context(), o); err != nil {
			s.Fatal(err)
		}
		s.Cleanup(func() {
			if err := s.kube.Delete(context.Background(), o); err != nil {
				s.Error(err)
			}
		})
	}
}

// synced has the binding say that it works.
func (s *scene) synced() {
	s.Helper()
	var b elbv2.TargetGroupBinding
	if err := s.kube.Get(s.Context(), client.ObjectKey{Namespace: s.ns, Name: "web"}, &b); err != nil {
		s.Fatal(err)
	}
	b.Status.ObservedGeneration = &b.Generation
	b.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Synced", LastTransitionTime: metav1.Now(), ObservedGeneration: b.Generation}}
	if err := s.kube.Status().Update(s.Context(), &b); err != nil {
		s.Fatal(err)
	}
}

// workload makes Deployment web, with two revisions.
func (s *scene) workload() {
	s.Helper()
	labels := map[string]string{"app": "web"}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod("", "").Spec}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(3)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template,
	}}
	s.create(d)
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 3, UpdatedReplicas: 2, ReadyReplicas: 2}
	if err := s.kube.Status().Update(s.Context(), d); err != nil {
		s.Fatal(err)
	}
	for i, hash := range []string{"7c9b", "5d4f"} {
		s.create(&appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{
				Name: "web-" + hash, Labels: map[string]string{"app": "web", "pod-template-hash": hash}, Annotations: map[string]string{"deployment.kubernetes.io/revision": fmt.Sprint(i + 1)},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: d.Name, UID: d.UID, Controller: new(true)}},
			},
			Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
		})
	}
}

var (
	// lasted are durations and times of the day, as pages write them.
	lasted = regexp.MustCompile(`\b\d\d:\d\d(:\d\d)?\b|\b(\d+(\.\d+)? ?(ms|s|m|h|d|min)\b ?)+`)
	spaces = regexp.MustCompile(`\s*\n\s*`)
)

// depict holds what a page says, as an expression gives it, against what it said when its picture was made.
func depict(p *chromium.Page, name, expression string) {
	p.Helper()
	var said string
	p.Eval(expression, &said)
	said = spaces.ReplaceAllString(lasted.ReplaceAllString(said, "… "), "\n")

	picture := filepath.Join(kubetest.Root(), "docs", "images", "ui-"+name+".png")
	words := filepath.Join("testdata", name+".txt")
	if *update {
		p.Screenshot(picture)
	}
	raw, err := os.ReadFile(picture)
	if err != nil {
		p.Fatal(err)
	}
	if len(raw) > 150_000 {
		p.Errorf("%s has %d bytes", picture, len(raw))
	}

	// The sum tells that words and picture were made together.
	want := fmt.Sprintf("docs/images/%s %x\n%s\n", filepath.Base(picture), sha256.Sum256(raw), said)
	if *update {
		if err := os.WriteFile(words, []byte(want), 0o644); err != nil {
			p.Fatal(err)
		}
		return
	}

	have, err := os.ReadFile(words)
	if err != nil {
		p.Fatal(err)
	}
	if diff := cmp.Diff(string(have), want); diff != "" {
		p.Errorf("docs/images/ui-%s.png no longer shows what the page says. Run go test ./test/ui -run TestPicturesOfTheDocumentation -update, and look at the picture. -picture, +page:\n%s", name, diff)
	}
}
