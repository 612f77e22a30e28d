// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/injection"
)

var helper = Helper{Image: "registry/podgate:1", Address: "10.96.0.7:443", ServerName: "podgate-webhook.podgate-system.svc", CA: []byte("PEM")}

// adaptiveHandler serves a binding that asks for adaptive hooks, and another Service's that does not.
func adaptiveHandler(t *testing.T, helper Helper) *Handler {
	b := annotated(typed(bindingTo("shop", "web-tg", "web"), elbv2.TargetTypeIP), v1alpha1.DrainTimeAnnotation, "45s")
	b.Annotations[v1alpha1.DrainModeAnnotation] = v1alpha1.DrainAdaptive
	return newHandler(t, &world{
		services: []corev1.Service{service("shop", "web", map[string]string{"app": "web"}), service("shop", "old", map[string]string{"old": "yes"})},
		bindings: []elbv2.TargetGroupBinding{b, annotated(typed(bindingTo("shop", "old-tg", "old"), elbv2.TargetTypeIP), v1alpha1.DrainTimeAnnotation, "45s")},
	}, Options{Serves: binding.OwnAll.Serves, Helper: func() Helper { return helper }, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})
}

// hooked gives the pod after the answer, decoded.
func hooked(t *testing.T, h *Handler, pod string) (corev1.Pod, string) {
	t.Helper()
	raw := admitHooks(t, h, pod)
	var p corev1.Pod
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		t.Fatal(err)
	}
	if again := admitHooks(t, h, raw); again != raw {
		t.Errorf("asked again, the handler changes %s to %s", raw, again)
	}
	return p, raw
}

// TestAdaptive: the program comes with an init container that conforms to the restricted
// Pod Security Standard, and is each container's hook.
func TestAdaptive(t *testing.T) {
	p, _ := hooked(t, adaptiveHandler(t, helper), `{"metadata":{"labels":{"app":"web"}},"spec":{
		"initContainers":[{"name":"migrate"}],"volumes":[{"name":"data"}],
		"containers":[{"name":"a","volumeMounts":[{"name":"data","mountPath":"/data"}],
			"resources":{"requests":{"cpu":"100m","memory":"64Mi"},"limits":{"cpu":"1","memory":"64Mi","example.com/gpu":"1"}}},{"name":"b"}]}}`)

	first := p.Spec.InitContainers[0]
	want := corev1.Container{
		Name: "podgate-drain", Image: "registry/podgate:1", ImagePullPolicy: corev1.PullIfNotPresent, TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		Command: []string{"/drain", "install", "/podgate.dev"},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": quantity.MustParse("100m"), "memory": quantity.MustParse("64Mi")},
			Limits:   corev1.ResourceList{"cpu": quantity.MustParse("1"), "memory": quantity.MustParse("64Mi")},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), RunAsNonRoot: new(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "podgate-drain", MountPath: "/podgate.dev"}},
	}

	env := first.Env
	first.Env = nil
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("init container: -want, +got:\n%s", diff)
	}

	values := map[string]string{}
	for _, v := range env {
		if values[v.Name] = v.Value; v.ValueFrom != nil {
			values[v.Name] = v.ValueFrom.FieldRef.FieldPath
		}
	}

	if diff := cmp.Diff(map[string]string{
		"PODGATE_NAMESPACE": "metadata.namespace", "PODGATE_POD": "metadata.name", "PODGATE_UID": "metadata.uid", "PODGATE_HOST_IPS": "status.hostIPs",
		"PODGATE_ADDRESS": "10.96.0.7:443", "PODGATE_SERVER_NAME": "podgate-webhook.podgate-system.svc", "PODGATE_CA": "PEM",
	}, values); diff != "" {
		t.Errorf("its environment: -want, +got:\n%s", diff)
	}

	if names := []string{p.Spec.InitContainers[1].Name, p.Spec.Volumes[0].Name, p.Spec.Volumes[1].Name}; !slices.Equal(names, []string{"migrate", "data", "podgate-drain"}) {
		t.Errorf("what was there and the volume are %q", names)
	}

	for i, c := range p.Spec.Containers {
		command := []string{"/podgate.dev/drain", "wait", "--max=45s", "--container=" + c.Name, "--binding=web-tg"}
		if diff := cmp.Diff(command, c.Lifecycle.PreStop.Exec.Command); diff != "" {
			t.Errorf("hook of %s: -want, +got:\n%s", c.Name, diff)
		}
		m := c.VolumeMounts[len(c.VolumeMounts)-1]
		if m.Name != "podgate-drain" || m.MountPath != "/podgate.dev" || !m.ReadOnly || len(c.VolumeMounts) != 2-i {
			t.Errorf("volumes of %s are %+v, want podgate's read-only beside its own", c.Name, c.VolumeMounts)
		}
	}

	if *p.Spec.TerminationGracePeriodSeconds != 75 || p.Annotations[v1alpha1.GraceAnnotation] != "30" {
		t.Errorf("grace period %d, annotations %v, want 30 and 45", *p.Spec.TerminationGracePeriodSeconds, p.Annotations)
	}
}

