// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package http is the check of a response to an HTTP request. It follows no redirect, uses no proxy, keeps no
// cookies and no connections, sends no credentials, and reads the body only for an expression that needs it.
package http

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	nethttp "net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/expr"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/variables"
)

const (
	// maxHeader bounds the header of a response, and maxBody what is read of its body, in bytes.
	maxHeader = 16 << 10
	maxBody   = 64 << 10
	// userAgent is what requests say unless a header of the check does.
	userAgent = "podgate"
)

// Settings say what is asked, and which response passes. The path, the host and the values of headers may have variables.
type Settings struct {
	// Method is GET or HEAD; GET when it is empty.
	Method string
	// Path is the path, with a query if there is one; / when it is empty.
	Path string
	// Host is the Host header; the address when it is empty. It does not change what is connected to.
	Host string
	// Headers are sent along.
	Headers []Header
	// TLS is how TLS is spoken; HTTP is used when it is nil.
	TLS *network.TLS
	// Expression says which response passes, such as an *expr.Program; a status of 200 to 299 when it is nil.
	Expression Expression
}

// Header is one header of a request.
type Header struct{ Name, Value string }

// Expression decides by a response whether it passes, and by the pod. An error means that it cannot tell. Its Pod is nil
// where a host is asked once for all pods.
type Expression interface {
	// ReadsBody reports whether Passes needs the body.
	ReadsBody() bool
	Passes(ctx context.Context, in expr.Input) (bool, error)
}

// successful is the expression of those that have none.
type successful struct{}

func (successful) ReadsBody() bool { return false }

func (successful) Passes(_ context.Context, in expr.Input) (bool, error) {
	status := in.Response.Status
	return status >= nethttp.StatusOK && status < nethttp.StatusMultipleChoices, nil
}

// New returns a check by an HTTP request within the time-out. An error means that the settings can never work.
func New(place network.Place, settings Settings, timeout time.Duration, dial network.Dial) (network.Checker, error) {
	r, err := settings.requester(dial)
	if err != nil {
		return network.Checker{}, err
	}
	return network.Checker{Place: place, Timeout: timeout, PerPod: r.perPod(), Ask: r.ask}, nil
}

// requester makes the requests of one check.
type requester struct {
	method, scheme string
	path, host     variables.Text
	headers        []header
	tls            *tls.Config
	expression     Expression
	dial           network.Dial
}

// header is a header with variables in its value.
type header struct {
	name  string
	value variables.Text
}

// perPod reports whether requests differ from pod to pod.
func (r requester) perPod() bool {
	ofHeaders := slices.ContainsFunc(r.headers, func(h header) bool { return h.value.PerPod() })
	return r.path.PerPod() || r.host.PerPod() || ofHeaders
}

func (s Settings) requester(dial network.Dial) (requester, error) {
	r := requester{method: s.Method, scheme: "http", expression: s.Expression, dial: dial}
	if r.method == "" {
		r.method = nethttp.MethodGet
	}
	if r.method != nethttp.MethodGet && r.method != nethttp.MethodHead {
		return requester{}, fmt.Errorf("method %q is neither GET nor HEAD", s.Method)
	}
	if r.expression == nil {
		r.expression = successful{}
	}

	if err := r.parse(s); err != nil {
		return requester{}, err
	}

	if s.TLS != nil {
		var err error
		r.scheme = "https"
		if r.tls, err = s.TLS.Config(); err != nil {
			return requester{}, err
		}
	}

	return r, nil
}

// parse reads the texts that may have variables.
func (r *requester) parse(s Settings) (err error) {
	if r.path, err = variables.Parse("/" + strings.TrimPrefix(s.Path, "/")); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if r.host, err = variables.Parse(s.Host); err != nil {
		return fmt.Errorf("host: %w", err)
	}

	for _, h := range s.Headers {
		value, err := variables.Parse(h.Value)
		if err != nil {
			return fmt.Errorf("header %q: %w", h.Name, err)
		}
		r.headers = append(r.headers, header{name: h.Name, value: value})
	}

	// What is wrong whatever the pod is, is so with any value.
	_, err = r.request("example", mask, mask)
	return err
}

