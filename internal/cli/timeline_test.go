// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/podgate/podgate/internal/timeline"
)

// TestTimelineText is a rollout that a pod holds up, an hour ago.
func TestTimelineText(t *testing.T) {
	r := timeline.NewRecorder("Deployment", "shop", "web")
	for _, o := range objects(t, "timeline/rollout.yaml") {
		r.Object(o, noon.Time)
	}
	golden(t, "timeline/rollout.txt", func(p *paper) { writeTimeline(p, r.Timeline(noon.Add(-time.Hour), noon.Time)) })
}

// TestTimelineOfNothing says so.
func TestTimelineOfNothing(t *testing.T) {
	r := timeline.NewRecorder("Deployment", "shop", "web")
	r.Missing("not allowed to list pods")
	golden(t, "timeline/nothing.txt", func(p *paper) { writeTimeline(p, r.Timeline(noon.Add(-time.Hour), noon.Time)) })
}

// TestTimelineOfMany lists those that wait longest, and says how many more there are.
func TestTimelineOfMany(t *testing.T) {
	r := timeline.NewRecorder("Deployment", "shop", "web")
	for i := range listed + 7 {
		pod := &corev1.Pod{}
		pod.Name = fmt.Sprintf("web-%02d", i)
		pod.UID, pod.CreationTimestamp = types.UID(pod.Name), metav1.NewTime(noon.Add(time.Duration(i-100)*time.Second))
		r.Pod(pod, noon.Time)
	}

	for _, wide := range []bool{false, true} {
		var out bytes.Buffer
		writeTimeline(&paper{out: &out, now: noon.Time, wide: wide}, r.Timeline(noon.Add(-time.Hour), noon.Time))
		text := out.String()
		if strings.Contains(text, "and 7 more pods: -o wide lists them") == wide || !strings.Contains(text, "web-00") || strings.Contains(text, "web-56") != wide {
			t.Errorf("wide %t:\n%s", wide, text)
		}
	}
}

// TestTimelineRefuses: what is asked for in a wrong way is refused before anything is read or written.
func TestTimelineRefuses(t *testing.T) {
	dir := t.TempDir()
	there, absent := filepath.Join(dir, "there"), filepath.Join(dir, "absent", "web.html")
	if err := os.WriteFile(there, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no name":          {[]string{"deploy/"}, `"deploy/" is neither POD nor KIND/NAME, such as deploy/web`},
		"no kind":          {[]string{"/web"}, `"/web" is neither POD nor KIND/NAME`},
		"three parts":      {[]string{"shop/deploy/web"}, "is neither POD nor KIND/NAME"},
		"nothing":          {[]string{""}, `"" is neither POD nor KIND/NAME`},
		"no time":          {[]string{"deploy/web", "--since", "0s"}, "--since 0s: it must be longer than 0, such as 20m"},
		"the future":       {[]string{"deploy/web", "--since=-5m"}, "--since -5m0s: it must be longer than 0"},
		"no duration":      {[]string{"deploy/web", "--since", "1d"}, `invalid argument "1d" for "--since" flag`},
		"one file":         {[]string{"deploy/web", "--html", there, "--json", filepath.Join(dir, ".", "there")}, "--html and --json cannot both be written to"},
		"one output":       {[]string{"deploy/web", "--html", "-", "--json", "-"}, `--html and --json cannot both be written to "-"`},
		"two formats":      {[]string{"deploy/web", "--html", there, "-o", "json"}, "-o json is not for --html and --json: give either"},
		"no such folder":   {[]string{"deploy/web", "--html", absent}, "--html: open " + absent + ": no such file or directory"},
		"a folder":         {[]string{"deploy/web", "--json", dir}, "--json: open " + dir + ": is a directory"},
		"then it is asked": {[]string{"deploy/web", "--html", there, "--json", filepath.Join(dir, "new")}, "connection refused"},
	} {
		var out, errs bytes.Buffer
		e := &environment{Streams: Streams{Out: &out, Err: &errs, Now: time.Now}, output: formatText}
		e.config = &rest.Config{Host: "http://127.0.0.1:1"}
		if code := run(t.Context(), Name, append([]string{"-n", "shop", "timeline"}, c.args...), e); code != ExitError || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: exit code %d, want %d with %q: %s%s", name, code, ExitError, c.says, out.String(), errs.String())
		}
	}

	kept, err := os.ReadFile(there)
	left, others := os.ReadDir(dir)
	if err != nil || others != nil || string(kept) != "kept" || len(left) != 1 {
		t.Errorf("files changed: %q, %v, %v, %v", kept, err, left, others)
	}
}
