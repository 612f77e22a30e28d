// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manual

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/plural"
)

const (
	// Max is how many approvals a gate has at most.
	Max = 64
	// MaxReason is the longest reason, in bytes.
	MaxReason = 500
	// separator stands between the parts of a line, so none but the last may contain it.
	separator = " | "
)

// Key is what an approval is for: a revision, a pod, or all pods of the gate.
type Key string

// WholeGate is the key of all pods of the gate.
const WholeGate Key = "gate"

const (
	revisionPrefix = "revision/"
	podPrefix      = "pod/"
)

// KeyOf returns what somebody has to approve of for a pod to pass. With the scope Revision a pod without a revision is approved by
// itself.
func KeyOf(scope v1alpha1.ApprovalScope, pod check.Subject) Key {
	revision := Revision(pod)
	switch {
	case scope == v1alpha1.ApprovalGate:
		return WholeGate
	case scope != v1alpha1.ApprovalPod && revision != "":
		return Key(revisionPrefix + revision)
	}
	return Key(podPrefix + string(pod.UID))
}

// revisionLabels are those by which workloads tell the pods of their revisions apart: Deployments and ReplicaSets, StatefulSets and
// DaemonSets, and Argo Rollouts.
var revisionLabels = []string{"pod-template-hash", appsv1.ControllerRevisionHashLabelKey, "rollouts-pod-template-hash"}

// Revision returns what tells the pods of one version of a workload from those of others; empty for a pod that has none.
func Revision(pod check.Subject) string {
	if pod.Pod == nil {
		return ""
	}
	for _, name := range revisionLabels {
		if revision := pod.Pod.Labels[name]; revision != "" {
			return revision
		}
	}
	return ""
}

// Revision is the revision that the key is for; false for the keys of pods and of the gate.
func (k Key) Revision() (string, bool) { return strings.CutPrefix(string(k), revisionPrefix) }

// Approval is what a person said.
type Approval struct {
	// By is the person's name as the API server knows it; the chart's admission policy makes sure of that.
	By string
	// At is when, in whole seconds.
	At time.Time
	// Reason says why, for people.
	Reason string
}

// Approvals are all approvals of a gate. In the annotation podgate.dev/approvals each is a line of its own:
//
//	KEY | BY | AT | REASON
//
// That is not JSON, because the admission policy that makes sure of BY is written in CEL, which reads none.
type Approvals map[Key]Approval

// Parse reads the annotation. A line that Format would not have written approves of nothing, so that whoever writes the annotation
// anew changes no other line; the error tells which. So does every line after the first 64.
func Parse(text string) (Approvals, error) {
	all := Approvals{}
	if text == "" {
		return all, nil
	}

	var wrong []error
	for i, line := range strings.Split(text, "\n") {
		key, approval, err := parse(line)
		if _, again := all[key]; err == nil && again {
			err = fmt.Errorf("it is the second one for %s", key)
		}
		if err == nil && i >= Max {
			err = fmt.Errorf("there are at most %d", Max)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("line %d of annotation %s approves of nothing: %w", i+1, v1alpha1.ApprovalsAnnotation, err))
			continue
		}
		all[key] = approval
	}

	return all, errors.Join(wrong...)
}

func parse(line string) (Key, Approval, error) {
	parts := strings.SplitN(line, separator, 4)
	if len(parts) != 4 {
		return "", Approval{}, errors.New("it is not KEY | BY | AT | REASON")
	}

	at, err := time.Parse(time.RFC3339, parts[2])
	if err != nil {
		return "", Approval{}, fmt.Errorf("%q is not a time such as 2026-11-30T12:00:00Z", parts[2])
	}

	key, approval := Key(parts[0]), Approval{By: parts[1], At: at.UTC(), Reason: parts[3]}
	if err := approval.check(key); err != nil {
		return "", Approval{}, err
	}
	if approval.line(key) != line {
		return "", Approval{}, fmt.Errorf("%q is not a time such as 2026-11-30T12:00:00Z", parts[2])
	}

	return key, approval, nil
}

// Format writes the annotation, with the approvals in the order of their keys; an error says which approval cannot be written.
func (a Approvals) Format() (string, error) {
	if len(a) > Max {
		return "", fmt.Errorf("there are %s, and at most %d fit", plural.Count(len(a), "approval"), Max)
	}

	var lines []string
	for _, key := range slices.Sorted(maps.Keys(a)) {
		if err := a[key].check(key); err != nil {
			return "", fmt.Errorf("approve of %s: %w", key, err)
		}
		lines = append(lines, a[key].line(key))
	}
	return strings.Join(lines, "\n"), nil
}

func (a Approval) line(key Key) string {
	return strings.Join([]string{string(key), a.By, a.At.UTC().Format(time.RFC3339), a.Reason}, separator)
}

// check tells what is wrong with an approval.
func (a Approval) check(key Key) error {
	switch {
	case !key.valid():
		return fmt.Errorf("%q is neither %s, nor %sHASH, nor %sUID", key, WholeGate, revisionPrefix, podPrefix)
	case strings.TrimSpace(a.By) == "" || strings.Contains(a.By+" ", separator) || strings.Contains(a.By, "\n"):
		return fmt.Errorf("the user name %q cannot be written between bars", a.By)
	case strings.TrimSpace(a.Reason) == "" || len(a.Reason) > MaxReason || strings.Contains(a.Reason, "\n"):
		return fmt.Errorf("the reason must be one line of 1 to %d bytes", MaxReason)
	}
	return nil
}

func (k Key) valid() bool {
	if k == WholeGate {
		return true
	}
	kind, name, _ := strings.Cut(string(k), "/")
	return (kind+"/" == revisionPrefix || kind+"/" == podPrefix) && name != "" && !strings.ContainsAny(name, " \n|")
}

// Unused lists what nobody needs any more, in order: approvals of revisions and pods of which none of these is. An approval of all
// pods is never among them.
func (a Approvals) Unused(alive []check.Subject) []Key {
	used := map[Key]bool{WholeGate: true}
	for _, pod := range alive {
		used[KeyOf(v1alpha1.ApprovalRevision, pod)] = true
		used[KeyOf(v1alpha1.ApprovalPod, pod)] = true
	}

	var unused []Key
	for key := range a {
		if !used[key] {
			unused = append(unused, key)
		}
	}
	slices.SortFunc(unused, cmp.Compare)
	return unused
}
