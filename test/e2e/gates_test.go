// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/test/env"
)

// gateStep is what a user saw of a pod's gate at one time.
type gateStep struct {
	// Printed is the cell READINESS GATES of kubectl get pods -o wide.
	Printed string
	// Status, Reason and Message are the condition's; all empty before there is one.
	Status, Reason, Message string
}

// gateWatch records what the API server prints and says of the pods of a namespace: it
// watches the table that kubectl shows, with the pods in it.
type gateWatch struct {
	kind   corev1.PodConditionType
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	steps map[string][]gateStep
	err   error
}

// tableType asks for what kubectl asks for.
const tableType = "application/json;as=Table;v=v1;g=meta.k8s.io"

// gateType is the condition type of the application's gate: VPC Lattice has one for all of a pod's groups, and without a load
// balancer it is that of the ReadinessGate.
func (s *service) gateType() corev1.PodConditionType {
	if s.app.LatticeARN != "" {
		return gwc.Gate
	}
	if s.app.Checks != "" && s.app.TargetGroupARN == "" {
		return env.CheckGate
	}
	return corev1.PodConditionType("target-health.elbv2.k8s.aws/" + s.app.Name)
}

func (s *service) watchGates() *gateWatch {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.ctx)
	w := &gateWatch{
		kind: s.gateType(), cancel: cancel,
		done: make(chan struct{}), steps: map[string][]gateStep{},
	}

	open := func() (io.ReadCloser, error) {
		return s.clientset.CoreV1().RESTClient().Get().Namespace(s.app.Namespace).Resource("pods").
			Param("watch", "true").Param("includeObject", "Object").SetHeader("Accept", tableType).Stream(ctx)
	}

	stream, err := open()
	if err != nil {
		cancel()
		s.t.Fatalf("watch the table of pods: %v", err)
	}

	go w.run(ctx, stream, open)
	return w
}

func (w *gateWatch) stop() {
	w.cancel()
	<-w.done
}

// run watches until it is stopped; an API server that goes away is looked for again. What
// happened meanwhile shows in the pods as they are then.
func (w *gateWatch) run(ctx context.Context, stream io.ReadCloser, open func() (io.ReadCloser, error)) {
	defer close(w.done)
	again := time.NewTicker(lookInterval)
	defer again.Stop()

	for {
		if err := w.read(stream); err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.err = fmt.Errorf("watch the table of pods: %w", err)
			return
		}

		for stream = nil; stream == nil; {
			select {
			case <-ctx.Done():
				return
			case <-again.C:
			}
			stream, _ = open() // without an answer there is another attempt
		}
	}
}

// read takes tables until the stream ends, which is no error.
func (w *gateWatch) read(stream io.ReadCloser) error {
	defer func() { _ = stream.Close() }()
	events := json.NewDecoder(stream)
	column := -1
	for {
		var event struct {
			Type   string
			Object metav1.Table
		}
		if err := events.Decode(&event); err != nil {
			return nil // that is how a stream ends
		}
		var err error
		if column, err = w.see(event.Object, column); err != nil {
			return err
		}
	}
}

// see takes the rows of a table, and returns where its column is: only the first table
// of a watch has a head.
func (w *gateWatch) see(table metav1.Table, column int) (int, error) {
	for i, c := range table.ColumnDefinitions {
		if c.Name == "Readiness Gates" {
			column = i
		}
	}

	for _, row := range table.Rows {
		if column < 0 || column >= len(row.Cells) {
			return column, errors.New("the table has no column Readiness Gates")
		}
		var pod corev1.Pod
		if err := json.Unmarshal(row.Object.Raw, &pod); err != nil {
			return column, err
		}
		w.note(&pod, fmt.Sprint(row.Cells[column]))
	}

	return column, nil
}

// note keeps what is new, until the pod is deleted: what its containers' end does to
// its gate nobody waits for.
func (w *gateWatch) note(pod *corev1.Pod, printed string) {
	if pod.DeletionTimestamp != nil {
		return
	}

	step := gateStep{Printed: printed}
	for _, c := range pod.Status.Conditions {
		if c.Type == w.kind {
			step.Status, step.Reason, step.Message = string(c.Status), c.Reason, c.Message
		}
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.steps[pod.Name]
	if len(seen) == 0 || seen[len(seen)-1] != step {
		w.steps[pod.Name] = append(seen, step)
	}
}

// histories are the steps of each pod that was seen.
func (w *gateWatch) histories() (map[string][]gateStep, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string][]gateStep{}
	for pod, steps := range w.steps {
		all[pod] = slices.Clone(steps)
	}
	return all, w.err
}
