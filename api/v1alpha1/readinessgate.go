// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Match says which of a ReadinessGate's checks have to pass.
// +kubebuilder:validation:Enum=All;Any
type Match string

// The ways to match.
const (
	// MatchAll opens a gate when all checks pass.
	MatchAll Match = "All"
	// MatchAny opens a gate when one check passes.
	MatchAny Match = "Any"
)

// ReadinessGateSpec says which pods wait for what.
//
// +kubebuilder:validation:XValidation:rule="!has(self.gate) || !has(self.gate.mode) || self.gate.mode != 'Track' || self.checks.all(c, has(c.pod) || (has(c.http) && (has(c.http.port) || c.http.url.contains('$(pod.'))) || (has(c.tcp) && has(c.tcp.port)) || (has(c.grpc) && has(c.grpc.port)) || (has(c.prometheus) && (c.prometheus.podLabel.size() > 0 || c.prometheus.query.contains('$(pod.'))) || (has(c.manual) && c.manual.scope == 'Pod'))",message="mode Track needs checks that answer for each pod by itself: one that all pods share would take all of them out at once. Use mode Latch, or ask at the pod's port, by podLabel, by $(pod.name) in the text, or manually with scope Pod"
type ReadinessGateSpec struct {
	// Selector says which new pods of the namespace get the gate. Without it only pods get it whose
	// template names it under readinessGates.
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",message="an empty selector would gate every pod of the namespace: name a label"
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// Match All, the default, opens a pod's gate when all checks pass, Any when one does.
	// +kubebuilder:default=All
	// +optional
	Match Match `json:"match,omitempty"`
	// Checks are what the pods wait for.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	Checks []Check `json:"checks"`
	// Gate says when gates open and close other than by the checks alone.
	// +kubebuilder:default={}
	// +optional
	Gate CheckPolicy `json:"gate,omitempty"`
	// DryRun asks the checks about the pods that the selector matches and counts the answers in
	// status.dryRun. New pods get no gate, and pods that have it are released.
	// +kubebuilder:default=false
	// +optional
	DryRun bool `json:"dryRun,omitempty"`
}

// CheckPolicy says when the gates of a ReadinessGate open and close other than by its checks alone.
//
// +kubebuilder:validation:XValidation:rule="!has(self.onTimeout) || self.onTimeout == 'Hold' || has(self.timeoutSeconds)",message="onTimeout: Open needs timeoutSeconds"
type CheckPolicy struct {
	// Mode Latch keeps an open gate open until the pod's containers become unready; Track
	// closes it while the checks fail.
	// +kubebuilder:default=Latch
	// +optional
	Mode GateMode `json:"mode,omitempty"`
	// TrackAfterSeconds is how long the checks must fail without a gap before Track closes a gate.
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=30
	// +optional
	TrackAfterSeconds int32 `json:"trackAfterSeconds,omitempty"`
	// TrackFloor is how many gates Track leaves open: a percentage or a number. It never closes the last one.
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]?%|100%|[1-9][0-9]{0,5})$`
	// +kubebuilder:default="50%"
	// +optional
	TrackFloor string `json:"trackFloor,omitempty"`
	// TimeoutSeconds is how long after its containers became ready a pod waits before
	// onTimeout counts; without end by default.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
	// OnTimeout says what a gate does then.
	// +kubebuilder:default=Hold
	// +optional
	OnTimeout GateAnswer `json:"onTimeout,omitempty"`
}

// Check is one thing that pods wait for. Exactly one kind is named.
//
// +kubebuilder:validation:XValidation:rule="[has(self.http), has(self.tcp), has(self.grpc), has(self.prometheus), has(self.resource), has(self.pod), has(self.manual)].exists_one(named, named)",message="name exactly one kind of check: http, tcp, grpc, prometheus, resource, pod or manual"
// +kubebuilder:validation:XValidation:rule="!has(self.periodSeconds) || !(has(self.resource) || has(self.pod) || has(self.manual))",message="periodSeconds is for checks that ask: resource, pod and manual follow what they look at"
type Check struct {
	// Name of the check, for people and in status.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]+(-+[a-z0-9]+)*$`
	// +kubebuilder:validation:MaxLength=32
	Name string `json:"name"`
	// PeriodSeconds is the time between two questions about a pod: 5 by default, 15 for prometheus.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	// +optional
	PeriodSeconds int32 `json:"periodSeconds,omitempty"`
	// TimeoutSeconds is how long one question may take: 2 by default, 10 for prometheus.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=60
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
	// InitialDelaySeconds is how long after the pod's containers became ready the check is asked first.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	// +optional
	InitialDelaySeconds int32 `json:"initialDelaySeconds,omitempty"`
	// SuccessThreshold is how many answers in a row have to pass.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=20
	// +kubebuilder:default=1
	// +optional
	SuccessThreshold int32 `json:"successThreshold,omitempty"`
	// HTTP asks by an HTTP request.
	// +optional
	HTTP *HTTPCheck `json:"http,omitempty"`
	// TCP asks by opening a connection.
	// +optional
	TCP *TCPCheck `json:"tcp,omitempty"`
	// GRPC asks gRPC's standard health service.
	// +optional
	GRPC *GRPCCheck `json:"grpc,omitempty"`
	// Prometheus asks a Prometheus server by a query.
	// +optional
	Prometheus *PrometheusCheck `json:"prometheus,omitempty"`
	// Resource looks at objects of the cluster.
	// +optional
	Resource *ResourceCheck `json:"resource,omitempty"`
	// Pod looks at the pod itself.
	// +optional
	Pod *PodCheck `json:"pod,omitempty"`
	// Manual waits for a person's approval, which kubectl podgate approve gives.
	// +optional
	Manual *ManualCheck `json:"manual,omitempty"`
}

