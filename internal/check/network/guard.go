// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// Dial connects to a destination. Guard's is the one that podgate uses.
type Dial func(ctx context.Context, to Destination) (net.Conn, error)

// Guard decides which addresses podgate connects to for checks, whoever allowed the name: it sees each address that
// is dialled, after a name was resolved.
type Guard struct {
	// APIServers lists the addresses of the cluster's API servers, which no check reaches; nil when there are none to know. Nothing is
	// reached while they are not known.
	APIServers func() (at []netip.AddrPort, known bool)
}

// lingerSeconds is how long a closed connection may stay in the kernel, as with the kubelet's probes
// (pkg/probe/dialer): many checks must not use up the ports.
const lingerSeconds = 1

// Dial connects to a destination, without a proxy. It returns ErrNotAllowed for an address that no check reaches.
func (g Guard) Dial(ctx context.Context, to Destination) (net.Conn, error) {
	if !to.spelled() {
		return nil, ErrNotAllowed
	}

	dialer := net.Dialer{KeepAlive: -1, Control: g.control(to)}
	conn, err := dialer.DialContext(ctx, "tcp", to.HostPort())
	if err != nil {
		return nil, err
	}

	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(lingerSeconds)
	}

	return conn, nil
}

// control is asked before each connection, with the address that is dialled.
func (g Guard) control(to Destination) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !g.reaches(to, at) {
			return ErrNotAllowed
		}
		return nil
	}
}

// spelled reports whether a destination is a name, or an address in its plain spelling. The dialer itself takes
// IPv4 in IPv6 (::ffff:10.0.0.1) for IPv4, so what it dials does not show it.
func (d Destination) spelled() bool {
	if d.host == "" {
		return d.address.IsValid() && !reserved(d.address.Addr())
	}

	host, _, err := net.SplitHostPort(d.host)
	if err != nil {
		return false
	}

	addr, err := netip.ParseAddr(host)
	return err != nil || !reserved(addr)
}

// reaches reports whether an address may be dialled for a destination.
func (g Guard) reaches(to Destination, at netip.AddrPort) bool {
	if reserved(at.Addr()) || to.host == "" && !slices.Contains(to.pod.Addrs, at.Addr()) {
		return false
	}
	if g.APIServers == nil {
		return true
	}
	servers, known := g.APIServers()
	return known && !slices.Contains(servers, at)
}

// closed are the ranges that no check reaches. Private addresses are not among them: pods have them. The IANA registries of
// special-purpose addresses name the ranges.
var closed = prefixes(
	// This host, loopback, link-local (with the metadata services of most clouds), multicast and broadcast.
	"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32",
	"::/128", "::1/128", "fe80::/10", "fec0::/10", "ff00::/8",
	// Metadata and credentials at other addresses: EC2 and EKS Pod Identity, Alibaba, Azure, Oracle.
	"fd00:ec2::/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
	// Metadata over IPv6: Google (https://cloud.google.com/compute/docs/metadata/querying-metadata, for machines with IPv6 alone), and
	// Alibaba, Oracle, Scaleway and Akamai, whose addresses are those of cloud-init's data sources.
	"fd20:ce::254/128", "fd00:100::100:200/128", "fd00:c1::a9fe:a9fe/128", "fd00:42::42/128", "fd00:a9fe:a9fe::1/128",
	// IPv4 within IPv6: compatible, mapped, translated, NAT64 (RFC 6052, RFC 8215), 6to4 and Teredo.
	"::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32",
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// reserved reports whether an address is one that no check reaches. One with a zone is local to a link.
func reserved(addr netip.Addr) bool {
	return !addr.IsValid() || addr.Zone() != "" || slices.ContainsFunc(closed, func(p netip.Prefix) bool { return p.Contains(addr) })
}
