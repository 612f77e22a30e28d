// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
)

// TestExplainIngress explains the Ingress of each file of testdata/ingress.
func TestExplainIngress(t *testing.T) {
	files, err := filepath.Glob("testdata/ingress/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d cases: %v", len(files), err)
	}

	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if name == "podgate" {
			continue // It is there in every case.
		}
		t.Run(name, func(t *testing.T) {
			// What a case has hides what is there in every case.
			all := objects(t, "ingress/"+name+".yaml", "ingress/podgate.yaml", "installation.yaml", "shop.yaml")
			x, err := explainIngress(t.Context(), offline(t, all), types.NamespacedName{Namespace: "shop", Name: "web"}, "podgate-system", noon)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "ingress/"+name+".txt", x.write)
			if name == "group" {
				golden(t, "ingress/group-wide.txt", func(p *paper) {
					p.wide = true
					x.write(p)
				})
			}
		})
	}
}

// TestIngressesWithoutFlags: where podgate's flags are not known, an Ingress of a class that AWS Load Balancer Controller serves, too, is
// podgate's only if its finalizer says so.
func TestIngressesWithoutFlags(t *testing.T) {
	for name, c := range map[string]struct {
		finalizers []string
		want       string
	}{
		"nobody's":  {nil, "has a class that AWS Load Balancer Controller serves, too, and podgate's flags are not known here"},
		"podgate's": {[]string{v1alpha1.IngressFinalizer}, "has no load balancer's name yet, and no event of late says what it waits for"},
	} {
		all := slices.DeleteFunc(objects(t, "ingress/shared.yaml", "ingress/podgate.yaml", "shop.yaml"), func(o client.Object) bool {
			_, is := o.(*appsv1.Deployment)
			return is
		})
		all[0].SetFinalizers(c.finalizers)

		x, err := explainIngress(t.Context(), offline(t, all), types.NamespacedName{Namespace: "shop", Name: "web"}, "podgate-system", noon)
		if err != nil {
			t.Fatal(err)
		}
		if x.Verdict != c.want || x.Served != (c.finalizers != nil) {
			t.Errorf("%s: it %s (%t)", name, x.Verdict, x.Served)
		}
		if len(x.Unknown) != 1 || !strings.Contains(x.Unknown[0], "there is no Deployment of podgate in namespace podgate-system") {
			t.Errorf("%s: unknown is %q", name, x.Unknown)
		}
	}
}

// TestWatchedNamespace: podgate may serve one namespace alone.
func TestWatchedNamespace(t *testing.T) {
	all := objects(t, "ingress/unseen.yaml", "ingress/podgate.yaml", "shop.yaml")
	for _, o := range all {
		if d, is := o.(*appsv1.Deployment); is {
			d.Spec.Template.Spec.Containers[0].Args = []string{"--ingress=true", "--watch-namespace=other"}
		}
	}
	x, err := explainIngress(t.Context(), offline(t, all), types.NamespacedName{Namespace: "shop", Name: "web"}, "podgate-system", noon)
	if err != nil {
		t.Fatal(err)
	}
	if want := "is not served: podgate serves namespace other alone (--watch-namespace)"; x.Verdict != want {
		t.Errorf("it %s", x.Verdict)
	}
}

// TestNewest: of one look at a load balancer the gravest event counts, and earlier ones do not.
func TestNewest(t *testing.T) {
	at := func(milliseconds int, reason string) BalancerEvent {
		return BalancerEvent{Reason: reason, At: metav1.Time{Time: noon.Add(time.Duration(milliseconds) * time.Millisecond)}}
	}
	for name, c := range map[string]struct {
		events []BalancerEvent
		want   string
	}{
		"Nothing": {nil, ""},
		"Others":  {[]BalancerEvent{at(0, "Sync"), at(1, v1alpha1.ReasonNoEffect)}, ""},
		"Later":   {[]BalancerEvent{at(0, v1alpha1.ReasonLoadBalancerFailed), at(3000, v1alpha1.ReasonLoadBalancerReady), at(9000, v1alpha1.ReasonNoEffect)}, v1alpha1.ReasonLoadBalancerReady},
		"Soon":    {[]BalancerEvent{at(33, v1alpha1.ReasonLoadBalancerReady), at(0, v1alpha1.ReasonLoadBalancerWaiting)}, v1alpha1.ReasonLoadBalancerReady},
		"AtOnce":  {[]BalancerEvent{at(0, v1alpha1.ReasonLoadBalancerFailed), at(20, v1alpha1.ReasonLoadBalancerReady)}, v1alpha1.ReasonLoadBalancerFailed},
		"Gravest": {[]BalancerEvent{at(0, v1alpha1.ReasonLoadBalancerWaiting), at(0, v1alpha1.ReasonLoadBalancerHeld), at(0, v1alpha1.ReasonLoadBalancerReady)}, v1alpha1.ReasonLoadBalancerHeld},
	} {
		got := ""
		if e := newest(c.events); e != nil {
			got = e.Reason
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestTroubleOfBackends: a backend is in trouble unless a binding that is Ready has somebody who may serve.
func TestTroubleOfBackends(t *testing.T) {
	binding := func(status string, pods *PodCount, nodes *NodesReport) BackendBinding {
		return BackendBinding{BindingReport: BindingReport{Name: "b", Status: status, Reason: "R", Next: "next"}, Pods: pods, Nodes: nodes}
	}
	well := binding("True", &PodCount{Ready: 1, All: 2}, nil)

	for name, c := range map[string]struct {
		backend BackendReport
		want    string
	}{
		"NoBinding":   {BackendReport{}, "it has no TargetGroupBinding yet"},
		"Unused":      {BackendReport{Unused: true}, ""},
		"NotReady":    {BackendReport{Bindings: []BackendBinding{binding("False", &PodCount{Ready: 1}, nil)}}, `TargetGroupBinding "b" is not Ready (R)`},
		"NoPod":       {BackendReport{Bindings: []BackendBinding{binding("True", &PodCount{All: 2}, nil)}}, "none of its pods is Ready"},
		"NoNode":      {BackendReport{Bindings: []BackendBinding{binding("True", nil, &NodesReport{})}}, "no node is a target"},
		"Node":        {BackendReport{Bindings: []BackendBinding{binding("True", nil, &NodesReport{Targets: 1})}}, ""},
		"Uncountable": {BackendReport{Bindings: []BackendBinding{binding("True", nil, nil)}}, ""},
		"OneOfTwo":    {BackendReport{Bindings: []BackendBinding{binding("False", nil, nil), well}}, ""},
	} {
		want := c.want
		if want != "" {
			want = "look at Service , port : " + want
		}
		if got, next := c.backend.trouble(); got != want || (got == "") != (next == "") {
			t.Errorf("%s: got %q (%q), want %q", name, got, next, want)
		}
	}
}
