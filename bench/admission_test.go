// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
)

func TestHasGate(t *testing.T) {
	const want = "target-health.elbv2.k8s.aws/web"
	answer := func(allowed bool, patch string) []byte {
		return fmt.Appendf(nil, `{"response":{"allowed":%v,"patch":%q}}`, allowed, base64.StdEncoding.EncodeToString([]byte(patch)))
	}

	list := `[{"op":"add","path":"/spec/readinessGates","value":[{"conditionType":"` + want + `"}]}]`
	for name, row := range map[string]struct {
		reason string
		body   []byte
		ok     bool
	}{
		"List":    {reason: "One patch may add the list.", body: answer(true, list), ok: true},
		"Item":    {reason: "Or an item.", body: answer(true, `[{"op":"add","path":"/spec/readinessGates/-","value":{"conditionType":"`+want+`"}}]`), ok: true},
		"None":    {reason: "A pod without its gate has lost it.", body: []byte(`{"response":{"allowed":true}}`)},
		"Other":   {reason: "Another binding's gate is not its own.", body: answer(true, `[{"op":"add","path":"/spec/readinessGates","value":[{"conditionType":"other"}]}]`)},
		"Refused": {reason: "A pod that is refused is no answer at all.", body: answer(false, list)},
		"Garbage": {reason: "What cannot be read holds no gate.", body: []byte("<html>")},
	} {
		t.Run(name, func(t *testing.T) {
			if err := hasGate(row.body, want); (err == nil) != row.ok {
				t.Errorf("got error %v: %s", err, row.reason)
			}
		})
	}
}

func TestCreationIsJSON(t *testing.T) {
	if !json.Valid(creation(&group{name: "web-1"})) {
		t.Error("not JSON")
	}
}
