// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"net/netip"
	"testing"
)

func TestGateway(t *testing.T) {
	for word, want := range map[string]string{
		"0100F40A": "10.244.0.1", "fe800000000000000000000000000001": "fe80::1",
		"00000000": "", "00000000000000000000000000000000": "", "": "", "Gateway": "", "0100F4": "",
	} {
		got, ok := gateway(word)
		if ok != (want != "") || ok && got != netip.MustParseAddr(want) {
			t.Errorf("%q is %v, %t, want %q", word, got, ok, want)
		}
	}
}
