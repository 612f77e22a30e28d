// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/manual"
	"github.com/podgate/podgate/internal/plural"
)

// manualGate is a ReadinessGate with manual checks, and the pods that carry it.
type manualGate struct {
	*v1alpha1.ReadinessGate
	// scopes say what one approval is for, each once.
	scopes []v1alpha1.ApprovalScope
	// carriers are in the order of their names.
	carriers []carrier
}

// carrier is a pod that carries the gate.
type carrier struct {
	check.Subject
	name string
	open bool
}

// scopes lists what one approval is for at the manual checks of a gate, each once.
func scopes(gate *v1alpha1.ReadinessGate) []v1alpha1.ApprovalScope {
	var all []v1alpha1.ApprovalScope
	for _, c := range gate.Spec.Checks {
		if c.Manual != nil && !slices.Contains(all, c.Manual.Scope) {
			all = append(all, c.Manual.Scope)
		}
	}
	return all
}

// readManual reads a gate; it is an error that it has no manual check.
func readManual(ctx context.Context, r client.Reader, key types.NamespacedName) (*manualGate, error) {
	gate := &v1alpha1.ReadinessGate{}
	err := r.Get(ctx, key, gate)
	if apierrors.IsNotFound(err) {
		others, listed := manualNames(ctx, r, key.Namespace)
		if listed != nil {
			return nil, fmt.Errorf("get ReadinessGate %s: %w", key, err)
		}
		return nil, fmt.Errorf("there is no ReadinessGate %s; those with a manual check: %s", key, or(joined(others...)))
	}
	if err != nil {
		return nil, fmt.Errorf("get ReadinessGate %s: %w", key, err)
	}

	g := &manualGate{ReadinessGate: gate, scopes: scopes(gate)}
	if len(g.scopes) == 0 {
		var names []string
		for _, c := range gate.Spec.Checks {
			names = append(names, c.Name)
		}
		return nil, fmt.Errorf("ReadinessGate %s has no manual check, so nobody can approve of anything; its checks: %s", key, joined(names...))
	}

	return g, g.readCarriers(ctx, r)
}

func (g *manualGate) readCarriers(ctx context.Context, r client.Reader) error {
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(g.Namespace)); err != nil {
		return fmt.Errorf("list the pods of namespace %s: %w", g.Namespace, err)
	}

	gateType := corev1.PodConditionType(v1alpha1.CheckPrefix + g.Name)
	for i := range pods.Items {
		pod := &pods.Items[i]
		carries := slices.Contains(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: gateType})
		if !carries || pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		g.carriers = append(g.carriers, carrier{
			Subject: check.Subject{UID: pod.UID, Pod: pod},
			name:    pod.Name, open: binding.IsTrue(pod, gateType),
		})
	}
	slices.SortFunc(g.carriers, func(a, b carrier) int { return cmp.Compare(a.name, b.name) })
	return nil
}

// manualNames are the gates of a namespace that have a manual check.
func manualNames(ctx context.Context, r client.Reader, namespace string) ([]string, error) {
	var list v1alpha1.ReadinessGateList
	if err := r.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var names []string
	for i := range list.Items {
		if len(scopes(&list.Items[i])) > 0 {
			names = append(names, list.Items[i].Name)
		}
	}
	return names, nil
}

func (g *manualGate) subjects() []check.Subject {
	all := make([]check.Subject, len(g.carriers))
	for i, c := range g.carriers {
		all[i] = c.Subject
	}
	return all
}

// keys are what a person approves of.
func (g *manualGate) keys(a approving) ([]manual.Key, error) {
	waiting := g.waiting()
	var keys []manual.Key
	switch {
	case a.revision != "":
		keys = g.of(g.carriers, func(c carrier, k manual.Key) bool {
			_, is := k.Revision()
			return is && manual.Revision(c.Subject) == a.revision
		})
	case a.pod != "":
		keys = g.of(g.carriers, func(c carrier, k manual.Key) bool {
			_, is := k.Revision()
			return !is && k != manual.WholeGate && c.name == strings.TrimPrefix(a.pod, "pod/")
		})
	case a.all:
		keys = waiting
	}
	if len(keys) == 0 && a.revision == "" && a.pod == "" && slices.Contains(g.scopes, v1alpha1.ApprovalGate) {
		keys = []manual.Key{manual.WholeGate}
	}
	if len(keys) > 0 {
		return keys, nil
	}

	waits := "what waits for an approval: " + or(g.named(waiting))
	switch {
	case a.revision != "":
		return nil, fmt.Errorf("ReadinessGate %s/%s does not wait for an approval of revision %s; %s", g.Namespace, g.Name, a.revision, waits)
	case a.pod != "":
		return nil, fmt.Errorf("ReadinessGate %s/%s does not wait for an approval of pod %s alone; %s", g.Namespace, g.Name, a.pod, waits)
	case a.all:
		return nil, fmt.Errorf("no pod waits for an approval at ReadinessGate %s/%s", g.Namespace, g.Name)
	}
	return nil, fmt.Errorf("say what you approve of at ReadinessGate %s/%s, by --revision, --pod or --all; %s", g.Namespace, g.Name, waits)
}

// waiting is what nobody has approved of, of the pods whose gate is closed.
func (g *manualGate) waiting() []manual.Key {
	approvals, _ := manual.Parse(g.Annotations[v1alpha1.ApprovalsAnnotation]) // What cannot be read approves of nothing.
	return g.of(g.carriers, func(c carrier, k manual.Key) bool {
		_, approved := approvals[k]
		return !c.open && !approved
	})
}

// of are the keys of pods for which holds is true, each once.
func (g *manualGate) of(carriers []carrier, holds func(carrier, manual.Key) bool) []manual.Key {
	var keys []manual.Key
	for _, c := range carriers {
		for _, scope := range g.scopes {
			if key := manual.KeyOf(scope, c.Subject); holds(c, key) && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// named says for people what keys are for.
func (g *manualGate) named(keys []manual.Key) string {
	var words []string
	for _, key := range keys {
		pods := slices.DeleteFunc(slices.Clone(g.carriers), func(c carrier) bool {
			return !slices.ContainsFunc(g.scopes, func(scope v1alpha1.ApprovalScope) bool { return manual.KeyOf(scope, c.Subject) == key })
		})
		revision, is := key.Revision()
		switch {
		case key == manual.WholeGate:
			words = append(words, "all pods")
		case is:
			words = append(words, fmt.Sprintf("revision %s (%s)", revision, plural.Count(len(pods), "pod")))
		default:
			words = append(words, "pod "+pods[0].name)
		}
	}
	return joined(words...)
}
