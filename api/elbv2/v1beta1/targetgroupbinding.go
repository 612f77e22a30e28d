// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TargetType says what a target group's members are.
// +kubebuilder:validation:Enum=instance;ip
type TargetType string

// The target types.
const (
	// TargetTypeInstance registers nodes.
	TargetTypeInstance TargetType = "instance"
	// TargetTypeIP registers pod addresses.
	TargetTypeIP TargetType = "ip"
)

// ServiceReference names a Service of the binding's namespace and one of its ports.
//
// +kubebuilder:validation:XValidation:rule="type(self.port) == int ? self.port >= 1 && self.port <= 65535 : size(string(self.port)) > 0",message="port must be the number of one of the Service's ports, from 1 to 65535, or its name"
type ServiceReference struct {
	// Name of the Service.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// Port of the Service: its number or its name.
	Port intstr.IntOrString `json:"port"`
}

// IPBlock is a range of addresses that may reach the targets.
type IPBlock struct {
	// CIDR such as 10.0.0.0/16 or 2001:db8::/64.
	CIDR string `json:"cidr"`
}

// SecurityGroup names a security group that may reach the targets.
type SecurityGroup struct {
	// GroupID of the security group.
	GroupID string `json:"groupID"`
}

// NetworkingPeer is a source of traffic to the targets. Exactly one field is set.
type NetworkingPeer struct {
	// IPBlock that may reach the targets.
	// +optional
	IPBlock *IPBlock `json:"ipBlock,omitempty"`
	// SecurityGroup that may reach the targets.
	// +optional
	SecurityGroup *SecurityGroup `json:"securityGroup,omitempty"`
}

// NetworkingPort is a port that traffic to the targets may use.
type NetworkingPort struct {
	// Protocol of the traffic, TCP when absent.
	// +kubebuilder:validation:Enum=TCP;UDP
	// +optional
	Protocol *string `json:"protocol,omitempty"`
	// Port number or name; every port when absent.
	// +optional
	Port *intstr.IntOrString `json:"port,omitempty"`
}

// NetworkingIngressRule allows traffic from some peers to some ports.
type NetworkingIngressRule struct {
	// From lists the peers; at least one.
	From []NetworkingPeer `json:"from"`
	// Ports lists the ports; at least one.
	Ports []NetworkingPort `json:"ports"`
}

// Networking holds security-group rules. podgate leaves them alone.
type Networking struct {
	// Ingress rules.
	// +optional
	Ingress []NetworkingIngressRule `json:"ingress,omitempty"`
}

