// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "strings"

// Types of the conditions on a binding. A gate's condition type is GatePrefix, or AWS Load
// Balancer Controller's prefix, with the binding's name.
const (
	// ConditionReady reports whether the binding works as it is meant to. It is True, too, where that means that podgate
	// registers nothing, so that whatever waits for it ends.
	ConditionReady = "Ready"
	// ConditionManaged reports whether podgate registers the group's targets.
	ConditionManaged = "Managed"
	// ConditionGated is False where the binding's pods get no gate although podgate works as it should; else it is absent.
	ConditionGated = "Gated"
	// ConditionSupported is False where something at the load balancer is not as the binding takes it to be, such as
	// configuration that does not apply to the targets that podgate registers; else it is absent.
	ConditionSupported = "Supported"
	// ConditionPolicyAccepted reports whether the binding's policies can be used.
	ConditionPolicyAccepted = "PolicyAccepted"
	// ConditionTargetsHeld reports whether targets that should be removed are kept for now.
	ConditionTargetsHeld = "TargetsHeld"
)

// Reasons of a gate's condition. Any other reason there is the load balancer's own.
const (
	ReasonHealthy                 = "Healthy"
	ReasonContainersNotReady      = "ContainersNotReady"
	ReasonOtherGateClosed         = "OtherGateClosed"
	ReasonNoBinding               = "NoBinding"
	ReasonBindingNotReady         = "BindingNotReady"
	ReasonNotObserved             = "NotObserved"
	ReasonNotProvenYet            = "NotProvenYet"
	ReasonTimedOut                = "TimedOut"
	ReasonTargetUnused            = "TargetUnused"
	ReasonTargetUnavailable       = "TargetUnavailable"
	ReasonHealthCheckUnavailable  = "HealthCheckUnavailable"
	ReasonTargetUnhealthyDraining = "TargetUnhealthyDraining"
	ReasonTrackFloor              = "TrackFloor"
	ReasonOverridden              = "Overridden"
	ReasonBindingDeleted          = "BindingDeleted"
	ReasonUninstalled             = "Uninstalled"
	ReasonNotIPTargets            = "NotIPTargets"
	ReasonNotTarget               = "NotTarget"
	ReasonSetByHand               = "SetByHand"
	ReasonDryRun                  = "DryRun"
	ReasonChecksPassed            = "ChecksPassed"
	ReasonApproved                = "Approved"
)

// Reasons of the condition of a ReadinessGate's gate that is closed. They are what the checks say, as other reasons with a dot are
// what a load balancer says.
const (
	ReasonCheckFailed      = "Check.Failed"
	ReasonCheckNoAnswer    = "Check.NoAnswer"
	ReasonCheckNotAllowed  = "Check.NotAllowed"
	ReasonCheckWaiting     = "Check.Waiting"
	ReasonCheckNotApproved = "Check.NotApproved"
)

// Reasons of a binding's condition Ready, and of the event when it changes.
const (
	ReasonSynced                  = "Synced"
	ReasonServiceNotFound         = "ServiceNotFound"
	ReasonServiceWithoutSelector  = "ServiceWithoutSelector"
	ReasonPortNotFound            = "PortNotFound"
	ReasonTargetPortNotFound      = "TargetPortNotFound"
	ReasonNoNodePort              = "NoNodePort"
	ReasonNodesNotRead            = "NodesNotRead"
	ReasonTargetGroupNotFound     = "TargetGroupNotFound"
	ReasonBackendNotFound         = "BackendNotFound"
	ReasonTargetGroupNotReady     = "TargetGroupNotReady"
	ReasonInvalidRequest          = "InvalidRequest"
	ReasonInstanceTargets         = "InstanceTargets"
	ReasonUnservedTargetType      = "UnservedTargetType"
	ReasonTargetTypeMismatch      = "TargetTypeMismatch"
	ReasonNameTooLong             = "NameTooLong"
	ReasonGroupBoundTwice         = "GroupBoundTwice"
	ReasonAccessDenied            = "AccessDenied"
	ReasonNotAllowed              = "NotAllowed"
	ReasonThrottled               = "Throttled"
	ReasonTooManyTargets          = "TooManyTargets"
	ReasonBindingNotWritable      = "BindingNotWritable"
	ReasonTargetsNotRecorded      = "TargetsNotRecorded"
	ReasonNoGateOfLBC             = "NoGateOfLBC"
	ReasonNothingToNudge          = "NothingToNudge"
	ReasonNudgeFailed             = "NudgeFailed"
	ReasonLoadBalancerUnavailable = "LoadBalancerUnavailable"
)

// Reasons of a binding's other conditions.
const (
	// Of Managed; InstanceTargets and UnservedTargetType are further ones. OwnedByLBC is one of Ready, too.
	ReasonOwnedByPodgate = "OwnedByPodgate"
	ReasonOwnedByLBC     = "OwnedByLBC"
	ReasonNotServed      = "NotServed"
	ReasonExternal       = "External"
	// Of Supported.
	ReasonNotAppliedToTargets = "NotAppliedToTargets"
	// Of PolicyAccepted.
	ReasonAccepted      = "Accepted"
	ReasonInvalidPolicy = "InvalidPolicy"
	// Of TargetsHeld.
	ReasonForeignTargets    = "ForeignTargets"
	ReasonHeldAtFloor       = "HeldAtFloor"
	ReasonHeldWhileAbsent   = "HeldWhileAbsent"
	ReasonHeldUntilReplaced = "HeldUntilReplaced"
	ReasonHeldAsLastServing = "HeldAsLastServing"
	ReasonNothingHeld       = "NothingHeld"
)

