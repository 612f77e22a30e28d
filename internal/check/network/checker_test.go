// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/check"
)

// TestLaw7APodThatHangsDelaysNoOther: the call takes one time-out, however many pods do not answer.
func TestLaw7APodThatHangsDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pods []check.Subject
		for i := range 100 {
			pods = append(pods, check.Subject{UID: types.UID(fmt.Sprint(i)), Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}})
		}
		answering := pods[42].Addrs[0]

		checker := Checker{Place: AtPod(intstr.FromInt32(80), ""), Timeout: 2 * time.Second, Ask: func(ctx context.Context, to Destination) check.Answer {
			if to.Addr() == answering {
				return check.Answer{Verdict: check.Pass, Word: check.Connected}
			}
			<-ctx.Done()
			return Explain(ctx.Err())
		}}

		began := time.Now()
		answers, err := checker.Check(t.Context(), pods)
		if took := time.Since(began); err != nil || took != checker.Timeout {
			t.Errorf("it took %s, want the time-out of %s; the error is %v", took, checker.Timeout, err)
		}

		for i, pod := range pods {
			want := check.Answer{Word: check.TimedOut, Addr: pod.Addrs[0]}
			if pod.Addrs[0] == answering {
				want = check.Answer{Verdict: check.Pass, Word: check.Connected, Addr: answering}
			}
			if got := answers[pod.UID]; got != want {
				t.Errorf("pod %d: got %+v, want %+v", i, got, want)
			}
		}
	})
}

// TestCallersDeadlineIsNotTheCheckers: the caller's ends the call, and is nobody's answer.
func TestCallersDeadlineIsNotTheCheckers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var told time.Time
		checker := Checker{Place: AtPod(intstr.FromInt32(80), ""), Timeout: 2 * time.Second, Ask: func(ctx context.Context, _ Destination) check.Answer {
			told, _ = ctx.Deadline()
			<-ctx.Done()
			return Explain(ctx.Err())
		}}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answers, err := checker.Check(ctx, []check.Subject{{UID: "1", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}})
		if took := time.Since(began); answers != nil || !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("after %s: got %v and the error %v", took, answers, err)
		}
		if got := told.Sub(began); got != checker.Timeout {
			t.Errorf("the question has a deadline of %s, want the check's own", got)
		}
	})
}

// TestCutOffByTheTimeout: whichever error that looks like, it is a time-out, and an answer that came is none.
func TestCutOffByTheTimeout(t *testing.T) {
	malformed, failed := check.Answer{Word: check.Malformed}, check.Answer{Verdict: check.Fail, Word: check.Refused}
	for name, tc := range map[string]struct {
		reason string
		after  time.Duration
		answer check.Answer
		want   check.Word
	}{
		"InTime":   {reason: "It is what it looks like.", answer: malformed, want: check.Malformed},
		"CutOff":   {reason: "The time-out is why.", after: time.Second, answer: malformed, want: check.TimedOut},
		"Answered": {reason: "The answer came.", after: time.Second, answer: failed, want: check.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				checker := Checker{Place: AtPod(intstr.FromInt32(80), ""), Timeout: time.Second, Ask: func(context.Context, Destination) check.Answer {
					time.Sleep(tc.after)
					synctest.Wait() // The timer of the time-out comes first.
					return tc.answer
				}}
				answers, err := checker.Check(t.Context(), []check.Subject{{UID: "1", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}})
				if got := answers["1"]; err != nil || got.Word != tc.want || got.Verdict != tc.answer.Verdict {
					t.Errorf("%s\ngot %s (%s) and the error %v", tc.reason, got.Verdict, got.Word, err)
				}
			})
		})
	}
}

// TestLaw8AHostThatIsDownFailsNoPod: what happens to a connection to a host that is asked about each pod says nothing of the pod, and
// other pods' answers say nothing of that either. What the host answers is about the pod.
func TestLaw8AHostThatIsDownFailsNoPod(t *testing.T) {
	place, err := Allowed(rules(t, "team => db:1"), shop, "db:1")
	if err != nil {
		t.Fatal(err)
	}

	fails := func(w check.Word) check.Answer { return check.Answer{Verdict: check.Fail, Word: w} }
	for got, want := range map[check.Answer]check.Answer{
		fails(check.Refused):         {Word: check.AtServer(check.Refused)},
		fails(check.NotTrusted):      {Word: check.AtServer(check.NotTrusted)},
		fails(check.TLSFailed):       {Word: check.AtServer(check.TLSFailed)},
		{Word: check.TimedOut}:       {Word: check.AtServer(check.TimedOut)},
		{Word: check.Unreachable}:    {Word: check.AtServer(check.Unreachable)},
		{Word: check.NameNotFound}:   {Word: check.AtServer(check.NameNotFound)},
		{Word: check.NotAllowed}:     {Word: check.NotAllowed},
		fails(check.HTTPStatus(503)): fails(check.HTTPStatus(503)),
	} {
		ask := func(context.Context, Destination) check.Answer { return got }
		asked := []check.Subject{{UID: "1", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}}
		for checker, want := range map[*Checker]check.Answer{
			{Place: place, PerPod: true, Timeout: time.Second, Ask: ask}:             want,
			{Place: place, Timeout: time.Second, Ask: ask}:                           got,
			{Place: AtPod(intstr.FromInt32(80), ""), Timeout: time.Second, Ask: ask}: got,
		} {
			answers, err := checker.Check(t.Context(), asked)
			if a := answers["1"]; err != nil || a.Verdict != want.Verdict || a.Word != want.Word {
				t.Errorf("%s (%s): got %s (%s), want %s (%s), and the error %v", got.Verdict, got.Word, a.Verdict, a.Word, want.Verdict, want.Word, err)
			}
		}
	}
}

// TestHostIsAskedOnce: what pods share is asked once, and said of each of them.
func TestHostIsAskedOnce(t *testing.T) {
	place, err := Allowed(rules(t, "team => db:1"), shop, "db:1")
	if err != nil {
		t.Fatal(err)
	}

	asked := 0
	checker := Checker{Place: place, Timeout: time.Second, Ask: func(context.Context, Destination) check.Answer {
		asked++
		return check.Answer{Verdict: check.Pass, Word: check.Connected}
	}}

	answers, err := checker.Check(t.Context(), []check.Subject{{UID: "1"}, {UID: "2"}})
	if err != nil || asked != 1 || len(answers) != 2 {
		t.Errorf("asked %d times: got %v and the error %v", asked, answers, err)
	}
	for _, uid := range []types.UID{"1", "2"} {
		if answers[uid] != (check.Answer{Verdict: check.Pass, Word: check.Connected}) {
			t.Errorf("pod %s: got %+v", uid, answers[uid])
		}
	}

	if answers, err := checker.Check(t.Context(), nil); err != nil || len(answers) != 0 || asked != 1 {
		t.Errorf("of no pod: got %v and the error %v, after %d questions", answers, err, asked)
	}
}
