// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/checktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	annotation = "secret-annotation"
	passes     = "secret-value"
)

func TestConformance(t *testing.T) {
	checktest.Run(t, func(t *testing.T) checktest.Harness {
		checker, err := New(fmt.Sprintf("pod.metadata.annotations['%s'] == '%s'", annotation, passes))
		if err != nil {
			t.Fatal(err)
		}

		last := netip.MustParseAddr("198.51.100.0")
		return checktest.Harness{
			Checker: checker,
			Timeout: time.Second,
			Local:   true,
			Asked:   func() int { return 0 },
			Secrets: []string{annotation, passes, "secret-other"},
			NewPod: func(*testing.T) check.Subject {
				last = last.Next()
				uid := types.UID(fmt.Sprintf("uid-of-%s", last))
				return check.Subject{UID: uid, Addrs: []netip.Addr{last}, Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: uid, Annotations: map[string]string{annotation: "secret-other"}}}}
			},
			Set: func(_ *testing.T, pod check.Subject, does checktest.Behaviour) {
				pod.Pod.Annotations = map[checktest.Behaviour]map[string]string{
					checktest.Passes: {annotation: passes}, checktest.Fails: {annotation: "secret-other"},
				}[does]
			},
		}
	})
}

// TestLaw1UnknownPods: nothing opens by what is not known of this very pod.
func TestLaw1UnknownPods(t *testing.T) {
	checker, err := New("pod.metadata.name != '' || true")
	if err != nil {
		t.Fatal(err)
	}

	for name, s := range map[string]check.Subject{
		"Nothing": {UID: "a"},
		"Another": {UID: "a", Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "b"}}},
	} {
		answers, err := checker.Check(t.Context(), []check.Subject{s})
		if got := answers["a"]; err != nil || got != (check.Answer{Word: check.ExpressionFailed}) {
			t.Errorf("%s: got %s (%s) and the error %v", name, got.Verdict, got.Word, err)
		}
	}
}

func TestInvalidExpression(t *testing.T) {
	if _, err := New("response.status == 200"); err == nil || !strings.Contains(err.Error(), "undeclared reference to 'response'") {
		t.Errorf("got the error %v", err)
	}
}
