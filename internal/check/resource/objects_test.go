// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
)

// The answers of checks that look at objects.
const (
	passes     = "Pass: the expression is true"
	fails      = "Fail: the expression is false"
	unread     = "NoAnswer: not read yet"
	notFound   = "NoAnswer: object not found"
	notAllowed = "NoAnswer: not allowed"
)

func key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: name}
}

// expect asks about a pod, and again when all that follows from it has happened.
func (w *world) expect(c check.Checker, s check.Subject, what, want string) {
	w.Helper()
	ask(w.T, c, s)
	time.Sleep(100 * time.Millisecond) // How often accounts are asked about is bounded.
	synctest.Wait()
	if got := ask(w.T, c, s); got != want {
		w.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// TestObjectIsFollowed: pods that looked at an object are woken when it changes, and only those.
func TestObjectIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		checker, web := w.check(migrated()), pod("web-0")
		if got := ask(t, checker, web); got != unread {
			t.Errorf("before podgate leads: %q", got)
		}
		end := w.run()
		synctest.Wait()
		if got := w.wakes(); !slices.Contains(got, key("web-0")) {
			t.Errorf("read, and the pod that waited for that is not woken: %v", got)
		}
		w.expect(checker, web, "no object", notFound)

		for _, step := range []struct {
			what, want string
			do         func()
		}{
			{"created", fails, func() { w.put(job("migrate", "Suspended")) }},
			{"complete", passes, func() { w.put(job("migrate", "Complete")) }},
			{"failed", fails, func() { w.put(job("migrate", "Failed")) }},
			{"a field that is not there", "NoAnswer: the expression could not be evaluated", func() {
				o := job("migrate", "")
				delete(o.Object, "status")
				w.put(o)
			}},
			{"deleted", notFound, func() { w.remove("migrate") }},
		} {
			time.Sleep(2 * wakePause)
			w.wakes()
			ask(t, checker, web)
			step.do()
			synctest.Wait()
			if got := w.wakes(); !slices.Equal(got, []types.NamespacedName{key("web-0")}) {
				t.Errorf("%s: woken are %v", step.what, got)
			}
			w.expect(checker, web, step.what, step.want)
		}

		time.Sleep(2 * wakePause)
		w.wakes()
		ask(t, checker, web)
		w.put(job("another", "Complete"))
		time.Sleep(2 * wakePause)
		if got := w.wakes(); len(got) > 0 {
			t.Errorf("another object changed, and woken are %v", got)
		}

		end()
		w.put(job("migrate", "Complete"))
		if got := ask(t, checker, web); got == passes {
			t.Error("podgate does not lead any more, and knows what changed since")
		}
	})
}

// TestOneWatch: objects are watched once for all pods, gates and accounts, and not any more when no pod has looked for a while.
func TestOneWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		w.put(job("migrate", "Complete"))
		other := migrated()
		other.ServiceAccountName, other.Expression = "other", "object.metadata.name == 'migrate'"
		foreign := migrated()
		foreign.Namespace = "shop"
		elsewhere, err := New("pay", foreign, w.objects)
		if err != nil {
			t.Fatal(err)
		}

		checkers := []check.Checker{w.check(migrated()), w.check(migrated()), w.check(other), elsewhere}
		for i, c := range checkers {
			w.expect(c, pod(fmt.Sprintf("web-%d", i)), "an object that is complete", passes)
		}
		if lists, watches := w.requests("list"), w.requests("watch"); lists != 1 || watches != 1 {
			t.Errorf("%d lists and %d watches, want one", lists, watches)
		}

		// One of them still looks when it is woken.
		for range 3 {
			time.Sleep(remind)
			synctest.Wait()
			if !slices.Contains(w.wakes(), key("web-3")) {
				t.Error("a pod that waits is not reminded")
			}
			ask(t, elsewhere, pod("web-3"))
		}
		synctest.Wait()
		if questions, watches := w.held(); questions != 1 || watches != 1 || w.requests("watch") != 1 {
			t.Errorf("%d questions and %d watches are left, of %d", questions, watches, w.requests("watch"))
		}
		time.Sleep(2*remind + time.Second)
		synctest.Wait()
		if questions, watches := w.held(); questions+watches > 0 {
			t.Error("nobody looks any more, and the object is watched")
		}

		w.put(job("migrate", "Failed"))
		w.expect(checkers[0], pod("web-0"), "looked at again", fails)
	})
}

