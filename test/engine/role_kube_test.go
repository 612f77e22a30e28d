// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
)

// as is the configuration of a user, and what the API server refused it.
func (c *cluster) as(user string) (*rest.Config, func() []string) {
	cfg := rest.CopyConfig(c.cfg)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user}
	var mu sync.Mutex
	var refused []string
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == http.StatusForbidden {
				mu.Lock()
				defer mu.Unlock()
				refused = append(refused, r.Method+" "+r.URL.Path)
			}
			return resp, err
		})
	})

	return cfg, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(refused)
	}
}

// roles are what is generated from podgate's code, but for Ingresses.
func (c *cluster) roles() (wide *rbacv1.ClusterRole, narrow *rbacv1.Role) {
	c.Helper()
	wide, _, narrow = c.allRoles()
	return wide, narrow
}

// allRoles are those of Ingresses, too.
func (c *cluster) allRoles() (wide, ofIngresses *rbacv1.ClusterRole, narrow *rbacv1.Role) {
	c.Helper()
	raw, err := os.ReadFile(filepath.Join(kubetest.Root(), "charts", "podgate", "files", "role.yaml"))
	if err != nil {
		c.Fatal(err)
	}
	documents := bytes.Split(bytes.TrimPrefix(raw, []byte("---\n")), []byte("\n---\n"))
	wide, ofIngresses, narrow = &rbacv1.ClusterRole{}, &rbacv1.ClusterRole{}, &rbacv1.Role{}
	// The second one is that of Gateways.
	if len(documents) != 4 || yaml.UnmarshalStrict(documents[0], wide) != nil || yaml.UnmarshalStrict(documents[2], ofIngresses) != nil || yaml.UnmarshalStrict(documents[3], narrow) != nil {
		c.Fatalf("role.yaml is not three ClusterRoles and a Role: %d documents", len(documents))
	}
	return wide, ofIngresses, narrow
}

// permit gives a user what the generated roles give podgate, changed.
func (c *cluster) permit(user string, change func(*rbacv1.ClusterRole)) {
	c.Helper()
	wide, narrow := c.roles()
	change(wide)
	c.bindRoles(user, wide, narrow)
}

// bindRoles makes roles for a user, under names of their own.
func (c *cluster) bindRoles(user string, wide *rbacv1.ClusterRole, narrow *rbacv1.Role) {
	c.Helper()
	name := c.ns + "-" + user
	wide.Name, narrow.Name = name, name
	who := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: narrow.Namespace}}, wide, narrow,
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: who, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: narrow.Namespace}, Subjects: who, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}},
	} {
		if err := c.kube.Create(c.Context(), o); err != nil && !apierrors.IsAlreadyExists(err) {
			c.Fatal(err)
		}
	}
}

// podgate needs no more than the role that is generated from its code.
func TestRoleSuffices(t *testing.T) {
	c := newCluster(t)
	c.permit(kubetest.Account, func(*rbacv1.ClusterRole) {})
	cfg, refused := c.as(kubetest.Account)
	c.cfg = cfg
	c.config = func(config *manager.Config) { config.Namespace = "podgate-system" }
	c.opensAGate()
	c.pod("web-2", "web", "10.0.0.2")
	c.eventually("a pod without a gate is told", func() bool { return c.event("web-2", "GateMissing", "") })
	c.stop()
	if r := refused(); len(r) > 0 {
		t.Errorf("refused: %q", r)
	}
}

// Whoever may not read namespaces, as with an older role, is not told of pods without a
// gate; all else works.
func TestRoleWithoutNamespaces(t *testing.T) {
	newCluster(t).worksWithout("namespaces")
}

// worksWithout has podgate open a gate with a role that does not name a resource. That it asked for it is refused.
func (c *cluster) worksWithout(resource string) {
	c.Helper()
	user := "podgate-without-" + resource
	c.permit(user, func(role *rbacv1.ClusterRole) {
		for i := range role.Rules {
			role.Rules[i].Resources = slices.DeleteFunc(role.Rules[i].Resources, func(r string) bool { return r == resource })
		}
	})

	cfg, refused := c.as(user)
	c.cfg = cfg
	c.config = func(config *manager.Config) { config.Namespace = "podgate-system" }
	c.opensAGate()
	c.stop()

	if !slices.Contains(refused(), "GET /api/v1/"+resource) {
		c.Errorf("want %s refused, got %q", resource, refused())
	}
}

// opensAGate has podgate do what it is for.
func (c *cluster) opensAGate() {
	c.Helper()
	arn := c.waitingPod()
	c.script(arn, "healthy")
	c.eventually("open", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionTrue })
	c.eventually("synced", func() bool { return c.verdict("web").Reason == "Synced" })
}
