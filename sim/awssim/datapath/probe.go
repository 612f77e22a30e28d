// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/health"
)

// Probe is one health check, ready to run.
type Probe struct {
	Outcome  string // scripted; empty means really checking
	Address  string
	Protocol types.ProtocolEnum
	Path     string
	Matcher  string
	Timeout  time.Duration
	Network  bool // behind a network load balancer
}

// Run checks; nil is a passed check, anything else the health that the failure
// stands for.
func (p Probe) Run(ctx context.Context) *health.Health {
	failure := p.attempt(ctx)
	// Only application load balancers tell why (service model, TargetHealth).
	if failure != nil && p.Network {
		failure = health.Failed("Target.FailedHealthChecks")
	}
	return failure
}

func (p Probe) attempt(ctx context.Context) *health.Health {
	switch p.Outcome {
	case "":
	case "pass":
		return nil
	case "timeout":
		return health.Failed("Target.Timeout")
	case "refused":
		return health.Failed("Target.FailedHealthChecks")
	case "internal-error":
		return health.Failed("Elb.InternalError")
	default:
		code, _ := strconv.Atoi(p.Outcome) // Script.Check let only codes in
		return p.judgeCode(code)
	}

	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()

	if p.Protocol == types.ProtocolEnumTcp {
		return p.connect(ctx)
	}

	return p.get(ctx)
}

func (p Probe) connect(ctx context.Context) *health.Health {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Address)
	if err != nil {
		return failureOf(err)
	}
	_ = conn.Close() // a check has nothing to lose
	return nil
}

// get asks once, on a connection of its own, following no redirect.
func (p Probe) get(ctx context.Context) *health.Health {
	scheme := "http"
	if p.Protocol == types.ProtocolEnumHttps {
		scheme = "https"
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+p.Address+p.Path, nil)
	if err != nil {
		return health.Failed("Elb.InternalError")
	}

	request.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	request.Header.Set("Accept-Encoding", "gzip, compressed")
	response, err := checks(ctx).RoundTrip(request)
	if err != nil {
		return failureOf(err)
	}

	_ = response.Body.Close()
	return p.judgeCode(response.StatusCode)
}

// checks is a transport for one check, whose connection ends with ctx: left to
// itself, a transport goes on connecting for the requests to come. A connection
// of its own is never retried. As the service does, it takes any certificate.
func checks(ctx context.Context) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil {
				context.AfterFunc(ctx, func() { _ = conn.Close() }) // nothing is left to lose
			}
			return conn, err
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
}

func (p Probe) judgeCode(code int) *health.Health {
	wanted, err := health.ParseMatcher(p.Matcher)
	if err == nil && wanted.Match(code) {
		return nil
	}
	h := health.Failed("Target.ResponseCodeMismatch")
	h.Description = fmt.Sprintf("Health checks failed with these codes: [%d]", code)
	return h
}

func failureOf(err error) *health.Health {
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		return health.Failed("Target.Timeout")
	}
	return health.Failed("Target.FailedHealthChecks")
}
