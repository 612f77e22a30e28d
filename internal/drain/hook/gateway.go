// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
)

// gateways are the pod's default ones: on a bridge the node, from where the kubelet probes.
// What cannot be read is none: probes that count as connections keep a pod longer.
func gateways() []netip.Addr {
	var all []netip.Addr
	for file, parse := range map[string]func(fields []string) (string, bool){
		// Iface Destination Gateway Flags RefCnt Use Metric Mask
		"/proc/self/net/route": func(f []string) (string, bool) {
			return at(f, 2), at(f, 1) == "00000000" && at(f, 7) == "00000000"
		},
		// destination length source length gateway
		"/proc/self/net/ipv6_route": func(f []string) (string, bool) {
			return at(f, 4), at(f, 1) == "00" && strings.Trim(at(f, 0), "0") == ""
		},
	} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			word, isDefault := parse(strings.Fields(line))
			if addr, ok := gateway(word); ok && isDefault {
				all = append(all, addr)
			}
		}
	}

	return all
}

// gateway reads an address: IPv4 as the machine has it in memory, IPv6 as it is written.
func gateway(word string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(word)
	if err != nil {
		return netip.Addr{}, false
	}
	if len(raw) == 4 {
		binary.NativeEndian.PutUint32(raw, binary.BigEndian.Uint32(raw))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return addr, ok && !addr.IsUnspecified()
}

func at(fields []string, i int) string {
	if i >= len(fields) {
		return ""
	}
	return fields[i]
}
