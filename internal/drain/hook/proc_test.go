// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

func TestParseSockets(t *testing.T) {
	table := header +
		"   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65532        0 1 1 0 100 0 0 10 0\n" +
		"   1: 0200F40A:1F90 0100F40A:C350 01 00000000:00000000 00:00000000 00000000 65532        0 2 1 0 20 4 30 10 -1\n" +
		"   2: 0000000000000000FFFF00000200F40A:1F90 0000000000000000FFFF00000100F40A:C351 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0\n" +
		"   3: B80D0120000000000000000001000000:1F90 B80D0120000000000000000002000000:C352 08 00000000:00000000 00:00000000 00000000     0        0 4 1 0\n"

	want := []Socket{
		{Local: netip.MustParseAddrPort("0.0.0.0:8080"), Remote: netip.MustParseAddrPort("0.0.0.0:0"), State: listens},
		{Local: netip.MustParseAddrPort("10.244.0.2:8080"), Remote: netip.MustParseAddrPort("10.244.0.1:50000"), State: 1},
		{Local: netip.MustParseAddrPort("10.244.0.2:8080"), Remote: netip.MustParseAddrPort("10.244.0.1:50001"), State: timeWait},
		{Local: netip.MustParseAddrPort("[2001:db8::1]:8080"), Remote: netip.MustParseAddrPort("[2001:db8::2]:50002"), State: 8},
	}

	got, err := parseSockets(strings.NewReader(table))
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); err != nil || diff != "" {
		t.Errorf("error %v; -want, +got:\n%s", err, diff)
	}
}

// TestNoTable: what is no table of sockets must not pass for an empty one.
func TestNoTable(t *testing.T) {
	for _, garbage := range []string{
		"", "<html>", header + "0:", header + "0: 0200F40A 0100F40A:C350 01 x", header + "0: 0200F4:1F90 0100F40A:C350 01 x",
		header + "0: 0200F40A:1F90 0100F40A:C350 0x x", header + "0: 0200F40A:1F90 XX00F40A:C350 01 x", header + strings.Repeat("x", 1<<17),
	} {
		if got, err := parseSockets(strings.NewReader(garbage)); err == nil {
			t.Errorf("%.60q is read as %v", garbage, got)
		}
	}
}

func FuzzParseSockets(f *testing.F) {
	f.Add(header + "   1: 0200F40A:1F90 0100F40A:C350 01 00000000:00000000\n")
	f.Fuzz(func(t *testing.T, table string) {
		all, err := parseSockets(strings.NewReader(table))
		if err == nil && len(all) != strings.Count(strings.TrimRight(table, "\n"), "\n") {
			t.Errorf("%d sockets of %q", len(all), table)
		}
	})
}
