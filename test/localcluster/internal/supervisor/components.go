// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"fmt"
	"strconv"
)

func (s *supervisor) etcd() *component {
	peer := "https://127.0.0.1:" + strconv.Itoa(s.PeerPort)
	return s.component("etcd", s.client.etcdHealth(s.Config.etcd()+"/health"),
		"--name=etcd",
		"--data-dir="+s.data("etcd"),
		"--listen-client-urls="+s.Config.etcd(), "--advertise-client-urls="+s.Config.etcd(),
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=etcd="+peer,
		"--cert-file="+s.pki("etcd.crt"), "--key-file="+s.pki("etcd.key"),
		"--trusted-ca-file="+s.pki("etcd-ca.crt"), "--client-cert-auth",
		"--peer-cert-file="+s.pki("etcd.crt"), "--peer-key-file="+s.pki("etcd.key"),
		"--peer-trusted-ca-file="+s.pki("etcd-ca.crt"), "--peer-client-cert-auth",
		// The data need not survive the machine.
		"--unsafe-no-fsync",
		"--quota-backend-bytes="+strconv.Itoa(4<<30),
		"--socket-reuse-port",
		"--log-level=warn",
	)
}

func (s *supervisor) apiServer() *component {
	args := []string{
		"--etcd-servers=" + s.Config.etcd(),
		"--etcd-cafile=" + s.pki("etcd-ca.crt"), "--etcd-certfile=" + s.pki("etcd-client.crt"), "--etcd-keyfile=" + s.pki("etcd-client.key"),
		"--secure-port=" + strconv.Itoa(s.APIPort), "--permit-port-sharing",
		"--tls-cert-file=" + s.pki("kube-apiserver.crt"), "--tls-private-key-file=" + s.pki("kube-apiserver.key"),
		"--client-ca-file=" + s.pki("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + s.pki("service-account.pub"),
		"--service-account-signing-key-file=" + s.pki("service-account.key"),
		"--service-cluster-ip-range=" + ServiceCIDR,
		"--requestheader-client-ca-file=" + s.pki("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + s.pki("front-proxy.crt"), "--proxy-client-key-file=" + s.pki("front-proxy.key"),
		"--max-requests-inflight=800", "--max-mutating-requests-inflight=400",
	}

	probe := s.client.api(s.server() + "/readyz")
	if s.full() {
		return s.component("kube-apiserver", probe, append(args,
			"--bind-address=0.0.0.0", "--advertise-address="+NodeAddress,
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
			"--kubelet-certificate-authority="+s.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
			"--kubelet-client-certificate="+s.pki("kubelet-client.crt"), "--kubelet-client-key="+s.pki("kubelet-client.key"),
		)...)
	}

	return s.component("kube-apiserver", probe, append(args,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--authorization-mode=RBAC", "--allow-privileged",
		// Nobody makes the ServiceAccounts that this plugin wants every pod to have.
		"--disable-admission-plugins=ServiceAccount",
	)...)
}

func (s *supervisor) controllerManager() *component {
	return s.component("kube-controller-manager", s.client.loopback("https://127.0.0.1:10257/healthz"), append(s.login("kube-controller-manager"),
		"--kubeconfig="+s.config("kube-controller-manager.kubeconfig"),
		"--bind-address=127.0.0.1", "--leader-elect=false",
		"--root-ca-file="+s.pki("ca.crt"), "--service-account-private-key-file="+s.pki("service-account.key"), "--use-service-account-credentials",
		"--cluster-signing-cert-file="+s.pki("ca.crt"), "--cluster-signing-key-file="+s.pki("ca.key"),
		"--allocate-node-cidrs", "--cluster-cidr="+PodCIDR, "--node-cidr-mask-size=16", "--service-cluster-ip-range="+ServiceCIDR,
		fmt.Sprintf("--kube-api-qps=%d", apiRate), fmt.Sprintf("--kube-api-burst=%d", apiBurst),
	)...)
}

func (s *supervisor) scheduler() *component {
	return s.component("kube-scheduler", s.client.loopback("https://127.0.0.1:10259/healthz"), append(s.login("kube-scheduler"),
		"--config="+s.config("kube-scheduler.yaml"), "--bind-address=127.0.0.1")...)
}

func (s *supervisor) containerd() *component {
	return s.component("containerd", connects(s.Dirs.Containerd()), "--config="+s.config("containerd.toml"))
}

func (s *supervisor) kubelet() *component {
	return s.component("kubelet", s.client.loopback("http://127.0.0.1:10248/healthz"),
		"--config="+s.config("kubelet.yaml"),
		"--kubeconfig="+s.config("kubelet.kubeconfig"),
		"--root-dir="+s.data("kubelet"), "--cert-dir="+s.data("kubelet/pki"),
		"--hostname-override="+s.Dirs.Name, "--node-ip="+NodeAddress)
}

func (s *supervisor) proxy() *component {
	return s.component("kube-proxy", s.client.loopback("http://127.0.0.1:10256/healthz"), "--config="+s.config("kube-proxy.yaml"))
}

// login lets a component check who calls it.
func (s *supervisor) login(user string) []string {
	kubeconfig := s.config(user + ".kubeconfig")
	return []string{
		"--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--client-ca-file=" + s.pki("ca.crt"), "--requestheader-client-ca-file=" + s.pki("front-proxy-ca.crt"),
	}
}
