// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/binding"
)

// walk says why a sentence that tells people what to do is right for whatever it is said of.
type walk string

// The walks.
const (
	// nothing, or to wait: there is nothing that depends on the object.
	idle walk = "idle"
	// restarts has how the pods are made anew put in, by what makes them.
	restarts walk = "restarts"
	// template names the place of the pod's manifest, which is another one for a pod without a template.
	template walk = "template"
	// fields names an annotation, for which a TargetBinding has a field.
	fields walk = "fields"
	// command has the pod and the gate put into a command.
	command walk = "command"
	// message leaves the word to a message, which whoever says it makes for the object.
	message walk = "message"
	// object is about the binding, its Service, its group or podgate, and the same whatever the pods are.
	object walk = "object"
)

// walked are all the sentences of the catalog and of the drivers, by place and reason. A new one has to be walked: against
// bare, static and applied pods, Jobs, each kind of workload, paused and partitioned ones, both kinds of bindings and each
// load balancer.
var walked = map[string]walk{
	"open gate Healthy": idle, "open gate HealthCheckUnavailable": idle, "open gate TimedOut": message, "open gate TargetUnused": idle, "open gate TargetUnavailable": idle,
	"open gate TargetUnhealthyDraining": idle, "open gate TrackFloor": object, "open gate Overridden": command, "open gate SetByHand": idle,
	"open gate NoBinding": object, "open gate BindingDeleted": object, "open gate Uninstalled": idle, "open gate NotIPTargets": object, "open gate NotTarget": template,

	"closed gate NotProvenYet": idle, "closed gate ContainersNotReady": object, "closed gate OtherGateClosed": fields, "closed gate NoBinding": object,
	"closed gate BindingNotReady": object, "closed gate NotObserved": idle, "closed gate Overridden": command, "closed gate SetByHand": command,

	"open gate ChecksPassed": idle, "open gate Approved": idle, "open gate DryRun": idle, "closed gate Check.Failed": object, "closed gate Check.NoAnswer": object,
	"closed gate Check.NotAllowed": object, "closed gate Check.Waiting": idle, "closed gate Check.NotApproved": object,
	"ReadinessGate Serving": idle, "ReadinessGate InvalidSpec": message, "ReadinessGate NotAllowed": object, "ReadinessGate NoSuchServer": object,
	"ReadinessGate NoAccess": object, "no gate ReadinessGateCreatedLater": restarts,

	"no gate BindingCreatedLater": restarts, "no gate ServiceCreatedLater": restarts, "no gate NotInjected": restarts, "no gate GatesStated": object,
	"no gate StaticPod": object, "no gate NoService": restarts, "no gate NoBinding": restarts, "no gate BindingDeleting": restarts, "no gate BindingNotServed": restarts,
	"no gate InstanceTargets": object, "no gate NameTooLong": restarts, "no gate NoGateOfLBC": restarts, "no gate OptedOut": restarts, "no gate LabelMissing": restarts,
	"no gate NotSelectedByWebhook": restarts, "no gate EntrySwitchedOff": restarts, "no gate WebhookMissing": restarts,

	"Ready Synced": idle, "Ready OwnedByLBC": idle, "Ready InstanceTargets": object, "Ready NameTooLong": object, "Ready ServiceNotFound": object,
	"Ready ServiceWithoutSelector": object, "Ready PortNotFound": object, "Ready TargetPortNotFound": template, "Ready NoNodePort": object, "Ready NodesNotRead": object, "Ready TargetGroupNotFound": object,
	"Ready BackendNotFound": object, "Ready TargetGroupNotReady": idle, "Ready InvalidRequest": message, "Ready UnservedTargetType": object, "Ready TargetTypeMismatch": object,
	"Ready GroupBoundTwice": object, "Ready AccessDenied": object, "Ready NotAllowed": object, "Ready Throttled": idle, "Ready TooManyTargets": object,
	"Ready BindingNotWritable": object, "Ready TargetsNotRecorded": message, "Ready NoGateOfLBC": restarts, "Ready NothingToNudge": object,
	"Ready NudgeFailed": object, "Ready LoadBalancerUnavailable": idle,

	"Managed OwnedByPodgate": idle, "Managed InstanceTargets": idle, "Managed UnservedTargetType": object, "Managed OwnedByLBC": idle, "Managed NotServed": object, "Managed External": idle,
	"Gated InstanceTargets": object, "Gated UnservedTargetType": object, "Gated NameTooLong": restarts,
	"Supported NotAppliedToTargets": message, "PolicyAccepted Accepted": idle, "PolicyAccepted InvalidPolicy": message,
	"TargetsHeld ForeignTargets": message, "TargetsHeld HeldAtFloor": object, "TargetsHeld HeldWhileAbsent": object, "TargetsHeld HeldUntilReplaced": object,
	"TargetsHeld HeldAsLastServing": object, "TargetsHeld NothingHeld": idle,

	"pod event GateTimedOut": object, "pod event GateMissing": message, "pod event NoGate": message, "pod event DrainTooShort": message, "pod event KilledUndrained": message,
	"binding event TakenOverFromLBC": idle, "binding event DrainTimeRecommended": message, "binding event NodeWithoutInstance": object, "binding event Replaced": idle, "binding event NotReplaced": message,
	"Secret event AuthorityCreated": idle, "Secret event CertificateIssued": idle, "Secret event AuthorityRetired": idle, "Secret event InvalidCertificate": message,

	"Ingress event LoadBalancerReady": idle, "Ingress event LoadBalancerWaiting": idle, "Ingress event LoadBalancerFailed": message, "Ingress event LoadBalancerHeld": message,
	"Ingress event ClassNotUsable": object, "Ingress event ClassConflict": object, "Ingress event InvalidAnnotation": message, "Ingress event ConflictInGroup": object,
	"Ingress event ProtectionNotServed": object, "Ingress event AnnotationNotServed": object, "Ingress event NoEffect": object, "Ingress event LimitExceeded": object,
	"Ingress event PathNotServed": message, "Ingress event NoCertificate": object, "Ingress event NoSubnets": object, "Ingress event SettingsHeld": message,
	"Ingress event OwnedByLBC": idle, "Ingress event TakenOverFromLBC": idle,

	"Service event LoadBalancerReady": idle, "Service event LoadBalancerWaiting": idle, "Service event LoadBalancerFailed": message, "Service event LoadBalancerHeld": message,
	"Service event InvalidAnnotation": message, "Service event ProtectionNotServed": message, "Service event AnnotationNotServed": object, "Service event NoEffect": object,
	"Service event LimitExceeded": object, "Service event PortNotServed": message, "Service event NoCertificate": object, "Service event NoSubnets": message,
	"Service event OwnedByLBC": idle, "Service event TakenOverFromLBC": idle,

	"Gateway event LoadBalancerReady": idle, "Gateway event LoadBalancerWaiting": idle, "Gateway event LoadBalancerFailed": message, "Gateway event LoadBalancerHeld": message,
	"Gateway event ClassNotUsable": object, "Gateway event GatewayNotServed": message, "Gateway event InvalidAnnotation": message, "Gateway event ProtectionNotServed": message,
	"Gateway event AnnotationNotServed": object, "Gateway event LimitExceeded": message, "Gateway event NoEffect": object, "Gateway event NoCertificate": object, "Gateway event NoSubnets": message,
	"HTTPRoute event RouteNotServed": message, "HTTPRoute event LoadBalancerWaiting": idle, "HTTPRoute event LoadBalancerFailed": message, "HTTPRoute event LoadBalancerHeld": message,

	"Target.NotRegistered": object, "Elb.RegistrationInProgress": idle, "Elb.InitialHealthChecking": idle, "Elb.InternalError": idle, "Target.ResponseCodeMismatch": object,
	"Target.Timeout": object, "Target.FailedHealthChecks": object, "Target.NotInUse": fields, "Target.HealthCheckDisabled": fields, "Target.DeregistrationInProgress": idle,
	"Initial": idle, "Unhealthy": object, "Draining": idle, "Unused": object, "TargetNotFound": object, "UnknownStatus": message,
	"HAProxy.InitialHealthChecking": idle, "HAProxy.SlowStart": idle, "HAProxy.MissingAtAnInstance": idle, "HAProxy.RegistrationInterrupted": idle, "HAProxy.Draining": idle, "HAProxy.Stopping": idle,
	"HAProxy.Maintenance": object, "HAProxy.DrainedByHand": object, "HAProxy.AgentDown": object, "HAProxy.WeightZero": object, "HAProxy.NotChecked": fields,
}

