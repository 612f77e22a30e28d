// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// States of connections that are live.
const (
	synSent   State = 2
	synRecv   State = 3
	finWait1  State = 4
	closeWait State = 8
	lastAck   State = 9
)

// TestDiagAndProc makes the kernel's own connections in all states that last, and wants both
// ways of reading to tell the same of them.
func TestDiagAndProc(t *testing.T) {
	cases := map[string]struct {
		listen, dial string
		// deferred servers take a handshake for finished when data has come.
		deferred bool
		// act does something to a connection, as both ends have it.
		act func(client, server *net.TCPConn)
		// want are the states at the server and at its client.
		server, client State
	}{
		"Established":   {listen: "127.0.0.1", server: established, client: established},
		"IPv6":          {listen: "::1", server: established, client: established},
		"DualStack":     {listen: "::", dial: "127.0.0.1", server: established, client: established},
		"DualStackIPv6": {listen: "::", dial: "::1", server: established, client: established},

		"BeingOpened":          {listen: "127.0.0.1", deferred: true, server: synRecv, client: established},
		"BeingOpenedIPv6":      {listen: "::1", deferred: true, server: synRecv, client: established},
		"BeingOpenedDualStack": {listen: "::", dial: "127.0.0.1", deferred: true, server: synRecv, client: established},

		"ClientShutsDown": {listen: "127.0.0.1", server: closeWait, client: finWait2, act: func(client, _ *net.TCPConn) { _ = client.CloseWrite() }},
		"ServerShutsDown": {listen: "::1", server: finWait2, client: closeWait, act: func(_, server *net.TCPConn) { _ = server.CloseWrite() }},
		"ServerCloses":    {listen: "::", dial: "127.0.0.1", server: finWait2, client: closeWait, act: func(_, server *net.TCPConn) { _ = server.Close() }},

		"TimeWait":          {listen: "127.0.0.1", server: timeWait, act: closeBoth},
		"TimeWaitIPv6":      {listen: "::1", server: timeWait, act: closeBoth},
		"TimeWaitDualStack": {listen: "::", dial: "127.0.0.1", server: timeWait, act: closeBoth},

		"AnswerUnderWay": {listen: "127.0.0.1", server: finWait1, client: established, act: func(_, server *net.TCPConn) {
			fill(server)
			_ = server.Close()
		}},
		"LastAnswerUnderWay": {listen: "::", dial: "127.0.0.1", server: lastAck, client: finWait2, act: func(client, server *net.TCPConn) {
			fill(server)
			_ = client.CloseWrite()
			_, _ = server.Read(make([]byte, 1))
			_ = server.Close()
		}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", net.JoinHostPort(tc.listen, "0"))
			if err != nil {
				t.Skip("no such address here: ", err)
			}
			defer func() { _ = l.Close() }()

			if tc.deferred {
				control(t, l.(*net.TCPListener), func(fd int) error {
					return syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 60)
				})
			}

			at := netip.MustParseAddrPort(l.Addr().String())
			dial := at.Addr()
			if tc.dial != "" {
				dial = netip.MustParseAddr(tc.dial)
			}

			client, err := net.Dial("tcp", netip.AddrPortFrom(dial, at.Port()).String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()

			if !tc.deferred {
				server, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = server.Close() }()

				if tc.act != nil {
					tc.act(client.(*net.TCPConn), server.(*net.TCPConn))
				}
			}

			here := netip.AddrPortFrom(dial, at.Port())
			there := netip.MustParseAddrPort(client.LocalAddr().String())
			want := []Socket{{Local: here, Remote: there, State: tc.server}}
			if tc.client != 0 {
				want = append(want, Socket{Local: there, Remote: here, State: tc.client})
			}
			wantBoth(t, want)
		})
	}
}

// closeBoth lets the server close first, as it does that has answered.
func closeBoth(client, server *net.TCPConn) {
	_ = server.Close()
	_, _ = client.Read(make([]byte, 1))
	_ = client.Close()
}

