// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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
