// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/gates"
)

var update = flag.Bool("update", false, "write the golden files")

// noon is when the golden files were written.
var noon = metav1.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)

// objects reads the objects of files in testdata.
func objects(t *testing.T, names ...string) []client.Object {
	t.Helper()
	e := &environment{}
	for i := range names {
		names[i] = filepath.Join("testdata", names[i])
	}
	all, err := e.manifests(names)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func offline(t *testing.T, all []client.Object) *snapshot {
	t.Helper()
	s, err := newOffline(t.Context(), gates.All(), all)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// golden compares what people read with a file.
func golden(t *testing.T, name string, write func(*paper)) {
	t.Helper()
	var out bytes.Buffer
	write(&paper{out: &out, now: noon.Time})
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("%s: -want, +got:\n%s", file, diff)
	}
}

// TestExplain explains the pod of each file of testdata/explain, in a namespace where all is well.
func TestExplain(t *testing.T) {
	files, err := filepath.Glob("testdata/explain/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}

	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			all := objects(t, "installation.yaml", "shop.yaml", "explain/"+name+".yaml")
			x, err := explainPod(t.Context(), offline(t, all), types.NamespacedName{Namespace: "shop", Name: "web"}, "podgate-system", noon)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "explain/"+name+".txt", x.write)
		})
	}
}

func TestStatus(t *testing.T) {
	cases := map[string]struct {
		reason string
		files  []string
		wide   bool
	}{
		"busy":   {reason: "The pod that waits longest comes first; what starts, or needs no gate, is not listed.", files: []string{"installation.yaml", "shop.yaml", "status/busy.yaml"}},
		"stuck":  {reason: "A pod that does not come to its gate is named, with what its rollout does.", files: []string{"installation.yaml", "shop.yaml", "status/stuck.yaml"}, wide: true},
		"broken": {reason: "Without a leader and a webhook that comes first.", files: []string{"status/broken.yaml"}, wide: true},
		"checks": {reason: "ReadinessGates are listed beside the bindings.", files: []string{"installation.yaml", "shop.yaml", "explain/checks.yaml"}, wide: true},
		"legacy": {reason: "Of a gate of the ALB ingress controller v1 it is told who might open it.", files: []string{"installation.yaml", "shop.yaml", "explain/legacy.yaml"}, wide: true},
		"nodes":  {reason: "Of bindings of nodes it is told how many are targets, and how many cannot be.", files: []string{"installation.yaml", "shop.yaml", "status/nodes.yaml"}},
		"ingresses": {
			reason: "Load balancers of Ingresses are listed with the state that podgate told last, and those of other namespaces and controllers are not.",
			files:  []string{"installation.yaml", "shop.yaml", "ingress/podgate.yaml", "ingress/group.yaml", "status/ingresses.yaml"}, wide: true,
		},
		"services": {
			reason: "Load balancers of Services are listed likewise, and those of other controllers are not.",
			files:  []string{"installation.yaml", "ingress/podgate.yaml", "status/services.yaml"}, wide: true,
		},
		"lattice": {reason: "Bindings of VPC Lattice are listed like the others, however they name their groups.", files: []string{"installation.yaml", "shop.yaml", "status/lattice.yaml"}, wide: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := statusOf(t.Context(), offline(t, objects(t, tc.files...)), "shop", "podgate-system", noon)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			golden(t, "status/"+name+".txt", func(p *paper) {
				p.wide = tc.wide
				s.write(p)
			})
		})
	}
}

