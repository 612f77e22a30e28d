// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"net/netip"
	"time"
)

// Socket is a row of the kernel's table of TCP sockets.
type Socket struct {
	Local, Remote netip.AddrPort
	State         State
	// Data is what the kernel tells of a connection's data; nil where it does not, as in /proc.
	Data *Data
}

// Data says how long ago data was last sent and received, and a peer's acknowledgement received, in steps of the kernel's
// clock, which are some milliseconds. Until there is any it says how old the connection is.
type Data struct {
	Sent, Received, Acknowledged time.Duration
	// In and Out count the segments that had data, and Acks those that were sent without.
	In, Out, Acks uint32
	// Waits: some of it was not yet read, or not acknowledged.
	Waits bool
}

// State is a socket's, as the kernel numbers them (include/net/tcp_states.h).
type State uint8

// established is a connection that both ends have opened and neither has closed.
const established State = 1

// The states in which nobody waits for anything.
const (
	finWait2 State = 5
	timeWait State = 6
	closed   State = 7
	listens  State = 10
)

// Live reports whether a connection is open, being opened, or has data under way.
func (s Socket) Live() bool { return !s.Finished() && s.State != listens && s.State != closed }

// Finished reports whether the pod has closed a connection and its peer has all of it.
func (s Socket) Finished() bool { return s.State == finWait2 || s.State == timeWait }

// socketReader returns what reads the sockets of the network namespace that the process is
// in, of both address families. Those that are neither live nor finished may be missing.
func socketReader() func() ([]Socket, error) { return firstThatWorks(diagSockets, procSockets) }

// firstThatWorks tries cheap once, and takes sure if that fails: sock_diag may be missing in
// a kernel or a sandbox, or forbidden by a security profile. The choice is for good, so that a
// cheap way that fails later gives errors, which are not quiet, and none is tried in vain four
// times a second.
func firstThatWorks(cheap, sure func() ([]Socket, error)) func() ([]Socket, error) {
	if _, err := cheap(); err != nil {
		return sure
	}
	return cheap
}
