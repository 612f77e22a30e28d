// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// TestExplainService explains the Service of each file of testdata/service.
func TestExplainService(t *testing.T) {
	files, err := filepath.Glob("testdata/service/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d cases: %v", len(files), err)
	}

	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			all := objects(t, "service/"+name+".yaml", "ingress/podgate.yaml", "installation.yaml", "shop.yaml")
			x, err := explainService(t.Context(), offline(t, all), types.NamespacedName{Namespace: "shop", Name: "web"}, "podgate-system", noon)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "service/"+name+".txt", x.write)
		})
	}
}

// TestServicesWithoutFlags: where podgate's flags are not known, a Service is podgate's only if podgate noted that it has something
// of it: AWS Load Balancer Controller, which has the same finalizer, would serve it as well.
func TestServicesWithoutFlags(t *testing.T) {
	for name, c := range map[string]struct {
		finalizers []string
		noted      string
		want       string
		served     bool
	}{
		"nobody's":         {nil, "", "asks for a load balancer that AWS Load Balancer Controller serves, too, and podgate's flags are not known here", false},
		"podgate's":        {[]string{elbv2.LBCServiceFinalizer}, "shop/web", "has no load balancer's name yet, and no event of late says what it waits for", true},
		"the other's":      {[]string{elbv2.LBCServiceFinalizer}, "", "belongs to AWS Load Balancer Controller, which has its finalizer on it: while that runs, podgate only observes it", false},
		"noted by anybody": {nil, "shop/web", "asks for a load balancer that AWS Load Balancer Controller serves, too, and podgate's flags are not known here", false},
	} {
		all := slices.DeleteFunc(objects(t, "service/unseen.yaml", "ingress/podgate.yaml"), func(o client.Object) bool {
			_, is := o.(*appsv1.Deployment)
			return is
		})
		all[0].SetFinalizers(c.finalizers)
		if c.noted != "" {
			all[0].SetAnnotations(map[string]string{v1alpha1.StacksAnnotation: c.noted})
		}

		x, err := explainService(t.Context(), offline(t, all), types.NamespacedName{Namespace: "shop", Name: "web"}, "podgate-system", noon)
		if err != nil {
			t.Fatal(err)
		}
		if x.Verdict != c.want || x.Served != c.served {
			t.Errorf("%s: it %s (%t)", name, x.Verdict, x.Served)
		}
	}
}
