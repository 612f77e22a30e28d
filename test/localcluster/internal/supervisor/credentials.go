// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"github.com/podgate/podgate/test/localcluster/internal/pki"
)

// user is somebody who talks to the API server with a certificate; each has a kubeconfig of the same name.
type user struct {
	file   string
	name   string
	groups []string
}

func (s *supervisor) users() []user {
	admin := user{"admin", "localcluster-admin", []string{"system:masters"}}
	if !s.full() {
		return []user{admin}
	}
	return []user{
		admin,
		{"kube-controller-manager", "system:kube-controller-manager", nil},
		{"kube-scheduler", "system:kube-scheduler", nil},
		{"kube-proxy", "system:kube-proxy", nil},
		{"kubelet", "system:node:" + s.Dirs.Name, []string{"system:nodes"}},
	}
}

// writeCredentials makes three authorities, which must not be one: who may log in to Kubernetes is neither who may read etcd nor
// who may speak for others as the aggregating proxy.
func (s *supervisor) writeCredentials() error {
	dir := s.Dirs.PKI()
	cluster, errCluster := pki.NewAuthority(dir, "ca")
	etcd, errEtcd := pki.NewAuthority(dir, "etcd-ca")
	proxy, errProxy := pki.NewAuthority(dir, "front-proxy-ca")
	if err := errors.Join(errCluster, errEtcd, errProxy, pki.NewKeyPair(dir, "service-account")); err != nil {
		return fmt.Errorf("make the cluster's authorities: %w", err)
	}

	hosts := []string{"127.0.0.1", "localhost", NodeAddress, firstIP, s.Dirs.Name,
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	err := errors.Join(
		etcd.Issue(pki.Subject{File: "etcd", Name: "etcd", Hosts: []string{"127.0.0.1", "localhost"}}),
		etcd.Issue(pki.Subject{File: "etcd-client", Name: "kube-apiserver"}),
		proxy.Issue(pki.Subject{File: "front-proxy", Name: "front-proxy-client"}),
		cluster.Issue(pki.Subject{File: "kube-apiserver", Name: "kube-apiserver", Hosts: hosts}),
		cluster.Issue(pki.Subject{File: "kubelet-client", Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}}),
		cluster.Issue(pki.Subject{File: "kubelet-server", Name: "system:node:" + s.Dirs.Name, Groups: []string{"system:nodes"},
			Hosts: []string{NodeAddress, s.Dirs.Name}}),
	)

	for _, u := range s.users() {
		err = errors.Join(err, cluster.Issue(pki.Subject{File: u.file, Name: u.name, Groups: u.groups}), s.writeKubeconfig(u))
	}

	if err != nil {
		return fmt.Errorf("make the cluster's certificates: %w", err)
	}

	return os.Rename(s.config("admin.kubeconfig"), s.Dirs.Kubeconfig())
}

// writeKubeconfig puts everything into the one file, so that it can be handed on.
func (s *supervisor) writeKubeconfig(u user) error {
	var encoded []any
	for _, name := range []string{"ca.crt", u.file + ".crt", u.file + ".key"} {
		data, err := os.ReadFile(s.pki(name))
		if err != nil {
			return err
		}
		encoded = append(encoded, base64.StdEncoding.EncodeToString(data))
	}

	const format = `apiVersion: v1
kind: Config
current-context: %[4]s
clusters:
- name: %[4]s
  cluster:
    server: %[5]s
    certificate-authority-data: %[1]s
users:
- name: %[6]s
  user:
    client-certificate-data: %[2]s
    client-key-data: %[3]s
contexts:
- name: %[4]s
  context:
    cluster: %[4]s
    user: %[6]s
`

	text := fmt.Sprintf(format, append(encoded, "localcluster-"+s.Dirs.Name, s.server(), u.file)...)
	return os.WriteFile(s.config(u.file+".kubeconfig"), []byte(text), 0o600)
}
