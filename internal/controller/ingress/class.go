// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// lbcController is what the IngressClasses of AWS Load Balancer Controller name.
const lbcController = "ingress.k8s.aws/alb"

// classAnnotation is what chose a class before spec.ingressClassName did, and albClass its value that is served.
const (
	classAnnotation = "kubernetes.io/ingress.class"
	albClass        = "alb"
)

// Class is what an Ingress's class says of it.
type Class struct {
	// Served: it is podgate's.
	Served bool
	// Refused is why it cannot be served although it should be, or why that cannot be told; for people.
	Refused string
	// Notice is for people, too, of one that is served all the same.
	Notice string
	// LBC: AWS Load Balancer Controller, where it runs, would serve it as well.
	LBC bool
	// Params are the class's; nil: it has none.
	Params *elbv2.IngressClassParams
	// Group is the explicit group that it joins; empty: it has a load balancer of its own.
	Group string
}

// Classes tell which Ingresses are podgate's.
type Classes struct {
	// Reader has the IngressClasses and IngressClassParams.
	Reader client.Reader
	// Controllers are what the IngressClasses that are served name, besides v1alpha1.IngressController.
	Controllers []string
	// Labels returns the labels of a namespace.
	Labels func(ctx context.Context, namespace string) (map[string]string, error)
}

// Of returns what an Ingress's class says of it. The annotation decides where there is one, then the name of the class, then
// the default class.
func (c Classes) Of(ctx context.Context, ing *networkingv1.Ingress) (Class, error) {
	name, notice := ing.Spec.IngressClassName, ""
	annotation, annotated := ing.Annotations[classAnnotation]
	if annotated {
		if annotation != albClass {
			return Class{}, nil
		}
		if name != nil && *name != annotation {
			notice = fmt.Sprintf("spec.ingressClassName %q does not count beside the annotation %s: %q: remove one of the two", *name, classAnnotation, annotation)
		}
		name = &annotation
	}
	if name == nil {
		return c.byDefault(ctx, ing)
	}

	class := &networkingv1.IngressClass{}
	err := c.Reader.Get(ctx, types.NamespacedName{Name: *name}, class)
	switch {
	case apierrors.IsNotFound(err) && annotated:
		return grouped(ing, Class{Served: true, LBC: true, Notice: notice}), nil
	case apierrors.IsNotFound(err):
		return Class{Refused: fmt.Sprintf("there is no IngressClass %q: create it, or name another one in spec.ingressClassName", *name)}, nil
	case err != nil:
		return Class{}, fmt.Errorf("get IngressClass %q: %w", *name, err)
	}

	of, err := c.by(ctx, ing, class)
	of.Notice = notice
	of.LBC = of.LBC || annotated && of.Served
	return of, err
}

// byDefault is what the default class says.
func (c Classes) byDefault(ctx context.Context, ing *networkingv1.Ingress) (Class, error) {
	var all networkingv1.IngressClassList
	if err := c.Reader.List(ctx, &all); err != nil {
		return Class{}, fmt.Errorf("list IngressClasses: %w", err)
	}
	all.Items = slices.DeleteFunc(all.Items, func(class networkingv1.IngressClass) bool {
		return class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] != "true"
	})

	if len(all.Items) == 1 {
		return c.by(ctx, ing, &all.Items[0])
	}
	if !slices.ContainsFunc(all.Items, func(class networkingv1.IngressClass) bool { return c.serves(&class) }) {
		return Class{}, nil
	}
	return Class{Refused: "several IngressClasses are the default: name one in spec.ingressClassName"}, nil
}

// serves reports whether the Ingresses of a class are podgate's.
func (c Classes) serves(class *networkingv1.IngressClass) bool {
	return class.Spec.Controller == v1alpha1.IngressController || slices.Contains(c.Controllers, class.Spec.Controller)
}

