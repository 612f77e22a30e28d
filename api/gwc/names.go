// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gwc holds names of AWS Gateway API Controller, which fills target groups of Amazon
// VPC Lattice, so that what users have in their clusters goes on working. It has none of
// that controller's kinds. The names are those of its repository,
// aws/aws-application-networking-k8s; each constant says where they are there.
package gwc

// Names that users of AWS Gateway API Controller have in their clusters.
const (
	// Prefix starts all of its labels, annotations, condition types and tags
	// (pkg/apis/applicationnetworking/v1alpha1).
	Prefix = "application-networking.k8s.aws/"
	// InjectLabel on a namespace, with the value InjectEnabled, asks for the gate at pod
	// creation (docs/guides/pod-readiness-gates.md).
	InjectLabel = Prefix + "pod-readiness-gate-inject"
	// InjectEnabled is InjectLabel's value that asks for the gate.
	InjectEnabled = "enabled"
	// Gate is the condition type of the one gate that a pod has, however many groups it is in
	// (pkg/webhook/pod_readiness_gate_injector.go).
	Gate = Prefix + "pod-readiness-gate"
	// Webhook is the name of the entry in the MutatingWebhookConfiguration (config/webhook/manifests.yaml).
	Webhook = "mpod.gwc.k8s.aws"
	// Lease is its leader election lease (cmd/aws-application-networking-k8s/main.go).
	Lease = "amazon-vpc-lattice.io"
)

// Keys of the tags on its target groups (pkg/model/lattice/targetgroup.go, pkg/aws/cloud.go).
// A group is one route's, or one ServiceExport's, which has no route.
const (
	// TagManagedBy has the value ACCOUNT/CLUSTER/VPC.
	TagManagedBy = Prefix + "ManagedBy"
	// TagClusterName is the cluster as the controller's configuration names it.
	TagClusterName = Prefix + "ClusterName"
	// TagServiceNamespace and TagServiceName are the Service whose pods are the targets, or
	// the ServiceExport.
	TagServiceNamespace = Prefix + "ServiceNamespace"
	TagServiceName      = Prefix + "ServiceName"
	// TagSourceType is HTTPRoute, GRPCRoute, TLSRoute or ServiceExport.
	TagSourceType = Prefix + "SourceTypeKey"
	// TagProtocolVersion is HTTP1, HTTP2 or GRPC.
	TagProtocolVersion = Prefix + "ProtocolVersion"
	// TagRouteNamespace and TagRouteName are the route's.
	TagRouteNamespace = Prefix + "RouteNamespace"
	TagRouteName      = Prefix + "RouteName"
)
