// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
)

func newGateWatch(e *environment) *cobra.Command {
	var all bool
	var since string
	cmd := &cobra.Command{
		Use:   "watch [--since TIME]",
		Short: "Write a line of JSON whenever a gate opens or closes",
		Long: "watch follows the gates that podgate writes, and writes one line of JSON for each that opens or closes, for scripts. It goes on when the API server was away. " +
			"With --since it begins with the gates that have changed since then: the time of the last line that a script has read lets it go on without a gap. " +
			"A gate that changed several times meanwhile has one line, and a line may come twice.",
		Example: "  podgate gate watch -n shop --since 10m | jq -r 'select(.status == \"True\") | .pod'",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.watchGates(cmd.Context(), all, since) },
	}
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "of all namespaces")
	cmd.Flags().StringVar(&since, "since", "", "begin with what has changed since then: a time such as 2026-11-30T12:00:00Z, or how long ago, such as 10m")
	return cmd
}

// GateChange is a gate that opened or closed.
type GateChange struct {
	// Time is when, as the condition says it.
	Time      metav1.Time `json:"time"`
	Namespace string      `json:"namespace"`
	Pod       string      `json:"pod"`
	UID       types.UID   `json:"uid"`
	Node      string      `json:"node,omitempty"`
	// Gate is the condition type.
	Gate    string                 `json:"gate"`
	Status  corev1.ConditionStatus `json:"status"`
	Reason  string                 `json:"reason,omitempty"`
	Message string                 `json:"message,omitempty"`
}

func (e *environment) watchGates(ctx context.Context, all bool, since string) error {
	from, err := parseSince(since, e.Now())
	if err != nil {
		return err
	}

	kube, namespace, err := e.here()
	if err != nil {
		return err
	}
	options := cache.Options{ReaderFailOnMissingInformer: true}
	if all {
		namespace = ""
	} else {
		options.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	}

	// A cache tries again and again, and does not say why nothing comes.
	if err := kube.List(ctx, &corev1.PodList{}, client.InNamespace(namespace), client.Limit(1)); err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	tried, err := kube.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace))
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	tried.Stop()

	config, err := e.restConfig()
	if err != nil {
		return err
	}
	pods, err := cache.New(config, options)
	if err != nil {
		return fmt.Errorf("follow pods: %w", err)
	}
	informer, err := pods.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("follow pods: %w", err)
	}

	w := &gateWatch{environment: e, since: from, known: map[types.UID]map[corev1.PodConditionType]corev1.ConditionStatus{}}
	registered, err := informer.AddEventHandler(toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    func(o any, first bool) { w.see(o, first) },
		UpdateFunc: func(_, o any) { w.see(o, false) },
		DeleteFunc: w.forget,
	})
	if err != nil {
		return fmt.Errorf("follow pods: %w", err)
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.end = cancel
	go func() {
		if toolscache.WaitForCacheSync(ctx.Done(), registered.HasSynced) {
			w.begin()
		}
	}()

	err = pods.Start(ctx)
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// parseSince reads the flag; the zero time when it is not given.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--since=%s: want a time such as 2026-11-30T12:00:00Z, or how long ago, such as 10m", text)
	}
	return at, nil
}

// gateWatch writes what changes.
type gateWatch struct {
	*environment
	since time.Time
	end   context.CancelCauseFunc

	mu sync.Mutex
	// begun: what was there at the beginning has been written.
	begun bool
	// early are the changes from before that.
	early []GateChange
	known map[types.UID]map[corev1.PodConditionType]corev1.ConditionStatus
}

// see takes in a pod. What is there at the beginning has changed earlier.
func (w *gateWatch) see(o any, first bool) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range pod.Spec.ReadinessGates {
		c := binding.Condition(pod, g.ConditionType)
		if c == nil || !w.kinds.Owns(string(g.ConditionType)) || w.known[pod.UID][g.ConditionType] == c.Status {
			continue
		}

		if w.known[pod.UID] == nil {
			w.known[pod.UID] = map[corev1.PodConditionType]corev1.ConditionStatus{}
		}
		w.known[pod.UID][g.ConditionType] = c.Status
		if first && (w.since.IsZero() || c.LastTransitionTime.Time.Before(w.since.Truncate(time.Second))) {
			continue
		}

		w.write(GateChange{
			Time: c.LastTransitionTime, Namespace: pod.Namespace, Pod: pod.Name, UID: pod.UID, Node: pod.Spec.NodeName,
			Gate: string(c.Type), Status: c.Status, Reason: c.Reason, Message: c.Message,
		})
	}
}

// write writes a change, or keeps it for the beginning; mu is held.
func (w *gateWatch) write(change GateChange) {
	if !w.begun {
		w.early = append(w.early, change)
		return
	}

	line, err := stdjson.Marshal(change)
	if err == nil {
		_, err = w.Out.Write(append(line, '\n'))
	}
	if err != nil {
		w.end(fmt.Errorf("write: %w", err)) // Nobody reads it any more.
	}
}

// begin writes what there was at the beginning, in the order in which it happened.
func (w *gateWatch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = true
	slices.SortStableFunc(w.early, func(a, b GateChange) int {
		return cmp.Or(a.Time.Compare(b.Time.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Gate, b.Gate))
	})
	for _, change := range w.early {
		w.write(change)
	}
	w.early = nil
}

func (w *gateWatch) forget(o any) {
	if late, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = late.Obj
	}
	if pod, ok := o.(*corev1.Pod); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.known, pod.UID)
	}
}