// TestLaw1NoAccessNoAnswer: the account is asked about before anything is read, and again later. What an account may not read is not answered from
// what was read for another one.
func TestLaw1NoAccessNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		w.put(job("migrate", "Complete"))
		allowed := "system:serviceaccount:shop:gatekeeper"
		w.may(func(r authorizationv1.SubjectAccessReviewSpec) (bool, error) { return r.User == allowed, nil })

		stranger := migrated()
		stranger.ServiceAccountName = "stranger"
		w.expect(w.check(stranger), pod("web-1"), "an account that may not", notAllowed)
		if n := w.requests("list"); n > 0 {
			t.Errorf("nobody may read it, and it was read %d times", n)
		}
		checker := w.check(migrated())
		w.expect(checker, pod("web-0"), "an account that may", passes)
		w.expect(w.check(stranger), pod("web-1"), "an account that may not, of what is read", notAllowed)

		want := authorizationv1.SubjectAccessReviewSpec{
			User: allowed, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Group: "batch", Version: "v1", Resource: "jobs", Namespace: "shop", Name: "migrate"},
		}
		if diff := cmp.Diff(want, w.reviewed()[len(w.reviewed())-1]); diff != "" {
			t.Errorf("asked (-want, +got):\n%s", diff)
		}

		// Taken away.
		w.may(func(authorizationv1.SubjectAccessReviewSpec) (bool, error) { return false, nil })
		w.wakes()
		for range int(renew/remind) + 1 {
			time.Sleep(remind)
			ask(t, checker, pod("web-0"))
		}
		w.expect(checker, pod("web-0"), "taken away", notAllowed)
		synctest.Wait()
		if _, watches := w.held(); watches > 0 {
			t.Error("nobody may read it any more, and it is watched")
		}

		// Given back.
		w.may(func(r authorizationv1.SubjectAccessReviewSpec) (bool, error) { return r.User == allowed, nil })
		w.wakes()
		time.Sleep(retry + time.Second)
		if !slices.Contains(w.wakes(), key("web-0")) {
			t.Error("the account may read again, and the pod is not woken")
		}
		w.expect(checker, pod("web-0"), "given back", passes)

		// Nobody knows: what was allowed is so for a while.
		w.may(func(authorizationv1.SubjectAccessReviewSpec) (bool, error) { return false, errors.New("down") })
		for i := range int((renew+leeway)/retry) + 1 {
			got := ask(t, checker, pod("web-0"))
			if early := time.Duration(i)*retry < renew; early && got != passes {
				t.Errorf("after %s: %q", time.Duration(i)*retry, got)
			}
			time.Sleep(retry)
		}
		w.expect(checker, pod("web-0"), "unknown for too long", unread)
	})
}

