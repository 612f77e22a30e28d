// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package index_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	bindings "github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/index/indextest"
)

func service(namespace, name string, selector map[string]string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.ServiceSpec{Selector: selector}}
}

func binding(namespace, name, service, arn string) *elbv2.TargetGroupBinding {
	b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	b.Spec.ServiceRef.Name, b.Spec.TargetGroupARN = service, arn
	return b
}

// published makes a binding that names its group, and of which the ARN was published.
func published(namespace, name, arn string) *elbv2.TargetGroupBinding {
	b := binding(namespace, name, "nobody's", "")
	b.Annotations = map[string]string{v1alpha1.PublishedAnnotation: `{"arn":"` + arn + `"}`}
	return b
}

func pod(namespace, name string, labels map[string]string, gate string, ips ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}}
	for _, ip := range ips {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
	}
	if gate != "" {
		p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.com/other"}, {ConditionType: corev1.PodConditionType(elbv2.GateType(gate))}}
	}
	return p
}

// everything is a reader without indexes: whatever is asked, it gives all that it has.
type everything struct {
	client.Reader
	objects []client.Object
	err     error
}

// List implements client.Reader.
func (e everything) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	for _, o := range e.objects {
		switch l := into.(type) {
		case *corev1.PodList:
			if p, ok := o.(*corev1.Pod); ok {
				l.Items = append(l.Items, *p)
			}

		case *corev1.ServiceList:
			if s, ok := o.(*corev1.Service); ok {
				l.Items = append(l.Items, *s)
			}

		case *elbv2.TargetGroupBindingList:
			if b, ok := o.(*elbv2.TargetGroupBinding); ok {
				l.Items = append(l.Items, *b)
			}

		case *v1alpha1.TargetBindingList:
			if b, ok := o.(*v1alpha1.TargetBinding); ok {
				l.Items = append(l.Items, *b)
			}
		}
	}

	return e.err
}

func backend(name, backend string, membership v1alpha1.Membership, instances ...string) *v1alpha1.TargetBinding {
	return &v1alpha1.TargetBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       v1alpha1.TargetBindingSpec{Membership: membership, HAProxy: &v1alpha1.HAProxy{Backend: backend, Instances: instances}},
	}
}

func names[T any, P interface {
	*T
	client.Object
}](items []T, err error) ([]string, error) {
	var all []string
	for i := range items {
		all = append(all, P(&items[i]).GetName())
	}
	slices.Sort(all)
	return all, err
}

// bound are the names of bindings, of whichever kind.
func bound(found []*bindings.Binding, err error) ([]string, error) {
	var all []string
	for _, b := range found {
		all = append(all, b.Name)
	}
	slices.Sort(all)
	return all, err
}

