// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/chromium"
)

// oneNamespace: who may read one namespace sees it live, and reads what they may not read. Of all namespaces they see nothing,
// and read why.
func oneNamespace(s *scene, browser *chromium.Browser) {
	s.wire()
	s.deployment(1)
	waits := s.waiting(after, "a")
	cfg := s.viewer()

	p := browser.Open(s, s.serve(cfg, "-n", s.ns), 1280, 900)
	p.Says("#problems", "1 pod at a closed gate", "Target.Timeout", "web-5d4f-a")
	p.Says("#workloads", "0/1", "1 waiting")
	p.Says("#bindings", "TargetGroupBinding", "0/1")
	p.Says("#installation", "nobody is seen to lead", "how many replicas answer the webhook is not known")
	p.Says("#unknown", "What you may not read",
		`not allowed to get resource "mutatingwebhookconfigurations"`, "so podgate cannot tell which pods the webhook is asked about",
		`not allowed to get resource "leases"`, "so podgate cannot tell whether podgate runs",
		`not allowed to list resource "endpointslices"`, "so podgate cannot tell whether the webhook answers")
	p.Wait("nobody says that podgate does not work, which they cannot see", `!document.querySelector(".problem.broken")`)
	sound(p, "one-namespace")

	// It follows what it may watch.
	s.become(waits, serving()...)
	p.Says("#workloads", "1/1", "all open")
	p.Says("#problems", "Nothing that you may read is wrong")

	p.Click("#workloads a")
	p.Wait("the pod has a lane", `document.querySelector("[data-pod=web-5d4f-a]")`)
	p.Says("#unknown", `not allowed to list resource "events"`, "so podgate cannot tell what events told, and which pods are gone")

	other := kubetest.Namespace(s, s.kube, nil)
	p.Go(p.Location("/explain/" + other + "/web-1"))
	p.Says(".explanation", `cannot get resource "pods" in API group "" in the namespace "`+other+`"`)
	for _, e := range p.Errors() {
		s.Errorf("the console says: %s", e)
	}

	p = browser.Open(s, s.serve(cfg, "-A"), 1280, 900)
	p.Says("#problems", "Nothing that you may read is wrong")
	p.Says("#unknown", `not allowed to list resource "pods" in API group "" at the cluster scope`)
	sound(p, "no-namespace")
}

// viewer is a user who may read what the page shows of the scene's namespace, but for events, and nothing else.
func (s *scene) viewer() *rest.Config {
	s.Helper()
	user := "viewer-" + s.ns
	see := []string{"get", "list", "watch"}
	s.create(
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods", "services"}, Verbs: see},
			{APIGroups: []string{"elbv2.k8s.aws"}, Resources: []string{"targetgroupbindings"}, Verbs: see},
			{APIGroups: []string{"podgate.dev"}, Resources: []string{"targetbindings", "readinessgates"}, Verbs: see},
			{APIGroups: []string{"apps"}, Resources: []string{"deployments", "replicasets"}, Verbs: see},
		}},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
	cfg := rest.CopyConfig(shared)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user}
	return cfg
}
