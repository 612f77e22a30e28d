// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kubetest gives tests a real API server: etcd and kube-apiserver on
// loopback, started by test/localcluster, with podgate's CRDs. There is no kubelet
// and no controller: a test plays those itself.
package kubetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// releaseVariable names the release of Kubernetes that tests are to run on.
const releaseVariable = "LOCALCLUSTER_KUBERNETES"

// Main runs a package's tests with an API server of their own; use it in TestMain.
// It hands an administrator's configuration to use. The server ends with the tests,
// and with the process if that dies. LOCALCLUSTER names the program that starts it;
// without it, it is built. LOCALCLUSTER_KUBERNETES names the release of Kubernetes, such
// as 1.36; without it, it is the newest that localcluster has.
func Main(m *testing.M, use func(*rest.Config)) {
	code, err := runWith(m, use)
	if err != nil {
		fmt.Fprintln(os.Stderr, "API server for tests:", err)
		code = 1
	}
	os.Exit(code)
}

func runWith(m *testing.M, use func(*rest.Config)) (code int, err error) {
	program, err := localcluster()
	if err != nil {
		return 1, err
	}

	name := clusterName()
	defer func() {
		_, downErr := run(program, "down", "--name", name)
		err = errors.Join(err, downErr)
	}()

	up := []string{"up", "--api-only", "--name", name, "--parent-pid", strconv.Itoa(os.Getpid())}
	release := os.Getenv(releaseVariable)
	if release != "" {
		up = append(up, "--kubernetes", release)
	}

	if _, err := run(program, up...); err != nil {
		return 1, err
	}

	path, err := run(program, "kubeconfig", "--name", name)
	if err != nil {
		return 1, err
	}

	cfg, err := clientcmd.BuildConfigFromFlags("", strings.TrimSpace(path))
	if err != nil {
		return 1, fmt.Errorf("read kubeconfig: %w", err)
	}

	cfg.QPS = -1
	if err := isOf(cfg, release); err != nil {
		return 1, err
	}

	cfg.Wrap(readsRelease)
	if err := installCRDs(cfg); err != nil {
		return 1, err
	}

	use(cfg)
	return m.Run(), nil
}

// readsRelease reads the variable whenever a test makes a client. go test takes an old
// result for good when the variables are the same that the tests read, but does not see
// what was read before the first of them ran.
func readsRelease(rt http.RoundTripper) http.RoundTripper {
	_ = os.Getenv(releaseVariable)
	return rt
}

// isOf makes sure that the API server is of the release that was asked for.
func isOf(cfg *rest.Config, release string) error {
	asked, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	version, err := asked.ServerVersion()
	if err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	if release != "" && version.Major+"."+version.Minor != release {
		return fmt.Errorf("the API server is %s, want a %s", version, release)
	}
	return nil
}

// Root is the repository's top folder.
func Root() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}

	// Tests run in their package's folder. The path that the compiler records would do as
	// well, but not in programs that are built with -trimpath.
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			panic("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

func localcluster() (string, error) {
	if program := os.Getenv("LOCALCLUSTER"); program != "" {
		return program, nil
	}
	program := filepath.Join(Root(), "bin", "localcluster")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = filepath.Join(Root(), "test", "localcluster")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build localcluster: %w\n%s", err, out)
	}
	return program, nil
}

func clusterName() string { return "test-" + strconv.Itoa(os.Getpid()) }

// Command is a command as the administrator of the tests' API server types it: kubectl is on its PATH, and KUBECONFIG is set.
// It ends with the context.
func Command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	program, err := localcluster()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, program, append([]string{"exec", "--name", clusterName(), "--", name}, args...)...), nil
}

// run runs the program and gives its standard output; the error holds its error output.
func run(program string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("localcluster %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// installCRDs applies the chart's CRDs and waits until the API server serves it.
func installCRDs(cfg *rest.Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.New(cfg, client.Options{Scheme: runtimeScheme()})
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}

	files, err := filepath.Glob(filepath.Join(Root(), "charts", "podgate", "files", "crd", "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no CRDs in charts/podgate/files/crd (%w)", err)
	}

	for _, file := range files {
		if err := Define(ctx, c, file); err != nil {
			return fmt.Errorf("install %s: %w", filepath.Base(file), err)
		}
	}

	return nil
}

// Define applies the definition in a file, and waits until the API server serves it.
func Define(ctx context.Context, c client.Client, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}

	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(raw, &crd); err != nil {
		return err
	}

	if err := c.Create(ctx, &crd); client.IgnoreAlreadyExists(err) != nil {
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

// DefineGateways installs the definitions of the Gateway API's standard channel, from its module.
func DefineGateways(t testing.TB, c client.Client) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatalf("find the Gateway API's module: %v", err)
	}
	for _, kind := range []string{"gatewayclasses", "gateways", "grpcroutes", "httproutes", "referencegrants"} {
		file := filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "standard", "gateway.networking.k8s.io_"+kind+".yaml")
		if err := Define(t.Context(), c, file); err != nil {
			t.Fatalf("install the definition of %s: %v", kind, err)
		}
	}
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

// StopAPIServer ends the API server of the tests as a crash does, and returns what starts it again and waits until it works.
// The test's end does that, too. No other test can use the API server meanwhile.
func StopAPIServer(t testing.TB) (start func()) {
	t.Helper()
	program, err := localcluster()
	if err != nil {
		t.Fatal(err)
	}

	do := func(args ...string) {
		if _, err := run(program, append(args, "--name", clusterName())...); err != nil {
			t.Error(err)
		}
	}
	start = sync.OnceFunc(func() { do("start", "kube-apiserver") })
	t.Cleanup(start)
	do("stop", "kube-apiserver", "--signal", "KILL")
	return start
}
