// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// dataPath is what the listeners of all load balancers share.
type dataPath struct {
	certificate func() (tls.Certificate, error) // one for all HTTPS and TLS listeners
}

// socket is the data path's end of a listener. The zero value is not open.
type socket struct {
	address string
	shut    func()
	table   []*rule // in the order in which they apply
}

func (k *socket) close() {
	if k.shut != nil {
		k.shut()
		k.shut = nil
	}
}

// reroute gives the data path a listener's rules as they now are.
func (s *Sim) reroute(l *listener) { l.table = s.rulesOf(l) }

// open binds a listener and serves it. It needs the lock.
func (s *Sim) open(l *listener) error {
	if s.cfg.NoDataPath || s.state == stateEnded {
		return nil
	}

	port := int(*l.view.Port)
	if s.cfg.EphemeralPorts {
		port = 0
	}

	bound, err := net.Listen("tcp", net.JoinHostPort(s.cfg.DataAddress, strconv.Itoa(port)))
	if err != nil {
		s.cfg.Log.Error(err, "Cannot bind the listener of a load balancer", "listener", l.arn())
		return fmt.Errorf("bind listener %s: %w", l.arn(), err)
	}

	l.address = bound.Addr().String()
	s.cfg.Log.Info("Listener of a load balancer is open", "listener", l.arn(), "address", l.address)

	if l.view.Protocol == types.ProtocolEnumHttps || l.view.Protocol == types.ProtocolEnumTls {
		certificate, err := s.data.certificate()
		if err != nil {
			_ = bound.Close() // the certificate is what is told
			return fmt.Errorf("open listener %s: %w", l.arn(), err)
		}
		bound = tls.NewListener(bound, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	}

	if l.balancer.application() {
		s.openHTTP(l, bound)
		return nil
	}

	s.openTCP(l, bound)
	return nil
}

func (s *Sim) openHTTP(l *listener, bound net.Listener) {
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.route(l, w, r) }),
		ReadHeaderTimeout: s.socketTimeout(time.Minute),
		IdleTimeout:       s.socketTimeout(time.Hour), // client_keep_alive.seconds
		ErrorLog:          log.New(io.Discard, "", 0),
	}

	ctx, cancel := context.WithCancel(s.base)
	server.BaseContext = func(net.Listener) context.Context { return ctx } // so that requests end with it
	l.shut = func() {
		cancel()
		_ = bound.Close() // it ends Serve; there is nobody to tell
	}

	s.spawn(func() {
		_ = server.Serve(bound) // it ends when the listener does
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close() // clients that do not end are cut off
		}
	})
}

// ListenerAddress is the address that a listener of a load balancer really
// has; empty when it has none.
func (s *Sim) ListenerAddress(listenerARN string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[listenerARN]
	if l == nil {
		return ""
	}
	return l.address
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

func newDataPath() dataPath { return dataPath{certificate: sync.OnceValues(newCertificate)} }
