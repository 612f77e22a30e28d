// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tcp is the check that a port accepts connections. It sends nothing.
package tcp

import (
	"context"
	"time"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/network"
)

// New returns a check that passes where a connection is accepted within the time-out.
func New(place network.Place, timeout time.Duration, dial network.Dial) network.Checker {
	return network.Checker{Place: place, Timeout: timeout, Ask: func(ctx context.Context, to network.Destination) check.Answer {
		conn, err := dial(ctx, to)
		if err != nil {
			return network.Explain(err)
		}

		_ = conn.Close()
		return check.Answer{Verdict: check.Pass, Word: check.Connected}
	}}
}
