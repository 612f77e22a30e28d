// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/podgate/podgate/sim/awssim/faults"
)

// Front is a port of a service network of VPC Lattice, at which all its services answer.
type Front struct {
	Name    string // for the log
	Address string // without the port
	Port    int
	// Passthrough returns what a TLS connection for a server name is carried to; false means that it is not to be
	// carried, but ended here. It is called with the clock's lock.
	Passthrough func(serverName string) ([]Weight, bool)
	// Route returns what becomes of a request to a host. It is called with the clock's lock.
	Route func(host string, r *http.Request) Decision
}

// Weight is a target group, by its ARN, and its share.
type Weight struct {
	Group  string
	Weight int
}

// Decision is what becomes of a request.
type Decision struct {
	// Forward is where it goes. If it is nil the answer is Status, or if that is 0 a closed connection.
	Forward []Weight
	Status  int
	// Headers adds headers to a request for a target of a group.
	Headers func(group string, header http.Header)
}

// latticeIdle is how long a connection may be silent (VPC Lattice user guide, quotas).
const latticeIdle = time.Minute

// OpenFront binds a port of a service network and serves it. Without a data path, or when the simulator has ended,
// nothing is bound.
func (p *Path) OpenFront(f Front) (*Socket, error) {
	k := &Socket{path: p}
	if p.cfg.NoDataPath || p.clock.Ended() {
		return k, nil
	}

	port := f.Port
	if p.cfg.EphemeralPorts {
		port = 0
	}
	bound, err := net.Listen("tcp", net.JoinHostPort(f.Address, strconv.Itoa(port)))
	if err != nil {
		p.log.Error(err, "Cannot bind the port of a service network", "network", f.Name)
		return nil, fmt.Errorf("bind port %d of %s: %w", f.Port, f.Name, err)
	}

	certificate, err := p.certificate()
	if err != nil {
		_ = bound.Close() // the certificate is what is reported
		return nil, fmt.Errorf("open port %d of %s: %w", f.Port, f.Name, err)
	}

	k.address = bound.Addr().String()
	p.log.Info("Port of a service network is open", "network", f.Name, "address", k.address)
	p.sockets[k] = struct{}{}
	k.serveFront(bound, f, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	return k, nil
}

// serveFront sorts connections: those that are carried as they are, and those whose requests are answered here.
func (k *Socket) serveFront(bound net.Listener, f Front, secure *tls.Config) {
	clock := k.path.clock
	ctx, cancel := context.WithCancel(clock.Context())
	accepted := &handed{address: bound.Addr(), conns: make(chan net.Conn), done: ctx.Done()}
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { k.answerFront(w, r, f) }),
		ReadHeaderTimeout: time.Minute, // clients live in real time
		IdleTimeout:       clock.SocketTimeout(latticeIdle),
		ErrorLog:          log.New(io.Discard, "", 0),
		BaseContext:       func(net.Listener) context.Context { return ctx }, // so that requests end with it
	}

	k.shut = func() {
		cancel()
		_ = bound.Close() // it ends the loop below; there is nobody to tell
	}

	clock.Go(func() {
		_ = server.Serve(accepted) // it ends when ctx does
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close() // clients that do not end are cut off
		}
	})

	clock.Go(func() {
		var connections sync.WaitGroup
		defer connections.Wait()
		for {
			client, err := bound.Accept()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				if !clock.Wait(ctx, 10*time.Millisecond) { // out of files, most likely
					return
				}
				continue
			}
			connections.Go(func() { k.sort(ctx, client, f, secure, accepted) })
		}
	})
}

// sort looks at how a connection begins, and carries it, or hands it to the server.
func (k *Socket) sort(ctx context.Context, client net.Conn, f Front, secure *tls.Config, accepted *handed) {
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	_ = client.SetReadDeadline(time.Now().Add(time.Minute)) // a closed connection shows at the next read

	begun, serverName, encrypted, err := begin(ctx, client)
	if err != nil {
		_ = client.Close() // it said nothing
		return
	}
	_ = client.SetReadDeadline(time.Time{})

	if !encrypted {
		accepted.hand(begun)
		return
	}

	clock := k.path.clock
	clock.Lock()
	weights, carried := f.Passthrough(serverName)
	var target *route
	if carried {
		if g := k.path.choose(weights); g != nil {
			target = g.pick()
		}
	}
	clock.Unlock()

	switch {
	case !carried:
		accepted.hand(tls.Server(begun, secure))
	case target == nil:
		reset(begun)
	default:
		carry(ctx, begun, upstream{Address: target.address, Pool: target.pool, Connect: clock.SocketTimeout(connectTimeout)})
	}
}

