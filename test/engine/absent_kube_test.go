// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/manager"
)

const ofLBC = "elbv2.k8s.aws"

// undefined has the API server answer podgate about AWS Load Balancer Controller's kind as about one that nobody has
// defined, until it is defined.
func (c *cluster) undefined() (define func()) {
	var defined atomic.Bool
	c.cfg = rest.CopyConfig(c.cfg)
	c.cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if !defined.Load() && strings.HasPrefix(r.URL.Path, "/apis/"+ofLBC) {
				r = r.Clone(r.Context())
				r.URL.Path = strings.Replace(r.URL.Path, ofLBC, "undefined.example.com", 1)
			}
			return next.RoundTrip(r)
		})
	})
	return func() { defined.Store(true) }
}

// errors collects what podgate's log tells as an error.
func (c *cluster) errors() func() []string {
	var mu sync.Mutex
	var all []string
	c.log = funcr.New(func(_, args string) {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(args, `"error"=`) {
			all = append(all, args)
		}
	}, funcr.Options{})

	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// TestWithoutTargetGroupBindings: in a cluster without their definition, and without a permission for them, podgate starts,
// serves a TargetBinding and has nothing to complain about.
func TestWithoutTargetGroupBindings(t *testing.T) {
	c := newCluster(t)
	c.permit("podgate-alone", func(role *rbacv1.ClusterRole) {
		role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.APIGroups, ofLBC) || slices.Contains(r.Resources, "configmaps") || slices.Contains(r.Resources, "leases")
		})
	})
	cfg, refused := c.as("podgate-alone")
	c.cfg = cfg
	c.undefined()
	troubles := c.errors()
	c.config = func(config *manager.Config) { config.Namespace, config.Bindings = "podgate-system", "none" }

	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.bindGroup("web", v1alpha1.ELBv2{TargetGroupARN: arn})
	c.start()
	c.pod("web-1", "web", "10.0.0.1", v1alpha1.GatePrefix+"web")
	c.eventually("open", func() bool { return c.gate("web-1", v1alpha1.GatePrefix+"web").Status == corev1.ConditionTrue })
	c.stop()

	for _, trouble := range troubles() {
		t.Errorf("the log says %s", trouble)
	}
	for _, r := range refused() {
		if !strings.HasPrefix(r, "GET /apis/undefined.example.com/") {
			t.Errorf("refused: %s", r)
		}
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
