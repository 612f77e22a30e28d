// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manual

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/checktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// given are approvals that change while a check is asked.
type given struct {
	mu  sync.Mutex
	all Approvals
}

func (g *given) now() Approvals {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.all)
}

func (g *given) set(key Key, approved bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.all, key)
	if approved {
		g.all[key] = Approval{By: "jane@example.com", At: time.Unix(1, 0).UTC(), Reason: "dashboards look good"}
	}
}

// subject is a pod of a Deployment.
func subject(uid, revision string) check.Subject {
	return check.Subject{UID: types.UID(uid), Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web", "pod-template-hash": revision}}}}
}

func TestConformance(t *testing.T) {
	for _, scope := range []v1alpha1.ApprovalScope{v1alpha1.ApprovalRevision, v1alpha1.ApprovalPod} {
		t.Run(string(scope), func(t *testing.T) {
			checktest.Run(t, func(*testing.T) checktest.Harness {
				g, n := given{all: Approvals{}}, 0
				return checktest.Harness{
					Checker: Checker{Spec: v1alpha1.ManualCheck{Scope: scope}, Approvals: g.now},
					Timeout: time.Second,
					Asked:   func() int { return 0 },
					Secrets: []string{"jane", "dashboards", "5d8f"},
					NewPod: func(*testing.T) check.Subject {
						n++
						return subject(fmt.Sprintf("uid-%d", n), fmt.Sprintf("5d8f-%d", n))
					},
					Set: func(_ *testing.T, pod check.Subject, does checktest.Behaviour) {
						g.set(KeyOf(scope, pod), does == checktest.Passes)
					},
					Local: true, NeverFails: true,
				}
			})
		})
	}
}

// TestLaw1WaitsForAnApproval: what nobody approved of does not pass.
func TestLaw1WaitsForAnApproval(t *testing.T) {
	revision, another, bare := subject("a", "5d8f"), subject("b", "7c6b"), check.Subject{UID: "c"}
	pods := []check.Subject{revision, another, bare}
	passed := check.Answer{Verdict: check.Pass, Word: check.Approved}
	waits := check.Answer{Word: check.NotApproved}
	all := Approvals{}
	for _, key := range []Key{"revision/5d8f", "pod/b", "pod/c"} {
		all[key] = Approval{By: "jane", Reason: "x"}
	}

	for name, tc := range map[string]struct {
		reason    string
		spec      v1alpha1.ManualCheck
		approvals Approvals
		want      [3]check.Answer
	}{
		"Revision":       {"A pod without a revision is approved by itself.", v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalRevision}, all, [3]check.Answer{passed, waits, passed}},
		"RevisionUnsaid": {"Revision is the default.", v1alpha1.ManualCheck{}, all, [3]check.Answer{passed, waits, passed}},
		"Pod":            {"Its revision does not count.", v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalPod}, all, [3]check.Answer{waits, passed, passed}},
		"Gate":           {"Neither pods nor revisions count.", v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalGate}, all, [3]check.Answer{waits, waits, waits}},
		"GateApproved":   {"One approval is for all.", v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalGate}, Approvals{WholeGate: {}}, [3]check.Answer{passed, passed, passed}},
		"Nothing":        {"Nobody approved of anything.", v1alpha1.ManualCheck{}, nil, [3]check.Answer{waits, waits, waits}},
		"Open": {"No approval is asked for.", v1alpha1.ManualCheck{Initially: v1alpha1.InitiallyOpen}, all,
			[3]check.Answer{passed, {Verdict: check.Pass, Word: check.OpenInitially}, passed}},
		"Closed": {"That is the default.", v1alpha1.ManualCheck{Initially: v1alpha1.InitiallyClosed}, all, [3]check.Answer{passed, waits, passed}},
	} {
		t.Run(name, func(t *testing.T) {
			answers, err := Checker{Spec: tc.spec, Approvals: func() Approvals { return tc.approvals }}.Check(t.Context(), pods)
			if err != nil {
				t.Fatal(err)
			}
			for i, pod := range pods {
				if answers[pod.UID] != tc.want[i] {
					t.Errorf("%s pod %s: got %+v, want %+v", tc.reason, pod.UID, answers[pod.UID], tc.want[i])
				}
			}
		})
	}
}

// TestEndedContext: nothing is read any more.
func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := Checker{Approvals: func() Approvals { t.Error("approvals are read"); return nil }}
	if _, err := c.Check(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
