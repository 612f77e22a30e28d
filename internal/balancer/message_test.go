// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestMessageIsStable(t *testing.T) {
	call := func(requestID, detail string) error {
		return fmt.Errorf("poll: %w", &CallError{Op: "describe target health", Subject: "web", Kind: ErrThrottled,
			Code: "Throttling", Text: "Rate exceeded", RequestID: requestID, Detail: detail})
	}

	tests := []struct {
		reason string
		errs   [2]error
		want   string
	}{
		{"request ids and details differ from call to call",
			[2]error{call("1", "port 1"), call("2", "port 2")},
			`poll: describe target health of "web": Throttling: Rate exceeded`},
		{"a partial failure says so",
			[2]error{&PartialError{Err: call("1", "")}, &PartialError{Err: call("2", "")}},
			`some targets failed: poll: describe target health of "web": Throttling: Rate exceeded`},
		{"AWS puts times into its sentences",
			[2]error{
				errors.New("Signature expired: 20250102T030405Z is now earlier than 20250102T031905Z"),
				errors.New("Signature expired: 20250102T030406Z is now earlier than 20250102T031906Z"),
			},
			"Signature expired: (time) is now earlier than (time)"},
		{"other people's errors carry request ids too",
			[2]error{
				errors.New("StatusCode: 400, RequestID: 0a1b2c3d-0000-4000-8000-000000000001, denied"),
				errors.New("StatusCode: 400, RequestID: 0a1b2c3d-0000-4000-8000-000000000002, denied"),
			},
			"StatusCode: 400, denied"},
		{"the local port of a connection is another one each time",
			[2]error{
				errors.New("read tcp 10.0.0.1:40001->10.0.0.2:443: connection reset by peer"),
				errors.New("read tcp 10.0.0.1:40002->10.0.0.2:443: connection reset by peer"),
			},
			"read tcp 10.0.0.2:443: connection reset by peer"},
	}

	for _, tc := range tests {
		for _, err := range tc.errs {
			if got := Message(err); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		}
	}
}

func TestMessageIsShort(t *testing.T) {
	got := Message(errors.New(strings.Repeat("ä", 1000)))
	if len(got) > 400 || !strings.HasSuffix(got, "ä...") {
		t.Errorf("got %d bytes ending in %q", len(got), got[len(got)-8:])
	}
	if got := Message(nil); got != "" {
		t.Errorf("no error has the message %q", got)
	}
}

func TestCallErrorForLogs(t *testing.T) {
	err := &CallError{Op: "register targets", Subject: "web", Kind: ErrDenied, Code: "AccessDenied", Text: "no",
		Detail: "more", RequestID: "42", Cause: context.Canceled}
	if got, want := err.Error(), `register targets of "web": AccessDenied: no (more; request id 42)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, ErrDenied) || !errors.Is(err, context.Canceled) || errors.Is(err, ErrThrottled) {
		t.Error("wraps something else than its kind and cause")
	}
}

func TestRetryAfter(t *testing.T) {
	for err, want := range map[error]time.Duration{
		errors.New("no"):                                        0,
		&CallError{}:                                            0,
		&CallError{RetryAfter: 7 * time.Second}:                 7 * time.Second,
		&CallError{RetryAfter: time.Hour}:                       30 * time.Second,
		&PartialError{Err: &CallError{RetryAfter: time.Second}}: time.Second,
	} {
		if got := RetryAfter(err); got != want {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
	}
}