// by is what a class says.
func (c Classes) by(ctx context.Context, ing *networkingv1.Ingress, class *networkingv1.IngressClass) (Class, error) {
	if !c.serves(class) {
		return Class{}, nil
	}
	of := Class{Served: true, LBC: class.Spec.Controller == lbcController}

	ref := class.Spec.Parameters
	if ref == nil {
		return grouped(ing, of), nil
	}
	if ref.APIGroup == nil || *ref.APIGroup != elbv2.GroupVersion.Group || ref.Kind != "IngressClassParams" {
		of.Refused = fmt.Sprintf("the parameters of IngressClass %q are a %s: they must be an IngressClassParams of %s", class.Name, ref.Kind, elbv2.GroupVersion.Group)
		return of, nil
	}

	params := &elbv2.IngressClassParams{}
	err := c.Reader.Get(ctx, types.NamespacedName{Name: ref.Name}, params)
	if apierrors.IsNotFound(err) {
		of.Refused = fmt.Sprintf("there is no IngressClassParams %q, which IngressClass %q names: create it", ref.Name, class.Name)
		return of, nil
	}
	if err != nil {
		return Class{}, fmt.Errorf("get IngressClassParams %q: %w", ref.Name, err)
	}

	of.Params = params
	if of.Refused, err = c.refusesNamespace(ctx, ing.Namespace, params); err != nil {
		return Class{}, err
	}
	return grouped(ing, of), nil
}

// refusesNamespace says why a class is not for Ingresses of a namespace; empty: it is.
func (c Classes) refusesNamespace(ctx context.Context, namespace string, params *elbv2.IngressClassParams) (string, error) {
	if params.Spec.NamespaceSelector == nil {
		return "", nil
	}
	selector, err := metav1.LabelSelectorAsSelector(params.Spec.NamespaceSelector)
	if err != nil {
		return fmt.Sprintf("spec.namespaceSelector of IngressClassParams %q cannot be used: %v", params.Name, err), nil
	}

	has, err := c.Labels(ctx, namespace)
	if err != nil {
		return "", fmt.Errorf("get the labels of namespace %q: %w", namespace, err)
	}
	if !selector.Matches(labels.Set(has)) {
		return fmt.Sprintf("spec.namespaceSelector of IngressClassParams %q does not select this namespace: label the namespace, or use another class", params.Name), nil
	}
	return "", nil
}

// groupAnnotation is the explicit group that an Ingress joins.
const groupAnnotation = routes.Prefix + "group.name"

var groupName = regexp.MustCompile(`^([a-z0-9][-a-z0-9.]*)?[a-z0-9]$`)

const maxGroupName = 63

// grouped adds the group.
func grouped(ing *networkingv1.Ingress, of Class) Class {
	name, where := ing.Annotations[groupAnnotation], "the annotation "+groupAnnotation
	_, asked := ing.Annotations[groupAnnotation]
	if of.Params != nil && of.Params.Spec.Group != nil {
		name, where, asked = of.Params.Spec.Group.Name, "spec.group.name of IngressClassParams "+of.Params.Name, true
	}

	switch {
	case !asked:
	case len(name) > maxGroupName || !groupName.MatchString(name):
		if of.Refused == "" {
			of.Refused = fmt.Sprintf("%s is %q: a group's name has at most %d lower case letters, digits, dashes and dots", where, name, maxGroupName)
		}
	default:
		of.Group = name
	}
	return of
}

// Key names a group of Ingresses.
type Key = routes.Key

// keyOf is the group of an Ingress that its class lets join an explicit one.
func keyOf(ing client.Object, explicit string) Key {
	if explicit != "" {
		return Key{Name: explicit}
	}
	return client.ObjectKeyFromObject(ing)
}

// keyOfStack is the group that routes.StackOf calls so.
func keyOfStack(stack string) Key {
	if namespace, name, own := strings.Cut(stack, "/"); own {
		return Key{Namespace: namespace, Name: name}
	}
	return Key{Name: stack}
}
