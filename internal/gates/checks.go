// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/observe/checks"
)

// OfChecks is the kind of which every ReadinessGate has one: the gate waits for what the object's checks say of the pod. The
// pods that carry it are the object's, whatever their labels are by now: the selector is for new pods. Which pods get it is injection's
// to say.
type OfChecks struct{ injection.OfChecks }

// Name implements Kind.
func (OfChecks) Name() string { return "checks" }

// Origin implements Kind.
func (OfChecks) Origin(conditionType string) string {
	return fmt.Sprintf("ReadinessGate %q", strings.TrimPrefix(conditionType, v1alpha1.CheckPrefix))
}

// Holds implements Kind: a pod whose checks do not pass is to get no requests.
func (OfChecks) Holds() bool { return true }

// Sees implements Kind: expressions do.
func (OfChecks) Sees() bool { return true }

// FedBy implements Kind: as an owner a ReadinessGate goes by its gate, which is no binding's name.
func (k OfChecks) FedBy(owner types.NamespacedName) []string {
	if !k.Owns(owner.Name) {
		return nil
	}
	return []string{owner.Name}
}

// CheckOwner is what a ReadinessGate goes by as the owner of a source.
func CheckOwner(g types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: g.Namespace, Name: v1alpha1.CheckPrefix + g.Name}
}

// Sources implements Kind: there is always one, whether the ReadinessGate exists or not.
func (k OfChecks) Sources(ctx context.Context, in Cluster, pod *corev1.Pod, conditionType string) ([]Source, bool, error) {
	if !k.Owns(conditionType) {
		return nil, false, nil
	}

	s := Source{Owner: types.NamespacedName{Namespace: pod.Namespace, Name: conditionType}, Checks: true, Claim: gate.Unclaimed}
	key := types.NamespacedName{Namespace: pod.Namespace, Name: strings.TrimPrefix(conditionType, v1alpha1.CheckPrefix)}
	var g v1alpha1.ReadinessGate
	err := in.Reader.Get(ctx, key, &g)
	switch {
	case apierrors.IsNotFound(err):
		return []Source{s}, true, nil
	case err != nil:
		return nil, false, fmt.Errorf("get ReadinessGate: %w", err)
	case !g.DeletionTimestamp.IsZero():
		// It has no finalizer of podgate's: whoever deletes it may make it again.
		return []Source{s}, true, nil
	case g.Spec.DryRun:
		s.Claim = gate.DryRun
		return []Source{s}, true, nil
	}

	// The API server has checked the fields.
	settings, _ := binding.ParseSettings(g.Policies())
	s.Claim, s.Policy = gate.Claimed, settings.Gate
	s.Subject = checks.Gate{Namespace: g.Namespace, Name: g.Name, UID: g.UID}
	return []Source{s}, true, nil
}