// Kind is the name of the check's kind; empty when the check names none.
func (c *Check) Kind() string {
	switch {
	case c.HTTP != nil:
		return "http"
	case c.TCP != nil:
		return "tcp"
	case c.GRPC != nil:
		return "grpc"
	case c.Prometheus != nil:
		return "prometheus"
	case c.Resource != nil:
		return "resource"
	case c.Pod != nil:
		return "pod"
	case c.Manual != nil:
		return "manual"
	}
	return ""
}

// Period is the time between two questions about a pod; 0 for checks that follow what they look at instead of asking.
func (c *Check) Period() time.Duration {
	switch {
	case c.PeriodSeconds > 0:
		return time.Duration(c.PeriodSeconds) * time.Second
	case c.Resource != nil || c.Pod != nil || c.Manual != nil:
		return 0
	case c.Prometheus != nil:
		return 15 * time.Second
	}
	return 5 * time.Second
}

// Timeout is how long one question may take.
func (c *Check) Timeout() time.Duration {
	switch {
	case c.TimeoutSeconds > 0:
		return time.Duration(c.TimeoutSeconds) * time.Second
	case c.Prometheus != nil:
		return 10 * time.Second
	}
	return 2 * time.Second
}

// HTTPMethod is the method of a request.
// +kubebuilder:validation:Enum=GET;HEAD
type HTTPMethod string

// IPFamily says which of a pod's addresses is meant.
// +kubebuilder:validation:Enum=ipv4;ipv6
type IPFamily string

