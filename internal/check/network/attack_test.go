// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/allow"
	"github.com/podgate/podgate/internal/check"
)

var shop = map[string]string{"team": "shop"}

func rules(t *testing.T, texts ...string) allow.List {
	t.Helper()
	var list allow.List
	for _, text := range texts {
		if err := list.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// everywhere lists addresses that no check reaches, in each of their spellings.
var everywhere = map[string]string{
	"Loopback":               "127.0.0.1",
	"LoopbackElsewhere":      "127.8.8.8",
	"LoopbackIPv6":           "::1",
	"Unspecified":            "0.0.0.0",
	"ThisNetwork":            "0.1.2.3",
	"UnspecifiedIPv6":        "::",
	"Metadata":               "169.254.169.254",
	"Tasks":                  "169.254.170.2",
	"MetadataIPv6":           "fd00:ec2::254",
	"PodIdentityIPv6":        "fd00:ec2::23",
	"MetadataGoogleIPv6":     "fd20:ce::254",
	"MetadataScalewayIPv6":   "fd00:42::42",
	"MetadataAkamaiIPv6":     "fd00:a9fe:a9fe::1",
	"MetadataAlibaba":        "100.100.100.200",
	"MetadataAzure":          "168.63.129.16",
	"MetadataAlibabaIPv6":    "fd00:100::100:200",
	"MetadataOracleIPv6":     "fd00:c1::a9fe:a9fe",
	"MetadataOracle":         "192.0.0.192",
	"LinkLocalIPv6":          "fe80::1",
	"LinkLocalZone":          "fe80::1%lo",
	"AnyZone":                "2001:db8::1%lo",
	"SiteLocal":              "fec0::1",
	"Multicast":              "224.0.0.1",
	"MulticastIPv6":          "ff02::1",
	"Broadcast":              "255.255.255.255",
	"Mapped":                 "::ffff:169.254.169.254",
	"MappedHexadecimal":      "::ffff:a9fe:a9fe",
	"MappedPrivate":          "::ffff:10.0.0.1",
	"Compatible":             "::169.254.169.254",
	"Translated":             "::ffff:0:169.254.169.254",
	"NAT64":                  "64:ff9b::169.254.169.254",
	"NAT64Hexadecimal":       "64:ff9b::a9fe:a9fe",
	"NAT64Private":           "64:ff9b::10.0.0.1",
	"NAT64Local":             "64:ff9b:1::169.254.169.254",
	"NAT64LocalOtherLengths": "64:ff9b:1:a9fe:a9:fe00::",
	"6to4":                   "2002:a9fe:a9fe::1",
	"Teredo":                 "2001:0:a9fe:a9fe::1",
}

// tried asks by the guard, and returns the answer. The context bounds what would be a success of the attack.
func tried(t *testing.T, place Place, pod check.Subject) check.Answer {
	t.Helper()
	checker := Checker{Place: place, Timeout: 2 * time.Second, Ask: func(ctx context.Context, to Destination) check.Answer {
		conn, err := Guard{}.Dial(ctx, to)
		if err != nil {
			return Explain(err)
		}
		_ = conn.Close()
		return check.Answer{Verdict: check.Pass, Word: check.Connected}
	}}
	answers, err := checker.Check(t.Context(), []check.Subject{pod})
	if err != nil {
		t.Fatal(err)
	}
	return answers[pod.UID]
}

// refused is what every attack is told, whatever is there: no verdict, and the same word.
func refused(t *testing.T, got check.Answer, of string) {
	t.Helper()
	got.Addr = netip.Addr{}
	if got != (check.Answer{Word: check.NotAllowed}) {
		t.Errorf("%s: got %s (%s), want only %q", of, got.Verdict, got.Word, check.NotAllowed)
	}
}

// TestNoCheckReaches: not as the pod's own address, and not as a host that an administrator allowed too widely.
func TestNoCheckReaches(t *testing.T) {
	wide := rules(t, "team => *:* http://* http://*/* https://*/*")
	for name, address := range everywhere {
		t.Run(name, func(t *testing.T) {
			addr := netip.MustParseAddr(address)
			pod := check.Subject{UID: "1", Addrs: []netip.Addr{addr}}
			refused(t, tried(t, AtPod(intstr.FromInt32(80), ""), pod), "as the pod's address")

			host := net.JoinHostPort(address, "80")
			if place, err := Allowed(wide, shop, host); err == nil {
				refused(t, tried(t, place, pod), "as a host")
			}
			if place, _, err := AllowedURL(wide, shop, "http://"+host+"/"); err == nil {
				refused(t, tried(t, place, pod), "in a URL")
			}

			// What a name resolved to. The dialer shows addresses in their own spelling, mapped ones as IPv4.
			if (Guard{}).reaches(Destination{host: "rebound.example.com:80"}, netip.AddrPortFrom(addr, 80)) {
				t.Error("as what a name resolves to: reached")
			}
		})
	}
}

// TestNamesThatResolveToThisHost: what counts is the address that is dialled, so a server that listens there is not reached,
// by whichever name.
func TestNamesThatResolveToThisHost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()

	_, port, _ := net.SplitHostPort(listener.Addr().String())
	wide := rules(t, "team => *:*")
	for _, host := range []string{"localhost", "LOCALHOST", "localhost.", "127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "[::]"} {
		place, err := Allowed(wide, shop, host+":"+port)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		if got := tried(t, place, check.Subject{UID: "1"}); got.Verdict != check.NoAnswer || got.Word != check.NotAllowed && got.Word != check.NameNotFound {
			t.Errorf("%s: got %s (%s)", host, got.Verdict, got.Word)
		}
	}

	// Numbers that only some resolvers take for addresses.
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1"} {
		place, err := Allowed(wide, shop, host+":"+port)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		if got := tried(t, place, check.Subject{UID: "1"}); got.Verdict != check.NoAnswer {
			t.Errorf("%s: got %s (%s)", host, got.Verdict, got.Word)
		}
	}
}

