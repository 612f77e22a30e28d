// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package acm lists the certificates of AWS Certificate Manager. It has the two operations that finding a certificate
// takes, and changes nothing.
//
// It reads lists to their end or not at all, retries nothing, caches no answer and decides nothing. It has never run
// against AWS itself; what it knows comes from the service's model and documentation and from a simulator.
package acm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithy "github.com/aws/smithy-go"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
)

// ACM is the service in podgate's own account and region. It is safe for concurrent use.
type ACM struct {
	sessions *podaws.Sessions[*podaws.Signed]
	within   podaws.Within
}

// New makes the client, without a call. podaws.New says what its arguments are; within makes each call within a budget.
func New(cfg aws.Config, region string, within podaws.Within, opts ...podaws.Option) *ACM {
	return &ACM{podaws.New(cfg, region, podaws.Service[*podaws.Signed]{
		Client: func(cfg aws.Config) *podaws.Signed { return podaws.NewSigned(cfg, "acm", "ACM") },
		Kinds:  kinds,
	}, opts...), within}
}

// kinds maps ACM's own error codes to the seam's errors (ACM API reference).
var kinds = map[string]error{
	"InvalidArgsException":      balancer.ErrInvalid,
	"InvalidArnException":       balancer.ErrInvalid,
	"ResourceNotFoundException": balancer.ErrNotFound,
	"ValidationException":       balancer.ErrInvalid,
}

// Certificate is a certificate.
type Certificate struct {
	ARN string
	// Names are the host names that it is for, the first one and the alternatives. *.example.com is for one label.
	Names []string
	// Status is ISSUED for one that can be used, else PENDING_VALIDATION, EXPIRED and the like.
	Status string
	// Type is AMAZON_ISSUED, IMPORTED or PRIVATE.
	Type string
	// Authority is the ARN of the private authority that issued it. A list does not tell it.
	Authority string
	// Algorithm is the key's, such as RSA_2048 or EC_prime256v1.
	Algorithm string
	// NotBefore and NotAfter are since when and until when it is valid; zero: nobody says.
	NotBefore, NotAfter time.Time
}

// keyTypes are all that ACM knows. A list that names none has RSA keys of 1024 and 2048 bits alone.
var keyTypes = []string{"RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1"}

type listInput struct {
	Includes  includes
	MaxItems  int
	NextToken string `json:",omitempty"`
}

type includes struct {
	KeyTypes []string `json:"keyTypes"`
}

type listOutput struct {
	CertificateSummaryList []struct {
		certificate
		SubjectAlternativeNameSummaries      []string
		HasAdditionalSubjectAlternativeNames bool
	}
	NextToken string
}

// certificate is what both answers say of one.
type certificate struct {
	CertificateArn, DomainName, Status, Type, KeyAlgorithm, CertificateAuthorityArn string

	NotBefore, NotAfter *float64 // seconds since 1970
}

type describeInput struct{ CertificateArn string }

type describeOutput struct {
	Certificate struct {
		certificate
		SubjectAlternativeNames []string
	}
}

// Certificates lists all certificates, of whichever state. It costs a call, and one more for each thousand and for each
// certificate of more than a hundred names.
func (a *ACM) Certificates(ctx context.Context) ([]Certificate, error) {
	var all []Certificate
	in := listInput{Includes: includes{keyTypes}, MaxItems: 1000}
	for {
		page, err := call[listOutput](ctx, a, "ListCertificates", "list certificates", "the region", in)
		if err != nil {
			return nil, err
		}

		for _, s := range page.CertificateSummaryList {
			names := s.SubjectAlternativeNameSummaries
			if s.HasAdditionalSubjectAlternativeNames {
				full, err := a.Certificate(ctx, s.CertificateArn)
				if errors.Is(err, balancer.ErrNotFound) {
					continue // it was deleted since
				}
				if err != nil {
					return nil, err
				}
				names = full.Names
			}
			all = append(all, s.with(names))
		}

		switch page.NextToken {
		case "":
			return all, nil
		case in.NextToken:
			return nil, &balancer.CallError{Op: "list certificates", Subject: "the region", Text: "the answer makes no sense: a page is followed by itself"}
		}
		in.NextToken = page.NextToken
	}
}

// Certificate returns a certificate by its ARN.
func (a *ACM) Certificate(ctx context.Context, arn string) (Certificate, error) {
	out, err := call[describeOutput](ctx, a, "DescribeCertificate", "describe certificate", arn, describeInput{arn})
	return out.Certificate.with(out.Certificate.SubjectAlternativeNames), err
}

// with is a certificate for names, which include its domain name as a rule.
func (c certificate) with(names []string) Certificate {
	full := Certificate{
		ARN: c.CertificateArn, Status: c.Status, Type: c.Type, Authority: c.CertificateAuthorityArn, Algorithm: c.KeyAlgorithm,
		NotBefore: timeOf(c.NotBefore), NotAfter: timeOf(c.NotAfter),
	}
	seen := map[string]bool{"": true}
	for _, name := range append([]string{c.DomainName}, names...) {
		if name = strings.ToLower(name); !seen[name] {
			seen[name] = true
			full.Names = append(full.Names, name)
		}
	}
	return full
}

func timeOf(seconds *float64) time.Time {
	if seconds == nil {
		return time.Time{}
	}
	return time.Unix(int64(*seconds), 0).UTC()
}

// call makes one call and reads its answer.
func call[O any](ctx context.Context, a *ACM, operation, op, subject string, in any) (O, error) {
	var out O
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}

	c := a.sessions.Connection(balancer.Ref{})
	err = a.within.Make(ctx, podaws.Charge{Service: "acm", Operation: operation}, func(ctx context.Context) error {
		var err error
		out, err = podaws.Do(ctx, c, op, subject, func(ctx context.Context) (O, error) { return post[O](ctx, c.API, operation, body) })
		return err
	})
	return out, podaws.Advise(err, "acm:"+operation, nil)
}

// post sends a document and reads the one that is answered.
func post[O any](ctx context.Context, client *podaws.Signed, operation string, body []byte) (O, error) {
	var out O
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"CertificateManager." + operation}}
	answer, err := client.Post(ctx, header, body, fault)
	if err != nil {
		return out, err
	}

	if err := json.Unmarshal(answer, &out); err != nil {
		return out, &smithy.DeserializationError{Err: err, Snapshot: answer[:min(len(answer), 1024)]}
	}
	return out, nil
}

// fault reads an error answer. One that is none says nothing. The code may come with a namespace before it and a
// location behind it.
func fault(body []byte) podaws.Fault {
	var e struct {
		Type    string `json:"__type"`
		Message string // or message: JSON does not tell them apart
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return podaws.Fault{}
	}

	code, _, _ := strings.Cut(e.Type[strings.LastIndex(e.Type, "#")+1:], ":")
	return podaws.Fault{Code: code, Message: e.Message}
}
