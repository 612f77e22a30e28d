// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Listener is a port of a load balancer, as the data path needs it.
type Listener struct {
	ARN      string
	Address  string // its load balancer's, from BalancerAddress
	Protocol types.ProtocolEnum
	Port     int32
	// Certificate is what a client that asks for a server name is shown; nil: the data path's own. It is called with the
	// clock's lock.
	Certificate func(serverName string) *tls.Certificate
	// Application is true of application load balancers, false of network load balancers.
	Application bool
	// IdleTimeout is for how long a connection to a target may be silent. It is called with the clock's lock.
	IdleTimeout func() time.Duration
}

// Socket is the data path's end of a listener.
type Socket struct {
	Listener
	path    *Path
	address string
	shut    func() // nil unless it is open
	rules   []types.Rule
}

// Address is the address that the listener really has; empty when it was never opened.
func (k *Socket) Address() string { return k.address }

// Reroute changes the listener's rules, which are in the order in which they apply. The last is the default rule.
func (k *Socket) Reroute(rules []types.Rule) { k.rules = rules }

// Close stops accepting, and ends what is under way.
func (k *Socket) Close() {
	if k.shut != nil {
		k.shut()
		k.shut = nil
		delete(k.path.sockets, k)
	}
}

// Open binds a listener and serves it. Without a data path, or when the simulator has ended, nothing is bound.
func (p *Path) Open(l Listener) (*Socket, error) {
	k := &Socket{Listener: l, path: p}
	if p.cfg.NoDataPath || p.clock.Ended() || l.Protocol == types.ProtocolEnumUdp {
		return k, nil
	}

	bound, err := p.bind(l)
	if err != nil {
		return nil, err
	}

	k.address = bound.Addr().String()
	p.log.Info("Listener of a load balancer is open", "listener", l.ARN, "address", k.address)

	if l.Protocol == types.ProtocolEnumHttps || l.Protocol == types.ProtocolEnumTls {
		certificate, err := p.certificate()
		if err != nil {
			_ = bound.Close() // the certificate is what is reported
			return nil, fmt.Errorf("open listener %s: %w", l.ARN, err)
		}
		bound = tls.NewListener(bound, &tls.Config{GetCertificate: k.chooser(&certificate), MinVersion: tls.VersionTLS12})
	}

	p.sockets[k] = struct{}{}
	if l.Application {
		k.serveHTTP(bound)
		return k, nil
	}

	k.serveTCP(bound)
	return k, nil
}

// chooser chooses the certificate for a client, or if the listener has none the data path's own.
func (k *Socket) chooser(own *tls.Certificate) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		k.path.clock.Lock()
		defer k.path.clock.Unlock()
		if chosen := k.Certificate(hello.ServerName); chosen != nil {
			return chosen, nil
		}
		return own, nil
	}
}

// bind binds a listener's port, or any port that is free.
func (p *Path) bind(l Listener) (net.Listener, error) {
	port := int(l.Port)
	if p.cfg.EphemeralPorts {
		port = 0
	}

	bound, err := net.Listen("tcp", net.JoinHostPort(l.Address, strconv.Itoa(port)))
	if err != nil {
		p.log.Error(err, "Cannot bind the listener of a load balancer", "listener", l.ARN)
		return nil, fmt.Errorf("bind listener %s: %w", l.ARN, err)
	}

	return bound, nil
}

// serveHTTP serves a listener of an application load balancer.
func (k *Socket) serveHTTP(bound net.Listener) {
	clock := k.path.clock
	server := &http.Server{
		Handler:           http.HandlerFunc(k.answer),
		ReadHeaderTimeout: time.Minute,                    // clients live in real time
		IdleTimeout:       clock.SocketTimeout(time.Hour), // client_keep_alive.seconds
		ErrorLog:          log.New(io.Discard, "", 0),
	}

	ctx, cancel := context.WithCancel(clock.Context())
	server.BaseContext = func(net.Listener) context.Context { return ctx } // so that requests end with it
	k.shut = func() {
		cancel()
		_ = bound.Close() // it ends Serve; there is nobody to tell
	}

	clock.Go(func() {
		_ = server.Serve(bound) // it ends when the listener does

		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close() // clients that do not end are cut off
		}
	})
}