// TestAdaptiveImpossible: a pod that cannot have the program sleeps in full.
func TestAdaptiveImpossible(t *testing.T) {
	cases := map[string]struct {
		reason, pod string
		helper      Helper
	}{
		"NoImage":     {reason: "There is no image.", pod: `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"a"}]}}`},
		"NoAuthority": {reason: "The program would trust nobody.", helper: Helper{Image: "i", Address: "10.96.0.7:443"}, pod: `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"a"}]}}`},
		"Windows":     {reason: "The program is for Linux.", helper: helper, pod: `{"metadata":{"labels":{"app":"web"}},"spec":{"os":{"name":"windows"},"containers":[{"name":"a"}]}}`},
		"WindowsNode": {reason: "So does who asks for such a node.", helper: helper, pod: `{"metadata":{"labels":{"app":"web"}},"spec":{"nodeSelector":{"kubernetes.io/os":"windows"},"containers":[{"name":"a"}]}}`},
		"Mounted":     {reason: "Something else is mounted there.", helper: helper, pod: `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"a","volumeMounts":[{"mountPath":"/podgate.dev/x"}]}]}}`},
		"Volume":      {reason: "The name is taken by a volume.", helper: helper, pod: `{"metadata":{"labels":{"app":"web"}},"spec":{"volumes":[{"name":"podgate-drain"}],"containers":[{"name":"a"}]}}`},
		"Init":        {reason: "Or by an init container.", helper: helper, pod: `{"metadata":{"labels":{"app":"web"}},"spec":{"initContainers":[{"name":"podgate-drain"}],"containers":[{"name":"a"}]}}`},
		"OtherSleeps": {reason: "The pod's other binding did not ask for it.", helper: helper, pod: `{"metadata":{"labels":{"app":"web","old":"yes"}},"spec":{"containers":[{"name":"a"}]}}`},
		"NotAsked":    {reason: "Its only binding did not.", helper: helper, pod: `{"metadata":{"labels":{"old":"yes"}},"spec":{"containers":[{"name":"a"}]}}`},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, raw := hooked(t, adaptiveHandler(t, tc.helper), tc.pod)
			hook := p.Spec.Containers[0].Lifecycle
			if hook == nil || hook.PreStop.Sleep == nil || hook.PreStop.Sleep.Seconds != 45 || strings.Contains(raw, "install") {
				t.Errorf("%s\ngot %s, want a sleep of 45 s", tc.reason, raw)
			}
		})
	}
}

// TestAdaptiveRoot: a pod that runs as root by default must not keep the init container
// from starting.
func TestAdaptiveRoot(t *testing.T) {
	for pod, want := range map[string]*int64{`{"runAsUser":0}`: new(int64(nobody)), `{"runAsUser":1000}`: nil, `{}`: nil} {
		p, _ := hooked(t, adaptiveHandler(t, helper), `{"metadata":{"labels":{"app":"web"}},"spec":{"securityContext":`+pod+`,"containers":[{"name":"a"}]}}`)
		if diff := cmp.Diff(want, p.Spec.InitContainers[0].SecurityContext.RunAsUser); diff != "" {
			t.Errorf("with %s: -want, +got:\n%s", pod, diff)
		}
	}
}

// TestAdaptiveReinvoked: a container that another webhook adds later gets the hook, too, and
// nothing comes twice; one with a hook of its own is left alone.
func TestAdaptiveReinvoked(t *testing.T) {
	h := adaptiveHandler(t, helper)
	_, raw := hooked(t, h, `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"a"}]}}`)
	grown := strings.Replace(raw, `"containers":[`, `"containers":[{"name":"added"},{"name":"own","lifecycle":{"preStop":{"exec":{"command":["stop"]}}}},`, 1)
	p, _ := hooked(t, h, grown)
	if len(p.Spec.InitContainers) != 1 || len(p.Spec.Volumes) != 1 || *p.Spec.TerminationGracePeriodSeconds != 75 {
		t.Errorf("%d init containers, %d volumes, grace period %d", len(p.Spec.InitContainers), len(p.Spec.Volumes), *p.Spec.TerminationGracePeriodSeconds)
	}

	if got := p.Spec.Containers[0].Lifecycle.PreStop.Exec.Command; !slices.Contains(got, "--container=added") || len(p.Spec.Containers[0].VolumeMounts) != 1 {
		t.Errorf("the added container has %q", got)
	}

	if own := p.Spec.Containers[1]; own.Lifecycle.PreStop.Exec.Command[0] != "stop" || len(own.VolumeMounts) != 0 {
		t.Errorf("the container with a hook of its own became %+v", own)
	}
}

