// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// deployment is one of three replicas that serves well where podgate adds hooks.
func deployment(changes ...func(*appsv1.Deployment)) *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(3)), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "web", Image: "web", Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(8080)}}},
		}}}},
	}}
	for _, change := range changes {
		change(d)
	}
	return d
}

// with changes the pod template of a Deployment.
func with(change func(*corev1.PodSpec)) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { change(&d.Spec.Template.Spec) }
}

// hooked gives the container that serves a preStop hook, and the pod a grace period.
func hooked(grace int64, h corev1.LifecycleHandler) func(*appsv1.Deployment) {
	return with(func(s *corev1.PodSpec) {
		s.TerminationGracePeriodSeconds = &grace
		s.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &h}
	})
}

func sleeps(seconds int64) corev1.LifecycleHandler {
	return corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}
}

func runs(command ...string) corev1.LifecycleHandler {
	return corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: command}}
}

// preflightOn checks objects beside those of the shop, whose namespace may ask for hooks.
func preflightOn(t *testing.T, hooks bool, more ...client.Object) *Preflight {
	t.Helper()
	files := []string{"installation.yaml", "shop.yaml"}
	if !hooks {
		files = []string{"installation.yaml", "preflight/gates-only.yaml", "shop.yaml"}
	}
	p, err := preflightOf(t.Context(), offline(t, append(objects(t, files...), more...)), preflightScope{namespace: "shop", files: true}, "podgate-system", noon)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAdvice: what preflight and explain say of a pod template is right for it, one finding gives one instruction, whoever follows it
// is told nothing more, and what nobody can know is said as such.
func TestAdvice(t *testing.T) {
	const label = "needs the label podgate.dev/drain=enabled"
	for name, c := range map[string]struct {
		change func(*appsv1.Deployment)
		// hooks: the namespace asks podgate to add them.
		hooks bool
		// finds are the check, the message and what to do, as far as they matter.
		finds []string
		// follow does what is said; nil where that is to ask for hooks.
		follow func(*appsv1.Deployment)
		// unknown is what cannot be known.
		unknown string
		// explains is what explain says of a pod that is as the template has it.
		explains string
	}{
		"podgate adds the hook": {hooks: true, explains: `container "web" has no preStop hook`},
		"nobody asks for hooks": {finds: []string{"PreStopTooShort", `Container "web" has no preStop hook`, label}, explains: label},
		"its own sleep":         {change: hooked(90, sleeps(60)), explains: "nothing to do"},
		"a shell's sleep":       {change: hooked(90, runs("sh", "-c", "echo bye; sleep 60")), explains: "its preStop hook sleeps 60 s"},
		"stops after a sleep":   {change: hooked(90, runs("sh", "-c", "sleep 60; nginx -s quit")), explains: "it serves on for long enough"},
		"stops before a sleep": {
			change:  hooked(90, runs("sh", "-c", "nginx -s quit; sleep 60")),
			unknown: "cannot read how long the preStop hooks", explains: "cannot read how long its preStop hooks take; they have to keep it serving for 55 s",
		},
		"a request": {change: hooked(90, corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{}}), unknown: "cannot read", explains: "cannot read"},
		"a request, cut short": {
			change: hooked(30, corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{}}), unknown: "cannot read",
			finds:  []string{"GracePeriodTooShort", "is 30, which is 25 s too short", "set terminationGracePeriodSeconds to at least 55"},
			follow: with(func(s *corev1.PodSpec) { s.TerminationGracePeriodSeconds = new(int64(55)) }),
		},
		"a short sleep": {
			hooks: true, change: hooked(90, sleeps(5)),
			finds:  []string{"PreStopTooShort", `container "web" sleeps 5 s, which is 50 s too short`, `have the preStop hook of container "web" sleep 55 s.`},
			follow: hooked(90, sleeps(55)),
		},
		"no sleep": {
			change: hooked(90, sleeps(0)), explains: `the preStop hook of container "web" ends at once`,
			finds:  []string{"PreStopTooShort", `container "web" sleeps 0 s`, `have the preStop hook of container "web" sleep 55 s.`},
			follow: hooked(90, sleeps(55)),
		},
		"a sleep whose time the shell does not see": {
			change: hooked(90, runs("sh", "-c", "sleep", "60")),
			finds:  []string{"PreStopTooShort", `container "web" sleeps 0 s`, `have the preStop hook of container "web" sleep 55 s.`},
			follow: hooked(90, runs("sh", "-c", "sleep 60")),
		},
		"killed at once": {
			hooks: true, change: with(func(s *corev1.PodSpec) { s.TerminationGracePeriodSeconds = new(int64(0)) }),
			finds:  []string{"GracePeriodTooShort", "is 0: Kubernetes then runs no preStop hook", "Set it to 1 or more in the pod template, or leave it out: podgate then adds a hook"},
			follow: with(func(s *corev1.PodSpec) { s.TerminationGracePeriodSeconds = nil }),
		},
		"killed at once, in spite of its hook": {
			change: hooked(0, sleeps(60)),
			finds:  []string{"GracePeriodTooShort", "is 0: Kubernetes then runs no preStop hook", "set terminationGracePeriodSeconds to at least 60"},
			follow: hooked(60, sleeps(60)),
		},
		"a container beside it without a hook": {
			change: func(d *appsv1.Deployment) {
				hooked(90, sleeps(60))(d)
				with(func(s *corev1.PodSpec) {
					s.Containers = append(s.Containers, corev1.Container{Name: "logs", Image: "logs"})
				})(d)
			},
			explains: "nothing to do",
		},
		"a native sidecar serves": {
			change: sidecarServes(0), explains: `container "proxy" has no preStop hook`,
			finds: []string{"PreStopTooShort", `Container "proxy" has no preStop hook`, label},
		},
		"a native sidecar serves, and podgate adds hooks": {hooks: true, change: sidecarServes(0)},
		"a native sidecar serves for long enough":         {change: sidecarServes(60), explains: "nothing to do"},
		"a native sidecar serves as long as the application": {
			change: func(d *appsv1.Deployment) { sidecarServes(0)(d); hooked(90, sleeps(60))(d) }, explains: "nothing to do",
		},
		"an init container has the port": {
			change: func(d *appsv1.Deployment) {
				hooked(90, sleeps(60))(d)
				with(func(s *corev1.PodSpec) {
					s.InitContainers = []corev1.Container{{Name: "init", Image: "init", Ports: s.Containers[0].Ports}}
				})(d)
			},
			explains: "nothing to do",
		},
		"any may serve": {
			change: with(func(s *corev1.PodSpec) {
				s.TerminationGracePeriodSeconds = new(int64(90))
				s.Containers[0].Ports, s.Containers[0].Lifecycle = nil, &corev1.Lifecycle{PreStop: new(sleeps(60))}
				s.Containers = append(s.Containers, corev1.Container{Name: "logs", Image: "logs"})
			}),
			finds:  []string{"PreStopTooShort", "cannot tell which one serves", "Declare the port at the container that serves"},
			follow: with(func(s *corev1.PodSpec) { s.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8080}} }),
		},
		"a proxy before it": {
			change: func(d *appsv1.Deployment) {
				hooked(90, sleeps(60))(d)
				with(func(s *corev1.PodSpec) {
					s.Containers = append(s.Containers, corev1.Container{Name: "istio-proxy", Image: "proxy", Lifecycle: &corev1.Lifecycle{PreStop: new(sleeps(5))}})
				})(d)
			},
			finds:  []string{"PreStopTooShort", `container "istio-proxy" sleeps 5 s`, `or in the settings of whatever injects the proxy, have the preStop hook of container "istio-proxy" sleep 55 s`},
			follow: with(func(s *corev1.PodSpec) { s.Containers[1].Lifecycle.PreStop = new(sleeps(55)) }),
		},
		"no probe but a sidecar's": {
			hooks: true,
			change: func(d *appsv1.Deployment) {
				sidecarServes(0)(d)
				with(func(s *corev1.PodSpec) {
					s.InitContainers[0].ReadinessProbe, s.Containers[0].ReadinessProbe = s.Containers[0].ReadinessProbe, nil
				})(d)
			},
		},
		"paused": {
			hooks: true, change: func(d *appsv1.Deployment) { d.Spec.Paused = true },
			finds:  []string{"RolloutHalted", "It is paused", "kubectl rollout resume -n shop deployment/web"},
			follow: func(d *appsv1.Deployment) { d.Spec.Paused = false },
		},
		"quota": {
			hooks: true, change: func(d *appsv1.Deployment) {
				d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota: pods"}}
			},
			finds:  []string{"RolloutHalted", "Its pods cannot be created: exceeded quota: pods", "correct what the message names"},
			follow: func(d *appsv1.Deployment) { d.Status.Conditions = nil },
		},
		"all at once": {
			hooks: true, change: func(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType },
			finds: []string{"RolloutEmptiesGroup", "may take away 3 of 3", "set strategy.type to RollingUpdate, with maxUnavailable 0 and maxSurge 1"},
			follow: func(d *appsv1.Deployment) {
				d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromInt32(1))}}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			changes := slices.DeleteFunc([]func(*appsv1.Deployment){c.change}, func(f func(*appsv1.Deployment)) bool { return f == nil })
			p := preflightOn(t, c.hooks, deployment(changes...))
			found(t, p, c.finds)
			if got := strings.Join(p.Unknown, "\n"); !strings.Contains(got, c.unknown) || c.unknown == "" && got != "" {
				t.Errorf("unknown: %q, want %q", got, c.unknown)
			}

			if c.finds != nil {
				after := preflightOn(t, c.hooks || c.follow == nil, deployment(append(changes, orNothing(c.follow))...))
				found(t, after, nil)
			}

			pod := podOf(deployment(changes...))
			files := []string{"installation.yaml", "preflight/gates-only.yaml", "shop.yaml"}
			x, err := explainPod(t.Context(), offline(t, append(objects(t, files...), pod)), types.NamespacedName{Namespace: "shop", Name: "web"}, "podgate-system", noon)
			if err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			x.write(&paper{out: &said, now: noon.Time})
			if !strings.Contains(said.String(), c.explains) {
				t.Errorf("explain does not say %q:\n%s", c.explains, said.String())
			}
		})
	}
}