// sentences are what there is to do by the catalog and the drivers, by what they are called in walked.
func sentences() map[string]string {
	all := map[string]string{}
	for _, e := range v1alpha1.Explanations {
		all[string(e.Place)+" "+e.Reason] = e.Fix
	}
	for _, a := range traits.All().EveryAdvice() {
		all[a.Reason] = a.Fix
	}
	return all
}

// TestEverySentenceWasWalked: each one is in the table, and is of the form by which it is made right for what it is said of.
func TestEverySentenceWasWalked(t *testing.T) {
	all := sentences()
	for name, fix := range all {
		waits := strings.HasPrefix(fix, "nothing") || strings.HasPrefix(fix, "wait") || strings.HasPrefix(fix, "look at the binding: registration")
		has := map[walk]bool{
			idle: waits, restarts: strings.Contains(fix, v1alpha1.RestartPods), template: strings.Contains(fix, "pod template"),
			fields: v1alpha1.InFields(fix) != fix, command: strings.Contains(fix, "POD TYPE"), message: strings.Contains(fix, "message") || strings.HasPrefix(fix, "find out why"), object: true,
		}

		how, known := walked[name]
		switch {
		case !known:
			t.Errorf("%s is new: walk what it advises (%q) against the situations, and give it a row", name, fix)
		case !has[how]:
			t.Errorf("%s is not of the form %q: %q", name, how, fix)
		}

		// What depends on the object is put in by one of these, and by nothing else.
		for _, w := range []walk{restarts, fields, command} {
			if has[w] && how != w {
				t.Errorf("%s depends on the object (%s), and its row says %q: %q", name, w, how, fix)
			}
		}
		if strings.Contains(strings.ReplaceAll(fix, v1alpha1.RestartPods, ""), "restart") {
			t.Errorf("%s says how to restart what it does not know: %q", name, fix)
		}
	}

	for name := range walked {
		if _, there := all[name]; !there {
			t.Errorf("%s is gone", name)
		}
	}
}

