// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/podgate/podgate/test/localcluster/internal/pki"
)

const webManifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: ` + webImage + `
        imagePullPolicy: Never
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 1}}}
        volumeMounts:
        - {name: image, mountPath: /from-image}
        - {name: tls, mountPath: /tls}
      volumes:
      - {name: image, image: {reference: "` + webImage + `", pullPolicy: Never}}
      - {name: tls, secret: {secretName: web-tls, optional: true}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.96.0.80
  type: NodePort
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080, nodePort: 30080}
  - {name: https, port: 443, targetPort: 8443}
`

func TestPodsServicesAndWebhooks(t *testing.T) {
	const name = "lctest-pods"
	before := look()
	archive, binary := webArchive(t)
	start(t, name)
	namespaces := namespacesOf(t, name)
	lc(t, "load", "--name", name, archive)
	authority := secret(t, name)
	apply(t, name, webManifest)
	kubectl(t, name, "rollout", "status", "deployment/web", "--timeout=60s")

	addresses := strings.Fields(kubectl(t, name, "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].status.podIP}"))
	pod := strings.Fields(kubectl(t, name, "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}"))[0]

	if len(addresses) != 2 {
		t.Fatalf("pods have the addresses %v, want two", addresses)
	}

	// kube-proxy writes its rules at most once a second.
	eventually(t, "the Service is routed", 10*time.Second, func() string {
		out, said, err := try(nil, "exec", "--name", name, "--", binary, "get", "http://10.96.0.80")
		if err != nil {
			return out + said
		}
		return ""
	})

	for reason, url := range map[string]string{
		"a pod, from the node":               "http://" + addresses[0] + ":8080",
		"a Service's address, from the node": "http://10.96.0.80",
		"a node port, from the node":         "http://172.30.0.2:30080",
	} {
		if out := lc(t, "exec", "--name", name, "--", binary, "get", url); !strings.Contains(out, "200 served by web-") {
			t.Errorf("%s: %q", reason, out)
		}
	}

	for reason, probe := range map[string]struct{ url, want string }{
		"another pod, from a pod":                        {"http://" + addresses[1] + ":8080", "200 served by web-"},
		"a Service's address, from a pod that serves it": {"http://10.96.0.80", "200 served by web-"},
		"the node's address, from a pod":                 {"https://172.30.0.2:10250/healthz", "401"},
		"the API server's Service, from a pod":           {"https://10.96.0.1/readyz", "200 ok"},
	} {
		for range 4 { // often enough to hit every endpoint, the pod itself among them
			if out := kubectl(t, name, "exec", pod, "--", "/web", "get", probe.url); !strings.Contains(out, probe.want) {
				t.Errorf("%s: %q", reason, out)
			}
		}
	}

	if out := kubectl(t, name, "exec", pod, "--", "/from-image/web", "get", "http://127.0.0.1:8080"); !strings.Contains(out, "200") {
		t.Errorf("the program of the image volume says %q", out)
	}

	apply(t, name, fmt.Sprintf(webhookManifest, base64.StdEncoding.EncodeToString(authority)))
	eventually(t, "the webhook labels new pods", 20*time.Second, func() string {
		kubectl(t, name, "delete", "pod", "bare", "--ignore-not-found", "--now")
		apply(t, name, barePod)
		if label := kubectl(t, name, "get", "pod", "bare", "-o", "jsonpath={.metadata.labels.admitted}"); label != "yes" {
			return fmt.Sprintf("label admitted=%q", label)
		}
		return ""
	})

	lc(t, "restart", "kube-apiserver", "--name", name, "--signal", "KILL")
	kubectl(t, name, "wait", "--for=condition=Ready", "pod", pod, "--timeout=30s")
	lc(t, "down", "--name", name)
	wantNoTraces(t, name, before, namespaces...)
}

const webhookManifest = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: web}
webhooks:
- name: web.localcluster.test
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig:
    caBundle: %s
    service: {namespace: default, name: web, path: /admit}
  rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}
`

const barePod = `
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec:
  containers:
  - {name: web, image: "` + webImage + `", imagePullPolicy: Never}
`

// secret gives the web server a certificate and returns its authority.
func secret(t *testing.T, name string) []byte {
	t.Helper()
	dir := t.TempDir()
	authority, err := pki.NewAuthority(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}

	if err := authority.Issue(pki.Subject{File: "tls", Name: "web", Hosts: []string{"web.default.svc"}}); err != nil {
		t.Fatal(err)
	}

	kubectl(t, name, "create", "secret", "tls", "web-tls", "--cert", filepath.Join(dir, "tls.crt"), "--key", filepath.Join(dir, "tls.key"))
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}

	return ca
}

func TestTwoClustersSideBySide(t *testing.T) {
	const one, two = "lctest-one", "lctest-two"
	before := look()
	start(t, one)
	start(t, two)

	for _, name := range []string{one, two} {
		if out := kubectl(t, name, "get", "nodes", "-o", "name"); out != "node/"+name {
			t.Errorf("cluster %s has the nodes %q", name, out)
		}
		s := status(t, name)
		if !s.Running || s.NodeAddress != "172.30.0.2" {
			t.Errorf("status of %s: %+v", name, s)
		}
		for _, p := range s.Processes {
			if err := syscall.Kill(p.PID, 0); err != nil || p.PID == 0 {
				t.Errorf("status says that %s of %s is process %d: %v", p.Name, name, p.PID, err)
			}
		}
	}

	lc(t, "up", "--name", one) // is up already
	lc(t, "down", "--name", one)

	if out := kubectl(t, two, "get", "--raw", "/readyz"); out != "ok" {
		t.Errorf("the second cluster is %q after the first went", out)
	}

	wantNoTraces(t, one, before)
	lc(t, "down", "--name", two)
	wantNoTraces(t, two, before)
}

func TestExecIsTheCommand(t *testing.T) {
	const name = "lctest-exec"
	before := look()
	start(t, name)
	out, _, err := try(func(cmd *exec.Cmd) { cmd.Stdin = strings.NewReader("through") }, "exec", "--name", name, "--", "sh", "-c", "cat; exit 7")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || out != "through" {
		t.Errorf("exec gives %q and %v, want the command's output and its exit code 7", out, err)
	}

	if out := lc(t, "exec", "--name", name, "--", "kubectl", "get", "nodes", "-o", "name"); out != "node/"+name {
		t.Errorf("kubectl in exec says %q", out)
	}

	for _, command := range []string{"kubectl get nodes -o name", "status -o json"} {
		if out := lc(t, "exec", "--name", name, "--", "sh", "-c", program()+" "+command); !strings.Contains(out, name) {
			t.Errorf("localcluster %s without --name, in exec, says %q: nothing of this cluster", command, out)
		}
	}

	guest := exec.Command(program(), "exec", "--name", name, "--", "sleep", "600")
	if err := guest.Start(); err != nil {
		t.Fatal(err)
	}

	ended := make(chan struct{})
	go func() {
		_ = guest.Wait()
		close(ended)
	}()

	eventually(t, "the command of exec runs", 10*time.Second, func() string {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", guest.Process.Pid))
		if strings.TrimSpace(string(line)) != "sleep" {
			return string(line)
		}
		return ""
	})

	namespaces := namespacesOf(t, name)
	lc(t, "down", "--name", name)

	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("what exec started outlives the cluster")
	}

	wantNoTraces(t, name, before, namespaces...)
}
