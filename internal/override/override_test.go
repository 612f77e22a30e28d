// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package override

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
)

const web = "target-health.elbv2.k8s.aws/web"

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func order(change func(*Order)) Order {
	o := Order{Status: gate.StatusTrue, Reason: "canary", By: "alice", At: noon, Until: noon.Add(time.Hour)}
	if change != nil {
		change(&o)
	}
	return o
}

func annotated(t *testing.T, uid types.UID, r Record) *corev1.Pod {
	t.Helper()
	value, err := r.Value()
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: uid, Annotations: map[string]string{v1alpha1.OverrideAnnotation: value}}}
}

func TestOrders(t *testing.T) {
	counts := gate.Override{Status: gate.StatusTrue, Reason: "canary", By: "alice", Set: noon, Until: noon.Add(time.Hour)}
	cases := map[string]struct {
		reason  string
		of      types.UID
		order   Order
		want    gate.Override
		problem string
	}{
		"Order":       {reason: "It is the pod's own.", of: "a", order: order(nil), want: counts},
		"AnotherPods": {reason: "A template or a copied manifest orders nothing.", of: "b", order: order(nil), problem: "is of another pod"},
		"NoStatus":    {reason: "A gate is open or it is not.", of: "a", order: order(func(o *Order) { o.Status = "true" }), problem: "neither True nor False"},
		"NoReason":    {reason: "Who finds it at night must be told why.", of: "a", order: order(func(o *Order) { o.Reason = " " }), problem: "gives no reason"},
		"LongReason":  {reason: "It becomes a condition's message.", of: "a", order: order(func(o *Order) { o.Reason = strings.Repeat("x", MaxReason+1) }), problem: "more than 500 bytes"},
		"LongestOne":  {reason: "500 bytes are not too many.", of: "a", order: order(func(o *Order) { o.Reason = strings.Repeat("x", MaxReason) }), want: gate.Override{Status: gate.StatusTrue, Reason: strings.Repeat("x", MaxReason), By: "alice", Set: noon, Until: noon.Add(time.Hour)}},
		"ADay":        {reason: "Nor is a day too long.", of: "a", order: order(func(o *Order) { o.Until = noon.Add(Max) }), want: gate.Override{Status: gate.StatusTrue, Reason: "canary", By: "alice", Set: noon, Until: noon.Add(Max)}},
		"Closed":      {reason: "A gate may be kept closed as well.", of: "a", order: order(func(o *Order) { o.Status = gate.StatusFalse }), want: gate.Override{Status: gate.StatusFalse, Reason: "canary", By: "alice", Set: noon, Until: noon.Add(time.Hour)}},
		"NoTime":      {reason: "What lasts no time orders nothing.", of: "a", order: order(func(o *Order) { o.Until = o.At }), problem: "ends before it begins"},
		"NoEnd":       {reason: "Nothing that was ordered stays for ever.", of: "a", order: order(func(o *Order) { o.Until = time.Time{} }), problem: "ends before it begins"},
		"NoBeginning": {reason: "Nor is it known how long it lasts.", of: "a", order: order(func(o *Order) { o.At = time.Time{} }), problem: "longer than 24h"},
		"TooLong":     {reason: "A day is enough to mend the cause.", of: "a", order: order(func(o *Order) { o.Until = noon.Add(Max + time.Second) }), problem: "longer than 24h"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := annotated(t, "a", Record{UID: tc.of, Gates: map[string]Order{web: tc.order}})
			if diff := cmp.Diff(tc.want, Of(pod).Gate(web)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			problems := strings.Join(Problems(pod), "\n")
			if (tc.problem == "") != (problems == "") || !strings.Contains(problems, tc.problem) {
				t.Errorf("%s\nwant a problem with %q, got %q", tc.reason, tc.problem, problems)
			}
		})
	}
}

func TestGarbageOrdersNothing(t *testing.T) {
	for _, garbage := range []string{"", "true", "{", "[]", `{"uid":"a","gates":{"` + web + `":"True"}}`} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "a", Annotations: map[string]string{v1alpha1.OverrideAnnotation: garbage}}}
		if got := Of(pod).Gate(web); got != (gate.Override{}) {
			t.Errorf("%q orders %+v", garbage, got)
		}
		if len(Problems(pod)) == 0 {
			t.Errorf("nobody is told of %q", garbage)
		}
	}
}

func TestWith(t *testing.T) {
	ended, other := order(func(o *Order) { o.At, o.Until = noon.Add(-time.Hour), noon }), order(func(o *Order) { o.Status = gate.StatusFalse })
	wrong := order(func(o *Order) { o.Reason = "" })
	r := Record{UID: "a", Gates: map[string]Order{"ended": ended, "wrong": wrong, "other": other, web: other}}
	next := order(nil)
	if diff := cmp.Diff(Record{UID: "a", Gates: map[string]Order{"other": other, web: next}}, r.With(web, &next, noon)); diff != "" {
		t.Errorf("with an order more: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(Record{UID: "a", Gates: map[string]Order{"other": other}}, r.With(web, nil, noon)); diff != "" {
		t.Errorf("with an order less: -want, +got:\n%s", diff)
	}
	if value, err := r.With(web, nil, noon).With("other", nil, noon).Value(); value != "" || err != nil {
		t.Errorf("without any order the annotation is %q, %v", value, err)
	}
}

// TestNothingOrdered: a pod without the annotation has no order, no problem, and its own UID in
// the record that a first order is added to.
func TestNothingOrdered(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "a"}}
	if diff := cmp.Diff(Record{UID: "a"}, Of(pod)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if problems := Problems(pod); problems != nil {
		t.Errorf("problems %q", problems)
	}
	if got := Of(pod).Gate(web); got != (gate.Override{}) {
		t.Errorf("it orders %+v", got)
	}
}
