// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"testing"

	"github.com/podgate/podgate/internal/gate"
)

// TestConnectionsOfAllInstances: a pod must not end while any instance has one.
func TestConnectionsOfAllInstances(t *testing.T) {
	target := gate.Target{Port: 8080}
	leaving := func(connections int) map[gate.Target]gate.Health {
		return map[gate.Target]gate.Health{target: {State: gate.Draining, Connections: connections}}
	}
	got := atAll(target, []map[gate.Target]gate.Health{leaving(0), leaving(2), {}, leaving(3)})
	if !got.Leaving() || got.Connections != 5 {
		t.Errorf("want it draining with 5 connections, got %+v", got)
	}
}
