// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package checktest is the conformance suite of the seam to checks: what podgate relies on, whatever a check asks. A check
// passes it against a server of its kind, never against a mock of itself. README.md says how to use it.
package checktest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/plural"
)

// Behaviour is what a pod does when it is asked.
type Behaviour int

const (
	// Fails means that the pod's answer does not pass.
	Fails Behaviour = iota + 1
	// Passes means that the pod's answer passes.
	Passes
	// Hangs means that no answer comes, or that what is looked at is not there.
	Hangs
)

// String names the behaviour.
func (b Behaviour) String() string {
	return map[Behaviour]string{Fails: "fails", Passes: "passes", Hangs: "hangs"}[b]
}

// verdict is what the check says of a behaviour.
func (h Harness) verdict(does Behaviour) check.Verdict {
	if does == Fails && h.NeverFails {
		return check.NoAnswer
	}
	return map[Behaviour]check.Verdict{Fails: check.Fail, Passes: check.Pass, Hangs: check.NoAnswer}[does]
}

// Harness is a checker with pods to ask.
type Harness struct {
	// Checker is what is tested, and Timeout is its own time-out: a second or more, so that what does not hang
	// is answered in time on a busy machine, too.
	Checker check.Checker
	Timeout time.Duration
	// NewPod makes a pod, with an address, that does as Set says; before that it fails.
	NewPod func(t *testing.T) check.Subject
	// Set says what a pod does when it is asked from now on.
	Set func(t *testing.T, pod check.Subject, does Behaviour)
	// Local is set for a check that asks nobody, but looks at what is known of the pod. Its answers have no address.
	Local bool
	// NeverFails is set for a check that has no answer about a pod which does not pass.
	NeverFails bool
	// HangServer is set where one server is asked about all pods, and no pod at its address: it makes that server hang. The
	// answers have no address then.
	HangServer func(t *testing.T)
	// Asked counts the questions that were asked so far, such as connections.
	Asked func() int
	// Secrets are texts of the pods' answers and of what is asked, which nobody may be told.
	Secrets []string
}

// elsewhere reports whether the checker asks elsewhere than at the pods' addresses, or nobody.
func (h Harness) elsewhere() bool { return h.Local || h.HangServer != nil }

const (
	// patience is how much longer than its time-out a check may take on a busy machine.
	patience = 3 * time.Second
	// many hanging pods would take longer than that when they were asked one after the other.
	many = 20
)

// Run holds a checker to the seam's contract. Every test gets a harness of its own.
func Run(t *testing.T, start func(t *testing.T) Harness) {
	t.Helper()
	tests := map[string]func(*testing.T, Harness){
		"NobodyToAskAbout":      nobodyToAskAbout,
		"AnswerFollowsThePod":   answerFollowsThePod,
		"EachPodHasItsOwn":      eachPodHasItsOwn,
		"SaysWhichAddress":      saysWhichAddress,
		"AddressReuse":          addressReuse,
		"WithoutAnAddress":      withoutAnAddress,
		"HangingDelaysNoOther":  hangingDelaysNoOther,
		"EndedContext":          endedContext,
		"CancelledCallReturns":  cancelledCallReturns,
		"ConcurrentUse":         concurrentUse,
		"AnswersAreTheCallers":  answersAreTheCallers,
		"WordsTellNothingElse":  wordsTellNothingElse,
		"WordsStayTheSame":      wordsStayTheSame,
		"ManyPodsAreAllCovered": manyPodsAreAllCovered,
		"HangingServer":         hangingServer,
	}

	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // They wait for time-outs most of the time.
			tests[name](t, start(t))
		})
	}
}

// check asks about pods, and fails unless the answers are complete.
func (h Harness) check(t *testing.T, pods ...check.Subject) map[types.UID]check.Answer {
	t.Helper()
	answers, err := h.Checker.Check(t.Context(), pods)
	if err != nil {
		t.Fatalf("check: %v", err)
	}

	want := map[types.UID]bool{}
	for _, pod := range pods {
		want[pod.UID] = true
	}
	for uid := range want {
		if _, answered := answers[uid]; !answered {
			t.Errorf("nothing is said of pod %s", uid)
		}
	}
	if len(answers) != len(want) {
		t.Errorf("asked about %s, and got %s", plural.Count(len(want), "pod"), plural.Count(len(answers), "answer"))
	}

	return answers
}

