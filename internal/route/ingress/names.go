// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/provision/elb"
)

// Tags by which AWS Load Balancer Controller finds what belongs to a group of Ingresses, so that IAM policies that were
// written for it fit.
const (
	ClusterTag  = elbv2.ClusterTag
	StackTag    = "ingress.k8s.aws/stack"
	ResourceTag = "ingress.k8s.aws/resource"
)

// Values of ResourceTag.
const (
	balancerResource      = "LoadBalancer"
	securityGroupResource = "ManagedLBSecurityGroup"
)

// Key names a group of Ingresses: an explicit one by its name alone, and that of one Ingress by the Ingress's namespace and name.
type Key = types.NamespacedName

// StackOf is the value of StackTag for a group.
func StackOf(group Key) string {
	return strings.TrimPrefix(group.Namespace+"/"+group.Name, "/")
}

// Identity is what marks the stack of a group at AWS.
func Identity(cluster, vpc string, group Key) elb.Identity {
	return elb.Identity{VPC: vpc, Tags: map[string]string{ClusterTag: cluster, StackTag: StackOf(group)}, ResourceTag: ResourceTag}
}

// labels are those of the bindings of a group.
func labels(group Key) map[string]string {
	if group.Namespace == "" {
		return map[string]string{elbv2.IngressGroupLabel: group.Name}
	}
	return map[string]string{elbv2.IngressNamespaceLabel: group.Namespace, elbv2.IngressNameLabel: group.Name}
}

// balancerName is the name of a group's load balancer, unless an Ingress names it. With an empty scheme it is that of its
// security group. Names follow AWS Load Balancer Controller's formulas, so that either finds what the other one made.
func balancerName(cluster string, group Key, scheme string) string {
	hash := hashed(cluster, StackOf(group), scheme)
	if group.Namespace == "" {
		return fmt.Sprintf("k8s-%.17s-%.10s", Readable(group.Name), hash)
	}
	return fmt.Sprintf("k8s-%.8s-%.8s-%.10s", Readable(group.Namespace), Readable(group.Name), hash)
}

// targetGroupName is the name of a target group of an Ingress and a Service.
func targetGroupName(namespace, service string, parts ...string) string {
	return fmt.Sprintf("k8s-%.8s-%.8s-%.10s", Readable(namespace), Readable(service), hashed(parts...))
}

func hashed(parts ...string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(parts, ""))))
}

var unreadable = regexp.MustCompile(`[^a-zA-Z0-9]`)

// Readable is what of a name may be in one at AWS.
func Readable(name string) string { return unreadable.ReplaceAllString(name, "") }

// merged are maps of which the later ones win.
func merged(list ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range list {
		maps.Copy(all, m)
	}
	return all
}
