// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestManifestOf(t *testing.T) {
	sleeps := func(seconds int64) *corev1.Lifecycle {
		return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}}
	}
	runs := &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"/stop.sh"}}}}

	cases := map[string]struct {
		reason          string
		container       corev1.Container
		grace, original *int64
		want            Manifest
	}{
		"Plain": {reason: "30 s are the API server's default.", container: corev1.Container{Name: "web"},
			want: Manifest{Grace: 30, Containers: []Container{{Name: "web"}}}},
		"Ports": {reason: "A port goes by its number, and by its name if it has one.",
			container: corev1.Container{Name: "web", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}, {ContainerPort: 9090}}},
			want:      Manifest{Grace: 30, Containers: []Container{{Name: "web", Ports: []string{"8080", "http", "9090"}}}}},
		"Hook": {reason: "It sleeps.", container: corev1.Container{Name: "web", Lifecycle: sleeps(55)}, grace: new(int64(85)),
			want: Manifest{Grace: 85, Containers: []Container{{Name: "web", Hook: 55}}}},
		"AtOnce": {reason: "A hook that sleeps no second is one, and podgate leaves it.", container: corev1.Container{Name: "web", Lifecycle: sleeps(0)},
			want: Manifest{Grace: 30, Containers: []Container{{Name: "web", AtOnce: true}}}},
		"OtherHook": {reason: "What runs at the start is no preStop hook.", container: corev1.Container{Name: "web", Lifecycle: &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{}}},
			want: Manifest{Grace: 30, Containers: []Container{{Name: "web"}}}},
		"Script": {reason: "How long it takes nobody can read.", container: corev1.Container{Name: "web", Lifecycle: runs},
			want: Manifest{Grace: 30, Containers: []Container{{Name: "web", Hook: Unread}}}},
		"Extended": {reason: "What podgate added is what exceeds the original.", container: corev1.Container{Name: "web", Lifecycle: sleeps(55)}, grace: new(int64(85)), original: new(int64(30)),
			want: Manifest{Grace: 85, Added: 55, Containers: []Container{{Name: "web", Hook: 55}}}},
		"Shortened": {reason: "Somebody has shortened it since: nothing of it is podgate's.", container: corev1.Container{Name: "web"}, grace: new(int64(20)), original: new(int64(30)),
			want: Manifest{Grace: 20, Containers: []Container{{Name: "web"}}}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ManifestOf(&corev1.PodSpec{Containers: []corev1.Container{tc.container}, TerminationGracePeriodSeconds: tc.grace}, tc.original)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}

			pod := &corev1.Pod{}
			Keep(pod, got)
			if kept, ok := Kept(pod); !ok || !cmp.Equal(kept, got) {
				t.Errorf("in the cache it is %+v, %t", kept, ok)
			}
		})
	}
}

// TestSidecarsOfAManifest: of the init containers those that run on and declare a port may serve.
func TestSidecarsOfAManifest(t *testing.T) {
	always, ports := corev1.ContainerRestartPolicyAlways, []corev1.ContainerPort{{ContainerPort: 8080}}
	m := ManifestOf(&corev1.PodSpec{
		Containers: []corev1.Container{{Name: "app"}},
		InitContainers: []corev1.Container{
			{Name: "setup", Ports: ports}, {Name: "logs", RestartPolicy: &always}, {Name: "proxy", RestartPolicy: &always, Ports: ports},
		},
	}, nil)
	if len(m.Sidecars) != 1 || m.Sidecars[0].Name != "proxy" {
		t.Errorf("want the proxy alone, got %+v", m.Sidecars)
	}

	port := intstr.FromInt32(8080)
	if got := m.sidecar([]intstr.IntOrString{port}); got == nil || got.Name != "proxy" {
		t.Errorf("nobody else declares the port, got %+v", got)
	}
	m.Containers[0].Ports = []string{"8080"}
	if got := m.sidecar([]intstr.IntOrString{port}); got != nil || m.Stop(port).Container != "app" {
		t.Errorf("an ordinary container declares it, got %+v", got)
	}
}

