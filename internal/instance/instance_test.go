// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/podgate/podgate/internal/disruption"
)

func TestID(t *testing.T) {
	for providerID, want := range map[string]string{
		"aws:///eu-west-1a/i-0123456789abcdef0":          "i-0123456789abcdef0",
		"aws://eu-west-1a/i-0a":                          "i-0a",
		"":                                               "",
		"i-0123456789abcdef0":                            "", // nobody says whose
		"gce://project/europe-west1-b/i-0a":              "",
		"eks-hybrid:///eu-west-1/cluster/mi-0a":          "",
		"aws:///eu-west-1a/0a-fargate-ip-10-0-0-1":       "",
		"aws:///eu-west-1a/fargate-ip-10-0-0-1.internal": "",
		"aws:///eu-west-1a/":                             "",
		"kind://docker/kind/kind-control-plane":          "",
	} {
		if got := ID(providerID); got != want {
			t.Errorf("%q: got %q, want %q", providerID, got, want)
		}
	}
}

func TestExcluded(t *testing.T) {
	for label, want := range map[string]bool{
		"node.kubernetes.io/exclude-from-external-load-balancers":   true,
		"alpha.service-controller.kubernetes.io/exclude-balancer":   true,
		"node-role.kubernetes.io/master":                            true,
		"node-role.kubernetes.io/control-plane":                     false,
		"node.kubernetes.io/instance-type":                          false,
		"eks.amazonaws.com/compute-type":                            false, // ec2, or hybrid
		"node.kubernetes.io/exclude-from-external-load-balancers-x": false,
	} {
		for _, value := range []string{"", "true", "false", "ec2"} {
			if got := Excluded(map[string]string{label: value}); got != want {
				t.Errorf("%s=%s: excluded %t", label, value, got)
			}
		}
	}
	if !Excluded(map[string]string{"eks.amazonaws.com/compute-type": "fargate"}) {
		t.Error("a node of Fargate has no instance")
	}
}

// node is one that is a target.
func node(name string, edit ...func(*disruption.Node)) *disruption.Node {
	n := &disruption.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"role": "web"}},
		ProviderID: "aws:///eu-west-1a/i-0" + name, Ready: true,
	}
	for _, f := range edit {
		f(n)
	}
	return n
}

