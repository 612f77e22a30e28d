// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kubetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Chart is the folder of podgate's Helm chart.
func Chart() string { return filepath.Join(Root(), "charts", "podgate") }

// Reads opens all files of a folder. go test counts a result as old when a file has
// changed that the test opened, but does not see what a program that it runs reads.
func Reads(t testing.TB, folder string) {
	t.Helper()
	if err := os.CopyFS(t.TempDir(), os.DirFS(folder)); err != nil {
		t.Fatalf("read %s: %v", folder, err)
	}
}

// Tool gives the path of one of the pinned tools, such as helm, which is built if it is missing.
func Tool(t testing.TB, name, pkg string) string {
	t.Helper()
	program := filepath.Join(Root(), "bin", name)
	if _, err := os.Stat(program); err == nil {
		return program
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, pkg)
	cmd.Dir = filepath.Join(Root(), "tools")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return program
}

// Helm runs helm and gives what it prints; an error holds what it says of it.
func Helm(t testing.TB, args ...string) ([]byte, error) {
	t.Helper()
	Reads(t, Chart())
	cmd := exec.CommandContext(t.Context(), Tool(t, "helm", "helm.sh/helm/v3/cmd/helm"), args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, &helmError{err, stderr.String()}
	}
	return stdout.Bytes(), nil
}

// Render gives what the chart renders in podgate's namespace, with further arguments of
// helm template.
func Render(t testing.TB, args ...string) ([]byte, error) {
	t.Helper()
	return Helm(t, append([]string{"template", "podgate", Chart(), "--namespace", "podgate-system", "--kube-version", "1.37.0"}, args...)...)
}

type helmError struct {
	err  error
	said string
}

func (e *helmError) Error() string { return e.err.Error() + ": " + e.said }
func (e *helmError) Unwrap() error { return e.err }

// Kubeconfig writes a file with which a program reaches the API server as cfg does.
func Kubeconfig(t testing.TB, cfg *rest.Config) string {
	t.Helper()
	const name = "test"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{name: {Server: cfg.Host, CertificateAuthority: cfg.CAFile, CertificateAuthorityData: cfg.CAData}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			ClientCertificate: cfg.CertFile, ClientCertificateData: cfg.CertData, ClientKey: cfg.KeyFile, ClientKeyData: cfg.KeyData, Token: cfg.BearerToken,
		}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, file)
	if err != nil {
		t.Fatalf("write kubeconfig: %v", err)
	}

	return file
}
