// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// restModel is the official model of VPC Lattice, read here by other code than the simulator's.
type restModel struct {
	Operations map[string]struct {
		HTTP struct {
			Method, RequestURI string
			ResponseCode       int
		}
		Output struct{ Shape string }
		Errors []struct{ Shape string }
	}
	Shapes map[string]restShape
}

type restShape struct {
	Type       string
	Members    map[string]struct{ Shape, Location string }
	Member     struct{ Shape string }
	Key, Value struct{ Shape string }
	Union      bool
	Required   []string
	Enum       []string
	Min, Max   *float64
	Pattern    string
	Error      struct{ HTTPStatusCode int }
}

var latticeModel = sync.OnceValues(func() (*restModel, error) {
	raw, err := os.ReadFile(filepath.Join("lattice", "model", "vpc-lattice.json"))
	if err != nil {
		return nil, fmt.Errorf("read service model: %w", err)
	}
	m := &restModel{}
	return m, json.Unmarshal(raw, m)
})

// commonLattice are errors that every operation may answer: AWS's front end has them, not the service.
var commonLattice = map[string]int{
	"ThrottlingException": 429, "AccessDeniedException": 403, "MissingAuthenticationTokenException": 403, "InvalidSignatureException": 403,
	"ExpiredTokenException": 403, "UnrecognizedClientException": 403, "UnknownOperationException": 404,
}

// checkLatticeAnswer says how an answer of VPC Lattice deviates from the service model.
func checkLatticeAnswer(method, path string, answer *httptest.ResponseRecorder) []string {
	m, err := latticeModel()
	if err != nil {
		return []string{err.Error()}
	}

	var body any
	if answer.Body.Len() > 0 {
		decoder := json.NewDecoder(bytes.NewReader(answer.Body.Bytes()))
		decoder.UseNumber()
		if err := decoder.Decode(&body); err != nil {
			return []string{"not JSON: " + err.Error()}
		}
	}

	if answer.Header().Get("X-Amzn-Requestid") == "" {
		return []string{"no request id"}
	}

	name := m.operation(method, path)
	op := m.Operations[name]
	if code := answer.Header().Get("X-Amzn-Errortype"); code != "" {
		for _, listed := range op.Errors {
			if listed.Shape != code {
				continue
			}
			if want := m.Shapes[code].Error.HTTPStatusCode; answer.Code != want {
				return []string{fmt.Sprintf("%s has status %d, want %d", code, answer.Code, want)}
			}
			return m.check(code, body, code)
		}
		if want, ok := commonLattice[code]; !ok || want != answer.Code {
			return []string{fmt.Sprintf("error %s with status %d is not one of %s's", code, answer.Code, name)}
		}
		return nil
	}

	if answer.Code != op.HTTP.ResponseCode {
		return []string{fmt.Sprintf("status %d, want %d", answer.Code, op.HTTP.ResponseCode)}
	}
	if answer.Body.Len() == 0 {
		body = map[string]any{}
	}
	return m.check(op.Output.Shape, body, name)
}

// operation finds the operation of a request line.
func (m *restModel) operation(method, path string) string {
	label := regexp.MustCompile(`\\\{[^}]*\\\}`)
	for name, op := range m.Operations {
		pattern := "^" + label.ReplaceAllString(regexp.QuoteMeta(op.HTTP.RequestURI), "[^/]+") + "$"
		if op.HTTP.Method == method && regexp.MustCompile(pattern).MatchString(path) {
			return name
		}
	}
	return ""
}

// check walks a value along its shape.
func (m *restModel) check(name string, v any, path string) []string {
	s := m.Shapes[name]
	bad := func(why string) []string { return []string{fmt.Sprintf("%s: %v %s", path, v, why)} }
	var problems []string
	size := 0.0
	switch s.Type {
	case "structure":
		return m.checkStructure(s, v, path)
	case "list":
		list, ok := v.([]any)
		if !ok {
			return bad("is not a list")
		}
		for i, item := range list {
			problems = append(problems, m.check(s.Member.Shape, item, fmt.Sprintf("%s[%d]", path, i))...)
		}
		size = float64(len(list))
	case "map":
		entries, ok := v.(map[string]any)
		if !ok {
			return bad("is not a map")
		}
		for key, value := range entries {
			problems = append(problems, m.check(s.Key.Shape, key, path+" key")...)
			problems = append(problems, m.check(s.Value.Shape, value, path+"."+key)...)
		}
		size = float64(len(entries))
	case "string":
		text, ok := v.(string)
		if !ok || s.Enum != nil && !slices.Contains(s.Enum, text) || !matches(s.Pattern, text) {
			return bad("is not a " + name)
		}
		size = float64(len(text))
	case "integer", "long":
		number, ok := v.(json.Number)
		n, err := number.Int64()
		if !ok || err != nil {
			return bad("is not an integer")
		}
		size = float64(n)
	case "boolean":
		if _, ok := v.(bool); !ok {
			return bad("is not a boolean")
		}
		return nil
	case "timestamp":
		text, _ := v.(string)
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", text); err != nil {
			return bad("is not a timestamp")
		}
		return nil
	default:
		return bad("is of type " + s.Type + ", which the check does not know")
	}

	// ServiceNetworkId is 32 long, says the model, and has a pattern with 20.
	if bounded := name != "ServiceNetworkId"; bounded && (s.Min != nil && size < *s.Min || s.Max != nil && size > *s.Max) {
		return bad("is out of bounds")
	}
	return problems
}

