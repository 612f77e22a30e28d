// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

// What the syscall package lacks of linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h.
const (
	netlinkSockDiag  = 4
	sockDiagByFamily = 20
	dumpInterrupted  = 0x10
	// requestSize and socketSize are those of struct inet_diag_req_v2 and inet_diag_msg.
	requestSize = 56
	socketSize  = 72
	// tcpInfo is the attribute that holds a struct tcp_info (linux/tcp.h), of which tcpInfoSize bytes are read: what a
	// kernel has that is older than 4.6 is shorter.
	tcpInfo     = 2
	tcpInfoSize = 160
)

const (
	// connections are the states to ask for, one bit each: all of include/net/tcp_states.h
	// that /proc shows, but for those that are neither live nor finished. The kernel keeps
	// sockets that listen in another table, which it then need not walk.
	connections = (1<<13 - 1) &^ (1<<listens | 1<<closed)
	// maxAnswerPart bounds what the kernel hands out at a time (netlink_dump).
	maxAnswerPart = 32 << 10
)

// diagSockets asks the kernel's sock_diag. That takes a tenth of the time of /proc, which
// looks into every slot of a table with room for all connections of the node.
func diagSockets() ([]Socket, error) {
	// A socket of its own for each look, so that nothing is left of one that failed.
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	defer func() { _ = syscall.Close(fd) }()

	var all []Socket
	for _, family := range []uint8{syscall.AF_INET, syscall.AF_INET6} {
		some, err := dump(fd, diagRequest(family, syscall.IPPROTO_TCP))
		if err != nil {
			return nil, fmt.Errorf("ask sock_diag: %w", err)
		}
		all = append(all, some...)
	}

	return all, nil
}

// diagRequest asks for the sockets of an address family, which is its sequence number as well.
func diagRequest(family, protocol uint8) []byte {
	const size = syscall.NLMSG_HDRLEN + requestSize
	b := make([]byte, 0, size)
	b = binary.NativeEndian.AppendUint32(b, size)
	b = binary.NativeEndian.AppendUint16(b, sockDiagByFamily)
	b = binary.NativeEndian.AppendUint16(b, syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP)
	b = binary.NativeEndian.AppendUint32(b, uint32(family))
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, family, protocol, 1<<(tcpInfo-1), 0)
	b = binary.NativeEndian.AppendUint32(b, connections)
	return b[:size]
}

// dump reads an answer to its end: without that it is an error, however much came.
func dump(fd int, request []byte) ([]Socket, error) {
	if err := syscall.Sendto(fd, request, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return nil, err
	}

	var all []Socket
	part := make([]byte, maxAnswerPart)
	for {
		// The kernel answers before it returns from a call, so that there is nothing to wait for.
		n, _, err := syscall.Recvfrom(fd, part, syscall.MSG_DONTWAIT|syscall.MSG_TRUNC)
		if err != nil {
			return nil, err
		}
		if n > len(part) {
			return nil, fmt.Errorf("an answer of %d bytes is too long", n)
		}

		some, done, err := parseDiag(part[:n], uint32(request[syscall.NLMSG_HDRLEN]))
		if err != nil {
			return nil, err
		}

		all = append(all, some...)
		if done {
			return all, nil
		}
	}
}

// parseDiag reads the messages of a part, and whether it is the last one.
func parseDiag(b []byte, sequence uint32) (some []Socket, done bool, err error) {
	for len(b) > 0 {
		if len(b) < syscall.NLMSG_HDRLEN {
			return nil, false, errors.New("a message is cut off")
		}

		size, kind, flags := binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
		if size < syscall.NLMSG_HDRLEN || size > uint32(len(b)) {
			return nil, false, fmt.Errorf("a message of %d bytes in %d", size, len(b))
		}
		if got := binary.NativeEndian.Uint32(b[8:]); got != sequence {
			return nil, false, fmt.Errorf("an answer to question %d instead of %d", got, sequence)
		}
		if flags&dumpInterrupted != 0 {
			return nil, false, errors.New("the table changed in between")
		}

		body := b[syscall.NLMSG_HDRLEN:size]
		switch kind {
		case sockDiagByFamily:
			s, err := parseDiagSocket(body)
			if err != nil {
				return nil, false, err
			}
			some = append(some, s)

		case syscall.NLMSG_DONE, syscall.NLMSG_ERROR:
			return some, true, parseEnd(kind, body)
		default:
			return nil, false, fmt.Errorf("a message of unknown type %d", kind)
		}

		// Messages begin at multiples of four bytes.
		b = b[min(len(b), int(size+3)&^3):]
	}

	return some, false, nil
}

// parseEnd reads the last message of an answer, which says what went wrong: an errno less than
// 0. One that is done may say so, too, as where the kernel has no tcp_diag.
func parseEnd(kind uint16, body []byte) error {
	if len(body) < 4 {
		return errors.New("the end is cut off")
	}

	errno := int32(binary.NativeEndian.Uint32(body))
	switch {
	case errno < 0:
		return syscall.Errno(-errno)
	case kind == syscall.NLMSG_DONE && errno == 0:
		return nil
	default:
		return fmt.Errorf("an end of type %d with %d", kind, errno)
	}
}

// parseDiagSocket reads a struct inet_diag_msg: family, state, and from the fifth byte on ports
// and addresses as they are on the wire.
func parseDiagSocket(b []byte) (Socket, error) {
	if len(b) < socketSize {
		return Socket{}, fmt.Errorf("a socket of %d bytes", len(b))
	}

	var width int
	switch b[0] {
	case syscall.AF_INET:
		width = 4
	case syscall.AF_INET6:
		width = 16
	default:
		return Socket{}, fmt.Errorf("a socket of unknown address family %d", b[0])
	}

	address := func(port, host int) netip.AddrPort {
		addr, _ := netip.AddrFromSlice(b[host : host+width])
		return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(b[port:]))
	}

	data, err := parseData(b)
	return Socket{Local: address(4, 8), Remote: address(6, 24), State: State(b[1]), Data: data}, err
}

// parseData reads how many bytes wait in either direction, and the attributes that follow, of which one tells since when no
// data passed. Sockets without a connection have none.
func parseData(b []byte) (*Data, error) {
	waits := binary.NativeEndian.Uint32(b[56:]) > 0 || binary.NativeEndian.Uint32(b[60:]) > 0
	for b = b[socketSize:]; len(b) > 0; {
		if len(b) < syscall.SizeofRtAttr {
			return nil, errors.New("an attribute is cut off")
		}

		size, kind := binary.NativeEndian.Uint16(b), binary.NativeEndian.Uint16(b[2:])
		if size < syscall.SizeofRtAttr || int(size) > len(b) {
			return nil, fmt.Errorf("an attribute of %d bytes in %d", size, len(b))
		}

		if info := b[syscall.SizeofRtAttr:size]; kind == tcpInfo && len(info) >= tcpInfoSize {
			number := func(at int) uint32 { return binary.NativeEndian.Uint32(info[at:]) }
			ago := func(at int) time.Duration { return time.Duration(number(at)) * time.Millisecond }
			return &Data{Sent: ago(44), Received: ago(52), Acknowledged: ago(56), In: number(152), Out: number(156), Acks: number(136) - number(156), Waits: waits}, nil
		}

		// Attributes begin at multiples of four bytes, too.
		b = b[min(len(b), int(size+3)&^3):]
	}

	return nil, nil
}