// TestAnswers asks every question through the indexes and, within one namespace, without them.
func TestAnswers(t *testing.T) {
	open, dying := pod("shop", "open", nil, "front"), pod("shop", "dying", nil, "")
	open.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodConditionType(elbv2.GateType("front")), Status: corev1.ConditionTrue}}
	dying.DeletionTimestamp = new(metav1.Now())
	legacy := pod("shop", "legacy-0", nil, "")
	for _, g := range []corev1.PodConditionType{elbv2.LegacyGatePrefix + "i_web_80", elbv2.LegacyAnyGate} {
		legacy.Spec.ReadinessGates = append(legacy.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: g})
	}
	shop := []client.Object{
		service("shop", "web", map[string]string{"app": "web"}),
		service("shop", "front", map[string]string{"app": "web", "tier": "front-of-the-shop"}),
		service("shop", "flags", map[string]string{"b": "", "a": ""}),
		service("shop", "external", nil),
		binding("shop", "web-tg", "web", "arn:web"), binding("shop", "web-nlb", "web", "arn:nlb"),
		binding("shop", "external-tg", "external", "arn:external"),
		published("shop", "named", "arn:named"), binding("shop", "unresolved", "nobody's", ""),
		pod("shop", "web-0", map[string]string{"app": "web"}, "web-tg", "10.0.0.1"),
		pod("shop", "web-1", map[string]string{"app": "web", "tier": "front-of-the-shop"}, "", "10.0.0.2", "2001:db8:0::2"),
		pod("shop", "flags-0", map[string]string{"a": "", "b": "", "c": "x"}, "", "::ffff:10.0.0.1"),
		legacy,
		pod("shop", "odd", nil, "web", "nonsense"),
		open, dying,
		backend("both", "web", v1alpha1.MembershipManaged, "unix:/2", "unix:/1"), backend("one-of-two", "web", "", "unix:/1"),
		backend("other-instance", "web", v1alpha1.MembershipManaged, "unix:/2"), backend("other-backend", "api", v1alpha1.MembershipManaged, "unix:/1"),
		backend("observes", "web", v1alpha1.MembershipExternal, "unix:/1"),
		&v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "by-arn"}, Spec: v1alpha1.TargetBindingSpec{ELBv2: &v1alpha1.ELBv2{TargetGroupARN: "arn:own"}}},
	}

	elsewhere := []client.Object{
		service("other", "web-of-other", map[string]string{"app": "web"}), binding("other", "tg-of-other", "web", "arn:web"),
		pod("other", "pod-of-other", map[string]string{"app": "web"}, "web-tg", "10.0.0.1"),
	}

	cases := map[string]struct {
		reason string
		ask    func(client.Reader) ([]string, error)
		want   []string
		// all: the question is about all namespaces.
		all bool
	}{
		"ServicesOfOneLabel": {
			reason: "A Service selects by all pairs of its selector.", want: []string{"web"},
			ask: func(r client.Reader) ([]string, error) {
				return names(index.ServicesSelecting(t.Context(), r, "shop", map[string]string{"app": "web", "x": "y"}))
			},
		},
		"ServicesOfTwoLabels": {
			reason: "It is found by whichever pair is its anchor, once.", want: []string{"front", "web"},
			ask: func(r client.Reader) ([]string, error) {
				return names(index.ServicesSelecting(t.Context(), r, "shop", map[string]string{"app": "web", "tier": "front-of-the-shop"}))
			},
		},
		"ServicesOfEmptyValues": {
			reason: "A selector may ask for empty values.", want: []string{"flags"},
			ask: func(r client.Reader) ([]string, error) {
				return names(index.ServicesSelecting(t.Context(), r, "shop", map[string]string{"a": "", "b": ""}))
			},
		},
		"ServicesOfNoLabels": {
			reason: "No Service selects a pod without labels.",
			ask: func(r client.Reader) ([]string, error) {
				return names(index.ServicesSelecting(t.Context(), r, "shop", nil))
			},
		},
		"BindingsOf": {
			reason: "All bindings of the Service, and none of its namesake in another namespace.", want: []string{"web-nlb", "web-tg"},
			ask: func(r client.Reader) ([]string, error) {
				return bound(bindings.OfService(t.Context(), r, types.NamespacedName{Namespace: "shop", Name: "web"}))
			},
		},
		"BindingsOfGroup": {
			reason: "Two namespaces may claim one group.", want: []string{"tg-of-other", "web-tg"}, all: true,
			ask: func(r client.Reader) ([]string, error) {
				return bound(bindings.Claiming(t.Context(), r, "arn:web"))
			},
		},
		"BindingsOfNamedGroup": {
			reason: "A binding that names its group is found by the ARN that was published.", want: []string{"named"},
			ask: func(r client.Reader) ([]string, error) {
				return bound(bindings.Claiming(t.Context(), r, "arn:named"))
			},
		},
		"OwnBindingsClaiming": {
			reason: "Lists of instances may overlap; who only observes claims nothing.", want: []string{"both", "one-of-two"},
			ask: func(r client.Reader) ([]string, error) {
				return bound(bindings.Claiming(t.Context(), r, "web@unix:/1"))
			},
		},
		"OwnBindingsClaimingAGroup": {
			reason: "A target group is one claim.", want: []string{"by-arn"},
			ask: func(r client.Reader) ([]string, error) {
				return bound(bindings.Claiming(t.Context(), r, "arn:own"))
			},
		},
		"PodsOf": {
			reason: "All pods that the Service selects, in its namespace.", want: []string{"web-0", "web-1"},
			ask: func(r client.Reader) ([]string, error) {
				return names(index.PodsOf(t.Context(), r, service("shop", "web", map[string]string{"app": "web"})))
			},
		},
		"PodsOfTwoLabels": {
			reason: "The anchor alone does not select.", want: []string{"web-1"},
			ask: func(r client.Reader) ([]string, error) {
				return names(index.PodsOf(t.Context(), r, service("shop", "x", map[string]string{"app": "web", "tier": "front-of-the-shop"})))
			},
		},
		"PodsOfNoSelector": {
			reason: "A Service without a selector selects nothing.",
			ask: func(r client.Reader) ([]string, error) {
				return names(index.PodsOf(t.Context(), r, service("shop", "x", nil)))
			},
		},
		"PodsWithGate": {
			reason: "Among other gates, and of this binding only.", want: []string{"web-0"},
			ask: func(r client.Reader) ([]string, error) {
				return names(index.PodsWithGate(t.Context(), r, "shop", "target-health.elbv2.k8s.aws/web-tg"))
			},
		},
		"PodsWithGateOfAFamily": {
			reason: "Which of them it is does not matter, and how many.", want: []string{"legacy-0"},
			ask: func(r client.Reader) ([]string, error) {
				return names(index.PodsWithGate(t.Context(), r, "shop", elbv2.LegacyGatePrefix))
			},
		},
		"PodsAt": {
			reason: "Pods may share an address, however it is written.", want: []string{"flags-0", "web-0"},
			ask: func(r client.Reader) ([]string, error) {
				return names(index.PodsAt(t.Context(), r, "shop", netip.MustParseAddr("10.0.0.1")))
			},
		},
		"PodsPressing": {
			reason: "Pods that are being deleted or wait at a gate press, wherever they are.", want: []string{"dying", "odd", "pod-of-other", "web-0"}, all: true,
			ask: func(r client.Reader) ([]string, error) {
				return names(index.PodsPressing(t.Context(), r, bindings.IsGate))
			},
		},
		"PodsAtIPv6": {
			reason: "A second address counts.", want: []string{"web-1"},
			ask: func(r client.Reader) ([]string, error) {
				return names(index.PodsAt(t.Context(), r, "shop", netip.MustParseAddr("2001:db8::2")))
			},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			indexed, err := indextest.New(t.Context(), append(elsewhere, shop...)...)
			if err != nil {
				t.Fatal(err)
			}

			readers := map[string]client.Reader{"with indexes": indexed}
			if !tc.all {
				readers["without"] = everything{objects: shop}
			}

			for how, r := range readers {
				got, err := tc.ask(r)
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s\n%s (-want +got):\n%s", tc.reason, how, diff)
				}
			}
		})
	}
}

func TestBrokenCacheIsTold(t *testing.T) {
	broken := everything{err: errors.New("cache is broken")}
	if _, err := index.ServicesSelecting(t.Context(), broken, "shop", map[string]string{"app": "web"}); !errors.Is(err, broken.err) {
		t.Errorf("services: got %v", err)
	}
	if _, err := bindings.OfService(t.Context(), broken, types.NamespacedName{Name: "web"}); !errors.Is(err, broken.err) {
		t.Errorf("bindings: got %v", err)
	}
	if _, err := index.PodsAt(t.Context(), broken, "shop", netip.Addr{}); !errors.Is(err, broken.err) {
		t.Errorf("pods: got %v", err)
	}
}
