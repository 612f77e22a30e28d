// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/route"
)

// useAnnotation is the name of the port of backends that are not Services: an annotation says what becomes of requests.
const useAnnotation = "use-annotation"

// missingAction is the answer where the annotation is not there, in AWS Load Balancer Controller's words.
var missingAction = route.Action{Answer: &route.Answer{Status: 503, ContentType: "text/plain", Body: "Backend action does not exist"}}

// The bounds of Elastic Load Balancing's API.
const (
	maxGroups   = 5                // target groups of a forward
	maxWeight   = 999              // a target group's share
	maxSticky   = 7 * 24 * 60 * 60 // seconds
	maxBody     = 1024             // characters of a fixed response
	maxRedirect = 128              // characters of a redirect's host, path and query
	maxPort     = 65535
)

// Placeholders of redirects, which stand for what the request has.
const (
	sameProtocol = "#{protocol}"
	sameHost     = "#{host}"
	samePort     = "#{port}"
	samePath     = "/#{path}"
	sameQuery    = "#{query}"
)

// contentTypes are those of fixed responses.
var contentTypes = []string{"text/plain", "text/css", "text/html", "application/javascript", "application/json"}

// The annotation's JSON. Its keys are in any case, as the ALB ingress controller's first version wrote them.
type actionJSON struct {
	Type                string
	TargetGroupARN      string
	TargetGroupName     string
	ForwardConfig       *forwardJSON
	RedirectConfig      *redirectJSON
	FixedResponseConfig *answerJSON
}

type forwardJSON struct {
	TargetGroups                []targetJSON
	TargetGroupStickinessConfig *stickyJSON
}

type targetJSON struct {
	ServiceName     string
	ServicePort     word
	TargetGroupARN  string
	TargetGroupName string
	Weight          *int32
}

type stickyJSON struct {
	Enabled         bool
	DurationSeconds *int64
}

type redirectJSON struct {
	Host, Path, Protocol, Query string
	Port, StatusCode            word
}

type answerJSON struct {
	ContentType string
	StatusCode  word
	MessageBody string
}

// parseAction reads the value of an annotation actions.<name> of an Ingress in a namespace. group returns the ARN of a
// target group that may be named so, by its name or its ARN.
func parseAction(text, namespace string, group func(named string) (arn string, err error)) (route.Action, error) {
	var in actionJSON
	if err := decode(text, &in); err != nil {
		return route.Action{}, err
	}
	if in.Type != "forward" && (in.TargetGroupARN != "" || in.TargetGroupName != "" || in.ForwardConfig != nil) ||
		in.Type != "redirect" && in.RedirectConfig != nil || in.Type != "fixed-response" && in.FixedResponseConfig != nil {
		return route.Action{}, fmt.Errorf("type is %q, and there are settings of another type", in.Type)
	}

	switch in.Type {
	case "forward":
		return in.forward(namespace, group)
	case "redirect":
		redirect, err := in.RedirectConfig.redirect()
		return route.Action{Redirect: redirect}, err
	case "fixed-response":
		answer, err := in.FixedResponseConfig.answer()
		return route.Action{Answer: answer}, err
	case "":
		return route.Action{}, errors.New("type is missing: it must be forward, redirect or fixed-response")
	}
	return route.Action{}, fmt.Errorf("type is %q: it must be forward, redirect or fixed-response", in.Type)
}

func (in actionJSON) forward(namespace string, group func(string) (string, error)) (route.Action, error) {
	if ways := count(in.TargetGroupARN != "", in.TargetGroupName != "", in.ForwardConfig != nil); ways != 1 {
		return route.Action{}, errors.New("forward needs one of targetGroupARN, targetGroupName and forwardConfig")
	}
	if in.ForwardConfig == nil {
		in.ForwardConfig = &forwardJSON{TargetGroups: []targetJSON{{TargetGroupARN: in.TargetGroupARN, TargetGroupName: in.TargetGroupName}}}
	}

	groups := in.ForwardConfig.TargetGroups
	if len(groups) == 0 || len(groups) > maxGroups {
		return route.Action{}, fmt.Errorf("forwardConfig.targetGroups has %s: from 1 to %d are possible", plural.Count(len(groups), "target group"), maxGroups)
	}

	var action route.Action
	for i, g := range groups {
		backend, err := g.backend(namespace, group, len(groups) == 1)
		if err != nil {
			return route.Action{}, fmt.Errorf("forwardConfig.targetGroups[%d]: %w", i, err)
		}
		action.Backends = append(action.Backends, backend)
	}

	var err error
	action.Sticky, err = in.ForwardConfig.TargetGroupStickinessConfig.sticky()
	return action, err
}