// makers are pods of everything that makes pods, and of nothing.
func makers() map[string]*corev1.Pod {
	of := func(api, kind, name, label, hash string) *corev1.Pod {
		pod := podOf(deployment())
		pod.Labels = map[string]string{"app": "web", label: hash}
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: api, Kind: kind, Name: name, UID: "uid", Controller: new(true)}}
		return pod
	}
	return map[string]*corev1.Pod{
		"bare": podOf(deployment()), "Deployment": of("apps/v1", "ReplicaSet", "web-1", "pod-template-hash", "1"), "ReplicaSet": of("apps/v1", "ReplicaSet", "web", "", ""),
		"StatefulSet": of("apps/v1", "StatefulSet", "web", "", ""), "DaemonSet": of("apps/v1", "DaemonSet", "web", "", ""), "Job": of("batch/v1", "Job", "web", "", ""),
		"Rollout": of("apps/v1", "ReplicaSet", "web-1", "rollouts-pod-template-hash", "1"), "CloneSet": of("apps.kruise.io/v1alpha1", "CloneSet", "web", "", ""), "Node": of("v1", "Node", "node-1", "", ""),
	}
}

// TestSentencesForEveryMaker: each sentence, said of a pod of each kind of owner and of a gate of each kind of binding, has
// commands that can be typed for it, and names nothing that the pod does not have.
func TestSentencesForEveryMaker(t *testing.T) {
	said := 0
	for kind, pod := range makers() {
		for name, fix := range sentences() {
			for _, gate := range []string{elbv2.GateType("web"), v1alpha1.GatePrefix + "web"} {
				got := typed(binding.MakerOf(pod).Say(fix), pod, gate)
				said++
				commands(t, kind+", "+name, got)

				for _, wrong := range []string{"POD TYPE", "for example"} {
					if strings.Contains(got, wrong) {
						t.Errorf("%s, %s: %q has %q", kind, name, got, wrong)
					}
				}
				if (kind == "bare" || kind == "Node") && strings.Contains(got, "template") {
					t.Errorf("%s has no template: %s: %q", kind, name, got)
				}
				if kind != "Deployment" && kind != "StatefulSet" && kind != "DaemonSet" && strings.Contains(got, "kubectl rollout restart") {
					t.Errorf("%s cannot be restarted: %s: %q", kind, name, got)
				}
				if strings.HasPrefix(gate, v1alpha1.GatePrefix) && strings.Contains(got, v1alpha1.OnUnusedAnnotation) {
					t.Errorf("a TargetBinding has no such annotation: %s: %q", name, got)
				}
			}
		}
	}
	t.Logf("%d sentences", said)
}

