// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/kubetest"
)

func haproxyBinding(namespace string) *v1alpha1.TargetBinding {
	return &v1alpha1.TargetBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: namespace},
		Spec: v1alpha1.TargetBindingSpec{
			ServiceRef: v1alpha1.ServiceReference{Name: "web", Port: intstr.FromInt32(80)},
			HAProxy:    &v1alpha1.HAProxy{Backend: "web", Instances: []string{"unix:/run/haproxy/admin.sock"}},
		},
	}
}

func elbv2Binding(namespace string) *v1alpha1.TargetBinding {
	b := haproxyBinding(namespace)
	b.Spec.HAProxy, b.Spec.ELBv2 = nil, &v1alpha1.ELBv2{TargetGroupName: "web"}
	return b
}

func latticeBinding(namespace string) *v1alpha1.TargetBinding {
	b := haproxyBinding(namespace)
	b.Spec.HAProxy, b.Spec.Lattice = nil, &v1alpha1.Lattice{TargetGroupName: "web"}
	return b
}

// discoveringBinding is of the groups that another controller fills for the Service.
func discoveringBinding(namespace string) *v1alpha1.TargetBinding {
	b := latticeBinding(namespace)
	b.Spec.Membership, b.Spec.Lattice = v1alpha1.MembershipExternal, &v1alpha1.Lattice{Discover: true}
	return b
}

const (
	latticeID  = "tg-0123456789abcdef0"
	latticeARN = "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/" + latticeID
)

