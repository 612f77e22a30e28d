// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"errors"
	"regexp"
	"strings"
	"time"
)

// CallError says which call to a load balancer failed, for whom and why. Providers
// return it; callers test it with errors.Is against the errors of this package and
// show it to people with Message.
type CallError struct {
	// Op is the call in words, such as "describe target health".
	Op string
	// Subject is the identifier or name of the group that the call was about.
	Subject string
	// Kind is one of this package's errors; nil means transient.
	Kind error
	// Code is the provider's own code, such as "Throttling"; it may be empty.
	Code string
	// Text is a sentence for people that stays the same from attempt to attempt, as
	// far as the provider's own words do.
	Text string
	// Detail is what may differ from attempt to attempt; it is for logs only.
	Detail string
	// RequestID is what the provider's support asks for; it may be empty.
	RequestID string
	// RetryAfter is how long the provider asks to be left alone; 0 when it does not say.
	RetryAfter time.Duration
	// Cause is the error underneath, if callers may want it.
	Cause error
}

// maxRetryAfter bounds RetryAfter: a pod that ends may be waiting to be deregistered.
const maxRetryAfter = 30 * time.Second

// RetryAfter is how long the provider that returned err asks to be left alone, at most 30 s; 0 when it does not say.
func RetryAfter(err error) time.Duration {
	var call *CallError
	if !errors.As(err, &call) {
		return 0
	}
	return min(call.RetryAfter, maxRetryAfter)
}

// Error is the whole story, for logs.
func (e *CallError) Error() string {
	var extra []string
	if e.Detail != "" {
		extra = append(extra, e.Detail)
	}
	if e.RequestID != "" {
		extra = append(extra, "request id "+e.RequestID)
	}
	if len(extra) == 0 {
		return e.short()
	}
	return e.short() + " (" + strings.Join(extra, "; ") + ")"
}

func (e *CallError) short() string {
	s := e.Op + " of " + `"` + e.Subject + `"`
	if e.Code != "" {
		s += ": " + e.Code
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

// Unwrap gives the kind and the cause.
func (e *CallError) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.Kind, e.Cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// maxMessage bounds Message, in bytes; a condition is read in a terminal.
const maxMessage = 400

// What a provider's sentence may hold that differs between two attempts that fail
// for the same reason.
var unstable = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?i)[,;]?\s*\(?request[ -]?id:? [0-9a-z-]+\)?`), ""},
	{regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`), "(id)"},
	{regexp.MustCompile(`\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d:?\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?`), "(time)"},
	{regexp.MustCompile(`\S+:\d+->`), ""},
}

// Message is err for a condition or an event: it has no request id, time or local
// port, so that it is the same at every attempt that fails in the same way, and is
// at most 400 bytes long.
func Message(err error) string {
	if err == nil {
		return ""
	}

	s := err.Error()
	var call *CallError
	if errors.As(err, &call) {
		s = strings.Replace(s, call.Error(), call.short(), 1)
	}

	for _, u := range unstable {
		s = u.pattern.ReplaceAllString(s, u.with)
	}

	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxMessage {
		return s
	}

	return strings.ToValidUTF8(s[:maxMessage-len("...")], "") + "..."
}
