// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/testr"
)

// journal passes podgate's log to its test as long as that runs: a manager may say
// something yet when it has stopped.
type journal struct {
	t *testing.T

	mu    sync.Mutex
	ended bool
}

// newJournal makes a log of a test.
func newJournal(t *testing.T) logr.Logger {
	j := &journal{t: t}
	t.Cleanup(func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.ended = true
	})
	return testr.NewWithInterface(j, testr.Options{})
}

// Helper implements testr.TestingT.
func (j *journal) Helper() { j.t.Helper() }

// Log implements testr.TestingT.
func (j *journal) Log(args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ended {
		j.t.Log(args...)
	}
}
