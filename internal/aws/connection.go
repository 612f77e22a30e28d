// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Role is whose permissions a call uses, and in which region; without an ARN they are
// podgate's own.
type Role struct{ Region, ARN, ExternalID string }

// Connection is a client and the way to make it ask for new credentials.
type Connection[A any] struct {
	// API is the client.
	API A
	settings
	forget func()
	// reached is told of each group of which a call succeeded.
	reached func(group string)
}

// sessionName is what AWS's audit log shows of calls with an assumed role.
const sessionName = "podgate"

// ExpiryWindow is how long before their end an assumed role's credentials are
// replaced, so that a call in flight does not meet the end.
const ExpiryWindow = time.Minute

// dial makes the clients for one role.
func dial[A any](cfg sdk.Config, r Role, client func(sdk.Config) A, all settings) Connection[A] {
	cfg = cfg.Copy()
	cfg.Region = r.Region
	if r.ARN != "" {
		assume := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), r.ARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = sessionName
			if r.ExternalID != "" {
				o.ExternalID = sdk.String(r.ExternalID)
			}
		})
		cfg.Credentials = sdk.NewCredentialsCache(bounded{assume, all.timeout}, func(o *sdk.CredentialsCacheOptions) {
			o.ExpiryWindow = ExpiryWindow
		})
	}

	forget := func() {}
	if cached, ok := cfg.Credentials.(interface{ Invalidate() }); ok {
		forget = cached.Invalidate
	}

	reached := func(string) {}
	if r.ARN == "" && all.own != nil {
		reached = all.own.Learn
	}

	cfg.Credentials = marked{cfg.Credentials, r.ARN}
	return Connection[A]{API: client(cfg), settings: all, forget: forget, reached: reached}
}

// bounded gives up after timeout. The SDK's cache hides its callers' deadlines from
// the provider underneath and lets one request serve them all; without a bound one
// hanging request would hold them for ever.
type bounded struct {
	sdk.CredentialsProvider
	timeout time.Duration
}

func (b bounded) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return b.CredentialsProvider.Retrieve(ctx)
}

// marked tells errors about credentials from errors of the call that needs them.
type marked struct {
	sdk.CredentialsProvider
	role string
}

func (m marked) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	if m.CredentialsProvider == nil {
		return sdk.Credentials{}, &credentialsError{err: errNoCredentials}
	}
	creds, err := m.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return sdk.Credentials{}, &credentialsError{role: m.role, err: err}
	}
	return creds, nil
}
