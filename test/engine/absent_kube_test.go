// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/manager"
)

// hidden is what podgate asks for instead of ofLBC while nobody has defined that.
const (
	ofLBC  = "elbv2.k8s.aws"
	hidden = "undefined.example.com"
)

// undefined has the API server answer podgate about AWS Load Balancer Controller's kind as about one that nobody has
// defined, until it is defined.
func (c *cluster) undefined() (define func()) {
	var defined atomic.Bool
	c.cfg = rest.CopyConfig(c.cfg)
	c.cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if !defined.Load() && strings.HasPrefix(r.URL.Path, "/apis/"+ofLBC) {
				r = r.Clone(r.Context())
				r.URL.Path = strings.Replace(r.URL.Path, ofLBC, hidden, 1)
			}
			return next.RoundTrip(r)
		})
	})
	return func() { defined.Store(true) }
}

// errors collects what podgate's log tells as an error. A call that podgate's end cuts off is none.
func (c *cluster) errors() func() []string {
	var mu sync.Mutex
	var all []string
	c.log = funcr.New(func(_, args string) {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(args, `"error"=`) && !strings.Contains(args, context.Canceled.Error()) {
			all = append(all, args)
		}
	}, funcr.Options{})

	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// TestWithoutTargetGroupBindings: in a cluster without their definition, and with the permissions that the chart gives there,
// podgate starts, serves a TargetBinding and has nothing to complain about. Nor has it when another controller brings the
// definition and a binding, and a replica that starts then is as good as the one before.
func TestWithoutTargetGroupBindings(t *testing.T) {
	c := newCluster(t)
	c.permit("podgate-alone", func(role *rbacv1.ClusterRole) {
		role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "configmaps") })
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{hidden}, Resources: []string{"*"}, Verbs: []string{"*"}})
	})
	cfg, refused := c.as("podgate-alone")
	c.cfg = cfg
	define := c.undefined()
	made := record(c.cfg)
	troubles := c.errors()
	c.config = func(config *manager.Config) { config.Namespace, config.Bindings = "podgate-system", "none" }

	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.bindGroup("web", v1alpha1.ELBv2{TargetGroupARN: arn})
	opens := func(pod, ip string) {
		t.Helper()
		c.pod(pod, "web", ip, v1alpha1.GatePrefix+"web")
		c.eventually("open", func() bool { return c.gate(pod, v1alpha1.GatePrefix+"web").Status == corev1.ConditionTrue })
	}
	c.start()
	opens("web-1", "10.0.0.1")

	define()
	theirs := c.binding("theirs", "web", c.group("theirs"))
	theirs.Finalizers = []string{elbv2.LBCFinalizer}
	if err := c.kube.Update(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.kube.Patch(context.Background(), theirs, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))
	})

	c.start()
	opens("web-2", "10.0.0.2")
	if err := c.kube.Delete(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	c.eventually("podgate asks whether that controller lives", func() bool {
		return slices.ContainsFunc(made(), func(a asked) bool { return a.name == elbv2.LBCLease })
	})
	c.stop()

	for _, trouble := range troubles() {
		t.Errorf("the log says %s", trouble)
	}
	for _, r := range refused() {
		t.Errorf("refused: %s", r)
	}
}

// TestTargetGroupBindingsAreDefinedLater: podgate serves them without a restart once somebody installs their definition.
func TestTargetGroupBindingsAreDefinedLater(t *testing.T) {
	c := newCluster(t)
	define := c.undefined()
	arn, own := c.group("web"), c.group("own")
	c.script(arn, "healthy")
	c.script(own, "healthy")
	c.service("web")
	c.bindGroup("own", v1alpha1.ELBv2{TargetGroupARN: own})
	c.binding("web", "web", arn)
	c.start()
	c.pod("web-1", "web", "10.0.0.1", v1alpha1.GatePrefix+"own", "web")
	c.eventually("podgate's own kind is served", func() bool { return c.gate("web-1", v1alpha1.GatePrefix+"own").Status == corev1.ConditionTrue })

	if rows := c.rows(arn); len(rows) > 0 {
		t.Fatalf("the kind is not hidden: %v", rows)
	}

	define()
	c.eventually("the other kind is served, too", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionTrue })
}
