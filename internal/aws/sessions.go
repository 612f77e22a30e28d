// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package aws is what the drivers for AWS's services share: clients for each role and
// region, what ARNs and errors mean, and how a list of targets is sent in batches. It has no
// operation of its own, retries nothing and caches no answer.
package aws

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
)

// DefaultCallTimeout bounds one call to AWS, getting credentials included.
const DefaultCallTimeout = 10 * time.Second

// Service is one of AWS's services, with A for what a driver uses of its client.
type Service[A any] struct {
	// Client makes a client. The endpoint comes from the environment, as the SDK reads it.
	Client func(sdk.Config) A
	// Kinds maps the service's own error codes to the seam's errors, in addition to those that
	// all services share. A code that is in neither is transient.
	Kinds map[string]error
	// Document reports whether what begins like head may be a successful answer. It gets the
	// whole answer when that is short.
	Document func(head []byte) bool
}

// Sessions are the clients of one service, for all roles and regions. They are safe for
// concurrent use.
type Sessions[A any] struct {
	// region is podgate's own; empty when it has none.
	region  string
	connect func(Role) Connection[A]

	mu          sync.Mutex
	connections map[Role]Connection[A]
}

// settings are those of all calls of a service.
type settings struct {
	timeout time.Duration
	// unconfigured is why no call can be made; nil when calls can.
	unconfigured error
	kinds        map[string]error
	// own learns podgate's own account; nil when nobody asks for it.
	own *traits.Own
}

// Option changes the Sessions that New makes.
type Option func(*settings)

// WithCallTimeout replaces DefaultCallTimeout.
func WithCallTimeout(d time.Duration) Option {
	return func(s *settings) { s.timeout = d }
}

// Unconfigured makes all calls fail with the reason why there is no configuration, so that
// a binding says so and a podgate that needs no AWS does not. It does nothing without one.
func Unconfigured(why error) Option {
	return func(s *settings) { s.unconfigured = why }
}

// Telling has own told of groups that are reached without a role.
func Telling(own *traits.Own) Option {
	return func(s *settings) { s.own = own }
}

// New makes the sessions. Groups are in region, but for those whose Ref names another;
// without a region each is where its ARN says. cfg brings credentials, endpoint and HTTP
// client, as the SDK's config package loads them from the environment; the SDK's
// retries are switched off. New makes no call.
func New[A any](cfg sdk.Config, region string, service Service[A], opts ...Option) *Sessions[A] {
	cfg = cfg.Copy()
	cfg.Retryer = func() sdk.Retryer { return sdk.NopRetryer{} }
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	cfg.HTTPClient = whole{cfg.HTTPClient}
	if service.Document != nil {
		cfg.HTTPClient = document{cfg.HTTPClient, service.Document}
	}

	all := settings{timeout: DefaultCallTimeout, kinds: service.Kinds}
	for _, o := range opts {
		o(&all)
	}

	return &Sessions[A]{
		region: region, connections: map[Role]Connection[A]{},
		connect: func(r Role) Connection[A] { return dial(cfg, r, service.Client, all) },
	}
}

// Region is where a group is: as its ref says, else podgate's own region, else as its
// ARN says; empty when none does.
func (s *Sessions[A]) Region(ref balancer.Ref) string {
	a, _ := arn.Parse(ref.Group)
	return cmp.Or(ref.Region, s.region, a.Region)
}

// Connection returns the connection for ref's role and region, made once. Making it needs
// no network, so the lock is short.
func (s *Sessions[A]) Connection(ref balancer.Ref) Connection[A] {
	r := Role{Region: s.Region(ref), ARN: ref.RoleARN}
	if r.ARN != "" {
		r.ExternalID = ref.ExternalID
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.connections[r]
	if !ok {
		c = s.connect(r)
		s.connections[r] = c
	}
	return c
}

// Call is Do with a method of a client.
func Call[A, I, O, P any](ctx context.Context, c Connection[A], op, subject string,
	send func(context.Context, *I, ...func(*P)) (*O, error), in *I) (*O, error) {
	return Do(ctx, c, op, subject, func(ctx context.Context) (*O, error) { return send(ctx, in) })
}

// Do makes one call with its timeout and turns its error into a *balancer.CallError. Before, it waits as long as the
// budget of calls says; the time does not count.
func Do[A, O any](ctx context.Context, c Connection[A], op, subject string, send func(context.Context) (O, error)) (O, error) {
	var none O
	if c.unconfigured != nil {
		return none, &balancer.CallError{Op: op, Subject: subject, Kind: balancer.ErrDenied, Text: "the configuration for AWS cannot be read: " + c.unconfigured.Error()}
	}

	if err := balancer.Pay(ctx); err != nil {
		return none, err
	}

	callCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := send(callCtx)
	if err == nil {
		c.reached(subject)
		return out, nil
	}

	failed := &balancer.CallError{Op: op, Subject: subject}
	switch {
	case ctx.Err() != nil:
		failed.Text, failed.Cause = ctx.Err().Error(), ctx.Err()
	case callCtx.Err() != nil:
		failed.Text = "no answer within " + c.timeout.String()
		if creds := (*credentialsError)(nil); errors.As(err, &creds) {
			failed.Text = creds.what() + ": " + failed.Text
		}
	default:
		explain(failed, err, c.kinds)
	}

	if errors.Is(failed.Kind, balancer.ErrDenied) {
		c.forget()
	}

	return none, failed
}

// Advise adds to err what to do about it: to allow action, such as ec2:CreateTags, where AWS refuses access and does not say
// to which action, or what advice has for the code of the error.
func Advise(err error, action string, advice map[string]string) error {
	var failed *balancer.CallError
	if !errors.As(err, &failed) {
		return err
	}

	creds := (*credentialsError)(nil)
	service, _, _ := strings.Cut(action, ":")
	switch denied := errors.Is(failed.Kind, balancer.ErrDenied) && failed.Code != "" && !errors.As(err, &creds); {
	case denied && !strings.Contains(failed.Text, "perform: "+service+":"):
		failed.Text = strings.TrimRight(failed.Text, ". ") + ". Allow " + action + " in podgate's IAM policy"
	case advice[failed.Code] != "":
		failed.Text = strings.TrimRight(failed.Text, ". ") + ". " + advice[failed.Code]
	}
	return err
}
