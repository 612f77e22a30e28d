// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/podgate/podgate/internal/check"
)

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// reviewTimeout bounds how long the API server may take to say who may read what.
const reviewTimeout = 10 * time.Second

// neverKind reports whether objects of a kind are never read, whatever group and version it is asked for in.
func neverKind(kind string) bool { return strings.EqualFold(kind, "Secret") }

// neverResource is the same of what a kind is called in the API. Subresources, such as tokens, are no objects.
func neverResource(resource string) bool {
	return strings.EqualFold(resource, "secrets") || strings.Contains(resource, "/")
}

// place is where objects are read.
type place struct {
	resource  schema.GroupVersionResource
	namespace string
	name      string
	selector  string
}

// locate returns where a question's objects are. A word that is not empty says why they are never or not now read.
func (o *Objects) locate(q Question) (place, check.Word, error) {
	if neverKind(q.Kind.Kind) {
		return place{}, check.NotAllowed, nil
	}

	mapping, err := o.mapper.RESTMapping(q.Kind.GroupKind(), q.Kind.Version)
	if meta.IsNoMatchError(err) {
		return place{}, check.NoSuchKind, nil
	}
	if err != nil {
		return place{}, check.Word{}, fmt.Errorf("find the resource of kind %s: %w", q.Kind, err)
	}
	if neverResource(mapping.Resource.Resource) {
		return place{}, check.NotAllowed, nil
	}

	at := place{resource: mapping.Resource, namespace: q.Namespace, name: q.Name, selector: q.Selector}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		at.namespace = ""
	}
	return at, check.Word{}, nil
}

// allowed asks whether a question's account may read what it is about.
func (o *Objects) allowed(ctx context.Context, q Question, at place) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()

	verb := "list"
	if at.name != "" {
		verb = "get"
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		// As the API server knows the account.
		User:   "system:serviceaccount:" + q.Account.Namespace + ":" + q.Account.Name,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + q.Account.Namespace, "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: at.resource.Group, Version: at.resource.Version, Resource: at.resource.Resource, Namespace: at.namespace, Name: at.name,
		},
	}}
	if err := o.review(ctx, review); err != nil {
		return false, fmt.Errorf("review the access of a ServiceAccount: %w", err)
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}

// readable says why podgate itself cannot read objects that an account may; empty where it can.
func (o *Objects) readable(ctx context.Context, at place) (check.Word, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	client, options := o.reads(at)
	options.Limit = 1
	_, err := client.List(ctx, options)
	if err == nil {
		return check.Word{}, nil
	}
	if word := wordOf(err); word != check.NotRead {
		return word, nil
	}
	return check.Word{}, fmt.Errorf("list %s: %w", at.resource.GroupResource(), err)
}

// verdict is what was found out about a question's access, and when.
type verdict struct {
	word check.Word
	at   time.Time
}

// Access implements Reader. While pods ask the question it is known; else the API server is asked, once in a while.
func (o *Objects) Access(ctx context.Context, q Question) (check.Word, error) {
	word, known := o.known(q)
	if known || q.Name == "" && q.Selector == "" {
		return word, nil
	}

	now := time.Now()
	at, word, err := o.locate(q)
	if err != nil {
		return check.Word{}, err
	}
	if word == (check.Word{}) {
		allowed, err := o.allowed(ctx, q, at)
		if err != nil {
			return check.Word{}, err
		}
		word = check.NotAllowed
		if allowed {
			word, err = o.readable(ctx, at)
		}
		if err != nil {
			return word, err
		}
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.verdicts, func(_ Question, v verdict) bool { return now.Sub(v.at) >= retry })
	o.verdicts[q] = verdict{word, now}
	return word, nil
}

// known returns why a question has no answer, as far as pods that ask it have found out. A question without a name is all those of
// its kind.
func (o *Objects) known(q Question) (word check.Word, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for other, a := range o.questions {
		if q.Name == "" {
			other.Name = ""
		}
		if other != q {
			continue
		}

		word := a.word
		if a.watch != nil {
			word = a.watch.word
		}
		switch word {
		case check.NotAllowed, check.NoRights, check.NoSuchKind:
			return word, true
		case check.NotRead:
			continue
		}
		known = true
	}

	v, asked := o.verdicts[q]
	if !known && asked && time.Since(v.at) < retry {
		return v.word, true
	}
	return check.Word{}, known
}
