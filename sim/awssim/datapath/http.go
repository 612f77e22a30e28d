// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// upstream is the target of a request or connection.
type upstream struct {
	Address string
	Pool    *pool
	// TLS encrypts; as load balancers do, it takes any certificate.
	TLS bool
	// Connect and Idle bound how long connecting and silence may last.
	Connect, Idle time.Duration
	// Page answers in the target's place. Default: as an application load balancer does.
	Page func(http.ResponseWriter, int)
	// Headers adds what is said about the client. Default: as an application load balancer does.
	Headers func(http.Header)
}

// page answers in the target's place.
func (u upstream) page(w http.ResponseWriter, status int) {
	if u.Page != nil {
		u.Page(w, status)
		return
	}
	page5xx(w, status)
}

// forward sends one request to one target, once. Whatever comes of it is the
// answer: there is no second attempt anywhere below. An answer that is not the target's
// is noted by fail.
func forward(w http.ResponseWriter, r *http.Request, to upstream, fail func(status int)) {
	conn, err := to.Pool.get(to.Idle), error(nil)
	if conn == nil {
		conn, err = dial(r.Context(), to)
	}

	if err != nil {
		fail(statusOf(err))
		to.page(w, statusOf(err))
		return
	}

	unwatch := context.AfterFunc(r.Context(), func() { _ = conn.Close() }) // a client that leaves takes its request with it
	end, status := exchange(w, r, conn, to)
	if unwatch() && end == endReusable {
		to.Pool.put(conn)
		return
	}

	to.Pool.drop(conn) // its request is over, one way or the other
	if status != 0 {
		fail(status)
		to.page(w, status)
	}

	if end == endCutOff {
		fail(0)
		panic(http.ErrAbortHandler) // the answer has begun: all that is left is to cut it off
	}
}

// end is how an exchange with a target ended.
type end int

const (
	endUnknown  end = iota
	endReusable     // the connection can serve another request
	endDone         // the connection is used up
	endCutOff       // the answer broke off after it had begun
)

func dial(ctx context.Context, to upstream) (*targetConn, error) {
	ctx, cancel := context.WithTimeout(ctx, to.Connect)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to target %s: %w", to.Address, err)
	}

	raw := conn
	if to.TLS {
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // load balancers do not verify targets
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // the handshake is what is told
			return nil, fmt.Errorf("TLS with target %s: %w", to.Address, err)
		}
		conn = secure
	}

	return to.Pool.add(&targetConn{Conn: conn, raw: raw, r: bufio.NewReader(conn), w: bufio.NewWriter(conn)})
}

// exchange sends r on conn and its answer to w. If there is none, nothing is written to
// w, and the status is what to answer instead.
func exchange(w http.ResponseWriter, r *http.Request, conn *targetConn, to upstream) (ended end, status int) {
	idle := to.Idle
	out := outgoing(r, to.Headers)
	_ = conn.SetDeadline(time.Now().Add(idle)) // a closed connection shows at the next write
	sent := send(out, conn, idle)
	response, err := receive(conn, out)
	if err != nil {
		return endDone, statusOf(err)
	}

	header := w.Header()
	for name, values := range response.Header {
		if !hopByHop(name) {
			header[name] = values
		}
	}

	w.WriteHeader(response.StatusCode)

	err = copyBody(w, response, conn, idle)
	if err != nil {
		_ = conn.Close() // or closing the body would wait for the rest of it
	}

	_ = response.Body.Close() // there is nothing left in it
	if err != nil {
		_ = http.NewResponseController(w).Flush() // a client that left has nothing to see
		return endCutOff, 0
	}

	// Only a connection on which both sides have said everything serves again.
	select {
	case err := <-sent:
		if err == nil && !response.Close && conn.r.Buffered() == 0 {
			return endReusable, 0
		}
	default: // answered before it had read all of the request
	}

	return endDone, 0
}

// send writes a request; one with a body in the background, since a target may
// answer before it has read everything.
func send(out *http.Request, conn *targetConn, idle time.Duration) <-chan error {
	sent := make(chan error, 1)
	write := func() {
		err := out.Write(conn.w)
		if err == nil {
			err = conn.w.Flush()
		}
		sent <- err
	}
	if out.Body == http.NoBody {
		write()
		return sent
	}

	out.Body = &extending{ReadCloser: out.Body, conn: conn, idle: idle}
	go write()
	return sent
}

// extending keeps the idle time-out away while a body is on its way.
type extending struct {
	io.ReadCloser
	conn net.Conn
	idle time.Duration
}

func (e *extending) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	_ = e.conn.SetDeadline(time.Now().Add(e.idle)) // a closed connection shows at the next write
	return n, err
}

// receive reads the final answer, past interim ones.
func receive(conn *targetConn, out *http.Request) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(conn.r, out)
		if err != nil {
			return nil, fmt.Errorf("read answer of target: %w", err)
		}
		if response.StatusCode >= 200 {
			return response, nil
		}
		if response.StatusCode == http.StatusSwitchingProtocols {
			return nil, errors.New("read answer of target: switching protocols is not modelled")
		}
	}
}

func copyBody(w http.ResponseWriter, response *http.Response, conn *targetConn, idle time.Duration) error {
	if response.ContentLength == 0 {
		return nil
	}

	size := int64(32 << 10)
	if response.ContentLength > 0 {
		size = min(size, response.ContentLength)
	}

	buffer := make([]byte, size)
	for {
		n, err := response.Body.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
			if response.ContentLength < 0 {
				_ = http.NewResponseController(w).Flush() // a client that left shows at the next write
			}
		}

		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}

		_ = conn.SetDeadline(time.Now().Add(idle))
	}
}

// hopByHop reports whether a header ends at the load balancer.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect":
		return true
	}
	return false
}

// outgoing is the request as the target gets it. Without add it has the headers of an application load balancer.
func outgoing(r *http.Request, add func(http.Header)) *http.Request {
	header := make(http.Header, len(r.Header)+5)
	for name, values := range r.Header {
		if !hopByHop(name) {
			header[name] = values
		}
	}

	if add == nil {
		add = func(header http.Header) { forwarded(header, r) }
	}
	add(header)

	if len(header["User-Agent"]) == 0 {
		header["User-Agent"] = []string{""} // else one is made up
	}

	out := &http.Request{
		Method: r.Method, URL: r.URL, Host: r.Host, Header: header,
		Body: r.Body, ContentLength: r.ContentLength, TransferEncoding: r.TransferEncoding,
	}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}

	return out
}

// forwarded adds what an application load balancer says about the client.
func forwarded(header http.Header, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if before := r.Header.Get("X-Forwarded-For"); before != "" {
		host = before + ", " + host
	}

	header["X-Forwarded-For"] = []string{host}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}

	header["X-Forwarded-Proto"] = []string{scheme}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		header["X-Forwarded-Port"] = []string{strconv.Itoa(local.Port)}
	}

	if len(header["X-Amzn-Trace-Id"]) == 0 {
		header["X-Amzn-Trace-Id"] = []string{fmt.Sprintf("Root=1-%08x-%s", time.Now().Unix(), wire.RandomHex(12))}
	}
}

// statusOf is what an application load balancer makes of a failure (ALB guide,
// "The load balancer generates an HTTP error").
func statusOf(err error) int {
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// page5xx is a load balancer's own answer.
func page5xx(w http.ResponseWriter, status int) {
	title := strconv.Itoa(status) + " " + map[int]string{502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}[status]
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html><head><title>"+title+"</title></head><body><center><h1>"+title+"</h1></center></body></html>\n")
}
