// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// procSockets reads the table from /proc. A kernel without IPv6 has no file for it.
func procSockets() ([]Socket, error) {
	var all []Socket
	for _, file := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(file)
		if errors.Is(err, os.ErrNotExist) && strings.HasSuffix(file, "6") {
			continue
		}
		if err != nil {
			return nil, err
		}

		some, err := parseSockets(f)
		_ = f.Close()

		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}

		all = append(all, some...)
	}

	return all, nil
}

func parseSockets(r io.Reader) ([]Socket, error) {
	lines := bufio.NewScanner(r)
	if !lines.Scan() || !bytes.Contains(lines.Bytes(), []byte("local_address")) {
		return nil, errors.Join(errors.New("no table of sockets"), lines.Err())
	}

	var all []Socket
	for lines.Scan() {
		s, err := parseSocket(lines.Text())
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}

	return all, lines.Err()
}

// parseSocket reads a line such as "0: 0100007F:1F90 0200007F:C350 01 ...".
func parseSocket(line string) (Socket, error) {
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return Socket{}, fmt.Errorf("not a socket: %.80q", line)
	}

	local, err := parseAddress(fields[1])
	if err != nil {
		return Socket{}, err
	}

	remote, err := parseAddress(fields[2])
	if err != nil {
		return Socket{}, err
	}

	state, err := strconv.ParseUint(fields[3], 16, 8)
	if err != nil {
		return Socket{}, fmt.Errorf("not a state: %.80q", fields[3])
	}

	return Socket{Local: local, Remote: remote, State: State(state)}, nil
}

// parseAddress reads 32-bit words, each as the machine has it in memory.
func parseAddress(s string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, fmt.Errorf("not an address: %.80q", s)
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), nil
}
