// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"net/netip"
	"slices"
	"strings"

	toolscache "k8s.io/client-go/tools/cache"

	"github.com/podgate/podgate/internal/index"
)

// rangeBits make eight addresses a range: as many as go into the smallest of Go's maps.
const rangeBits = 3

// byRange has an index of pods by their addresses keep those of a range under one value. Hardly any address is of two pods, and
// an informer keeps a map for each value, which takes half as much as what is kept of a pod.
func byRange(values toolscache.IndexFunc) toolscache.IndexFunc {
	return func(o any) ([]string, error) {
		all, err := values(o)
		for i := range all {
			all[i], _ = rangeOf(all[i])
		}
		return all, err
	}
}

// rangeOf gives the value of the range in which the address of a value is, and the address.
func rangeOf(value string) (string, netip.Addr) {
	at := strings.LastIndexByte(value, '/') + 1
	addr, err := netip.ParseAddr(value[at:])
	if err != nil {
		return value, netip.Addr{}
	}
	near, err := addr.Prefix(addr.BitLen() - rangeBits)
	if err != nil {
		return value, netip.Addr{}
	}
	return string(near.Addr().AppendTo([]byte(value[:at]))), addr
}

// byAddress gives the pods that have the address of a value, and no others of its range.
func (i unpackingIndexer) byAddress(value string) ([]any, error) {
	near, addr := rangeOf(value)
	found, err := i.Indexer.ByIndex(index.ByAddress, near)
	found = slices.DeleteFunc(found, func(o any) bool {
		p, compact := o.(*compactPod)
		return compact && !p.has(addr)
	})
	return allUnpacked(found), err
}

// has reports whether the pod has an address.
func (p *compactPod) has(addr netip.Addr) bool {
	for _, ip := range p.ips() {
		if have, err := netip.ParseAddr(ip.IP); err == nil && have.Unmap() == addr {
			return true
		}
	}
	return false
}