// backend is one target group. It needs no weight where it is alone.
func (in targetJSON) backend(namespace string, group func(string) (string, error), alone bool) (route.Backend, error) {
	backend := route.Backend{Service: in.ServiceName, Port: string(in.ServicePort), Group: in.TargetGroupARN, Weight: 1}
	switch {
	case count(in.ServiceName != "", in.TargetGroupARN != "", in.TargetGroupName != "") != 1:
		return backend, errors.New("one of serviceName, targetGroupARN and targetGroupName is needed")
	case (in.ServiceName != "") != (in.ServicePort != ""):
		return backend, errors.New("serviceName and servicePort need each other")
	case in.ServicePort == useAnnotation:
		return backend, fmt.Errorf("servicePort is %s: an action cannot refer to another one", useAnnotation)
	case in.TargetGroupARN != "" && (!strings.HasPrefix(in.TargetGroupARN, "arn:") || !strings.Contains(in.TargetGroupARN, ":targetgroup/")):
		return backend, fmt.Errorf("targetGroupARN is %q, which is not the ARN of a target group", in.TargetGroupARN)
	case in.Weight == nil && !alone:
		return backend, errors.New("weight is needed where there are several target groups")
	case in.Weight != nil && (*in.Weight < 0 || *in.Weight > maxWeight):
		return backend, fmt.Errorf("weight is %d: it must be from 0 to %d", *in.Weight, maxWeight)
	}

	if in.ServiceName != "" {
		backend.Namespace = namespace
	}
	if in.Weight != nil {
		backend.Weight = *in.Weight
	}
	if named := cmp.Or(in.TargetGroupARN, in.TargetGroupName); named != "" {
		var err error
		if backend.Group, err = group(named); err != nil {
			return backend, err
		}
	}
	return backend, nil
}

func (in *stickyJSON) sticky() (time.Duration, error) {
	switch {
	case in == nil || !in.Enabled:
		return 0, nil
	case in.DurationSeconds == nil:
		return 0, errors.New("targetGroupStickinessConfig.durationSeconds is missing")
	case *in.DurationSeconds < 1 || *in.DurationSeconds > maxSticky:
		return 0, fmt.Errorf("targetGroupStickinessConfig.durationSeconds is %d: it must be from 1 to %d", *in.DurationSeconds, maxSticky)
	}
	return time.Duration(*in.DurationSeconds) * time.Second, nil
}

func (in *redirectJSON) redirect() (*route.Redirect, error) {
	if in == nil {
		return nil, errors.New("redirectConfig is missing")
	}
	statuses := map[word]int{"HTTP_301": 301, "HTTP_302": 302}
	out := &route.Redirect{Status: statuses[in.StatusCode], Protocol: in.Protocol, Host: in.Host, Port: string(in.Port), Path: in.Path, Query: in.Query}

	switch {
	case out.Status == 0:
		return nil, fmt.Errorf("redirectConfig.statusCode is %q: it must be HTTP_301 or HTTP_302", in.StatusCode)
	case !slices.Contains([]string{"", "HTTP", "HTTPS", sameProtocol}, in.Protocol):
		return nil, fmt.Errorf("redirectConfig.protocol is %q: it must be HTTP, HTTPS or %s", in.Protocol, sameProtocol)
	case in.Port != "" && in.Port != samePort && !isPort(string(in.Port)):
		return nil, fmt.Errorf("redirectConfig.port is %q: it must be from 1 to %d, or %s", in.Port, maxPort, samePort)
	case in.Path != "" && !strings.HasPrefix(in.Path, "/"):
		return nil, fmt.Errorf("redirectConfig.path is %q: it must begin with /", in.Path)
	}
	for _, field := range [][2]string{{"host", in.Host}, {"path", in.Path}, {"query", in.Query}} {
		if n := utf8.RuneCountInString(field[1]); n > maxRedirect {
			return nil, fmt.Errorf("redirectConfig.%s has %d characters: %d are possible", field[0], n, maxRedirect)
		}
	}

	if keeps(in.Protocol, sameProtocol) && keeps(in.Host, sameHost) && keeps(string(in.Port), samePort) && keeps(in.Path, samePath) {
		return nil, errors.New("redirectConfig changes none of protocol, host, port and path: clients would be redirected for ever")
	}
	return out, nil
}

// keeps reports whether a redirect leaves a part as it is.
func keeps(part, same string) bool { return part == "" || part == same }

