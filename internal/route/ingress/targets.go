// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/internal/route/annotation"
)

// targetGroups are those of one Ingress, one for each port of a Service as the Ingress writes it.
type targetGroups struct {
	list []elb.TargetGroup
	// failed says why a group cannot be made, by its resource.
	failed map[string]string
}

// groupResource is the value of a target group's resource tag.
func groupResource(owner string, b route.Backend) string {
	if b.Group != "" {
		return b.Group
	}
	return fmt.Sprintf("%s-%s:%s", owner, b.Service, b.Port)
}

// target makes sure that there is a target group for a backend. The error is for people, and concerns what uses this backend.
func (m *member) target(b route.Backend, service *corev1.Service, settings Settings, group Key) error {
	resource := groupResource(m.Owner, b)
	if why, failed := m.groups.failed[resource]; failed {
		return fmt.Errorf("%s", why)
	}
	if b.Group != "" || slices.ContainsFunc(m.groups.list, func(g elb.TargetGroup) bool { return g.Resource == resource }) {
		return nil
	}

	made, err := m.newTarget(resource, b, service, settings, group)
	if err != nil {
		if m.groups.failed == nil {
			m.groups.failed = map[string]string{}
		}
		m.groups.failed[resource] = err.Error()
		return err
	}
	m.groups.list = append(m.groups.list, made)
	return nil
}

func (m *member) newTarget(resource string, b route.Backend, service *corev1.Service, settings Settings, group Key) (elb.TargetGroup, error) {
	g, err := NewTargetGroup(m.reader(OfService(service)), b, service, settings)
	if err != nil {
		return elb.TargetGroup{}, err
	}
	g.Resource, g.Owner, g.Binding.Labels = resource, m.Owner, labels(group)
	g.Name = targetGroupName(b.Namespace, b.Service, settings.Cluster, StackOf(group), m.Ingress.Namespace, m.Ingress.Name, string(service.UID), b.Port,
		strconv.Itoa(int(g.Port)), g.TargetType, g.Protocol, g.Version)
	return g, nil
}

// OfService is the source of a Service's annotations.
func OfService(service *corev1.Service) annotation.Source {
	return annotation.Of(Prefix, " of Service "+service.Name, service.Annotations)
}

// NewTargetGroup is a target group for a port of a Service that exists, by what annotations say. It lacks a name, a resource, an owner
// and the labels of its binding. The error is for people.
func NewTargetGroup(r annotation.Reader, b route.Backend, service *corev1.Service, settings Settings) (elb.TargetGroup, error) {
	port, _ := servicePort(service, b.Port) // The rules were made for ports that exist.

	g := elb.TargetGroup{
		VPC: settings.VPC, AddressType: "ipv4",
		Protocol:   r.OneOf("backend-protocol", "HTTP", "HTTP", "HTTPS"),
		Version:    r.OneOf("backend-protocol-version", "HTTP1", "HTTP1", "HTTP2", "GRPC"),
		TargetType: r.OneOf("target-type", settings.TargetType, "instance", "ip"),
		Attributes: r.Pairs("target-group-attributes"),
		Tags:       merged(Tags(r), settings.Tags),
		Binding:    elb.Binding{Namespace: b.Namespace, Service: b.Service, Port: b.Port, MultiCluster: r.Yes("multi-cluster-target-group")},
	}
	if len(service.Spec.IPFamilies) > 0 && service.Spec.IPFamilies[0] == corev1.IPv6Protocol {
		g.AddressType = "ipv6"
	}

	var err error
	if g.Port, err = TargetPort(g.TargetType, service, port); err != nil {
		return elb.TargetGroup{}, err
	}
	if nodes := r.Pairs("target-node-labels"); g.TargetType == "instance" && len(nodes) > 0 {
		g.Binding.Nodes = nodes
	}
	g.HealthCheck, err = healthCheck(r, g, service)
	return g, err
}

// TargetPort is the port of a target group. Where the pods' is a name, each pod has its own, and the group's does not matter.
func TargetPort(targetType string, service *corev1.Service, port corev1.ServicePort) (int32, error) {
	if targetType == "instance" {
		if port.NodePort == 0 {
			return 0, fmt.Errorf("the Service %q has no node port, which target-type instance needs: make it a Service of type NodePort, or let one of type LoadBalancer have node ports, or use target-type ip", service.Name)
		}
		return port.NodePort, nil
	}
	return podPort(port), nil
}