// TestWhereObjectsAre: what is asked and read is as the kind is in the cluster. Secrets, tokens and other subresources never are.
func TestWhereObjectsAre(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.ResourceCheck)
		want   string
		review *authorizationv1.ResourceAttributes
	}{
		"Elsewhere": {
			func(c *v1alpha1.ResourceCheck) { c.Namespace = "pay" }, notFound,
			&authorizationv1.ResourceAttributes{Verb: "get", Group: "batch", Version: "v1", Resource: "jobs", Namespace: "pay", Name: "migrate"},
		},
		"WithoutNamespace": {
			func(c *v1alpha1.ResourceCheck) { c.APIVersion, c.Kind = "v1", "Node" }, notFound,
			&authorizationv1.ResourceAttributes{Verb: "get", Version: "v1", Resource: "nodes", Name: "migrate"},
		},
		"BySelector": {
			func(c *v1alpha1.ResourceCheck) {
				c.Name, c.Selector, c.Expression = "", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "migrate"}}, "objects.size() == 1 && objects[0].metadata.name == 'migrate'"
			}, passes,
			&authorizationv1.ResourceAttributes{Verb: "list", Group: "batch", Version: "v1", Resource: "jobs", Namespace: "shop"},
		},
		"NoSuchKind":  {func(c *v1alpha1.ResourceCheck) { c.Kind = "Unknown" }, "NoAnswer: the cluster does not have the kind of object", nil},
		"Alias":       {func(c *v1alpha1.ResourceCheck) { c.APIVersion, c.Kind = "v1", "Hidden" }, notAllowed, nil},
		"Spelling":    {func(c *v1alpha1.ResourceCheck) { c.APIVersion, c.Kind = "v1", "Shouted" }, notAllowed, nil},
		"Subresource": {func(c *v1alpha1.ResourceCheck) { c.APIVersion, c.Kind = "v1", "TokenRequest" }, notAllowed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.run()
				w.put(job("migrate", "Complete"))
				before := len(w.client.Actions())
				c := migrated()
				tc.change(&c)
				w.expect(w.check(c), pod("web-0"), "answer", tc.want)

				if tc.review == nil {
					if len(w.client.Actions()) > before || len(w.reviewed()) > 0 {
						t.Errorf("the API server was asked: %v, %v", w.client.Actions()[before:], w.reviewed())
					}
					return
				}
				if diff := cmp.Diff(tc.review, w.reviewed()[0].ResourceAttributes); diff != "" {
					t.Errorf("reviewed (-want, +got):\n%s", diff)
				}
				list := w.client.Actions()[before].(clienttesting.ListActionImpl)
				if list.GetResource().Resource != tc.review.Resource || list.GetNamespace() != tc.review.Namespace {
					t.Errorf("read %s of %q", list.GetResource(), list.GetNamespace())
				}
				named := strings.Contains(list.ListOptions.FieldSelector, "metadata.name=migrate")
				if named == (c.Selector != nil) || c.Selector != nil && !strings.Contains(list.ListOptions.LabelSelector, "app=") || list.ListOptions.Limit != pageSize && list.GetNamespace() != "" {
					t.Errorf("read with %+v", list.ListOptions)
				}
			})
		})
	}
}

// TestLaw1WhatIsNotHeardIsNotKnown: what is not heard of is not known, and read again soon.
func TestLaw1WhatIsNotHeardIsNotKnown(t *testing.T) {
	for name, tc := range map[string]struct {
		verb string
		err  error
		want string
	}{
		"Refused":  {"list", apierrors.NewForbidden(jobs.GroupResource(), "", errors.New("no role")), "NoAnswer: podgate may not read objects of the kind"},
		"NoWatch":  {"watch", apierrors.NewForbidden(jobs.GroupResource(), "", errors.New("no role")), "NoAnswer: podgate may not read objects of the kind"},
		"NoKind":   {"list", apierrors.NewNotFound(jobs.GroupResource(), ""), "NoAnswer: the cluster does not have the kind of object"},
		"Down":     {"list", errors.New("down"), unread},
		"NotHeard": {"watch", errors.New("down"), unread},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.run()
				w.put(job("migrate", "Complete"))
				var failing atomic.Bool
				failing.Store(true)
				w.client.PrependReactor(tc.verb, "*", func(clienttesting.Action) (bool, runtime.Object, error) { return failing.Load(), nil, tc.err })
				w.client.PrependWatchReactor("*", func(clienttesting.Action) (bool, watch.Interface, error) {
					return failing.Load() && tc.verb == "watch", nil, tc.err
				})

				checker := w.check(migrated())
				w.expect(checker, pod("web-0"), "failing", tc.want)
				time.Sleep(time.Minute)
				w.wakes()
				ask(t, checker, pod("web-0"))
				if n := w.requests(tc.verb); n > 10 {
					t.Errorf("tried %d times in a minute", n)
				}
				failing.Store(false)
				time.Sleep(2 * maxBackoff)
				if !slices.Contains(w.wakes(), key("web-0")) {
					t.Error("it is read again, and the pod is not woken")
				}
				w.expect(checker, pod("web-0"), "working", passes)
			})
		})
	}
}

