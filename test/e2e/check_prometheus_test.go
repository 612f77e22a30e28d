// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/test/prometheus"
)

// asksPrometheus asks a real Prometheus about a pod whose gates differ in their query, and about that of a StatefulSet, which
// comes again under its name. Prometheus goes away and comes back.
func asksPrometheus(w *world, p *prometheus.Process) {
	l := w.lab()
	var gates []corev1.PodConditionType
	for name, query := range map[string]string{
		"opens": "warm", "fails": "late", "empty": "nothing", "nan": "zero / zero", "several": "twice", "elsewhere": "elsewhere",
	} {
		gates = append(gates, l.gate(name, asked(query, ""), ""))
	}
	l.create(replicaSet(l.namespace, "web", gates...))
	l.create(statefulSet(l.namespace, "db",
		l.gate("name", asked("max by (namespace, pod) (ready)", ""), ""),
		l.gate("uid", asked("max by (uid) (ready)", ", podLabel: uid"), "")))

	web, first := l.podOf("web").Name, l.podOf("db")
	m := metrics{process: p, lines: map[string]string{}}
	for name, value := range map[string]int{"warm": 1, "late": 0, "zero": 0} {
		m.lines[name] = fmt.Sprintf("%s{namespace=%q,pod=%q} %d", name, l.namespace, web, value)
	}
	for _, shard := range []string{"a", "b"} {
		m.lines[shard] = fmt.Sprintf("twice{namespace=%q,pod=%q,shard=%q} 1", l.namespace, web, shard)
	}
	m.set("elsewhere", fmt.Sprintf("elsewhere{namespace=%q,pod=%q} 1", "other", web))

	said := map[gateOf]verdict{
		{web, "opens"}: passes(), {web, "fails"}: fails("the expression is false"), {web, "empty"}: noAnswer("no series for this pod"),
		{web, "nan"}: noAnswer("the value is not a finite number"), {web, "several"}: noAnswer("several series for this pod"),
		{web, "elsewhere"}: noAnswer("no series for this pod"),
	}
	l.waitSaid(said)

	// By its UID the first pod opens at once, and by its name nobody can tell it from one before it.
	looksBack := verdict{reason: v1alpha1.ReasonCheckWaiting, word: "the query still looks back to before the pod was ready"}
	ready := func(pod *corev1.Pod) string {
		return fmt.Sprintf("ready{namespace=%q,pod=%q,uid=%q} 1", l.namespace, pod.Name, pod.UID)
	}
	m.set("ready", ready(first))
	l.waitSaid(map[gateOf]verdict{{"db-0", "name"}: looksBack, {"db-0", "uid"}: passes()})

	// The successor finds its predecessor's series, and opens by neither.
	l.must(l.cluster.Delete(l.ctx, first))
	second := l.podOf("db")
	said[gateOf{"db-0", "name"}], said[gateOf{"db-0", "uid"}] = looksBack, noAnswer("no series for this pod")
	l.waitSaid(said)

	// What is open stays open without Prometheus, and what is closed stays closed.
	p.Stop(l.t)
	away := maps.Clone(said)
	for of, v := range said {
		if !v.open && v != looksBack {
			away[of] = noAnswer("server: connection refused")
		}
	}
	l.waitSaid(away)
	l.tells([]string{"explain", "-n", l.namespace, web}, v1alpha1.CheckPrefix+"fails: ", "Check.NoAnswer", "asked: server: connection refused")

	m.set("late", fmt.Sprintf("late{namespace=%q,pod=%q} 1", l.namespace, web))
	m.set("ready", ready(second))
	p.Run(l.t)
	said[gateOf{web, "fails"}], said[gateOf{"db-0", "uid"}] = passes(), passes()
	l.waitSaid(said)
}

// asked is a check of a query that passes with the value 1. It says of itself that it looks back for a second only.
func asked(query, rest string) string {
	return fmt.Sprintf("periodSeconds: 1, prometheus: {server: main, query: %q, windowSeconds: 1, expression: value == 1.0%s}", query, rest)
}

// metrics are what pods tell Prometheus, one line under each name.
type metrics struct {
	process *prometheus.Process
	lines   map[string]string
}

// set changes one line.
func (m metrics) set(name, line string) {
	m.lines[name] = line
	m.process.Expose(strings.Join(slices.Collect(maps.Values(m.lines)), "\n") + "\n")
}
