// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
)

// Outcomes of a request that has no status code.
const (
	// ConnectRefused means that nothing listened.
	ConnectRefused = "connect refused"
	// ConnectTimeout means that no connection came about in time.
	ConnectTimeout = "connect timeout"
	// ConnectFailed means any other failure to connect.
	ConnectFailed = "connect failed"
	// Reset means that the connection was reset after the request was written.
	Reset = "reset"
	// EOF means that the connection was closed before the answer was whole.
	EOF = "EOF"
	// Timeout means that the answer did not come in time.
	Timeout = "timeout"
	// Malformed means that the answer was not HTTP.
	Malformed = "malformed"
)

// outcome is the status code, or the class of the error.
func (a answer) outcome() string {
	if a.err == nil {
		return strconv.Itoa(a.status)
	}
	if a.dialing {
		return dialOutcome(a.err)
	}

	switch {
	case isTimeout(a.err):
		return Timeout
	case errors.Is(a.err, syscall.ECONNRESET), errors.Is(a.err, syscall.EPIPE):
		return Reset
	case errors.Is(a.err, io.EOF), errors.Is(a.err, io.ErrUnexpectedEOF), errors.Is(a.err, net.ErrClosed):
		return EOF
	}

	return Malformed
}

func dialOutcome(err error) string {
	switch {
	case isTimeout(err):
		return ConnectTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectRefused
	}
	return ConnectFailed
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || (errors.As(err, &n) && n.Timeout())
}