// begins is where a command begins in a sentence.
var begins = regexp.MustCompile(`\b(kubectl|helm) [a-z-]+|\bpodgate (approve|explain|status|wait|preflight|gate|version)\b`)

// typable are the commands that sentences may have, with whatever they are about put in.
var typable = func() []*regexp.Regexp {
	const name = `[a-z0-9][a-z0-9.-]*[a-z0-9]`
	var all []*regexp.Regexp
	for _, form := range []string{
		`kubectl rollout restart -n NAME (deployment|statefulset|daemonset)/NAME`,
		`kubectl rollout resume -n NAME deployment/NAME`,
		`kubectl label namespace NAME (podgate\.dev/(drain|inject)|elbv2\.k8s\.aws/pod-readiness-gate-inject|[a-z0-9.-]+/pod-readiness-gate-inject)=enabled( --overwrite)?`,
		`kubectl -n NAME set env deployment/podgate WEBHOOK_ENABLED=true`,
		`kubectl describe pod -n NAME NAME`,
		`kubectl logs -n NAME NAME -c NAME( --previous)?`,
		`podgate explain -n NAME NAME`,
		`podgate status -n NAME`,
		`podgate preflight -n NAME`,
		`podgate gate clear -n NAME NAME [a-z0-9.-]+/NAME`,
		`podgate gate set -n NAME NAME [a-z0-9.-]+/NAME true --reason WHY`,
	} {
		all = append(all, regexp.MustCompile(`^`+strings.ReplaceAll(form, "NAME", name)+`($|[\s,;:.)])`))
	}
	return all
}()

// commands asserts that each command in a sentence can be typed as it is.
func commands(t *testing.T, where, said string) int {
	t.Helper()
	found := begins.FindAllStringIndex(said, -1)
	for _, at := range found {
		rest := said[at[0]:]
		if !slices.ContainsFunc(typable, func(form *regexp.Regexp) bool { return form.MatchString(rest) }) {
			t.Errorf("%s: this cannot be typed: %q", where, rest)
		}
	}
	return len(found)
}

// TestCommandsInAnswers: whatever commands the answers of the golden files have can be typed.
func TestCommandsInAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d golden files: %v", len(files), err)
	}

	seen := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seen += commands(t, file, string(text))
	}
	if seen < 5 {
		t.Errorf("only %d commands were found", seen)
	}
}

