// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/index/indextest"
	"github.com/podgate/podgate/internal/observe/checks"
)

// TestGates: the checks of a gate are made once for each generation, whoever asks, and again when people approve, and when what is
// allowed is another.
func TestGates(t *testing.T) {
	m := makes(t, func(http.ResponseWriter, *http.Request) {})
	synctest.Test(t, func(t *testing.T) {
		team, err := "shop", error(nil)
		m.Labels = func(context.Context, string) (map[string]string, error) { return map[string]string{"team": team}, err }
		g := shop()
		g.UID, g.Generation = "uid-1", 1
		g.Spec.Checks = []v1alpha1.Check{
			{Name: "device", Pod: &v1alpha1.PodCheck{Expression: "pod.metadata.name == 'web-0'"}},
			{Name: "go", Manual: &v1alpha1.ManualCheck{Scope: v1alpha1.ApprovalGate}},
			{Name: "db", TCP: &v1alpha1.TCPCheck{Address: "db.example.com:80"}},
		}
		cache, failed := indextest.New(t.Context(), g)
		if failed != nil {
			t.Fatal(failed)
		}
		of, id := NewGates(cache, m), checks.Gate{Namespace: "shop", Name: "warm", UID: "uid-1"}

		first := of.Gate(t.Context(), id)
		made := of.known["uid-1"]
		if first == nil || len(first.Checks) != 3 || first.Checks[2].Kind != "tcp" || first.Checks[2].Cost != checks.Shared {
			t.Fatalf("got %+v", first)
		}
		if of.Gate(t.Context(), checks.Gate{Namespace: "shop", Name: "warm", UID: "uid-2"}) != nil || of.Gate(t.Context(), checks.Gate{Namespace: "shop", Name: "other"}) != nil {
			t.Error("a gate that is not there has checks")
		}

		// An hour of looking makes nothing again, also while nobody knows the labels.
		for range 720 {
			time.Sleep(5 * time.Second)
			reason, _, failed := of.Judge(t.Context(), g)
			if of.Gate(t.Context(), id) != first || reason != v1alpha1.ReasonServing || failed != nil || of.known["uid-1"] != made {
				t.Fatalf("made again, or not served: %s, %v", reason, failed)
			}
			err = errors.New("no cache")
		}
		err = nil

		g.Generation = 2
		second := of.Gate(t.Context(), id)
		if second == first {
			t.Error("the gate changed, and its checks did not")
		}

		g.Annotations = map[string]string{v1alpha1.ApprovalsAnnotation: "gate | alice | 2026-11-30T12:00:00Z | looks good"}
		approved := of.Gate(t.Context(), id)
		answers, _ := approved.Checks[1].Checker.Check(t.Context(), []check.Subject{{UID: "uid-of-a-pod"}})
		if answers["uid-of-a-pod"].Verdict != check.Pass {
			t.Errorf("it was approved, and the check says %+v", answers)
		}

		team = "pay"
		if forbidden := of.Gate(t.Context(), id); forbidden.Checks[2].Cost != checks.Local {
			t.Errorf("what is not allowed any more is asked: %+v", forbidden.Checks[2])
		}
		if reason, message, _ := of.Judge(t.Context(), g); reason != v1alpha1.ReasonNotAllowed {
			t.Errorf("what is not allowed any more is %s: %s", reason, message)
		}

		other := g.DeepCopy()
		other.UID = "uid-3"
		time.Sleep(kept + time.Second)
		if _, _, failed := of.Judge(t.Context(), other); failed != nil {
			t.Fatal(failed)
		}
		if _, there := of.known[types.UID("uid-1")]; there || len(of.known) != 1 {
			t.Errorf("kept %d gates that nobody asks for", len(of.known))
		}
	})
}

// TestGatesWithoutLabels: what is made while nobody knows what is allowed is made again.
func TestGatesWithoutLabels(t *testing.T) {
	m := makes(t, func(http.ResponseWriter, *http.Request) {})
	err := errors.New("no cache")
	m.Labels = func(context.Context, string) (map[string]string, error) {
		return map[string]string{"team": "shop"}, err
	}
	g := shop()
	g.Spec.Checks = []v1alpha1.Check{{Name: "db", TCP: &v1alpha1.TCPCheck{Address: "db.example.com:80"}}}
	of := NewGates(nil, m)
	if reason, _, failed := of.Judge(t.Context(), g); failed == nil {
		t.Errorf("nobody can tell what is allowed, and the reason is %s", reason)
	}
	err = nil
	if reason, _, failed := of.Judge(t.Context(), g); failed != nil || reason != v1alpha1.ReasonServing {
		t.Errorf("%s, %v", reason, failed)
	}
}

// TestGatesAreMadeOnce: also where many pods look at the same time.
func TestGatesAreMadeOnce(t *testing.T) {
	m := makes(t, func(http.ResponseWriter, *http.Request) {})
	g := shop()
	g.Spec.Checks = []v1alpha1.Check{{Name: "device", Pod: &v1alpha1.PodCheck{Expression: "pod.metadata.name == 'web-0'"}}}
	of := NewGates(nil, m)

	made := make([]*generation, 20)
	var looking sync.WaitGroup
	for i := range made {
		looking.Go(func() { made[i] = of.of(t.Context(), g) })
	}
	looking.Wait()
	for _, one := range made {
		if one.def == nil || one.def != made[0].def {
			t.Fatal("made several times")
		}
	}
}