// pods makes one pod for each behaviour.
func (h Harness) pods(t *testing.T, behaviours ...Behaviour) []check.Subject {
	t.Helper()
	var pods []check.Subject
	for _, does := range behaviours {
		pod := h.NewPod(t)
		h.Set(t, pod, does)
		pods = append(pods, pod)
	}
	return pods
}

func nobodyToAskAbout(t *testing.T, h Harness) {
	h.NewPod(t)
	answers := h.check(t)
	if answers == nil || h.Asked() != 0 {
		t.Errorf("got %v after %s, want an empty answer and no question", answers, plural.Count(h.Asked(), "question"))
	}
}

func answerFollowsThePod(t *testing.T, h Harness) {
	pod := h.NewPod(t)
	if got := h.check(t, pod)[pod.UID]; got.Verdict != h.verdict(Fails) {
		t.Errorf("a new pod: got %+v, want %s", got, h.verdict(Fails))
	}

	for _, does := range []Behaviour{Passes, Hangs, Fails, Passes} {
		h.Set(t, pod, does)
		got := h.check(t, pod)[pod.UID]
		if got.Verdict != h.verdict(does) {
			t.Errorf("the pod %s: got %s", does, got.Verdict)
		}
		if got.Word.String() == "" {
			t.Errorf("the pod %s: %s without a word", does, got.Verdict)
		}
	}
}

func eachPodHasItsOwn(t *testing.T, h Harness) {
	behaviours := []Behaviour{Passes, Fails, Hangs, Passes}
	pods := h.pods(t, behaviours...)
	answers := h.check(t, pods...)
	for i, does := range behaviours {
		if got := answers[pods[i].UID].Verdict; got != h.verdict(does) {
			t.Errorf("the pod that %s: got %s", does, got)
		}
	}
}

func saysWhichAddress(t *testing.T, h Harness) {
	for _, does := range []Behaviour{Passes, Fails, Hangs} {
		pod := h.pods(t, does)[0]
		got := h.check(t, pod)[pod.UID]
		if h.elsewhere() && got.Addr.IsValid() {
			t.Errorf("the pod %s: the answer is of %s, and no address was asked", does, got.Addr)
		}
		if !h.elsewhere() && !slices.Contains(pod.Addrs, got.Addr) {
			t.Errorf("the pod %s: the answer is of %s, which is none of its addresses %v", does, got.Addr, pod.Addrs)
		}
	}
}

// addressReuse: what was said of a pod is not said of the next one that has its address.
func addressReuse(t *testing.T, h Harness) {
	first := h.pods(t, Passes)[0]
	h.check(t, first)

	second := first
	second.UID = "the-next-pod"
	h.Set(t, first, Hangs)
	if got := h.check(t, second)[second.UID]; got.Verdict != check.NoAnswer {
		t.Errorf("nothing was heard of the pod, and the check says %s", got.Verdict)
	}
}

func withoutAnAddress(t *testing.T, h Harness) {
	if h.elsewhere() {
		return // It needs none.
	}
	pod, other := h.NewPod(t), h.pods(t, Passes)[0]
	pod.Addrs = nil
	answers := h.check(t, pod, other)
	if got := answers[pod.UID]; got != (check.Answer{Word: check.NoAddress}) {
		t.Errorf("got %+v, want no answer: %s", got, check.NoAddress)
	}
	if got := answers[other.UID]; got.Verdict != check.Pass {
		t.Errorf("the other pod: got %s", got.Verdict)
	}
}

func hangingDelaysNoOther(t *testing.T, h Harness) {
	behaviours := append(slices.Repeat([]Behaviour{Hangs}, many), Passes)
	pods := h.pods(t, behaviours...)

	began := time.Now()
	answers := h.check(t, pods...)
	if took := time.Since(began); took > h.Timeout+patience {
		t.Errorf("with %s that hang it took %s, and the time-out is %s", plural.Count(many, "pod"), took, h.Timeout)
	}
	if got := answers[pods[many].UID]; got.Verdict != check.Pass {
		t.Errorf("the pod that does not hang: got %s (%s)", got.Verdict, got.Word)
	}
}

