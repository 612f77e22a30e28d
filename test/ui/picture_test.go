// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/timeline"
	"github.com/podgate/podgate/internal/timeline/draw"
	"github.com/podgate/podgate/test/chromium"
)

// TestPictureIsReadWithoutAMouse: the bars of a timeline tell their times and reasons to who goes there by keys, or touches
// them, also on a phone.
func TestPictureIsReadWithoutAMouse(t *testing.T) {
	begin := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	stamp := func(seconds int) metav1.Time { return metav1.NewTime(begin.Add(time.Duration(seconds) * time.Second)) }
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-5d4f-x2x4p", UID: "1", CreationTimestamp: stamp(0), Labels: map[string]string{"pod-template-hash": "5d4f"}}}
	pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "targets.podgate.dev/web"}}
	pod.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: stamp(1)},
		{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: stamp(20)},
		{Type: "targets.podgate.dev/web", Status: corev1.ConditionFalse, Reason: "Target.Timeout", Message: "Request timed out", LastTransitionTime: stamp(25)},
	}
	r := timeline.NewRecorder("Deployment", "shop", "web")
	r.Revision(timeline.Revision{Hash: "5d4f", Object: "ReplicaSet web-5d4f", Created: begin}, "web-5d4f")
	r.Pod(pod, begin.Add(time.Minute))

	var page bytes.Buffer
	if err := draw.Page(&page, r.Timeline(begin, begin.Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web.html")
	if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	p := chromium.Start(t).Open(t, "file://"+file, 390, 900)
	p.Wait("nothing is wider than the phone", `document.documentElement.scrollWidth <= innerWidth`)

	// The names stay where they are when the chart is scrolled.
	p.Eval(`document.querySelector(".timeline").scrollLeft = 500, new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`, nil)
	p.Wait("the names stay", `document.querySelector(".names").getBoundingClientRect().left >= 0`)
	p.Eval(`document.querySelector(".timeline").scrollLeft = 0, new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`, nil)

	p.Press("Tab")
	p.Says(".tip", "Pod web-5d4f-x2x4p, new revision 5d4f", "gate web closed, Target.Timeout")
	p.Press("ArrowLeft")
	p.Says(".tip", "gate targets.podgate.dev/web: closed, Target.Timeout", "Request timed out", "Next: look for a security group", "since 10:00:25")
	p.Press("Escape")
	p.Wait("it hides", `document.querySelector(".tip").hidden`)
	p.Click(".pod.waiting")
	p.Says(".tip", "web-5d4f-x2x4p: containers ready, pod not Ready")
	sound(p, "timeline")

	if all := p.Errors(); len(all) > 0 {
		t.Errorf("the console has errors: %q", all)
	}
}
