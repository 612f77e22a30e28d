// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/route"
)

const foreignGroup = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/old/0123456789abcdef"

// groups knows one target group by its name.
func groups(named string) (string, error) {
	if named == "old" || named == foreignGroup {
		return foreignGroup, nil
	}
	return "", fmt.Errorf("there is no target group %q", named)
}

func TestParseAction(t *testing.T) {
	redirect := func(r route.Redirect) route.Action { return route.Action{Redirect: &r} }
	answer := func(a route.Answer) route.Action { return route.Action{Answer: &a} }
	to := func(b ...route.Backend) route.Action { return route.Action{Backends: b} }
	service := func(name, port string, weight int32) route.Backend {
		return route.Backend{Namespace: "shop", Service: name, Port: port, Weight: weight}
	}
	long := func(n int) string { return strings.Repeat("ä", n) }
	many := strings.Repeat(`{"serviceName":"a","servicePort":80,"weight":1},`, 4)
	many += strings.TrimSuffix(many[:len(many)/4], ",")

	cases := map[string]struct {
		reason, text string
		want         route.Action
		err          string
	}{
		"SSLRedirect": {reason: "the annotation of most older manifests", text: `{"Type": "redirect", "RedirectConfig": { "Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}`,
			want: redirect(route.Redirect{Status: 301, Protocol: "HTTPS", Port: "443"})},
		"Redirect": {reason: "all parts of a redirect", text: `{"type":"redirect","redirectConfig":{"host":"b.example.com","path":"/new/#{path}","port":"#{port}","protocol":"#{protocol}","query":"a=1&#{query}","statusCode":"HTTP_302"}}`,
			want: redirect(route.Redirect{Status: 302, Protocol: "#{protocol}", Host: "b.example.com", Port: "#{port}", Path: "/new/#{path}", Query: "a=1&#{query}"})},
		"RedirectPort":      {reason: "a port may be a number", text: `{"type":"redirect","redirectConfig":{"port":65535,"statusCode":"HTTP_301"}}`, want: redirect(route.Redirect{Status: 301, Port: "65535"})},
		"RedirectLongest":   {reason: "as long as AWS allows, in characters", text: `{"type":"redirect","redirectConfig":{"host":"` + long(128) + `","statusCode":"HTTP_301"}}`, want: redirect(route.Redirect{Status: 301, Host: long(128)})},
		"RedirectTooLong":   {reason: "and no longer", text: `{"type":"redirect","redirectConfig":{"host":"` + long(129) + `","statusCode":"HTTP_301"}}`, err: "redirectConfig.host has 129 characters: 128 are possible"},
		"RedirectLongPath":  {reason: "nor the path", text: `{"type":"redirect","redirectConfig":{"path":"/` + long(128) + `","statusCode":"HTTP_301"}}`, err: "redirectConfig.path has 129 characters: 128 are possible"},
		"RedirectLongQuery": {reason: "nor the query", text: `{"type":"redirect","redirectConfig":{"host":"b","query":"` + long(129) + `","statusCode":"HTTP_301"}}`, err: "redirectConfig.query has 129 characters: 128 are possible"},
		"RedirectStatus":    {reason: "AWS knows two statuses", text: `{"type":"redirect","redirectConfig":{"host":"b","statusCode":"HTTP_307"}}`, err: `redirectConfig.statusCode is "HTTP_307": it must be HTTP_301 or HTTP_302`},
		"RedirectNoStatus":  {reason: "one of which is needed", text: `{"type":"redirect","redirectConfig":{"host":"b"}}`, err: `redirectConfig.statusCode is "": it must be HTTP_301 or HTTP_302`},
		"RedirectProtocol":  {reason: "protocols are in upper case", text: `{"type":"redirect","redirectConfig":{"protocol":"https","statusCode":"HTTP_301"}}`, err: `redirectConfig.protocol is "https": it must be HTTP, HTTPS or #{protocol}`},
		"RedirectPort0":     {reason: "ports begin at 1", text: `{"type":"redirect","redirectConfig":{"port":"0","statusCode":"HTTP_301"}}`, err: `redirectConfig.port is "0": it must be from 1 to 65535, or #{port}`},
		"RedirectPort65536": {reason: "and end at 65535", text: `{"type":"redirect","redirectConfig":{"port":"65536","statusCode":"HTTP_301"}}`, err: `redirectConfig.port is "65536": it must be from 1 to 65535, or #{port}`},
		"RedirectPortName":  {reason: "they have no names", text: `{"type":"redirect","redirectConfig":{"port":"https","statusCode":"HTTP_301"}}`, err: `redirectConfig.port is "https": it must be from 1 to 65535, or #{port}`},
		"RedirectPath":      {reason: "paths are absolute", text: `{"type":"redirect","redirectConfig":{"path":"new","statusCode":"HTTP_301"}}`, err: `redirectConfig.path is "new": it must begin with /`},
		"RedirectLoop":      {reason: "AWS refuses a redirect to the same place", text: `{"type":"redirect","redirectConfig":{"protocol":"#{protocol}","host":"#{host}","port":"#{port}","path":"/#{path}","query":"a=1","statusCode":"HTTP_301"}}`, err: "redirectConfig changes none of protocol, host, port and path: clients would be redirected for ever"},
		"RedirectMissing":   {reason: "the settings are not optional", text: `{"type":"redirect"}`, err: "redirectConfig is missing"},

		"Answer":           {reason: "a fixed response", text: `{"type":"fixed-response","fixedResponseConfig":{"contentType":"text/html","statusCode":"404","messageBody":"<p>gone"}}`, want: answer(route.Answer{Status: 404, ContentType: "text/html", Body: "<p>gone"})},
		"AnswerNumber":     {reason: "whose status may be a number", text: `{"type":"fixed-response","fixedResponseConfig":{"statusCode":200}}`, want: answer(route.Answer{Status: 200})},
		"AnswerLongest":    {reason: "as long as AWS allows", text: `{"type":"fixed-response","fixedResponseConfig":{"statusCode":"599","messageBody":"` + long(1024) + `"}}`, want: answer(route.Answer{Status: 599, Body: long(1024)})},
		"AnswerTooLong":    {reason: "and no longer", text: `{"type":"fixed-response","fixedResponseConfig":{"statusCode":"599","messageBody":"` + long(1025) + `"}}`, err: "fixedResponseConfig.messageBody has 1025 characters: 1024 are possible"},
		"AnswerStatus":     {reason: "a status that AWS does not send", text: `{"type":"fixed-response","fixedResponseConfig":{"statusCode":"301"}}`, err: `fixedResponseConfig.statusCode is "301": it must be 2xx, 4xx or 5xx`},
		"AnswerStatus600":  {reason: "nor this one", text: `{"type":"fixed-response","fixedResponseConfig":{"statusCode":"600"}}`, err: `fixedResponseConfig.statusCode is "600": it must be 2xx, 4xx or 5xx`},
		"AnswerStatusText": {reason: "nor this", text: `{"type":"fixed-response","fixedResponseConfig":{"statusCode":"4xx"}}`, err: `fixedResponseConfig.statusCode is "4xx": it must be 2xx, 4xx or 5xx`},
		"AnswerType":       {reason: "AWS knows a few types", text: `{"type":"fixed-response","fixedResponseConfig":{"statusCode":"404","contentType":"text/xml"}}`, err: `fixedResponseConfig.contentType is "text/xml": it must be one of text/plain, text/css, text/html, application/javascript, application/json`},
		"AnswerMissing":    {reason: "the settings are not optional", text: `{"type":"fixed-response"}`, err: "fixedResponseConfig is missing"},

		"ARN":          {reason: "a target group of somebody else", text: `{"Type":"forward","TargetGroupArn":"` + foreignGroup + `"}`, want: to(route.Backend{Group: foreignGroup, Weight: 1})},
		"Name":         {reason: "or by its name", text: `{"type":"forward","targetGroupName":"old"}`, want: to(route.Backend{Group: foreignGroup, Weight: 1})},
		"ARNMissing":   {reason: "nor an ARN", text: `{"type":"forward","targetGroupARN":"arn:aws:elasticloadbalancing:x:1:targetgroup/new/1"}`, err: `forwardConfig.targetGroups[0]: there is no target group "arn:aws:elasticloadbalancing:x:1:targetgroup/new/1"`},
		"NameMissing":  {reason: "which may not be there", text: `{"type":"forward","targetGroupName":"new"}`, err: `forwardConfig.targetGroups[0]: there is no target group "new"`},
		"NotAnARN":     {reason: "an ARN is checked", text: `{"type":"forward","targetGroupARN":"old"}`, err: `forwardConfig.targetGroups[0]: targetGroupARN is "old", which is not the ARN of a target group`},
		"NoARN":        {reason: "an ARN begins as one", text: `{"type":"forward","targetGroupARN":"x:targetgroup/old"}`, err: `forwardConfig.targetGroups[0]: targetGroupARN is "x:targetgroup/old", which is not the ARN of a target group`},
		"OtherARN":     {reason: "it has to be of a target group", text: `{"type":"forward","targetGroupARN":"arn:aws:acm:eu-west-1:111122223333:certificate/1"}`, err: `forwardConfig.targetGroups[0]: targetGroupARN is "arn:aws:acm:eu-west-1:111122223333:certificate/1", which is not the ARN of a target group`},
		"Alone":        {reason: "one group needs no weight", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":"http"}]}}`, want: to(service("web", "http", 1))},
		"AloneWeight":  {reason: "but may have one", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"weight":20}]}}`, want: to(service("web", "80", 20))},
		"Weights":      {reason: "services, a group by its ARN and one by its name", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"weight":0},{"serviceName":"api","servicePort":"8080","weight":999},{"targetGroupARN":"` + foreignGroup + `","weight":1},{"targetGroupName":"old","weight":2}]}}`, want: to(service("web", "80", 0), service("api", "8080", 999), route.Backend{Group: foreignGroup, Weight: 1}, route.Backend{Group: foreignGroup, Weight: 2})},
		"OldWeights":   {reason: "keys of the first version", text: `{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"web","ServicePort":"80","Weight":20}],"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":200}}}`, want: route.Action{Backends: []route.Backend{service("web", "80", 20)}, Sticky: 200 * time.Second}},
		"NoWeight":     {reason: "several need weights", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"weight":1},{"serviceName":"api","servicePort":80}]}}`, err: "forwardConfig.targetGroups[1]: weight is needed where there are several target groups"},
		"WeightLow":    {reason: "weights are not negative", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"weight":-1}]}}`, err: "forwardConfig.targetGroups[0]: weight is -1: it must be from 0 to 999"},
		"WeightHigh":   {reason: "nor above 999", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"weight":1000}]}}`, err: "forwardConfig.targetGroups[0]: weight is 1000: it must be from 0 to 999"},
		"Five":         {reason: "five groups", text: `{"type":"forward","forwardConfig":{"targetGroups":[` + many + `]}}`, want: to(service("a", "80", 1), service("a", "80", 1), service("a", "80", 1), service("a", "80", 1), service("a", "80", 1))},
		"Six":          {reason: "no sixth", text: `{"type":"forward","forwardConfig":{"targetGroups":[` + many + `,{}]}}`, err: "forwardConfig.targetGroups has 6 target groups: from 1 to 5 are possible"},
		"NoGroups":     {reason: "and not none", text: `{"type":"forward","forwardConfig":{}}`, err: "forwardConfig.targetGroups has 0 target groups: from 1 to 5 are possible"},
		"NoTarget":     {reason: "a group is one thing", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"weight":1}]}}`, err: "forwardConfig.targetGroups[0]: one of serviceName, targetGroupARN and targetGroupName is needed"},
		"TwoTargets":   {reason: "and not two", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"targetGroupName":"old"}]}}`, err: "forwardConfig.targetGroups[0]: one of serviceName, targetGroupARN and targetGroupName is needed"},
		"NoPort":       {reason: "a Service has a port", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web"}]}}`, err: "forwardConfig.targetGroups[0]: serviceName and servicePort need each other"},
		"PortAlone":    {reason: "a group has none", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"targetGroupName":"old","servicePort":80}]}}`, err: "forwardConfig.targetGroups[0]: serviceName and servicePort need each other"},
		"Nested":       {reason: "no action leads to another one", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":"use-annotation"}]}}`, err: "forwardConfig.targetGroups[0]: servicePort is use-annotation: an action cannot refer to another one"},
		"TwoForms":     {reason: "one form", text: `{"type":"forward","targetGroupName":"old","forwardConfig":{}}`, err: "forward needs one of targetGroupARN, targetGroupName and forwardConfig"},
		"TwoNames":     {reason: "one group", text: `{"type":"forward","targetGroupName":"old","targetGroupARN":"` + foreignGroup + `"}`, err: "forward needs one of targetGroupARN, targetGroupName and forwardConfig"},
		"NoForm":       {reason: "no group", text: `{"type":"forward"}`, err: "forward needs one of targetGroupARN, targetGroupName and forwardConfig"},
		"Sticky":       {reason: "a week is the longest", text: sticky(`"enabled":true,"durationSeconds":604800`), want: route.Action{Backends: []route.Backend{service("web", "80", 1)}, Sticky: 7 * 24 * time.Hour}},
		"StickyShort":  {reason: "a second the shortest", text: sticky(`"enabled":true,"durationSeconds":1`), want: route.Action{Backends: []route.Backend{service("web", "80", 1)}, Sticky: time.Second}},
		"StickyNot":    {reason: "which must be enabled", text: sticky(`"enabled":false,"durationSeconds":0`), want: to(service("web", "80", 1))},
		"StickyZero":   {reason: "less than a second is not possible", text: sticky(`"enabled":true,"durationSeconds":0`), err: "targetGroupStickinessConfig.durationSeconds is 0: it must be from 1 to 604800"},
		"StickyLong":   {reason: "nor more than a week", text: sticky(`"enabled":true,"durationSeconds":604801`), err: "targetGroupStickinessConfig.durationSeconds is 604801: it must be from 1 to 604800"},
		"StickyLength": {reason: "AWS has no default", text: sticky(`"enabled":true`), err: "targetGroupStickinessConfig.durationSeconds is missing"},

		"NoType":         {reason: "a type is needed", text: `{}`, err: "type is missing: it must be forward, redirect or fixed-response"},
		"OtherType":      {reason: "one of three", text: `{"type":"authenticate-oidc"}`, err: `type is "authenticate-oidc": it must be forward, redirect or fixed-response`},
		"OthersRedirect": {reason: "settings of another type are a mistake", text: `{"type":"forward","targetGroupName":"old","redirectConfig":{}}`, err: `type is "forward", and there are settings of another type`},
		"OthersAnswer":   {reason: "settings of another type are a mistake", text: `{"type":"forward","targetGroupName":"old","fixedResponseConfig":{}}`, err: `type is "forward", and there are settings of another type`},
		"OthersForward":  {reason: "settings of another type are a mistake", text: `{"type":"redirect","redirectConfig":{"host":"b","statusCode":"HTTP_301"},"forwardConfig":{}}`, err: `type is "redirect", and there are settings of another type`},
		"OthersARN":      {reason: "settings of another type are a mistake", text: `{"type":"redirect","redirectConfig":{"host":"b","statusCode":"HTTP_301"},"targetGroupARN":"x"}`, err: `type is "redirect", and there are settings of another type`},
		"OthersName":     {reason: "settings of another type are a mistake", text: `{"type":"redirect","redirectConfig":{"host":"b","statusCode":"HTTP_301"},"targetGroupName":"x"}`, err: `type is "redirect", and there are settings of another type`},

		"Unknown":     {reason: "what is not known is a mistake", text: `{"type":"forward","targetGroupName":"old","order":1}`, err: `not served: field "order"`},
		"UnknownDeep": {reason: "inside as well", text: `{"type":"forward","forwardConfig":{"baseServiceWeight":1}}`, err: `not served: field "baseServiceWeight"`},
		"WrongKind":   {reason: "a text is not a number", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"weight":"1"}]}}`, err: "forwardConfig.targetGroups.weight is a JSON string, where a whole number is needed"},
		"WrongPort":   {reason: "a port is a number or a name", text: `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":true}]}}`, err: "forwardConfig.targetGroups.servicePort is a JSON bool, where a text is needed"},
		"WrongList":   {reason: "an action is not a list", text: `[]`, err: "the value is a JSON array, where an object is needed"},
		"Text":        {reason: "nor a text", text: `"forward"`, err: "the value is a JSON string, where an object is needed"},
		"Empty":       {reason: "an empty value", text: ``, err: "not valid JSON: it ends too early"},
		"Cut":         {reason: "a value that was cut off", text: `{"type":"forward"`, err: "not valid JSON: it ends too early"},
		"Quotes":      {reason: "a value that YAML took the quotes from", text: `{type: redirect}`, err: "not valid JSON at character 2: invalid character 't' looking for beginning of object key string"},
		"Two":         {reason: "two values", text: `{"type":"forward","targetGroupName":"old"} {}`, err: "not valid JSON: something follows its end"},
		"Garbage":     {reason: "something behind the value", text: `{"type":"forward","targetGroupName":"old"}}`, err: "not valid JSON: something follows its end"},
		"NullPort":    {reason: "null is nothing", text: `{"type":"redirect","redirectConfig":{"host":"b","port":null,"statusCode":"HTTP_301"}}`, want: redirect(route.Redirect{Status: 301, Host: "b"})},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parseAction(tc.text, "shop", groups)
			if fmt.Sprint(err) != fmt.Sprint(errorOf(tc.err)) {
				t.Fatalf("%s: error\n%v, want\n%s", tc.reason, err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); err == nil && diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// errorOf is an error with a text, and nil without one.
func errorOf(text string) error {
	if text == "" {
		return nil
	}
	return fmt.Errorf("%s", text)
}

// sticky is an action with settings of stickiness.
func sticky(settings string) string {
	return `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80}],"targetGroupStickinessConfig":{` + settings + `}}}`
}

func TestLoops(t *testing.T) {
	toHTTPS := route.Redirect{Status: 301, Protocol: "HTTPS", Port: "443"}
	with := func(change func(*route.Redirect)) route.Redirect {
		r := toHTTPS
		change(&r)
		return r
	}
	hosts := func(h ...string) route.Match { return route.Match{Hosts: h} }
	paths := func(p ...string) route.Match { return route.Match{Paths: p} }
	query := route.Match{Queries: [][]route.Query{{{Value: "old"}}}}

	cases := map[string]struct {
		reason   string
		redirect route.Redirect
		match    route.Match
		http     bool
		want     bool
	}{
		"HTTP":         {reason: "on HTTP it leads to HTTPS", redirect: toHTTPS, http: true},
		"HTTPS":        {reason: "on HTTPS it leads to itself", redirect: toHTTPS, want: true},
		"Same":         {reason: "placeholders keep what there is", redirect: route.Redirect{Protocol: sameProtocol, Host: sameHost, Port: samePort, Path: samePath, Query: sameQuery}, want: true},
		"OtherPort":    {reason: "another port is elsewhere", redirect: with(func(r *route.Redirect) { r.Port = "8443" })},
		"OtherHost":    {reason: "a host that the rule does not match", redirect: with(func(r *route.Redirect) { r.Host = "b.example.com" }), match: hosts("a.example.com")},
		"SameHost":     {reason: "a host that it does match, whatever the case", redirect: with(func(r *route.Redirect) { r.Host = "A.example.com" }), match: hosts("b.example.com", "a.Example.com"), want: true},
		"WildcardHost": {reason: "by a pattern", redirect: with(func(r *route.Redirect) { r.Host = "www.example.com" }), match: hosts("*.example.com"), want: true},
		"EveryHost":    {reason: "a rule for every host matches every host", redirect: with(func(r *route.Redirect) { r.Host = "b.example.com" }), want: true},
		"Prefixed":     {reason: "what a placeholder becomes is not known", redirect: with(func(r *route.Redirect) { r.Host = "www.#{host}" })},
		"OtherPath":    {reason: "a path that the rule does not match", redirect: with(func(r *route.Redirect) { r.Path = "/b" }), match: paths("/a")},
		"CasePath":     {reason: "paths are case-sensitive", redirect: with(func(r *route.Redirect) { r.Path = "/A" }), match: paths("/a")},
		"SamePath":     {reason: "a path that it does match", redirect: with(func(r *route.Redirect) { r.Path = "/a/b" }), match: paths("/a", "/a/*"), want: true},
		"OneCharacter": {reason: "? is one character", redirect: with(func(r *route.Redirect) { r.Path = "/ab" }), match: paths("/?b"), want: true},
		"NoCharacter":  {reason: "and not none", redirect: with(func(r *route.Redirect) { r.Path = "/" }), match: paths("/?")},
		"Longer":       {reason: "a pattern is the whole path", redirect: with(func(r *route.Redirect) { r.Path = "/abc" }), match: paths("/ab")},
		"Shorter":      {reason: "a pattern is the whole path", redirect: with(func(r *route.Redirect) { r.Path = "/a" }), match: paths("/ab")},
		"TwoStars":     {reason: "a run may begin again", redirect: with(func(r *route.Redirect) { r.Path = "/aab/aac" }), match: paths("/*ab*ac*"), want: true},
		"StarsNot":     {reason: "however many there are", redirect: with(func(r *route.Redirect) { r.Path = "/" + strings.Repeat("a", 120) }), match: paths("/" + strings.Repeat("*a", 40) + "*b")},
		"NoOverlap":    {reason: "nothing is matched twice", redirect: with(func(r *route.Redirect) { r.Path = "/aba" }), match: paths("/ab*ba")},
		"Query":        {reason: "a fixed query stays as it is", redirect: with(func(r *route.Redirect) { r.Query = "a=1" }), want: true},
		"QueryMatched": {reason: "it may be what the rule does not match", redirect: with(func(r *route.Redirect) { r.Query = "a=1" }), match: query},
		"QueryGrows":   {reason: "a query that grows", redirect: with(func(r *route.Redirect) { r.Query = "a=1&#{query}" })},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			protocol, port := "HTTPS", int32(443)
			if tc.http {
				protocol, port = "HTTP", 80
			}
			if got := loops(tc.redirect, tc.match, protocol, port); got != tc.want {
				t.Errorf("%s: got %v", tc.reason, got)
			}
		})
	}
}

// FuzzParseAction looks for values that panic, and for actions that AWS would refuse.
func FuzzParseAction(f *testing.F) {
	f.Add(`{"type":"redirect","redirectConfig":{"port":443,"statusCode":"HTTP_301"}}`)
	f.Add(sticky(`"enabled":true,"durationSeconds":1`))
	f.Add(`{"type":"fixed-response","fixedResponseConfig":{"statusCode":"404"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAction(text, "shop", groups)
		if ways := count(len(a.Backends) > 0, a.Redirect != nil, a.Answer != nil); err == nil && ways != 1 {
			t.Errorf("%d actions: %+v", ways, a)
		}
	})
}
