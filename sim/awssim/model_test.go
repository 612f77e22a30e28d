// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// model is an official service model, as the AWS SDKs are generated from it.
type model struct {
	Metadata   struct{ XMLNamespace string }
	Operations map[string]struct {
		Output struct{ Shape, ResultWrapper string }
		Errors []struct{ Shape string }
	}
	Shapes map[string]shape
}

type shape struct {
	Type     string
	Members  map[string]struct{ Shape, LocationName string }
	Member   struct{ Shape string }
	Required []string
	Enum     []string
	Min, Max *float64
	Pattern  string
	Error    struct {
		Code           string
		HTTPStatusCode int
	}
}

// models are extracts of the official ones; testdata/models says where they come from and how to make them again.
var models = sync.OnceValues(func() (map[string]*model, error) {
	all := map[string]*model{}
	for version, service := range map[string]string{"2015-12-01": "elasticloadbalancingv2", "2011-06-15": "sts", "2016-11-15": "ec2"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "models", service+".json"))
		if err != nil {
			return nil, fmt.Errorf("read service model: %w", err)
		}

		m := &model{}
		if err := json.Unmarshal(raw, m); err != nil {
			return nil, fmt.Errorf("read service model of %s: %w", service, err)
		}
		all[version] = m
	}

	return all, nil
})

// xmlElement is any piece of XML.
type xmlElement struct {
	XMLName  xml.Name
	Attrs    []xml.Attr   `xml:",any,attr"`
	Children []xmlElement `xml:",any"`
	Text     string       `xml:",chardata"`
}

func (e xmlElement) child(name string) *xmlElement {
	for i := range e.Children {
		if e.Children[i].XMLName.Local == name {
			return &e.Children[i]
		}
	}
	return nil
}

// newer says whether an element is one that the pinned model is too old to
// know.
func newer(shape, element string) bool {
	switch element {
	case "AdministrativeOverride": // zonal shift, late 2024
		return shape == "TargetHealthDescription"
	case "IpamPools":
		return shape == "LoadBalancer"
	case "EnablePrefixForIpv6SourceNat":
		return shape == "LoadBalancer" || shape == "SetSubnetsOutput"
	}
	return false
}

// newerOperations are those that the pinned model is too old to know: what they answer, and the errors they have, by
// the types of the SDK.
var newerOperations = map[string]struct {
	output any
	errors []string
}{
	"DescribeCapacityReservation": {elbv2.DescribeCapacityReservationOutput{}, []string{"LoadBalancerNotFound"}},
	"ModifyCapacityReservation": {elbv2.ModifyCapacityReservationOutput{}, []string{
		"CapacityDecreaseRequestsLimitExceeded", "InvalidConfigurationRequest", "LoadBalancerNotFound", "OperationNotPermitted",
	}},
	"ModifyIpPools":              {elbv2.ModifyIpPoolsOutput{}, []string{"LoadBalancerNotFound"}},
	"DescribeListenerAttributes": {elbv2.DescribeListenerAttributesOutput{}, []string{"ListenerNotFound"}},
	"ModifyListenerAttributes":   {elbv2.ModifyListenerAttributesOutput{}, []string{"InvalidConfigurationRequest", "ListenerNotFound"}},
}

// checkNewer holds an answer of such an operation to the SDK's types.
func checkNewer(operation string, status int, root xmlElement) []string {
	op := newerOperations[operation]
	if status != 200 {
		code := root.child("Error").child("Code").Text
		if want, ok := common(code); status == 400 && slices.Contains(op.errors, code) || ok && want == status {
			return nil
		}
		return []string{fmt.Sprintf("error %s with status %d is not one of %s's", code, status, operation)}
	}

	result := root.child(operation + "Result")
	if root.XMLName.Local != operation+"Response" || result == nil || root.child("ResponseMetadata") == nil || len(root.Children) != 2 {
		return []string{"not an answer to " + operation}
	}
	return fields(reflect.TypeOf(op.output), *result, operation)
}