// fill sends until the peer, which reads nothing, has no room.
func fill(c *net.TCPConn) {
	_ = c.SetWriteBuffer(4 << 10)
	for n, some := 1, make([]byte, 1<<20); n > 0; {
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, _ = c.Write(some)
	}
}

// TestDiagAndProcWithoutAnswer: a connection that is being opened is live, too. The server has room for
// one that it has not accepted, and does not answer the next.
func TestDiagAndProcWithoutAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()

	control(t, l.(*net.TCPListener), func(fd int) error { return syscall.Listen(fd, 0) })
	server := netip.MustParseAddrPort(l.Addr().String())
	connect := func() netip.AddrPort {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Close(fd) })

		err = syscall.Connect(fd, &syscall.SockaddrInet4{Addr: server.Addr().As4(), Port: int(server.Port())})
		if err != nil && !errors.Is(err, syscall.EINPROGRESS) {
			t.Fatal(err)
		}

		client, err := syscall.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		return netip.AddrPortFrom(server.Addr(), uint16(client.(*syscall.SockaddrInet4).Port))
	}

	first, second := connect(), connect()
	wantBoth(t, []Socket{
		{Local: server, Remote: first, State: established}, {Local: first, Remote: server, State: established},
		{Local: second, Remote: server, State: synSent},
	})
}

func control(t *testing.T, l *net.TCPListener, do func(fd int) error) {
	t.Helper()
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = do(int(fd)) })
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
}

// wantBoth waits until connections are what they should be, as both ways see both ends of them.
func wantBoth(t *testing.T, want []Socket) {
	t.Helper()
	order := cmpopts.SortSlices(func(a, b Socket) int { return a.Local.Compare(b.Local) })
	other := func(s Socket) bool {
		return !slices.ContainsFunc(want, func(w Socket) bool {
			return s.Local == w.Local && s.Remote == w.Remote || s.Local == w.Remote && s.Remote == w.Local
		})
	}

	for name, read := range map[string]func() ([]Socket, error){"/proc": procSockets, "sock_diag": diagSockets} {
		diff := "never read"
		for end := time.Now().Add(5 * time.Second); diff != "" && time.Now().Before(end); time.Sleep(time.Millisecond) {
			all, err := read()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			diff = cmp.Diff(want, slices.DeleteFunc(all, other), order, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.IgnoreFields(Socket{}, "Data"))
		}

		if diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
	}
}

// TestDiagWithoutHandler: where the kernel cannot tell of a protocol, it ends an answer that is
// empty, and says why.
func TestDiagWithoutHandler(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()

	if some, err := dump(fd, diagRequest(syscall.AF_INET, 254)); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%v and error %v, want ENOENT", some, err)
	}

	if _, err := dump(fd, diagRequest(syscall.AF_INET, syscall.IPPROTO_TCP)); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// message is one as the kernel makes it.
func message(kind, flags uint16, sequence uint32, body []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = binary.NativeEndian.AppendUint32(b, 4711)
	b = append(b, body...)
	return append(b, make([]byte, -len(b)&3)...)
}

// diagSocket is a struct inet_diag_msg.
func diagSocket(family uint8, s Socket) []byte {
	b := append(make([]byte, 0, 72), family, byte(s.State), 0, 0)
	b = binary.BigEndian.AppendUint16(b, s.Local.Port())
	b = binary.BigEndian.AppendUint16(b, s.Remote.Port())
	for _, addr := range []netip.Addr{s.Local.Addr(), s.Remote.Addr()} {
		raw := addr.AsSlice()
		if family == syscall.AF_INET6 {
			as16 := addr.As16()
			raw = as16[:]
		}
		b = append(append(b, raw...), make([]byte, 16-len(raw))...)
	}
	return b[:72]
}

// attribute is one of a socket.
func attribute(kind uint16, payload []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(payload)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), payload...)
	return append(b, make([]byte, -len(b)&3)...)
}

