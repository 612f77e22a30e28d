// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// IngressGroup names the group that Ingresses join: all of one group share a load balancer.
type IngressGroup struct {
	// Name of the group.
	Name string `json:"name"`
}

// Tag is a tag at AWS.
type Tag struct {
	// Key of the tag.
	Key string `json:"key"`
	// Value of the tag.
	Value string `json:"value"`
}

// Attribute is an attribute of a load balancer or a listener, as AWS names it.
type Attribute struct {
	// Key of the attribute.
	Key string `json:"key"`
	// Value of the attribute.
	Value string `json:"value"`
}

// SubnetID is the id of a subnet.
// +kubebuilder:validation:Pattern=subnet-[0-9a-f]+
type SubnetID string

// SubnetSelector selects subnets: by ids or by tags.
//
// +kubebuilder:validation:XValidation:rule="has(self.ids) != has(self.tags)",message="exactly one of ids and tags is required"
type SubnetSelector struct {
	// IDs of the subnets.
	// +kubebuilder:validation:MinItems=1
	// +optional
	IDs []SubnetID `json:"ids,omitempty"`
	// Tags that the subnets have: each key with one of its values.
	// +optional
	Tags map[string][]string `json:"tags,omitempty"`
}

// ParamsListener has the attributes of a listener.
type ParamsListener struct {
	// Protocol of the listener.
	// +kubebuilder:validation:Enum=HTTP;HTTPS
	// +optional
	Protocol string `json:"protocol,omitempty"`
	// Port of the listener.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`
	// ListenerAttributes of the listener.
	// +optional
	ListenerAttributes []Attribute `json:"listenerAttributes,omitempty"`
}

// MinimumLoadBalancerCapacity is a reservation of capacity.
type MinimumLoadBalancerCapacity struct {
	// CapacityUnits that are reserved.
	CapacityUnits int32 `json:"capacityUnits"`
}

// IPAMConfiguration says from which pools addresses come.
type IPAMConfiguration struct {
	// IPv4IPAMPoolId is the id of the pool of IPv4 addresses.
	// +optional
	IPv4IPAMPoolId *string `json:"ipv4IPAMPoolId,omitempty"`
}

// IngressClassParamsSpec has settings of all Ingresses of a class. Each takes precedence over the annotation of an Ingress.
type IngressClassParamsSpec struct {
	// NamespaceSelector selects the namespaces whose Ingresses may use the class; all when absent.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// Group that all Ingresses of the class join.
	// +optional
	Group *IngressGroup `json:"group,omitempty"`
	// Scheme of the load balancer.
	// +kubebuilder:validation:Enum=internal;internet-facing
	// +optional
	Scheme string `json:"scheme,omitempty"`
	// LoadBalancerName is the name of the load balancer.
	// +optional
	LoadBalancerName string `json:"loadBalancerName,omitempty"`
	// InboundCIDRs are the ranges of addresses that may reach the load balancer.
	// +optional
	InboundCIDRs []string `json:"inboundCIDRs,omitempty"`
	// PrefixListsIDs are the prefix lists of addresses that may reach the load balancer.
	// +optional
	PrefixListsIDs []string `json:"prefixListsIDs,omitempty"`
	// PrefixListsIDsLegacy is what PrefixListsIDs was called before.
	// +optional
	PrefixListsIDsLegacy []string `json:"PrefixListsIDs,omitempty"`
	// CertificateArn are the certificates of HTTPS listeners.
	// +optional
	CertificateArn []string `json:"certificateArn,omitempty"`
	// SSLPolicy of HTTPS listeners.
	// +optional
	SSLPolicy string `json:"sslPolicy,omitempty"`
	// SSLRedirectPort is the port of the HTTPS listener that HTTP listeners redirect to.
	// +optional
	SSLRedirectPort string `json:"sslRedirectPort,omitempty"`
	// Subnets of the load balancer.
	// +optional
	Subnets *SubnetSelector `json:"subnets,omitempty"`
	// IPAddressType of the load balancer.
	// +kubebuilder:validation:Enum=ipv4;dualstack;dualstack-without-public-ipv4
	// +optional
	IPAddressType string `json:"ipAddressType,omitempty"`
	// Tags of everything that is made for the Ingresses.
	// +optional
	Tags []Tag `json:"tags,omitempty"`
	// TargetType of the target groups.
	// +optional
	TargetType TargetType `json:"targetType,omitempty"`
	// LoadBalancerAttributes of the load balancer.
	// +optional
	LoadBalancerAttributes []Attribute `json:"loadBalancerAttributes,omitempty"`
	// Listeners has attributes of listeners.
	// +optional
	Listeners []ParamsListener `json:"listeners,omitempty"`
	// MinimumLoadBalancerCapacity is not served by podgate.
	// +optional
	MinimumLoadBalancerCapacity *MinimumLoadBalancerCapacity `json:"minimumLoadBalancerCapacity,omitempty"`
	// IPAMConfiguration is not served by podgate.
	// +optional
	IPAMConfiguration *IPAMConfiguration `json:"ipamConfiguration,omitempty"`
	// WAFv2ACLArn is not served by podgate, which refuses Ingresses of such a class.
	// +optional
	WAFv2ACLArn string `json:"wafv2AclArn,omitempty"`
	// WAFv2ACLName is not served by podgate, which refuses Ingresses of such a class.
	// +optional
	WAFv2ACLName string `json:"wafv2AclName,omitempty"`
}

// IngressClassParams has the settings of an IngressClass that refers to it in spec.parameters.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,path=ingressclassparams,singular=ingressclassparams
// +kubebuilder:printcolumn:name="Group-Name",type=string,JSONPath=`.spec.group.name`
// +kubebuilder:printcolumn:name="Scheme",type=string,JSONPath=`.spec.scheme`
// +kubebuilder:printcolumn:name="IP-Address-Type",type=string,JSONPath=`.spec.ipAddressType`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type IngressClassParams struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec IngressClassParamsSpec `json:"spec,omitempty"`
}

// IngressClassParamsList is a list of IngressClassParams.
// +kubebuilder:object:root=true
type IngressClassParamsList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []IngressClassParams `json:"items"`
}
