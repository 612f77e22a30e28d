// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/manager"
)

// Under --target-group-bindings=annotated only annotated bindings are served, and one
// that loses the annotation is handed back as it is: no finalizer, its targets in place.
func TestAnnotatedOwnership(t *testing.T) {
	c := newCluster(t)
	c.config = func(cfg *manager.Config) { cfg.Bindings = string(binding.OwnAnnotated) }
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	b := c.binding("web", "web", arn)
	c.start()
	c.pod("web-1", "web", "10.0.0.1")
	c.never("an unannotated binding is touched", 2*time.Second, func() bool { return len(c.rows(arn)) > 0 || len(c.finalizers(b)) > 0 })
	c.annotate(b, `{"metadata":{"annotations":{"podgate.dev/manage":"true"}}}`)
	c.eventually("registered", func() bool {
		return c.rows(arn)["10.0.0.1"] == "healthy" && slices.Contains(c.finalizers(b), v1alpha1.Finalizer)
	})

	c.annotate(b, `{"metadata":{"annotations":{"podgate.dev/manage":null}}}`)
	c.eventually("handed back", func() bool { return len(c.finalizers(b)) == 0 })

	if rows := c.rows(arn); rows["10.0.0.1"] != "healthy" {
		t.Errorf("handing back changed the group: %v", rows)
	}
}

func (c *cluster) annotate(b *elbv2.TargetGroupBinding, patch string) {
	c.Helper()
	if err := c.kube.Patch(c.Context(), b.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) finalizers(b *elbv2.TargetGroupBinding) []string {
	c.Helper()
	var now elbv2.TargetGroupBinding
	if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(b), &now); err != nil {
		c.Fatal(err)
	}
	return now.Finalizers
}
