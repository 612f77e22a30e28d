// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientfeatures "k8s.io/client-go/features"
	clientfeaturestesting "k8s.io/client-go/features/testing"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/internal/scrape"
	"github.com/podgate/podgate/internal/webhook"
	"github.com/podgate/podgate/internal/webhook/profile"
	"github.com/podgate/podgate/test/env"
)

// podgate does all that it does, as a user who has what the chart gives it, and is refused
// nothing. Then each verb of each rule is taken away: some request that podgate made is
// refused by the API server without it. The same requests are allowed by what the chart
// gives it for one namespace.
func TestRoleIsLeast(t *testing.T) {
	c := newCluster(t)
	// As with an API server that sends no lists in watches.
	clientfeaturestesting.SetFeatureDuringTest(t, clientfeatures.WatchListClient, false)
	c.permit("podgate-least", func(*rbacv1.ClusterRole) {})
	cfg, refused := c.as("podgate-least")
	made := record(cfg)
	c.everything(cfg)

	if r := refused(); len(r) > 0 {
		t.Errorf("refused: %q", r)
	}

	requests := made()
	if len(requests) == 0 {
		t.Fatal("podgate made no request")
	}

	wide, narrow := c.roles()
	for i := range wide.Rules {
		eachVerb(wide.Rules[i], func(without []rbacv1.PolicyRule, what string) {
			less := wide.DeepCopy()
			less.Rules = append(slices.Delete(less.Rules, i, i+1), without...)
			c.needs(what, requests, less, narrow)
		})
	}

	for i := range narrow.Rules {
		eachVerb(narrow.Rules[i], func(without []rbacv1.PolicyRule, what string) {
			less := narrow.DeepCopy()
			less.Rules = append(slices.Delete(less.Rules, i, i+1), without...)
			c.needs(what, requests, wide, less)
		})
	}

	c.sufficesForOneNamespace(requests)
}

// record gives what podgate asks of the API server from now on.
func record(cfg *rest.Config) func() []asked {
	var mu sync.Mutex
	seen := map[asked]bool{}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if a, about := readRequest(r); about {
				mu.Lock()
				seen[a] = true
				mu.Unlock()
			}
			return next.RoundTrip(r)
		})
	})

	return func() []asked {
		mu.Lock()
		defer mu.Unlock()
		return slices.Collect(maps.Keys(seen))
	}
}

// everything has podgate do whatever it needs a permission for.
func (c *cluster) everything(cfg *rest.Config) {
	c.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "podgate-system", Name: certificate.SecretName}}
	if err := client.IgnoreNotFound(c.kube.Delete(c.Context(), secret)); err != nil {
		c.Fatal(err)
	}

	direct, err := kubetest.Client(cfg)
	if err != nil {
		c.Fatal(err)
	}

	c.webhook()
	c.cfg = cfg
	c.config = func(config *manager.Config) {
		config.Namespace, config.Election.Enabled, config.LBCLeaseNamespace = "podgate-system", true, c.ns
		config.Parts.Ask = func(ctx context.Context, configuration *admissionv1.MutatingWebhookConfiguration, pod *corev1.Pod, gates []string) error {
			_ = webhook.Ask(ctx, direct, configuration, pod, gates) // Nobody answers here.
			return nil
		}
	}

	arn := c.waitingPod()

	// Its configuration and its Secret: an authority is made, written and published, twice more.
	for range 2 {
		c.patch(secret, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.RotateAnnotation, certificate.RotateCA))
		c.eventually("another authority", func() bool {
			return c.kube.Get(c.Context(), client.ObjectKeyFromObject(secret), secret) == nil && secret.Annotations[v1alpha1.RotateAnnotation] == ""
		})
	}

	c.script(arn, "healthy")
	c.eventually("open", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionTrue })
	c.shared()
	c.bindGroup("own", v1alpha1.ELBv2{TargetGroupARN: c.group("own")})
	c.eventually("its own kind is served", func() bool { return c.verdict("targets.podgate.dev/own").Status != "" })
	gate := c.warm(nil)
	c.eventually("its gates are served", func() bool {
		return c.kube.Get(c.Context(), client.ObjectKeyFromObject(gate), gate) == nil && len(gate.Status.Conditions) > 0
	})
	c.replaced()
	lbc := c.startLBC()
	defer lbc.stop()
	c.eventually("LBC's binding is left to it", func() bool {
		var b elbv2.TargetGroupBinding
		err := c.kube.Get(c.Context(), types.NamespacedName{Namespace: c.ns, Name: "web"}, &b)
		return err == nil && !slices.Contains(b.Finalizers, v1alpha1.Finalizer)
	})

	c.scraped(cfg)
	c.stop()
}

