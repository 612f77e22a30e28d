// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"syscall"

	"github.com/podgate/podgate/internal/check"
)

// Explain returns what an error of a connection means for a check. Only what the pod itself said is a failure; all else may
// be the network between podgate and the pod.
func Explain(err error) check.Answer {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError

	switch {
	case errors.Is(err, ErrNotAllowed):
		return check.Answer{Word: check.NotAllowed}
	case errors.As(err, &name):
		return check.Answer{Word: check.NameNotFound}
	case timedOut(err):
		return check.Answer{Word: check.TimedOut}
	case errors.Is(err, syscall.ECONNREFUSED):
		return check.Answer{Verdict: check.Fail, Word: check.Refused}
	case isOneOf(err, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN):
		return check.Answer{Word: check.Unreachable}
	case errors.As(err, &certificate):
		return check.Answer{Verdict: check.Fail, Word: check.NotTrusted}
	case errors.Is(err, errHandshake):
		return check.Answer{Verdict: check.Fail, Word: check.TLSFailed}
	}

	return check.Answer{Word: check.Malformed}
}

// timedOut reports whether there was no answer in time. Nobody but Until closes a connection that is waited for.
func timedOut(err error) bool {
	var timeout net.Error
	return isOneOf(err, context.DeadlineExceeded, net.ErrClosed) || errors.As(err, &timeout) && timeout.Timeout()
}

func isOneOf(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