// TestAdaptiveSeconds: what podgate wrote is read again, and nobody else's command is.
func TestAdaptiveSeconds(t *testing.T) {
	made := adaptiveHook("web", injection.DrainPlan{Seconds: 55, Adaptive: []string{"web"}}).Exec.Command
	if seconds, ok := AdaptiveSeconds(made); seconds != 55 || !ok {
		t.Errorf("%q is read as %d, %t", made, seconds, ok)
	}
	for _, other := range [][]string{nil, {"sleep", "5"}, {"/drain", "wait", "--max=55s"}, {"/podgate.dev/drain", "copy", "--max=55s"}, {"/podgate.dev/drain", "wait", "55"}, {"/podgate.dev/drain", "wait", "--max=long"}} {
		if seconds, ok := AdaptiveSeconds(other); ok {
			t.Errorf("%q is read as %d", other, seconds)
		}
	}
}

// TestAdaptiveMounted: where nodes mount images as volumes the pod has no local storage, which would keep kubectl drain and
// cluster-autoscaler from its node; containers know by their environment what nobody can write into an image.
func TestAdaptiveMounted(t *testing.T) {
	mounted := helper
	mounted.Mounted = true
	h := adaptiveHandler(t, mounted)
	p, raw := hooked(t, h, `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"a","env":[{"name":"LANG","value":"C"}]},{"name":"b"}]}}`)

	want := []corev1.Volume{{Name: "podgate-drain", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "registry/podgate:1", PullPolicy: corev1.PullIfNotPresent}}}}
	if diff := cmp.Diff(want, p.Spec.Volumes); diff != "" {
		t.Errorf("volumes: -want, +got:\n%s", diff)
	}

	told := p.Spec.InitContainers[0].Env
	if diff := cmp.Diff(append([]corev1.EnvVar{{Name: "LANG", Value: "C"}}, told...), p.Spec.Containers[0].Env); diff != "" || len(told) != 7 {
		t.Errorf("environment of a: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(told, p.Spec.Containers[1].Env); diff != "" {
		t.Errorf("environment of b: -want, +got:\n%s", diff)
	}

	for _, c := range append(p.Spec.InitContainers, p.Spec.Containers...) {
		if m := c.VolumeMounts; len(m) != 1 || m[0].Name != "podgate-drain" || m[0].MountPath != "/podgate.dev" {
			t.Errorf("volumes of %s are %+v", c.Name, m)
		}
	}

	// What podgate is told of nodes later changes nothing of a pod that is being created.
	added := strings.Replace(raw, `"containers":[`, `"containers":[{"name":"added"},`, 1)
	if p, _ := hooked(t, adaptiveHandler(t, helper), added); len(p.Spec.Containers[0].Env) != 7 {
		t.Errorf("the added container has the environment %v", p.Spec.Containers[0].Env)
	}

	// Another webhook that does not know images as volumes leaves none, which the API server makes an emptyDir.
	plain := strings.Replace(added, `"image":{"pullPolicy":"IfNotPresent","reference":"registry/podgate:1"}`, `"emptyDir":{}`, 1)
	if p, raw := hooked(t, h, plain); plain == added || len(p.Spec.Containers[0].Env) != 0 || len(p.Spec.Volumes) != 1 || p.Spec.InitContainers[0].Command[1] != "install" {
		t.Errorf("with an emptyDir in its place: %s", raw)
	}

	for name, spec := range map[string]string{"Sandboxed": `"runtimeClassName":"gvisor",`, "OwnUsers": `"hostUsers":false,`} {
		p, _ := hooked(t, h, `{"metadata":{"labels":{"app":"web"}},"spec":{`+spec+`"containers":[{"name":"a"}]}}`)
		if len(p.Spec.Volumes) != 1 || p.Spec.Volumes[0].EmptyDir == nil || len(p.Spec.Containers[0].Env) != 0 {
			t.Errorf("%s: volumes %+v, want an emptyDir", name, p.Spec.Volumes)
		}

		// Another webhook may ask for it when the image is there already.
		for _, before := range []string{raw, added} {
			p, _ = hooked(t, h, strings.Replace(before, `"spec":{`, `"spec":{`+spec, 1))
			if v := p.Spec.Volumes; len(v) != 1 || v[0].Name != "podgate-drain" || v[0].EmptyDir == nil || v[0].Image != nil {
				t.Errorf("%s later: volumes %+v, want an emptyDir", name, v)
			}
		}
	}
}

// TestAdaptiveSafeToEvict: cluster-autoscaler may evict the pod in spite of the volume, and of those that the template lists.
func TestAdaptiveSafeToEvict(t *testing.T) {
	for annotations, want := range map[string]string{
		`null`: "podgate-drain", `{}`: "podgate-drain",
		`{"cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes":"tmp,cache"}`:     "tmp,cache,podgate-drain",
		`{"cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes":"podgate-drain"}`: "podgate-drain",
	} {
		p, _ := hooked(t, adaptiveHandler(t, helper), `{"metadata":{"labels":{"app":"web"},"annotations":`+annotations+`},"spec":{"containers":[{"name":"a"}]}}`)
		if got := p.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"]; got != want || p.Annotations[v1alpha1.GraceAnnotation] != "30" {
			t.Errorf("with %s the annotations are %v, want the volumes %q", annotations, p.Annotations, want)
		}
	}
}