// TargetGroupBindingSpec says which Service's pods belong to which target group.
//
// What cannot change would leave targets behind in the group that the binding named before.
//
// +kubebuilder:validation:XValidation:rule="(has(self.targetGroupARN) && size(self.targetGroupARN) > 0) || (has(self.targetGroupName) && size(self.targetGroupName) > 0)",message="targetGroupARN or targetGroupName is required"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.targetGroupARN) || size(oldSelf.targetGroupARN) == 0 || (has(self.targetGroupARN) && size(self.targetGroupARN) > 0 ? self.targetGroupARN == oldSelf.targetGroupARN : has(self.targetGroupName) && oldSelf.targetGroupARN.contains(':targetgroup/' + self.targetGroupName + '/'))",message="targetGroupARN cannot change: make a new binding"
// +kubebuilder:validation:XValidation:rule="(has(oldSelf.targetGroupARN) && size(oldSelf.targetGroupARN) > 0) || !has(oldSelf.targetGroupName) || (has(self.targetGroupARN) && size(self.targetGroupARN) > 0 ? self.targetGroupARN.contains(':targetgroup/' + oldSelf.targetGroupName + '/') : has(self.targetGroupName) && self.targetGroupName == oldSelf.targetGroupName)",message="targetGroupName cannot change, and a targetGroupARN beside it must be that group's: make a new binding"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.targetType) || !has(self.targetType) || self.targetType == oldSelf.targetType",message="targetType cannot change: make a new binding"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.ipAddressType) || !has(self.ipAddressType) || self.ipAddressType == oldSelf.ipAddressType",message="ipAddressType cannot change: make a new binding"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.vpcID) || size(oldSelf.vpcID) == 0 || !has(self.vpcID) || self.vpcID == oldSelf.vpcID",message="vpcID cannot change: make a new binding"
// +kubebuilder:validation:XValidation:rule="!has(self.nodeSelector) || !has(self.targetType) || self.targetType != 'ip'",message="nodeSelector selects nodes, which are no targets of type ip: remove it"
type TargetGroupBindingSpec struct {
	// TargetGroupARN identifies the target group. It wins over TargetGroupName and cannot change.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="size(self) == 0 || self.matches('^arn:[a-z0-9-]+:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/[A-Za-z0-9-]+/[A-Za-z0-9]+$')",message="must be a target group's ARN, such as arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"
	// +optional
	TargetGroupARN string `json:"targetGroupARN,omitempty"`
	// TargetGroupName names the target group; it is resolved to an ARN. Without an ARN it cannot change.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	TargetGroupName string `json:"targetGroupName,omitempty"`
	// TargetType is instance or ip; resolved from the group when absent. It cannot change to another value.
	// +optional
	TargetType *TargetType `json:"targetType,omitempty"`
	// TargetGroupProtocol is the protocol of the target group; resolved from the group when absent.
	// +kubebuilder:validation:Enum=HTTP;HTTPS;TCP;TLS;UDP;TCP_UDP;QUIC;TCP_QUIC
	// +optional
	TargetGroupProtocol *string `json:"targetGroupProtocol,omitempty"`
	// ServiceRef names the Service and port whose pods are the targets.
	ServiceRef ServiceReference `json:"serviceRef"`
	// Networking holds security-group rules. podgate leaves them alone.
	// +optional
	Networking *Networking `json:"networking,omitempty"`
	// NodeSelector selects the nodes that are targets where these are instances; all nodes when absent.
	// +optional
	NodeSelector *metav1.LabelSelector `json:"nodeSelector,omitempty"`
	// IPAddressType is ipv4 or ipv6; resolved from the group when absent. It cannot change to another value.
	// +kubebuilder:validation:Enum=ipv4;ipv6
	// +optional
	IPAddressType *string `json:"ipAddressType,omitempty"`
	// VpcID is the VPC of the target group. It cannot change to another value.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	VpcID string `json:"vpcID,omitempty"`
	// MultiClusterTargetGroup says that other clusters register targets in the same group.
	// +optional
	MultiClusterTargetGroup bool `json:"multiClusterTargetGroup,omitempty"`
	// IamRoleArnToAssume is the role to assume for calls about this group (cross account).
	// +optional
	IamRoleArnToAssume string `json:"iamRoleArnToAssume,omitempty"`
	// AssumeRoleExternalId is handed to STS when the role is assumed.
	// +optional
	AssumeRoleExternalId string `json:"assumeRoleExternalId,omitempty"`
}

// TargetGroupBindingStatus is the controller's view of the binding.
type TargetGroupBindingStatus struct {
	// ObservedGeneration is the generation that the status is about.
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// Conditions tell whether the binding works, and if not, why and what to do.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// TargetGroupBinding says that the pods of a Service are the targets of an ELBv2 target group.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=all
// +kubebuilder:printcolumn:name="Service-Name",type=string,JSONPath=`.spec.serviceRef.name`
// +kubebuilder:printcolumn:name="Service-Port",type=string,JSONPath=`.spec.serviceRef.port`
// +kubebuilder:printcolumn:name="Target-Type",type=string,JSONPath=`.spec.targetType`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="ARN",type=string,JSONPath=`.spec.targetGroupARN`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type TargetGroupBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   TargetGroupBindingSpec   `json:"spec"`
	Status TargetGroupBindingStatus `json:"status,omitempty"`
}

// TargetGroupBindingList is a list of TargetGroupBinding.
// +kubebuilder:object:root=true
type TargetGroupBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TargetGroupBinding `json:"items"`
}