// TestReaches: what is left is reached, and of a pod nothing but its own addresses.
func TestReaches(t *testing.T) {
	at := netip.MustParseAddrPort
	pod := Destination{pod: check.Subject{Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd12::1")}}, address: at("10.0.0.1:80")}
	host := Destination{host: "status.example.com:80"}
	guard := Guard{APIServers: func() ([]netip.AddrPort, bool) {
		return []netip.AddrPort{at("10.96.0.1:443"), at("10.0.0.1:6443"), at("[fd12::1]:443")}, true
	}}
	for name, tc := range map[string]struct {
		reason string
		to     Destination
		at     string
		want   bool
	}{
		"Pod":            {reason: "Its own address.", to: pod, at: "10.0.0.1:80", want: true},
		"PodIPv6":        {reason: "Its other own address.", to: pod, at: "[fd12::1]:80", want: true},
		"OtherPod":       {reason: "Another pod's.", to: pod, at: "10.0.0.2:80"},
		"Private":        {reason: "Services and pods have private addresses, and the administrator allowed the name.", to: host, at: "192.168.3.4:80", want: true},
		"Shared":         {reason: "Some clusters' pods have addresses of RFC 6598.", to: host, at: "100.64.0.7:80", want: true},
		"ClassE":         {reason: "Some clusters' pods have addresses of class E.", to: host, at: "240.0.0.7:80", want: true},
		"Public":         {reason: "A server elsewhere.", to: host, at: "203.0.113.7:80", want: true},
		"PublicIPv6":     {reason: "A server elsewhere.", to: host, at: "[2001:db8::1]:80", want: true},
		"UniqueLocal":    {reason: "Private addresses of IPv6.", to: host, at: "[fd00:ec3::1]:80", want: true},
		"BesideGoogle":   {reason: "Private addresses of IPv6, of which one is Google's.", to: host, at: "[fd20:ce::253]:80", want: true},
		"APIServer":      {reason: "The Service of the API server.", to: host, at: "10.96.0.1:443"},
		"APIServerPod":   {reason: "The API server itself, as a pod on its node's network.", to: pod, at: "10.0.0.1:6443"},
		"APIServerIPv6":  {reason: "The API server itself.", to: host, at: "[fd12::1]:443"},
		"OtherPortThere": {reason: "Another port of the same address.", to: host, at: "10.96.0.1:80", want: true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := guard.reaches(tc.to, at(tc.at)); got != tc.want {
				t.Errorf("%s\ngot %t", tc.reason, got)
			}
			if err := guard.control(tc.to)("tcp", tc.at, nil); (err == nil) != tc.want {
				t.Errorf("%s\nthe dialer is told %v", tc.reason, err)
			}
		})
	}
}

// TestNothingIsReachedWhileTheAPIServersAreUnknown: any address could be theirs.
func TestNothingIsReachedWhileTheAPIServersAreUnknown(t *testing.T) {
	guard := Guard{APIServers: func() ([]netip.AddrPort, bool) { return nil, false }}
	for _, to := range []Destination{
		{host: "status.example.com:80"},
		{pod: check.Subject{Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}, address: netip.MustParseAddrPort("10.0.0.1:80")},
	} {
		if guard.reaches(to, netip.MustParseAddrPort("10.0.0.1:80")) {
			t.Errorf("%s is reached", to.HostPort())
		}
	}
}

// TestNowhere: a destination that no place made leads nowhere.
func TestNowhere(t *testing.T) {
	if conn, err := (Guard{}).Dial(t.Context(), Destination{}); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("got %v and the error %v", conn, err)
	}
	refused(t, tried(t, Place{}, check.Subject{UID: "1", HostNetwork: true, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}), "the zero place")
}

// TestControlOfWhatIsNoAddress: what cannot be judged is not dialled.
func TestControlOfWhatIsNoAddress(t *testing.T) {
	for _, address := range []string{"", "10.0.0.1", "status.example.com:80", "/run/a.sock"} {
		if err := (Guard{}).control(Destination{host: "status.example.com:80"})("tcp", address, nil); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%q: got the error %v", address, err)
		}
	}
}

// TestSpelled: names are judged by what they resolve to, addresses by what they look like, too.
func TestSpelled(t *testing.T) {
	at := netip.MustParseAddrPort
	for name, tc := range map[string]struct {
		to   Destination
		want bool
	}{
		"Zero":       {to: Destination{}},
		"Pod":        {to: Destination{address: at("10.0.0.1:80")}, want: true},
		"PodMapped":  {to: Destination{address: at("[::ffff:10.0.0.1]:80")}},
		"Host":       {to: Destination{host: "db.shop:80"}, want: true},
		"HostNumber": {to: Destination{host: "10.0.0.1:80"}, want: true},
		"HostIPv6":   {to: Destination{host: "[2001:db8::1]:80"}, want: true},
		"HostMapped": {to: Destination{host: "[::ffff:10.0.0.1]:80"}},
		"NoPort":     {to: Destination{host: "db.shop"}},
	} {
		if got := tc.to.spelled(); got != tc.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
