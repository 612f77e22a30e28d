// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/kubetest"
)

// TestApprovalsHaveAnOwner: an approval is given or taken by whoever may approve, and given in the giver's own name. podgate gives
// and takes none.
func TestApprovalsHaveAnOwner(t *testing.T) {
	c := newCluster(t)
	c.approvers()
	line := func(key, by string) string { return key + " | " + by + " | 2026-11-30T12:00:00Z | x" }
	jane, joe, both := line("pod/a", "jane"), line("pod/b", "joe"), line("pod/a", "jane")+"\n"+line("pod/b", "joe")
	var many []string
	for i := range 65 {
		many = append(many, line(fmt.Sprintf("pod/%d", i), "jane"))
	}

	const verb, name = "you need the verb approve on it", "must be in your own name"
	for what, tc := range map[string]struct{ as, before, after, refused string }{
		"Given":            {"jane", "", jane, ""},
		"Added":            {"joe", jane, both, ""},
		"ChangedToHisOwn":  {"joe", jane, line("pod/a", "joe"), ""},
		"AnothersTaken":    {"joe", both, joe, ""},
		"AllTaken":         {"joe", both, "", ""},
		"SaidOtherwise":    {"jane", jane, jane + ", again", ""},
		"WithoutTheVerb":   {"editor", "", line("pod/a", "editor"), verb},
		"TakenWithoutVerb": {"editor", both, joe, verb},
		"DroppedWithout":   {"editor", both, "", verb},
		"ChangedWithout":   {"editor", jane, jane + ", again", verb},
		"OfAnotherGate":    {"ann", "", line("pod/a", "ann"), verb},
		"AnothersName":     {"joe", "", jane, name},
		"AnothersAmongOwn": {"joe", "", both, name},
		"AnothersReason":   {"joe", jane, jane + ", again", name},
		"AnothersKey":      {"joe", jane, line("pod/b", "jane"), name},
		"NameFurtherOn":    {"joe", "", "pod/a | jane | joe | x", name},
		"NameInTheReason":  {"joe", "", "pod/a | jane | 2026-11-30T12:00:00Z | x | joe", name},
		"JSON":             {"joe", "", `{"pod/a":{"by":"joe"}}`, name},
		"EmptyLine":        {"joe", "", line("pod/a", "joe") + "\n", name},
		"TooMany":          {"jane", "", strings.Join(many, "\n"), "has at most 64 approvals"},
		"Most":             {"jane", "", strings.Join(many[1:], "\n"), ""},
		"PodgateTakes":     {kubetest.Account, both, joe, verb},
		"PodgateTakesAll":  {kubetest.Account, both, "", verb},
		"PodgateApproves":  {kubetest.Account, "", line("pod/a", kubetest.Account), verb},
		"PodgateChanges":   {kubetest.Account, jane, jane + ", again", verb},
		"PodgateLends":     {kubetest.Account, jane, joe, verb},
	} {
		t.Run(what, func(t *testing.T) {
			gate := c.readinessGate(strings.ToLower(what))
			c.create(gate)
			c.given(gate, tc.before)
			err := c.annotateAs(tc.as, gate, tc.after)
			if tc.refused == "" && err != nil {
				t.Errorf("%s is refused: %v", tc.as, err)
			}
			if tc.refused != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), tc.refused)) {
				t.Errorf("want %q, got %v", tc.refused, err)
			}
		})
	}

	// Whatever is not about approvals takes no verb, and a ReadinessGate is not made with approvals either.
	gate := c.readinessGate("others")
	c.create(gate)
	c.given(gate, both)
	if err := c.patchAs("editor", gate, `{"metadata":{"annotations":{"other":"x"}},"spec":{"dryRun":true}}`); err != nil {
		t.Errorf("an editor may not edit: %v", err)
	}
	copied := c.readinessGate("copied")
	copied.Annotations = map[string]string{v1alpha1.ApprovalsAnnotation: jane}
	if err := c.kube.Create(t.Context(), copied); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), name) {
		t.Errorf("a ReadinessGate is made with another's approvals: %v", err)
	}
}

func (c *cluster) readinessGate(name string) *v1alpha1.ReadinessGate {
	gate := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns}}
	gate.Spec.Checks = []v1alpha1.Check{{Name: "release", Manual: &v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalPod}}}
	return gate
}

// approvers lets users write ReadinessGates: jane and joe may approve of each, ann of one, and neither editor nor podgate of any.
func (c *cluster) approvers() {
	c.Helper()
	gate := c.readinessGate("first")
	c.create(gate)
	for user, of := range map[string][]string{"jane": {}, "joe": {}, "ann": {"first"}, "editor": nil, kubetest.Account: nil} {
		group, kinds := []string{v1alpha1.GroupVersion.Group}, []string{"readinessgates"}
		role := &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Name: user, Namespace: c.ns},
			Rules:      []rbacv1.PolicyRule{{APIGroups: group, Resources: kinds, Verbs: []string{"patch"}}},
		}
		if of != nil {
			role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: group, Resources: kinds, ResourceNames: of, Verbs: []string{"approve"}})
		}
		c.create(role)
		c.create(&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user, Namespace: c.ns}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
		c.eventually(user+" may patch", func() bool { return c.patchAs(user, gate, `{}`) == nil })
		if of != nil {
			c.eventually(user+" may approve", func() bool {
				return c.annotateAs(user, gate, "pod/"+user+" | "+user+" | 2026-11-30T12:00:00Z | x") == nil
			})
		}
	}
}

// given has each approval given by whom it names.
func (c *cluster) given(gate *v1alpha1.ReadinessGate, text string) {
	c.Helper()
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
		by := strings.Split(line, " | ")[1]
		if err := c.annotateAs(by, gate, strings.Join(lines, "\n")); err != nil {
			c.Fatal(err)
		}
	}
}

// annotateAs writes a ReadinessGate's approvals as a user; without any the annotation is dropped.
func (c *cluster) annotateAs(user string, gate *v1alpha1.ReadinessGate, text string) error {
	c.Helper()
	value := &text
	if text == "" {
		value = nil
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]*string{v1alpha1.ApprovalsAnnotation: value}}})
	if err != nil {
		c.Fatal(err)
	}
	return c.patchAs(user, gate, string(body))
}

func (c *cluster) patchAs(user string, gate *v1alpha1.ReadinessGate, body string) error {
	c.Helper()
	cfg := rest.CopyConfig(c.cfg)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user}
	kube, err := kubetest.Client(cfg)
	if err != nil {
		c.Fatal(err)
	}
	return kube.Patch(c.Context(), gate.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(body)))
}
