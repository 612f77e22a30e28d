// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// role is whose permissions a call uses, and in which region; without an ARN they are
// podgate's own.
type role struct{ region, arn, externalID string }

// connection is a client and the way to make it ask for new credentials.
type connection struct {
	api    api
	forget func()
}

// sessionName is what AWS's audit log shows of calls with an assumed role.
const sessionName = "podgate"

// expiryWindow is how long before their end an assumed role's credentials are
// replaced, so that a call in flight does not meet the end.
const expiryWindow = time.Minute

// dial makes the clients for one role. The endpoint comes from the environment, as
// the SDK reads it.
func dial(cfg aws.Config, r role, timeout time.Duration) connection {
	cfg = cfg.Copy()
	cfg.Region = r.region
	if r.arn != "" {
		assume := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), r.arn, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = sessionName
			if r.externalID != "" {
				o.ExternalID = aws.String(r.externalID)
			}
		})
		cfg.Credentials = aws.NewCredentialsCache(bounded{assume, timeout}, func(o *aws.CredentialsCacheOptions) {
			o.ExpiryWindow = expiryWindow
		})
	}

	forget := func() {}
	if cached, ok := cfg.Credentials.(interface{ Invalidate() }); ok {
		forget = cached.Invalidate
	}

	cfg.Credentials = marked{cfg.Credentials, r.arn}
	return connection{api: elb.NewFromConfig(cfg), forget: forget}
}

// bounded gives up after timeout. The SDK's cache hides its callers' deadlines from
// the provider underneath and lets one request serve them all; without a bound one
// hanging request would hold them for ever.
type bounded struct {
	aws.CredentialsProvider
	timeout time.Duration
}

func (b bounded) Retrieve(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return b.CredentialsProvider.Retrieve(ctx)
}

// marked tells errors about credentials from errors of the call that needs them.
type marked struct {
	aws.CredentialsProvider
	role string
}

func (m marked) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if m.CredentialsProvider == nil {
		return aws.Credentials{}, &credentialsError{err: errNoCredentials}
	}
	creds, err := m.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialsError{role: m.role, err: err}
	}
	return creds, nil
}
