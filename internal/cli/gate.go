// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	podcontroller "github.com/podgate/podgate/internal/controller/pods"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/override"
)

// DefaultOverride is how long an override lasts that does not say.
const DefaultOverride = 15 * time.Minute

func newGate(e *environment) *cobra.Command {
	cmd := &cobra.Command{Use: "gate", Short: "Set a gate of a pod by hand, take that back, and follow gates"}
	var o order
	set := &cobra.Command{
		Use:   "set POD TYPE true|false --reason TEXT",
		Short: "Open or close a readiness gate of a pod by hand",
		Long: "set opens or closes a readiness gate of a pod. A gate that podgate serves gets an override: podgate writes the condition, with reason Overridden and your words, " +
			"and decides the gate again when the time is over. Any other gate of the pod gets the condition itself, which stays until somebody changes it. " +
			"Conditions of Kubernetes itself are refused.\n\n" +
			"An override is an annotation of the pod with its UID, status, reason, your name and the end. A deleted binding releases its gates in spite of it.",
		Example:           "  podgate gate set -n shop web-5d8f7c9b6-x2x4p target-health.elbv2.k8s.aws/web true --reason 'INC-42: health check path is broken' --for 30m",
		Args:              cobra.ExactArgs(3),
		ValidArgsFunction: e.completeGates,
		RunE: func(cmd *cobra.Command, args []string) error {
			status, err := parseStatus(args[2])
			if err != nil {
				return err
			}
			o.status = status
			return e.setGate(cmd.Context(), args[0], args[1], &o)
		},
	}

	set.Flags().StringVar(&o.reason, "reason", "", "why, for whoever finds it (required)")
	set.Flags().DurationVar(&o.span, "for", DefaultOverride, "how long an override lasts, 24h at most; other gates have no end")

	if err := set.MarkFlagRequired("reason"); err != nil {
		panic(err) // the flag was declared two lines above
	}

	cmd.AddCommand(newGateWatch(e), set, &cobra.Command{
		Use:               "clear POD TYPE",
		Short:             "End an override: podgate decides the gate again",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: e.completeGates,
		RunE:              func(cmd *cobra.Command, args []string) error { return e.setGate(cmd.Context(), args[0], args[1], nil) },
	})

	return cmd
}

// order is what a person wants of a gate.
type order struct {
	status gate.Status
	reason string
	span   time.Duration
}

func parseStatus(text string) (gate.Status, error) {
	switch strings.ToLower(text) {
	case "true":
		return gate.StatusTrue, nil
	case "false":
		return gate.StatusFalse, nil
	}
	return "", fmt.Errorf("status %q: must be true or false", text)
}

// GateSet is what gate set and gate clear did.
type GateSet struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Type      string `json:"type"`
	// Override tells that podgate does it, and ends it.
	Override bool        `json:"override"`
	Status   gate.Status `json:"status,omitempty"`
	// Until is when it ends.
	Until *metav1.Time `json:"until,omitempty"`
	// Message says it for people.
	Message string `json:"message"`
	// Trouble is why podgate does not do it now.
	Trouble []string `json:"trouble,omitempty"`
}

// write is for people.
func (d *GateSet) write(p *paper) {
	p.printf("%s\n", d.Message)
	for _, t := range d.Trouble {
		p.printf("%s %s\n", p.paint(red, "trouble:"), t)
	}
}

// tries is how often a pod is read anew that changed meanwhile.
const tries = 5

// setGate sets a gate, or ends its override where there is no order.
func (e *environment) setGate(ctx context.Context, name, gateType string, o *order) error {
	kube, namespace, err := e.here()
	if err != nil {
		return err
	}

	key := types.NamespacedName{Namespace: namespace, Name: strings.TrimPrefix(name, "pod/")}
	var first types.UID
	for try := 1; ; try++ {
		var pod corev1.Pod
		if err := kube.Get(ctx, key, &pod); err != nil {
			return fmt.Errorf("get pod %s: %w", key, err)
		}

		if first != "" && first != pod.UID {
			return fmt.Errorf("pod %s was replaced in the meantime: look at it first", key)
		}

		first = pod.UID
		done, err := e.setOnce(ctx, kube, &pod, gateType, o)
		if apierrors.IsConflict(err) && try < tries {
			continue
		}
		if err != nil {
			return err
		}

		return e.write(done, done.write)
	}
}