// HTTPCheck is an HTTP request to the pod itself, or to a URL that an administrator allows
// (--allow-checks). No redirect is followed and no proxy is used.
//
// +kubebuilder:validation:XValidation:rule="has(self.port) != has(self.url)",message="name port, for a request to the pod itself, or url"
// +kubebuilder:validation:XValidation:rule="has(self.port) || !(has(self.scheme) || has(self.path) || has(self.host) || has(self.ipFamily))",message="scheme, path, host and ipFamily are for a request to the pod's port: a url names them itself"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || (has(self.scheme) && self.scheme == 'HTTPS') || (has(self.url) && self.url.startsWith('https://'))",message="tls is for HTTPS: set scheme: HTTPS, or a url that begins with https://"
type HTTPCheck struct {
	// Port of the pod: its number, or the name that a container gives it.
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 65535 : self.matches('[a-z]')",message="must be a port number from 1 to 65535, or the name of a container's port"
	// +optional
	Port *intstr.IntOrString `json:"port,omitempty"`
	// URL is what is asked instead of the pod. Its path and query may hold $(pod.name) and other variables.
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/?#@$\\\\s]+([/?][^#\\\\s]*)?$') && isURL(self)",message="must be an http or https URL without user and fragment, with $(...) only after the host"
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	URL string `json:"url,omitempty"`
	// Scheme is HTTP, the default, or HTTPS.
	// +kubebuilder:validation:Enum=HTTP;HTTPS
	// +optional
	Scheme corev1.URIScheme `json:"scheme,omitempty"`
	// Path, with a query if there is one; / by default.
	// +kubebuilder:validation:Pattern=`^/[^#\s]*$`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Path string `json:"path,omitempty"`
	// Host is the Host header; the address by default. What is connected to stays the pod.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9.:$()\[\]'_-]+$`
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Host string `json:"host,omitempty"`
	// Method of the request.
	// +kubebuilder:default=GET
	// +optional
	Method HTTPMethod `json:"method,omitempty"`
	// Headers of the request.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []HTTPHeader `json:"headers,omitempty"`
	// IPFamily says which of the pod's addresses is asked: ipv4 or ipv6; its first one by default.
	// +optional
	IPFamily IPFamily `json:"ipFamily,omitempty"`
	// TLS says how the server is verified.
	// +optional
	TLS *TLSVerification `json:"tls,omitempty"`
	// Expression in CEL says which response passes; response.status >= 200 && response.status < 300 by
	// default. It may look at response.status, response.headers, response.body, response.json and pod.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Expression string `json:"expression,omitempty"`
}

// HTTPHeader is one header of a request.
type HTTPHeader struct {
	// Name of the header. Host has a field of its own.
	// +kubebuilder:validation:XValidation:rule="self.lowerAscii() != 'host'",message="set the field host instead of the header"
	// +kubebuilder:validation:Pattern="^[-A-Za-z0-9!#$%&'*+.^_`|~]+$"
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
	// Value of the header.
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value"`
}

// Verify says how far a server's certificate is verified.
// +kubebuilder:validation:Enum=Full;None
type Verify string

// How far it is.
const (
	// VerifyFull takes certificates of trusted authorities that are valid now and for the server's name.
	VerifyFull Verify = "Full"
	// VerifyNone takes any certificate.
	VerifyNone Verify = "None"
)

// TLSVerification says how a server is verified.
type TLSVerification struct {
	// ServerName is the name that the server's certificate is for; the address by default.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ServerName string `json:"serverName,omitempty"`
	// CABundle holds the authorities that are trusted, in PEM, 16 KiB at most; those of the system by default.
	// +kubebuilder:validation:MaxLength=21848
	// +optional
	CABundle []byte `json:"caBundle,omitempty"`
	// Verify None takes any certificate.
	// +kubebuilder:default=Full
	// +optional
	Verify Verify `json:"verify,omitempty"`
}

// TCPCheck opens a connection to the pod itself, or to an address that an administrator allows.
//
// +kubebuilder:validation:XValidation:rule="has(self.port) != has(self.address)",message="name port, for a connection to the pod itself, or address"
// +kubebuilder:validation:XValidation:rule="has(self.port) || !has(self.ipFamily)",message="ipFamily is for a connection to the pod's port"
type TCPCheck struct {
	// Port of the pod: its number, or the name that a container gives it.
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 65535 : self.matches('[a-z]')",message="must be a port number from 1 to 65535, or the name of a container's port"
	// +optional
	Port *intstr.IntOrString `json:"port,omitempty"`
	// Address is what is connected to instead of the pod: HOST:PORT.
	// +kubebuilder:validation:Pattern=`^[^/?#@$\s]+:[0-9]{1,5}$`
	// +kubebuilder:validation:MaxLength=260
	// +optional
	Address string `json:"address,omitempty"`
	// IPFamily says which of the pod's addresses is asked: ipv4 or ipv6; its first one by default.
	// +optional
	IPFamily IPFamily `json:"ipFamily,omitempty"`
}