func TestPreflight(t *testing.T) {
	cases := map[string]struct {
		reason string
		files  []string
		// only: the files alone are judged, as with -f; else what is in the cluster.
		only bool
		// ingresses: Ingresses of AWS Load Balancer Controller's classes count, too.
		ingresses bool
	}{
		"good":               {reason: "podgate adds the hooks, the default rollout keeps most pods, and what no binding takes is nobody's business.", files: []string{"installation.yaml", "shop.yaml", "preflight/good.yaml"}},
		"bad":                {reason: "Each cause is told once, with what to do.", files: []string{"installation.yaml", "shop.yaml", "preflight/bad.yaml"}, only: true},
		"autoscaled":         {reason: "An autoscaler says how many replicas there are.", files: []string{"installation.yaml", "shop.yaml", "preflight/autoscaled.yaml"}, only: true},
		"uncounted":          {reason: "What depends on a count that nobody knows is no error.", files: []string{"installation.yaml", "shop.yaml", "preflight/uncounted.yaml"}, only: true},
		"instances":          {reason: "For a group of instances the Service needs the port, and a type that nodes serve.", files: []string{"installation.yaml", "shop.yaml", "preflight/instances.yaml"}, only: true},
		"checks":             {reason: "What is wrong with gates of checks is told, whether or not a load balancer has the pods.", files: []string{"installation.yaml", "preflight/checks.yaml"}, only: true},
		"checked":            {reason: "A gate without a load balancer is nothing amiss, and needs no label where the template names it.", files: []string{"installation.yaml", "preflight/checked.yaml"}},
		"edited":             {reason: "A status that is not about this spec says nothing of it.", files: []string{"installation.yaml", "preflight/edited.yaml"}},
		"unasked":            {reason: "A label asks for gates of checks, too, and what opted out is nobody's business.", files: []string{"installation.yaml", "preflight/unasked.yaml"}, only: true},
		"zero":               {reason: "Nothing promises a hook that podgate does not add.", files: []string{"installation.yaml", "shop.yaml", "preflight/zero.yaml"}, only: true},
		"sidecar":            {reason: "Only the container that serves has to go on serving.", files: []string{"installation.yaml", "preflight/gates-only.yaml", "shop.yaml", "preflight/sidecar.yaml"}, only: true},
		"custom":             {reason: "Whatever has a pod template makes pods, and what its kind does with them is unknown.", files: []string{"installation.yaml", "shop.yaml", "preflight/custom.yaml"}, only: true},
		"halted":             {reason: "Whatever keeps pods from being replaced is named.", files: []string{"installation.yaml", "shop.yaml", "preflight/halted.yaml"}, only: true},
		"workers":            {reason: "Pods that lack the port which another workload's have are no targets, and get no gate.", files: []string{"preflight/workers.yaml"}, only: true},
		"legacy":             {reason: "A gate of the ALB ingress controller v1 is told of where nobody sets it or nothing feeds it.", files: []string{"installation.yaml", "shop.yaml", "preflight/legacy.yaml"}, only: true},
		"lattice":            {reason: "How long VPC Lattice sends requests depends on the group's health checks.", files: []string{"preflight/lattice.yaml"}, only: true},
		"unreadable":         {reason: "That nothing was read does not mean that all is well.", files: []string{"preflight/unreadable.yaml"}, only: true},
		"ingress":            {reason: "Of Ingresses of podgate's classes it is told what is served, refused and ignored.", files: []string{"installation.yaml", "preflight/ingress.yaml"}, only: true},
		"ingress-workload":   {reason: "A workload that is applied with its Ingress gets no gates.", files: []string{"installation.yaml", "preflight/ingress-workload.yaml"}, only: true},
		"ingress-in-cluster": {reason: "Those of the cluster have events, and are checked where they are asked for.", files: []string{"installation.yaml", "preflight/ingress.yaml"}},
		"ingress-asked":      {reason: "Those of AWS Load Balancer Controller's classes are checked as if they were podgate's where that is asked for.", files: []string{"installation.yaml", "preflight/ingress-of-lbc.yaml"}, only: true, ingresses: true},
		"ingress-namespace":  {reason: "And those of the cluster.", files: []string{"installation.yaml", "preflight/ingress.yaml", "shop.yaml", "preflight/good.yaml"}, ingresses: true},
		"ingress-unasked":    {reason: "Else they are counted.", files: []string{"installation.yaml", "preflight/ingress-of-lbc.yaml"}, only: true},
		"service":            {reason: "Of Services of type LoadBalancer it is told what is served, refused and ignored where podgate serves them, and which pods come too early.", files: []string{"installation.yaml", "ingress/podgate.yaml", "preflight/service.yaml"}, only: true},
		"service-unasked":    {reason: "Where it is not known that podgate serves any, they are counted.", files: []string{"installation.yaml", "preflight/service.yaml"}, only: true},
		"service-namespace":  {reason: "Those of the cluster are checked where that is asked for.", files: []string{"installation.yaml", "preflight/service.yaml"}, ingresses: true},
		"service-in-cluster": {reason: "Else they have events.", files: []string{"installation.yaml", "ingress/podgate.yaml", "preflight/service.yaml"}},
		"unlabelled":         {reason: "Nobody asks for gates or hooks, a port is wrong, and nodes are targets.", files: []string{"preflight/unlabelled.yaml"}, only: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			read, unread := readable(objects(t, tc.files...))
			p, err := preflightOf(t.Context(), offline(t, read), preflightScope{namespace: "shop", files: tc.only, unread: unread, ingresses: tc.ingresses}, "podgate-system", noon)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			golden(t, "preflight/"+name+".txt", p.write)
		})
	}
}