func (e *environment) setOnce(ctx context.Context, kube client.Client, pod *corev1.Pod, gateType string, o *order) (*GateSet, error) {
	if err := settable(pod, gateType); err != nil {
		return nil, err
	}

	serves, err := servedGate(ctx, kube, e.kinds, pod, gateType)
	if err != nil {
		return nil, err
	}
	if serves {
		return e.override(ctx, kube, pod, gateType, o)
	}
	if o == nil {
		return nil, fmt.Errorf("podgate does not serve gate %s, so there is no override to end: set it to what it should be", gateType)
	}

	return e.setCondition(ctx, kube, pod, gateType, *o)
}

// settable tells why a condition of a pod is not to be set by hand.
func settable(pod *corev1.Pod, gateType string) error {
	domain, _, qualified := strings.Cut(gateType, "/")
	if !qualified && len(meant(pod, gateType)) > 0 {
		return fmt.Errorf("%s is not a gate: give its whole name, %s", gateType, strings.Join(meant(pod, gateType), " or "))
	}
	if !qualified || isOf(domain, "kubernetes.io") || isOf(domain, "k8s.io") {
		return fmt.Errorf("condition %s is Kubernetes' own: its kubelet or controllers write it, and nobody else may", gateType)
	}

	var all []string
	for _, g := range pod.Spec.ReadinessGates {
		all = append(all, string(g.ConditionType))
	}

	if !slices.Contains(all, gateType) {
		return fmt.Errorf("pod %s has no readiness gate %s, so setting it would change nothing; its gates: %s", pod.Name, gateType, or(joined(all...)))
	}

	return nil
}

// meant are the gates of a pod whose binding has a name.
func meant(pod *corev1.Pod, name string) []string {
	var all []string
	for _, g := range pod.Spec.ReadinessGates {
		if _, of, _ := strings.Cut(string(g.ConditionType), "/"); of == name {
			all = append(all, string(g.ConditionType))
		}
	}
	return all
}

// isOf reports whether a domain is another or within it.
func isOf(domain, other string) bool {
	return domain == other || strings.HasSuffix(domain, "."+other)
}