// fill fills in the variables of a text; ok is false when one has no value.
type fill func(variables.Text) (filled string, ok bool)

// mask fills in a value that every variable could have.
func mask(text variables.Text) (filled string, ok bool) { return text.Mask("a"), true }

// errUnusable means that a variable has no value that can be asked with.
var errUnusable = errors.New("a variable has no value")

// request makes the request to HOST:PORT. What is not valid would be changed or left out without a word, so it is an error.
func (r requester) request(address string, plain, encoded fill) (*nethttp.Request, error) {
	path, ok := encoded(r.path)
	if !ok {
		return nil, errUnusable
	}
	target, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	target.Scheme, target.Host = r.scheme, address

	host, ok := plain(r.host)
	if !ok {
		return nil, errUnusable
	}
	if parsed, err := url.Parse("//" + host); err != nil || parsed.Host != host {
		return nil, fmt.Errorf("host %q is not HOST or HOST:PORT", host)
	}

	headers := nethttp.Header{"User-Agent": {userAgent}}
	for _, h := range r.headers {
		value, ok := plain(h.value)
		if !ok {
			return nil, errUnusable
		}
		if !httpguts.ValidHeaderFieldName(h.name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("header %q is not valid", h.name)
		}
		headers.Set(h.name, value)
	}

	return &nethttp.Request{Method: r.method, URL: target, Host: host, Header: headers, Close: true}, nil
}

// ask makes one request over a connection of its own, and judges the response.
func (r requester) ask(ctx context.Context, to network.Destination) check.Answer {
	pod := to.Subject()
	plain := func(text variables.Text) (string, bool) { return text.Fill(pod) }
	encoded := func(text variables.Text) (string, bool) { return text.FillURL(pod) }
	request, err := r.request(to.HostPort(), plain, encoded)
	if err != nil {
		return check.Answer{Word: check.VariableUnusable}
	}

	conn, err := network.Connect(ctx, r.dial, to, r.tls)
	if err != nil {
		return network.Explain(err)
	}
	defer func() { _ = conn.Close() }()

	if err := request.Write(conn); err != nil {
		return network.Explain(err)
	}

	response, err := read(conn, request) //nolint:bodyclose // To close it would read it to its end.
	if err != nil {
		return network.Explain(err)
	}

	got := expr.HTTPResponse{Status: response.StatusCode, Header: response.Header}
	if r.expression.ReadsBody() {
		if got.Body, err = io.ReadAll(io.LimitReader(response.Body, maxBody+1)); err != nil {
			return network.Explain(err)
		}
		if len(got.Body) > maxBody {
			return check.Answer{Word: check.BodyTooLarge}
		}
	}

	return r.judge(ctx, expr.Input{Response: got, Pod: pod.Pod})
}

// read reads the response to a request.
//
// http.Transport is not used, since it dials on goroutines that outlive the request, hands out connections that switch protocols,
// and writes to the log of the process what servers send unasked.
func read(conn net.Conn, request *nethttp.Request) (*nethttp.Response, error) {
	bounded := &io.LimitedReader{R: conn, N: maxHeader}
	buffered := bufio.NewReader(bounded)

	for {
		response, err := nethttp.ReadResponse(buffered, request)
		if err != nil {
			return nil, err
		}

		// Interim responses, such as 103 Early Hints, share the bound with the response.
		if interim(response.StatusCode) {
			continue
		}

		// Who reads the body bounds it.
		bounded.N = math.MaxInt64
		return response, nil
	}
}

// interim reports whether another response follows that with this status. None follows 101, which switches protocols.
func interim(status int) bool {
	return status >= nethttp.StatusContinue && status < nethttp.StatusOK && status != nethttp.StatusSwitchingProtocols
}

func (r requester) judge(ctx context.Context, got expr.Input) check.Answer {
	passes, err := r.expression.Passes(ctx, got)
	word := check.HTTPStatus(got.Response.Status)
	switch {
	case err != nil:
		return check.Answer{Word: check.ExpressionFailed}
	case passes:
		return check.Answer{Verdict: check.Pass, Word: word}
	}
	return check.Answer{Verdict: check.Fail, Word: word}
}
