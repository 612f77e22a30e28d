// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestStopOf(t *testing.T) {
	sleeping := func(name string, seconds int64) corev1.Container {
		return corev1.Container{Name: name, Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}}}
	}

	running := func(name string, command ...string) corev1.Container {
		return corev1.Container{Name: name, Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: command}}}}
	}

	asking := corev1.Container{Name: "web", Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{}}}}
	cases := map[string]struct {
		reason     string
		containers []corev1.Container
		grace      *int64
		want       Stop
	}{
		"Native":      {reason: "The kubelet's own sleep.", containers: []corev1.Container{sleeping("web", 55)}, grace: new(int64(85)), want: Stop{"web", 55, 85}},
		"None":        {reason: "No hook is one of no seconds, and 30 s are the API server's default.", containers: []corev1.Container{{Name: "web"}}, want: Stop{"web", 0, 30}},
		"PostStart":   {reason: "Another hook delays no end.", containers: []corev1.Container{{Name: "web", Lifecycle: &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{}}}}, want: Stop{"web", 0, 30}},
		"Shortest":    {reason: "Who ends first is not there any more.", containers: []corev1.Container{sleeping("a", 20), sleeping("b", 5), sleeping("c", 20)}, want: Stop{"b", 5, 30}},
		"Exec":        {reason: "A command that sleeps.", containers: []corev1.Container{running("web", "sleep", "15")}, want: Stop{"web", 15, 30}},
		"Path":        {reason: "Wherever it is.", containers: []corev1.Container{running("web", "/usr/bin/sleep", "15s")}, want: Stop{"web", 15, 30}},
		"Shell":       {reason: "The form that every guide shows.", containers: []corev1.Container{running("web", "/bin/sh", "-c", "sleep 15")}, want: Stop{"web", 15, 30}},
		"Bash":        {reason: "In any shell.", containers: []corev1.Container{running("web", "bash", "-ec", " exec sleep 2m;")}, want: Stop{"web", 120, 30}},
		"Part":        {reason: "Parts of a second do not make it longer.", containers: []corev1.Container{running("web", "sleep", "1.9")}, want: Stop{"web", 1, 30}},
		"Script":      {reason: "What else a script does, and for how long, nobody can read.", containers: []corev1.Container{running("web", "sh", "-c", "sleep 5; nginx -s quit")}, want: Stop{"", Unread, 30}},
		"Program":     {reason: "Another program may take its time, or not.", containers: []corev1.Container{running("web", "wait", "5")}, want: Stop{"", Unread, 30}},
		"Sum":         {reason: "GNU's sleep takes the sum of several times, others take none.", containers: []corev1.Container{running("web", "sleep", "5", "5")}, want: Stop{"", Unread, 30}},
		"Bare":        {reason: "It fails at once.", containers: []corev1.Container{running("web", "sleep")}, want: Stop{"", Unread, 30}},
		"NoCommand":   {reason: "Nothing runs that could be read.", containers: []corev1.Container{running("web")}, want: Stop{"", Unread, 30}},
		"NoShell":     {reason: "Other programs have an option -c, too.", containers: []corev1.Container{running("web", "python3", "-c", "sleep 5")}, want: Stop{"", Unread, 30}},
		"ShellFile":   {reason: "What a file holds nobody can read.", containers: []corev1.Container{running("web", "sh", "/opt/sync", "sleep 5")}, want: Stop{"", Unread, 30}},
		"ShellOption": {reason: "Without -c it names a file.", containers: []corev1.Container{running("web", "sh", "-x", "sleep 5")}, want: Stop{"", Unread, 30}},
		"NoScript":    {reason: "A shell without a script fails, in its own way.", containers: []corev1.Container{running("web", "sh", "-c")}, want: Stop{"", Unread, 30}},
		"Variable":    {reason: "Nor what a variable holds.", containers: []corev1.Container{running("web", "sh", "-c", "sleep $DELAY")}, want: Stop{"", Unread, 30}},
		"Request":     {reason: "Nor how long a request takes.", containers: []corev1.Container{asking}, want: Stop{"", Unread, 30}},
		"OneReadable": {reason: "The one that can be read ends no later than it says.", containers: []corev1.Container{asking, sleeping("proxy", 5)}, want: Stop{"proxy", 5, 30}},
		"AtOnce":      {reason: "A grace period of 0 is one.", containers: []corev1.Container{sleeping("web", 5)}, grace: new(int64(0)), want: Stop{"web", 5, 0}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ManifestOf(&corev1.PodSpec{Containers: tc.containers, InitContainers: []corev1.Container{{Name: "sidecar"}}, TerminationGracePeriodSeconds: tc.grace}, nil).Stop()
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestParseManifest(t *testing.T) {
	for _, garbage := range []string{"", "5", "5 30 web", `{"g":"b"}`, `{"c":[{"h":"a"}]}`} {
		if s, ok := ParseManifest(garbage); ok {
			t.Errorf("%q is read as %v", garbage, s)
		}
	}
}

func TestShort(t *testing.T) {
	cases := map[string]struct {
		reason      string
		stop        Stop
		need        time.Duration
		hook, grace int64
	}{
		"Enough":    {reason: "As podgate injects it.", stop: Stop{"web", 55, 85}, need: 55 * time.Second},
		"Hook":      {reason: "The load balancer still sends requests when it ends.", stop: Stop{"web", 5, 85}, need: 55 * time.Second, hook: 50},
		"Rounded":   {reason: "Hooks have whole seconds.", stop: Stop{"web", 12, 30}, need: 12001 * time.Millisecond, hook: 1},
		"NoHook":    {reason: "SIGTERM comes at once.", stop: Stop{"web", 0, 85}, need: 55 * time.Second, hook: 55},
		"Both":      {reason: "SIGKILL comes early, too.", stop: Stop{"web", 5, 30}, need: 55 * time.Second, hook: 50, grace: 25},
		"Grace":     {reason: "The kubelet cuts the hook when the grace period is over.", stop: Stop{"web", 55, 30}, need: 55 * time.Second, grace: 25},
		"Outlasted": {reason: "A hook that is longer than it must be has to fit, too.", stop: Stop{"web", 120, 90}, need: 55 * time.Second, grace: 30},
		"Unread":    {reason: "A hook that nobody can read may be long enough; the grace period is not.", stop: Stop{"", Unread, 30}, need: 55 * time.Second, grace: 25},
		"Nothing":   {reason: "Where nothing drains nothing is too short.", stop: Stop{"web", 0, 0}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if hook, grace := tc.stop.Short(tc.need); hook != tc.hook || grace != tc.grace {
				t.Errorf("%s\nwant the hook short by %d and the grace period by %d, got %d and %d", tc.reason, tc.hook, tc.grace, hook, grace)
			}
		})
	}
}

