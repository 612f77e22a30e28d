// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/internal/manager"
)

// withReader has the next podgate work with the rights of its role, and with those that an administrator adds for these resources. What
// the API server's controllers would aggregate is bound as it is.
func (c *cluster) withReader(groups, resources []string) (refused func() []string) {
	c.Helper()
	c.permit(kubetest.Account, func(*rbacv1.ClusterRole) {})
	name := c.ns + "-reader"
	c.create(&rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules:      []rbacv1.PolicyRule{{APIGroups: groups, Resources: resources, Verbs: []string{"get", "list", "watch"}}},
	})
	c.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: kubetest.Account}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
	})
	c.cfg, refused = c.as(kubetest.Account)
	c.config = func(config *manager.Config) { config.Namespace = "podgate-system" }
	return refused
}

// lets allows a ServiceAccount of the test's namespace to get what a namespace has of a resource, and returns how it is taken away. Both
// return when the API server goes by it.
func (c *cluster) lets(account, namespace, group, resource string) (takeAway func()) {
	c.Helper()
	name := account + "-" + c.ns + "-" + resource
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"get"}}},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: c.ns, Name: account}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
	}
	c.create(role)
	c.create(binding)

	may := func() bool {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + c.ns + ":" + account,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Group: group, Resource: resource, Namespace: namespace},
		}}
		if err := c.kube.Create(c.Context(), review); err != nil {
			c.Fatal(err)
		}
		return review.Status.Allowed
	}
	c.eventually("the account may read", may)
	return func() {
		if err := c.kube.Delete(c.Context(), binding); err != nil {
			c.Fatal(err)
		}
		c.eventually("the account may not read any more", func() bool { return !may() })
	}
}

// migrated makes a ReadinessGate that waits for a Job.
func (c *cluster) migrated(name, account string, change func(*v1alpha1.ResourceCheck)) {
	c.Helper()
	check := &v1alpha1.ResourceCheck{
		APIVersion: "batch/v1", Kind: "Job", Name: "migrate", ServiceAccountName: account,
		Expression: "object.status.conditions.exists(c, c.type == 'Complete' && c.status == 'True')",
	}
	if change != nil {
		change(check)
	}
	g := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name}}
	g.Spec.Checks = []v1alpha1.Check{{Name: "migrated", Resource: check}}
	c.create(g)
}

// job makes the Job migrate, which runs.
func (c *cluster) job(namespace string) *batchv1.Job {
	c.Helper()
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "migrate"}}
	job.Spec.Template.Spec = corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "app", Image: "app"}}}
	c.create(job)
	return job
}

// ends plays the controller of Jobs.
func (c *cluster) ends(job *batchv1.Job, with batchv1.JobConditionType) {
	c.Helper()
	now := metav1.Now()
	job.Status.StartTime, job.Status.UncountedTerminatedPods = &now, &batchv1.UncountedTerminatedPods{}
	first := batchv1.JobFailureTarget
	if with == batchv1.JobComplete {
		first, job.Status.CompletionTime, job.Status.Succeeded = batchv1.JobSuccessCriteriaMet, &now, 1
	}
	for _, t := range []batchv1.JobConditionType{first, with} {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: t, Status: "True", LastTransitionTime: now, LastProbeTime: now})
	}
	if err := c.kube.Status().Update(c.Context(), job); err != nil {
		c.Fatal(err)
	}
}

// waitsFor makes a pod with the gate of a ReadinessGate, and waits until it says so of the check.
func (c *cluster) waitsFor(pod, ip, gate, reason, word string) {
	c.Helper()
	c.carrier(pod, ip, corev1.PodConditionType(v1alpha1.CheckPrefix+gate))
	c.eventually(gate+": "+word, func() bool {
		g := c.condition(pod, corev1.PodConditionType(v1alpha1.CheckPrefix+gate))
		return g.Status != corev1.ConditionTrue && g.Reason == reason && g.Message == "migrated: "+word
	})
}

// opens waits until a pod's gate of a ReadinessGate is open.
func (c *cluster) opens(pod, gate string) {
	c.Helper()
	c.eventually(gate+" opens", func() bool {
		g := c.condition(pod, corev1.PodConditionType(v1alpha1.CheckPrefix+gate))
		return g.Status == corev1.ConditionTrue && g.Reason == v1alpha1.ReasonChecksPassed
	})
}

// judged waits until a ReadinessGate's condition Ready has a reason, and a message with a part.
func (c *cluster) judged(gate, reason, part string) {
	c.Helper()
	c.eventually(gate+" is "+reason, func() bool {
		g := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: gate}}
		if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(g), g); err != nil {
			c.Fatal(err)
		}
		ready := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Reason == reason && strings.Contains(ready.Message, part)
	})
}

