// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package acm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/podgate/podgate/sim/awssim/clock"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// Config configures the service.
type Config struct {
	// Region is the one region that is simulated, and Account owns the certificates of the configuration.
	Region, Account string
	// Certificates are there from the start.
	Certificates []Certificate
	// IssueDelay is how long a requested certificate is PENDING_VALIDATION.
	IssueDelay time.Duration
	// Quota is how many certificates an account may have. Default 2,500.
	Quota int
}

// Certificate is a certificate that is there from the start.
type Certificate struct {
	// ID is the end of its ARN.
	ID string `json:"id"`
	// Domains are the names that it is for. Default: the id, below example.com.
	Domains []string `json:"domains,omitempty"`
	// Type is AMAZON_ISSUED by default, or IMPORTED or PRIVATE.
	Type string `json:"type,omitempty"`
	// Status is ISSUED by default.
	Status string `json:"status,omitempty"`
	// KeyAlgorithm is RSA_2048 by default, or EC_prime256v1.
	KeyAlgorithm string `json:"keyAlgorithm,omitempty"`
	// ValidDays is for how long it is valid. Default 395; less than 0 is expired.
	ValidDays int `json:"validDays,omitempty"`
}

// WithDefaults fills in what is not given.
func (c Config) WithDefaults() Config {
	c.Quota = cmp.Or(c.Quota, 2500)
	return c
}

// Service is ACM in one region. Its operations, and the methods that say so, need the clock's lock.
type Service struct {
	cfg    Config
	clock  *clock.Clock
	usedBy func(arn string) []string

	authority    authority
	seq          int64
	certificates map[string]*certificate // by ARN
}

// New makes a service with the certificates of its configuration, which has its defaults. usedBy says by what a
// certificate is used; it is called with the clock's lock.
func New(cfg Config, c *clock.Clock, usedBy func(arn string) []string) *Service {
	s := &Service{cfg: cfg, clock: c, usedBy: usedBy, certificates: map[string]*certificate{}}
	for _, seed := range cfg.Certificates {
		s.plant(seed)
	}
	return s
}

// plant puts a certificate of the configuration there.
func (s *Service) plant(seed Certificate) {
	domains := seed.Domains
	if len(domains) == 0 {
		domains = []string{seed.ID + ".example.com"}
	}

	now := time.Now()
	s.add(s.cfg.Account, &certificate{
		arn: s.arn(s.cfg.Account, seed.ID), domains: domains, kind: cmp.Or(seed.Type, "AMAZON_ISSUED"), status: cmp.Or(seed.Status, "ISSUED"),
		algorithm: cmp.Or(seed.KeyAlgorithm, "RSA_2048"), notBefore: now.AddDate(0, 0, min(0, seed.ValidDays-1)), notAfter: now.AddDate(0, 0, cmp.Or(seed.ValidDays, 395)),
	})
}

func (s *Service) add(account string, c *certificate) {
	s.seq++
	c.seq, c.account = s.seq, account
	s.certificates[c.arn] = c
}

func (s *Service) arn(account, id string) string {
	return "arn:aws:acm:" + s.cfg.Region + ":" + account + ":certificate/" + id
}

// Call is who calls an operation, and what the faults have in store for the call.
type Call struct {
	Account string
	Effect  faults.Effect
}

// Operation runs an operation: it reads a request's body and returns what the answer says.
type Operation func(*Call, []byte) (any, error)

// Operations are all operations that are modelled, by name.
func (s *Service) Operations() map[string]Operation {
	return map[string]Operation{
		"ListCertificates":          decoded(s.listCertificates),
		"DescribeCertificate":       decoded(s.describeCertificate),
		"GetCertificate":            decoded(s.getCertificate),
		"RequestCertificate":        decoded(s.requestCertificate),
		"ImportCertificate":         decoded(s.importCertificate),
		"DeleteCertificate":         decoded(s.deleteCertificate),
		"AddTagsToCertificate":      decoded(s.addTags),
		"RemoveTagsFromCertificate": decoded(s.removeTags),
		"ListTagsForCertificate":    decoded(s.listTags),
	}
}

// decoded returns the operation that f is, once the body has been read into its input. What the input does not know is
// an error.
func decoded[I, O any](f func(*Call, *I) (*O, error)) Operation {
	return func(c *Call, body []byte) (any, error) {
		var in I
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
			failure := wire.Failed("SerializationException", "%v", err)
			if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
				failure = failure.Lacking("parameter %s", strings.Trim(name, `"`))
			}
			return nil, failure
		}
		return f(c, &in)
	}
}

// tag is a tag, as requests and answers write it.
type tag struct {
	Key   string
	Value string `json:",omitempty"`
}

// certificate is one certificate.
type certificate struct {
	arn, account, kind, status, algorithm string
	seq                                   int64
	domains                               []string // the first is its name
	notBefore, notAfter, made             time.Time
	token                                 string // of the request that made it
	tags                                  map[string]string
	imported                              *pair // nil: it is signed by the simulator
}

// state is the status as answers show it.
func (c *certificate) state() string {
	if c.status == "ISSUED" && time.Now().After(c.notAfter) {
		return "EXPIRED"
	}
	return c.status
}

var arnPattern = regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[\w-]+$`)

// find returns the certificate that a call names.
func (s *Service) find(c *Call, arn string) (*certificate, error) {
	if !arnPattern.MatchString(arn) {
		return nil, wire.Failed("InvalidArnException", "The certificate ARN '%s' is invalid", arn)
	}
	found := s.certificates[arn]
	if found == nil || found.account != c.Account || s.unseen(c, found) {
		return nil, wire.Failed("ResourceNotFoundException", "Could not find certificate %s.", arn)
	}
	return found, nil
}

// unseen reports whether a certificate is too new for a call that lags.
func (s *Service) unseen(c *Call, of *certificate) bool {
	return c.Effect.Lag > 0 && time.Since(of.made) < s.clock.Scaled(c.Effect.Lag)
}

// State returns the status of a certificate; empty: there is none with the ARN in the account. It needs the lock.
func (s *Service) State(account, arn string) string {
	c := s.certificates[arn]
	if c == nil || c.account != account {
		return ""
	}
	return c.state()
}

// Expire makes a certificate one that has just expired, wherever it is in use. An imported one is another authority's, and
// cannot be changed. It needs the lock.
func (s *Service) Expire(arn string) error {
	c := s.certificates[arn]
	if c == nil || c.imported != nil {
		return fmt.Errorf("expire certificate: the authority has signed none with the ARN %q", arn)
	}
	c.notAfter = time.Now().Add(-time.Second)
	if c.notBefore.After(c.notAfter) {
		c.notBefore = c.notAfter.Add(-time.Hour)
	}
	s.authority.forget(c)
	return nil
}

type certificateInput struct {
	CertificateArn string
}

type empty struct{}

func (s *Service) deleteCertificate(c *Call, in *certificateInput) (*empty, error) {
	found, err := s.find(c, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	if len(s.usedBy(found.arn)) > 0 {
		return nil, wire.Failed("ResourceInUseException", "Certificate %s in account %s is in use.", found.arn, found.account)
	}
	delete(s.certificates, found.arn)
	return &empty{}, nil
}

type tagsInput struct {
	CertificateArn string
	Tags           []tag
}

// tagged is what the tags of a certificate would be with tags added.
func tagged(before map[string]string, tags []tag) (map[string]string, error) {
	after := maps.Clone(before)
	if after == nil {
		after = map[string]string{}
	}
	for _, t := range tags {
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 || strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, wire.Failed("InvalidTagException", "The tag '%s' is invalid", t.Key)
		}
		after[t.Key] = t.Value
	}
	if len(after) > 50 {
		return nil, wire.Failed("TooManyTagsException", "A certificate can have at most 50 tags")
	}
	return after, nil
}

func (s *Service) addTags(c *Call, in *tagsInput) (*empty, error) {
	found, err := s.find(c, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	after, err := tagged(found.tags, in.Tags)
	if err != nil {
		return nil, err
	}
	found.tags = after
	return &empty{}, nil
}

func (s *Service) removeTags(c *Call, in *tagsInput) (*empty, error) {
	found, err := s.find(c, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		if t.Value == "" || found.tags[t.Key] == t.Value {
			delete(found.tags, t.Key)
		}
	}
	return &empty{}, nil
}

type listTagsOutput struct {
	Tags []tag
}

func (s *Service) listTags(c *Call, in *certificateInput) (*listTagsOutput, error) {
	found, err := s.find(c, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	out := &listTagsOutput{Tags: []tag{}}
	for _, key := range slices.Sorted(maps.Keys(found.tags)) {
		out.Tags = append(out.Tags, tag{key, found.tags[key]})
	}
	return out, nil
}

// newID is a new end of an ARN.
func newID() string {
	h := wire.RandomHex(16)
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}
