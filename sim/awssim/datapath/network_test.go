// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/go-logr/logr"

	"github.com/podgate/podgate/sim/awssim/clock"
	"github.com/podgate/podgate/sim/awssim/faults"
)

// TestConnectionToADeletedListener: one that was accepted while its listener was being deleted finds no rule.
func TestConnectionToADeletedListener(t *testing.T) {
	client, server := net.Pipe()
	defer func() { _ = client.Close() }()

	k := &Socket{path: New(Config{NoDataPath: true}, clock.New(1), &faults.Record{}, logr.Discard())}
	k.connect(t.Context(), server)

	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("%v, want the connection closed", err)
	}
}
