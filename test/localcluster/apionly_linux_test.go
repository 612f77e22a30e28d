// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/podgate/podgate/test/localcluster/internal/binaries"
	"github.com/podgate/podgate/test/localcluster/internal/cli"
)

// nobody is a user without rights.
const nobody = 65534

func asNobody(home string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		cmd.Dir = home
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "XDG_CACHE_HOME=" + home, "TMPDIR=" + home}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

// cacheOf makes a cache with the programs of the real one, of which one may be replaced.
func cacheOf(t *testing.T, replaced, script string) string {
	t.Helper()
	real, err := binaries.Open("", binaries.Node)
	if err != nil {
		t.Fatal(err)
	}

	// Other users may not enter the parent of a test's folder.
	root := t.TempDir()
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}

	dir := filepath.Join(root, "localcluster", filepath.Base(real.Dir))
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}

	if out, err := exec.Command("cp", "-r", "--reflink=auto", real.Bin(), real.PauseArchive(), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	if replaced != "" {
		if err := os.WriteFile(filepath.Join(dir, "bin", replaced), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}

	if out, err := exec.Command("chown", "-R", strconv.Itoa(nobody), root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	return root
}

func TestAPIOnlyNeedsNoRootAndGoesWithItsParent(t *testing.T) {
	const name = "lctest-api"
	before := look()
	home := cacheOf(t, "", "")
	parent := exec.Command("sleep", "600")
	parent.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = parent.Process.Kill(); _ = parent.Wait() })
	if out, said, err := try(asNobody(home), "up", "--api-only", "--name", name, "--parent-pid", strconv.Itoa(parent.Process.Pid)); err != nil {
		t.Fatalf("%v: %s%s", err, out, said)
	}

	t.Cleanup(func() { _, _, _ = try(asNobody(home), "down", "--name", name) })

	out, said, err := try(asNobody(home), "kubectl", "--name", name, "auth", "can-i", "create", "pods", "--as", "somebody")
	if err == nil || !strings.HasPrefix(out, "no") {
		t.Errorf("RBAC lets anybody create pods: %s%s", out, said)
	}

	manifest := func(cmd *exec.Cmd) { asNobody(home)(cmd); cmd.Stdin = strings.NewReader(barePod) }
	if out, said, err := try(manifest, "kubectl", "--name", name, "create", "-f", "-"); err != nil {
		t.Errorf("a pod cannot be created: %v: %s%s", err, out, said)
	}

	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}

	_ = parent.Wait()
	eventually(t, "the cluster goes with its parent", 10*time.Second, func() string {
		left := processes(name, nil)
		if _, err := os.Stat(filepath.Join(home, "localcluster-"+strconv.Itoa(nobody))); err == nil {
			left = append(left, "state folder")
		}
		return strings.Join(left, "\n")
	})

	wantNoTraces(t, name, before)
}

func TestAPIOnlyCrashEndsItsComponents(t *testing.T) {
	const name = "lctest-apicrash"
	before := look()
	start(t, name, "--api-only")
	s := status(t, name)
	wantEtcd(t, s.Etcd)
	if err := syscall.Kill(s.Processes[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "etcd and kube-apiserver go with the supervisor", 10*time.Second, func() string { return strings.Join(processes(name, nil), "\n") })
	start(t, name, "--api-only")
	lc(t, "down", "--name", name)
	wantNoTraces(t, name, before)
}

// Whoever asks for a release must not get the one that happens to run, nor a node of another.
func TestUpRefusesAnotherRelease(t *testing.T) {
	const name, other = "lctest-release", "v1.30.0"
	before := look()
	start(t, name, "--api-only")
	running := status(t, name)
	file := filepath.Join(running.StateDir, "state.json")
	state, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	// Stands for a cluster of that release.
	if err := os.WriteFile(file, bytes.ReplaceAll(state, []byte(running.Version), []byte(other)), 0o600); err != nil {
		t.Fatal(err)
	}

	if got := status(t, name).Version; got != other {
		t.Errorf("status says %s, want what the cluster was started with, %s", got, other)
	}

	if _, said, err := try(nil, "up", "--api-only", "--name", name); err == nil || !strings.Contains(said, other) || !strings.Contains(said, "down --name "+name) {
		t.Errorf("up beside another release: %v\n%s\nwant an error that says what runs and what to do", err, said)
	}

	lc(t, "down", "--name", name)

	older := binaries.Releases()[0]
	if _, said, err := try(nil, "up", "--name", name, "--kubernetes", older); err == nil || !strings.Contains(said, "--api-only") {
		t.Errorf("a full cluster of %s: %v\n%s\nwant an error that says what there is", older, err, said)
	}

	wantNoTraces(t, name, before)
}

func TestFullClusterRefusesWithoutRoot(t *testing.T) {
	const name = "lctest-refused"
	before := look()
	home := cacheOf(t, "", "")
	_, said, err := try(asNobody(home), "up", "--name", name)
	if err == nil || !strings.Contains(said, "needs root") || !strings.Contains(said, "--api-only") {
		t.Errorf("up without root: %v\n%s\nwant an error that says what to do", err, said)
	}
	wantNoTraces(t, name, before)
}

func TestMissingKernelFeatureIsNamed(t *testing.T) {
	const name = "lctest-feature"
	before := look()
	// Stands for a kernel without nftables.
	fake := t.TempDir()
	if err := os.WriteFile(filepath.Join(fake, "nft"), []byte("#!/bin/sh\necho Operation not supported >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, said, err := try(func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "PATH="+fake+":"+os.Getenv("PATH")) }, "up", "--name", name)
	if err == nil || !strings.Contains(said, "the kernel has no nftables") || !strings.Contains(said, "nothing was started") {
		t.Errorf("up without nftables: %v\n%s\nwant an error that names it", err, said)
	}
	wantNoTraces(t, name, before)
}

// wantEtcd logs in to etcd as status says.
func wantEtcd(t *testing.T, etcd *cli.Etcd) {
	t.Helper()
	if etcd == nil {
		t.Fatal("status does not say where etcd is")
	}

	authority, err := os.ReadFile(etcd.Authority)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(etcd.Certificate, etcd.Key)
	if err != nil {
		t.Fatal(err)
	}

	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{certificate}}}}
	defer client.CloseIdleConnections()
	res, err := client.Post(etcd.URL+"/v3/kv/range", "application/json", strings.NewReader(`{"key":"Lw==","range_end":"MA==","limit":1}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if answer, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(answer), `"kvs"`) {
		t.Errorf("etcd answers %s: %s (%v)", res.Status, answer, err)
	}
}
