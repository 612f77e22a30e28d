// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ec2 asks EC2 about networks, and changes security groups. It has the ten operations that load balancers need of
// several hundred, and no more: the SDK's client has them all, and takes more than a minute to compile.
//
// It reads lists to their end or not at all, retries nothing, caches no answer and decides nothing. It has never run
// against AWS itself; what it knows comes from the service's model and documentation and from a simulator.
package ec2

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithy "github.com/aws/smithy-go"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
)

// version is that of EC2's API.
const version = "2016-11-15"

// EC2 is the service in podgate's own account and region. It is safe for concurrent use.
type EC2 struct {
	sessions *podaws.Sessions[*podaws.Signed]
	within   podaws.Within
}

// New makes the client, without a call. podaws.New says what its arguments are; within makes each call within a budget.
func New(cfg aws.Config, region string, within podaws.Within, opts ...podaws.Option) *EC2 {
	return &EC2{podaws.New(cfg, region, podaws.Service[*podaws.Signed]{
		Client: func(cfg aws.Config) *podaws.Signed { return podaws.NewSigned(cfg, "ec2", "EC2") },
		Kinds:  kinds,
	}, opts...), within}
}

// kinds maps EC2's own error codes to the seam's errors (EC2 API reference, error codes).
var kinds = map[string]error{
	"InvalidGroup.NotFound":   balancer.ErrNotFound,
	"InvalidGroupId.NotFound": balancer.ErrNotFound,

	codeGroups:         balancer.ErrQuota,
	codeRules:          balancer.ErrQuota,
	"TagLimitExceeded": balancer.ErrQuota,

	"CannotDelete":                 balancer.ErrInvalid,
	"InvalidFilter":                balancer.ErrInvalid,
	codeDuplicateGroup:             balancer.ErrInvalid,
	"InvalidGroupId.Malformed":     balancer.ErrInvalid,
	"InvalidInput":                 balancer.ErrInvalid,
	"InvalidParameter":             balancer.ErrInvalid,
	"InvalidParameterCombination":  balancer.ErrInvalid,
	"InvalidParameterValue":        balancer.ErrInvalid,
	"InvalidPermission.Malformed":  balancer.ErrInvalid,
	"InvalidPrefixListID.NotFound": balancer.ErrInvalid,
	"InvalidPrefixListId.NotFound": balancer.ErrInvalid,
	"InvalidSubnetID.Malformed":    balancer.ErrInvalid,
	codeNoVPC:                      balancer.ErrInvalid,
	"InvalidVpcID.Malformed":       balancer.ErrInvalid,
	"MissingParameter":             balancer.ErrInvalid,
	"UnknownParameter":             balancer.ErrInvalid,
	"VPCIdNotSpecified":            balancer.ErrInvalid,

	// What holds a security group goes within minutes. Rules that are there already, or are gone already, have to be read again.
	codeInUse:         balancer.ErrNotReady,
	codeDuplicateRule: balancer.ErrNotReady,
	codeNoRule:        balancer.ErrNotReady,
}

// Codes that callers tell apart, or of which there is something to say.
const (
	codeGroups         = "SecurityGroupLimitExceeded"
	codeRules          = "RulesPerSecurityGroupLimitExceeded"
	codeInUse          = "DependencyViolation"
	codeDuplicateGroup = "InvalidGroup.Duplicate"
	codeDuplicateRule  = "InvalidPermission.Duplicate"
	codeNoRule         = "InvalidPermission.NotFound"
	codeNoVPC          = "InvalidVpcID.NotFound"
)

// advice says what to do about errors.
var advice = map[string]string{
	codeGroups:         "Raise the quota of VPC security groups per Region, or delete some that nothing uses",
	codeRules:          "Raise the quota of inbound rules per security group, or name fewer ports or sources",
	codeInUse:          "Network interfaces or rules of other security groups still name it; those of a deleted load balancer go within minutes",
	codeDuplicateGroup: "Delete the security group of that name, or give it podgate's tags if it is podgate's",
	codeNoVPC:          "Name a VPC that the account has in the region",
	"TagLimitExceeded": "Name fewer tags",
}

// answer is what all answers of lists have.
type answer interface{ next() string }

// token is the token of a list's next page.
type token struct {
	Next string `xml:"nextToken"`
}

func (t token) next() string { return t.Next }

