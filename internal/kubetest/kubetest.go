// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kubetest gives tests a real API server: etcd and kube-apiserver on
// loopback, started by test/localcluster, with podgate's CRDs. There is no kubelet
// and no controller: a test plays those itself.
package kubetest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Start starts an API server for a test package's process and gives an
// administrator's configuration for it. It ends with the test, and with the process
// if that dies. LOCALCLUSTER names the program; without it, it is built.
func Start(t testing.TB) *rest.Config {
	t.Helper()
	program := localcluster(t)
	name := "test-" + strconv.Itoa(os.Getpid())
	run(t, program, "up", "--api-only", "--name", name, "--parent-pid", strconv.Itoa(os.Getpid()))
	t.Cleanup(func() { run(t, program, "down", "--name", name) })
	path := strings.TrimSpace(run(t, program, "kubeconfig", "--name", name))
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatalf("read kubeconfig: %v", err)
	}
	cfg.QPS = -1
	installCRDs(t, cfg)
	return cfg
}

// Root is the repository's top folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

func localcluster(t testing.TB) string {
	t.Helper()
	if program := os.Getenv("LOCALCLUSTER"); program != "" {
		return program
	}
	program := filepath.Join(Root(), "bin", "localcluster")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = filepath.Join(Root(), "test", "localcluster")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build localcluster: %v\n%s", err, out)
	}
	return program
}

// run runs the program and gives its standard output; its error output is shown when it fails.
func run(t testing.TB, program string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("localcluster %s: %v\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// installCRDs applies config/crd and waits until the API server serves it.
func installCRDs(t testing.TB, cfg *rest.Config) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	scheme := runtimeScheme()
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatalf("make client: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(Root(), "config", "crd", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs in config/crd (%v)", err)
	}
	for _, file := range files {
		if err := installCRD(ctx, c, file); err != nil {
			t.Fatalf("install %s: %v", filepath.Base(file), err)
		}
	}
}

func installCRD(ctx context.Context, c client.Client, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(raw, &crd); err != nil {
		return err
	}
	if crd.Kind != "CustomResourceDefinition" {
		return nil
	}
	if err := c.Create(ctx, &crd); err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, types.NamespacedName{Name: crd.Name}, &crd); err != nil {
			return false, err
		}
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
}

// Namespace makes a fresh namespace that goes with the test.
func Namespace(t testing.TB, c client.Client, labels map[string]string) string {
	t.Helper()
	ns := newNamespace(labels)
	if err := c.Create(t.Context(), ns); err != nil {
		t.Fatalf("create namespace: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Delete(context.Background(), ns); err != nil {
			t.Errorf("delete namespace %s: %v", ns.Name, err)
		}
	})
	return ns.Name
}
