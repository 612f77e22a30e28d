// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// Role is a role that sts:AssumeRole knows.
type Role struct {
	// ARN is ARN:aws:iam::<account>:role/<name>.
	ARN string `json:"arn"`
	// ExternalID must be presented when it is not empty.
	ExternalID string `json:"externalId,omitempty"`
}

// Config says who is known. The zero value knows no account.
type Config struct {
	// AccountID is the account of every access key that Accounts does not
	// name. Default 123456789012.
	AccountID string
	// Accounts gives access keys their account.
	Accounts map[string]string
	// Roles are the roles that can be assumed. Empty: any role can.
	Roles []Role
}

// WithDefaults fills in what is not given.
func (c Config) WithDefaults() Config {
	c.AccountID = cmp.Or(c.AccountID, "123456789012")
	return c
}

// Identity is who calls.
type Identity struct {
	AccessKeyID string
	Account     string
	ARN         string
	UserID      string
}

// Service hands out temporary credentials. Its methods are safe for concurrent use.
type Service struct {
	cfg Config

	mu          sync.Mutex
	credentials map[string]credential
}

// New returns a service that has handed out nothing. Its configuration has its defaults.
func New(cfg Config) *Service {
	return &Service{cfg: cfg, credentials: map[string]credential{}}
}

// Operations returns the operations that are modelled, by name.
func (s *Service) Operations() map[string]wire.Operation[*Identity] {
	return map[string]wire.Operation[*Identity]{
		"AssumeRole":        wire.Decoded(s.assumeRole, "RoleArn", "RoleSessionName"),
		"GetCallerIdentity": wire.Decoded(s.getCallerIdentity),
	}
}

// credential is a temporary one that AssumeRole gave out.
type credential struct {
	identity Identity
	expires  time.Time
}

// Identify finds the caller behind an access key. A key that was not given out
// here is a user of its account; signatures are not verified.
func (s *Service) Identify(key string) (Identity, *wire.APIError) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if temporary, known := s.credentials[key]; known {
		if time.Now().After(temporary.expires) {
			return Identity{}, &wire.APIError{Status: 403, Code: "ExpiredToken", Message: "The security token included in the request is expired"}
		}
		return temporary.identity, nil
	}

	// A key of this form was handed out by someone else.
	if strings.HasPrefix(key, "ASIA") {
		return Identity{}, &wire.APIError{Status: 403, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid."}
	}

	account := cmp.Or(s.cfg.Accounts[key], s.cfg.AccountID)
	return Identity{AccessKeyID: key, Account: account, ARN: "arn:aws:iam::" + account + ":user/awssim", UserID: "AIDAAWSSIMAWSSIMAWSSI"}, nil
}

func (s *Service) getCallerIdentity(c *Identity, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{Account: &c.Account, Arn: &c.ARN, UserId: &c.UserID}, nil
}

func (s *Service) assumeRole(c *Identity, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	parts := strings.SplitN(*in.RoleArn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || len(parts[4]) != 12 || !strings.HasPrefix(parts[5], "role/") {
		return nil, wire.Invalid("%s is invalid", *in.RoleArn)
	}

	if err := wire.InRange("durationSeconds", in.DurationSeconds, 900, 43200); err != nil {
		return nil, err
	}

	if !s.mayAssume(in) {
		return nil, wire.Denied("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.ARN, *in.RoleArn)
	}

	duration := time.Hour
	if in.DurationSeconds != nil {
		duration = time.Duration(*in.DurationSeconds) * time.Second
	}

	name := parts[5][strings.LastIndex(parts[5], "/")+1:]
	id := "AROA" + strings.ToUpper(wire.Suffix()) + "A"
	who := Identity{
		AccessKeyID: "ASIA" + strings.ToUpper(wire.Suffix()),
		Account:     parts[4],
		ARN:         "arn:aws:sts::" + parts[4] + ":assumed-role/" + name + "/" + *in.RoleSessionName,
		UserID:      id + ":" + *in.RoleSessionName,
	}

	expires := time.Now().Add(duration)
	s.handOut(credential{identity: who, expires: expires})

	return &sts.AssumeRoleOutput{
		AssumedRoleUser: &ststypes.AssumedRoleUser{Arn: &who.ARN, AssumedRoleId: &who.UserID},
		Credentials: &ststypes.Credentials{
			AccessKeyId:     &who.AccessKeyID,
			SecretAccessKey: new(wire.RandomHex(20)),
			SessionToken:    new(wire.RandomHex(64)),
			Expiration:      &expires,
		},
	}, nil
}

// mayAssume reports whether the role exists and its external id, if it has one, was presented.
func (s *Service) mayAssume(in *sts.AssumeRoleInput) bool {
	if len(s.cfg.Roles) == 0 {
		return true
	}

	for _, r := range slices.Backward(s.cfg.Roles) {
		if r.ARN == *in.RoleArn {
			return r.ExternalID == "" || in.ExternalId != nil && *in.ExternalId == r.ExternalID
		}
	}

	return false
}

// handOut makes a credential known. Expired ones answer ExpiredToken for an hour before they are forgotten.
func (s *Service) handOut(c credential) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for key, old := range s.credentials {
		if time.Since(old.expires) > time.Hour {
			delete(s.credentials, key)
		}
	}

	s.credentials[c.identity.AccessKeyID] = c
}