// TestEndedWatch: a watch that ends is begun again, and what changed meanwhile is seen. What can be listed and not watched
// any more is not known.
func TestEndedWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		w.put(job("migrate", "Failed"))
		events := watch.NewFake()
		first := true
		w.client.PrependWatchReactor("*", func(clienttesting.Action) (bool, watch.Interface, error) {
			mine := first
			first = false
			return mine, events, nil
		})
		checker := w.check(migrated())
		w.expect(checker, pod("web-0"), "failed", fails)

		bookmark := job("migrate", "Complete")
		events.Action(watch.Bookmark, bookmark)
		w.expect(checker, pod("web-0"), "a bookmark is no object", fails)
		w.put(job("migrate", "Complete"))
		events.Error(&apierrors.NewResourceExpired("too old").ErrStatus)
		w.expect(checker, pod("web-0"), "cut off", unread)
		time.Sleep(2 * minBackoff)
		w.expect(checker, pod("web-0"), "begun again", passes)
	})
}

// TestLaw1EndedWatch: from the end of a watch until what is there was read again nothing is known, also where it ended without an error.
func TestLaw1EndedWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		w.put(job("migrate", "Complete"))
		events := watch.NewFake()
		first := true
		w.client.PrependWatchReactor("*", func(clienttesting.Action) (bool, watch.Interface, error) {
			mine := first
			first = false
			return mine, events, nil
		})
		checker := w.check(migrated())
		w.expect(checker, pod("web-0"), "complete", passes)

		events.Stop()
		w.expect(checker, pod("web-0"), "ended", unread)
		time.Sleep(2 * minBackoff)
		w.expect(checker, pod("web-0"), "begun again", passes)
	})
}

// TestManyChanges: an object that changes all the time does not keep podgate busy.
func TestManyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		checker := w.check(migrated())
		pods := 200
		for i := range 100 {
			w.put(job("migrate", fmt.Sprintf("Changed%d", i)))
			for p := range pods {
				ask(t, checker, pod(fmt.Sprintf("web-%d", p)))
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(w.wakes()); n < 3*pods || n > 8*pods {
			t.Errorf("in 10 s %d pods were woken %d times", pods, n)
		}
	})
}

// TestLimits: nobody can fill podgate's memory with what others let them read, and nobody's share is another's.
func TestLimits(t *testing.T) {
	many := migrated()
	many.Name, many.Selector, many.Expression = "", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "migrate"}}, "objects.size() > 0"
	const tooMuch = "NoAnswer: too many objects, or too large ones"

	t.Run("Objects", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.run()
			for i := range maxObjects {
				w.put(job(fmt.Sprintf("job-%d", i), "Complete"))
			}
			checker := w.check(many)
			w.expect(checker, pod("web-0"), "as many as may be", passes)
			w.put(job("another", "Complete"))
			w.expect(checker, pod("web-0"), "one more", tooMuch)
			time.Sleep(2 * maxBackoff)
			w.expect(checker, pod("web-0"), "still", tooMuch)
			w.remove("another")
			time.Sleep(2 * maxBackoff)
			w.expect(checker, pod("web-0"), "one less", passes)
		})
	})

	t.Run("Size", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.run()
			large := func(name string, size int) *unstructured.Unstructured {
				o := job(name, "Complete")
				o.SetAnnotations(map[string]string{"text": strings.Repeat("a", size)})
				return o
			}
			w.put(large("migrate", maxSize))
			checker := w.check(migrated())
			w.expect(checker, pod("web-0"), "too large", tooMuch)
			w.put(large("migrate", maxSize-10_000))
			time.Sleep(2 * maxBackoff)
			w.expect(checker, pod("web-0"), "small enough", passes)

			for i := range 3 {
				c := migrated()
				c.Name = fmt.Sprintf("migrate-%d", i)
				w.put(large(c.Name, maxSize-10_000))
				w.expect(w.check(c), pod("web-0"), "another one", passes)
			}
			c := migrated()
			c.Name = "migrate-4"
			w.put(large(c.Name, maxSize-10_000))
			w.expect(w.check(c), pod("web-0"), "more than the namespace may have", tooMuch)

			// What is refused again and again takes nothing from the others.
			time.Sleep(4 * maxBackoff)
			changed := large("migrate-0", maxSize-10_000)
			changed.SetLabels(map[string]string{"app": "migrate", "changed": "yes"})
			w.put(changed)
			first := migrated()
			first.Name = "migrate-0"
			w.expect(w.check(first), pod("web-0"), "a change beside what was refused", passes)

			c.Namespace = "shop"
			elsewhere, err := New("pay", c, w.objects)
			if err != nil {
				t.Fatal(err)
			}
			ask(t, elsewhere, pod("web-0"))
			time.Sleep(2 * maxBackoff)
			w.expect(elsewhere, pod("web-0"), "another namespace", passes)
		})
	})
}

