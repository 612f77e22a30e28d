// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/api"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/podgate/podgate/internal/allow"
	"github.com/podgate/podgate/internal/check/network"
)

const (
	// maxBody bounds an answer, and maxHeader its header, in bytes.
	maxBody   = 16 << 20
	maxHeader = 16 << 10
	// perServer is how many queries one server is asked at a time, and perNamespace how many of these are of one
	// namespace, so that a namespace whose queries hang leaves turns to others.
	perServer    = 4
	perNamespace = 2
)

// Servers are the servers that an administrator names.
type Servers struct {
	byName map[string]*server
	empty  *prometheus.CounterVec
}

// server is one of them.
type server struct {
	Server
	// turns are those of all queries.
	turns chan struct{}

	mu sync.Mutex
	// namespaces are those that ask or wait for their turn.
	namespaces map[string]*share
}

// share is the turns of one namespace at a server, and how many queries take or want one.
type share struct {
	turns   chan struct{}
	queries int
}

// New returns the servers of a flag. It registers podgate_prometheus_empty_total{server} with reg. An error means that a
// server's files are not there or hold nothing of use.
func New(flag Flag, reg prometheus.Registerer) (*Servers, error) {
	s := &Servers{
		byName: map[string]*server{},
		empty: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_prometheus_empty_total",
			Help: "Queries of checks that returned no series at all, by the server's name. When it grows, the query selects nothing, or the server lost its data.",
		}, []string{"server"}),
	}
	if err := reg.Register(s.empty); err != nil {
		return nil, err
	}

	for _, named := range flag {
		if err := named.readable(); err != nil {
			return nil, fmt.Errorf("prometheus server %q: %w", named.Name, err)
		}
		s.byName[named.Name] = &server{Server: named, turns: make(chan struct{}, perServer), namespaces: map[string]*share{}}
	}

	return s, nil
}

// readable reports what is wrong with the files of a server. They are read again with each query.
func (s Server) readable() error {
	if _, err := s.token(); err != nil {
		return err
	}
	_, err := s.tls()
	return err
}

// pattern is what rules say of servers: prometheus:NAME.
const pattern = "prometheus:"

// Allowed reports whether the rules allow a server to the objects of a namespace with these labels: a pattern such as
// prometheus:main or prometheus:* covers it. A pattern without "prometheus:" covers no server.
func Allowed(rules allow.List, namespace map[string]string, name string) bool {
	return rules.Allowed(namespace, func(p string) bool {
		names, ours := strings.CutPrefix(p, pattern)
		return ours && allow.Matches(names, name)
	})
}

// enter returns the turns of a namespace for a query, which leaves when it is over.
func (s *server) enter(name string) (turns chan struct{}, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.namespaces[name]
	if of == nil {
		of = &share{turns: make(chan struct{}, perNamespace)}
		s.namespaces[name] = of
	}
	of.queries++

	return of.turns, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if of.queries--; of.queries == 0 {
			delete(s.namespaces, name)
		}
	}
}

// errToken means that the token cannot be read.
var errToken = errors.New("token cannot be read")

// token reads the token; it is empty where none is to be sent.
func (s Server) token() (string, error) {
	if s.TokenFile == "" {
		return "", nil
	}

	content, err := os.ReadFile(s.TokenFile)
	if err != nil {
		return "", fmt.Errorf("%w: mount its tokenFile into podgate: %w", errToken, err)
	}

	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", fmt.Errorf("%w: its tokenFile %s is empty", errToken, s.TokenFile)
	}
	return token, nil
}

// tls is how TLS is spoken; nil for http.
func (s Server) tls() (*tls.Config, error) {
	if s.URL.Scheme == "http" {
		return nil, nil
	}

	settings := network.TLS{ServerName: s.URL.Hostname()}
	if s.CAFile != "" {
		var err error
		if settings.CABundle, err = os.ReadFile(s.CAFile); err != nil {
			return nil, fmt.Errorf("mount its caFile into podgate: %w", err)
		}
		if len(settings.CABundle) == 0 {
			return nil, fmt.Errorf("its caFile %s is empty", s.CAFile)
		}
	}

	return settings.Config()
}

// client makes the requests for a namespace. It uses no proxy, follows no redirect, keeps no cookies and no connections.
type client struct {
	*server
	namespace string
}

var _ api.Client = client{}

// URL implements api.Client. The endpoints that are used have no arguments.
func (c client) URL(endpoint string, _ map[string]string) *url.URL {
	return c.Server.URL.JoinPath(endpoint)
}

// errTooLarge means that an answer is larger than it may be.
var errTooLarge = errors.New("too large")

// statusError is a response that is not one of the API.
type statusError int

// Error implements error.
func (s statusError) Error() string { return fmt.Sprintf("HTTP status %d", int(s)) }

// ofAPI are the statuses with which the API says in the body what is wrong.
var ofAPI = []int{nethttp.StatusOK, nethttp.StatusBadRequest, nethttp.StatusUnprocessableEntity}

// Do implements api.Client.
func (c client) Do(ctx context.Context, request *nethttp.Request) (*nethttp.Response, []byte, error) {
	// The library repeats some requests with GET and other parameters, so what says whose request it is goes to
	// each one, and to its URL: that is where proxies of tenants look.
	if err := c.authorize(request); err != nil {
		return nil, nil, err
	}

	transport, err := c.transport(ctx)
	if err != nil {
		return nil, nil, err
	}

	response, err := transport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()

	if !slices.Contains(ofAPI, response.StatusCode) {
		return response, nil, statusError(response.StatusCode)
	}

	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errTooLarge
	}
	return response, body, err
}

// authorize says who asks, and about which namespace.
func (c client) authorize(request *nethttp.Request) error {
	request.Header.Set("User-Agent", "podgate")

	token, err := c.token()
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}

	if c.TenantHeader != "" {
		request.Header.Set(c.TenantHeader, c.namespace)
	}
	if c.TenantParam != "" {
		query := request.URL.Query()
		query.Set(c.TenantParam, c.namespace)
		request.URL.RawQuery = query.Encode()
	}

	return nil
}

// transport is for one request: each one has a connection of its own, which ends with its context.
func (c client) transport(ctx context.Context) (*nethttp.Transport, error) {
	config, err := c.tls()
	if err != nil {
		return nil, err
	}

	// The transport's own context would let a connection that nobody waits for any more come to its end.
	dial := func(_ context.Context, _, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return network.Until(ctx, conn), nil
	}

	dialTLS := func(_ context.Context, _, address string) (net.Conn, error) {
		plain, err := dial(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}

		conn := tls.Client(plain, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = plain.Close()
			return nil, network.Handshaken(err)
		}
		return conn, nil
	}

	return &nethttp.Transport{
		DialContext: dial, DialTLSContext: dialTLS,
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
	}, nil
}