// TestKept: pods of one template cost one reading, and each is told what its own template says.
func TestKept(t *testing.T) {
	pods := map[string]*corev1.Pod{"web": {}, "api": {}}
	for name, pod := range pods {
		Keep(pod, Manifest{Grace: 30, Containers: []Container{{Name: name}}})
	}
	for range 3 {
		for name, pod := range pods {
			if m, ok := Kept(pod); !ok || m.Containers[0].Name != name {
				t.Errorf("%s: got %+v", name, m)
			}
		}
	}

	Keep(pods["api"], Manifest{Grace: 30, Containers: []Container{{Name: "web"}}})
	read := func() {
		for _, pod := range pods {
			_, _ = Kept(pod)
		}
	}
	if n := testing.AllocsPerRun(100, read); n != 0 {
		t.Errorf("two pods of one template cost %v allocations, want it read once", n)
	}

	if _, ok := Kept(&corev1.Pod{}); ok {
		t.Error("a pod in which nothing was kept has a manifest")
	}
}

// TestStoppedAt: a pod's deletion began when its grace period did, and its hook with it.
func TestStoppedAt(t *testing.T) {
	web := func(hook, grace int64) string {
		return Manifest{Grace: grace, Containers: []Container{{Name: "web", Hook: hook}}}.String()
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	deleted := func(stop string, grace int64) *corev1.Pod {
		end := metav1.NewTime(noon.Add(time.Duration(grace) * time.Second))
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &end, DeletionGracePeriodSeconds: &grace}, Status: corev1.PodStatus{Message: stop}}
	}

	cases := map[string]struct {
		reason string
		pod    *corev1.Pod
		want   time.Time
	}{
		"Hook":    {reason: "It sleeps from the deletion on.", pod: deleted(web(55, 85), 85), want: noon.Add(55 * time.Second)},
		"Shorter": {reason: "Whoever deletes it may give it less, which is not the hook's business.", pod: deleted(web(55, 85), 20), want: noon.Add(55 * time.Second)},
		"NoHook":  {reason: "What an application does that is told to stop nobody knows.", pod: deleted(web(0, 30), 30)},
		"Unread":  {reason: "Nor how long a script takes.", pod: deleted(web(Unread, 30), 30)},
		"Unknown": {reason: "The pod may be a full one.", pod: deleted("", 30)},
		"Running": {reason: "Nobody has deleted it.", pod: &corev1.Pod{Status: corev1.PodStatus{Message: web(55, 85)}}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := StoppedAt(tc.pod); !got.Equal(tc.want) {
				t.Errorf("%s\nwant %s, got %s", tc.reason, tc.want, got)
			}
		})
	}
}

