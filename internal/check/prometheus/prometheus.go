// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package prometheus is the check of values that a Prometheus computes. One query answers for all pods of a gate: the series
// that it returns have a label that says which pod each one is about. It asks servers that an administrator names, and no
// others, and repeats nothing, neither of the query nor of the answer.
//
// It does not keep a query to the pods or the namespace of its gate: PromQL can relabel what it selects. A server that is to
// answer about one namespace only has to see to it itself (Server.TenantParam, Server.TenantHeader).
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/expr"
	"github.com/podgate/podgate/internal/check/variables"
)

const (
	// UIDLabel is the label that has a pod's UID as its value, and not its name.
	UIDLabel = "uid"
	// inherited is how long an answer may still be about a pod that had the name or the address before: Prometheus takes a
	// series' last sample of the last five minutes, and functions of ranges ignore that a series has ended.
	// https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness
	inherited = 5 * time.Minute
)

// Settings say what is asked, and which value passes.
type Settings struct {
	// Server is the name of the server.
	Server string
	// Namespace is that of the gate and its pods.
	Namespace string
	// Query is PromQL. With variables it is asked for each pod.
	Query string
	// PodLabel is the label of series that has a pod's name, or its UID if it is UIDLabel. When it is empty the query has one
	// value: for all pods, or with variables for the pod that it was asked for.
	PodLabel string
	// NamespaceLabel is the label that has a pod's namespace; all series are of the namespace when it is empty. It does not
	// matter where the pod is known by its UID, or not by a label.
	NamespaceLabel string
	// Window is how far back the query looks. An answer counts from that long after the containers became ready.
	Window time.Duration
	// Expression says which value passes. Its variables are expr.Value and expr.Pod.
	Expression *expr.Program
}

// ErrNoSuchServer means that no administrator named the server.
var ErrNoSuchServer = errors.New("there is no such server")

// Checker asks a Prometheus.
type Checker struct {
	api        v1.API
	query      variables.Text
	about      about
	window     time.Duration
	expression *expr.Program
	timeout    time.Duration
	// turn, one of its namespace at the server, and one of the server's are taken for each query, one after the other.
	turn      chan struct{}
	server    *server
	namespace string
	empty     prometheus.Counter
}

var _ check.Checker = Checker{}

// Check returns a check that answers within the time-out. An error means that the settings can never work.
func (s *Servers) Check(settings Settings, timeout time.Duration) (Checker, error) {
	at, known := s.byName[settings.Server]
	if !known {
		return Checker{}, fmt.Errorf("%w: %q", ErrNoSuchServer, settings.Server)
	}

	query, err := variables.Parse(settings.Query)
	if err != nil {
		return Checker{}, fmt.Errorf("query: %w", err)
	}

	return Checker{
		api:        v1.NewAPI(client{server: at, namespace: settings.Namespace}),
		query:      query,
		about:      about{label: settings.PodLabel, namespaceLabel: settings.NamespaceLabel, namespace: settings.Namespace},
		window:     settings.Window,
		expression: settings.Expression,
		timeout:    timeout,
		turn:       make(chan struct{}, 1),
		server:     at,
		namespace:  settings.Namespace,
		empty:      s.empty.WithLabelValues(settings.Server),
	}, nil
}

// Check implements check.Checker.
func (c Checker) Check(ctx context.Context, subjects []check.Subject) (map[types.UID]check.Answer, error) {
	answers := make(map[types.UID]check.Answer, len(subjects))
	due := c.due(subjects, answers)

	ask := c.askOnce
	if c.query.PerPod() {
		ask = c.askEach
	}
	maps.Copy(answers, ask(ctx, due))

	// When the context ended meanwhile, nobody knows which answers it cut off.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return answers, nil
}

// due returns the pods that an answer of now counts for, and answers for the others.
func (c Checker) due(subjects []check.Subject, answers map[types.UID]check.Answer) []check.Subject {
	now := time.Now()

	var due []check.Subject
	for _, pod := range subjects {
		if c.counts(pod, now) {
			due = append(due, pod)
			continue
		}
		answers[pod.UID] = check.Answer{Word: check.LooksBack}
	}

	return due
}