// servedGate reports whether podgate writes a gate's condition: it would write its own over
// what somebody else writes.
func servedGate(ctx context.Context, r client.Reader, kinds gates.Kinds, pod *corev1.Pod, gateType string) (bool, error) {
	if !kinds.Owns(gateType) {
		return false, nil
	}

	reader, err := newSnapshot(ctx, r, kinds)
	if err != nil {
		return false, err
	}

	_, ours, err := reader.sources(ctx, pod, gateType)
	switch {
	case reader.undefined:
		return false, nil // A podgate without its kinds does not start.
	case apierrors.IsForbidden(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("find what gate %s waits for: %w", gateType, err)
	}

	return ours, nil
}

// override has podgate set the gate, or end that.
func (e *environment) override(ctx context.Context, kube client.Client, pod *corev1.Pod, gateType string, o *order) (*GateSet, error) {
	user, now := e.atServer(ctx, kube)
	done := &GateSet{Namespace: pod.Namespace, Pod: pod.Name, Type: gateType, Override: true}
	var next *override.Order
	if o != nil {
		until := now.Add(o.span)
		next = &override.Order{Status: o.status, Reason: o.reason, By: user, At: now, Until: until}
		if err := next.Check(); err != nil {
			return nil, fmt.Errorf("set gate %s: %w", gateType, err)
		}
		done.Status, done.Until = o.status, &metav1.Time{Time: until}
	}

	value, err := override.Of(pod).With(gateType, next, now).Value()
	if err != nil {
		return nil, err
	}

	written := &value
	if value == "" {
		written = nil
	}

	body, err := podcontroller.Patch(pod.UID, pod.ResourceVersion, map[string]*string{v1alpha1.OverrideAnnotation: written}, nil)
	if err != nil {
		return nil, err
	}

	if err := patchStatus(ctx, kube, pod, body); err != nil {
		return nil, err
	}

	done.Message = done.words()
	done.Trouble, err = e.unled(ctx, kube, now)
	return done, err
}

// unled tells why no leader obeys an order; nothing when one does, or when that cannot be read.
func (e *environment) unled(ctx context.Context, kube client.Reader, now time.Time) ([]string, error) {
	in, unread := &Installation{Namespace: e.home}, gaps{}
	if err := in.configure(ctx, kube, &unread); err != nil {
		return nil, err
	}
	in.Trouble = nil // of gates for pods to come
	err := in.lead(ctx, kube, now, &unread)
	return in.Trouble, err
}

func (d *GateSet) words() string {
	if d.Until == nil {
		return fmt.Sprintf("The override of gate %s of pod %s/%s has ended; podgate decides the gate again.", d.Type, d.Namespace, d.Pod)
	}
	return fmt.Sprintf("Override of gate %s of pod %s/%s: %s until %s. podgate writes it, and decides the gate again after that; podgate gate clear -n %s %s %s ends it sooner.",
		d.Type, d.Namespace, d.Pod, d.Status, d.Until.UTC().Format(time.RFC3339), d.Namespace, d.Pod, d.Type)
}

// setCondition writes a condition that podgate does not write.
func (e *environment) setCondition(ctx context.Context, kube client.Client, pod *corev1.Pod, gateType string, o order) (*GateSet, error) {
	if len(o.reason) > override.MaxReason || strings.TrimSpace(o.reason) == "" {
		return nil, fmt.Errorf("set gate %s: the reason must have 1 to %d bytes", gateType, override.MaxReason)
	}

	user, now := e.atServer(ctx, kube)
	c := corev1.PodCondition{
		Type: corev1.PodConditionType(gateType), Status: corev1.ConditionStatus(o.status), Reason: v1alpha1.ReasonSetByHand, Message: o.reason, LastTransitionTime: metav1.NewTime(now),
	}
	if user != "" {
		c.Message += " (" + user + ")"
	}

	if old := binding.Condition(pod, c.Type); old != nil && old.Status == c.Status {
		c.LastTransitionTime = old.LastTransitionTime
	}

	body, err := podcontroller.Patch(pod.UID, "", nil, []corev1.PodCondition{c})
	if err != nil {
		return nil, err
	}

	if err := patchStatus(ctx, kube, pod, body); err != nil {
		return nil, err
	}

	done := &GateSet{Namespace: pod.Namespace, Pod: pod.Name, Type: gateType, Status: o.status}
	done.Message = fmt.Sprintf("Gate %s of pod %s/%s is %s. podgate does not serve it: it stays so until somebody changes it.", gateType, pod.Namespace, pod.Name, o.status)
	return done, nil
}

// patchStatus patches a pod's status by type of condition, on the pod that was read and on no other.
func patchStatus(ctx context.Context, kube client.Client, pod *corev1.Pod, body []byte) error {
	if err := kube.Status().Patch(ctx, pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, body)); err != nil {
		return fmt.Errorf("patch status of pod %s: %w", pod.Name, err)
	}
	return nil
}

// atServer is the user's name as the API server knows it, empty where it does not say, and
// the time there: people's clocks differ, and who leads goes by the cluster's.
func (e *environment) atServer(ctx context.Context, kube client.Client) (user string, now time.Time) {
	review := &authenticationv1.SelfSubjectReview{}
	// A name is a courtesy, the audit log has it anyway; and the time here will mostly do.
	if err := kube.Create(ctx, review); err != nil || review.CreationTimestamp.IsZero() {
		return review.Status.UserInfo.Username, e.Now().UTC().Truncate(time.Second)
	}
	return review.Status.UserInfo.Username, review.CreationTimestamp.UTC()
}
