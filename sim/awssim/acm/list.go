// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package acm

import (
	"cmp"
	"slices"
	"time"

	"github.com/podgate/podgate/sim/awssim/wire"
)

type includes struct {
	KeyTypes         []string `json:"keyTypes"`
	KeyUsage         []string `json:"keyUsage"`
	ExtendedKeyUsage []string `json:"extendedKeyUsage"`
	ExportOption     string   `json:"exportOption"`
	ManagedBy        string   `json:"managedBy"`
}

type listInput struct {
	CertificateStatuses []string
	Includes            *includes
	MaxItems            *int32
	NextToken           string
	SortBy              string
	SortOrder           string
}

type summary struct {
	CertificateArn                       string
	DomainName                           string
	SubjectAlternativeNameSummaries      []string
	HasAdditionalSubjectAlternativeNames bool
	Status                               string
	Type                                 string
	KeyAlgorithm                         string
	KeyUsages                            []string
	ExtendedKeyUsages                    []string
	InUse                                bool
	RenewalEligibility                   string
	NotBefore                            float64 `json:",omitempty"`
	NotAfter                             float64 `json:",omitempty"`
	CreatedAt                            float64 `json:",omitempty"`
	ImportedAt                           float64 `json:",omitempty"`
}

type listOutput struct {
	CertificateSummaryList []summary
	NextToken              string `json:",omitempty"`
}

// summarized is how many names a summary has at the most.
const summarized = 100

// defaultKeyTypes are those that a list has unless it is asked for others (API_Filters).
var defaultKeyTypes = []string{"RSA_1024", "RSA_2048"}

func (s *Service) listCertificates(c *Call, in *listInput) (*listOutput, error) {
	size := 1000
	if in.MaxItems != nil {
		if *in.MaxItems < 1 || *in.MaxItems > 1000 {
			return nil, wire.Failed("ValidationException", "1 validation error detected: Value '%d' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000", *in.MaxItems)
		}
		size = int(*in.MaxItems)
	}
	types := defaultKeyTypes
	if in.Includes != nil && len(in.Includes.KeyTypes) > 0 {
		types = in.Includes.KeyTypes
	}

	found := []*certificate{}
	for _, of := range s.certificates {
		if of.account == c.Account && !s.unseen(c, of) && slices.Contains(types, of.algorithm) &&
			(len(in.CertificateStatuses) == 0 || slices.Contains(in.CertificateStatuses, of.state())) {
			found = append(found, of)
		}
	}
	slices.SortFunc(found, func(a, b *certificate) int { return cmp.Compare(a.seq, b.seq) })

	if in.NextToken != "" {
		at := slices.IndexFunc(found, func(of *certificate) bool { return of.arn == in.NextToken })
		if at < 0 {
			return nil, wire.Failed("InvalidArgsException", "The token is invalid")
		}
		found = found[at+1:]
	}

	out := &listOutput{CertificateSummaryList: []summary{}}
	if len(found) > size {
		found = found[:size]
		out.NextToken = found[size-1].arn
	}
	for _, of := range found {
		out.CertificateSummaryList = append(out.CertificateSummaryList, s.summaryOf(of))
	}
	return out, nil
}

func (s *Service) summaryOf(of *certificate) summary {
	names := of.domains[:min(len(of.domains), summarized)]
	view := summary{
		CertificateArn: of.arn, DomainName: of.domains[0], SubjectAlternativeNameSummaries: names, HasAdditionalSubjectAlternativeNames: len(of.domains) > summarized,
		Status: of.state(), Type: of.kind, KeyAlgorithm: of.algorithm, InUse: len(s.usedBy(of.arn)) > 0, RenewalEligibility: "INELIGIBLE",
		KeyUsages: []string{"DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT"}, ExtendedKeyUsages: []string{"TLS_WEB_SERVER_AUTHENTICATION"},
		NotBefore: epoch(of.notBefore), NotAfter: epoch(of.notAfter),
	}
	if of.kind == "IMPORTED" {
		view.ImportedAt = epoch(of.made)
	} else {
		view.CreatedAt = epoch(of.made)
	}
	return view
}

// epoch is a time as the protocol writes it; a time that is not set is left out.
func epoch(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

type detail struct {
	CertificateArn          string
	DomainName              string
	SubjectAlternativeNames []string
	Status                  string
	Type                    string
	KeyAlgorithm            string
	SignatureAlgorithm      string
	Subject                 string
	Issuer                  string `json:",omitempty"`
	Serial                  string `json:",omitempty"`
	FailureReason           string `json:",omitempty"`
	InUseBy                 []string
	RenewalEligibility      string
	CertificateAuthorityArn string  `json:",omitempty"`
	NotBefore               float64 `json:",omitempty"`
	NotAfter                float64 `json:",omitempty"`
	CreatedAt               float64 `json:",omitempty"`
	ImportedAt              float64 `json:",omitempty"`
}

type describeOutput struct {
	Certificate detail
}

func (s *Service) describeCertificate(c *Call, in *certificateInput) (*describeOutput, error) {
	of, err := s.find(c, in.CertificateArn)
	if err != nil {
		return nil, err
	}

	short := s.summaryOf(of)
	view := detail{
		CertificateArn: of.arn, DomainName: of.domains[0], SubjectAlternativeNames: of.domains, Status: short.Status, Type: of.kind, KeyAlgorithm: of.algorithm,
		SignatureAlgorithm: "SHA256WITHECDSA", Subject: "CN=" + of.domains[0], Issuer: authorityName, InUseBy: s.usedBy(of.arn), RenewalEligibility: short.RenewalEligibility,
		NotBefore: short.NotBefore, NotAfter: short.NotAfter, CreatedAt: short.CreatedAt, ImportedAt: short.ImportedAt,
	}
	if view.InUseBy == nil {
		view.InUseBy = []string{}
	}
	if of.status == "FAILED" {
		view.FailureReason = "OTHER"
	}
	if of.kind == "PRIVATE" {
		view.CertificateAuthorityArn = "arn:aws:acm-pca:" + s.cfg.Region + ":" + of.account + ":certificate-authority/awssim"
	}
	return &describeOutput{view}, nil
}
