// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/podgate/podgate/sim/awssim/clock"
	"github.com/podgate/podgate/sim/awssim/faults"
)

// Config says where listeners are bound.
type Config struct {
	// DataAddress is the address that listeners of load balancers bind. Default 127.0.0.1. Below 127.0.0.0/8 it is
	// that of the first load balancer, and the others have addresses of their own.
	DataAddress string
	// NoDataPath binds no listener at all.
	NoDataPath bool
	// EphemeralPorts binds every listener to a free port, whatever port its
	// API object says; Socket.Address tells which.
	EphemeralPorts bool
}

// WithDefaults fills in what is not given.
func (c Config) WithDefaults() Config {
	c.DataAddress = cmp.Or(c.DataAddress, "127.0.0.1")
	return c
}

// Path is the data path of all load balancers. Its methods, and those of what it returns, need the clock's lock.
type Path struct {
	cfg         Config
	clock       *clock.Clock
	record      *faults.Record
	log         logr.Logger
	certificate func() (tls.Certificate, error) // one for all HTTPS and TLS listeners

	sockets map[*Socket]struct{} // those that are open
	groups  map[string]*Routes   // by the ARN of the target group
	seq     int64                // of routes
	turn    int64                // of weighted forwards
}

// New makes a data path that has no listener. It puts what becomes of targets and requests on record.
func New(cfg Config, c *clock.Clock, record *faults.Record, log logr.Logger) *Path {
	return &Path{
		cfg: cfg, clock: c, record: record, log: log, certificate: sync.OnceValues(newCertificate),
		sockets: map[*Socket]struct{}{}, groups: map[string]*Routes{},
	}
}

// BalancerAddress returns the address of the nth load balancer. On a loopback address each has its own, 256 and more
// beyond the first, so that several can have the same port; elsewhere they share it.
func (p *Path) BalancerAddress(n int) string {
	if n == 0 {
		return p.cfg.DataAddress
	}
	return p.loopback(255 + n)
}

// NetworkAddress returns the address of the nth service network. On a loopback address each has its own, beyond that
// of the first load balancer; elsewhere they share it, and must not have the same ports.
func (p *Path) NetworkAddress(n int) string { return p.loopback(n + 1) }

// loopback is the address so many beyond the data address, if that is a loopback address.
func (p *Path) loopback(beyond int) string {
	address, err := netip.ParseAddr(p.cfg.DataAddress)
	if err != nil || !address.Is4() || !address.IsLoopback() {
		return p.cfg.DataAddress
	}
	for range beyond {
		address = address.Next()
	}
	return address.String()
}

// End closes all listeners, and breaks off what is under way.
func (p *Path) End() {
	for k := range p.sockets {
		k.Close()
	}

	for _, group := range p.groups {
		for _, r := range group.routes {
			r.pool.end()
		}
	}
}

// newCertificate signs itself: what it is called matters to no one here.
func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "awssim"},
		DNSNames:     []string{"localhost", "*.elb.amazonaws.com"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(365 * 24 * time.Hour),
	}

	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}

	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
