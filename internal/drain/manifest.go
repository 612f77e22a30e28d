// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"encoding/json"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Manifest is what a pod's manifest says of the end of each of its containers.
type Manifest struct {
	// Grace is terminationGracePeriodSeconds, and Added how much of it podgate has added.
	Grace int64 `json:"g"`
	Added int64 `json:"a,omitempty"`
	// Containers are the ordinary ones, and Sidecars the native ones that declare a port.
	Containers []Container `json:"c"`
	Sidecars   []Container `json:"s,omitempty"`
}

// Container is a container of a Manifest.
type Container struct {
	Name string `json:"n"`
	// Hook is for how many seconds its preStop hook sleeps: 0 when it has none, Unread when it cannot be read.
	Hook int64 `json:"h,omitempty"`
	// Least is for how many seconds a hook that cannot be read sleeps before it does anything else.
	Least int64 `json:"l,omitempty"`
	// AtOnce: it has a hook, which sleeps for less than a second.
	AtOnce bool `json:"o,omitempty"`
	// Ports are those that it declares, by number and by name.
	Ports []string `json:"p,omitempty"`
}

// proxies are the names of containers that all of a pod's traffic passes, whichever ports they declare:
// those of Istio, Linkerd, Kuma, Consul and AWS App Mesh.
var proxies = []string{"istio-proxy", "linkerd-proxy", "kuma-sidecar", "consul-dataplane", "envoy"}

// IsProxy reports whether a container of this name is a proxy that mostly something injects.
func IsProxy(name string) bool { return slices.Contains(proxies, name) }

// ManifestOf reads a pod's spec. The original is the grace period that the pod had before podgate extended it, nil when
// podgate did not. Init containers have ended.
func ManifestOf(spec *corev1.PodSpec, original *int64) Manifest {
	m := Manifest{Grace: DefaultGrace}
	if spec.TerminationGracePeriodSeconds != nil {
		m.Grace = *spec.TerminationGracePeriodSeconds
	}
	if original != nil {
		m.Added = max(m.Grace-*original, 0)
	}

	for i := range spec.Containers {
		m.Containers = append(m.Containers, containerOf(&spec.Containers[i]))
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways && len(c.Ports) > 0 {
			m.Sidecars = append(m.Sidecars, containerOf(c))
		}
	}

	return m
}

func containerOf(c *corev1.Container) Container {
	read := Container{Name: c.Name}
	read.Hook, read.Least = hook(c.Lifecycle)
	if read.Hook != Unread {
		read.Least = 0
	}
	read.AtOnce = read.Hook == 0 && c.Lifecycle != nil && c.Lifecycle.PreStop != nil
	for _, p := range c.Ports {
		read.Ports = append(read.Ports, strconv.Itoa(int(p.ContainerPort)))
		if p.Name != "" {
			read.Ports = append(read.Ports, p.Name)
		}
	}
	return read
}

// String is read by ParseManifest.
func (m Manifest) String() string {
	text, _ := json.Marshal(m) // It has nothing that JSON lacks.
	return string(text)
}

// ParseManifest reads what Manifest.String wrote; false when it is something else.
func ParseManifest(text string) (Manifest, bool) {
	var m Manifest
	err := json.Unmarshal([]byte(text), &m)
	return m, err == nil
}

// Stop is how the containers end that serve one of the ports, by number or name; all of them count where none is given.
func (m Manifest) Stop(ports ...intstr.IntOrString) Stop {
	s := Stop{Hook: Unread, Grace: m.Grace}
	if sidecar := m.sidecar(ports); sidecar != nil {
		return m.stopOf(*sidecar)
	}

	for _, c := range m.serving(ports) {
		if c.Hook != Unread && (s.Hook == Unread || c.Hook < s.Hook) {
			s.Container, s.Hook = c.Name, c.Hook
		}
	}
	return s
}

