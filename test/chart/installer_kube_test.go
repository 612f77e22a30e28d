// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/env"
)

// TestInstallersRights: without the aggregated role whoever has podgate's own permissions can give them to podgate, and with
// it only who may escalate.
func TestInstallersRights(t *testing.T) {
	c := connect(t)
	namespace(t, c, "podgate-system", nil)
	without := render(t, "--set", "resourceReader=false")
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "installer"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"*"}, Verbs: []string{"create"}},
	}}
	for _, kind := range []string{"ClusterRole", "Role"} {
		for _, u := range without.OfKind(kind) {
			var of rbacv1.ClusterRole
			convert(t, u, &of)
			role.Rules = append(role.Rules, of.Rules...)
		}
	}
	create(t, c, role)
	create(t, c, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "installer"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "installer"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "installer"}},
	})

	cfg := rest.CopyConfig(shared)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: "installer"}
	installer, err := kubetest.Client(cfg)
	if err != nil {
		t.Fatal(err)
	}

	// The API server learns of the installer's own role a moment later.
	var refused []string
	err = wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		refused = rights(ctx, t, installer, without)
		return len(refused) == 0, nil
	})
	if err != nil {
		t.Errorf("without the reader: refused are %q", refused)
	}

	got := strings.Join(rights(t.Context(), t, installer, render(t)), ", ")
	if got != "ClusterRole podgate-reader" {
		t.Errorf("with the reader: refused are %q; if that is none, the switch is needless", got)
	}
}

// rights lists what of a manifest's roles and bindings somebody may not make, for a dry run.
func rights(ctx context.Context, t *testing.T, c client.Client, m env.Manifest) (refused []string) {
	t.Helper()
	for _, kind := range []string{"ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"} {
		for _, u := range m.OfKind(kind) {
			err := c.Create(ctx, u.DeepCopy(), client.DryRunAll)
			if err == nil || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) && strings.HasSuffix(kind, "Binding") {
				continue // A dry run makes no role to which a binding could refer.
			}
			refused = append(refused, kind+" "+u.GetName())
			t.Logf("%s %s: %v", kind, u.GetName(), err)
		}
	}
	return refused
}

// create makes an object for the time of a test.
func create(t *testing.T, c client.Client, o client.Object) {
	t.Helper()
	if err := c.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Delete(context.WithoutCancel(t.Context()), o) })
}