// A Job that completes opens the gates that wait for it; one that fails does not. podgate reads it where the account may, and only then.
func TestResourceCheck(t *testing.T) {
	c := newCluster(t)
	refused := c.withReader([]string{"batch"}, []string{"jobs"})
	c.start()

	c.migrated("stranger", "stranger", nil)
	c.judged("stranger", v1alpha1.ReasonNoAccess, "the ServiceAccount stranger may not read the object")
	c.waitsFor("web-0", "10.0.0.1", "stranger", v1alpha1.ReasonCheckNotAllowed, "not allowed")

	takeAway := c.lets("gatekeeper", c.ns, "batch", "jobs")
	c.migrated("warm", "gatekeeper", nil)
	c.judged("warm", v1alpha1.ReasonServing, "")
	c.waitsFor("web-1", "10.0.0.2", "warm", v1alpha1.ReasonCheckNoAnswer, "object not found")
	job := c.job(c.ns)
	c.eventually("the Job has no conditions yet", func() bool {
		return c.warmGate("web-1").Message == "migrated: the expression could not be evaluated"
	})
	c.ends(job, batchv1.JobFailed)
	c.eventually("the Job failed", func() bool { return c.warmGate("web-1").Reason == v1alpha1.ReasonCheckFailed })

	if err := c.kube.Delete(c.Context(), job, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		t.Fatal(err)
	}
	c.eventually("the Job is gone", func() bool { return c.warmGate("web-1").Message == "migrated: object not found" })
	c.ends(c.job(c.ns), batchv1.JobComplete)
	c.opens("web-1", "warm")
	if g := c.condition("web-0", corev1.PodConditionType(v1alpha1.CheckPrefix+"stranger")); g.Reason != v1alpha1.ReasonCheckNotAllowed {
		t.Errorf("the account that may not: %+v", g)
	}

	// Who may not any more keeps what is open, and opens nothing.
	takeAway()
	c.start()
	c.waitsFor("web-2", "10.0.0.3", "warm", v1alpha1.ReasonCheckNotAllowed, "not allowed")
	c.judged("warm", v1alpha1.ReasonNoAccess, "gatekeeper")
	c.never("an open gate closes, or a closed one opens", 2*time.Second, func() bool {
		return c.warmGate("web-1").Status != corev1.ConditionTrue || c.warmGate("web-2").Status == corev1.ConditionTrue
	})
	c.stop()
	if r := refused(); len(r) > 0 {
		t.Errorf("refused: %q", r)
	}
}

// What the owner of another namespace allows is read there. Objects of kinds for which nobody gave podgate the right are not, nor are
// Secrets, whoever may read them.
func TestResourceCheckElsewhere(t *testing.T) {
	c := newCluster(t)
	c.withReader([]string{"", "batch"}, []string{"jobs", "secrets"})
	there := kubetest.Namespace(t, c.kube, nil)
	c.ends(c.job(there), batchv1.JobComplete)
	c.ends(c.job(c.ns), batchv1.JobComplete)
	c.start()

	c.lets("gatekeeper", c.ns, "batch", "jobs")
	c.migrated("elsewhere", "gatekeeper", func(r *v1alpha1.ResourceCheck) { r.Namespace = there })
	c.waitsFor("web-0", "10.0.0.1", "elsewhere", v1alpha1.ReasonCheckNotAllowed, "not allowed")
	c.lets("guest", there, "batch", "jobs")
	c.migrated("granted", "guest", func(r *v1alpha1.ResourceCheck) { r.Namespace = there })
	c.carrier("web-1", "10.0.0.2", v1alpha1.CheckPrefix+"granted")
	c.opens("web-1", "granted")

	c.lets("gatekeeper", c.ns, "apps", "deployments")
	c.migrated("deployed", "gatekeeper", func(r *v1alpha1.ResourceCheck) { r.APIVersion, r.Kind = "apps/v1", "Deployment" })
	c.waitsFor("web-2", "10.0.0.3", "deployed", v1alpha1.ReasonCheckNoAnswer, "podgate may not read objects of the kind")
	c.judged("deployed", v1alpha1.ReasonNoAccess, "podgate may not read")

	c.lets("gatekeeper", c.ns, "", "secrets")
	c.migrated("secret", "gatekeeper", func(r *v1alpha1.ResourceCheck) { r.APIVersion, r.Kind, r.Expression = "v1alpha1", "Secret", "true" })
	c.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "migrate"}})
	c.waitsFor("web-3", "10.0.0.4", "secret", v1alpha1.ReasonCheckNotAllowed, "not allowed")
	c.judged("secret", v1alpha1.ReasonNotAllowed, "never read")
}

// Objects of any kind are looked at, those of custom resources by the name that a pod's label completes.
func TestResourceCheckOfACustomResource(t *testing.T) {
	c := newCluster(t)
	group := c.ns + ".example.com"
	c.withReader([]string{group}, []string{"migrations"})
	open := true
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "migrations." + group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "migrations", Kind: "Migration"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &open}},
			}},
		},
	}
	c.create(crd)
	t.Cleanup(func() {
		if err := c.kube.Delete(context.Background(), crd); err != nil {
			t.Error(err)
		}
	})
	c.eventually("the kind is served", func() bool {
		if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(crd), crd); err != nil {
			t.Fatal(err)
		}
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.Established {
				return condition.Status == apiextensionsv1.ConditionTrue
			}
		}
		return false
	})

	c.start()
	c.lets("gatekeeper", c.ns, group, "migrations")
	c.migrated("warm", "gatekeeper", func(r *v1alpha1.ResourceCheck) {
		r.APIVersion, r.Kind, r.Name, r.Expression = group+"/v1", "Migration", "of-$(pod.labels['app'])", "object.phase == 'Done'"
	})
	c.waitsFor("web-0", "10.0.0.1", "warm", v1alpha1.ReasonCheckNoAnswer, "object not found")
	migration := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + "/v1", "kind": "Migration", "metadata": map[string]any{"namespace": c.ns, "name": "of-web"}, "phase": "Running",
	}}
	c.create(migration)
	c.eventually("the migration runs", func() bool { return c.warmGate("web-0").Reason == v1alpha1.ReasonCheckFailed })
	migration.Object["phase"] = "Done"
	if err := c.kube.Update(c.Context(), migration); err != nil {
		t.Fatal(err)
	}
	c.opens("web-0", "warm")
}
