// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/kubetest"
)

const (
	goodARN  = "targetGroupARN: arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef\n"
	otherARN = "targetGroupARN: arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/other/0123456789abcdef\n"
	goodName = "targetGroupName: web\n"
	toWeb    = "serviceRef: {name: web, port: 80}\n"
)

// manifest is a binding with a spec as people write it.
func manifest(t *testing.T, ns, name, spec string) *unstructured.Unstructured {
	t.Helper()
	b := &unstructured.Unstructured{Object: map[string]any{}}
	if spec != "" {
		var fields map[string]any
		if err := yaml.Unmarshal([]byte(spec), &fields); err != nil {
			t.Fatal(err)
		}
		b.Object["spec"] = fields
	}

	b.SetGroupVersionKind(elbv2.GroupVersion.WithKind("TargetGroupBinding"))
	b.SetNamespace(ns)
	b.SetName(name)

	return b
}

// validated reports whether the API server's answer is as a test wants it.
func validated(t *testing.T, reason string, err error, refused string) {
	t.Helper()
	switch {
	case refused == "" && err != nil:
		t.Errorf("%s\nwant it accepted, got %v", reason, err)
	case refused != "" && err == nil:
		t.Errorf("%s\nwant it refused with %q, and it was accepted", reason, refused)
	case refused != "" && !strings.Contains(err.Error(), refused):
		t.Errorf("%s\nwant it refused with %q, got %v", reason, refused, err)
	}
}

// TestBindingIsValidatedWhenWritten: what cannot work is refused with a sentence that
// says what would; what AWS Load Balancer Controller accepts and leaves is accepted.
func TestBindingIsValidatedWhenWritten(t *testing.T) {
	kube, err := kubetest.Client(shared.cfg)
	if err != nil {
		t.Fatal(err)
	}

	ns := kubetest.Namespace(t, kube, nil)
	for name, tc := range map[string]struct {
		reason  string
		spec    string
		refused string // part of the answer; empty when it is accepted
	}{
		"ByARN":           {reason: "The shortest one.", spec: goodARN + toWeb},
		"ByName":          {reason: "A name is resolved.", spec: goodName + toWeb},
		"ByBoth":          {reason: "So LBC leaves what was written by name.", spec: goodARN + goodName + toWeb},
		"EmptyARN":        {reason: "LBC's CRD lets it be empty beside a name.", spec: "targetGroupARN: ''\n" + goodName + toWeb},
		"EmptyName":       {reason: "And the other way round.", spec: goodARN + "targetGroupName: ''\n" + toWeb},
		"China":           {reason: "Partitions have names of their own.", spec: "targetGroupARN: arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:targetgroup/web/0123456789abcdef\n" + toWeb},
		"NamedPort":       {reason: "A port has a name, too.", spec: goodARN + "serviceRef: {name: web, port: http}\n"},
		"HighestPort":     {reason: "The last of the range.", spec: goodARN + "serviceRef: {name: web, port: 65535}\n"},
		"InstancesNodes":  {reason: "Instance targets may be chosen.", spec: goodARN + toWeb + "targetType: instance\nnodeSelector: {matchLabels: {role: web}}\n"},
		"AllOfLBCsFields": {reason: "A manifest written for LBC applies unchanged.", spec: goodARN + toWeb + "targetType: ip\ntargetGroupProtocol: HTTP\nipAddressType: ipv4\nvpcID: vpc-0123456789abcdef0\nmultiClusterTargetGroup: true\niamRoleArnToAssume: arn:aws:iam::123456789012:role/web\nassumeRoleExternalId: us\nnetworking: {ingress: [{from: [{securityGroup: {groupID: sg-1}}], ports: [{protocol: TCP}]}]}\n"},

		"NoGroup":       {reason: "There is nothing to bind to.", spec: toWeb, refused: "targetGroupARN or targetGroupName is required"},
		"EmptyGroup":    {reason: "Nor is there here.", spec: "targetGroupARN: ''\ntargetGroupName: ''\n" + toWeb, refused: "targetGroupARN or targetGroupName is required"},
		"NotAnARN":      {reason: "A name where an ARN belongs.", spec: "targetGroupARN: web\n" + toWeb, refused: "must be a target group's ARN, such as arn:aws:"},
		"ARNOfAnother":  {reason: "A load balancer's ARN.", spec: "targetGroupARN: arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/0123456789abcdef\n" + toWeb, refused: "must be a target group's ARN"},
		"NameIsTooLong": {reason: "AWS has no such group.", spec: "targetGroupName: " + strings.Repeat("n", 33) + "\n" + toWeb, refused: "targetGroupName"},
		"NoService":     {reason: "There are no pods to bind.", spec: goodARN, refused: "serviceRef: Required"},
		"UnnamedOne":    {reason: "A Service has a name.", spec: goodARN + "serviceRef: {name: '', port: 80}\n", refused: "serviceRef.name"},
		"NoPort":        {reason: "A target has a port.", spec: goodARN + "serviceRef: {name: web}\n", refused: "serviceRef.port: Required"},
		"PortZero":      {reason: "There is no port 0.", spec: goodARN + "serviceRef: {name: web, port: 0}\n", refused: "from 1 to 65535, or its name"},
		"PortNegative":  {reason: "Nor one below.", spec: goodARN + "serviceRef: {name: web, port: -80}\n", refused: "from 1 to 65535, or its name"},
		"PortTooHigh":   {reason: "Nor one above.", spec: goodARN + "serviceRef: {name: web, port: 65536}\n", refused: "from 1 to 65535, or its name"},
		"PortUnnamed":   {reason: "Nor one without a name.", spec: goodARN + "serviceRef: {name: web, port: ''}\n", refused: "from 1 to 65535, or its name"},
		"TypeUnknown":   {reason: "There is none such.", spec: goodARN + toWeb + "targetType: lambda\n", refused: `supported values: "instance", "ip"`},
		"NodesOfIP":     {reason: "Pods are no nodes.", spec: goodARN + toWeb + "targetType: ip\nnodeSelector: {matchLabels: {role: web}}\n", refused: "nodeSelector selects nodes"},
		"NoSpec":        {reason: "Nothing was said.", refused: "spec: Required"},
	} {
		t.Run(name, func(t *testing.T) {
			err := kube.Create(t.Context(), manifest(t, ns, strings.ToLower(name), tc.spec), client.DryRunAll)
			validated(t, tc.reason, err, tc.refused)
		})
	}
}

