// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/fake"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/checktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	jobs  = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
	nodes = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
)

// world is a cluster with Jobs and Nodes, in which one may read what the test says.
type world struct {
	*testing.T
	client  *fake.FakeDynamicClient
	objects *Objects

	mu      sync.Mutex
	allow   func(authorizationv1.SubjectAccessReviewSpec) (bool, error)
	reviews []authorizationv1.SubjectAccessReviewSpec
	woken   []types.NamespacedName
}

// newWorld makes a world whose objects are not watched before run.
func newWorld(t *testing.T) *world {
	w := &world{T: t, allow: func(authorizationv1.SubjectAccessReviewSpec) (bool, error) { return true, nil }}
	w.client = fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{jobs: "JobList", nodes: "NodeList"})

	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(jobs.GroupVersion().WithKind("Job"), meta.RESTScopeNamespace)
	mapper.Add(nodes.GroupVersion().WithKind("Node"), meta.RESTScopeRoot)
	for _, alias := range []struct{ kind, resource string }{{"Hidden", "secrets"}, {"TokenRequest", "serviceaccounts/token"}, {"Shouted", "Secrets"}} {
		resource := corev1.SchemeGroupVersion.WithResource(alias.resource)
		mapper.AddSpecific(corev1.SchemeGroupVersion.WithKind(alias.kind), resource, resource, meta.RESTScopeNamespace)
	}

	w.objects = NewObjects(Config{Client: w.client, Mapper: mapper, Review: w.review, Wake: w.wake})
	return w
}

// run has objects watched until the test ends, or the returned function is called.
func (w *world) run() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.objects.Run(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
	w.Cleanup(end)
	return end
}

func (w *world) review(_ context.Context, r *authorizationv1.SubjectAccessReview) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reviews = append(w.reviews, r.Spec)
	var err error
	r.Status.Allowed, err = w.allow(r.Spec)
	return err
}

// reviewed returns what the API server was asked about accounts.
func (w *world) reviewed() []authorizationv1.SubjectAccessReviewSpec {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.reviews)
}

// may says what accounts may do from now on.
func (w *world) may(allow func(authorizationv1.SubjectAccessReviewSpec) (bool, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allow = allow
}

func (w *world) wake(pod types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.woken = append(w.woken, pod)
}

// wakes returns which pods were woken since it was called last.
func (w *world) wakes() []types.NamespacedName {
	w.mu.Lock()
	defer w.mu.Unlock()
	woken := w.woken
	w.woken = nil
	return woken
}

// job is a Job that failed, passed, or neither.
func job(name, condition string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": map[string]any{"namespace": "shop", "name": name, "labels": map[string]any{"app": "migrate"}},
		"status":   map[string]any{"conditions": []any{map[string]any{"type": condition, "status": "True"}}},
	}}
	return o
}

// put makes or changes a Job.
func (w *world) put(o *unstructured.Unstructured) {
	w.Helper()
	of := w.client.Resource(jobs).Namespace(o.GetNamespace())
	if _, err := of.Update(w.Context(), o, metav1.UpdateOptions{}); err == nil {
		return
	}
	if _, err := of.Create(w.Context(), o, metav1.CreateOptions{}); err != nil {
		w.Fatal(err)
	}
}

func (w *world) remove(name string) {
	w.Helper()
	if err := w.client.Resource(jobs).Namespace("shop").Delete(w.Context(), name, metav1.DeleteOptions{}); err != nil {
		w.Fatal(err)
	}
}

// held counts the questions and watches that there are.
func (w *world) held() (questions, watches int) {
	w.objects.mu.Lock()
	defer w.objects.mu.Unlock()
	return len(w.objects.questions), len(w.objects.watches)
}

// requests counts the requests of a kind.
func (w *world) requests(verb string) int {
	n := 0
	for _, action := range w.client.Actions() {
		if action.GetVerb() == verb {
			n++
		}
	}
	return n
}

const complete = "object.status.conditions.exists(c, c.type == 'Complete' && c.status == 'True')"

// migrated is a check of the Job migrate.
func migrated() v1alpha1.ResourceCheck {
	return v1alpha1.ResourceCheck{APIVersion: "batch/v1", Kind: "Job", Name: "migrate", ServiceAccountName: "gatekeeper", Expression: complete}
}

// check makes a check of the namespace shop.
func (w *world) check(c v1alpha1.ResourceCheck) check.Checker {
	w.Helper()
	made, err := New("shop", c, w.objects)
	if err != nil {
		w.Fatal(err)
	}
	return made
}

// pod is one of the namespace shop.
func pod(name string) check.Subject {
	uid := types.UID("uid-of-" + name)
	return check.Subject{UID: uid, Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: uid, Labels: map[string]string{"release": "7"}}}}
}

// ask says what a check answers about a pod.
func ask(t *testing.T, c check.Checker, s check.Subject) string {
	t.Helper()
	answers, err := c.Check(t.Context(), []check.Subject{s})
	if err != nil {
		t.Fatal(err)
	}
	return answers[s.UID].Verdict.String() + ": " + answers[s.UID].Word.String()
}