// TestLaw7NamespacesHaveAShare: who looks at many objects keeps nobody in another namespace from looking at one.
func TestLaw7NamespacesHaveAShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		c := migrated()
		c.Name = "migrate-$(pod.name)"
		checker := w.check(c)
		for i := range maxPerNamespace {
			w.put(job(fmt.Sprintf("migrate-web-%d", i), "Complete"))
			ask(t, checker, pod(fmt.Sprintf("web-%d", i)))
		}
		w.put(job("migrate-late", "Complete"))
		w.expect(checker, pod("late"), "one too many", "NoAnswer: too many objects are looked at already")
		elsewhere, err := New("pay", c, w.objects)
		if err != nil {
			t.Fatal(err)
		}
		ask(t, elsewhere, pod("web-0"))
		time.Sleep(time.Minute)
		w.expect(elsewhere, pod("web-0"), "another namespace", "NoAnswer: object not found")

		w.wakes()
		time.Sleep(2*remind + time.Second)
		if !slices.Contains(w.wakes(), key("late")) {
			t.Error("there is room again, and the pod is not woken")
		}
		w.expect(checker, pod("late"), "after that", passes)
	})
}

// TestLaw7NamespacesLeaveRoom: however many namespaces look at as many objects as they may, another one can look at some.
func TestLaw7NamespacesLeaveRoom(t *testing.T) {
	w := newWorld(t)
	look := func(namespace string, n int) (refused int) {
		for i := range n {
			q := Question{Namespace: namespace, Name: fmt.Sprintf("migrate-%d", i), Account: types.NamespacedName{Namespace: namespace, Name: "gatekeeper"}}
			if _, word := w.objects.Look(q, types.NamespacedName{Namespace: namespace, Name: fmt.Sprintf("web-%d", i)}); word == check.TooManyLooks {
				refused++
			}
		}
		return refused
	}

	refused := 0
	for i := range 2 * maxQuestions / maxPerNamespace {
		refused += look(fmt.Sprintf("many-%d", i), maxPerNamespace)
	}
	if refused == 0 || len(w.objects.questions) > maxQuestions {
		t.Fatalf("%d questions, and %d more were refused", len(w.objects.questions), refused)
	}
	if n := look("pay", few); n > 0 {
		t.Errorf("of the first %d questions of another namespace %d were refused", few, n)
	}
	if n := look("pay", few+1); n != 1 {
		t.Errorf("of %d questions of another namespace %d were refused", few+1, n)
	}
}

// TestRefusedPodsAreReminded: those whose questions were too many look again once in a while, so that none that is gone is remembered.
func TestRefusedPodsAreReminded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		c := migrated()
		c.Name = "migrate-$(pod.name)"
		checker := w.check(c)
		for minute := range 5 {
			for i := range maxPerNamespace {
				ask(t, checker, pod(fmt.Sprintf("web-%d", i)))
			}
			ask(t, checker, pod(fmt.Sprintf("late-%d", minute)))
			w.wakes()
			time.Sleep(remind)
			synctest.Wait()
			if !slices.Contains(w.wakes(), key(fmt.Sprintf("late-%d", minute))) {
				t.Errorf("late-%d is not reminded", minute)
			}
			w.objects.mu.Lock()
			if n := len(w.objects.refused); n > 0 {
				t.Errorf("%d pods are remembered that were refused, all of which are gone", n)
			}
			w.objects.mu.Unlock()
		}
	})
}

// TestSlim: what no expression needs takes no memory.
func TestSlim(t *testing.T) {
	o := job("migrate", "Complete")
	o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kubectl"}})
	o.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}", "other": "kept"})
	got := slim(o)
	if len(got.GetManagedFields()) > 0 || !cmp.Equal(got.GetAnnotations(), map[string]string{"other": "kept"}) {
		t.Errorf("got %v", got)
	}
}