// answerFront answers one request.
func (k *Socket) answerFront(w http.ResponseWriter, r *http.Request, f Front) {
	arrived := time.Now()
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if r.TLS != nil && r.TLS.ServerName != "" {
		host = r.TLS.ServerName
	}

	k.path.clock.Lock()
	decision := f.Route(host, r)
	to, problem := k.latticeTarget(decision)
	k.path.clock.Unlock()

	fail := func(status int) {
		if r.Context().Err() == nil { // a client that left has lost nothing
			k.path.record.AddFailure(faults.Failure{Time: arrived, TargetGroupARN: to.group, Target: to.target, HTTPStatus: status})
		}
	}

	switch {
	case decision.Forward == nil && decision.Status == 0:
		panic(http.ErrAbortHandler)
	case decision.Forward == nil:
		latticePage(w, decision.Status)
	case problem != 0:
		fail(problem)
		latticePage(w, problem)
	default:
		to.Page = latticePage
		to.Headers = func(header http.Header) {
			forwardedBy(header, r)
			decision.Headers(to.group, header)
		}
		forward(w, r, to.upstream, fail)
	}
}

// latticeTarget chooses the target of a request, or returns the status. That it is 503 is an assumption.
func (k *Socket) latticeTarget(d Decision) (destination, int) {
	if d.Forward == nil {
		return destination{}, 0
	}

	g := k.path.choose(d.Forward)
	if g == nil || g.group.Routing().Lambda {
		return destination{}, http.StatusServiceUnavailable
	}
	target := g.pick()
	if target == nil {
		return destination{group: g.group.ARN()}, http.StatusServiceUnavailable
	}

	return destination{
		group: g.group.ARN(), target: target.target,
		upstream: upstream{
			Address: target.address, Pool: target.pool, TLS: g.group.Routing().TLS,
			Connect: k.path.clock.SocketTimeout(connectTimeout), Idle: k.path.clock.SocketTimeout(latticeIdle),
		},
	}, 0
}

// forwardedBy replaces what a client says of itself by what is true.
func forwardedBy(header http.Header, r *http.Request) {
	host, port, _ := net.SplitHostPort(r.RemoteAddr)
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	header.Del("X-Forwarded-Port")
	header.Set("X-Forwarded-For", host)
	header.Set("X-Forwarded-For-Port", port)
	header.Set("X-Forwarded-Proto", scheme)
}

// latticePage is VPC Lattice's own answer, whose body AWS does not document.
func latticePage(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, http.StatusText(status))
}

// begun is a connection of which the beginning has been read.
type begun struct {
	net.Conn
	r io.Reader
}

func (b *begun) Read(p []byte) (int, error) { return b.r.Read(p) }

// CloseWrite ends one direction.
func (b *begun) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.New("close write: not possible")
}

// SetLinger is what makes a close a reset.
func (b *begun) SetLinger(seconds int) error {
	if tcp, ok := b.Conn.(*net.TCPConn); ok {
		return tcp.SetLinger(seconds)
	}
	return nil
}

var errHello = errors.New("the hello has been read")

// begin reads how a connection begins: in TLS with a server name, or in another way. The connection it returns still
// has all of it.
func begin(ctx context.Context, client net.Conn) (conn net.Conn, serverName string, encrypted bool, err error) {
	r := bufio.NewReader(client)
	first, err := r.Peek(1)
	if err != nil {
		return nil, "", false, fmt.Errorf("read the beginning of a connection: %w", err)
	}

	const handshake = 0x16
	if first[0] != handshake {
		return &begun{client, r}, "", false, nil
	}

	var seen bytes.Buffer
	err = tls.Server(listening{Conn: client, r: io.TeeReader(r, &seen)}, &tls.Config{
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			serverName = hello.ServerName
			return nil, errHello
		},
		MinVersion: tls.VersionTLS12,
	}).HandshakeContext(ctx)
	if !errors.Is(err, errHello) {
		return nil, "", true, fmt.Errorf("read the beginning of a TLS connection: %w", err)
	}

	return &begun{client, io.MultiReader(&seen, r)}, serverName, true, nil
}

// listening is a connection on which nothing is said.
type listening struct {
	net.Conn
	r io.Reader
}

func (l listening) Read(p []byte) (int, error)  { return l.r.Read(p) }
func (l listening) Write(p []byte) (int, error) { return len(p), nil }

// handed is a listener whose connections were accepted elsewhere.
type handed struct {
	address net.Addr
	conns   chan net.Conn
	done    <-chan struct{}
}

func (h *handed) hand(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.done:
		_ = conn.Close() // there is nobody left to serve it
	}
}

// Accept implements net.Listener.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handed) Close() error { return nil }

// Addr implements net.Listener.
func (h *handed) Addr() net.Addr { return h.address }