// sidecarServes has a native sidecar serve the port, with a hook of its own or none.
func sidecarServes(hook int64) func(*appsv1.Deployment) {
	return with(func(s *corev1.PodSpec) {
		proxy := corev1.Container{Name: "proxy", Image: "proxy", Ports: s.Containers[0].Ports, RestartPolicy: new(corev1.ContainerRestartPolicyAlways)}
		if hook > 0 {
			proxy.Lifecycle = &corev1.Lifecycle{PreStop: new(sleeps(hook))}
			s.TerminationGracePeriodSeconds = new(int64(90))
		}
		s.InitContainers, s.Containers[0].Ports = []corev1.Container{proxy}, nil
	})
}

func orNothing(f func(*appsv1.Deployment)) func(*appsv1.Deployment) {
	if f == nil {
		return func(*appsv1.Deployment) {}
	}
	return f
}

// found asserts that preflight found one thing, or nothing.
func found(t *testing.T, p *Preflight, want []string) {
	t.Helper()
	if len(want) == 0 {
		if len(p.Findings) > 0 {
			t.Errorf("it found %+v", p.Findings)
		}
		return
	}

	if len(p.Findings) != 1 {
		t.Fatalf("it found %+v, want one thing: %q", p.Findings, want)
	}
	f := p.Findings[0]
	if f.Check != want[0] || !strings.Contains(f.Message, want[1]) || !strings.Contains(f.Next, want[2]) {
		t.Errorf("it found %+v, want %q", f, want)
	}
}

