// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestOverOneSecond: the calls are spread over a second, and each has the time at which it began.
func TestOverOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		began, err := overOneSecond(t.Context(), 4, func(context.Context, int) error {
			time.Sleep(100 * time.Millisecond)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range began {
			if got, want := at.Sub(start), time.Duration(i)*250*time.Millisecond; got != want {
				t.Errorf("call %d began after %s, want %s", i, got, want)
			}
		}

		failed := errors.New("refused")
		if _, err := overOneSecond(t.Context(), 4, func(context.Context, int) error { return failed }); !errors.Is(err, failed) {
			t.Errorf("got %v, want the error of a call", err)
		}
	})
}
