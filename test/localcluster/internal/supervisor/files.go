// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
)

// apiRate is how many requests a second a component may send: high enough that tests with a thousand pods wait for the cluster,
// not for a client-side limit.
const apiRate, apiBurst = 300, 600

type object = map[string]any

// writeFiles writes the configuration files of the components. JSON is YAML, so no YAML library is needed.
func (s *supervisor) writeFiles() error {
	files := map[string]object{
		"kubelet.yaml":              s.kubeletConfig(),
		"kube-proxy.yaml":           s.proxyConfig(),
		"kube-scheduler.yaml":       s.schedulerConfig(),
		"cni/10-pods.conflist":      s.podNetwork(PodCIDR),
		"cni-dual/10-pods.conflist": s.podNetwork(PodCIDR, podCIDR6),
	}

	for _, folder := range []string{"cni", "cni-dual"} {
		if err := os.MkdirAll(s.config(folder), 0o700); err != nil {
			return err
		}
	}

	for name, content := range files {
		data, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(s.config(name), append(data, '\n'), 0o600); err != nil {
			return err
		}
	}

	return os.WriteFile(s.config("containerd.toml"), []byte(s.containerdConfig()), 0o600)
}

// podNetwork gives each pod an address of each range and routes it by itself instead of bridging them: then all traffic between
// pods passes the node's netfilter, and Services work from pod to pod without the br_netfilter module. Networks of the same
// name share what is given out.
func (s *supervisor) podNetwork(subnets ...string) object {
	var ranges [][]object
	for _, subnet := range subnets {
		ranges = append(ranges, []object{{"subnet": subnet}})
	}
	return object{
		"cniVersion": "1.0.0",
		"name":       "pods",
		"plugins": []object{{
			"type": "ptp",
			"mtu":  1500,
			"ipam": object{
				"type":    "host-local",
				"dataDir": s.data("cni"),
				"ranges":  ranges,
				"routes":  []object{{"dst": "0.0.0.0/0"}, {"dst": "::/0"}}[:len(subnets)],
			},
		}},
	}
}

func (s *supervisor) kubeletConfig() object {
	return object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"address":    "0.0.0.0",
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": s.pki("ca.crt")},
		},
		"authorization":            object{"mode": "Webhook"},
		"tlsCertFile":              s.pki("kubelet-server.crt"),
		"tlsPrivateKeyFile":        s.pki("kubelet-server.key"),
		"containerRuntimeEndpoint": "unix://" + s.Dirs.Containerd(),
		"podLogsDir":               s.data("pod-logs"),
		"volumePluginDir":          s.data("volume-plugins"),
		"resolvConf":               os.DevNull,
		// No DNS server runs. At the node's address a question is refused at once, where that of a missing Service would time out.
		"clusterDNS":          []string{NodeAddress},
		"clusterDomain":       "cluster.local",
		"maxPods":             s.MaxPods,
		"serializeImagePulls": false,
		"failSwapOn":          false,
		// cgroups: no hierarchy of the kubelet's own, so that it works with few controllers and beside other clusters.
		"failCgroupV1":           false,
		"cgroupDriver":           "cgroupfs",
		"cgroupRoot":             s.Dirs.Cgroup(),
		"cgroupsPerQOS":          false,
		"enforceNodeAllocatable": []string{},
		"oomScoreAdj":            0,
		// Images come from archives and cannot be pulled again: they are never collected, and no pod is evicted for them.
		"imageGCHighThresholdPercent": 100,
		"evictionHard": object{
			"memory.available":  "50Mi",
			"nodefs.available":  "0%",
			"nodefs.inodesFree": "0%",
			"imagefs.available": "0%",
		},
		"makeIPTablesUtilChains": false,
		"kubeAPIQPS":             apiRate,
		"kubeAPIBurst":           apiBurst,
		"eventRecordQPS":         0,
		"healthzBindAddress":     "127.0.0.1",
		"healthzPort":            10248,
	}
}

func (s *supervisor) proxyConfig() object {
	return object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "nftables",
		"hostnameOverride":   s.Dirs.Name,
		"clusterCIDR":        PodCIDR,
		"bindAddress":        "0.0.0.0",
		"healthzBindAddress": "127.0.0.1:10256",
		"metricsBindAddress": "127.0.0.1:10249",
		"oomScoreAdj":        0,
		"clientConnection":   s.clientConnection("kube-proxy"),
		// The limits of connection tracking are the host's.
		"conntrack": object{
			"maxPerCore": 0, "min": 0,
			"tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s", "udpTimeout": "0s", "udpStreamTimeout": "0s",
		},
	}
}

func (s *supervisor) schedulerConfig() object {
	return object{
		"apiVersion":       "kubescheduler.config.k8s.io/v1",
		"kind":             "KubeSchedulerConfiguration",
		"clientConnection": s.clientConnection("kube-scheduler"),
		"leaderElection":   object{"leaderElect": false},
	}
}

func (s *supervisor) clientConnection(user string) object {
	return object{"kubeconfig": s.config(user + ".kubeconfig"), "qps": apiRate, "burst": apiBurst}
}

func (s *supervisor) containerdConfig() string {
	const format = `version = 3
root = %[1]q
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.nri.v1.nri",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]

[grpc]
  address = %[2]q

[ttrpc]
  address = "/run/containerd/ttrpc.sock"

[plugins.'io.containerd.internal.v1.opt']
  path = %[3]q

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = %[4]q

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE a process may not lower its score again.
  restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false

# Pods of a RuntimeClass with this handler have an IPv6 address as well, and start a second or two later for it.
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.dual-stack]
  runtime_type = "io.containerd.runc.v2"
  cni_conf_dir = %[7]q

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.dual-stack.options]
  SystemdCgroup = false

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = [%[5]q]
  conf_dir = %[6]q
`

	return fmt.Sprintf(format, s.data("containerd"), s.Dirs.Containerd(), s.data("containerd-opt"), s.PauseImage, s.CNIBin, s.config("cni"), s.config("cni-dual"))
}