// webhook installs the webhook's configuration, which leads nowhere.
func (c *cluster) webhook() {
	c.Helper()
	o := &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: certificate.ConfigurationName},
		Webhooks: []admissionv1.MutatingWebhook{{
			Name: "mpod.elbv2.k8s.aws", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionv1.SideEffectClassNone),
			ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "podgate-system", Name: certificate.ServiceName, Path: new(profile.GatesPath)}}, FailurePolicy: new(admissionv1.Ignore),
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": c.ns}},
		}},
	}
	c.create(o)
	c.Cleanup(func() { _ = c.kube.Delete(context.Background(), o) })
}

// shared has a group that clusters share, which is noted in a ConfigMap, served and given up.
func (c *cluster) shared() {
	c.Helper()
	arn := c.group("shared")
	c.script(arn, "healthy")
	c.service("shared")
	b := c.lbcBinding("shared", "shared", arn)
	c.annotate(b, `{"spec":{"multiClusterTargetGroup":true}}`)
	c.pod("shared-1", "shared", "10.0.1.1", b.Name)
	record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "aws-lbc-targets-shared"}}
	noted := func(n int) func() bool {
		return func() bool {
			err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(record), record)
			return err == nil && strings.Count(record.Data["targets"], ":") == n
		}
	}

	c.eventually("one is noted", noted(1))
	c.pod("shared-2", "shared", "10.0.1.2", b.Name)
	c.eventually("two are noted", noted(2))

	if err := c.kube.Delete(c.Context(), b); err != nil {
		c.Fatal(err)
	}

	c.eventually("binding and record gone", func() bool { return c.gone(b) && c.gone(record) })
}