// GRPCCheck asks gRPC's standard health service at the pod itself, or at an address that an administrator allows.
//
// +kubebuilder:validation:XValidation:rule="has(self.port) != has(self.address)",message="name port, for a call to the pod itself, or address"
// +kubebuilder:validation:XValidation:rule="has(self.port) || !has(self.ipFamily)",message="ipFamily is for a call to the pod's port"
type GRPCCheck struct {
	// Port of the pod: its number, or the name that a container gives it.
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 65535 : self.matches('[a-z]')",message="must be a port number from 1 to 65535, or the name of a container's port"
	// +optional
	Port *intstr.IntOrString `json:"port,omitempty"`
	// Address is what is called instead of the pod: HOST:PORT.
	// +kubebuilder:validation:Pattern=`^[^/?#@$\s]+:[0-9]{1,5}$`
	// +kubebuilder:validation:MaxLength=260
	// +optional
	Address string `json:"address,omitempty"`
	// IPFamily says which of the pod's addresses is asked: ipv4 or ipv6; its first one by default.
	// +optional
	IPFamily IPFamily `json:"ipFamily,omitempty"`
	// Service is whose health is asked for; the server's as a whole by default.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Service string `json:"service,omitempty"`
	// TLS has the call use TLS, and says how the server is verified.
	// +optional
	TLS *TLSVerification `json:"tls,omitempty"`
}

// PrometheusCheck asks a Prometheus server by one query that answers for all pods.
type PrometheusCheck struct {
	// Server is the name that an administrator gave the server (--prometheus).
	// +kubebuilder:validation:Pattern=`^[a-z0-9]+(-+[a-z0-9]+)*$`
	// +kubebuilder:validation:MaxLength=63
	Server string `json:"server"`
	// Query in PromQL. It may hold $(pod.name) and other variables; then each pod is asked about by itself.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`
	// PodLabel is the label of the query's series that holds the pod's name, or uid for its UID; "" for one value for all pods.
	// +kubebuilder:default=pod
	// +kubebuilder:validation:Pattern=`^([a-zA-Z_][a-zA-Z0-9_]*)?$`
	// +kubebuilder:validation:MaxLength=128
	// +optional
	PodLabel *string `json:"podLabel,omitempty"`
	// NamespaceLabel is the label that holds the namespace; "" where the server is this namespace's alone.
	// +kubebuilder:default=namespace
	// +kubebuilder:validation:Pattern=`^([a-zA-Z_][a-zA-Z0-9_]*)?$`
	// +kubebuilder:validation:MaxLength=128
	// +optional
	NamespaceLabel *string `json:"namespaceLabel,omitempty"`
	// WindowSeconds is how far the query looks back. An answer counts from that long after the pod's containers became
	// ready; for pods whose name can return, such as those of a StatefulSet, at least 300 seconds after.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=60
	// +optional
	WindowSeconds int32 `json:"windowSeconds,omitempty"`
	// Expression in CEL says which value passes. It may look at value and pod.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Expression string `json:"expression"`
}

// ResourceCheck looks at an object of the cluster, or at those that a selector matches.
//
// +kubebuilder:validation:XValidation:rule="has(self.name) != has(self.selector)",message="name the object by name, or objects by selector"
// +kubebuilder:validation:XValidation:rule="!(self.apiVersion == 'v1' && self.kind == 'Secret')",message="Secrets cannot be asked about"
type ResourceCheck struct {
	// APIVersion of the object, such as batch/v1.
	// +kubebuilder:validation:Pattern=`^([a-z0-9][a-z0-9.-]*/)?v[0-9a-z]+$`
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion"`
	// Kind of the object, such as Job.
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// Name of the object. It may hold $(pod.labels['release']) and other variables.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`
	// Selector says which objects, 200 at most.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// Namespace of the object; the gate's by default.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// ServiceAccountName is the ServiceAccount of the gate's namespace that must be allowed to read the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ServiceAccountName string `json:"serviceAccountName"`
	// Expression in CEL says whether the object passes. It may look at object, or with a selector at objects, and at pod.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Expression string `json:"expression"`
}

// PodCheck looks at the pod itself.
type PodCheck struct {
	// Expression in CEL says whether the pod passes. It may look at pod: its metadata without managed fields, its status,
	// and its node's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Expression string `json:"expression"`
}

// ApprovalScope says what one approval is for.
// +kubebuilder:validation:Enum=Revision;Pod;Gate
type ApprovalScope string

// The scopes.
const (
	// ApprovalRevision is for all pods of a revision of their workload.
	ApprovalRevision ApprovalScope = "Revision"
	// ApprovalPod is for one pod.
	ApprovalPod ApprovalScope = "Pod"
	// ApprovalGate is for all pods of the gate.
	ApprovalGate ApprovalScope = "Gate"
)

