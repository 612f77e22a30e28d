// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package grpc is the check of a server's health by gRPC's health checking protocol
// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
package grpc

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	grpclib "google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/network"
)

const (
	// maxHeader bounds the header of a response, and maxMessage its message, in bytes.
	maxHeader  = 16 << 10
	maxMessage = 64 << 10
)

// Settings say what is asked.
type Settings struct {
	// Service is the service whose health is asked for; that of the whole server when it is empty.
	Service string
	// TLS is how TLS is spoken; none is when it is nil.
	TLS *network.TLS
}

// New returns a check by one call of the health service within the time-out. An error means that the settings can never work.
func New(place network.Place, settings Settings, timeout time.Duration, dial network.Dial) (network.Checker, error) {
	a := asker{service: settings.Service, dial: dial}
	if settings.TLS != nil {
		var err error
		if a.tls, err = settings.TLS.Config(); err != nil {
			return network.Checker{}, err
		}
	}
	return network.Checker{Place: place, Timeout: timeout, Ask: a.ask}, nil
}

// asker makes the calls of one check.
type asker struct {
	service string
	tls     *tls.Config
	dial    network.Dial
}

// ask makes one call over a connection of its own.
func (a asker) ask(ctx context.Context, to network.Destination) check.Answer {
	var failed failure
	client, err := grpclib.NewClient("passthrough:///"+to.HostPort(),
		grpclib.WithContextDialer(func(dialling context.Context, _ string) (net.Conn, error) {
			conn, err := a.dial(dialling, to)
			if err != nil {
				return nil, failed.note(err)
			}
			// A client that is closed takes 5 s to say goodbye to a server that reads nothing.
			return network.Until(ctx, conn), nil
		}),
		grpclib.WithTransportCredentials(a.credentials(&failed)),
		grpclib.WithNoProxy(),
		grpclib.WithDisableServiceConfig(),
		grpclib.WithDisableRetry(),
		grpclib.WithMaxHeaderListSize(maxHeader),
		grpclib.WithDefaultCallOptions(grpclib.MaxCallRecvMsgSize(maxMessage)),
		grpclib.WithUserAgent("podgate"),
	)
	if err != nil {
		return check.Answer{Word: check.Malformed}
	}
	defer func() { _ = client.Close() }()

	response, err := grpc_health_v1.NewHealthClient(client).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: a.service})
	if err != nil {
		return explain(err, failed.latest())
	}
	return judge(response.GetStatus())
}

// judge returns what a status of the health service means.
func judge(s grpc_health_v1.HealthCheckResponse_ServingStatus) check.Answer {
	switch s {
	case grpc_health_v1.HealthCheckResponse_SERVING:
		return check.Answer{Verdict: check.Pass, Word: check.Serving}
	case grpc_health_v1.HealthCheckResponse_NOT_SERVING:
		return check.Answer{Verdict: check.Fail, Word: check.NotServing}
	case grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN:
		return check.Answer{Verdict: check.Fail, Word: check.ServiceUnknown}
	}
	return check.Answer{Word: check.HealthUnknown}
}

// explain is what the error of a call means. gRPC has only the text of what failed below it, so that comes along.
func explain(err, connection error) check.Answer {
	code := status.Code(err)
	switch {
	case code == codes.NotFound:
		return check.Answer{Verdict: check.Fail, Word: check.ServiceUnknown}
	case code == codes.Unimplemented:
		return check.Answer{Verdict: check.Fail, Word: check.Unimplemented}
	case code == codes.DeadlineExceeded:
		return check.Answer{Word: check.TimedOut}
	case code == codes.Unavailable && connection != nil:
		return network.Explain(connection)
	}
	return check.Answer{Word: check.Malformed}
}

// failure keeps the latest error of a connection, which gRPC makes on a goroutine of its own.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) note(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	return err
}

func (f *failure) latest() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (a asker) credentials(f *failure) credentials.TransportCredentials {
	if a.tls == nil {
		return insecure.NewCredentials()
	}
	return noting{credentials.NewTLS(a.tls), f}
}

// noting are credentials that note why a handshake failed.
type noting struct {
	credentials.TransportCredentials
	failure *failure
}

// ClientHandshake implements credentials.TransportCredentials.
func (n noting) ClientHandshake(ctx context.Context, authority string, plain net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := n.TransportCredentials.ClientHandshake(ctx, authority, plain)
	return conn, info, n.failure.note(network.Handshaken(err))
}

// Clone implements credentials.TransportCredentials.
func (n noting) Clone() credentials.TransportCredentials {
	return noting{n.TransportCredentials.Clone(), n.failure}
}
