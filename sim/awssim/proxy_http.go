// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// connectTimeout is an application load balancer's (ALB guide, HTTP 504).
const connectTimeout = 10 * time.Second

// destination is where one request goes.
type destination struct {
	group   string
	target  Target
	address string
	pool    *pool
	tls     bool
	idle    time.Duration
}

// route answers one request at a listener of an application load balancer.
func (s *Sim) route(l *listener, w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	s.mu.Lock()
	action := l.match(r)
	to, problem := s.destination(l, action)
	s.mu.Unlock()
	fail := func(status int) {
		if r.Context().Err() == nil { // a client that left has lost nothing
			s.record.AddFailure(Failure{Time: arrived, TargetGroupARN: to.group, Target: to.target, HTTPStatus: status})
		}
	}
	switch {
	case action.Type == types.ActionTypeEnumFixedResponse:
		fixedResponse(w, action.FixedResponseConfig)
	case action.Type == types.ActionTypeEnumRedirect:
		redirect(w, r, l, action.RedirectConfig)
	case problem != 0:
		fail(problem)
		page5xx(w, problem)
	default:
		s.forward(w, r, to, fail)
	}
}

// destination chooses the target of a forward action, or says the status.
func (s *Sim) destination(l *listener, action types.Action) (destination, int) {
	if action.Type != types.ActionTypeEnumForward {
		return destination{}, 0
	}
	g := s.groups[s.weighted(action.ForwardConfig.TargetGroups)]
	if g == nil || g.lambda() {
		return destination{}, http.StatusServiceUnavailable
	}
	target := g.pick()
	if target == nil {
		return destination{group: g.arn()}, http.StatusServiceUnavailable
	}
	return destination{
		group: g.arn(), target: target.target, address: target.address, pool: target.pool,
		tls:  g.view.Protocol == types.ProtocolEnumHttps,
		idle: s.socketTimeout(seconds(l.balancer.attributes, attrIdleTimeout)),
	}, 0
}

// forward sends one request to one target, once. Whatever comes of it is the
// answer: there is no second attempt anywhere below. An answer that is not the target's
// is noted by fail.
func (s *Sim) forward(w http.ResponseWriter, r *http.Request, to destination, fail func(status int)) {
	conn, err := to.pool.get(to.idle), error(nil)
	if conn == nil {
		conn, err = s.dial(r.Context(), to)
	}
	if err != nil {
		fail(statusOf(err))
		page5xx(w, statusOf(err))
		return
	}
	unwatch := context.AfterFunc(r.Context(), func() { _ = conn.Close() }) // a client that leaves takes its request with it
	end, status := exchange(w, r, conn, to.idle)
	if unwatch() && end == endReusable {
		to.pool.put(conn)
		return
	}
	to.pool.drop(conn) // its request is over, one way or the other
	if status != 0 {
		fail(status)
		page5xx(w, status)
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

func (s *Sim) dial(ctx context.Context, to destination) (*targetConn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.socketTimeout(connectTimeout))
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to.address)
	if err != nil {
		return nil, fmt.Errorf("connect to target %s: %w", to.address, err)
	}
	raw := conn
	if to.tls {
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // load balancers do not verify targets
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // the handshake is what is told
			return nil, fmt.Errorf("TLS with target %s: %w", to.address, err)
		}
		conn = secure
	}
	return to.pool.add(&targetConn{Conn: conn, raw: raw, r: bufio.NewReader(conn), w: bufio.NewWriter(conn)})
}

// exchange sends r on conn and its answer to w. If there is none, nothing is written to
// w, and the status is what to answer instead.
func exchange(w http.ResponseWriter, r *http.Request, conn *targetConn, idle time.Duration) (ended end, status int) {
	out := outgoing(r)
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

// hopByHop says whether a header ends at the load balancer.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect":
		return true
	}
	return false
}

// outgoing is the request as the target gets it.
func outgoing(r *http.Request) *http.Request {
	header := make(http.Header, len(r.Header)+5)
	for name, values := range r.Header {
		if !hopByHop(name) {
			header[name] = values
		}
	}
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

func fixedResponse(w http.ResponseWriter, c *types.FixedResponseActionConfig) {
	status, err := strconv.Atoi(*c.StatusCode)
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Content-Type", orText(c.ContentType, "text/plain"))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, orText(c.MessageBody, ""))
}

func redirect(w http.ResponseWriter, r *http.Request, l *listener, c *types.RedirectActionConfig) {
	host := r.Host
	if name, _, err := net.SplitHostPort(r.Host); err == nil {
		host = name
	}
	fill := strings.NewReplacer(
		"#{protocol}", strings.ToLower(string(l.view.Protocol)), "#{host}", host, "#{port}", strconv.Itoa(int(*l.view.Port)),
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery,
	)
	to := url.URL{
		Scheme:   strings.ToLower(fill.Replace(orText(c.Protocol, "#{protocol}"))),
		Host:     net.JoinHostPort(fill.Replace(orText(c.Host, "#{host}")), fill.Replace(orText(c.Port, "#{port}"))),
		Path:     fill.Replace(orText(c.Path, "/#{path}")),
		RawQuery: fill.Replace(orText(c.Query, "#{query}")),
	}
	status := http.StatusFound
	if c.StatusCode == types.RedirectActionStatusCodeEnumHttp301 {
		status = http.StatusMovedPermanently
	}
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Location", to.String())
	w.WriteHeader(status)
}

func orText(value *string, otherwise string) string {
	if value == nil {
		return otherwise
	}
	return *value
}
