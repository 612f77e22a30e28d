// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"testing"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"--versus", "other --kubeconfig {kubeconfig}", "--endpoint-slices", "--profiles", "p", "--scenario", "flip"})
	if err != nil {
		t.Fatal(err)
	}
	if o.controller != defaultController || o.versus != "other --kubeconfig {kubeconfig}" || !o.endpointSlices || o.scenario != "flip" {
		t.Errorf("got %+v", o)
	}

	other := o.other()
	if other.controller != o.versus || other.versus != "" || other.profiles != "" || !other.endpointSlices || other.seed != o.seed {
		t.Errorf("the other controller has the same world: got %+v", other)
	}

	if _, err := parse([]string{"flip"}); err == nil {
		t.Error("an argument that is no flag was taken")
	}
	if o, err := parse(nil); err != nil || o.versus != "" || o.endpointSlices || o.logs != io.Discard {
		t.Errorf("without flags: %+v, %v", o, err)
	}
}