// TestAccessOfACheck: whether a check can be answered is known before a pod asks, and by what pods found out afterwards.
func TestAccessOfACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		w.put(job("migrate", "Complete"))
		access := func(what string, c v1alpha1.ResourceCheck, want check.Word, reviews int) {
			t.Helper()
			made, err := New("shop", c, w.objects)
			if err != nil {
				t.Fatal(err)
			}
			before := len(w.reviewed())
			if word, err := made.Access(t.Context()); err != nil || word != want || len(w.reviewed())-before != reviews {
				t.Errorf("%s: %q and %v after %d reviews, want %q after %d", what, word, err, len(w.reviewed())-before, want, reviews)
			}
		}
		perPod, unknown, alias, several := migrated(), migrated(), migrated(), migrated()
		perPod.Name = "migrate-$(pod.name)"
		unknown.Kind = "Unknown"
		alias.APIVersion, alias.Kind = "v1", "Hidden"
		several.Name, several.Selector, several.Expression = "", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "migrate"}}, "true"

		access("allowed", migrated(), check.Word{}, 1)
		access("allowed a moment ago", migrated(), check.Word{}, 0)
		access("by selector", several, check.Word{}, 1)
		access("a name of each pod", perPod, check.Word{}, 0)
		access("no such kind", unknown, check.NoSuchKind, 0)
		access("an alias of Secrets", alias, check.NotAllowed, 0)

		w.may(func(authorizationv1.SubjectAccessReviewSpec) (bool, error) { return false, errors.New("down") })
		time.Sleep(retry)
		made := w.check(migrated()).(Checker)
		if _, err := made.Access(t.Context()); err == nil {
			t.Error("nobody knows, and there is no error")
		}

		w.may(func(authorizationv1.SubjectAccessReviewSpec) (bool, error) { return false, nil })
		access("refused", migrated(), check.NotAllowed, 1)
		access("refused a moment ago", migrated(), check.NotAllowed, 0)
		w.expect(w.check(perPod), pod("web-0"), "a pod that asks", notAllowed)
		access("refused to a pod", perPod, check.NotAllowed, 0)

		w.may(func(authorizationv1.SubjectAccessReviewSpec) (bool, error) { return true, nil })
		time.Sleep(retry + time.Second)
		w.expect(w.check(perPod), pod("web-0"), "a pod that asks", notFound)
		access("allowed to a pod", perPod, check.Word{}, 0)
		w.client.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(jobs.GroupResource(), "", errors.New("no role"))
		})
		w.expect(w.check(migrated()), pod("web-0"), "podgate may not", "NoAnswer: podgate may not read objects of the kind")
		access("podgate may not", migrated(), check.NoRights, 0)
	})
}

// TestAccessOfPodgate: that podgate itself may not read what an account may is known before a pod asks, too.
func TestAccessOfPodgate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var fails error
		w.client.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return fails != nil, nil, fails })
		several := migrated()
		several.Name, several.Selector, several.Expression = "", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "migrate"}}, "true"
		for _, c := range []v1alpha1.ResourceCheck{migrated(), several} {
			for what, step := range map[string]struct {
				fails error
				want  check.Word
				known bool
			}{
				"may read":     {nil, check.Word{}, true},
				"may not":      {apierrors.NewForbidden(jobs.GroupResource(), "", errors.New("no role")), check.NoRights, true},
				"kind is gone": {apierrors.NewNotFound(jobs.GroupResource(), ""), check.NoSuchKind, true},
				"down":         {errors.New("down"), check.Word{}, false},
			} {
				fails = step.fails
				time.Sleep(retry)
				if word, err := w.check(c).(Checker).Access(t.Context()); word != step.want || (err == nil) != step.known {
					t.Errorf("%s: %q, %v", what, word, err)
				}
			}
		}
	})
}

// TestLaw1NoObjectsPassNothing: what is true of all of no objects opens nothing.
func TestLaw1NoObjectsPassNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		c := migrated()
		c.Name, c.Selector, c.Expression = "", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "migrate"}}, "objects.all(o, o.metadata.name == 'migrate')"
		checker := w.check(c)
		w.expect(checker, pod("web-0"), "of no object", notFound)
		w.put(job("migrate", "Complete"))
		w.expect(checker, pod("web-0"), "of one", passes)
	})
}