// Reasons of the condition Ready of a ReadinessGate. NotAllowed is a further one.
const (
	ReasonServing      = "Serving"
	ReasonInvalidSpec  = "InvalidSpec"
	ReasonNoSuchServer = "NoSuchServer"
	ReasonNoAccess     = "NoAccess"
)

// Reasons of events that are no condition's.
const (
	ReasonTakenOverFromLBC     = "TakenOverFromLBC"
	ReasonGateTimedOut         = "GateTimedOut"
	ReasonGateMissing          = "GateMissing"
	ReasonNoGate               = "NoGate"
	ReasonDrainTooShort        = "DrainTooShort"
	ReasonKilledUndrained      = "KilledUndrained"
	ReasonDrainTimeRecommended = "DrainTimeRecommended"
	ReasonNodeWithoutInstance  = "NodeWithoutInstance"
	ReasonReplaced             = "Replaced"
	ReasonNotReplaced          = "NotReplaced"
	ReasonAuthorityCreated     = "AuthorityCreated"
	ReasonCertificateIssued    = "CertificateIssued"
	ReasonAuthorityRetired     = "AuthorityRetired"
	ReasonInvalidCertificate   = "InvalidCertificate"
)

// Reasons of events on Ingresses. OwnedByLBC, TakenOverFromLBC, AccessDenied and Throttled are further ones.
const (
	ReasonLoadBalancerReady   = "LoadBalancerReady"
	ReasonLoadBalancerWaiting = "LoadBalancerWaiting"
	ReasonLoadBalancerFailed  = "LoadBalancerFailed"
	ReasonLoadBalancerHeld    = "LoadBalancerHeld"
	ReasonClassNotUsable      = "ClassNotUsable"
	ReasonClassConflict       = "ClassConflict"
	ReasonInvalidAnnotation   = "InvalidAnnotation"
	ReasonConflictInGroup     = "ConflictInGroup"
	ReasonProtectionNotServed = "ProtectionNotServed"
	ReasonAnnotationNotServed = "AnnotationNotServed"
	ReasonNoEffect            = "NoEffect"
	ReasonLimitExceeded       = "LimitExceeded"
	ReasonPathNotServed       = "PathNotServed"
	ReasonNoCertificate       = "NoCertificate"
	ReasonNoSubnets           = "NoSubnets"
	ReasonSettingsHeld        = "SettingsHeld"
)

// ReasonPortNotServed is a reason of events on Services, which have most of those on Ingresses.
const ReasonPortNotServed = "PortNotServed"

// Reasons of events on Gateways and on their routes, which have several of those on Ingresses.
const (
	ReasonGatewayNotServed = "GatewayNotServed"
	ReasonRouteNotServed   = "RouteNotServed"
)

// Reasons for which a pod lacks a gate that it should carry, or has none to carry. NoBinding,
// InstanceTargets, NameTooLong and NoGateOfLBC are further ones.
const (
	ReasonBindingCreatedLater       = "BindingCreatedLater"
	ReasonServiceCreatedLater       = "ServiceCreatedLater"
	ReasonReadinessGateCreatedLater = "ReadinessGateCreatedLater"
	ReasonNotInjected               = "NotInjected"
	ReasonGatesStated               = "GatesStated"
	ReasonStaticPod                 = "StaticPod"
	ReasonNoService                 = "NoService"
	ReasonBindingDeleting           = "BindingDeleting"
	ReasonBindingNotServed          = "BindingNotServed"
	ReasonOptedOut                  = "OptedOut"
	ReasonLabelMissing              = "LabelMissing"
	ReasonNotSelectedByWebhook      = "NotSelectedByWebhook"
	ReasonEntrySwitchedOff          = "EntrySwitchedOff"
	ReasonWebhookMissing            = "WebhookMissing"
)

// Place is where people see a reason.
type Place string

// The places.
const (
	// OnOpenGate and OnClosedGate are the conditions of gates, with status True, and with False or Unknown.
	OnOpenGate   Place = "open gate"
	OnClosedGate Place = "closed gate"
	// OnReady, OnManaged, OnGated, OnSupported, OnPolicyAccepted and OnTargetsHeld are the conditions of bindings.
	OnReady          Place = ConditionReady
	OnManaged        Place = ConditionManaged
	OnGated          Place = ConditionGated
	OnSupported      Place = ConditionSupported
	OnPolicyAccepted Place = ConditionPolicyAccepted
	OnTargetsHeld    Place = ConditionTargetsHeld
	// OnReadinessGate is the condition Ready of a ReadinessGate.
	OnReadinessGate Place = "ReadinessGate"
	// OnNoGate is a pod that has no gate or lacks one, as podgate explain, status and preflight report it, and the
	// metric podgate_pods_ungated.
	OnNoGate Place = "no gate"
	// OnPodEvent, OnBindingEvent and OnSecretEvent are events that no condition repeats. Those of a pod are on its
	// owner, too, such as the ReplicaSet.
	OnPodEvent     Place = "pod event"
	OnBindingEvent Place = "binding event"
	OnSecretEvent  Place = "Secret event"
	// OnIngressEvent is an event on an Ingress.
	OnIngressEvent Place = "Ingress event"
	// OnServiceEvent is an event on a Service of type LoadBalancer.
	OnServiceEvent Place = "Service event"
	// OnGatewayEvent and OnHTTPRouteEvent are events on a Gateway and on an HTTPRoute.
	OnGatewayEvent   Place = "Gateway event"
	OnHTTPRouteEvent Place = "HTTPRoute event"
)