// diagInfo is the attribute with a struct tcp_info.
func diagInfo(d *Data) []byte {
	b := make([]byte, 160)
	for at, n := range map[int]uint32{
		44: uint32(d.Sent.Milliseconds()), 52: uint32(d.Received.Milliseconds()), 56: uint32(d.Acknowledged.Milliseconds()), 136: d.Out + d.Acks, 152: d.In, 156: d.Out,
	} {
		binary.NativeEndian.PutUint32(b[at:], n)
	}
	return attribute(2, b)
}

func errno(n int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }

func TestParseDiag(t *testing.T) {
	const by, done, failed = sockDiagByFamily, syscall.NLMSG_DONE, syscall.NLMSG_ERROR
	v4 := Socket{Local: netip.MustParseAddrPort("10.244.0.2:8080"), Remote: netip.MustParseAddrPort("10.244.0.1:50000"), State: established}
	v6 := Socket{Local: netip.MustParseAddrPort("[2001:db8::1]:8080"), Remote: netip.MustParseAddrPort("[2001:db8::2]:50002"), State: closeWait}
	row4, row6, mapped := diagSocket(syscall.AF_INET, v4), diagSocket(syscall.AF_INET6, v6), diagSocket(syscall.AF_INET6, v4)
	end := message(done, 2, 7, errno(0))
	cut := message(by, 2, 7, row4)

	info := diagInfo(&Data{Sent: 3 * time.Second, Received: 4 * time.Second, Acknowledged: 2 * time.Second, In: 5, Out: 6, Acks: 7})
	told, waits, unread := v4, v4, v4
	told.Data = &Data{Sent: 3 * time.Second, Received: 4 * time.Second, Acknowledged: 2 * time.Second, In: 5, Out: 6, Acks: 7}
	wait := *told.Data
	wait.Waits = true
	waits.Data, unread.Data = &wait, &wait
	waiting, unreadRow := slices.Clone(row4), slices.Clone(row4)
	waiting[60], unreadRow[56] = 1, 1

	cases := map[string]struct {
		reason string
		part   []byte
		want   []Socket
		done   bool
		err    bool
		errno  syscall.Errno
	}{
		"Part":       {reason: "More follow.", part: slices.Concat(message(by, 2, 7, row4), message(by, 2, 7, row6)), want: []Socket{v4, v6}},
		"LastPart":   {reason: "None follow.", part: slices.Concat(message(by, 2, 7, row4), end), want: []Socket{v4}, done: true},
		"End":        {reason: "There may be none.", part: end, done: true},
		"Mapped":     {reason: "An IPv4 peer is itself, whatever the server listens on.", part: message(by, 2, 7, mapped), want: []Socket{v4}},
		"Attributes": {reason: "More may follow within a message, and the next begins at a multiple of four.", part: slices.Concat(message(by, 2, 7, append(slices.Clone(row4), 5, 0, 8, 0, 1)), end), want: []Socket{v4}, done: true},

		"Told":        {reason: "What the kernel says of its data.", part: message(by, 2, 7, slices.Concat(row4, info)), want: []Socket{told}},
		"ToldLater":   {reason: "After another attribute.", part: message(by, 2, 7, slices.Concat(row4, []byte{5, 0, 8, 0, 1, 0, 0, 0}, info)), want: []Socket{told}},
		"ToldMore":    {reason: "A younger kernel says more.", part: message(by, 2, 7, slices.Concat(row4, attribute(2, append(info[4:], 1, 2, 3, 4)))), want: []Socket{told}},
		"ToldLess":    {reason: "An older kernel says less.", part: message(by, 2, 7, slices.Concat(row4, attribute(2, info[4:len(info)-1]))), want: []Socket{v4}},
		"NotSent":     {reason: "The peer does not have all of it.", part: message(by, 2, 7, slices.Concat(waiting, info)), want: []Socket{waits}},
		"NotRead":     {reason: "The application does not have all of it.", part: message(by, 2, 7, slices.Concat(unreadRow, info)), want: []Socket{unread}},
		"HalfAHead":   {reason: "Half an attribute.", part: message(by, 2, 7, slices.Concat(row4, []byte{4, 0, 2})), err: true},
		"HalfAnInfo":  {reason: "Half an attribute.", part: message(by, 2, 7, slices.Concat(row4, info[:160])), err: true},
		"NoAttribute": {reason: "One without room for its own header would be read for ever.", part: message(by, 2, 7, slices.Concat(row4, []byte{3, 0, 8, 0})), err: true},

		"NoTCPDiag":      {reason: "An empty answer that failed.", part: message(done, 2, 7, errno(-2)), err: true, errno: syscall.ENOENT},
		"FailedAtTheEnd": {reason: "What came before is not all.", part: slices.Concat(message(by, 2, 7, row4), message(done, 2, 7, errno(-105))), err: true, errno: syscall.ENOBUFS},
		"Refused":        {reason: "A question that is not answered.", part: message(failed, 0, 7, append(errno(-22), make([]byte, 16)...)), err: true, errno: syscall.EINVAL},
		"Acknowledged":   {reason: "Nobody asked for that.", part: message(failed, 0, 7, append(errno(0), make([]byte, 16)...)), err: true},
		"PositiveEnd":    {reason: "Nobody knows what that means.", part: message(done, 2, 7, errno(2)), err: true},
		"ShortEnd":       {reason: "It does not say whether all is told.", part: message(done, 2, 7, []byte{0, 0, 0}), err: true},
		"Interrupted":    {reason: "The table changed.", part: slices.Concat(message(by, 2|dumpInterrupted, 7, row4), end), err: true},
		"EndInterrupted": {reason: "The table changed.", part: message(done, 2|dumpInterrupted, 7, errno(0)), err: true},
		"OtherQuestion":  {reason: "An answer to a question before.", part: message(done, 2, 6, errno(0)), err: true},
		"OtherMessage":   {reason: "An overrun, for one.", part: message(4, 2, 7, nil), err: true},
		"OtherFamily":    {reason: "The width of its addresses is unknown.", part: message(by, 2, 7, append([]byte{1}, row4[1:]...)), err: true},
		"ShortSocket":    {reason: "Half a socket.", part: message(by, 2, 7, row4[:71]), err: true},
		"CutOff":         {reason: "Half a message.", part: cut[:len(cut)-1], err: true},
		"HeaderCutOff":   {reason: "Half a header.", part: slices.Concat(cut, cut[:15]), err: true},
		"TooShort":       {reason: "A message without room for its own header would be read for ever.", part: slices.Concat([]byte{15, 0, 0, 0}, cut[4:]), err: true},
		"NoLength":       {reason: "The same.", part: make([]byte, 88), err: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, done, err := parseDiag(tc.part, 7)
			if (err != nil) != tc.err || tc.errno != 0 && !errors.Is(err, tc.errno) {
				t.Fatalf("%s\nerror %v", tc.reason, err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateComparable(netip.AddrPort{})); done != tc.done || diff != "" {
				t.Errorf("%s\ndone %v; -want, +got:\n%s", tc.reason, done, diff)
			}
		})
	}
}

func FuzzParseDiag(f *testing.F) {
	f.Add(message(sockDiagByFamily, 2, 7, make([]byte, socketSize)))
	f.Add(message(syscall.NLMSG_DONE, 2, 7, errno(0)))
	f.Fuzz(func(t *testing.T, part []byte) {
		some, _, err := parseDiag(part, 7)
		if err == nil && len(some) > len(part)/(syscall.NLMSG_HDRLEN+socketSize) {
			t.Errorf("%d sockets of %d bytes", len(some), len(part))
		}
	})
}

func BenchmarkSockets(b *testing.B) {
	for name, read := range map[string]func() ([]Socket, error){"proc": procSockets, "diag": diagSockets} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var before, after syscall.Rusage
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			for b.Loop() {
				if _, err := read(); err != nil {
					b.Fatal(err)
				}
			}

			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
			cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