// TestHooks: a hook sleeps for as long as every form of it says, and nobody guesses what else a script does.
func TestHooks(t *testing.T) {
	sh := func(script string) []string { return []string{"/bin/sh", "-c", script} }
	for name, c := range map[string]struct {
		command     []string
		hook, least int64
		atOnce      bool
	}{
		"two sleeps":                     {command: sh("sleep 5 && sleep 10"), hook: 15},
		"lines":                          {command: sh("set -e\nsleep 5\nsleep 1m\n"), hook: 65},
		"several times, which some take": {command: []string{"sleep", "1m", "30s"}, hook: Unread},
		"what it says":                   {command: sh("echo stopping > /proc/1/fd/1; sleep 20; exit 0"), hook: 20},
		"whatever comes of it":           {command: sh("sleep 20 || true"), hook: 20},
		"options apart":                  {command: []string{"bash", "-e", "-c", "sleep 20"}, hook: 20},
		"busybox":                        {command: []string{"/bin/busybox", "sleep", "20"}, hook: 20},
		"busybox's shell":                {command: []string{"busybox", "sh", "-c", "sleep 20"}, hook: 20},
		"replaced by a sleep":            {command: sh("exec sleep 20"), hook: 20},
		"its words apart":                {command: []string{"/bin/sh", "-c", "sleep", "20"}, atOnce: true},
		"no time":                        {command: sh("true"), atOnce: true},
		"ends first":                     {command: sh("exit 0; sleep 20"), atOnce: true},
		"stops the server first":         {command: sh("nginx -s quit; sleep 60"), hook: Unread},
		"stops it after a sleep":         {command: sh("sleep 15; nginx -s quit"), hook: Unread, least: 15},
		"becomes something else":         {command: sh("sleep 15; exec /drain"), hook: Unread, least: 15},
		"for ever":                       {command: sh("sleep infinity"), hook: Unread, least: endless},
		"in the background":              {command: sh("sleep 60 & wait"), hook: Unread},
		"piped":                          {command: sh("echo quit | nc localhost 1"), hook: Unread},
		"a loop":                         {command: sh("while true; do sleep 1; done"), hook: Unread},
		"a variable":                     {command: sh("sleep $DELAY"), hook: Unread},
		"arithmetic":                     {command: sh("sleep $((3 * 5))"), hook: Unread},
		"in quotes":                      {command: sh(`echo "a; b"; sleep 60`), hook: Unread},
		"a script of a file":             {command: []string{"sh", "/stop.sh"}, hook: Unread},
		"another program":                {command: []string{"/stop"}, hook: Unread},
		"a shell that is told nothing":   {command: []string{"sh"}, hook: Unread},
		"nothing":                        {hook: Unread},
	} {
		t.Run(name, func(t *testing.T) {
			web := corev1.Container{Name: "web", Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: c.command}}}}
			got := ManifestOf(&corev1.PodSpec{Containers: []corev1.Container{web}}, nil).Containers[0]
			if got.Hook != c.hook || got.Least != c.least || got.AtOnce != c.atOnce {
				t.Errorf("%q: %+v", c.command, got)
			}
		})
	}
}

// TestNativeSidecarServes: the kubelet lets a native sidecar run until its own hook and all ordinary containers have ended.
func TestNativeSidecarServes(t *testing.T) {
	sleeping := func(name string, seconds int64, ports ...int32) corev1.Container {
		c := corev1.Container{Name: name}
		if seconds > 0 {
			c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}}
		}
		for _, p := range ports {
			c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: p})
		}
		return c
	}
	asking := corev1.Container{Name: "asking", Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{}}}}

	for name, c := range map[string]struct {
		sidecar    corev1.Container
		containers []corev1.Container
		want       Stop
		least      int64
	}{
		"its own hook":         {sleeping("proxy", 20, 8080), []corev1.Container{sleeping("app", 0)}, Stop{"proxy", 20, 30}, 20},
		"the application's":    {sleeping("proxy", 0, 8080), []corev1.Container{sleeping("app", 25), sleeping("logs", 0)}, Stop{"app", 25, 30}, 25},
		"none":                 {sleeping("proxy", 0, 8080), []corev1.Container{sleeping("app", 0)}, Stop{"proxy", 0, 30}, 0},
		"one that is not read": {sleeping("proxy", 20, 8080), []corev1.Container{asking, sleeping("app", 5)}, Stop{"", Unread, 30}, 20},
		"it does not serve":    {sleeping("proxy", 20, 9090), []corev1.Container{sleeping("app", 5, 8080)}, Stop{"app", 5, 30}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			c.sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
			m := ManifestOf(&corev1.PodSpec{InitContainers: []corev1.Container{c.sidecar, sleeping("init", 0, 8080)}, Containers: c.containers}, nil)
			port := intstr.FromInt32(8080)
			if got := m.Stop(port); got != c.want || m.Least(port) != c.least || !m.Sure(port) {
				t.Errorf("%+v, at least %d, sure %t; want %+v, %d", got, m.Least(port), m.Sure(port), c.want, c.least)
			}
		})
	}
}