// NothingToDo is the Fix of what is as it should be. RestartPods are the words in a Fix for which whoever knows the pod puts
// how pods of its kind are made anew.
const (
	NothingToDo = "nothing to do"
	RestartPods = "restart the pods"
)

// Explanation says in one sentence what a reason means in a place, and what to do about it.
// +kubebuilder:object:generate=false
type Explanation struct {
	Place  Place
	Reason string
	// Summary is a sentence without its full stop.
	Summary string
	// Fix begins with a verb in lower case, or is NothingToDo.
	Fix string
	// Page is the page of docs/, and its heading, that has more; may be empty.
	Page string
}

// Explain returns the explanation of a reason; false where the reason is not podgate's.
func Explain(place Place, reason string) (Explanation, bool) {
	for _, e := range Explanations {
		if e.Place == place && e.Reason == reason {
			return e, true
		}
	}
	return Explanation{}, false
}

// IsGateReason reports whether podgate itself gives a gate's condition this reason. Any other is the load balancer's.
func IsGateReason(reason string) bool {
	_, open := Explain(OnOpenGate, reason)
	_, closed := Explain(OnClosedGate, reason)
	return open || closed
}

// IsCheckReason reports whether a gate's condition has this reason for what the checks of a ReadinessGate say.
func IsCheckReason(reason string) bool { return strings.HasPrefix(reason, "Check.") }