func TestConformance(t *testing.T) {
	checktest.Run(t, func(t *testing.T) checktest.Harness {
		w := newWorld(t)
		w.run()
		c := migrated()
		c.Name = "migrate-$(pod.name)"
		checker, n := w.check(c), 0
		conditions := map[checktest.Behaviour]string{checktest.Passes: "Complete", checktest.Fails: "Failed"}
		verdicts := map[checktest.Behaviour]check.Verdict{checktest.Passes: check.Pass, checktest.Fails: check.Fail}

		set := func(t *testing.T, s check.Subject, does checktest.Behaviour) {
			if does == checktest.Hangs {
				w.remove("migrate-" + s.Pod.Name)
			} else {
				w.put(job("migrate-"+s.Pod.Name, conditions[does]))
			}
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				answers, err := checker.Check(t.Context(), []check.Subject{s})
				if err == nil && answers[s.UID].Verdict == verdicts[does] {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("the object was not seen: %+v, %v", answers, err)
				}
			}
		}

		return checktest.Harness{
			Checker: checker,
			Timeout: time.Second,
			Local:   true,
			Asked:   func() int { return 0 },
			Secrets: []string{"migrate", "gatekeeper", "Complete", "Failed", "web-"},
			NewPod: func(t *testing.T) check.Subject {
				n++
				s := pod(fmt.Sprintf("web-%d", n))
				s.Addrs = []netip.Addr{netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})}
				set(t, s, checktest.Fails)
				return s
			},
			Set: set,
		}
	})
}

// TestNew: what can never work is said at once.
func TestNew(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.ResourceCheck)
		want   string
	}{
		"Expression": {func(c *v1alpha1.ResourceCheck) { c.Expression = "object." }, "expression"},
		"Objects":    {func(c *v1alpha1.ResourceCheck) { c.Expression = "objects.size() > 0" }, "undeclared reference to 'objects'"},
		"Object":     {func(c *v1alpha1.ResourceCheck) { c.Name, c.Selector = "", &metav1.LabelSelector{} }, "undeclared reference to 'object'"},
		"Variable":   {func(c *v1alpha1.ResourceCheck) { c.Name = "$(pod.none)" }, "is not a variable"},
		"Selector": {func(c *v1alpha1.ResourceCheck) {
			c.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a b": "c"}}
		}, "selector"},
		"Version":            {func(c *v1alpha1.ResourceCheck) { c.APIVersion = "a/b/c" }, "GroupVersion"},
		"Secret":             {func(c *v1alpha1.ResourceCheck) { c.APIVersion, c.Kind = "v1", "Secret" }, "never read"},
		"SecretOfAVersion":   {func(c *v1alpha1.ResourceCheck) { c.APIVersion, c.Kind = "v1alpha1", "Secret" }, "never read"},
		"SecretOfAGroup":     {func(c *v1alpha1.ResourceCheck) { c.APIVersion, c.Kind = "core.example.com/v1", "Secret" }, "never read"},
		"SecretShouted":      {func(c *v1alpha1.ResourceCheck) { c.APIVersion, c.Kind = "v1", "SECRET" }, "never read"},
		"NamespaceAsPath":    {func(c *v1alpha1.ResourceCheck) { c.Namespace = "shop/secrets" }, "no namespace"},
		"NamespaceAsParent":  {func(c *v1alpha1.ResourceCheck) { c.Namespace = ".." }, "no namespace"},
		"AccountOfAnother":   {func(c *v1alpha1.ResourceCheck) { c.ServiceAccountName = "a:system:serviceaccount:pay:admin" }, "no name of a ServiceAccount"},
		"AccountWithoutName": {func(c *v1alpha1.ResourceCheck) { c.ServiceAccountName = "" }, "no name of a ServiceAccount"},
	} {
		t.Run(name, func(t *testing.T) {
			c := migrated()
			tc.change(&c)
			_, err := New("shop", c, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if secret := strings.HasPrefix(name, "Secret"); errors.Is(err, ErrNeverRead) != secret {
				t.Errorf("%v: is it said that it is never read? It should be %t", err, secret)
			}
		})
	}
}

// TestLaw1UnknownPods: nothing opens by what is not known of this very pod.
func TestLaw1UnknownPods(t *testing.T) {
	w := newWorld(t)
	c := migrated()
	c.Expression, c.Name = "true", "migrate-$(pod.labels['release'])"
	checker := w.check(c)
	unlabelled, another := pod("web-0"), pod("web-0")
	unlabelled.Pod.Labels, another.Pod.UID = nil, "uid-of-another"
	odd := pod("web-0")
	odd.Pod.Labels["release"] = "a/b"

	for name, tc := range map[string]struct {
		subject check.Subject
		want    string
	}{
		"Nothing":  {check.Subject{UID: "uid"}, "NoAnswer: the expression could not be evaluated"},
		"Another":  {another, "NoAnswer: the expression could not be evaluated"},
		"NoLabel":  {unlabelled, "NoAnswer: a variable has no usable value for this pod"},
		"OddLabel": {odd, "NoAnswer: a variable has no usable value for this pod"},
		"Known":    {pod("web-0"), "NoAnswer: not read yet"},
	} {
		if got := ask(t, checker, tc.subject); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}

	c.Name = ".."
	if got := ask(t, w.check(c), pod("web-0")); got != "NoAnswer: a variable has no usable value for this pod" {
		t.Errorf("a name that is a path: %q", got)
	}
	if len(w.client.Actions())+len(w.reviewed()) > 0 {
		t.Error("podgate does not lead, and asked the API server")
	}
}