// TestTypable: the forms say no to what cannot be typed.
func TestTypable(t *testing.T) {
	for said, want := range map[string]bool{
		"restart (kubectl rollout restart -n shop deployment/web).": true,
		"kubectl rollout restart":                                   false, "kubectl rollout restart -n shop rollout/web": false, "kubectl rollout restart -n shop replicaset/web": false,
		"podgate gate clear POD TYPE": false, "podgate explain web says why": false, "kubectl label namespace shop podgate.dev/drain=enabled": true,
	} {
		ok := !slices.ContainsFunc(begins.FindAllStringIndex(said, -1), func(at []int) bool {
			return !slices.ContainsFunc(typable, func(form *regexp.Regexp) bool { return form.MatchString(said[at[0]:]) })
		})
		if ok != want {
			t.Errorf("%q: got %t", said, ok)
		}
	}
}

// TestAdviceByOwner: explain tells how this very pod comes to its gate and to its hook, by what makes it.
func TestAdviceByOwner(t *testing.T) {
	applied := func(spec string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			pod.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: `{"spec":` + spec + `}`}
		}
	}
	owner := func(kind string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			made := makers()[kind]
			pod.Labels, pod.OwnerReferences = made.Labels, made.OwnerReferences
		}
	}
	const noted = "readinessGates,preStop"
	paused, partitioned := deployment(), statefulSet(3, nil)
	paused.Spec.Paused = true
	partitioned.Name, partitioned.Spec.UpdateStrategy.Type = "web", "OnDelete"

	for name, c := range map[string]struct {
		pod     func(*corev1.Pod)
		objects []client.Object
		// gate and drain are what there is to do about each.
		gate, drain string
	}{
		"created by hand":         {gate: "replace the pod: delete it and create it again", drain: "the grace period for it: replace the pod: delete it and create it again."},
		"applied":                 {pod: applied(`{}`), gate: "replace the pod: delete it and create it again", drain: "podgate adds no hook, since the manifest is applied to the pod itself"},
		"applied with its gates":  {pod: applied(`{"readinessGates":[]}`), gate: "add the missing gate to readinessGates in the manifest", drain: "In the manifest, give container"},
		"a Deployment":            {pod: owner("Deployment"), gate: "restart the pods (kubectl rollout restart -n shop deployment/web)", drain: "kubectl rollout restart -n shop deployment/web"},
		"a paused Deployment":     {pod: owner("Deployment"), objects: []client.Object{paused}, gate: "restart the pods (kubectl rollout resume -n shop deployment/web, then kubectl rollout restart -n shop deployment/web)", drain: "kubectl rollout resume"},
		"a StatefulSet, OnDelete": {pod: owner("StatefulSet"), objects: []client.Object{partitioned}, gate: "delete the pods one after the other", drain: "delete the pods one after the other"},
		"a DaemonSet":             {pod: owner("DaemonSet"), gate: "kubectl rollout restart -n shop daemonset/web", drain: "daemonset/web"},
		"a Rollout":               {pod: owner("Rollout"), gate: "restart the pods by the means of their Rollout", drain: "by the means of their Rollout"},
		"a CloneSet":              {pod: owner("CloneSet"), gate: "restart the pods by the means of their CloneSet", drain: "by the means of their CloneSet"},
		"a kubelet":               {pod: owner("Node"), gate: "have a Deployment or DaemonSet make the pod", drain: "podgate adds no hook to a static pod. In the pod's file on its node, give container"},
		"a template's copy": {
			pod: func(pod *corev1.Pod) {
				owner("Deployment")(pod)
				pod.Annotations = map[string]string{v1alpha1.LeftOutAnnotation: noted}
			},
			gate: "kubectl rollout restart -n shop deployment/web", drain: "kubectl rollout restart -n shop deployment/web",
		},
		"applied and killed at once": {
			pod:  func(pod *corev1.Pod) { applied(`{}`)(pod); pod.Spec.TerminationGracePeriodSeconds = new(int64(0)) },
			gate: "replace the pod", drain: "In the manifest, give container \"web\" a preStop hook that sleeps 55 s, and set terminationGracePeriodSeconds to at least 55",
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := podOf(deployment())
			pod.Spec.ReadinessGates = nil
			if c.pod != nil {
				c.pod(pod)
			}

			all := append(objects(t, "installation.yaml", "shop.yaml"), append(c.objects, pod)...)
			x, err := explainPod(t.Context(), offline(t, all), types.NamespacedName{Namespace: "shop", Name: "web"}, "podgate-system", noon)
			if err != nil {
				t.Fatal(err)
			}

			if x.NoGate == nil || !strings.Contains(x.NoGate.Next, c.gate) {
				t.Errorf("of its gate it says %+v, want %q", x.NoGate, c.gate)
			}
			if x.Drain == nil || !strings.Contains(x.Drain.Next, c.drain) {
				t.Errorf("of its end it says %+v, want %q", x.Drain, c.drain)
			}

			var text strings.Builder
			x.write(&paper{out: &text, now: noon.Time})
			commands(t, name, text.String())
		})
	}
}

