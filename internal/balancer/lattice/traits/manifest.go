// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"slices"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// idPrefix starts the ids of target groups, and the name of none.
const idPrefix = "tg-"

// manifest reads podgate's own kind. A group that is given by its id is looked up like one that
// is given by its name, so that two bindings of the same group have the same Ref. Groups that
// are to be discovered go by the Name of a Discovery, which has the cluster in it once they are found.
func manifest(o any) (balancer.Manifest, bool) {
	b, ok := o.(*v1alpha1.TargetBinding)
	if !ok || b.Spec.Lattice == nil {
		return balancer.Manifest{}, false
	}

	l := b.Spec.Lattice
	g := balancer.Group{
		Ref:  balancer.Ref{Group: l.TargetGroupARN, Region: l.Region, RoleARN: l.RoleARN, ExternalID: l.ExternalID},
		Name: l.TargetGroupName,
	}
	switch {
	case l.Discover:
		g.Name = Discovery{Namespace: b.Namespace, Service: b.Spec.ServiceRef.Name, Cluster: l.ClusterName}.String()
	case IsID(l.TargetGroupARN):
		g.Ref.Group, g.Name = "", l.TargetGroupARN
	}

	return balancer.Manifest{Group: g}, true
}

// IsID reports whether what stands in the place of a group's name is its id.
func IsID(name string) bool { return strings.HasPrefix(name, idPrefix) }

// called reports whether a name is a group's id, or that of a discovery in whichever cluster it found the group.
func called(g balancer.Group, name string) bool {
	if wanted, discovered := ParseDiscovery(name); discovered {
		found, _ := ParseDiscovery(g.Name)
		found.Cluster = ""
		return found == wanted
	}
	return IsID(name) && strings.HasSuffix(g.Ref.Group, "/"+name)
}

// Discovery says whose groups a binding with discover: true means: those that AWS Gateway API
// Controller has tagged with this Service. Cluster is empty where any cluster's will do.
type Discovery struct{ Namespace, Service, Cluster string }

// discoveryPrefix starts what stands in the place of a group's name. No name has a colon.
const discoveryPrefix = "service:"

// String is read by ParseDiscovery.
func (d Discovery) String() string {
	s := discoveryPrefix + d.Namespace + "/" + d.Service
	if d.Cluster != "" {
		s += "@" + d.Cluster
	}
	return s
}

// ParseDiscovery reads a group's Name; false when it names one group.
func ParseDiscovery(name string) (Discovery, bool) {
	rest, ok := strings.CutPrefix(name, discoveryPrefix)
	if !ok {
		return Discovery{}, false
	}
	rest, cluster, _ := strings.Cut(rest, "@")
	namespace, service, ok := strings.Cut(rest, "/")
	return Discovery{Namespace: namespace, Service: service, Cluster: cluster}, ok
}

// separator stands between the ARNs of several groups in one Ref.
const separator = ","

// Join makes the Ref.Group of several groups, whichever order their ARNs come in.
func Join(arns []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(arns))), separator)
}

// ARNs lists the groups that a Ref.Group stands for.
func ARNs(group string) []string { return strings.Split(group, separator) }

func identifiers(ref balancer.Ref) []string { return ARNs(ref.Group) }
