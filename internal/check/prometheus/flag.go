// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Flag lists the servers that an administrator names. It is a flag.Value, each of whose values is one server:
// NAME=URL, and after it ,KEY=VALUE for each option:
//
//	main=https://prom.monitoring:9090
//	shop=https://thanos.monitoring:9092,tokenFile=/etc/prom/token,caFile=/etc/prom/ca.crt,tenantParam=namespace
type Flag []Server

// Server is a Prometheus, or a server that has its API for queries.
type Server struct {
	// Name is what checks call it.
	Name string
	// URL is where its API is: the URL to which /api/v1/query is added.
	URL *url.URL
	// TokenFile holds the bearer token that is sent to it, if any.
	TokenFile string
	// CAFile holds the authorities that are trusted, in PEM; those of the system when it is empty.
	CAFile string
	// TenantParam is the parameter, and TenantHeader the header, that tell the server the namespace of each gate, so that it
	// answers about that namespace only: "namespace" for prom-label-proxy, "X-Scope-OrgID" for Mimir and Thanos.
	TenantParam, TenantHeader string
}

// String is all of them.
func (f *Flag) String() string {
	var all []string
	for _, server := range *f {
		all = append(all, server.String())
	}
	return strings.Join(all, " ")
}

// String is the value of the flag.
func (s Server) String() string {
	text := s.Name + "=" + s.URL.String()
	for _, o := range options {
		if value := *o.of(&s); value != "" {
			text += "," + o.key + "=" + value
		}
	}
	return text
}

// Set adds a server.
func (f *Flag) Set(text string) error {
	server, err := parse(text)
	if err != nil {
		return err
	}

	if slices.ContainsFunc(*f, func(other Server) bool { return other.Name == server.Name }) {
		return fmt.Errorf("there are two servers %q: give each one a name of its own", server.Name)
	}

	*f = append(*f, server)
	return nil
}

// option is one of a server's options.
type option struct {
	key string
	of  func(*Server) *string
	// fault says what is wrong with a value; empty when nothing is.
	fault func(value string) string
}

var options = []option{
	{key: "tokenFile", of: func(s *Server) *string { return &s.TokenFile }, fault: notAPath},
	{key: "caFile", of: func(s *Server) *string { return &s.CAFile }, fault: notAPath},
	{key: "tenantParam", of: func(s *Server) *string { return &s.TenantParam }, fault: notAParam},
	{key: "tenantHeader", of: func(s *Server) *string { return &s.TenantHeader }, fault: notAHeader},
}

func parse(text string) (Server, error) {
	name, rest, both := strings.Cut(text, "=")
	if !both {
		return Server{}, errors.New("want NAME=URL[,tokenFile=PATH][,caFile=PATH][,tenantParam=NAME][,tenantHeader=NAME]")
	}

	// A name that is a number could be a port in the rules for checks, where "prometheus:NAME" may be HOST:PORT, too.
	if len(validation.IsDNS1035Label(name)) > 0 {
		return Server{}, fmt.Errorf("the name %q is not one: use a letter and then letters, digits and dashes, all lower case, such as main", name)
	}

	address, _, _ := strings.Cut(rest, ",")
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		// The URL may have a password in it, so it is not repeated.
		return Server{}, fmt.Errorf("server %q: want http:// or https://, a host, and a path if there is one; use tokenFile for credentials", name)
	}

	server := Server{Name: name, URL: u}
	for _, each := range strings.Split(rest, ",")[1:] {
		if err := server.set(each); err != nil {
			return Server{}, fmt.Errorf("server %q: %w", name, err)
		}
	}

	if u.Scheme == "http" && (server.TokenFile != "" || server.CAFile != "") {
		return Server{}, fmt.Errorf("server %q: tokenFile and caFile are for https: over http everybody on the way can read a token", name)
	}
	return server, nil
}

// set sets KEY=VALUE.
func (s *Server) set(text string) error {
	key, value, _ := strings.Cut(text, "=")
	i := slices.IndexFunc(options, func(o option) bool { return o.key == key })
	if i < 0 {
		return fmt.Errorf("there is no option %q: there are tokenFile, caFile, tenantParam and tenantHeader", key)
	}
	if fault := options[i].fault(value); fault != "" {
		return fmt.Errorf("%s: %s", key, fault)
	}

	to := options[i].of(s)
	if *to != "" {
		return fmt.Errorf("%s is there twice", key)
	}
	*to = value
	return nil
}

func notAPath(value string) string {
	if !strings.HasPrefix(value, "/") {
		return fmt.Sprintf("%q is not an absolute path", value)
	}
	return ""
}

// takenParams are the parameters of a query that are podgate's.
var takenParams = []string{"query", "time", "timeout", "limit", "lookback_delta", "stats"}

func notAParam(value string) string {
	if value == "" || slices.Contains(takenParams, value) {
		return fmt.Sprintf("%q is not the name of a parameter that can hold a namespace", value)
	}
	return ""
}

func notAHeader(value string) string {
	if !httpguts.ValidHeaderFieldName(value) || slices.ContainsFunc(takenHeaders, func(h string) bool { return strings.EqualFold(h, value) }) {
		return fmt.Sprintf("%q is not the name of a header that can hold a namespace", value)
	}
	return ""
}

// takenHeaders are headers of a request that have a meaning of their own.
var takenHeaders = []string{"Authorization", "Host", "Content-Type", "Content-Length", "Content-Encoding", "Connection", "Transfer-Encoding", "Accept", "Accept-Encoding", "User-Agent", "Upgrade", "TE", "Trailer", "Expect", "Idempotency-Key"}
