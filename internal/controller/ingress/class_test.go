// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// scheme has the kinds that the controller reads and writes.
func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, elbv2.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func class(name, controller string, params ...string) *networkingv1.IngressClass {
	c := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: networkingv1.IngressClassSpec{Controller: controller}}
	for _, p := range params {
		c.Spec.Parameters = &networkingv1.IngressClassParametersReference{APIGroup: new(elbv2.GroupVersion.Group), Kind: "IngressClassParams", Name: p}
	}
	return c
}

func standard(c *networkingv1.IngressClass) *networkingv1.IngressClass {
	c.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
	return c
}

func params(spec elbv2.IngressClassParamsSpec) *elbv2.IngressClassParams {
	return &elbv2.IngressClassParams{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: spec}
}

// ingressOf is an Ingress of a class, with annotations in pairs.
func ingressOf(class string, annotations ...string) *networkingv1.Ingress {
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: map[string]string{}}}
	if class != "" {
		ing.Spec.IngressClassName = &class
	}
	for i := 0; i < len(annotations); i += 2 {
		ing.Annotations[annotations[i]] = annotations[i+1]
	}
	return ing
}

func TestClass(t *testing.T) {
	const ours, theirs = "podgate.dev/alb", "ingress.k8s.aws/alb"
	selects := func(value string) *elbv2.IngressClassParams {
		return params(elbv2.IngressClassParamsSpec{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": value}}})
	}
	other := class("alb", ours, "p")
	other.Spec.Parameters.Kind = "ConfigMap"
	foreign := class("alb", ours, "p")
	foreign.Spec.Parameters.APIGroup = new("example.com")
	groupless := class("alb", ours, "p")
	groupless.Spec.Parameters.APIGroup = nil

	for name, tc := range map[string]struct {
		reason  string
		ingress *networkingv1.Ingress
		objects []client.Object
		extra   []string

		served, lbc, notice bool
		refused, group      string
		params              bool
	}{
		"Ours":             {reason: "its class names podgate", ingress: ingressOf("alb"), objects: []client.Object{class("alb", ours)}, served: true},
		"Others":           {reason: "its class names another controller", ingress: ingressOf("nginx"), objects: []client.Object{class("nginx", "k8s.io/nginx")}},
		"Theirs":           {reason: "LBC's class is served only where a flag says so", ingress: ingressOf("alb"), objects: []client.Object{class("alb", theirs)}},
		"TheirsTold":       {reason: "and then LBC would serve it, too", ingress: ingressOf("alb"), objects: []client.Object{class("alb", theirs)}, extra: []string{theirs}, served: true, lbc: true},
		"Absent":           {reason: "whose a class is that is not there cannot be told", ingress: ingressOf("alb"), refused: `there is no IngressClass "alb"`},
		"None":             {reason: "no class and no default", ingress: ingressOf(""), objects: []client.Object{class("alb", ours)}},
		"Default":          {reason: "the default class counts", ingress: ingressOf(""), objects: []client.Object{standard(class("alb", ours)), class("nginx", "k8s.io/nginx")}, served: true},
		"DefaultOthers":    {reason: "whosever it is", ingress: ingressOf(""), objects: []client.Object{class("alb", ours), standard(class("nginx", "k8s.io/nginx"))}},
		"Defaults":         {reason: "several defaults decide nothing", ingress: ingressOf(""), objects: []client.Object{standard(class("alb", ours)), standard(class("nginx", "k8s.io/nginx"))}, refused: "several IngressClasses"},
		"DefaultsOthers":   {reason: "unless none is podgate's", ingress: ingressOf(""), objects: []client.Object{standard(class("a", "k8s.io/a")), standard(class("b", "k8s.io/b"))}},
		"Annotation":       {reason: "the old annotation needs no class", ingress: ingressOf("", classAnnotation, "alb"), served: true, lbc: true},
		"AnnotationOthers": {reason: "another value is somebody else's", ingress: ingressOf("alb", classAnnotation, "nginx"), objects: []client.Object{class("alb", ours)}},
		"AnnotationClass":  {reason: "where there is a class of that name, it decides", ingress: ingressOf("", classAnnotation, "alb"), objects: []client.Object{class("alb", "k8s.io/nginx")}},
		"AnnotationOurs":   {reason: "also for podgate, and LBC goes by the annotation alone", ingress: ingressOf("", classAnnotation, "alb"), objects: []client.Object{class("alb", ours)}, served: true, lbc: true},
		"Both":             {reason: "two that say the same", ingress: ingressOf("alb", classAnnotation, "alb"), objects: []client.Object{class("alb", ours)}, served: true, lbc: true},
		"Conflict":         {reason: "the annotation wins, and that is told", ingress: ingressOf("nginx", classAnnotation, "alb"), served: true, lbc: true, notice: true},

		"Params":        {reason: "a class may have parameters", ingress: ingressOf("alb"), objects: []client.Object{class("alb", ours, "p"), params(elbv2.IngressClassParamsSpec{})}, served: true, params: true},
		"ParamsAbsent":  {reason: "which must be there", ingress: ingressOf("alb"), objects: []client.Object{class("alb", ours, "p")}, served: true, refused: `there is no IngressClassParams "p"`},
		"ParamsKind":    {reason: "and of their kind", ingress: ingressOf("alb"), objects: []client.Object{other}, served: true, refused: "are a ConfigMap"},
		"ParamsGroup":   {reason: "of its API group", ingress: ingressOf("alb"), objects: []client.Object{foreign, params(elbv2.IngressClassParamsSpec{})}, served: true, refused: "must be an IngressClassParams"},
		"ParamsCore":    {reason: "which is not the core's", ingress: ingressOf("alb"), objects: []client.Object{groupless, params(elbv2.IngressClassParamsSpec{})}, served: true, refused: "must be an IngressClassParams"},
		"Namespace":     {reason: "they may select namespaces", ingress: ingressOf("alb"), objects: []client.Object{class("alb", ours, "p"), selects("a")}, served: true, params: true},
		"NamespaceElse": {reason: "others may not use the class", ingress: ingressOf("alb"), objects: []client.Object{class("alb", ours, "p"), selects("b")}, served: true, params: true, refused: "does not select this namespace"},

		"Group":         {reason: "it may join a group", ingress: ingressOf("alb", groupAnnotation, "a.b-1"), objects: []client.Object{class("alb", ours)}, served: true, group: "a.b-1"},
		"GroupOfParams": {reason: "that of the parameters wins", ingress: ingressOf("alb", groupAnnotation, "a"), objects: []client.Object{class("alb", ours, "p"), params(elbv2.IngressClassParamsSpec{Group: &elbv2.IngressGroup{Name: "b"}})}, served: true, params: true, group: "b"},
		"GroupInvalid":  {reason: "its name has a form", ingress: ingressOf("alb", groupAnnotation, "A"), objects: []client.Object{class("alb", ours)}, served: true, refused: `is "A"`},
		"GroupEmpty":    {reason: "and is not empty", ingress: ingressOf("alb", groupAnnotation, ""), objects: []client.Object{class("alb", ours)}, served: true, refused: `is ""`},
		"GroupLongest":  {reason: "it has at most 63 characters", ingress: ingressOf("alb", groupAnnotation, strings.Repeat("a", 63)), objects: []client.Object{class("alb", ours)}, served: true, group: strings.Repeat("a", 63)},
		"GroupTooLong":  {reason: "and no more", ingress: ingressOf("alb", groupAnnotation, strings.Repeat("a", 64)), objects: []client.Object{class("alb", ours)}, served: true, refused: "at most 63"},
	} {
		t.Run(name, func(t *testing.T) {
			classes := Classes{
				Reader: fake.NewClientBuilder().WithScheme(scheme(t)).WithObjects(tc.objects...).Build(), Controllers: tc.extra,
				Labels: func(_ context.Context, namespace string) (map[string]string, error) {
					return map[string]string{"team": map[string]string{"shop": "a"}[namespace]}, nil
				},
			}
			got, err := classes.Of(t.Context(), tc.ingress)
			if err != nil {
				t.Fatal(err)
			}
			if got.Served != tc.served || got.LBC != tc.lbc || got.Notice != "" != tc.notice || got.Params != nil != tc.params || got.Group != tc.group {
				t.Errorf("%s: got %+v", tc.reason, got)
			}
			if !strings.Contains(got.Refused, tc.refused) || tc.refused == "" != (got.Refused == "") {
				t.Errorf("%s: refused with %q, want %q", tc.reason, got.Refused, tc.refused)
			}
		})
	}
}

func TestStacks(t *testing.T) {
	for _, key := range []Key{{Name: "a.b"}, {Namespace: "shop", Name: "web"}} {
		ing := ingressOf("")
		ing.Namespace, ing.Name = key.Namespace, key.Name
		ing.Finalizers = []string{"podgate.dev/ingress"}
		if key.Namespace == "" {
			ing.Namespace, ing.Name = "shop", "web"
			ing.Annotations[groupAnnotation] = key.Name
		}
		stacks := stacksOf(ing)
		if len(stacks) != 1 || keyOfStack(stacks[0]) != key || !holds(key, ing) {
			t.Errorf("of %v: %q", key, stacks)
		}
		ing.Finalizers = nil
		if holds(key, ing) {
			t.Errorf("%v holds it without the finalizer", key)
		}
	}
}

// TestUnknownClass: an Ingress of a class that is not there, or of a controller that nobody here is, is left alone without a word.
// It is served as soon as there is such a class of podgate's.
func TestUnknownClass(t *testing.T) {
	for name, tc := range map[string]struct {
		controller string
		served     bool
	}{"Ours": {v1alpha1.IngressController, true}, "Unknown": {"example.com/nobody", false}} {
		t.Run(name, func(t *testing.T) {
			ing := memberOf("web")[0].(*networkingv1.Ingress)
			ing.Spec.IngressClassName = new("late")
			w := newWorld(t, ing, memberOf("web")[1])
			m := mapper{w.Client, w.kind.(ingresses).classes}
			look := func() (woken int) {
				t.Helper()
				for _, group := range []Key{{Name: "g"}, client.ObjectKeyFromObject(ing)} {
					_, _ = w.reconcile(group)
				}
				return len(m.all(t.Context(), nil))
			}

			if woken := look(); woken > 0 || len(w.steps) > 0 || w.told() != "" || len(w.ingress("web").Finalizers) > 0 {
				t.Errorf("without the class %d groups are woken; steps %q", woken, w.steps)
			}
			if err := w.Create(t.Context(), class("late", tc.controller)); err != nil {
				t.Fatal(err)
			}
			if woken := look(); woken > 0 != tc.served || len(w.steps) > 0 != tc.served || len(w.ingress("web").Finalizers) > 0 != tc.served {
				t.Errorf("with the class %d groups are woken; steps %q", woken, w.steps)
			}
		})
	}
}