// TestLaw3SelectedNodes: which nodes are targets, and that trouble of the API server, or of pods, takes none away.
func TestLaw3SelectedNodes(t *testing.T) {
	labelled := func(pairs ...string) func(*disruption.Node) {
		return func(n *disruption.Node) {
			n.Labels = map[string]string{}
			for i := 0; i < len(pairs); i += 2 {
				n.Labels[pairs[i]] = pairs[i+1]
			}
		}
	}
	says := func(what disruption.Notice) func(*disruption.Node) {
		return func(n *disruption.Node) { n.Notice = what }
	}
	none := func(n *disruption.Node) { n.ProviderID = "" }
	unready := func(n *disruption.Node) { n.Ready = false }
	silent := func(n *disruption.Node) { n.Ready, n.Silent = false, true }
	deleted := func(n *disruption.Node) { n.DeletionTimestamp = new(metav1.Now()) }
	on := func(names ...string) func(string) bool {
		return func(node string) bool { return slices.Contains(names, node) }
	}
	web := labels.SelectorFromSet(labels.Set{"role": "web"})

	cases := map[string]struct {
		reason   string
		nodes    []*disruption.Node
		selector labels.Selector
		hosts    func(string) bool
		want     []Node
		skipped  []string
	}{
		"All": {
			reason: "Nodes are targets, in the order of their names.", nodes: []*disruption.Node{node("b"), node("a")},
			want: []Node{{Name: "a", ID: "i-0a", Wanted: true, Ready: true}, {Name: "b", ID: "i-0b", Wanted: true, Ready: true}},
		},
		"Selector": {
			reason: "What is not selected may have a target that has to go.", nodes: []*disruption.Node{node("a"), node("b", labelled("role", "db"))}, selector: web,
			want: []Node{{Name: "a", ID: "i-0a", Wanted: true, Ready: true}, {Name: "b", ID: "i-0b", Ready: true}},
		},
		"Excluded": {
			reason: "So may what a label keeps out.", nodes: []*disruption.Node{node("a", labelled(LabelExclude, ""))},
			want: []Node{{Name: "a", ID: "i-0a", Ready: true}},
		},
		"NoInstance": {
			reason: "People are told of nodes that should be targets and cannot be, sorted.", nodes: []*disruption.Node{node("d", none), node("b", none), node("a"), node("c", func(n *disruption.Node) { n.ProviderID = "gce://p/z/i-0a" })},
			want: []Node{{Name: "a", ID: "i-0a", Wanted: true, Ready: true}}, skipped: []string{"b", "c", "d"},
		},
		"NoInstanceNorTarget": {
			reason: "Not of others, nor of those that are about to get a providerID.", selector: web,
			nodes: []*disruption.Node{node("a", none, labelled("role", "db")), node("b", none, labelled("role", "web", LabelExclude, "")), node("c", none, unready)},
		},
		"Unready": {
			reason: "A kubelet that says so counts.", nodes: []*disruption.Node{node("a"), node("b", unready), node("c", silent)},
			want: []Node{{Name: "a", ID: "i-0a", Wanted: true, Ready: true}, {Name: "b", ID: "i-0b", Wanted: true}, {Name: "c", ID: "i-0c", Wanted: true}},
		},
		"AllSilent": {
			reason: "Where no kubelet says Ready, silent ones may serve, and one that says that it is not does not.", nodes: []*disruption.Node{node("a", silent), node("b", unready)},
			want: []Node{{Name: "a", ID: "i-0a", Wanted: true, Ready: true}, {Name: "b", ID: "i-0b", Wanted: true}},
		},
		"OthersReady": {
			reason: "Nodes that are no targets, or are being removed, serve nobody.", selector: web,
			nodes: []*disruption.Node{node("a", silent), node("b", labelled("role", "db")), node("c", deleted)},
			want: []Node{
				{Name: "a", ID: "i-0a", Wanted: true, Ready: true}, {Name: "b", ID: "i-0b", Ready: true}, {Name: "c", ID: "i-0c", Wanted: true, Ready: true, Ends: true},
			},
		},
		"Ending": {
			reason: "A node's end is announced, under way, or over.", nodes: []*disruption.Node{node("a", says(disruption.Announced)), node("b", says(disruption.Ending)), node("c", says(disruption.Dead)), node("d", deleted), node("e")},
			want: []Node{
				{Name: "a", ID: "i-0a", Wanted: true, Ready: true, Ends: true}, {Name: "b", ID: "i-0b", Wanted: true, Ready: true, Ends: true},
				{Name: "c", ID: "i-0c", Wanted: true, Ready: true, Ends: true, Dead: true}, {Name: "d", ID: "i-0d", Wanted: true, Ready: true, Ends: true},
				{Name: "e", ID: "i-0e", Wanted: true, Ready: true},
			},
		},
		"Hosting": {
			reason: "Nodes without a pod that is Ready are no targets where that was asked for.", nodes: []*disruption.Node{node("a"), node("b"), node("c", none)}, hosts: on("a"),
			want: []Node{{Name: "a", ID: "i-0a", Wanted: true, Ready: true}, {Name: "b", ID: "i-0b", Ready: true}},
		},
		"HostingNowhere": {
			reason: "While no pod is Ready, all stay.", nodes: []*disruption.Node{node("a"), node("b")}, hosts: on("z"),
			want: []Node{{Name: "a", ID: "i-0a", Wanted: true, Ready: true}, {Name: "b", ID: "i-0b", Wanted: true, Ready: true}},
		},
		"HostingElsewhere": {
			reason: "Pods on nodes that are no targets do not count.", nodes: []*disruption.Node{node("a"), node("b", labelled("role", "db"))}, selector: web, hosts: on("b"),
			want: []Node{{Name: "a", ID: "i-0a", Wanted: true, Ready: true}, {Name: "b", ID: "i-0b", Ready: true}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			rules := Rules{Selector: tc.selector, Hosts: tc.hosts, Notice: func(n *disruption.Node) disruption.Notice { return n.Notice }}
			if tc.selector == nil {
				rules.Selector = labels.Everything()
			}
			got, skipped := Select(tc.nodes, rules)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if !slices.Equal(skipped, tc.skipped) {
				t.Errorf("%s\nskipped %v, want %v", tc.reason, skipped, tc.skipped)
			}
		})
	}
}

// TestLaw3CordonedNodes: a cordoned node forwards requests like any other.
func TestLaw3CordonedNodes(t *testing.T) {
	cordoned := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: corev1.NodeSpec{
		ProviderID: "aws:///eu-west-1a/i-0a", Unschedulable: true, Taints: []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}},
	}}
	cordoned.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	slim, err := disruption.Slim(cordoned)
	if err != nil {
		t.Fatal(err)
	}

	rules := Rules{Selector: labels.Everything(), Notice: func(n *disruption.Node) disruption.Notice { return n.Notice }}
	got, _ := Select([]*disruption.Node{slim.(*disruption.Node)}, rules)
	if diff := cmp.Diff([]Node{{Name: "a", ID: "i-0a", Wanted: true, Ready: true}}, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