func (in *answerJSON) answer() (*route.Answer, error) {
	if in == nil {
		return nil, errors.New("fixedResponseConfig is missing")
	}

	status, err := strconv.Atoi(string(in.StatusCode))
	switch class := status / 100; {
	case err != nil || class != 2 && class != 4 && class != 5:
		return nil, fmt.Errorf("fixedResponseConfig.statusCode is %q: it must be 2xx, 4xx or 5xx", in.StatusCode)
	case in.ContentType != "" && !slices.Contains(contentTypes, in.ContentType):
		return nil, fmt.Errorf("fixedResponseConfig.contentType is %q: it must be one of %s", in.ContentType, strings.Join(contentTypes, ", "))
	}
	if n := utf8.RuneCountInString(in.MessageBody); n > maxBody {
		return nil, fmt.Errorf("fixedResponseConfig.messageBody has %d characters: %d are possible", n, maxBody)
	}
	return &route.Answer{Status: status, ContentType: in.ContentType, Body: in.MessageBody}, nil
}

// loops reports whether a redirect on a listener sends requests that match back to itself. Where it does, the rule is left
// out there: this is how an annotation redirects from HTTP to HTTPS on both listeners.
func loops(r route.Redirect, m route.Match, protocol string, port int32) bool {
	if !keeps(r.Protocol, sameProtocol) && r.Protocol != protocol || !keeps(r.Port, samePort) && r.Port != strconv.Itoa(int(port)) {
		return false
	}
	return again(r.Host, sameHost, m.Hosts, strings.ToLower) && again(r.Path, samePath, m.Paths, func(s string) string { return s }) &&
		(keeps(r.Query, sameQuery) || len(m.Queries) == 0 && !strings.Contains(r.Query, "#{"))
}

// again reports whether what a part of the redirect becomes matches the rule again, and stays as it is then.
func again(part, same string, patterns []string, fold func(string) string) bool {
	if keeps(part, same) {
		return true
	}
	return !strings.Contains(part, "#{") && (len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return like(fold(part), fold(p)) }))
}

// like reports whether text matches a pattern, in which * is any run of characters and ? is one. What the last * stands for
// grows until the rest matches, so that the time is bounded whatever the pattern.
func like(text, pattern string) bool {
	star, from := -1, 0
	i, j := 0, 0
	for i < len(text) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, from = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == text[i]):
			i++
			j++
		case star >= 0:
			from++
			i, j = from, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "*") == ""
}

func isPort(text string) bool {
	port, err := strconv.Atoi(text)
	return err == nil && port >= 1 && port <= maxPort
}

func count(all ...bool) int {
	n := 0
	for _, is := range all {
		if is {
			n++
		}
	}
	return n
}

// word is a text that may be written as a number.
type word string

// UnmarshalJSON reads a text or a number.
func (w *word) UnmarshalJSON(data []byte) error {
	text := strings.TrimSpace(string(data))
	switch {
	case text == "null":
		return nil
	case strings.HasPrefix(text, `"`):
		return json.Unmarshal(data, (*string)(w))
	case strings.ContainsAny(text[:1], "-0123456789"):
		*w = word(text)
		return nil
	}
	kinds := map[byte]string{'{': "object", '[': "array", 't': "bool", 'f': "bool"}
	return &json.UnmarshalTypeError{Value: kinds[text[0]], Type: reflect.TypeFor[string]()}
}

// decode reads JSON strictly: what is not known is a mistake that would be silent otherwise.
func decode(text string, into any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && errors.Is(d.Decode(new(any)), io.EOF) {
		return nil
	}

	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return errors.New("not valid JSON: something follows its end")
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("%s is a JSON %s, where %s is needed", lower(wrong.Field), wrong.Value, kind(wrong.Type))
	case errors.As(err, &wrong):
		return fmt.Errorf("the value is a JSON %s, where %s is needed", wrong.Value, kind(wrong.Type))
	case errors.As(err, &syntax):
		return fmt.Errorf("not valid JSON at character %d: %s", syntax.Offset, strings.TrimPrefix(syntax.Error(), "json: "))
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("not valid JSON: it ends too early")
	}
	return errors.New(strings.Replace(strings.TrimPrefix(err.Error(), "json: "), "unknown field", "not served: field", 1))
}

// lower writes a path of fields as annotations do.
func lower(path string) string {
	fields := strings.Split(path, ".")
	for i, f := range fields {
		fields[i] = strings.ToLower(f[:1]) + f[1:]
	}
	return strings.Join(fields, ".")
}

// kind names what a field holds.
func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Pointer:
		return "an object"
	}
	return "a text"
}
