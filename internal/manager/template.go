// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"weak"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// template is what all pods of a workload usually have in common. It is kept once for them.
type template struct {
	labels                     map[string]string
	owners                     []metav1.OwnerReference
	gates                      []corev1.PodReadinessGate
	containers, initContainers []corev1.Container
	hostNetwork                bool
}

// templateOf gives a pod's, and whether it is all that the pod has of these.
func templateOf(pod *corev1.Pod) (template, bool) {
	t := template{
		labels: pod.Labels, owners: pod.OwnerReferences, gates: pod.Spec.ReadinessGates,
		containers: pod.Spec.Containers, initContainers: pod.Spec.InitContainers, hostNetwork: pod.Spec.HostNetwork,
	}
	for _, all := range [][]corev1.Container{t.containers, t.initContainers} {
		for i := range all {
			c := all[i]
			c.Name, c.RestartPolicy, c.Ports = "", nil, nil
			if !reflect.ValueOf(&c).Elem().IsZero() {
				return t, false
			}
		}
	}
	return t, true
}

// key is the same for templates that are the same, and for no others.
func (t template) key() string {
	var key []byte
	text := func(all ...string) {
		for _, s := range all {
			key = append(strconv.AppendInt(key, int64(len(s)), 10), ':')
			key = append(key, s...)
		}
	}
	number := func(n int) { key = append(strconv.AppendInt(key, int64(n), 10), ';') }
	flag := func(p *bool) {
		switch {
		case p == nil:
			number(0)
		case *p:
			number(1)
		default:
			number(2)
		}
	}

	number(len(t.labels))
	for _, k := range slices.Sorted(maps.Keys(t.labels)) {
		text(k, t.labels[k])
	}

	number(len(t.owners))
	for _, o := range t.owners {
		text(o.APIVersion, o.Kind, o.Name, string(o.UID))
		flag(o.Controller)
		flag(o.BlockOwnerDeletion)
	}

	number(len(t.gates))
	for _, g := range t.gates {
		text(string(g.ConditionType))
	}

	flag(&t.hostNetwork)
	for _, all := range [][]corev1.Container{t.containers, t.initContainers} {
		number(len(all))
		for i := range all {
			text(all[i].Name)
			if p := all[i].RestartPolicy; p != nil {
				text(string(*p))
			}
			number(len(all[i].Ports))
			for _, p := range all[i].Ports {
				text(p.Name, string(p.Protocol), p.HostIP)
				number(int(p.HostPort))
				number(int(p.ContainerPort))
			}
		}
	}

	return string(key)
}

// templates are those of all cached pods. One is forgotten when no pod has it any more.
type templates struct {
	mu    sync.Mutex
	known map[string]weak.Pointer[template]
}

// share gives the one copy of a template.
func (s *templates) share(t template) *template {
	key := t.key()
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[key].Value(); known != nil {
		return known
	}

	if s.known == nil {
		s.known = map[string]weak.Pointer[template]{}
	}
	s.known[key] = weak.Make(&t)
	runtime.AddCleanup(&t, s.forget, key)
	return &t
}

// forget drops a template that nobody has. It may be known again by now.
func (s *templates) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[key].Value() == nil {
		delete(s.known, key)
	}
}
