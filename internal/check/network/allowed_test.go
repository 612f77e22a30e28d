// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"strings"
	"testing"
)

// TestAllowedURL: without a rule nothing is allowed, and a pattern covers what it looks like and nothing else.
func TestAllowedURL(t *testing.T) {
	const patterns = "team=shop => https://status.example.com/* http://*.shop.svc:8080/public/* http://root.example.com"
	for name, tc := range map[string]struct {
		reason    string
		rules     []string
		namespace map[string]string
		url       string
		want      string // HOST:PORT; empty: refused
	}{
		"NoRules":          {reason: "Nobody allowed anything.", namespace: shop, url: "https://status.example.com/a"},
		"OtherNamespace":   {reason: "The rule is of another team.", rules: []string{patterns}, namespace: map[string]string{"team": "pay"}, url: "https://status.example.com/a"},
		"Host":             {reason: "The pattern has it.", rules: []string{patterns}, namespace: shop, url: "https://status.example.com/a/b?c=d", want: "status.example.com:443"},
		"NoPath":           {reason: "An empty path is /.", rules: []string{patterns}, namespace: shop, url: "https://status.example.com", want: "status.example.com:443"},
		"Root":             {reason: "A pattern without a path is of / alone.", rules: []string{patterns}, namespace: shop, url: "http://root.example.com/", want: "root.example.com:80"},
		"NotRoot":          {reason: "A pattern without a path is of / alone.", rules: []string{patterns}, namespace: shop, url: "http://root.example.com/a"},
		"Case":             {reason: "Hosts have no case.", rules: []string{patterns}, namespace: shop, url: "https://STATUS.example.com/a", want: "status.example.com:443"},
		"Wildcard":         {reason: "Any service of the namespace.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/a", want: "web.shop.svc:8080"},
		"OtherPath":        {reason: "Another path.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/private"},
		"OtherPort":        {reason: "Another port.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:9090/public/a"},
		"OtherScheme":      {reason: "Another scheme.", rules: []string{patterns}, namespace: shop, url: "http://status.example.com/a"},
		"Suffix":           {reason: "Another host that begins like it.", rules: []string{patterns}, namespace: shop, url: "https://status.example.com.evil.example/a"},
		"TrailingDot":      {reason: "Another spelling than the pattern's.", rules: []string{patterns}, namespace: shop, url: "https://status.example.com./a"},
		"HostInPath":       {reason: "A wildcard of the host ends where the host does.", rules: []string{patterns}, namespace: shop, url: "http://169.254.169.254/x.shop.svc:8080/public/a"},
		"HostInQuery":      {reason: "A wildcard of the host ends where the host does.", rules: []string{patterns}, namespace: shop, url: "http://evil.example?x.shop.svc:8080/public/a"},
		"HostInFragment":   {reason: "A wildcard of the host ends where the host does.", rules: []string{patterns}, namespace: shop, url: "http://evil.example#x.shop.svc:8080/public/a"},
		"User":             {reason: "What looks like the host is a user.", rules: []string{patterns}, namespace: shop, url: "https://status.example.com@evil.example/a"},
		"UserInWildcard":   {reason: "What looks like the host is a user.", rules: []string{patterns}, namespace: shop, url: "http://evil.example:80@web.shop.svc:8080/public/a"},
		"Backslash":        {reason: "Some parsers take it for a slash.", rules: []string{patterns}, namespace: shop, url: `http://evil.example\.shop.svc:8080/public/a`},
		"BackslashInPath":  {reason: "Some servers take it for a slash.", rules: []string{patterns}, namespace: shop, url: `http://web.shop.svc:8080/public/..\private`},
		"Dots":             {reason: "Servers resolve them.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/../private"},
		"Dot":              {reason: "Servers resolve them.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/./a"},
		"EncodedDots":      {reason: "Servers decode them.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/%2e%2E/private"},
		"EncodedSlash":     {reason: "Servers decode them.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/..%2Fprivate"},
		"EncodedTwice":     {reason: "Servers behind servers decode them twice.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/%252e%252e/private"},
		"Parameter":        {reason: "Tomcat and Spring cut it off, and resolve what is left.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/..;/private"},
		"ParameterValue":   {reason: "They cut off all of it.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/..;a=b/private"},
		"ParameterDecoded": {reason: "Servers decode it.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/..%3b/private"},
		"ParameterUpper":   {reason: "Servers decode it.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/%2e%2E%3B/private"},
		"ParameterAtEnd":   {reason: "What the pattern has at its end is cut off.", rules: []string{"team => http://*/*health"}, namespace: shop, url: "http://web.shop.svc:8080/private;health"},
		"InQuery":          {reason: "The query is free.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/a?b=..;/c", want: "web.shop.svc:8080"},
		"Space":            {reason: "Not a URL.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080 /public/a"},
		"NewLine":          {reason: "Not a URL.", rules: []string{patterns}, namespace: shop, url: "http://web.shop.svc:8080/public/a\nHost: b"},
		"Variable":         {reason: "A wildcard covers any value.", rules: []string{patterns}, namespace: shop, url: "https://status.example.com/v1/$(pod.name)/$(pod.labels['example.com/tier'])?a=$(pod.ip)", want: "status.example.com:443"},
		"VariableInQuery":  {reason: "The query is free.", rules: []string{patterns}, namespace: shop, url: "http://root.example.com/?a=$(pod.name)", want: "root.example.com:80"},
		"VariableLiteral":  {reason: "Only some values look like the pattern.", rules: []string{"team => http://a/web-*"}, namespace: shop, url: "http://a/$(pod.name)"},
		"VariablePart":     {reason: "The wildcard covers what varies.", rules: []string{"team => http://a/web-*"}, namespace: shop, url: "http://a/web-$(pod.labels['shard'])", want: "a:80"},
		"VariableName":     {reason: "What the variable is called is not its value.", rules: []string{"team => http://a/*public*"}, namespace: shop, url: "http://a/$(pod.labels['public'])"},
		"VariableSlash":    {reason: "What the variable is called is not its value.", rules: []string{"team => http://a/*/public*"}, namespace: shop, url: "http://a/$(pod.labels['a.b/public'])"},
		"VariableDots":     {reason: "Servers resolve the dots.", rules: []string{"team => http://a/*"}, namespace: shop, url: "http://a/$(pod.name)/../b"},
		"VariableEscape":   {reason: "A value could complete the code of a character.", rules: []string{"team => http://a/*"}, namespace: shop, url: "http://a/%2$(pod.labels['f'])"},
		"VariableHost":     {reason: "Variables choose no host.", rules: []string{"team => http://*/*"}, namespace: shop, url: "http://$(pod.name)/a"},
		"VariableOfHost":   {reason: "Variables choose no host.", rules: []string{"team => http://*.shop.svc/*"}, namespace: shop, url: "http://$(pod.name).shop.svc/a"},
		"VariablePort":     {reason: "Variables choose no port.", rules: []string{"team => http://*/*"}, namespace: shop, url: "http://a:$(pod.labels['port'])/a"},
		"VariableScheme":   {reason: "Variables choose no scheme.", rules: []string{"team => http://*/*"}, namespace: shop, url: "$(pod.name)://a/"},
		"VariableUser":     {reason: "There is no user.", rules: []string{"team => http://*/*"}, namespace: shop, url: "http://$(pod.name)@a/"},
		"NoVariable":       {reason: "There is no such variable.", rules: []string{"team => http://*/*"}, namespace: shop, url: "http://a/$(pod.x)"},
		"File":             {reason: "Not of the network.", rules: []string{"team => file://*/*"}, namespace: shop, url: "file:///etc/passwd"},
		"Opaque":           {reason: "No host.", rules: []string{"team => http:*"}, namespace: shop, url: "http:status.example.com"},
		"NoHost":           {reason: "No host.", rules: []string{"team => http://*/*"}, namespace: shop, url: "http:///a"},
		"NoHostPort":       {reason: "No host.", rules: []string{"team => http://*/*"}, namespace: shop, url: "http://:80/a"},
		"PortZero":         {reason: "Not a port.", rules: []string{"team => http://*/*"}, namespace: shop, url: "http://a:0/"},
		"PortTooLarge":     {reason: "Not a port.", rules: []string{"team => http://*/*"}, namespace: shop, url: "http://a:65536/"},
		"NotOfURLs":        {reason: "A pattern of addresses is none of URLs.", rules: []string{"team => *"}, namespace: shop, url: "http://a/"},
	} {
		t.Run(name, func(t *testing.T) {
			place, u, err := AllowedURL(rules(t, tc.rules...), tc.namespace, tc.url)
			if place.host != tc.want {
				t.Errorf("%s\ngot %q, want %q", tc.reason, place.host, tc.want)
			}
			if tc.want == "" && (err != ErrNotAllowed || u != nil) { //nolint:errorlint // No word more than that.
				t.Errorf("%s\ngot the error %v, want only %q", tc.reason, err, ErrNotAllowed)
			}
			if tc.want != "" && (err != nil || u == nil || u.Host != strings.ToLower(u.Host)) {
				t.Errorf("%s\ngot the URL %v and the error %v", tc.reason, u, err)
			}
		})
	}
}

func TestAllowed(t *testing.T) {
	list := rules(t, "team=shop => *.shop.svc:5432")
	for address, want := range map[string]string{
		"db.shop.svc:5432": "db.shop.svc:5432", "DB.shop.svc:5432": "db.shop.svc:5432", "db.shop.svc:5433": "",
		"db.shop.svc": "", "db.pay.svc:5432": "", ":5432": "", "db.shop.svc:postgres": "", "db.shop.svc:0": "", "": "",
	} {
		place, err := Allowed(list, shop, address)
		if place.host != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q and the error %v, want %q", address, place.host, err, want)
		}
		if _, err := Allowed(nil, shop, address); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%s without a rule: got the error %v", address, err)
		}
	}
}
