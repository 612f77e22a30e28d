// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// ec2Version is the version of EC2's API, and part of its namespace.
const ec2Version = "2016-11-15"

// ec2 calls an operation with parameters name=value, and returns the answer, or the error's code and message.
func (e *env) ec2(operation string, parameters ...string) (xmlElement, string) {
	e.Helper()
	form := url.Values{"Action": {operation}, "Version": {ec2Version}}
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		form.Set(name, value)
	}

	_, body := e.rawAs("ec2", form)
	var root xmlElement
	if err := xml.Unmarshal([]byte(body), &root); err != nil {
		e.Fatalf("%s: %v in %s", operation, err, body)
	}
	if failure := strings.Join(texts(root, "Errors.Error.Code"), "") + " " + strings.Join(texts(root, "Errors.Error.Message"), ""); failure != " " {
		return root, failure
	}
	return root, ""
}

// does is ec2 for a call that has to succeed.
func (e *env) does(operation string, parameters ...string) xmlElement {
	e.Helper()
	root, failure := e.ec2(operation, parameters...)
	if failure != "" {
		e.Fatalf("%s %q: %s", operation, parameters, failure)
	}
	return root
}

// texts are the texts of all elements at a path such as vpcSet.item.vpcId.
func texts(of xmlElement, path string) []string {
	first, rest, more := strings.Cut(path, ".")
	var list []string
	for _, c := range of.Children {
		switch {
		case c.XMLName.Local != first:
		case more:
			list = append(list, texts(c, rest)...)
		default:
			list = append(list, c.Text)
		}
	}
	return list
}

// newerEC2 are elements that the pinned model is too old to know, by their parents.
var newerEC2 = map[string]string{
	"CreateSecurityGroupResult":        " securityGroupArn ",
	"SecurityGroup":                    " securityGroupArn ",
	"RevokeSecurityGroupIngressResult": " revokedSecurityGroupRuleSet ",
	"RevokeSecurityGroupEgressResult":  " revokedSecurityGroupRuleSet ",
	"":                                 " return groupId ", // what answered nothing
}

// checkEC2Answer says how an answer deviates from the service model.
func checkEC2Answer(operation string, status int, body []byte) []string {
	all, err := models()
	if err != nil {
		return []string{err.Error()}
	}

	var root xmlElement
	if err := xml.Unmarshal(body, &root); err != nil {
		return []string{"not XML: " + err.Error()}
	}
	if status != 200 {
		if root.XMLName.Local != "Response" || len(texts(root, "Errors.Error.Code")) != 1 || len(texts(root, "Errors.Error.Message")) != 1 || len(texts(root, "RequestID")) != 1 {
			return []string{"not an error answer"}
		}
		return nil
	}

	m := all[ec2Version]
	op, known := m.Operations[operation]
	switch {
	case !known:
		return []string{"no operation " + operation}
	case root.XMLName.Local != operation+"Response" || root.XMLName.Space != m.Metadata.XMLNamespace+"/":
		return []string{"root is " + root.XMLName.Space + " " + root.XMLName.Local}
	case len(texts(root, "requestId")) != 1:
		return []string{"no requestId"}
	}

	result := root
	result.Children = nil
	for _, c := range root.Children {
		if c.XMLName.Local != "requestId" {
			result.Children = append(result.Children, c)
		}
	}
	return m.checkFlat(op.Output.Shape, result, operation)
}

// checkFlat walks a value of EC2 along its shape.
func (m *model) checkFlat(name string, e xmlElement, path string) []string {
	s := m.Shapes[name]
	var problems []string

	switch {
	case s.Type == "structure" || name == "":
		shapes := map[string]string{}
		for member, inside := range s.Members {
			if inside.LocationName != "" {
				member = inside.LocationName
			}
			shapes[member] = inside.Shape
		}

		seen := map[string]bool{}
		for _, c := range e.Children {
			element := c.XMLName.Local
			if strings.Contains(newerEC2[name], " "+element+" ") {
				continue
			}
			if shapes[element] == "" || seen[element] {
				problems = append(problems, fmt.Sprintf("%s: element %s is unknown or there twice", path, element))
				continue
			}
			seen[element] = true
			problems = append(problems, m.checkFlat(shapes[element], c, path+"."+element)...)
		}
		return problems

	case s.Type == "list":
		for i, c := range e.Children {
			if c.XMLName.Local != "item" {
				problems = append(problems, fmt.Sprintf("%s: list of %s, want item", path, c.XMLName.Local))
			}
			problems = append(problems, m.checkFlat(s.Member.Shape, c, fmt.Sprintf("%s[%d]", path, i))...)
		}
		return problems
	}

	if len(e.Children) > 0 {
		problems = append(problems, fmt.Sprintf("%s: a %s with elements inside", path, s.Type))
	}
	return append(problems, checkScalar(s, e.Text, path)...)
}

func TestCheckEC2AnswerSeesDeviations(t *testing.T) {
	wrap := func(inner string) string {
		return `<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>i</requestId><vpcSet>` + inner + `</vpcSet></DescribeVpcsResponse>`
	}
	cases := map[string]struct {
		reason string
		status int
		body   string
		ok     bool
	}{
		"Good":      {reason: "a proper row passes", status: 200, body: wrap("<item><vpcId>vpc-1</vpcId></item>"), ok: true},
		"Unknown":   {reason: "an element that the model does not know", status: 200, body: wrap("<item><vpcID>vpc-1</vpcID></item>")},
		"Wrapper":   {reason: "a list without item", status: 200, body: wrap("<member><vpcId>vpc-1</vpcId></member>")},
		"Enum":      {reason: "a state that is none", status: 200, body: wrap("<item><state>fine</state></item>")},
		"Namespace": {reason: "another service's answer", status: 200, body: strings.Replace(wrap(""), "ec2.", "sts.", 1)},
		"NoID":      {reason: "an answer without an id", status: 200, body: strings.Replace(wrap(""), "requestId", "RequestId", 2)},
		"Error":     {reason: "an error of the dialect", status: 400, body: "<Response><Errors><Error><Code>c</Code><Message>m</Message></Error></Errors><RequestID>i</RequestID></Response>", ok: true},
		"ErrorForm": {reason: "an error of the other dialect", status: 400, body: "<ErrorResponse><Error><Code>c</Code><Message>m</Message></Error><RequestId>i</RequestId></ErrorResponse>"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if problems := checkEC2Answer("DescribeVpcs", tc.status, []byte(tc.body)); (len(problems) == 0) != tc.ok {
				t.Errorf("%s: problems %q, want none: %v", tc.reason, problems, tc.ok)
			}
		})
	}
}