// podOf is a pod as a Deployment's template has it, whose containers are ready.
func podOf(d *appsv1.Deployment) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: d.Spec.Template.Labels, CreationTimestamp: noon}, Spec: *d.Spec.Template.Spec.DeepCopy()}
	pod.Spec.NodeName = "node-1"
	pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web"}}
	if pod.Spec.TerminationGracePeriodSeconds == nil {
		pod.Spec.TerminationGracePeriodSeconds = new(int64(30))
	}
	pod.Status = corev1.PodStatus{PodIP: "10.1.0.5", PodIPs: []corev1.PodIP{{IP: "10.1.0.5"}}, Conditions: []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: noon}}}
	return pod
}

// statefulSet is one that serves well where podgate adds hooks.
func statefulSet(replicas int32, change func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	d := deployment()
	s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db"}, Spec: appsv1.StatefulSetSpec{Replicas: &replicas, Selector: d.Spec.Selector, Template: d.Spec.Template}}
	if change != nil {
		change(s)
	}
	return s
}

// TestAdviceOnStatefulSets: what halts or empties a StatefulSet is named, with something that can be done about it.
func TestAdviceOnStatefulSets(t *testing.T) {
	unready := func(name, revision string, since metav1.Time) *corev1.Pod {
		pod := podOf(deployment())
		pod.Name, pod.Labels = name, map[string]string{"app": "web", "controller-revision-hash": revision}
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: "db", Controller: new(true)}}
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: since}}
		return pod
	}
	long, short := metav1.NewTime(noon.Add(-2*stuckAfter)), metav1.NewTime(noon.Add(-stuckAfter/2))
	parallel := func(s *appsv1.StatefulSet) {
		s.Spec.PodManagementPolicy, s.Status.UpdateRevision = appsv1.ParallelPodManagement, "b"
	}
	governed := func(changes ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
		return statefulSet(3, func(s *appsv1.StatefulSet) {
			s.Spec.ServiceName = "db"
			for _, change := range changes {
				change(s)
			}
		})
	}
	names := func(publish bool, address string) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db"}, Spec: corev1.ServiceSpec{
			ClusterIP: address, PublishNotReadyAddresses: publish, Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 7000}},
		}}
	}
	ready := unready("db-0", "a", short)
	ready.Status.Conditions[0].Status = corev1.ConditionTrue
	scaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db-scaler"}}
	scaler.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "StatefulSet", Name: "db"}
	made := scaler.DeepCopy()
	made.OwnerReferences = []metav1.OwnerReference{{Kind: "ScaledObject", Name: "db", Controller: new(true)}}

	for name, c := range map[string]struct {
		objects []client.Object
		finds   []string
	}{
		"three": {objects: []client.Object{statefulSet(3, nil)}},
		"one":   {objects: []client.Object{statefulSet(1, nil)}, finds: []string{"RolloutEmptiesGroup", "1 of 1 pod before", "run more than one pod"}},
		"one, which a partition keeps": {
			objects: []client.Object{statefulSet(1, func(s *appsv1.StatefulSet) {
				s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(1))}
			})},
			finds: []string{"RolloutHalted", "Its partition of 1 keeps 1 of 1 pod as", "set the partition of its updateStrategy to 0"},
		},
		"one, autoscaled":              {objects: []client.Object{statefulSet(1, nil), scaler}, finds: []string{"RolloutEmptiesGroup", "1 of 1", "set minReplicas of HorizontalPodAutoscaler db-scaler to more than one"}},
		"one, autoscaled by something": {objects: []client.Object{statefulSet(1, nil), made}, finds: []string{"RolloutEmptiesGroup", "1 of 1", "let ScaledObject db, which made HorizontalPodAutoscaler db-scaler, keep more than one pod"}},
		"all may be unavailable": {
			objects: []client.Object{statefulSet(3, func(s *appsv1.StatefulSet) {
				s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{MaxUnavailable: new(intstr.FromString("100%"))}
			})},
			finds: []string{"RolloutEmptiesGroup", "3 of 3 pods", "let updateStrategy.rollingUpdate.maxUnavailable be less than all"},
		},
		"a pod is stuck":                 {objects: []client.Object{statefulSet(3, nil), unready("db-1", "a", long)}, finds: []string{"RolloutHalted", "Not Ready: db-1, and podManagementPolicy is OrderedReady", "podgate explain -n shop db-1"}},
		"a pod starts":                   {objects: []client.Object{statefulSet(3, nil), unready("db-1", "a", short)}},
		"in parallel, an old pod":        {objects: []client.Object{statefulSet(3, parallel), unready("db-1", "a", long)}},
		"in parallel, one of the latest": {objects: []client.Object{statefulSet(3, parallel), unready("db-1", "b", long)}, finds: []string{"RolloutHalted", "they have the latest revision", "podgate explain -n shop db-1"}},
		"peers": {objects: []client.Object{governed(), names(false, corev1.ClusterIPNone)}, finds: []string{
			"PeersWaitForGates", "Service db gives a pod its DNS name when the pod is Ready, and so when its gates are open. Until then OrderedReady creates no further pod",
			"else set publishNotReadyAddresses of the Service to true, and podManagementPolicy of the StatefulSet to Parallel",
		}},
		"peers, in parallel": {objects: []client.Object{governed(parallel), names(false, corev1.ClusterIPNone)}, finds: []string{
			"PeersWaitForGates", "and so when its gates are open.", "set publishNotReadyAddresses of the Service to true",
		}},
		"peers with names":              {objects: []client.Object{governed(), names(true, corev1.ClusterIPNone)}},
		"peers that serve":              {objects: []client.Object{governed(), names(false, corev1.ClusterIPNone), ready}},
		"a Service that is no governor": {objects: []client.Object{governed(), names(false, "10.0.0.7")}},
		"no Service":                    {objects: []client.Object{governed()}},
		"OnDelete, a pod is stuck": {
			objects: []client.Object{statefulSet(3, func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType }), unready("db-1", "a", long)},
			finds:   []string{"RolloutHalted", "OnDelete", "delete its pods one after the other"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := preflightOn(t, true, c.objects...)
			found(t, p, c.finds)
			if slices.ContainsFunc(p.Findings, func(f Finding) bool {
				return strings.Contains(name, "parallel") && strings.Contains(f.Next, "Parallel")
			}) {
				t.Errorf("it asks for what is so already: %+v", p.Findings)
			}
		})
	}
}