// list calls an operation for one page after the other and hands each to take. subject is what people know the matter by.
func list[O answer](ctx context.Context, e *EC2, operation, subject string, form url.Values, take func(O)) error {
	for {
		out, err := call[O](ctx, e, operation, subject, false, form)
		if err != nil {
			return err
		}
		take(out)

		// A page that names itself would never end.
		next := out.next()
		if next == "" {
			return nil
		}
		if next == form.Get("NextToken") {
			return &balancer.CallError{Op: ops[operation], Subject: subject, Text: "the answer makes no sense: a page is followed by itself"}
		}
		form.Set("NextToken", next)
	}
}

// ops are the operations in words.
var ops = map[string]string{
	"AuthorizeSecurityGroupIngress": "add rules of security group",
	"CreateSecurityGroup":           "create security group",
	"CreateTags":                    "tag",
	"DeleteSecurityGroup":           "delete security group",
	"DescribeAccountAttributes":     "describe account attributes",
	"DescribeAvailabilityZones":     "describe availability zones",
	"DescribeRouteTables":           "describe route tables",
	"DescribeSecurityGroups":        "describe security groups",
	"DescribeSubnets":               "describe subnets",
	"RevokeSecurityGroupIngress":    "remove rules of security group",
}

// call makes one call and reads its answer.
func call[O any](ctx context.Context, e *EC2, operation, subject string, changes bool, form url.Values) (O, error) {
	form.Set("Action", operation)
	form.Set("Version", version)
	c := e.sessions.Connection(balancer.Ref{})

	var out O
	err := e.within.Make(ctx, podaws.Charge{Service: "ec2", Operation: operation, Changes: changes}, func(ctx context.Context) error {
		var err error
		out, err = podaws.Do(ctx, c, ops[operation], subject, func(ctx context.Context) (O, error) { return post[O](ctx, c.API, form) })
		return err
	})
	return out, podaws.Advise(err, "ec2:"+operation, advice)
}

// post sends a form and reads the document that is answered.
func post[O any](ctx context.Context, client *podaws.Signed, form url.Values) (O, error) {
	var out O
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	body, err := client.Post(ctx, header, []byte(form.Encode()), fault)
	if err != nil {
		return out, err
	}

	if err := read(body, form.Get("Action"), &out); err != nil {
		return out, &smithy.DeserializationError{Err: err, Snapshot: body[:min(len(body), 1024)]}
	}
	return out, nil
}

// read reads an answer of an operation. A document of another kind, such as a page of a proxy, is none: it would pass for a
// list of nothing.
func read(body []byte, operation string, into any) error {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		if root, ok := token.(xml.StartElement); ok {
			if root.Name.Local != operation+"Response" {
				return fmt.Errorf("it is a document of %s", root.Name.Local)
			}
			return decoder.DecodeElement(into, &root)
		}
	}
}

// fault reads an error answer. One that is none says nothing.
func fault(body []byte) podaws.Fault {
	var e struct {
		Code      string `xml:"Errors>Error>Code"`
		Message   string `xml:"Errors>Error>Message"`
		RequestID string `xml:"RequestID"`
	}
	if err := xml.Unmarshal(body, &e); err != nil {
		return podaws.Fault{}
	}
	return podaws.Fault{Code: e.Code, Message: e.Message, RequestID: e.RequestID}
}

// Filter selects what a list has: by a name such as vpc-id or tag:Name, and values of which one has to match.
type Filter struct {
	Name   string
	Values []string
}

// In is a filter for a VPC.
func In(vpc string) Filter { return Filter{"vpc-id", []string{vpc}} }

// Named is a filter for the name of a security group.
func Named(group string) Filter { return Filter{"group-name", []string{group}} }

// Tagged is a filter for a tag with one of the values.
func Tagged(key string, values ...string) Filter { return Filter{"tag:" + key, values} }

// filtered is a request with filters, for pages of a size.
func filtered(size int, filters []Filter) url.Values {
	form := url.Values{"MaxResults": {strconv.Itoa(size)}}
	for i, f := range filters {
		form.Set(fmt.Sprintf("Filter.%d.Name", i+1), f.Name)
		set(form, fmt.Sprintf("Filter.%d.Value", i+1), f.Values)
	}
	return form
}

// set writes a list into a form, the way EC2 has them: Field.1, Field.2 and so on.
func set(form url.Values, field string, values []string) {
	for i, v := range values {
		form.Set(fmt.Sprintf("%s.%d", field, i+1), v)
	}
}

// tags are a resource's, as answers have them.
type tags struct {
	Set []struct {
		Key   string `xml:"key"`
		Value string `xml:"value"`
	} `xml:"tagSet>item"`
}

func (t tags) values() map[string]string {
	all := make(map[string]string, len(t.Set))
	for _, tag := range t.Set {
		all[tag.Key] = tag.Value
	}
	return all
}
