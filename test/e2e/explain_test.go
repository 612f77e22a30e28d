// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// explainTimeout bounds looking around after a failure.
const explainTimeout = 30 * time.Second

// explainFailure logs, after a failed test, what podgate's side has to say.
func (w *world) explainFailure() {
	if !w.t.Failed() {
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), explainTimeout)
	defer cancel()
	w.tell("pods of podgate", w.table(ctx, podgateNamespace, "pods"))
	w.tell("events of podgate", w.events(ctx, podgateNamespace))
	pods, err := w.podgatePods(ctx)
	if err != nil {
		w.t.Log(err)
	}

	for _, p := range pods {
		w.tell("log of "+p.Name, w.log(ctx, p.Name, false))
		if len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].RestartCount > 0 {
			w.tell("log of "+p.Name+" before its restart", w.log(ctx, p.Name, true))
		}
	}
}

// explainFailure logs, after a failed test, what is known of the service.
func (s *service) explainFailure() {
	if !s.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), explainTimeout)
	defer cancel()
	s.tell("pods", s.table(ctx, s.app.Namespace, "pods"))
	s.tell("target group binding", s.binding(ctx))
	s.tell("events", s.events(ctx, s.app.Namespace))
	s.tell("gates", s.gateHistories())
	s.tell("last calls of the simulator", s.lastCalls(ctx))
	s.tell("last transitions of the targets", s.lastTransitions(ctx))
}

func (w *world) tell(what, text string) {
	w.t.Logf("%s:\n%s", what, strings.TrimSpace(text))
}

// log is the end of a replica's log.
func (w *world) log(ctx context.Context, pod string, previous bool) string {
	lines := int64(150)
	b, err := w.clientset.CoreV1().Pods(podgateNamespace).GetLogs(pod, &corev1.PodLogOptions{TailLines: &lines, Previous: previous}).DoRaw(ctx)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// table is what kubectl get -o wide prints.
func (w *world) table(ctx context.Context, namespace, resource string) string {
	b, err := w.clientset.CoreV1().RESTClient().Get().Namespace(namespace).Resource(resource).SetHeader("Accept", tableType).DoRaw(ctx)
	if err != nil {
		return err.Error()
	}

	var t metav1.Table
	if err := json.Unmarshal(b, &t); err != nil {
		return err.Error()
	}

	var out strings.Builder
	for _, c := range t.ColumnDefinitions {
		out.WriteString(strings.ToUpper(c.Name) + "  ")
	}

	for _, r := range t.Rows[:min(len(t.Rows), 50)] {
		out.WriteString("\n")
		for _, cell := range r.Cells {
			fmt.Fprintf(&out, "%v  ", cell)
		}
	}

	return out.String()
}

func (w *world) events(ctx context.Context, namespace string) string {
	var list corev1.EventList
	if err := w.cluster.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return err.Error()
	}

	var lines []string
	for _, e := range list.Items {
		at := e.LastTimestamp.Time
		if at.IsZero() {
			at = e.EventTime.Time
		}
		lines = append(lines, fmt.Sprintf("%s %s %s/%s %s: %s", at.Format(time.TimeOnly), e.Type, e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message))
	}

	slices.Sort(lines)
	return strings.Join(last(lines, 80), "\n")
}

// binding is the TargetGroupBinding's metadata and status.
func (s *service) binding(ctx context.Context) string {
	u, err := s.bindingObject(ctx)
	if err != nil {
		return err.Error()
	}
	u.SetManagedFields(nil)
	b, err := json.MarshalIndent(u.Object, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (s *service) gateHistories() string {
	all, err := s.gates.histories()
	if err != nil {
		return err.Error()
	}
	var lines []string
	for pod, steps := range all {
		lines = append(lines, fmt.Sprintf("%s %q", pod, steps))
	}
	slices.Sort(lines)
	return strings.Join(last(lines, 50), "\n")
}

func (s *service) lastCalls(ctx context.Context) string {
	calls, err := s.sim.Calls(ctx, 0)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, c := range calls {
		lines = append(lines, fmt.Sprintf("%s %s %v %d %s", c.Time.Format("15:04:05.000"), c.Operation, c.Targets, c.HTTPStatus, c.ErrorCode))
	}
	return strings.Join(last(lines, 60), "\n")
}

func (s *service) lastTransitions(ctx context.Context) string {
	transitions, err := s.transitions(ctx)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, t := range transitions {
		lines = append(lines, fmt.Sprintf("%s %s %s: %s -> %s %s", t.Time.Format("15:04:05.000"), t.Target.ID, t.Clock, t.From, t.To, t.Reason))
	}
	return strings.Join(last(lines, 100), "\n")
}

func last(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }
