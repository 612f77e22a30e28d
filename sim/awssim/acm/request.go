// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package acm

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// domainName is a name that can be on a certificate.
var domainName = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z]{2,63}$`)

type requestInput struct {
	DomainName              string
	SubjectAlternativeNames []string
	ValidationMethod        string
	IdempotencyToken        string
	KeyAlgorithm            string
	CertificateAuthorityArn string
	Tags                    []tag
	Options                 map[string]string
	DomainValidationOptions []map[string]string
	ManagedBy               string
}

type arnOutput struct {
	CertificateArn string
}

// requestCertificate makes a certificate that is issued in time, whoever owns its domains.
func (s *Service) requestCertificate(c *Call, in *requestInput) (*arnOutput, error) {
	domains := []string{strings.ToLower(in.DomainName)}
	for _, name := range in.SubjectAlternativeNames {
		if name = strings.ToLower(name); !slices.Contains(domains, name) {
			domains = append(domains, name)
		}
	}
	for _, name := range domains {
		if !domainName.MatchString(name) {
			return nil, wire.Failed("InvalidDomainValidationOptionsException", "The domain name '%s' is invalid", name)
		}
	}

	tags, err := tagged(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	if in.KeyAlgorithm == "" {
		in.KeyAlgorithm = "RSA_2048"
	}
	if in.KeyAlgorithm != "RSA_2048" && in.KeyAlgorithm != "EC_prime256v1" {
		return nil, wire.Failed("InvalidParameterException", "awssim does not model the key algorithm '%s'", in.KeyAlgorithm).Lacking("key algorithm %s", in.KeyAlgorithm)
	}

	if in.IdempotencyToken != "" {
		for _, of := range s.certificates {
			if of.account == c.Account && of.token == in.IdempotencyToken && slices.Equal(of.domains, domains) {
				return &arnOutput{of.arn}, nil
			}
		}
	}
	if err := s.checkQuota(c); err != nil {
		return nil, err
	}

	of := &certificate{arn: s.arn(c.Account, newID()), kind: "AMAZON_ISSUED", status: "PENDING_VALIDATION", algorithm: in.KeyAlgorithm, domains: domains, made: time.Now(), token: in.IdempotencyToken, tags: tags}
	if in.CertificateAuthorityArn != "" {
		of.kind = "PRIVATE"
	}
	s.add(c.Account, of)
	fails := c.Effect.FailLater
	s.clock.After(s.cfg.IssueDelay, func() {
		if fails {
			of.status = "FAILED"
			return
		}
		of.status, of.notBefore, of.notAfter = "ISSUED", time.Now().Add(-time.Hour), time.Now().AddDate(0, 0, 395)
	})
	return &arnOutput{of.arn}, nil
}

func (s *Service) checkQuota(c *Call) error {
	count := 0
	for _, of := range s.certificates {
		if of.account == c.Account {
			count++
		}
	}
	if count >= s.cfg.Quota {
		return wire.Failed("LimitExceededException", "The maximum number of certificates has been reached for account %s", c.Account)
	}
	return nil
}

type importInput struct {
	CertificateArn   string
	Certificate      []byte
	CertificateChain []byte
	PrivateKey       []byte
	Tags             []tag
}

// importCertificate takes a certificate with its key, as a new one or in place of one that was imported before.
func (s *Service) importCertificate(c *Call, in *importInput) (*arnOutput, error) {
	chain := append(slices.Clone(in.Certificate), '\n')
	keys, err := tls.X509KeyPair(append(chain, in.CertificateChain...), in.PrivateKey)
	if err != nil {
		return nil, wire.Failed("ValidationException", "The certificate or its private key cannot be read: %v", err)
	}
	leaf := keys.Leaf
	if time.Now().After(leaf.NotAfter) {
		return nil, wire.Failed("ValidationException", "The certificate that is to be imported has expired")
	}

	of := &certificate{arn: s.arn(c.Account, newID())}
	switch {
	case in.CertificateArn != "" && len(in.Tags) > 0:
		return nil, wire.Failed("InvalidParameterException", "Tags cannot be given when a certificate is imported again")
	case in.CertificateArn != "":
		if of, err = s.find(c, in.CertificateArn); err != nil {
			return nil, err
		}
	default:
		if err := s.checkQuota(c); err != nil {
			return nil, err
		}
		if of.tags, err = tagged(nil, in.Tags); err != nil {
			return nil, err
		}
		s.add(c.Account, of)
	}

	of.kind, of.status, of.algorithm, of.domains = "IMPORTED", "ISSUED", algorithmOf(leaf), namesOf(leaf)
	of.notBefore, of.notAfter, of.made, of.imported = leaf.NotBefore, leaf.NotAfter, time.Now(), &pair{keys}
	return &arnOutput{of.arn}, nil
}

// namesOf are the names that a certificate is for, its common name first.
func namesOf(leaf *x509.Certificate) []string {
	names := slices.Clone(leaf.DNSNames)
	if name := leaf.Subject.CommonName; name != "" {
		names = slices.DeleteFunc(names, func(other string) bool { return other == name })
		names = slices.Insert(names, 0, name)
	}
	if len(names) == 0 {
		names = []string{""}
	}
	return names
}

type getOutput struct {
	Certificate      string
	CertificateChain string `json:",omitempty"`
}

// getCertificate returns a certificate, and the chain up to its authority.
func (s *Service) getCertificate(c *Call, in *certificateInput) (*getOutput, error) {
	of, err := s.find(c, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	if of.status != "ISSUED" {
		return nil, wire.Failed("RequestInProgressException", "Certificate %s is not issued yet.", of.arn)
	}

	keys, err := s.keys(of)
	if err != nil {
		return nil, err
	}
	out := &getOutput{Certificate: pemOf(keys.Certificate.Certificate[0])}
	for _, der := range keys.Certificate.Certificate[1:] {
		out.CertificateChain += pemOf(der)
	}
	return out, nil
}

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// covers reports whether one of a certificate's names is a host's: the same, or with * in place of its first label.
func covers(names []string, host string) bool {
	host = strings.ToLower(host)
	_, parent, below := strings.Cut(host, ".")
	return host != "" && slices.ContainsFunc(names, func(name string) bool {
		name = strings.ToLower(name)
		return name == host || below && name == "*."+parent
	})
}
