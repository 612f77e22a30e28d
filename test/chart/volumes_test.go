// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/podgate/podgate/internal/check/prometheus"
)

// TestPrometheusCredentials: with the values that docs/checks.md shows podgate knows the server, and the files that it names are
// in a Secret that is mounted.
func TestPrometheusCredentials(t *testing.T) {
	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte(documented(t, "checks.md", "extraArgs:")), 0o600); err != nil {
		t.Fatal(err)
	}
	var d appsv1.Deployment
	convert(t, render(t, "--values", values).OfKind("Deployment")[0], &d)
	pod := d.Spec.Template.Spec
	container := pod.Containers[0]

	var servers prometheus.Flag
	for _, arg := range container.Args {
		if server, named := strings.CutPrefix(arg, "--prometheus="); named {
			if err := servers.Set(server); err != nil {
				t.Error(err)
			}
		}
	}
	if len(servers) != 1 || !slices.Contains(container.Args, "--allow-checks=team=shop => prometheus:main") {
		t.Fatalf("arguments %q", container.Args)
	}

	if len(pod.Volumes) != 1 || len(container.VolumeMounts) != 1 {
		t.Fatalf("volumes %v, mounted %v", pod.Volumes, container.VolumeMounts)
	}
	mount, volume := container.VolumeMounts[0], pod.Volumes[0]
	if volume.Secret == nil || volume.Name != mount.Name || !mount.ReadOnly {
		t.Errorf("volume %v, mounted by %v", volume, mount)
	}
	for _, file := range []string{servers[0].TokenFile, servers[0].CAFile} {
		if filepath.Dir(file) != mount.MountPath {
			t.Errorf("%s is not below %s", file, mount.MountPath)
		}
	}

	// Without them nothing is mounted.
	convert(t, render(t).OfKind("Deployment")[0], &d)
	if pod := d.Spec.Template.Spec; len(pod.Volumes) > 0 || len(pod.Containers[0].VolumeMounts) > 0 {
		t.Errorf("by default: %v, mounted %v", pod.Volumes, pod.Containers[0].VolumeMounts)
	}
}