// TestAdviceOnFiles: what a file holds is judged as what it is.
func TestAdviceOnFiles(t *testing.T) {
	file := func(kind, spec string) client.Object {
		return manifest(t, fmt.Sprintf("apiVersion: keda.sh/v1alpha1\nkind: %s\nmetadata: {namespace: shop, name: web}\nspec: %s", kind, spec))
	}
	bare := func(change func(*corev1.PodSpec)) *corev1.Pod {
		pod := podOf(deployment(with(change)))
		pod.Spec.ReadinessGates, pod.Status, pod.Spec.NodeName = nil, corev1.PodStatus{}, ""
		return pod
	}
	long := func(s *corev1.PodSpec) {
		s.TerminationGracePeriodSeconds = new(int64(90))
		s.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: new(sleeps(60))}
	}
	uncounted := func() client.Object {
		return statefulSet(1, func(s *appsv1.StatefulSet) { s.Spec.Replicas, s.Name = nil, "web" })
	}
	scaler := func(spec string) client.Object {
		return file("ScaledObject", "{scaleTargetRef: {kind: StatefulSet, name: web}"+spec+"}")
	}
	made := deployment()
	made.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "Shop", Name: "shop", Controller: new(true)}}
	made.Spec.Strategy.Type = "Recreate"
	listed := bare(long)
	listed.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.com/ready"}}

	for name, c := range map[string]struct {
		objects []client.Object
		finds   []string
	}{
		"a pod that drains":     {objects: []client.Object{bare(long)}},
		"a pod without a hook":  {objects: []client.Object{bare(func(*corev1.PodSpec) {})}, finds: []string{"PreStopTooShort", "has no preStop hook", "podgate adds no hook, since the manifest is applied to the pod itself"}},
		"a pod with gates":      {objects: []client.Object{listed}, finds: []string{"GatesStated", "New pods get no gate: its manifest is applied", "add target-health.elbv2.k8s.aws/web to readinessGates in the manifest"}},
		"scaled by KEDA":        {objects: []client.Object{uncounted(), scaler(", minReplicaCount: 3")}},
		"scaled by KEDA to one": {objects: []client.Object{uncounted(), scaler("")}, finds: []string{"RolloutEmptiesGroup", "1 of 1", "set minReplicaCount of ScaledObject web to more than one"}},
		"made by an operator":   {objects: []client.Object{made}, finds: []string{"RolloutEmptiesGroup", "3 of 3", "What makes it, Shop shop, may set back what is changed here: change it there"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := preflightOn(t, true, c.objects...)
			found(t, p, c.finds)
			for _, f := range p.Findings {
				commands(t, name, f.Message+" "+f.Next)
			}
		})
	}
}
