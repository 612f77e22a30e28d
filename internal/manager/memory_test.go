// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
)

// Memory is given back when the start is over and then at ever longer intervals, also after it did not work.
func TestMemoryIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begun := time.Now()
		works := thrift{log: logr.Discard(), release: func() error {
			at = append(at, time.Since(begun))
			return errors.New("unknown advice")
		}}

		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		if err := works.Start(ctx); err != nil {
			t.Error(err)
		}

		if want := []time.Duration{time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute, 25 * time.Minute}; !slices.Equal(at, want) {
			t.Errorf("given back after %v, want %v", at, want)
		}
		if lasted := time.Since(begun); lasted != 30*time.Minute {
			t.Errorf("ended after %v", lasted)
		}
	})
}

func TestEveryReplicaGivesMemoryBack(t *testing.T) {
	if giveBack(logr.Discard()).NeedLeaderElection() {
		t.Error("waits to lead")
	}
}
