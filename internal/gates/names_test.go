// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"regexp"
	"testing"

	"github.com/podgate/podgate/internal/kubetest"
)

// named is how identifiers, literals and imports name a kind of gates: the toy in any spelling, the kind of which every
// binding has one, and the question whose answer is a binding's name.
var named = regexp.MustCompile(`^Toy|toy\.example\.com|^github\.com/podgate/podgate/internal/gates/gatestest$|^OfBindings$|^OfLoadBalancers$|^OfChecks$|^OfLegacy$|^OfGate$`)

// mayName are the folders and files that may name a kind, with the reason.
var mayName = map[string]string{
	"internal/gates/gatestest":            "the toy's folder",
	"internal/gates/gates.go":             "the list of kinds",
	"internal/gates/binding.go":           "a kind",
	"internal/gates/loadbalancers.go":     "a kind",
	"internal/gates/checks.go":            "a kind",
	"internal/gates/legacy.go":            "a kind",
	"internal/injection/injection.go":     "what that kind wants of new pods, which the webhook asks without a cluster",
	"internal/injection/loadbalancers.go": "the same of the other kind",
	"internal/injection/checks.go":        "the same of the third kind",
	"internal/injection/legacy.go":        "what the kind that no pod gets stands in for",
	"internal/injection/explain.go":       "a pod with one lacks no other gate of that load balancer",
	"internal/binding/gate.go":            "how bindings and gates are named",
	"internal/uninstall/gates.go":         "it opens all gates but those of bindings that another controller serves",
}

// TestNoCodeNamesAGateKind: a branch on a kind of gates is a question that gates.Kind lacks. A kind is a folder and a line
// in the list; the toy is one that not even the list has.
func TestNoCodeNamesAGateKind(t *testing.T) {
	kubetest.Naming{What: "a kind of gates", Words: named, Tops: []string{"api", "internal", "cmd"}, MayName: mayName}.Check(t)
}