func endedContext(t *testing.T, h Harness) {
	pod := h.pods(t, Passes)[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if answers, err := h.Checker.Check(ctx, []check.Subject{pod}); !errors.Is(err, context.Canceled) || answers != nil {
		t.Errorf("got %v and the error %v, want the context's error and nothing else", answers, err)
	}
}

func cancelledCallReturns(t *testing.T, h Harness) {
	if h.Local {
		return // It ends before that.
	}
	pods := h.pods(t, Passes, Hangs)
	if h.HangServer != nil {
		h.HangServer(t)
	}
	// The time-out is only there to let the call get under way.
	ctx, cancel := context.WithTimeout(t.Context(), h.Timeout/5)
	defer cancel()

	answers, err := h.Checker.Check(ctx, pods)
	if !errors.Is(err, context.DeadlineExceeded) || answers != nil {
		t.Errorf("got %v and the error %v, want the context's error and nothing else", answers, err)
	}
}

func concurrentUse(t *testing.T, h Harness) {
	behaviours := []Behaviour{Passes, Fails, Hangs}
	pods := h.pods(t, behaviours...)

	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			answers, err := h.Checker.Check(t.Context(), pods)
			for i, does := range behaviours {
				if got := answers[pods[i].UID].Verdict; err != nil || got != h.verdict(does) {
					t.Errorf("the pod that %s: got %s and the error %v", does, got, err)
				}
			}
		})
	}
	calls.Wait()
}

func answersAreTheCallers(t *testing.T, h Harness) {
	pod := h.pods(t, Passes)[0]
	clear(h.check(t, pod))
	if got := h.check(t, pod)[pod.UID]; got.Verdict != check.Pass {
		t.Errorf("a caller that changes an answer changes the next one: %s", got.Verdict)
	}
}

func wordsTellNothingElse(t *testing.T, h Harness) {
	if len(h.Secrets) == 0 {
		t.Fatal("the harness has nothing to keep secret")
	}

	for _, does := range []Behaviour{Passes, Fails, Hangs} {
		pod := h.pods(t, does)[0]
		secrets := slices.Concat(h.Secrets, []string{string(pod.UID)})
		for _, addr := range pod.Addrs {
			secrets = append(secrets, addr.String())
		}

		word := h.check(t, pod)[pod.UID].Word.String()
		for _, secret := range secrets {
			if strings.Contains(word, secret) {
				t.Errorf("the pod %s: %q tells %q", does, word, secret)
			}
		}
	}
}

// wordsStayTheSame: a word becomes part of a condition, which is not written again and again for the same.
func wordsStayTheSame(t *testing.T, h Harness) {
	for _, does := range []Behaviour{Passes, Fails, Hangs} {
		one, other := h.pods(t, does)[0], h.pods(t, does)[0]
		answers := h.check(t, one, other)
		if answers[one.UID].Word != answers[other.UID].Word {
			t.Errorf("two pods %s, and one is %q and the other %q", does, answers[one.UID].Word, answers[other.UID].Word)
		}
	}
}

func manyPodsAreAllCovered(t *testing.T, h Harness) {
	pods := h.pods(t, slices.Repeat([]Behaviour{Passes}, many)...)
	for uid, got := range h.check(t, pods...) {
		if got.Verdict != check.Pass {
			t.Errorf("pod %s: got %s (%s)", uid, got.Verdict, got.Word)
		}
	}
}

// hangingServer: nothing is known of any pod when the server that knows about all of them does not answer.
func hangingServer(t *testing.T, h Harness) {
	if h.HangServer == nil {
		return // Each pod is asked itself.
	}
	pods := h.pods(t, Passes, Fails)
	h.HangServer(t)

	began := time.Now()
	answers := h.check(t, pods...)
	if took := time.Since(began); took > h.Timeout+patience {
		t.Errorf("it took %s, and the time-out is %s", took, h.Timeout)
	}
	for _, pod := range pods {
		if got := answers[pod.UID]; got.Verdict != check.NoAnswer || got.Word.Silent() {
			t.Errorf("got %s (%s); other pods say nothing about the server", got.Verdict, got.Word)
		}
	}
}