// The API server refuses what podgate could not serve, and says what to write instead.
func TestTargetBindingIsValidated(t *testing.T) {
	kube, err := kubetest.Client(shared.cfg)
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		reason string
		make   func(namespace string) *v1alpha1.TargetBinding
		change func(*v1alpha1.TargetBinding)
		says   string // empty: taken
	}{
		{"the least of haproxy", haproxyBinding, func(*v1alpha1.TargetBinding) {}, ""},
		{"the least of elbv2", elbv2Binding, func(*v1alpha1.TargetBinding) {}, ""},
		{"no provider", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.HAProxy = nil }, "name exactly one provider: elbv2, haproxy or lattice"},
		{"two providers", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.ELBv2 = &v1alpha1.ELBv2{TargetGroupName: "web"} }, "name exactly one provider: elbv2, haproxy or lattice"},
		{"all providers", haproxyBinding, func(b *v1alpha1.TargetBinding) {
			b.Spec.ELBv2, b.Spec.Lattice = &v1alpha1.ELBv2{TargetGroupName: "web"}, &v1alpha1.Lattice{TargetGroupName: "web"}
		}, "name exactly one provider: elbv2, haproxy or lattice"},
		{"the least of lattice", latticeBinding, func(*v1alpha1.TargetBinding) {}, ""},
		{"a group of Lattice by its ARN and region", latticeBinding, func(b *v1alpha1.TargetBinding) {
			b.Spec.Lattice = &v1alpha1.Lattice{TargetGroupARN: latticeARN, Region: "eu-west-1", RoleARN: "arn:aws:iam::210987654321:role/web", ExternalID: "shop"}
		}, ""},
		{"a group of Lattice by its id", latticeBinding, func(b *v1alpha1.TargetBinding) {
			b.Spec.Lattice = &v1alpha1.Lattice{TargetGroupARN: latticeID, Region: "eu-west-1"}
		}, ""},
		{"an id as a name", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.TargetGroupName = latticeID }, "name a group by its id in targetGroupARN"},
		{"a name that Lattice does not have", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.TargetGroupName = "web--1" }, "spec.lattice.targetGroupName"},
		{"a name that is too short", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.TargetGroupName = "we" }, "spec.lattice.targetGroupName"},
		{"a group of an ALB in Lattice", latticeBinding, func(b *v1alpha1.TargetBinding) {
			b.Spec.Lattice = &v1alpha1.Lattice{TargetGroupARN: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"}
		}, "must be the ARN of a target group of VPC Lattice, such as arn:aws:vpc-lattice:"},
		{"another region than that of Lattice's ARN", latticeBinding, func(b *v1alpha1.TargetBinding) {
			b.Spec.Lattice = &v1alpha1.Lattice{TargetGroupARN: latticeARN, Region: "us-east-1"}
		}, "region is not the ARN's: leave it out or correct it"},
		{"no group of Lattice", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice = &v1alpha1.Lattice{} }, "exactly one of targetGroupARN, targetGroupName and discover: true"},
		{"a group of Lattice by ARN and name", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.TargetGroupARN = latticeARN }, "exactly one of targetGroupARN, targetGroupName and discover: true"},
		{"groups of Lattice to be discovered", discoveringBinding, func(*v1alpha1.TargetBinding) {}, ""},
		{"those of one cluster", discoveringBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.ClusterName = "east" }, ""},
		{"discovered and named", discoveringBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.TargetGroupName = "web" }, "exactly one of targetGroupARN, targetGroupName and discover: true"},
		{"discovered and filled by podgate", discoveringBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Membership = v1alpha1.MembershipManaged }, "lattice.discover needs membership External"},
		{"discovered by default membership", discoveringBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Membership = "" }, "lattice.discover needs membership External"},
		{"a cluster of a named group", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.ClusterName = "east" }, "leave it out where the group is named"},
		{"an external ID of Lattice without a role", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.ExternalID = "x" }, "externalID needs roleARN"},
		{"a nudge beside Lattice", discoveringBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Wake = "Nudge" }, "wake is for bindings of elbv2 with membership External"},
		{"a group by ARN and name", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.ELBv2.TargetGroupARN = "arn:aws" }, "by targetGroupARN or by targetGroupName"},
		{"an external ID without a role", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.ELBv2.ExternalID = "x" }, "externalID needs roleARN"},
		{"a region beside a name", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.ELBv2.Region = "us-east-1" }, ""},
		{"another region than the ARN's", elbv2Binding, func(b *v1alpha1.TargetBinding) {
			b.Spec.ELBv2 = &v1alpha1.ELBv2{TargetGroupARN: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0", Region: "us-east-1"}
		}, "region is not the ARN's"},
		{"a name that makes no gate", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Name = strings.Repeat("n", 64) }, "at most 63 characters"},
		{"no instance", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.HAProxy.Instances = []string{} }, "spec.haproxy.instances"},
		{"an instance that is no socket", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.HAProxy.Instances = []string{"lb-1:9999"} }, "spec.haproxy.instances"},
		{"a second command in the backend", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.HAProxy.Backend = "web;shutdown" }, "spec.haproxy.backend"},
		{"checks without pause", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.HAProxy.Check.IntervalMilliseconds = 1 }, "intervalMilliseconds"},
		{"an unknown membership", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Membership = "Mine" }, "spec.membership"},
		{"an External group that nobody has to be woken for", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.Membership, b.Spec.Wake = "External", "None" }, ""},
		{"a nudge in a group of podgate's own", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.Wake = "Nudge" }, "wake is for bindings of elbv2 with membership External"},
		{"nodes beside HAProxy", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Nodes = v1alpha1.NodesAll }, "nodeSelector and nodes are for target groups of elbv2"},
		{"selected nodes beside HAProxy", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.NodeSelector = &metav1.LabelSelector{} }, "nodeSelector and nodes are for target groups of elbv2"},
		{"nodes of another kind", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.Nodes = "Some" }, `supported values: "All", "WithReadyPods"`},
		{"a nudge beside HAProxy", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Membership, b.Spec.Wake = "External", "Nudge" }, "wake is for bindings of elbv2 with membership External"},
		{"an unknown way to wake", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.Membership, b.Spec.Wake = "External", "Shout" }, "spec.wake"},
		{"a floor of nothing", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Gate = &v1alpha1.GatePolicy{TrackFloor: "0%"} }, "trackFloor"},
		{"a floor of all", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Gate = &v1alpha1.GatePolicy{TrackFloor: "100%"} }, ""},
		{"opening after no time-out", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Gate = &v1alpha1.GatePolicy{OnTimeout: "Open"} }, "onTimeout: Open needs timeoutSeconds"},
		{"all of a drain's policy", haproxyBinding, func(b *v1alpha1.TargetBinding) {
			b.Spec.Drain = &v1alpha1.DrainPolicy{Seconds: 3600, At: "Taint", Mode: "Adaptive"}
			b.Spec.ReplaceUngated = "Enabled"
		}, ""},
		{"a recommended drain time", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.Drain = &v1alpha1.DrainPolicy{TimeFrom: "Recommended"} }, ""},
		{"two drain times", elbv2Binding, func(b *v1alpha1.TargetBinding) {
			b.Spec.Drain = &v1alpha1.DrainPolicy{Seconds: 45, TimeFrom: "Computed"}
		}, "name seconds or timeFrom, not both"},
		{"a drain without end", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.Drain = &v1alpha1.DrainPolicy{Seconds: 3601} }, "spec.drain.seconds"},
		{"an unknown beginning of a drain", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.Drain = &v1alpha1.DrainPolicy{At: "Cordon"} }, "spec.drain.at"},
		{"an unknown mode of a drain", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.Drain = &v1alpha1.DrainPolicy{Mode: "Hasty"} }, "spec.drain.mode"},
		{"a replacement by another word", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.ReplaceUngated = "true" }, "spec.replaceUngated"},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			b := tc.make(kubetest.Namespace(t, kube, nil))
			tc.change(b)
			err := kube.Create(t.Context(), b)
			if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("got %v, want a word of %q", err, tc.says)
			}
		})
	}
}