func (m *restModel) checkStructure(s restShape, v any, path string) []string {
	in, ok := v.(map[string]any)
	if !ok {
		return []string{path + ": is not an object"}
	}

	var problems []string
	for name, value := range in {
		member, known := s.Members[name]
		if !known {
			problems = append(problems, path+": "+name+" is unknown")
			continue
		}
		problems = append(problems, m.check(member.Shape, value, path+"."+name)...)
	}

	if s.Union && len(in) != 1 {
		problems = append(problems, path+": a union with not exactly one member")
	}
	for _, name := range s.Required {
		if _, given := in[name]; !given {
			problems = append(problems, path+": "+name+" is missing")
		}
	}
	return problems
}

// matches holds a text to a pattern of the model; Go does not know its lookaheads.
func matches(pattern, text string) bool {
	const names = `(?![-])(?!.*[-]$)(?!.*[-]{2})`
	if at := strings.Index(pattern, names); at >= 0 {
		if strings.HasPrefix(text, "-") || strings.HasSuffix(text, "-") || strings.Contains(text, "--") {
			return false
		}
		pattern = "^" + pattern[at+len(names):]
	}
	pattern = strings.ReplaceAll(pattern, "{0,1023}", "*") // the bounds say it too
	return pattern == "" || regexp.MustCompile(`^(?:`+pattern+`)$`).MatchString(text)
}

func TestCheckLatticeAnswerSeesDeviations(t *testing.T) {
	const group = `{"arn":"arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0","id":"tg-0123456789abcdef0","name":"web","status":"ACTIVE","type":"IP"}`
	cases := map[string]struct {
		reason string
		status int
		code   string
		body   string
		ok     bool
	}{
		"Good":        {reason: "a proper answer passes", status: 200, body: group, ok: true},
		"Unknown":     {reason: "a member that the model does not know", status: 200, body: strings.Replace(group, `"name"`, `"Name"`, 1)},
		"Enum":        {reason: "a status that is none", status: 200, body: strings.Replace(group, "ACTIVE", "active", 1)},
		"Pattern":     {reason: "an id that is none", status: 200, body: strings.Replace(group, `"tg-0123456789abcdef0"`, `"tg-1"`, 1)},
		"Type":        {reason: "a name that is a number", status: 200, body: strings.Replace(group, `"web"`, `1`, 1)},
		"Status":      {reason: "another status", status: 201, body: group},
		"Truncated":   {reason: "half an answer", status: 200, body: group[:40]},
		"Error":       {reason: "an error the operation has", status: 404, code: "ResourceNotFoundException", body: `{"message":"m","resourceId":"i","resourceType":"t"}`, ok: true},
		"ErrorStatus": {reason: "the right error with the wrong status", status: 400, code: "ResourceNotFoundException", body: `{"message":"m","resourceId":"i","resourceType":"t"}`},
		"ErrorMember": {reason: "an error without what it must say", status: 404, code: "ResourceNotFoundException", body: `{"message":"m"}`},
		"ErrorOther":  {reason: "an error of another operation", status: 402, code: "ServiceQuotaExceededException", body: `{"message":"m","resourceType":"t","quotaCode":"c","serviceCode":"s"}`},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			answer := httptest.NewRecorder()
			answer.Header().Set("X-Amzn-Requestid", "id")
			if tc.code != "" {
				answer.Header().Set("X-Amzn-Errortype", tc.code)
			}
			answer.WriteHeader(tc.status)
			answer.Body.WriteString(tc.body)
			if problems := checkLatticeAnswer("GET", "/targetgroups/tg-0123456789abcdef0", answer); (len(problems) == 0) != tc.ok {
				t.Errorf("%s: problems %q, want none: %v", tc.reason, problems, tc.ok)
			}
		})
	}
}