// podPort is the number of the pods' port, or 1 if it is a name.
func podPort(port corev1.ServicePort) int32 {
	if port.TargetPort.Type == intstr.String {
		return 1
	}
	return cmp.Or(port.TargetPort.IntVal, port.Port)
}

var successCodes = regexp.MustCompile(`^[0-9]{1,3}(-[0-9]{1,3})?(,[0-9]{1,3}(-[0-9]{1,3})?)*$`)

// SuccessCodes reports whether a text says which codes of answers are those of a healthy target.
func SuccessCodes(text string) bool { return successCodes.MatchString(text) }

// healthCheck is how a group's targets are checked. Its defaults are AWS Load Balancer Controller's, which are quicker than AWS's.
func healthCheck(r annotation.Reader, g elb.TargetGroup, service *corev1.Service) (elb.HealthCheck, error) {
	path, codes := "/", "200"
	if g.Version == "GRPC" {
		path, codes = "/AWS.ALB/healthcheck", "12"
	}

	check := elb.HealthCheck{
		Protocol:  r.OneOf("healthcheck-protocol", g.Protocol, "HTTP", "HTTPS"),
		Path:      r.Text("healthcheck-path", path),
		Interval:  r.Number("healthcheck-interval-seconds", 15, 5, 300),
		Timeout:   r.Number("healthcheck-timeout-seconds", 5, 2, 120),
		Healthy:   r.Number("healthy-threshold-count", 2, 2, 10),
		Unhealthy: r.Number("unhealthy-threshold-count", 2, 2, 10),
		Codes:     r.Text("success-codes", codes),
	}
	if !strings.HasPrefix(check.Path, "/") {
		r.Refuse(v1alpha1.ReasonInvalidAnnotation, "healthcheck-path of Service %q is %q: begin it with /", service.Name, check.Path)
	}
	if !SuccessCodes(check.Codes) {
		r.Refuse(v1alpha1.ReasonInvalidAnnotation, "success-codes of Service %q is %q: use codes such as 200, 200,302 or 200-299", service.Name, check.Codes)
	}
	if check.Timeout >= check.Interval {
		r.Refuse(v1alpha1.ReasonInvalidAnnotation, "the health checks of Service %q time out after %d s, and one begins every %d s: make healthcheck-timeout-seconds less than healthcheck-interval-seconds", service.Name, check.Timeout, check.Interval)
	}

	var err error
	check.Port, err = HealthPort(r, TrafficPort, g.TargetType, service)
	return check, err
}

// HealthPort is the port that health checks ask: traffic-port, or a number. The name of a port of the Service is its number.
func HealthPort(r annotation.Reader, otherwise, targetType string, service *corev1.Service) (string, error) {
	name := r.Text("healthcheck-port", otherwise)
	if name == TrafficPort || name == otherwise {
		return name, nil
	}
	if _, err := strconv.Atoi(name); err == nil {
		return strconv.Itoa(int(r.Number("healthcheck-port", 0, 1, 65535))), nil
	}

	port, ok := servicePort(service, name)
	if !ok {
		return "", fmt.Errorf("healthcheck-port %q is not a port of Service %q: use a number, traffic-port, or the name of one of its ports", name, service.Name)
	}
	if targetType == "ip" && port.TargetPort.Type == intstr.String {
		return "", fmt.Errorf("healthcheck-port %q is port %q of the pods of Service %q, whose number may differ between pods: use a number, or traffic-port", name, port.TargetPort.StrVal, service.Name)
	}
	number, err := TargetPort(targetType, service, port)
	return strconv.Itoa(int(number)), err
}

// TrafficPort has each target checked at its own port.
const TrafficPort = "traffic-port"

// servicePort is a port of a Service by what an Ingress writes, a number or a name.
func servicePort(service *corev1.Service, written string) (corev1.ServicePort, bool) {
	for _, p := range service.Spec.Ports {
		if p.Name == written || strconv.Itoa(int(p.Port)) == written {
			return p, written != ""
		}
	}
	return corev1.ServicePort{}, false
}
