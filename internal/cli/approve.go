// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check/manual"
)

func newApprove(e *environment) *cobra.Command {
	var a approving
	cmd := &cobra.Command{
		Use:   "approve GATE [--revision HASH | --pod POD | --all] --reason TEXT",
		Short: "Let pods pass the manual checks of a ReadinessGate",
		Long: "approve lets pods pass the manual checks of a ReadinessGate: those of a revision, one pod, or all that wait now, as the scope of the checks says. " +
			"With the scope Gate one approval is for all pods, now and later. It is written into the ReadinessGate, with your name and your words. " +
			"You need the permission to patch that ReadinessGate, and the verb approve on it.\n\n" +
			"A pod's revision is its label pod-template-hash, controller-revision-hash or rollouts-pod-template-hash; a pod without one is approved by --pod. " +
			"A ReadinessGate has 64 approvals at most: when there would be more, those of revisions and pods that are gone are removed.",
		Example:           "  podgate approve -n shop warm --revision 5d8f7c9b6 --reason 'dashboards look good'",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: e.completeManual,
		RunE:              func(cmd *cobra.Command, args []string) error { return e.approve(cmd.Context(), args[0], a) },
	}

	cmd.Flags().StringVar(&a.revision, "revision", "", "the revision whose pods may pass: its hash, as in the pods' labels")
	cmd.Flags().StringVar(&a.pod, "pod", "", "the pod that may pass")
	cmd.Flags().BoolVar(&a.all, "all", false, "all that wait now may pass")
	cmd.Flags().StringVar(&a.reason, "reason", "", "why, for whoever finds it (required)")
	cmd.MarkFlagsMutuallyExclusive("revision", "pod", "all")

	for _, err := range []error{
		cmd.MarkFlagRequired("reason"),
		cmd.RegisterFlagCompletionFunc("revision", e.completeWaiting(func(c carrier) string { return manual.Revision(c.Subject) })),
		cmd.RegisterFlagCompletionFunc("pod", e.completeWaiting(func(c carrier) string { return c.name })),
	} {
		if err != nil {
			panic(err) // the flags were declared some lines above
		}
	}

	return cmd
}

// approving is what a person wants to approve of, and why.
type approving struct {
	revision, pod, reason string
	all                   bool
}

// Approved is what approve did.
type Approved struct {
	Namespace string `json:"namespace"`
	Gate      string `json:"gate"`
	// Keys are what was approved of: revision/HASH, pod/UID or gate; none where somebody had done so before.
	Keys   []manual.Key `json:"keys"`
	By     string       `json:"by"`
	Reason string       `json:"reason"`
	At     metav1.Time  `json:"at"`
	// Message says it for people.
	Message string `json:"message"`
	// Trouble is what was wrong with the approvals before, and why podgate does not go by them now.
	Trouble []string `json:"trouble,omitempty"`
}

// write is for people.
func (d *Approved) write(p *paper) {
	p.printf("%s\n", d.Message)
	for _, t := range d.Trouble {
		p.printf("%s %s\n", p.paint(red, "trouble:"), t)
	}
}

func (e *environment) approve(ctx context.Context, name string, a approving) error {
	kube, namespace, err := e.here()
	if err != nil {
		return err
	}

	key := types.NamespacedName{Namespace: namespace, Name: name[strings.LastIndex(name, "/")+1:]}
	for try := 1; ; try++ {
		gate, err := readManual(ctx, kube, key)
		if err != nil {
			return err
		}

		done, err := e.approveOnce(ctx, kube, gate, a)
		if apierrors.IsConflict(err) && try < tries {
			continue
		}
		if err != nil {
			return err
		}

		return e.write(done, done.write)
	}
}

func (e *environment) approveOnce(ctx context.Context, kube client.Client, gate *manualGate, a approving) (*Approved, error) {
	keys, err := gate.keys(a)
	if err != nil {
		return nil, err
	}

	user, now := e.atServer(ctx, kube)
	if user == "" {
		return nil, errors.New("the API server does not tell your name, and an approval needs one")
	}

	approvals, wrong := manual.Parse(gate.Annotations[v1alpha1.ApprovalsAnnotation])
	first := approvals[keys[0]]
	keys = slices.DeleteFunc(keys, func(key manual.Key) bool { return !approvals[key].At.IsZero() })
	if len(keys) == 0 {
		return &Approved{
			Namespace: gate.Namespace, Gate: gate.Name, Keys: []manual.Key{}, By: first.By, Reason: first.Reason, At: metav1.NewTime(first.At),
			Message: fmt.Sprintf("ReadinessGate %s/%s has that approval already, by %s at %s: %s", gate.Namespace, gate.Name, first.By, first.At.Format(time.RFC3339), first.Reason),
		}, nil
	}

	for _, key := range keys {
		approvals[key] = manual.Approval{By: user, At: now, Reason: a.reason}
	}
	if err := gate.write(ctx, kube, approvals); err != nil {
		return nil, err
	}

	done := &Approved{Namespace: gate.Namespace, Gate: gate.Name, Keys: keys, By: user, Reason: a.reason, At: metav1.NewTime(now)}
	done.Message = fmt.Sprintf("Approved at ReadinessGate %s/%s: %s. Their gates open when the other checks let them.", gate.Namespace, gate.Name, gate.named(keys))
	if wrong != nil {
		done.Trouble = append(done.Trouble, fmt.Sprintf("What could not be read was removed: %v", wrong))
	}

	unled, err := e.unled(ctx, kube, now)
	done.Trouble = append(done.Trouble, unled...)
	return done, err
}

// write replaces the gate's approvals, unless the gate was changed since it was read.
func (g *manualGate) write(ctx context.Context, kube client.Client, approvals manual.Approvals) error {
	// Nobody else removes what no pod needs any more.
	if len(approvals) > manual.Max {
		for _, key := range approvals.Unused(g.subjects()) {
			delete(approvals, key)
		}
	}

	text, err := approvals.Format()
	if err != nil {
		return fmt.Errorf("approve at ReadinessGate %s/%s: %w", g.Namespace, g.Name, err)
	}

	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": g.UID, "resourceVersion": g.ResourceVersion, "annotations": map[string]string{v1alpha1.ApprovalsAnnotation: text},
	}})
	if err != nil {
		return err
	}

	if err := kube.Patch(ctx, g.DeepCopy(), client.RawPatch(types.MergePatchType, body)); err != nil {
		return fmt.Errorf("patch ReadinessGate %s/%s: %w", g.Namespace, g.Name, err)
	}
	return nil
}