// fields complains of elements that are not fields of a type.
func fields(of reflect.Type, e xmlElement, path string) []string {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}

	var problems []string
	for _, c := range e.Children {
		at := path + "." + c.XMLName.Local
		switch {
		case of.Kind() == reflect.Slice && c.XMLName.Local == "member":
			problems = append(problems, fields(of.Elem(), c, at)...)
		case of.Kind() == reflect.Struct:
			field, known := of.FieldByName(c.XMLName.Local)
			if !known {
				problems = append(problems, at+": is unknown")
				continue
			}
			problems = append(problems, fields(field.Type, c, at)...)
		default:
			problems = append(problems, at+": an element inside a "+of.String())
		}
	}

	return problems
}

// common is the status of an error code that every operation may answer.
func common(code string) (int, bool) {
	switch code {
	case "ValidationError", "Throttling", "InvalidAction", "MalformedInput", "UnsupportedCertificate":
		return 400, true
	case "AccessDenied", "MissingAuthenticationToken", "SignatureDoesNotMatch", "InvalidClientTokenId", "ExpiredToken":
		return 403, true
	}
	return 0, false
}

// checkAnswer says how an answer deviates from the service model.
func checkAnswer(version, operation string, status int, body []byte) []string {
	all, err := models()
	if err != nil {
		return []string{err.Error()}
	}

	m := all[version]
	if m == nil {
		m = all["2015-12-01"]
	}

	var root xmlElement
	if err := xml.Unmarshal(body, &root); err != nil {
		return []string{"not XML: " + err.Error()}
	}

	if root.XMLName.Space != m.Metadata.XMLNamespace {
		return []string{fmt.Sprintf("namespace %q, want %q", root.XMLName.Space, m.Metadata.XMLNamespace)}
	}
	if _, ok := newerOperations[operation]; ok && version == "2015-12-01" {
		return checkNewer(operation, status, root)
	}
	if status != 200 {
		return m.checkError(operation, status, root)
	}

	op := m.Operations[operation]
	result := root.child(op.Output.ResultWrapper)
	metadata := root.child("ResponseMetadata")
	switch {
	case root.XMLName.Local != operation+"Response":
		return []string{"root is " + root.XMLName.Local}
	case result == nil:
		return []string{"no " + op.Output.ResultWrapper}
	case metadata == nil || metadata.child("RequestId") == nil:
		return []string{"no ResponseMetadata/RequestId"}
	case len(root.Children) != 2:
		return []string{"more than result and metadata"}
	}

	return m.check(op.Output.Shape, *result, operation)
}

func (m *model) checkError(operation string, status int, root xmlElement) []string {
	e := root.child("Error")
	if root.XMLName.Local != "ErrorResponse" || e == nil || root.child("RequestId") == nil ||
		e.child("Type") == nil || e.child("Code") == nil || e.child("Message") == nil {
		return []string{"not an error answer"}
	}

	code := e.child("Code").Text
	for _, listed := range m.Operations[operation].Errors {
		if s := m.Shapes[listed.Shape]; s.Error.Code == code {
			if s.Error.HTTPStatusCode != status {
				return []string{fmt.Sprintf("%s has status %d, want %d", code, status, s.Error.HTTPStatusCode)}
			}
			return nil
		}
	}

	if want, ok := common(code); !ok || want != status {
		return []string{fmt.Sprintf("error %s with status %d is not one of %s's", code, status, operation)}
	}

	return nil
}

// check walks a value along its shape.
func (m *model) check(name string, e xmlElement, path string) []string {
	s := m.Shapes[name]
	var problems []string
	complain := func(format string, args ...any) {
		problems = append(problems, path+": "+fmt.Sprintf(format, args...))
	}

	switch s.Type {
	case "structure":
		seen := []string{}
		for _, c := range e.Children {
			member, known := s.Members[c.XMLName.Local]
			if newer(name, c.XMLName.Local) {
				continue
			}
			if !known || slices.Contains(seen, c.XMLName.Local) {
				complain("element %s is unknown or there twice", c.XMLName.Local)
				continue
			}
			seen = append(seen, c.XMLName.Local)
			problems = append(problems, m.check(member.Shape, c, path+"."+c.XMLName.Local)...)
		}

		for _, r := range s.Required {
			if !slices.Contains(seen, r) {
				complain("%s is missing", r)
			}
		}

		return problems

	case "list":
		for i, c := range e.Children {
			if c.XMLName.Local != "member" {
				complain("list of %s, want member", c.XMLName.Local)
			}
			problems = append(problems, m.check(s.Member.Shape, c, fmt.Sprintf("%s[%d]", path, i))...)
		}
		return problems
	}

	if len(e.Children) > 0 {
		complain("a %s with elements inside", s.Type)
	}

	return append(problems, checkScalar(s, e.Text, path)...)
}