// counts reports whether an answer of a time is about this pod, and not in part about the time before its containers became ready,
// or about the pod that had its name or its address before.
func (c Checker) counts(pod check.Subject, evaluated time.Time) bool {
	if pod.Pod == nil || !binding.IsTrue(pod.Pod, corev1.ContainersReady) {
		return false
	}

	window := c.window
	if c.inherits(pod) {
		window = max(window, inherited)
	}
	since := pod.Since
	if since.IsZero() {
		since = binding.Condition(pod.Pod, corev1.ContainersReady).LastTransitionTime.Time
	}
	return !evaluated.Before(since.Add(window))
}

// inherits reports whether the query may find series of another pod for this one. What all pods share is nobody's, and a
// UID does not return.
func (c Checker) inherits(pod check.Subject) bool {
	byName := c.about.label != "" || c.query.PerPod()
	return c.about.label != UIDLabel && byName && (check.NameReturns(pod.Pod) || c.query.OfIP())
}

// askOnce asks one query for all pods.
func (c Checker) askOnce(ctx context.Context, pods []check.Subject) map[types.UID]check.Answer {
	if len(pods) == 0 {
		return nil
	}

	query, _ := c.query.Fill(check.Subject{})
	found := c.ask(ctx, query)

	answers := make(map[types.UID]check.Answer, len(pods))
	for _, pod := range pods {
		answers[pod.UID] = c.answer(ctx, pod, found)
	}
	return answers
}

// askEach asks a query for each pod.
func (c Checker) askEach(ctx context.Context, pods []check.Subject) map[types.UID]check.Answer {
	all := make([]check.Answer, len(pods))

	var asking sync.WaitGroup
	for i, pod := range pods {
		asking.Go(func() {
			query, ok := c.query.Fill(pod)
			if !ok {
				all[i] = check.Answer{Word: check.VariableUnusable}
				return
			}
			all[i] = c.answer(ctx, pod, c.ask(ctx, query))
		})
	}
	asking.Wait()

	answers := make(map[types.UID]check.Answer, len(pods))
	for i, pod := range pods {
		answers[pod.UID] = all[i]
	}
	return answers
}

// ask asks the server once it is the check's turn, within the time-out.
func (c Checker) ask(ctx context.Context, query string) found {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	ofNamespace, leave := c.server.enter(c.namespace)
	defer leave()
	for _, turns := range []chan struct{}{c.turn, ofNamespace, c.server.turns} {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-ctx.Done():
			return found{word: check.AtServer(check.TimedOut)}
		}
	}

	// Without a time the server says at which one it evaluated the query, even if it has the answer from a cache.
	value, warnings, _, err := c.api.Query(ctx, query, time.Time{}, v1.WithTimeout(wholeSeconds(c.timeout)), v1.WithLimit(maxSeries+1))
	switch {
	case ctx.Err() != nil:
		return found{word: check.AtServer(check.TimedOut)}
	case err != nil:
		return found{word: explain(err)}
	}

	f := c.about.read(value, warnings)
	if f.empty {
		c.empty.Inc()
	}
	return f
}

// wholeSeconds rounds a time-out up: Prometheus reads no fractions where there is a unit.
func wholeSeconds(timeout time.Duration) time.Duration {
	return (timeout + time.Second - 1).Truncate(time.Second)
}

// answer says what was found about one pod.
func (c Checker) answer(ctx context.Context, pod check.Subject, f found) check.Answer {
	one, word, ok := f.of(c.about.key(pod))
	if !ok {
		return check.Answer{Word: word}
	}

	// The server's clock decides, too: a cache may answer as of some time ago.
	if !c.counts(pod, one.evaluated) {
		return check.Answer{Word: check.LooksBack}
	}

	return c.expression.Answer(ctx, expr.Input{Value: one.value, Pod: pod.Pod})
}
