// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"cmp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// identity is who calls.
type identity struct {
	accessKeyID string
	account     string
	arn         string
	userID      string
}

// credential is a temporary one that AssumeRole gave out.
type credential struct {
	identity identity
	expires  time.Time
}

// identify finds the caller behind an access key. A key that was not given out
// here is a user of its account; signatures are not verified.
func (s *Sim) identify(key string) (identity, *wire.APIError) {
	if temporary, known := s.credentials[key]; known {
		if time.Now().After(temporary.expires) {
			return identity{}, &wire.APIError{Status: 403, Code: "ExpiredToken", Message: "The security token included in the request is expired"}
		}
		return temporary.identity, nil
	}
	if strings.HasPrefix(key, "ASIA") {
		return identity{}, &wire.APIError{Status: 403, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid."}
	}
	account := cmp.Or(s.cfg.Accounts[key], s.cfg.AccountID)
	return identity{accessKeyID: key, account: account, arn: "arn:aws:iam::" + account + ":user/awssim", userID: "AIDAAWSSIMAWSSIMAWSSI"}, nil
}

func (s *Sim) getCallerIdentity(c *call, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{Account: &c.account, Arn: &c.arn, UserId: &c.userID}, nil
}

func (s *Sim) assumeRole(c *call, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	parts := strings.SplitN(*in.RoleArn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || len(parts[4]) != 12 || !strings.HasPrefix(parts[5], "role/") {
		return nil, wire.Invalid("%s is invalid", *in.RoleArn)
	}
	if err := wire.InRange("durationSeconds", in.DurationSeconds, 900, 43200); err != nil {
		return nil, err
	}
	refused := wire.Denied("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.arn, *in.RoleArn)
	if len(s.cfg.Roles) > 0 {
		role := Role{}
		for _, r := range s.cfg.Roles {
			if r.ARN == *in.RoleArn {
				role = r
			}
		}
		if role.ARN == "" || role.ExternalID != "" && (in.ExternalId == nil || *in.ExternalId != role.ExternalID) {
			return nil, refused
		}
	}
	duration := time.Hour
	if in.DurationSeconds != nil {
		duration = time.Duration(*in.DurationSeconds) * time.Second
	}
	name := parts[5][strings.LastIndex(parts[5], "/")+1:]
	id := "AROA" + strings.ToUpper(wire.Suffix()) + "A"
	who := identity{
		accessKeyID: "ASIA" + strings.ToUpper(wire.Suffix()),
		account:     parts[4],
		arn:         "arn:aws:sts::" + parts[4] + ":assumed-role/" + name + "/" + *in.RoleSessionName,
		userID:      id + ":" + *in.RoleSessionName,
	}
	expires := time.Now().Add(duration)
	for key, old := range s.credentials {
		if time.Since(old.expires) > time.Hour {
			delete(s.credentials, key)
		}
	}
	s.credentials[who.accessKeyID] = credential{identity: who, expires: expires}
	return &sts.AssumeRoleOutput{
		AssumedRoleUser: &ststypes.AssumedRoleUser{Arn: &who.arn, AssumedRoleId: &who.userID},
		Credentials: &ststypes.Credentials{
			AccessKeyId:     &who.accessKeyID,
			SecretAccessKey: ptr(wire.RandomHex(20)),
			SessionToken:    ptr(wire.RandomHex(64)),
			Expiration:      &expires,
		},
	}, nil
}