// replaced has a pod that is older than its binding evicted.
func (c *cluster) replaced() {
	c.Helper()
	arn := c.group("old")
	c.script(arn, "healthy")
	c.service("old")
	labels := map[string]string{"app": "old"}
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "set"}, Spec: appsv1.ReplicaSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}},
	}}

	c.create(set)
	c.shortHooks(set)
	var pods []*corev1.Pod
	for i := range 2 {
		pod := c.pod(fmt.Sprintf("old-%d", i), "old", fmt.Sprintf("10.0.2.%d", i+1))
		c.patch(pod, fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"set","uid":%q,"controller":true}]}}`, set.UID))
		c.serves(pod)
		pods = append(pods, pod)
	}

	c.patch(c.binding("old", "old", arn), fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.ReplaceAnnotation, v1alpha1.ReplaceEnabled))
	c.eventually("a pod is evicted", func() bool {
		return slices.ContainsFunc(pods, func(p *corev1.Pod) bool {
			return c.kube.Get(c.Context(), client.ObjectKeyFromObject(p), p) == nil && !p.DeletionTimestamp.IsZero()
		})
	})
}

// shortHooks has an owner told the same twice, which makes one event that is counted.
func (c *cluster) shortHooks(set *appsv1.ReplicaSet) {
	c.Helper()
	owner := []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set.Name, UID: set.UID, Controller: new(true)}}
	for i, seconds := range []int64{20, 10} {
		name := fmt.Sprintf("short-%d", i)
		c.create(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name, Labels: map[string]string{"app": "web", v1alpha1.DrainLabel: v1alpha1.DrainEnabled}, OwnerReferences: owner},
			Spec: corev1.PodSpec{TerminationGracePeriodSeconds: new(seconds + 30), Containers: []corev1.Container{{Name: "app", Image: "app", Lifecycle: &corev1.Lifecycle{
				PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sleep", fmt.Sprint(seconds)}}},
			}}}},
		})
		c.eventually("told", func() bool { return c.event(name, "DrainTooShort", "") })
	}
}

// scraped reads metrics as somebody whom the API server must be asked about.
func (c *cluster) scraped(cfg *rest.Config) {
	c.Helper()
	kube, err := kubernetes.NewForConfig(shared.cfg)
	if err != nil {
		c.Fatal(err)
	}

	c.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "prometheus"}})
	token, err := kube.CoreV1().ServiceAccounts(c.ns).CreateToken(c.Context(), "prometheus", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		c.Fatal(err)
	}

	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		c.Fatal(err)
	}

	filter, err := scrape.Filter(cfg, httpClient)
	if err != nil {
		c.Fatal(err)
	}

	h, err := filter(logr.Discard(), http.NotFoundHandler())
	if err != nil {
		c.Fatal(err)
	}

	r := httptest.NewRequestWithContext(c.Context(), http.MethodGet, "https://podgate/metrics", nil)
	r.Header.Set("Authorization", "Bearer "+token.Status.Token)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		c.Errorf("a stranger's scrape: %d, want 403", w.Code)
	}
}

// unreached are permissions that the scenario does not come to: internal/drain/server needs them
// when a pod that drains adaptively asks whether it is its container alone that ends.
var unreached = []string{"get pods. []", "list events. []"}

// eachVerb gives a rule without one verb of one resource, for all of them.
func eachVerb(rule rbacv1.PolicyRule, use func(without []rbacv1.PolicyRule, what string)) {
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				var rest []rbacv1.PolicyRule
				for _, g := range rule.APIGroups {
					for _, r := range rule.Resources {
						one := rbacv1.PolicyRule{APIGroups: []string{g}, Resources: []string{r}, ResourceNames: rule.ResourceNames, Verbs: slices.Clone(rule.Verbs)}
						if g == group && r == resource {
							one.Verbs = slices.DeleteFunc(one.Verbs, func(v string) bool { return v == verb })
						}
						if len(one.Verbs) > 0 {
							rest = append(rest, one)
						}
					}
				}

				use(rest, fmt.Sprintf("%s %s.%s %q", verb, resource, group, rule.ResourceNames))
			}
		}
	}
}

// needs asserts that the API server refuses some request to a user who has just these roles.
func (c *cluster) needs(what string, requests []asked, wide *rbacv1.ClusterRole, narrow *rbacv1.Role) {
	c.Helper()
	if slices.Contains(unreached, what) {
		return
	}

	user := fmt.Sprintf("less-%x", what)
	wide, narrow = wide.DeepCopy(), narrow.DeepCopy()
	// A permission by which one sees that the API server has heard of the roles.
	sentinel := []rbacv1.PolicyRule{{APIGroups: []string{"test"}, Resources: []string{"heard"}, Verbs: []string{"get"}}}
	wide.Rules, narrow.Rules = append(wide.Rules, sentinel...), append(narrow.Rules, sentinel...)
	c.bindRoles(user, wide, narrow)
	c.eventually("the roles are known", func() bool {
		return c.allowed(user, asked{verb: "get", group: "test", resource: "heard"}) && c.allowed(user, asked{verb: "get", group: "test", resource: "heard", namespace: narrow.Namespace})
	})

	for _, r := range requests {
		if !c.allowed(user, r) {
			return
		}
	}

	c.Errorf("podgate needs no permission to %s", what)
}

// allowed asks the API server whether a user may.
func (c *cluster) allowed(user string, a asked) bool {
	c.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
		Verb: a.verb, Group: a.group, Version: "*", Resource: a.resource, Subresource: a.subresource, Namespace: a.namespace, Name: a.name,
	}}}
	if err := c.kube.Create(c.Context(), review); err != nil {
		c.Fatal(err)
	}
	return review.Status.Allowed
}

// sufficesForOneNamespace asserts that what the chart gives podgate for one namespace
// allows the requests that it made for that one.
func (c *cluster) sufficesForOneNamespace(requests []asked) {
	c.Helper()
	raw, err := kubetest.Render(c.T, "--set", "watchNamespace="+c.ns+",lbcLeaseNamespace="+c.ns, "--show-only", "templates/rbac.yaml")
	if err != nil {
		c.Fatal(err)
	}

	m, err := env.ParseManifest(raw)
	if err != nil {
		c.Fatal(err)
	}

	for _, u := range m {
		if u.GetName() == "podgate-metrics-reader" {
			continue
		}

		if u.GetKind() == "ClusterRole" {
			var role rbacv1.ClusterRole
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &role); err != nil {
				c.Fatal(err)
			}
			for _, rule := range role.Rules {
				if slices.ContainsFunc(rule.Resources, func(r string) bool { return strings.HasPrefix(r, "pods") || strings.HasSuffix(r, "bindings") }) {
					c.Errorf("podgate may do something to %q in every namespace", rule.Resources)
				}
			}
		}

		c.create(u)
		c.Cleanup(func() { _ = c.kube.Delete(context.Background(), u) })
	}

	for _, r := range requests {
		c.eventually(fmt.Sprintf("%+v is allowed", r), func() bool { return c.allowed("system:serviceaccount:podgate-system:podgate", r) })
	}
}
