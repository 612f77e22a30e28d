// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manual

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/check"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const written = `gate | system:serviceaccount:ci:release | 2026-11-30T12:00:00Z | INC-42 | all of them
pod/0a1b | Jane Doe | 2026-11-30T12:00:00Z | canary
revision/web-5d8f | jane@example.com | 2026-11-30T12:00:00Z | dashboards look good`

var read = Approvals{
	WholeGate:           {By: "system:serviceaccount:ci:release", At: noon, Reason: "INC-42 | all of them"},
	"pod/0a1b":          {By: "Jane Doe", At: noon, Reason: "canary"},
	"revision/web-5d8f": {By: "jane@example.com", At: noon, Reason: "dashboards look good"},
}

func TestFormatAndParse(t *testing.T) {
	text, err := read.Format()
	if err != nil || text != written {
		t.Errorf("written is %v\n%s", err, text)
	}

	back, err := Parse(text)
	if diff := cmp.Diff(read, back); err != nil || diff != "" {
		t.Errorf("read is %v, -want, +got:\n%s", err, diff)
	}

	for _, none := range []Approvals{nil, {}} {
		if text, err := none.Format(); text != "" || err != nil {
			t.Errorf("nothing is written as %q, %v", text, err)
		}
	}
	if none, err := Parse(""); len(none) != 0 || none == nil || err != nil {
		t.Errorf("nothing is read as %v, %v", none, err)
	}

	elsewhere := Approvals{WholeGate: {By: "jane", At: noon.In(time.FixedZone("", 3600)), Reason: "x"}}
	if text, err := elsewhere.Format(); text != "gate | jane | 2026-11-30T12:00:00Z | x" || err != nil {
		t.Errorf("another time zone is written as %q, %v", text, err)
	}
}

// TestParseRefuses: what cannot be read approves of nothing, and takes nothing else along.
func TestParseRefuses(t *testing.T) {
	const good = "gate | jane | 2026-11-30T12:00:00Z | x"
	for name, tc := range map[string]struct{ line, says string }{
		"Empty":         {"", "KEY | BY | AT | REASON"},
		"JSON":          {`{"gate":{"by":"jane"}}`, "KEY | BY | AT | REASON"},
		"ThreeParts":    {"pod/a | jane | 2026-11-30T12:00:00Z", "KEY | BY | AT | REASON"},
		"NoKey":         {" | jane | 2026-11-30T12:00:00Z | x", "neither gate"},
		"UnknownKey":    {"node/a | jane | 2026-11-30T12:00:00Z | x", "neither gate"},
		"KeyOfNothing":  {"pod/ | jane | 2026-11-30T12:00:00Z | x", "neither gate"},
		"NoRevision":    {"revision/ | jane | 2026-11-30T12:00:00Z | x", "neither gate"},
		"KeyWithoutBar": {"revision | jane | 2026-11-30T12:00:00Z | x", "neither gate"},
		"LikeGate":      {"gate/ | jane | 2026-11-30T12:00:00Z | x", "neither gate"},
		"KeyWithSpace":  {"pod/a b | jane | 2026-11-30T12:00:00Z | x", "neither gate"},
		"KeyWithBar":    {"pod/a|b | jane | 2026-11-30T12:00:00Z | x", "neither gate"},
		"NoName":        {"pod/a |  | 2026-11-30T12:00:00Z | x", "user name"},
		"NoTime":        {"pod/a | jane | noon | x", "is not a time"},
		"AnotherZone":   {"pod/a | jane | 2026-11-30T13:00:00+01:00 | x", "is not a time"},
		"Fraction":      {"pod/a | jane | 2026-11-30T12:00:00.5Z | x", "is not a time"},
		"NoReason":      {"pod/a | jane | 2026-11-30T12:00:00Z |  ", "reason"},
		"LongReason":    {"pod/a | jane | 2026-11-30T12:00:00Z | " + strings.Repeat("x", 501), "reason"},
		"Twice":         {good, "second one for gate"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := Parse(good + "\n" + tc.line)
			if err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "line 2 ") {
				t.Errorf("want an error about %q of line 2, got %v", tc.says, err)
			}
			if diff := cmp.Diff(Approvals{WholeGate: {By: "jane", At: noon, Reason: "x"}}, all); diff != "" {
				t.Errorf("the other one: -want, +got:\n%s", diff)
			}
		})
	}
}

func TestFormatRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		key  Key
		a    Approval
		says string
	}{
		"Key":            {"web", Approval{By: "jane", Reason: "x"}, "neither gate"},
		"KeyOfTwoLines":  {"pod/a\nb", Approval{By: "jane", Reason: "x"}, "neither gate"},
		"NoName":         {WholeGate, Approval{By: " ", Reason: "x"}, "user name"},
		"NameWithBar":    {WholeGate, Approval{By: "jane | doe", Reason: "x"}, "user name"},
		"NameEndsInBar":  {WholeGate, Approval{By: "jane |", Reason: "x"}, "user name"},
		"NameOfTwoLines": {WholeGate, Approval{By: "jane\ndoe", Reason: "x"}, "user name"},
		"NoReason":       {WholeGate, Approval{By: "jane", Reason: "\t"}, "reason"},
		"TwoLines":       {WholeGate, Approval{By: "jane", Reason: "x\ny"}, "reason"},
		"LongReason":     {WholeGate, Approval{By: "jane", Reason: strings.Repeat("x", 501)}, "reason"},
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := (Approvals{tc.key: tc.a}).Format(); text != "" || err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("want an error about %q, got %v and %q", tc.says, err, text)
			}
		})
	}

	longest := Approvals{WholeGate: {By: "jane|doe", At: noon, Reason: strings.Repeat("x", 500)}}
	text, err := longest.Format()
	back, again := Parse(text)
	if err != nil || again != nil || !cmp.Equal(longest, back) {
		t.Errorf("the longest reason: %v, %v", err, again)
	}
}

func TestMax(t *testing.T) {
	all := Approvals{}
	for i := range 64 {
		all[Key(fmt.Sprintf("pod/%02d", i))] = Approval{By: "jane", At: noon, Reason: "x"}
	}
	text, err := all.Format()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Parse(text); err != nil || len(back) != 64 {
		t.Errorf("of 64 approvals %d are read: %v", len(back), err)
	}

	more := text + "\npod/64 | jane | 2026-11-30T12:00:00Z | x"
	if back, err := Parse(more); err == nil || !strings.Contains(err.Error(), "line 65 ") || !cmp.Equal(all, back) {
		t.Errorf("of 65 approvals %d are read: %v", len(back), err)
	}
	all["pod/64"] = all["pod/00"]
	if text, err := all.Format(); text != "" || err == nil || !strings.Contains(err.Error(), "65 approvals") {
		t.Errorf("65 approvals are written: %v", err)
	}
}

func TestUnused(t *testing.T) {
	all := Approvals{WholeGate: {}, "revision/old": {}, "revision/5d8f": {}, "pod/gone": {}, "pod/a": {}, "pod/b": {}}
	alive := []check.Subject{subject("a", "5d8f"), {UID: "b"}}
	if diff := cmp.Diff([]Key{"pod/gone", "revision/old"}, all.Unused(alive)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]Key{"pod/a", "pod/b", "pod/gone", "revision/5d8f", "revision/old"}, all.Unused(nil)); diff != "" {
		t.Errorf("without pods: -want, +got:\n%s", diff)
	}
	if unused := (Approvals{WholeGate: {}}).Unused(nil); unused != nil {
		t.Errorf("an approval of all pods is unused: %v", unused)
	}
}

func TestRevisionOfAKey(t *testing.T) {
	for key, want := range map[Key]string{"revision/5d8f": "5d8f", "pod/5d8f": "", WholeGate: ""} {
		revision, is := key.Revision()
		if is != (want != "") || is && revision != want {
			t.Errorf("%s: got %q, %t", key, revision, is)
		}
	}
}

func TestRevision(t *testing.T) {
	for name, tc := range map[string]struct {
		labels map[string]string
		want   string
	}{
		"None":        {map[string]string{"app": "web"}, ""},
		"Nothing":     {nil, ""},
		"Empty":       {map[string]string{"pod-template-hash": "", "controller-revision-hash": "web-7c"}, "web-7c"},
		"Deployment":  {map[string]string{"app": "web", "pod-template-hash": "5d8f"}, "5d8f"},
		"StatefulSet": {map[string]string{"controller-revision-hash": "web-7c"}, "web-7c"},
		"Rollout":     {map[string]string{"rollouts-pod-template-hash": "6b"}, "6b"},
	} {
		if got := Revision(check.Subject{Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: tc.labels}}}); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	if got := Revision(check.Subject{}); got != "" {
		t.Errorf("a pod of which nothing is known: got %q", got)
	}
}