// stopOf is how a native sidecar ends: the kubelet lets it run until its own hook and all ordinary containers have ended. The
// longest hook counts, and Container is whose that is.
func (m Manifest) stopOf(sidecar Container) Stop {
	s := Stop{Container: sidecar.Name, Hook: sidecar.Hook, Grace: m.Grace}
	for _, c := range m.Containers {
		switch {
		case c.Hook == Unread || s.Hook == Unread:
			s.Container, s.Hook = "", Unread
		case c.Hook > s.Hook:
			s.Container, s.Hook = c.Name, c.Hook
		}
	}
	return s
}

// Least is for how many seconds the containers that serve one of the ports sleep at least before they do anything else.
func (m Manifest) Least(ports ...intstr.IntOrString) int64 {
	if sidecar := m.sidecar(ports); sidecar != nil {
		longest := sidecar.sleeps()
		for _, c := range m.Containers {
			longest = max(longest, c.sleeps())
		}
		return longest
	}

	shortest := endless
	for _, c := range m.serving(ports) {
		shortest = min(shortest, c.sleeps())
	}
	return shortest
}

// sleeps is for how many seconds a container's hook sleeps at least.
func (c Container) sleeps() int64 { return max(c.Hook, c.Least) }

// Sure reports whether it makes no difference which of the containers serves that may serve one of the ports.
func (m Manifest) Sure(ports ...intstr.IntOrString) bool {
	if len(ports) == 0 || m.declares(ports) || m.sidecar(ports) != nil {
		return true
	}
	serving := m.serving(ports)
	return !slices.ContainsFunc(serving, func(c Container) bool { return c.Hook != serving[0].Hook })
}

// Has returns a container by its name.
func (m Manifest) Has(name string) Container {
	all := slices.Concat(m.Containers, m.Sidecars)
	i := slices.IndexFunc(all, func(c Container) bool { return c.Name == name })
	if i < 0 {
		return Container{}
	}
	return all[i]
}

// Injected reports whether a container's hook is one that podgate has added.
func (m Manifest) Injected(c Container) bool { return m.Added > 0 && c.Hook == m.Added }

// Renewed is what a pod's manifest says when the pod is created anew, and podgate adds hooks of some seconds.
func (m Manifest) Renewed(seconds int64) Manifest {
	if m.Grace <= 0 {
		return m
	}

	renewed := Manifest{Grace: m.Grace - m.Added, Containers: slices.Clone(m.Containers), Sidecars: m.Sidecars}
	for i, c := range m.Containers {
		if c.Hook == 0 && !c.AtOnce || m.Injected(c) {
			renewed.Containers[i].Hook, renewed.Added = seconds, seconds
		}
	}

	if renewed.Added == 0 {
		return m
	}

	renewed.Grace += seconds
	return renewed
}

// serving are the containers that serve one of the ports, and the proxies before them. A port need not be declared:
// where no container declares it, each may serve it that declares no other.
func (m Manifest) serving(ports []intstr.IntOrString) []Container {
	if len(ports) == 0 {
		return m.Containers
	}

	serves := func(c Container) bool { return len(c.Ports) == 0 }
	switch {
	case m.declares(ports):
		serves = func(c Container) bool { return c.declares(ports) }
	case !slices.ContainsFunc(m.Containers, serves):
		return m.Containers
	}

	var serving []Container
	for _, c := range m.Containers {
		if serves(c) || IsProxy(c.Name) {
			serving = append(serving, c)
		}
	}

	return serving
}

// sidecar returns the native sidecar that serves one of the ports; nil where an ordinary container may.
func (m Manifest) sidecar(ports []intstr.IntOrString) *Container {
	if len(ports) == 0 || m.declares(ports) {
		return nil
	}
	for i := range m.Sidecars {
		if m.Sidecars[i].declares(ports) {
			return &m.Sidecars[i]
		}
	}
	return nil
}

func (m Manifest) declares(ports []intstr.IntOrString) bool {
	return slices.ContainsFunc(m.Containers, func(c Container) bool { return c.declares(ports) })
}

func (c Container) declares(ports []intstr.IntOrString) bool {
	return slices.ContainsFunc(ports, func(p intstr.IntOrString) bool { return slices.Contains(c.Ports, p.String()) })
}