// TestAdviceOnBudgets: a budget counts the pods of all that it selects, and blocks by its spec, or by its status.
func TestAdviceOnBudgets(t *testing.T) {
	web := map[string]string{"app": "web"}
	budget := func(minAvailable, maxUnavailable string) *policyv1.PodDisruptionBudget {
		b := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: web}}}
		if minAvailable != "" {
			b.Spec.MinAvailable = new(intstr.Parse(minAvailable))
		}
		if maxUnavailable != "" {
			b.Spec.MaxUnavailable = new(intstr.Parse(maxUnavailable))
		}
		return b
	}
	of := func(name string, n int32) *appsv1.Deployment {
		return deployment(func(d *appsv1.Deployment) { d.Name, d.Spec.Replicas = name, &n })
	}
	daemons := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: appsv1.DaemonSetSpec{Selector: deployment().Spec.Selector, Template: deployment().Spec.Template}, Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 3}}
	scaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	scaler.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "web"}

	for name, c := range map[string]struct {
		objects []client.Object
		finds   []string
	}{
		"one may go":                     {objects: []client.Object{of("web", 3), budget("2", "")}},
		"none may go":                    {objects: []client.Object{of("web", 2), budget("2", "")}, finds: []string{"DisruptionBudgetBlocks", "none of the 2 pods of Deployment shop/web go", "let at least one pod be unavailable: set minAvailable to 1 or less"}},
		"two workloads, together enough": {objects: []client.Object{of("web", 2), of("also", 2), budget("2", "")}},
		"two workloads, told once":       {objects: []client.Object{of("web", 2), of("also", 2), budget("", "0")}, finds: []string{"DisruptionBudgetBlocks", "none of the 4 pods of Deployment shop/also, Deployment shop/web go", "let at least one"}},
		"the only pod":                   {objects: []client.Object{of("web", 1), budget("1", "")}, finds: []string{"DisruptionBudgetBlocks", "does not let the only pod of", "run more than one pod"}},
		"the only pod, and never one":    {objects: []client.Object{of("web", 1), budget("", "0")}, finds: []string{"DisruptionBudgetBlocks", "does not let the only pod of", "run more than one pod, and let at least one pod be unavailable: set maxUnavailable to 1"}},
		"the only pod, autoscaled":       {objects: []client.Object{of("web", 1), budget("1", ""), scaler}, finds: []string{"DisruptionBudgetBlocks", "does not let the only pod of", "set minReplicas of HorizontalPodAutoscaler web to more than one"}},
		"a DaemonSet, never evicted":     {objects: []client.Object{daemons, budget("100%", "")}},
	} {
		t.Run(name, func(t *testing.T) { found(t, preflightOn(t, true, c.objects...), c.finds) })
	}

	status := func(expected, desired, healthy, allowed int32, change func(*policyv1.PodDisruptionBudgetStatus)) *policyv1.PodDisruptionBudget {
		b := budget("2", "")
		b.Generation = 3
		b.Status = policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 3, ExpectedPods: expected, DesiredHealthy: desired, CurrentHealthy: healthy, DisruptionsAllowed: allowed}
		if change != nil {
			change(&b.Status)
		}
		return b
	}
	for name, c := range map[string]struct {
		budget        *policyv1.PodDisruptionBudget
		message, next string
	}{
		"one may go":          {budget: status(3, 2, 3, 1, nil)},
		"pods are not Ready":  {status(3, 2, 2, 0, nil), "2 of 3 pods have to be Ready, and 2 are", "find out why 1 of its pods is not Ready: podgate status -n shop"},
		"all are needed":      {status(2, 2, 2, 0, nil), "none of its 2 pods go", "let at least one pod be unavailable"},
		"the only one":        {status(1, 1, 1, 0, nil), "does not let its only pod go", "run more than one pod, and let at least one pod be unavailable: set minAvailable to 1 or less"},
		"it selects nothing":  {budget: status(0, 2, 0, 0, nil)},
		"of an earlier state": {budget: status(3, 2, 2, 0, func(s *policyv1.PodDisruptionBudgetStatus) { s.ObservedGeneration = 2 })},
		"an eviction is under way": {budget: status(3, 2, 3, 0, func(s *policyv1.PodDisruptionBudgetStatus) {
			s.DisruptedPods = map[string]metav1.Time{"web-1": noon}
		})},
		"nobody can count them": {status(0, 0, 0, 0, func(s *policyv1.PodDisruptionBudgetStatus) {
			s.Conditions = []metav1.Condition{{Type: policyv1.DisruptionAllowedCondition, Reason: policyv1.SyncFailedReason, Message: "found no controllers for pod \"web-1\""}}
		}), "evicts none, so that a node that is drained waits without end: found no controllers", "state minAvailable as a number"},
	} {
		t.Run("Status/"+name, func(t *testing.T) {
			message, next := blocked(c.budget)
			if !strings.Contains(message, c.message) || !strings.Contains(next, c.next) || (c.message == "") != (message == "") {
				t.Errorf("it says %q, %q; want %q, %q", message, next, c.message, c.next)
			}
		})
	}
}