// TestStopOfPorts: of several containers those count that serve the port.
func TestStopOfPorts(t *testing.T) {
	web := Container{Name: "web", Hook: 55, Ports: []string{"8080", "http"}}
	metrics := Container{Name: "metrics", Hook: 20, Ports: []string{"9090"}}
	logs := Container{Name: "logs", Hook: 5}
	proxy := Container{Name: "istio-proxy", Hook: 10, Ports: []string{"15090"}}

	cases := map[string]struct {
		reason     string
		containers []Container
		port       intstr.IntOrString
		want       string
		sure       bool
	}{
		"Number":        {reason: "It declares the port.", containers: []Container{logs, metrics, web}, port: intstr.FromInt32(8080), want: "web", sure: true},
		"Name":          {reason: "By its name, too.", containers: []Container{logs, metrics, web}, port: intstr.FromString("http"), want: "web", sure: true},
		"BehindAProxy":  {reason: "All traffic passes the proxy, which ends earlier.", containers: []Container{logs, web, proxy}, port: intstr.FromInt32(8080), want: "istio-proxy", sure: true},
		"Undeclared":    {reason: "It may be any that declares no port.", containers: []Container{web, metrics, logs, {Name: "app", Hook: 7}}, port: intstr.FromInt32(80), want: "logs"},
		"UndeclaredOne": {reason: "Only one declares no port.", containers: []Container{web, metrics, {Name: "app", Hook: 60}}, port: intstr.FromInt32(80), want: "app", sure: true},
		"Alike":         {reason: "Whichever it is, its hook is the same.", containers: []Container{logs, {Name: "app", Hook: 5}}, port: intstr.FromInt32(80), want: "logs", sure: true},
		"AllOthers":     {reason: "All declare other ports, so it may be any of them.", containers: []Container{web, metrics}, port: intstr.FromInt32(80), want: "metrics"},
		"None":          {reason: "There is no container, and nothing to be unsure of.", port: intstr.FromInt32(80), sure: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m := Manifest{Grace: 85, Containers: tc.containers}
			got := m.Stop(tc.port)
			if got.Container != tc.want || got.Grace != 85 || tc.want != "" && got.Hook != m.Has(tc.want).Hook {
				t.Errorf("%s\nwant that of %q, got %+v", tc.reason, tc.want, got)
			}
			if m.Sure(tc.port) != tc.sure {
				t.Errorf("%s\nwant sure: %t", tc.reason, tc.sure)
			}
			if !m.Sure() {
				t.Errorf("where no port is asked for all containers count, and podgate is not sure")
			}
		})
	}
}

func TestHas(t *testing.T) {
	m := Manifest{Containers: []Container{{Name: "a", Hook: 1}, {Name: "b", Hook: 2}}}
	for name, want := range map[string]int64{"a": 1, "b": 2, "c": 0} {
		if got := m.Has(name); got.Hook != want {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestRenewed: podgate adds hooks to the containers of a new pod that have none of their own, and
// extends the grace period by as much.
func TestRenewed(t *testing.T) {
	cases := map[string]struct {
		reason     string
		was, wants Manifest
	}{
		"Plain": {reason: "It gets a hook.", was: Manifest{Grace: 30, Containers: []Container{{Name: "web"}}},
			wants: Manifest{Grace: 85, Added: 55, Containers: []Container{{Name: "web", Hook: 55}}}},
		"OneOfTwo": {reason: "A container's own hook stays.", was: Manifest{Grace: 30, Containers: []Container{{Name: "web", Hook: 20}, {Name: "logs"}}},
			wants: Manifest{Grace: 85, Added: 55, Containers: []Container{{Name: "web", Hook: 20}, {Name: "logs", Hook: 55}}}},
		"OfPodgate": {reason: "A hook of podgate's is nowhere in the template.", was: Manifest{Grace: 50, Added: 20, Containers: []Container{{Name: "web", Hook: 20}}},
			wants: Manifest{Grace: 85, Added: 55, Containers: []Container{{Name: "web", Hook: 55}}}},
		"AsLong": {reason: "One that only sleeps as long as nothing was added is its own.", was: Manifest{Grace: 30, Containers: []Container{{Name: "web", AtOnce: true}}},
			wants: Manifest{Grace: 30, Containers: []Container{{Name: "web", AtOnce: true}}}},
		"AllTheirOwn": {reason: "Nothing is added.", was: Manifest{Grace: 30, Containers: []Container{{Name: "web", Hook: 20}}},
			wants: Manifest{Grace: 30, Containers: []Container{{Name: "web", Hook: 20}}}},
		"KilledAtOnce": {reason: "Nothing is added to a pod that wants no grace.", was: Manifest{Containers: []Container{{Name: "web"}}},
			wants: Manifest{Containers: []Container{{Name: "web"}}}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := tc.was.String()
			if diff := cmp.Diff(tc.wants, tc.was.Renewed(55)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if tc.was.String() != before {
				t.Errorf("the old pod's manifest changed to %s", tc.was)
			}
		})
	}
}
