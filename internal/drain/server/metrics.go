// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/podgate/podgate/internal/drain/hook"
)

// What pods are told, as the metric calls it.
const (
	answerKeep    = "keep"
	answerRelease = "release"
	answerRestart = "restart"
	answerBusy    = "busy"
	answerError   = "error"
)

func newAnswers() *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "podgate_drain_answers_total",
		Help: "Answers to pods that drain adaptively and ask whether they may end, by answer (keep, release, restart, busy, error); busy: too many asked at once. Worry when error grows.",
	}, []string{"answer"})
	for _, a := range []string{answerKeep, answerRelease, answerRestart, answerBusy, answerError} {
		c.WithLabelValues(a)
	}
	return c
}

func said(a hook.Answer) string {
	switch {
	case a.Restart:
		return answerRestart
	case a.Released:
		return answerRelease
	default:
		return answerKeep
	}
}