// TestUnready: what keeps a pod from becoming ready is named, and an init container before those that wait for it.
func TestUnready(t *testing.T) {
	waiting := func(name, reason string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
	}
	ended := corev1.ContainerStatus{Name: "migrate", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}}
	begun := corev1.ContainerStatus{Name: "proxy", Started: new(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	spec := corev1.PodSpec{NodeName: "node-1", InitContainers: []corev1.Container{{Name: "migrate"}, {Name: "proxy", RestartPolicy: new(corev1.ContainerRestartPolicyAlways)}}, Containers: []corev1.Container{{Name: "web"}}}

	for name, c := range map[string]struct {
		init, containers []corev1.ContainerStatus
		want             string
	}{
		"a container":              {[]corev1.ContainerStatus{ended}, []corev1.ContainerStatus{waiting("web", "ImagePullBackOff")}, "web: ImagePullBackOff"},
		"an init container fails":  {[]corev1.ContainerStatus{waiting("migrate", "CrashLoopBackOff"), waiting("proxy", "PodInitializing")}, []corev1.ContainerStatus{waiting("web", "PodInitializing")}, "init container migrate: CrashLoopBackOff"},
		"a sidecar does not start": {[]corev1.ContainerStatus{ended, waiting("proxy", "ErrImagePull")}, []corev1.ContainerStatus{waiting("web", "PodInitializing")}, "sidecar proxy: ErrImagePull"},
		"a sidecar is not ready":   {[]corev1.ContainerStatus{ended, begun}, []corev1.ContainerStatus{{Name: "web", Ready: true}}, "proxy"},
		"nothing is known":         {nil, nil, "containers are not ready"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: spec, Status: corev1.PodStatus{InitContainerStatuses: c.init, ContainerStatuses: c.containers}}
			if got := trouble(pod); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}

	pod := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}}}
	if got := trouble(pod); got != "Unschedulable" || !strings.Contains(untangle(pod), "kubectl describe pod") {
		t.Errorf("without a node: %q, %q", got, untangle(pod))
	}
}
