// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
)

// TestSocketReader finds a connection of this process in the kernel's own table.
func TestSocketReader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = l.Close() }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = conn.Close() }()
	all, err := socketReader()()
	if err != nil {
		t.Fatal(err)
	}

	server := netip.MustParseAddrPort(l.Addr().String())
	client := netip.MustParseAddrPort(conn.LocalAddr().String())
	if !slices.ContainsFunc(all, func(s Socket) bool { return s.Local == server && s.Remote == client && s.Live() }) {
		t.Errorf("no live socket from %s at %s in %v", client, server, all)
	}
}

// TestFirstThatWorks: the first look decides which way is taken, and nothing that fails is empty.
func TestFirstThatWorks(t *testing.T) {
	works, fails := error(nil), errors.New("operation not permitted")
	cases := map[string]struct {
		reason string
		// cheap and sure are what the two ways say, look by look; the first is the try.
		cheap []error
		sure  []error
		want  []error
	}{
		"Works":       {reason: "The other way is not taken.", cheap: []error{works, works, works}, want: []error{works, works}},
		"Missing":     {reason: "It is tried once.", cheap: []error{fails}, sure: []error{works, works}, want: []error{works, works}},
		"FailsOnce":   {reason: "That look is an error.", cheap: []error{works, fails, works}, want: []error{fails, works}},
		"NeitherDoes": {reason: "Nobody can look.", cheap: []error{fails}, sure: []error{fails, fails}, want: []error{fails, fails}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			next := func(which string, answers *[]error) func() ([]Socket, error) {
				return func() ([]Socket, error) {
					if len(*answers) == 0 {
						t.Fatalf("%s\nthe %s way is tried once too often", tc.reason, which)
					}
					err := (*answers)[0]
					*answers = (*answers)[1:]
					return nil, err
				}
			}

			read := firstThatWorks(next("cheap", &tc.cheap), next("sure", &tc.sure))
			for i, want := range tc.want {
				if _, err := read(); !errors.Is(err, want) {
					t.Errorf("%s\nlook %d: error %v, want %v", tc.reason, i, err, want)
				}
			}

			if left := len(tc.cheap) + len(tc.sure); left > 0 {
				t.Errorf("%s\n%d looks were not taken", tc.reason, left)
			}
		})
	}
}