// Explanations are all reasons that podgate gives, by place. The page docs/reasons.md is made from them.
var Explanations = []Explanation{
	{OnOpenGate, ReasonHealthy, "The load balancer calls this very pod healthy", NothingToDo, ""},
	{OnOpenGate, ReasonHealthCheckUnavailable, "The load balancer sends this very pod requests without checking its health, since the group's health checks are off", "nothing, or turn the group's health checks on: without them a pod that does not answer counts as healthy", ""},
	{OnOpenGate, ReasonChecksPassed, "The checks of the ReadinessGate passed for this very pod", NothingToDo, ""},
	{OnOpenGate, ReasonApproved, "People approved the pod, and the ReadinessGate asks nothing else that has to pass", NothingToDo, "checks.md#manual"},
	{OnOpenGate, ReasonTimedOut, "The time-out of the binding or ReadinessGate opened the gate, although the target was not healthy, or the checks had not passed", "find out why; the message has the reason from before", "policies.md"},
	{OnOpenGate, ReasonTargetUnused, "The binding's policy opened the gate, since no load balancer uses the target's group or zone", "nothing, if that is what the binding's policy is meant to do", "policies.md"},
	{OnOpenGate, ReasonTargetUnavailable, "The binding's policy opened the gate, since the load balancer cannot tell the target's health", "nothing, if that is what the binding's policy is meant to do", "policies.md"},
	{OnOpenGate, ReasonTargetUnhealthyDraining, "The binding's policy opened the gate, although the target is unhealthy and its connections are being closed", "nothing, if that is what the binding's policy is meant to do", "policies.md"},
	{OnOpenGate, ReasonTrackFloor, "The target or the pod fails its checks, and the gate stays open because too few others are open", "look at why it fails: too many fail at once for Track to close this gate", "policies.md#track"},
	{OnOpenGate, ReasonOverridden, "A person opened the gate by hand until the time in the message", "find out why it does not open by itself before the time in the message; podgate gate clear POD TYPE ends it sooner", "commands.md"},
	{OnOpenGate, ReasonSetByHand, "A person set the condition of a gate that podgate does not serve; it stays until somebody changes it", NothingToDo, "commands.md"},
	{OnOpenGate, ReasonNoBinding, "The gate was released, because no binding or ReadinessGate had claimed it for a while (--orphan-grace)", "create the binding or ReadinessGate, or make the binding's Service select the pod: nothing claims the gate, so it was released; new pods wait again", ""},
	{OnOpenGate, ReasonBindingDeleted, "The gate was released, because its binding was deleted", "nothing, if the binding was deleted on purpose: podgate takes out what it registered for it; else make it again", ""},
	{OnOpenGate, ReasonUninstalled, "The gate was released, because podgate was uninstalled", NothingToDo, "install.md"},
	{OnOpenGate, ReasonDryRun, "The gate was released, because its ReadinessGate is a dry run", "nothing, or set spec.dryRun of the ReadinessGate to false", ""},
	{OnOpenGate, ReasonNotIPTargets, "The gate was released, because the group's targets are not pods", "nothing, or use a group of target type ip", ""},
	{OnOpenGate, ReasonNotTarget, "The gate was released, because the pod does not have the port that the Service serves, as a Job's pod that shares the labels of those that do", "nothing, or declare the port in the pod template if the pod is to serve", "concepts.md#which-pods-are-targets"},

	{OnClosedGate, ReasonNotProvenYet, "The load balancer calls the address healthy, but may mean the pod that had the address before", "wait: the load balancer may mean the pod that had the address before; it is over when unhealthy threshold x interval and 10 s have passed since the containers became ready", ""},
	{OnClosedGate, ReasonContainersNotReady, "The gate was open, and the pod's own containers became unready", "look at the pod's probes and logs: its containers became unready", ""},
	{OnClosedGate, ReasonOtherGateClosed, "A readiness gate of a ReadinessGate or of another controller keeps the pod from requests; the message names it", "find out why the gate that the message names is closed, or let the binding ignore it with podgate.dev/other-gates: Ignore", "policies.md#other-gates"},
	{OnClosedGate, ReasonNoBinding, "No binding of this gate has a Service that selects the pod, or there is no ReadinessGate of its name", "create the binding or ReadinessGate, or make the binding's Service select the pod; else the gate is released by itself", ""},
	{OnClosedGate, ReasonBindingNotReady, "The binding claims the pod, but its group or port is not known", "look at the binding: its target group or port is not known, for the reason there", ""},
	{OnClosedGate, ReasonNotObserved, "The group has not been read since the pod got its address", "wait a second; if it lasts, the message or the binding says why the group cannot be read", ""},
	{OnClosedGate, ReasonCheckWaiting, "The checks have not been asked since the pod's containers became ready, or have not passed often enough in a row, or a query still looks back to before that", "wait: initialDelaySeconds, successThreshold and windowSeconds of the check say how long; for pods whose name can return, such as those of a StatefulSet, the window is 300 seconds or more", ""},
	{OnClosedGate, ReasonCheckFailed, "A check of the ReadinessGate fails; the message names it and what was answered", "look at what the check asks: the pod was asked and did not pass", ""},
	{OnClosedGate, ReasonCheckNoAnswer, "A check of the ReadinessGate has no answer, which opens no gate and closes none; the message names it", "find out why podgate gets no answer, such as a network policy that does not let it reach the pod", ""},
	{OnClosedGate, ReasonCheckNotAllowed, "podgate may not ask what a check of the ReadinessGate is about", "ask the podgate administrator for an allowance (--allow-checks), or have the check ask the pod itself", ""},
	{OnClosedGate, ReasonCheckNotApproved, "Nobody has approved what a check of the ReadinessGate waits for", "approve it, if the pod may serve", ""},
	{OnClosedGate, ReasonOverridden, "A person closed the gate by hand until the time in the message", "wait until the time in the message, or end it: podgate gate clear POD TYPE", "commands.md"},
	{OnClosedGate, ReasonSetByHand, "A person set the condition of a gate that podgate does not serve; it stays until somebody changes it", "ask who set it, or set it again: podgate gate set POD TYPE true --reason WHY", "commands.md"},

	{OnNoGate, ReasonBindingCreatedLater, "The binding was not there before the pod. Times count whole seconds: a binding of the same second may have been there, and then the label came later", RestartPods, "operations.md#pods-without-a-gate"},
	{OnNoGate, ReasonServiceCreatedLater, "The binding's Service was not there before the pod, as for BindingCreatedLater", RestartPods, "operations.md#pods-without-a-gate"},
	{OnNoGate, ReasonReadinessGateCreatedLater, "The ReadinessGate was not there before the pod, as for BindingCreatedLater", RestartPods, "operations.md#pods-without-a-gate"},
	{OnNoGate, ReasonNotInjected, "The webhook did not answer when the pod was created, or a label, the webhook's selectors, or what asks for the gate have changed since", RestartPods, "troubleshooting.md#a-pod-has-no-gate"},
	{OnNoGate, ReasonGatesStated, "The pod's manifest is applied to the pod itself and lists readinessGates. They cannot change after the creation, so with one more in the list the manifest could not be applied again", "add the missing gate to readinessGates in the manifest and create the pod again, or have a Deployment make it", "concepts.md#which-pods-get-a-gate"},
	{OnNoGate, ReasonStaticPod, "The pod mirrors a static pod, which a kubelet runs from a file of its node, gates and all", "nothing, or have a Deployment or DaemonSet make the pod", ""},
	{OnNoGate, ReasonNoService, "No Service of the namespace selects the pod", "nothing, if the pod needs no gate, which its label podgate.dev/inject=disabled would say; else create the Service and its binding, and " + RestartPods, ""},
	{OnNoGate, ReasonNoBinding, "No binding refers to a Service that selects the pod", "nothing, if the pod needs no gate, which its label podgate.dev/inject=disabled would say; else create the binding, and " + RestartPods, ""},
	{OnNoGate, ReasonBindingDeleting, "The binding is being deleted", "nothing, if that is meant; else create it again, and " + RestartPods, ""},
	{OnNoGate, ReasonBindingNotServed, "podgate was told not to serve the binding (--target-group-bindings)", "nothing, if that is meant; else let podgate serve the binding, and " + RestartPods, "migration.md"},
	{OnNoGate, ReasonInstanceTargets, "The group's targets are not pods. Nodes forward requests to Ready pods only, so a gate that waited for the nodes would never open", "nothing, or use a group of target type ip", "providers/elbv2.md#instance-targets"},
	{OnNoGate, ReasonNameTooLong, "The binding's name has more than 63 characters, which cannot be a gate's", "make a binding with a name of at most 63 characters, and " + RestartPods, ""},
	{OnNoGate, ReasonNoGateOfLBC, "AWS Load Balancer Controller registers the targets and may not notice that the pod waits, since the pod has none of its gates for the group", "have AWS Load Balancer Controller's gate injected or set spec.wake of the binding, and " + RestartPods, "kinds/targetbinding.md#only-observing"},
	{OnNoGate, ReasonOptedOut, "The pod's label podgate.dev/inject=disabled says that it is to have no gate", "nothing, or remove the label from the pod template, and " + RestartPods, ""},
	{OnNoGate, ReasonLabelMissing, "Neither the namespace nor the pod has a label that asks for gates", "label the namespace, and " + RestartPods, "concepts.md#which-pods-get-a-gate"},
	{OnNoGate, ReasonNotSelectedByWebhook, "A label asks for gates, and the selectors of the webhook's configuration leave the pod out", "correct the selectors if that is not meant, and " + RestartPods, "failure-policy.md"},
	{OnNoGate, ReasonEntrySwitchedOff, "The namespace's label asks for the gate, and podgate's environment variable WEBHOOK_ENABLED switches the webhook entry of that label off", "set WEBHOOK_ENABLED to \"true\" (kubectl -n podgate-system set env deployment/podgate WEBHOOK_ENABLED=true; in the chart, webhookEnabled), and " + RestartPods, "install.md#the-webhooks-switch"},
	{OnNoGate, ReasonWebhookMissing, "There is no webhook configuration, so nobody asks podgate", "install podgate, and " + RestartPods, "install.md"},

	{OnReadinessGate, ReasonServing, "podgate asks the checks and writes the gates", NothingToDo, ""},
	{OnReadinessGate, ReasonInvalidSpec, "A check can never work as it is written; the message names it and says what is wrong. New pods get no gate until it is corrected, and gates that are closed stay closed", "correct what the message names", "kinds/readinessgate.md#writing-a-spec"},
	{OnReadinessGate, ReasonNotAllowed, "A check asks what no administrator has allowed for the namespace (--allow-checks). Its answer is missing, which opens no gate and closes none", "have an administrator allow it, or ask the pod itself by its port", "kinds/readinessgate.md#writing-a-spec"},
	{OnReadinessGate, ReasonNoSuchServer, "A check names a Prometheus server that no administrator has named (--prometheus)", "correct the name, or have an administrator add the server", "kinds/readinessgate.md#writing-a-spec"},
	{OnReadinessGate, ReasonNoAccess, "The ServiceAccount of a resource check may not read the object, or podgate may not", "give the account, and podgate, the right to get, list and watch the object", "kinds/readinessgate.md#writing-a-spec"},

	{OnReady, ReasonSynced, "The group's targets follow the Service's pods", NothingToDo, ""},
	{OnReady, ReasonOwnedByLBC, "Ready is `True`: AWS Load Balancer Controller serves the binding, and podgate only observes", "nothing, or follow the migration page to let podgate take over", "migration.md"},
	{OnReady, ReasonInstanceTargets, "Ready is `True`: the group's targets are nodes, which podgate leaves alone where somebody else registers them and at VPC Lattice; pods get no gate", "nothing, or use a group of target type ip: pods of this group get no gate", ""},
	{OnReady, ReasonNameTooLong, "Ready is `True`: targets are registered, but a name of more than 63 characters cannot be a gate's", "make a binding with a name of at most 63 characters", ""},
	{OnReady, ReasonServiceNotFound, "The Service does not exist", "create the Service, or correct serviceRef.name", ""},
	{OnReady, ReasonServiceWithoutSelector, "The Service has no selector, so it selects no pods", "give the Service a selector", ""},
	{OnReady, ReasonPortNotFound, "The Service has no such port; the message lists those it has", "correct serviceRef.port", ""},
	{OnReady, ReasonTargetPortNotFound, "The Service names a target port that a pod does not have, or a pod has no address of the group's family", "name the port in the pod template, or use its number", ""},
	{OnReady, ReasonNoNodePort, "The group's targets are nodes, and the Service has no node port", "make the Service one of type NodePort, or have node ports allocated for it", "providers/elbv2.md#instance-targets"},
	{OnReady, ReasonNodesNotRead, "The group's targets are nodes, and podgate cannot read those of the cluster, so it changes nothing", "let podgate list and watch nodes: its ClusterRole", "providers/elbv2.md#instance-targets"},
	{OnReady, ReasonTargetGroupNotFound, "AWS knows no such target group", "create the target group, or make a binding that names another", ""},
	{OnReady, ReasonBackendNotFound, "HAProxy has no such backend", "add the backend to HAProxy's configuration, or make a binding that names another", "providers/haproxy.md"},
	{OnReady, ReasonTargetGroupNotReady, "The target group is being created or deleted, or another change of it is under way", "wait; if it lasts, look at the group's status at the load balancer", ""},
	{OnReady, ReasonInvalidRequest, "The request can never succeed as it is: the message says what is wrong, such as an ARN of another region or an unknown keyword", "correct what the message names", ""},
	{OnReady, ReasonUnservedTargetType, "Ready is `True`: the group's targets are neither pods nor nodes, such as lambda or alb, so podgate leaves them alone, and pods get no gate", "use a group of target type ip, or delete the binding: the Service's pods get no requests from this group", ""},
	{OnReady, ReasonTargetTypeMismatch, "The binding's targetType or ipAddressType is not the group's", "make a binding without targetType and ipAddressType, or with the group's", ""},
	{OnReady, ReasonGroupBoundTwice, "An older binding names the same group, or the same backend of the same instance", "delete one of the two bindings of this group", ""},
	{OnReady, ReasonAccessDenied, "The load balancer refuses podgate's credentials or permissions; the message has its words", "correct podgate's credentials or permissions: an IAM policy or a role to assume at AWS, the stats socket line at HAProxy", "providers/elbv2.md#iam-permissions"},
	{OnReady, ReasonNotAllowed, "Bindings of this namespace may not name this group or role", "ask the podgate administrator for an allowance (--allow-targets), or name a group of your own", "security.md#whose-target-groups"},
	{OnReady, ReasonThrottled, "AWS asks for fewer calls, and podgate makes fewer", "wait; if it lasts, find who else uses the account's API budget", ""},
	{OnReady, ReasonTooManyTargets, "The group is full: AWS's quota, or the binding's maxServers", "raise the quota of AWS, or maxServers of the binding, or run fewer pods", ""},
	{OnReady, ReasonBindingNotWritable, "podgate cannot put its finalizer on the binding, and registers nothing; the message has the API server's words", "let podgate write the binding: RBAC, or an admission webhook that refuses", ""},
	{OnReady, ReasonTargetsNotRecorded, "The ConfigMap of a group shared with other clusters cannot be read or written, and nothing is registered", "let podgate write the ConfigMap that the message names: RBAC, or a quota", "kinds/targetgroupbinding.md#groups-shared-with-other-clusters"},
	{OnReady, ReasonNoGateOfLBC, "Pods without AWS Load Balancer Controller's gate of the group get none of this binding's, because that controller may not notice that they wait", "have AWS Load Balancer Controller's gate injected, and " + RestartPods + ", or set spec.wake", "kinds/targetbinding.md#only-observing"},
	{OnReady, ReasonNothingToNudge, "spec.wake is Nudge, and no TargetGroupBinding of the Service names the group", "make a TargetGroupBinding of the Service that names the group, or set spec.wake to None", "kinds/targetbinding.md#only-observing"},
	{OnReady, ReasonNudgeFailed, "The annotation that wakes AWS Load Balancer Controller cannot be written; the message has the API server's words", "let podgate write the TargetGroupBinding: RBAC, or AWS Load Balancer Controller's admission webhook", ""},
	{OnReady, ReasonLoadBalancerUnavailable, "The API or the socket cannot be reached, or its answers cannot be read", "wait; the message says what fails", ""},

	{OnManaged, ReasonOwnedByPodgate, "podgate registers the group's targets", NothingToDo, ""},
	{OnManaged, ReasonInstanceTargets, "The group's targets are nodes, at a load balancer where podgate neither registers nor deregisters nodes", NothingToDo, ""},
	{OnManaged, ReasonUnservedTargetType, "The group's targets are neither pods nor nodes, and podgate neither registers nor deregisters them", "use a group of target type ip, or delete the binding", ""},
	{OnManaged, ReasonOwnedByLBC, "AWS Load Balancer Controller registers the group's targets, and podgate only observes", "nothing, or follow the migration page to let podgate take over", "migration.md"},
	{OnManaged, ReasonNotServed, "podgate was told not to serve the binding (--target-group-bindings)", "nothing, or annotate the binding with podgate.dev/manage: \"true\"", "migration.md"},
	{OnManaged, ReasonExternal, "Somebody else registers the group's targets, as spec.membership says", NothingToDo, "kinds/targetbinding.md#only-observing"},

	{OnGated, ReasonInstanceTargets, "The group's targets are not pods. Nodes forward requests to Ready pods only, so a gate that waited for the nodes would never open", "nothing, or use a group of target type ip", "providers/elbv2.md#instance-targets"},
	{OnGated, ReasonUnservedTargetType, "The group's targets are neither pods nor nodes", "use a group of target type ip, or delete the binding", ""},
	{OnGated, ReasonNameTooLong, "The binding's name has more than 63 characters, which cannot be a gate's", "make a binding with a name of at most 63 characters, and " + RestartPods, ""},

	{OnSupported, ReasonNotAppliedToTargets, "Something at the load balancer is not as the binding takes it to be, such as a setting that does not apply to targets that podgate registers, or checks that say nothing of the Service's pods; the message says what to do", "do what the message says", "providers/haproxy.md#what-servers-added-at-runtime-cannot-do"},

	{OnPolicyAccepted, ReasonAccepted, "The binding's policies can be used", NothingToDo, "policies.md"},
	{OnPolicyAccepted, ReasonInvalidPolicy, "A policy of the binding cannot be used; the message names each annotation, its value and what is allowed", "correct the annotations that the message names", "policies.md"},

	{OnTargetsHeld, ReasonForeignTargets, "Healthy targets stay registered because no pod of this cluster has their addresses, so that they are somebody else's", "follow the message: have clusters share the group, confirm by the annotation that it names, or deregister them by hand", ""},
	{OnTargetsHeld, ReasonHeldAtFloor, "Targets of pods that are not ready, or that another controller's gate holds back, stay registered because too few others serve", "find out why the pods' containers are not ready, or which gate is closed", ""},
	{OnTargetsHeld, ReasonHeldWhileAbsent, "Targets stay registered for now, although the Service, its port or all its pods are missing", "restore what is missing within --absence-grace, or wait if it is meant", ""},
	{OnTargetsHeld, ReasonHeldUntilReplaced, "Targets that the Service no longer selects stay registered until those that it selects are healthy", "look at the new pods' gates", ""},
	{OnTargetsHeld, ReasonHeldAsLastServing, "The target of a deleted pod stays registered because no other target serves", "nothing, or run more replicas", "drain.md#what-overrides-it"},
	{OnTargetsHeld, ReasonNothingHeld, "No target is kept that should be removed", NothingToDo, ""},

	{OnPodEvent, ReasonGateTimedOut, "A gate's time-out has passed; the message says whether the gate opens", "find out why the target is not healthy", "policies.md"},
	{OnPodEvent, ReasonGateMissing, "The pod should carry a gate and does not: the binding or its Service came later than the pod, the webhook did not answer, or the pod's manifest lists its gates", "do what the message says: gates are added only when pods are created", "operations.md#pods-without-a-gate"},
	{OnPodEvent, ReasonNoGate, "There is no gate for the pod: no Service selects it, or no served binding refers to that Service", "nothing, if the pod needs none; else do what the message says", ""},
	{OnPodEvent, ReasonDrainTooShort, "The pod's preStop hook or grace period is too short for its load balancer to drain it; reported once for an owner", "do what the message says", "drain.md#what-gets-a-hook"},
	{OnPodEvent, ReasonKilledUndrained, "The pod stopped before its load balancer had drained it", "do what the message says", "drain.md#what-is-reported"},

	{OnBindingEvent, ReasonTakenOverFromLBC, "podgate took the binding over from AWS Load Balancer Controller", NothingToDo, "migration.md"},
	{OnBindingEvent, ReasonDrainTimeRecommended, "Observed drains call for another drain time", "do what the message says, or nothing", "drain.md#what-is-recommended"},
	{OnBindingEvent, ReasonNodeWithoutInstance, "Nodes that should be targets have no instance of EC2 in spec.providerID; the others are registered", "nothing, or label the nodes node.kubernetes.io/exclude-from-external-load-balancers", "providers/elbv2.md#instance-targets"},
	{OnBindingEvent, ReasonReplaced, "A pod without a gate was evicted, because the binding asks for it", NothingToDo, "operations.md#pods-without-a-gate"},
	{OnBindingEvent, ReasonNotReplaced, "Pods without a gate cannot be replaced for now", "do what the message says", "operations.md#pods-without-a-gate"},

	{OnIngressEvent, ReasonLoadBalancerReady, "The load balancer is active and has the Ingress's rules, and the status of the Ingress has its name", NothingToDo, "kinds/ingress.md"},
	{OnIngressEvent, ReasonLoadBalancerWaiting, "The load balancer is being made or changed; the message says what is waited for", "wait", ""},
	{OnIngressEvent, ReasonLoadBalancerFailed, "A call to AWS or to the API server failed, and is tried again", "grant the permission or raise the quota that the message names; anything else wait for", "kinds/ingress.md#permissions-at-aws"},
	{OnIngressEvent, ReasonLoadBalancerHeld, "Something at AWS is not made, changed or deleted, because somebody else has it or a person protects it; an Ingress that is deleted stays until then", "remove at AWS what the message names, or its protection", "kinds/ingress.md#working-with-it"},
	{OnIngressEvent, ReasonClassNotUsable, "The class of the Ingress or its parameters cannot be used; rules that the Ingress has stay", "correct the IngressClass or its parameters, or name another class in spec.ingressClassName", "kinds/ingress.md#which-ingresses"},
	{OnIngressEvent, ReasonClassConflict, "The Ingress names two classes, of which the annotation counts", "remove one of the two", "kinds/ingress.md#which-ingresses"},
	{OnIngressEvent, ReasonInvalidAnnotation, "An annotation or a setting of the class has a value that it cannot have", "correct it; the message has the value, and what is allowed", "kinds/ingress.md#annotations"},
	{OnIngressEvent, ReasonConflictInGroup, "The Ingress asks for another value than a member of its group before it", "give all members one value, or move the Ingress to another group", "kinds/ingress.md#groups"},
	{OnIngressEvent, ReasonProtectionNotServed, "The Ingress asks for protection that podgate does not serve, and is not served without it; rules that it has stay", "protect the application otherwise and remove the annotation, or leave the Ingress to AWS Load Balancer Controller", "kinds/ingress.md#annotations"},
	{OnIngressEvent, ReasonAnnotationNotServed, "podgate does not serve an annotation; the Ingress is served without it", "remove the annotation", "kinds/ingress.md#annotations"},
	{OnIngressEvent, ReasonNoEffect, "Something in the Ingress has no effect", "remove it", "kinds/ingress.md#annotations"},
	{OnIngressEvent, ReasonLimitExceeded, "With the Ingress its load balancer would exceed a limit of AWS", "move the Ingress to another group, or have the limit raised", "kinds/ingress.md#groups"},
	{OnIngressEvent, ReasonPathNotServed, "A path or a backend of the Ingress is not served as it is written; all others are, or if it was served before, all rules stay as they are", "create the Service or port that the message names, or correct the path or the backend", ""},
	{OnIngressEvent, ReasonNoCertificate, "No certificate of ACM is for a host of the Ingress", "issue one, or name one by alb.ingress.kubernetes.io/certificate-arn; podgate looks again every minute", ""},
	{OnIngressEvent, ReasonNoSubnets, "There are not enough subnets for the load balancer; the message says why each one does not count", "tag two subnets of different zones, or name them in alb.ingress.kubernetes.io/subnets; podgate looks again every minute", ""},
	{OnIngressEvent, ReasonSettingsHeld, "A setting keeps its earlier value, because the Ingress that asked for it cannot be served now", "correct the Ingress that the message names", ""},
	{OnIngressEvent, ReasonOwnedByLBC, "AWS Load Balancer Controller runs and serves the Ingress, or would", "nothing, or remove that controller", "migration.md"},
	{OnIngressEvent, ReasonTakenOverFromLBC, "podgate took the Ingress over from AWS Load Balancer Controller", NothingToDo, "migration.md"},

	{OnServiceEvent, ReasonLoadBalancerReady, "The load balancer is active and has the Service's listeners, and the status of the Service has its name", NothingToDo, "kinds/service.md"},
	{OnServiceEvent, ReasonLoadBalancerWaiting, "The load balancer is being made or changed; the message says what is waited for", "wait", ""},
	{OnServiceEvent, ReasonLoadBalancerFailed, "A call to AWS or to the API server failed, and is tried again", "do what the message says", "kinds/ingress.md#permissions-at-aws"},
	{OnServiceEvent, ReasonLoadBalancerHeld, "Something at AWS is not made, changed or deleted, because somebody else has it or a person protects it; a Service that is deleted stays until then", "do what the message says", "kinds/service.md#working-with-it"},
	{OnServiceEvent, ReasonInvalidAnnotation, "An annotation has a value that it cannot have; what the Service has of a load balancer stays", "correct it; the message has the value, and what is allowed", "kinds/service.md#annotations"},
	{OnServiceEvent, ReasonProtectionNotServed, "The Service asks for protection that podgate does not serve, and is not served without it; what it has of a load balancer stays", "do what the message says", "kinds/service.md#annotations"},
	{OnServiceEvent, ReasonAnnotationNotServed, "podgate does not serve an annotation; the Service is served without it", "remove the annotation", "kinds/service.md#annotations"},
	{OnServiceEvent, ReasonNoEffect, "Something in the Service has no effect", "remove it", "kinds/service.md#annotations"},
	{OnServiceEvent, ReasonLimitExceeded, "The Service's load balancer would exceed a limit of AWS", "divide the Service, or have the limit raised", ""},
	{OnServiceEvent, ReasonPortNotServed, "A port of the Service is not served as it is written", "do what the message says", ""},
	{OnServiceEvent, ReasonNoCertificate, "A certificate that the Service names cannot be used", "name one of ACM that is issued; podgate looks again every minute", ""},
	{OnServiceEvent, ReasonNoSubnets, "There are not enough subnets for the load balancer; the message says why each one does not count", "do what the message says", ""},
	{OnServiceEvent, ReasonOwnedByLBC, "AWS Load Balancer Controller runs and serves the Service", "nothing, or remove that controller", "migration.md"},
	{OnServiceEvent, ReasonTakenOverFromLBC, "podgate took the Service over from AWS Load Balancer Controller", NothingToDo, "migration.md"},

	{OnGatewayEvent, ReasonLoadBalancerReady, "The load balancer is active and has the Gateway's listeners, and the status of the Gateway has its name", NothingToDo, "kinds/gateway.md"},
	{OnGatewayEvent, ReasonLoadBalancerWaiting, "The load balancer is being made or changed; the message says what is waited for", "wait", ""},
	{OnGatewayEvent, ReasonLoadBalancerFailed, "A call failed; podgate repeats it, and what does not need it goes on", "do what the message says", ""},
	{OnGatewayEvent, ReasonLoadBalancerHeld, "A step is not done, because what it concerns is somebody else's, or a person protects it", "do what the message says", ""},
	{OnGatewayEvent, ReasonClassNotUsable, "The GatewayClass cannot be used; what the Gateway has of a load balancer stays", "correct the GatewayClass", "kinds/gateway.md"},
	{OnGatewayEvent, ReasonGatewayNotServed, "Something in the Gateway's spec cannot be served; what it has of a load balancer stays", "do what the message says", "kinds/gateway.md#what-is-not-served"},
	{OnGatewayEvent, ReasonInvalidAnnotation, "An annotation has a value that it cannot have; what the Gateway has of a load balancer stays", "correct it; the message has the value, and what is allowed", "kinds/gateway.md"},
	{OnGatewayEvent, ReasonProtectionNotServed, "The Gateway asks for protection that podgate does not serve, and is not served without it; what it has of a load balancer stays", "do what the message says", "kinds/gateway.md#what-is-not-served"},
	{OnGatewayEvent, ReasonAnnotationNotServed, "podgate does not serve an annotation; the Gateway is served without it", "remove the annotation", "kinds/gateway.md"},
	{OnGatewayEvent, ReasonNoEffect, "Something in the Gateway has no effect", "remove it", "kinds/gateway.md"},
	{OnGatewayEvent, ReasonLimitExceeded, "The Gateway's load balancer would exceed a limit of AWS", "do what the message says", ""},
	{OnGatewayEvent, ReasonNoCertificate, "No certificate of ACM is for a host of a listener", "issue one, or name one in the listener's tls.options; podgate looks again every minute", "kinds/gateway.md"},
	{OnGatewayEvent, ReasonNoSubnets, "There are not enough subnets for the load balancer; the message says why each one does not count", "do what the message says", ""},

	{OnHTTPRouteEvent, ReasonRouteNotServed, "The route, or a rule of it, is not served as it is written; its conditions say the same", "do what the message says", "kinds/gateway.md#what-is-not-served"},
	{OnHTTPRouteEvent, ReasonLoadBalancerWaiting, "A rule of the route is made or changed once what it forwards to serves", "wait", ""},
	{OnHTTPRouteEvent, ReasonLoadBalancerFailed, "A call for a rule of the route failed; podgate repeats it", "do what the message says", ""},
	{OnHTTPRouteEvent, ReasonLoadBalancerHeld, "A rule of the route is not changed, because what it concerns is somebody else's", "do what the message says", ""},

	{OnSecretEvent, ReasonAuthorityCreated, "A new authority for the webhook's certificate was made", NothingToDo, "install.md#the-webhooks-certificate"},
	{OnSecretEvent, ReasonCertificateIssued, "A new serving certificate was issued", NothingToDo, "install.md#the-webhooks-certificate"},
	{OnSecretEvent, ReasonAuthorityRetired, "The earlier authority is no longer trusted", NothingToDo, "install.md#the-webhooks-certificate"},
	{OnSecretEvent, ReasonInvalidCertificate, "The provided certificate cannot be used", "provide a valid pair, as the message says", "install.md#the-webhooks-certificate"},
}
