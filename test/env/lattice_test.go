// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func latticeGroup(name string) TargetGroupOptions {
	o := webGroup()
	o.Name, o.Lattice = name, true
	return o
}

// ask sends a request for a host, and returns the status of the answer.
func ask(t *testing.T, url, host string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}

	req.Host, req.Close = host, true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestServicesOfLatticeShareANetwork: they are at one address, and told apart by the name that clients ask for.
func TestServicesOfLatticeShareANetwork(t *testing.T) {
	s, err := startChild(t, "simulator")
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = s.Stop() }()

	var made []*LoadBalancer
	for _, name := range []string{"web", "shop"} {
		b, err := s.CreateLoadBalancer(t.Context(), latticeGroup(name))
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(t, b.URL, b.Host); got != http.StatusServiceUnavailable {
			t.Errorf("a group without targets is answered %d, want 503", got)
		}
		made = append(made, b)
	}

	if made[0].URL != made[1].URL || made[0].Host == made[1].Host {
		t.Errorf("services at %s and %s with the names %s and %s, want one address and two names", made[0].URL, made[1].URL, made[0].Host, made[1].Host)
	}
	if got := ask(t, made[0].URL, "nobody.example.com"); got != http.StatusNotFound {
		t.Errorf("a name that no service has is answered %d, want 404", got)
	}
	if err := made[0].Delete(t.Context()); err != nil {
		t.Errorf("delete: %v", err)
	}
}

// TestGroupsOfLatticeThatDoNotServe: one that nothing forwards to, and one without health checks.
func TestGroupsOfLatticeThatDoNotServe(t *testing.T) {
	s, err := startChild(t, "simulator")
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = s.Stop() }()

	unused, unchecked := latticeGroup("unused"), latticeGroup("unchecked")
	unused.Unused, unchecked.Unchecked = true, true
	for want, o := range map[types.TargetStatus]TargetGroupOptions{types.TargetStatusUnused: unused, types.TargetStatusInitial: unchecked} {
		b, err := s.CreateLoadBalancer(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}

		_, err = s.Lattice().RegisterTargets(t.Context(), &vpclattice.RegisterTargetsInput{
			TargetGroupIdentifier: &b.TargetGroupARN, Targets: []types.Target{{Id: aws.String("10.1.2.3"), Port: aws.Int32(8080)}},
		})
		if err != nil {
			t.Fatal(err)
		}

		list, err := s.Lattice().ListTargets(t.Context(), &vpclattice.ListTargetsInput{TargetGroupIdentifier: &b.TargetGroupARN})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 1 || list.Items[0].Status != want {
			t.Errorf("group %s lists %+v, want one target that is %s", o.Name, list.Items, want)
		}

		group, err := s.Lattice().GetTargetGroup(t.Context(), &vpclattice.GetTargetGroupInput{TargetGroupIdentifier: &b.TargetGroupARN})
		if err != nil {
			t.Fatal(err)
		}
		if checked := *group.Config.HealthCheck.Enabled; checked == o.Unchecked {
			t.Errorf("group %s has health checks: %t", o.Name, checked)
		}
	}
}

func TestANameThatLatticeHasIsRefused(t *testing.T) {
	s, err := startChild(t, "simulator")
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = s.Stop() }()

	if _, err := s.CreateLoadBalancer(t.Context(), latticeGroup("web")); err != nil {
		t.Fatal(err)
	}
	_, err = s.CreateLoadBalancer(t.Context(), latticeGroup("web"))
	if err == nil || !strings.Contains(err.Error(), "create target group web") || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("a second group of a name: got %v", err)
	}
}

func TestApplicationBehindLattice(t *testing.T) {
	a := testApp()
	a.TargetGroupARN, a.LatticeARN, a.Annotations = "", "arn:aws:vpc-lattice:x", map[string]string{"podgate.dev/on-unused": "Open"}
	m, _ := render(t, a)
	want := map[string]any{
		"serviceRef": map[string]any{"name": "web", "port": int64(80)},
		"lattice":    map[string]any{"targetGroupARN": "arn:aws:vpc-lattice:x", "roleARN": "arn:aws:iam::1:role/web"},
	}

	bindings := m.OfKind("TargetBinding")
	if len(bindings) != 1 {
		t.Fatalf("%d bindings, want one", len(bindings))
	}
	spec, _, err := unstructured.NestedMap(bindings[0].Object, "spec")
	if diff := cmp.Diff(want, spec); diff != "" || err != nil {
		t.Errorf("the binding's spec (%v; -want +got):\n%s", err, diff)
	}

	if bindings[0].GetAnnotations()["podgate.dev/on-unused"] != "Open" {
		t.Errorf("annotations %v, want the application's", bindings[0].GetAnnotations())
	}
	if got := m.OfKind("Namespace")[0].GetLabels()["application-networking.k8s.aws/pod-readiness-gate-inject"]; got != "enabled" {
		t.Errorf("namespace label %q, want enabled", got)
	}
}