// TestBindingKeepsItsGroup: what would leave targets behind in another group cannot be
// changed, as LBC's admission webhook has it; what says the same in other words can.
func TestBindingKeepsItsGroup(t *testing.T) {
	kube, err := kubetest.Client(shared.cfg)
	if err != nil {
		t.Fatal(err)
	}

	ns := kubetest.Namespace(t, kube, nil)
	const ip, vpc = "targetType: ip\n", "vpcID: vpc-0123456789abcdef0\n"
	for name, tc := range map[string]struct {
		reason        string
		before, after string // spec without serviceRef
		refused       string
	}{
		"Service":        {reason: "Which pods is a matter of every day.", before: goodARN, after: goodARN + "multiClusterTargetGroup: true\n"},
		"NameResolved":   {reason: "LBC adds the ARN to a name.", before: goodName, after: goodARN + goodName},
		"NameReplaced":   {reason: "People may do so, too.", before: goodName, after: goodARN},
		"ResolvedAgain":  {reason: "The manifest by name is applied again after LBC resolved it.", before: goodARN + goodName, after: goodName},
		"NameBesideARN":  {reason: "The ARN wins, so it tells nothing.", before: goodARN, after: goodARN + "targetGroupName: other\n"},
		"TypeAdded":      {reason: "It was left out, and is resolved.", before: goodARN, after: goodARN + ip},
		"FamilyAdded":    {reason: "So is this.", before: goodARN, after: goodARN + "ipAddressType: ipv4\n"},
		"VPCAdded":       {reason: "And this.", before: goodARN, after: goodARN + vpc},
		"ARN":            {reason: "The old group would keep the targets.", before: goodARN, after: otherARN, refused: "targetGroupARN cannot change: make a new binding"},
		"ARNToOtherName": {reason: "So it would here.", before: goodARN, after: "targetGroupName: other\n", refused: "targetGroupARN cannot change"},
		"Name":           {reason: "And here.", before: goodName, after: "targetGroupName: other\n", refused: "targetGroupName cannot change"},
		"NameToOtherARN": {reason: "And here.", before: goodName, after: otherARN + goodName, refused: "must be that group's"},
		"Type":           {reason: "Its targets would be others.", before: goodARN + ip, after: goodARN + "targetType: instance\n", refused: "targetType cannot change"},
		"TypeRemoved":    {reason: "LBC filled it in, and a manifest without it says nothing else.", before: goodARN + ip, after: goodARN},
		"FamilyRemoved":  {reason: "So it did here.", before: goodARN + "ipAddressType: ipv4\n", after: goodARN},
		"VPCRemoved":     {reason: "And here.", before: goodARN + vpc, after: goodARN},
		"Family":         {reason: "Its addresses would be others.", before: goodARN + "ipAddressType: ipv4\n", after: goodARN + "ipAddressType: ipv6\n", refused: "ipAddressType cannot change"},
		"VPC":            {reason: "A group has one.", before: goodARN + vpc, after: goodARN + "vpcID: vpc-0123456789abcdef1\n", refused: "vpcID cannot change"},
	} {
		t.Run(name, func(t *testing.T) {
			b := manifest(t, ns, strings.ToLower(name), tc.before+toWeb)
			if err := kube.Create(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			b.Object["spec"] = manifest(t, ns, "", tc.after+"serviceRef: {name: shop, port: 8080}\n").Object["spec"]
			validated(t, tc.reason, kube.Update(t.Context(), b), tc.refused)
		})
	}
}
