// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
)

// Checker asks over the network: each pod at its own address, all at the same time, or a host, once for all of them or about each.
type Checker struct {
	// Place says where to ask.
	Place Place
	// Timeout bounds each question, from dialling to the end of the answer.
	Timeout time.Duration
	// PerPod asks a host about each pod; each pod itself is always asked.
	PerPod bool
	// Ask asks once, and returns at the latest when its context ends.
	Ask func(ctx context.Context, to Destination) check.Answer
}

var _ check.Checker = Checker{}

// Check implements check.Checker.
func (c Checker) Check(ctx context.Context, subjects []check.Subject) (map[types.UID]check.Answer, error) {
	ask := c.askEach
	if c.Place.shared() && !c.PerPod {
		ask = c.askOnce
	}
	answers := ask(ctx, subjects)

	// When the context ended meanwhile, nobody knows which answers it cut off.
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	byUID := make(map[types.UID]check.Answer, len(subjects))
	for i, pod := range subjects {
		byUID[pod.UID] = answers[i]
	}
	return byUID, nil
}

// askEach asks each pod.
func (c Checker) askEach(ctx context.Context, subjects []check.Subject) []check.Answer {
	answers := make([]check.Answer, len(subjects))

	var asking sync.WaitGroup
	for i, pod := range subjects {
		asking.Go(func() { answers[i] = c.ask(ctx, pod) })
	}
	asking.Wait()

	return answers
}

// askOnce asks the host that the pods share.
func (c Checker) askOnce(ctx context.Context, subjects []check.Subject) []check.Answer {
	if len(subjects) == 0 {
		return nil
	}
	return slices.Repeat([]check.Answer{c.ask(ctx, check.Subject{})}, len(subjects))
}

func (c Checker) ask(ctx context.Context, pod check.Subject) check.Answer {
	to, word, ok := c.Place.of(pod)
	if !ok {
		return check.Answer{Word: word}
	}

	// A server that is told the caller's deadline, as by gRPC, may answer that it is over a moment before it is.
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()

	answer := c.Ask(own, to)

	// What a time-out cuts off looks like many other errors.
	if answer.Verdict == check.NoAnswer && own.Err() != nil {
		answer.Word = check.TimedOut
	}
	if c.Place.shared() && c.PerPod {
		answer = aboutPod(answer)
	}

	answer.Addr = to.Addr()
	return answer
}

// ofConnections are the words for what happens to a connection, whatever it is asked about.
var ofConnections = []check.Word{check.Refused, check.TimedOut, check.Unreachable, check.NameNotFound, check.NotTrusted, check.TLSFailed}

// aboutPod is the answer of a host that is asked about each pod. Where the host itself does not answer nobody knows about the pod:
// all pods would fail at once otherwise.
func aboutPod(a check.Answer) check.Answer {
	if slices.Contains(ofConnections, a.Word) {
		return check.Answer{Word: check.AtServer(a.Word)}
	}
	return a
}
