// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// define replaces the kind's schema until the end of the test.
func (c *cluster) define(file string) {
	c.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		c.Fatal(err)
	}

	var schema apiextensionsv1.CustomResourceValidation
	if err := yaml.UnmarshalStrict(raw, &schema); err != nil {
		c.Fatal(err)
	}

	var crd apiextensionsv1.CustomResourceDefinition
	if err := c.kube.Get(c.Context(), types.NamespacedName{Name: "targetgroupbindings.elbv2.k8s.aws"}, &crd); err != nil {
		c.Fatal(err)
	}

	before := crd.Spec.Versions[0].Schema
	use := func(ctx context.Context, schema *apiextensionsv1.CustomResourceValidation, lenient bool) {
		change := client.MergeFrom(crd.DeepCopy())
		crd.Spec.Versions[0].Schema = schema
		if err := c.kube.Patch(ctx, &crd, change); err != nil {
			c.Fatal(err)
		}
		c.eventually("the definition is in force", func() bool {
			err := c.kube.Create(ctx, manifest(c.T, c.ns, "probe", "targetGroupARN: web\n"+toWeb), client.DryRunAll)
			return (err == nil) == lenient
		})
	}

	use(c.Context(), &schema, true)
	c.Cleanup(func() { c.stop(); use(context.Background(), before, false) })
}

// TestDefinitionOfLBC: podgate works with the kind as AWS Load Balancer Controller
// defines it. What the definition does not refuse a condition tells, or, where that is
// pruned, an event alone; and nothing is written over and over.
func TestDefinitionOfLBC(t *testing.T) {
	for _, tc := range []struct {
		file       string
		conditions bool
	}{
		{"lbc-2.4.yaml", false},
		{"lbc-3.yaml", true},
	} {
		t.Run(tc.file, func(t *testing.T) {
			c := newCluster(t)
			c.define(tc.file)
			arn := c.group("web")
			c.script(arn, "initial")
			c.service("web")
			c.create(manifest(t, c.ns, "web", "targetGroupARN: "+arn+"\ntargetType: ip\nipAddressType: ipv4\n"+toWeb))
			c.create(manifest(t, c.ns, "bad", "targetGroupARN: web\n"+toWeb))
			odd := manifest(t, c.ns, "odd", "targetGroupARN: "+c.group("odd")+"\n"+toWeb)
			odd.SetAnnotations(map[string]string{v1alpha1.TimeoutAnnotation: "soon"})
			c.create(odd)
			written := c.writes()
			c.start()
			c.pod("web-1", "web", "10.0.0.1", "web")
			c.eventually("registered", func() bool { return c.rows(arn)["10.0.0.1"] == "initial" })
			c.eventually("waits", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionFalse })
			c.script(arn, "healthy")
			c.eventually("open", func() bool { return c.gate("web-1", "web").Status == corev1.ConditionTrue })

			c.eventually("an event says that it works", func() bool { return c.event("web", "Synced", "follows") })
			c.eventually("an event says that it is no ARN", func() bool { return c.event("bad", "InvalidRequest", "ARN") })
			c.eventually("an event says what is wrong with the policy", func() bool { return c.event("odd", "InvalidPolicy", "podgate.dev/timeout") })

			if tc.conditions {
				c.eventually("conditions say so, too", func() bool {
					return c.verdict("web").Status == metav1.ConditionTrue && c.verdict("bad").Reason == "InvalidRequest"
				})
			}

			told := written.Load()
			for i := range 3 {
				c.pod(fmt.Sprintf("more-%d", i), "web", fmt.Sprintf("10.0.1.%d", i), "web")
				c.eventually("registered, too", func() bool { return len(c.rows(arn)) == i+2 })
			}

			if n := written.Load() - told; n != 0 {
				t.Errorf("pods came, and the binding's status was written %d times with nothing new", n)
			}

			if has := c.verdict("web").Reason != ""; has != tc.conditions {
				t.Errorf("has conditions: %t, want %t", has, tc.conditions)
			}

			b := &elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "web"}}
			if err := c.kube.Delete(t.Context(), b); err != nil {
				t.Fatal(err)
			}

			c.eventually("deregistered and gone", func() bool {
				return c.gone(b) && c.rows(arn)["10.0.0.1"] != "healthy"
			})
		})
	}
}

// writes counts what is written to bindings' status from now on.
func (c *cluster) writes() *atomic.Int64 {
	var n atomic.Int64
	c.cfg = rest.CopyConfig(c.cfg)
	c.cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/targetgroupbindings/") && strings.HasSuffix(r.URL.Path, "/status") {
				n.Add(1)
			}
			return next.RoundTrip(r)
		})
	})
	return &n
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