// Approval is what holds where nobody has approved or ordered anything.
// +kubebuilder:validation:Enum=Closed;Open
type Approval string

// What holds.
const (
	// InitiallyClosed waits for an approval.
	InitiallyClosed Approval = "Closed"
	// InitiallyOpen passes without one: such a gate closes by order (kubectl podgate gate set).
	InitiallyOpen Approval = "Open"
)

// ManualCheck waits for a person's approval.
type ManualCheck struct {
	// Scope is what one approval is for.
	// +kubebuilder:default=Revision
	// +optional
	Scope ApprovalScope `json:"scope,omitempty"`
	// Initially is what holds before that.
	// +kubebuilder:default=Closed
	// +optional
	Initially Approval `json:"initially,omitempty"`
}

// GatedPods counts the pods that carry the gate.
type GatedPods struct {
	// Gated is how many carry it.
	Gated int32 `json:"gated"`
	// Open is how many of them have it open.
	Open int32 `json:"open"`
	// Waiting is how many wait for it though their containers are ready.
	Waiting int32 `json:"waiting,omitempty"`
	// TimedOut is how many of them have waited longer than the time-out.
	TimedOut int32 `json:"timedOut,omitempty"`
	// ApprovalNeeded is how many of them wait for a person.
	ApprovalNeeded int32 `json:"approvalNeeded,omitempty"`
}

// CheckStatus counts what a check said last of the pods that it is asked about.
type CheckStatus struct {
	// Name of the check.
	Name string `json:"name"`
	// Passing pods passed.
	Passing int32 `json:"passing"`
	// Failing pods did not.
	Failing int32 `json:"failing,omitempty"`
	// NoAnswer counts pods of which nothing is known.
	NoAnswer int32 `json:"noAnswer,omitempty"`
	// Problem is what the most of those that do not pass have in common.
	// +optional
	Problem string `json:"problem,omitempty"`
	// Since is when these counts began to hold.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// DryRunStatus counts what would be if dryRun were off.
type DryRunStatus struct {
	// Selected is how many pods the selector matches.
	Selected int32 `json:"selected"`
	// WouldOpen is how many of them would have an open gate.
	WouldOpen int32 `json:"wouldOpen"`
	// WouldWait is how many would wait.
	WouldWait int32 `json:"wouldWait"`
}

// ReadinessGateStatus is podgate's view of the gate. It lists no pods: a pod's own condition says what holds for it.
type ReadinessGateStatus struct {
	// ObservedGeneration is the generation that the status is about.
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// Conditions tell whether the gate works, and if not, why and what to do.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Pods are counted when they change, every two seconds at most.
	// +optional
	Pods *GatedPods `json:"pods,omitempty"`
	// Checks are what each check said last.
	// +listType=map
	// +listMapKey=name
	// +optional
	Checks []CheckStatus `json:"checks,omitempty"`
	// DryRun is there while spec.dryRun is true.
	// +optional
	DryRun *DryRunStatus `json:"dryRun,omitempty"`
}

// ReadinessGate keeps pods from being Ready until its checks pass, by the readiness gate
// checks.podgate.dev/<name>.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=all,shortName=rgate
// +kubebuilder:selectablefield:JSONPath=`.spec.gate.mode`
// +kubebuilder:selectablefield:JSONPath=`.spec.dryRun`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name must have at most 63 characters: it becomes the name of a readiness gate"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Open",type=integer,JSONPath=`.status.pods.open`
// +kubebuilder:printcolumn:name="Gated",type=integer,JSONPath=`.status.pods.gated`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.gate.mode`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.pods.waiting`,priority=1
// +kubebuilder:printcolumn:name="Timeout",type=integer,JSONPath=`.spec.gate.timeoutSeconds`,priority=1
// +kubebuilder:printcolumn:name="Dry-Run",type=boolean,JSONPath=`.spec.dryRun`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ReadinessGate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ReadinessGateSpec   `json:"spec"`
	Status ReadinessGateStatus `json:"status,omitempty"`
}

// ReadinessGateList is a list of ReadinessGate.
// +kubebuilder:object:root=true
type ReadinessGateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ReadinessGate `json:"items"`
}