var codePoint = regexp.MustCompile(`\\u([0-9A-Fa-f]{4,6})`)

func checkScalar(s shape, text, path string) []string {
	bad := func(why string) []string { return []string{fmt.Sprintf("%s: %q %s", path, text, why)} }
	size := float64(len(text))
	switch s.Type {
	case "string":
		if s.Enum != nil && !slices.Contains(s.Enum, text) {
			return bad("is none of the enum")
		}
		// Patterns are Java's: whole text, and another way to write code points.
		if s.Pattern != "" && !regexp.MustCompile(`^(?:`+codePoint.ReplaceAllString(s.Pattern, `\x{$1}`)+`)$`).MatchString(text) {
			return bad("does not match " + s.Pattern)
		}

	case "integer", "long":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return bad("is not an integer")
		}
		size = float64(n)

	case "boolean":
		if text != "true" && text != "false" {
			return bad("is not a boolean")
		}
		return nil

	case "timestamp":
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", text); err != nil {
			return bad("is not a timestamp")
		}
		return nil

	default:
		return bad("is of type " + s.Type + ", which the check does not know")
	}

	if s.Min != nil && size < *s.Min || s.Max != nil && size > *s.Max {
		return bad("is out of bounds")
	}

	return nil
}

func TestCheckAnswerSeesDeviations(t *testing.T) {
	wrap := func(result string) string {
		return `<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><DescribeTargetHealthResult>` + result +
			`</DescribeTargetHealthResult><ResponseMetadata><RequestId>i</RequestId></ResponseMetadata></DescribeTargetHealthResponse>`
	}

	row := func(inner string) string {
		return wrap("<TargetHealthDescriptions><member>" + inner + "</member></TargetHealthDescriptions>")
	}

	fault := func(code string) string {
		return `<ErrorResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><Error><Type>Sender</Type><Code>` + code + `</Code><Message>m</Message></Error><RequestId>i</RequestId></ErrorResponse>`
	}

	cases := map[string]struct {
		reason string
		status int
		body   string
		ok     bool
	}{
		"Good":           {reason: "a proper row passes", status: 200, body: row("<Target><Id>a</Id><Port>80</Port></Target><TargetHealth><State>healthy</State></TargetHealth>"), ok: true},
		"UnknownElement": {reason: "an element that the model does not know", status: 200, body: row("<Nonsense>1</Nonsense>")},
		"Enum":           {reason: "a state that is none", status: 200, body: row("<TargetHealth><State>fine</State></TargetHealth>")},
		"Type":           {reason: "a port that is no number", status: 200, body: row("<Target><Id>a</Id><Port>http</Port></Target>")},
		"Bounds":         {reason: "a port beyond its bounds", status: 200, body: row("<Target><Id>a</Id><Port>70000</Port></Target>")},
		"Required":       {reason: "a target without its id", status: 200, body: row("<Target><Port>80</Port></Target>")},
		"Wrapper":        {reason: "a list without member", status: 200, body: wrap("<TargetHealthDescriptions><item/></TargetHealthDescriptions>")},
		"Truncated":      {reason: "half an answer", status: 200, body: row("")[:80]},
		"Namespace":      {reason: "another service's answer", status: 200, body: strings.Replace(row(""), "2015-12-01", "2012-06-01", 1)},
		"Error":          {reason: "an error the operation has", status: 400, body: fault("TargetGroupNotFound"), ok: true},
		"ErrorStatus":    {reason: "the right error with the wrong status", status: 404, body: fault("TargetGroupNotFound")},
		"ErrorName":      {reason: "the shape's name in place of the code", status: 400, body: fault("TargetGroupNotFoundException")},
		"ErrorOther":     {reason: "an error of another operation", status: 400, body: fault("DuplicateListener")},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if problems := checkAnswer("2015-12-01", "DescribeTargetHealth", tc.status, []byte(tc.body)); (len(problems) == 0) != tc.ok {
				t.Errorf("%s: problems %q, want none: %v", tc.reason, problems, tc.ok)
			}
		})
	}
}