// What would leave targets behind is refused.
func TestTargetBindingKeepsItsGroup(t *testing.T) {
	kube, err := kubetest.Client(shared.cfg)
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		reason string
		make   func(namespace string) *v1alpha1.TargetBinding
		change func(*v1alpha1.TargetBinding)
		says   string // empty: taken
	}{
		{"another provider", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec = elbv2Binding("").Spec }, "the provider cannot be changed"},
		{"another backend", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.HAProxy.Backend = "api" }, "the backend cannot be changed"},
		{"another group", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.ELBv2.TargetGroupName = "api" }, "the target group cannot be changed"},
		{"the same group by its ARN", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.ELBv2 = &v1alpha1.ELBv2{TargetGroupARN: "arn:aws"} }, "the target group cannot be changed"},
		{"a region, later", elbv2Binding, func(b *v1alpha1.TargetBinding) { b.Spec.ELBv2.Region = "us-east-1" }, "the region cannot be changed"},
		{"from one to Lattice", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec = latticeBinding("").Spec }, "the provider cannot be changed"},
		{"from Lattice to another", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec = haproxyBinding("").Spec }, "the provider cannot be changed"},
		{"another group of Lattice", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.TargetGroupName = "api" }, "the target group cannot be changed"},
		{"a group instead of those discovered", discoveringBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice = &v1alpha1.Lattice{TargetGroupARN: latticeARN} }, "the target group cannot be changed"},
		{"a region of Lattice, later", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.Region = "us-east-1" }, "the region cannot be changed"},
		{"the cluster of those discovered", discoveringBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Lattice.ClusterName = "east" }, ""},
		{"nothing of those discovered", discoveringBinding, func(b *v1alpha1.TargetBinding) { b.Labels = map[string]string{"team": "shop"} }, ""},
		{"who fills a group of Lattice", latticeBinding, func(b *v1alpha1.TargetBinding) { b.Spec.Membership = v1alpha1.MembershipExternal }, ""},
		{"one more instance", haproxyBinding, func(b *v1alpha1.TargetBinding) {
			b.Spec.HAProxy.Instances = append(b.Spec.HAProxy.Instances, "tcp:192.0.2.1:9999")
		}, ""},
		{"other checks", haproxyBinding, func(b *v1alpha1.TargetBinding) { b.Spec.HAProxy.Check.Rise = 7 }, ""},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			b := tc.make(kubetest.Namespace(t, kube, nil))
			if err := kube.Create(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			tc.change(b)
			err := kube.Update(t.Context(), b)
			if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("got %v, want a word of %q", err, tc.says)
			}
		})
	}
}
