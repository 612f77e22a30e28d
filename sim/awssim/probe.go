// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

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
)

// probe is one health check, ready to run without the lock.
type probe struct {
	outcome  string // scripted; empty means really checking
	address  string
	protocol types.ProtocolEnum
	path     string
	matcher  string
	timeout  time.Duration
	network  bool // behind a network load balancer
}

// probe reads what the next check of r is. It needs the lock.
func (s *Sim) probe(g *targetGroup, r *row) probe {
	p := probe{
		protocol: g.view.HealthCheckProtocol,
		timeout:  s.socketTimeout(time.Duration(*g.view.HealthCheckTimeoutSeconds) * time.Second),
		network:  !g.http(),
	}
	if g.view.HealthCheckPath != nil {
		p.path = *g.view.HealthCheckPath
	}

	if g.view.Matcher != nil {
		p.matcher = *g.view.Matcher.HttpCode
	}

	port := strconv.Itoa(r.key.Port)
	if own := g.view.HealthCheckPort; own != nil && *own != "traffic-port" {
		port = *own
	}

	p.address = net.JoinHostPort(s.hostOf(g, r.key), port)
	if script := g.scriptFor(r.key); script != nil && len(script.Outcomes) > 0 {
		p.outcome = script.Outcomes[min(r.outcome, len(script.Outcomes)-1)]
		r.outcome++
	}

	return p
}

// hostOf is the address of a target.
func (s *Sim) hostOf(g *targetGroup, k Target) string {
	if g.view.TargetType == types.TargetTypeEnumInstance {
		return s.instances[k.ID]
	}
	return k.ID
}

// run checks; nil is a passed check, anything else the health that the failure
// stands for.
func (p probe) run(ctx context.Context) *Health {
	failure := p.attempt(ctx)
	// Only application load balancers tell why (service model, TargetHealth).
	if failure != nil && p.network {
		failure = unhealthy("Target.FailedHealthChecks")
	}
	return failure
}

func (p probe) attempt(ctx context.Context) *Health {
	switch p.outcome {
	case "":
	case "pass":
		return nil
	case "timeout":
		return unhealthy("Target.Timeout")
	case "refused":
		return unhealthy("Target.FailedHealthChecks")
	case "internal-error":
		return unhealthy("Elb.InternalError")
	default:
		code, _ := strconv.Atoi(p.outcome) // Script.check let only codes in
		return p.judgeCode(code)
	}

	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()

	if p.protocol == types.ProtocolEnumTcp {
		return p.connect(ctx)
	}

	return p.get(ctx)
}

func (p probe) connect(ctx context.Context) *Health {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return failureOf(err)
	}
	_ = conn.Close() // a check has nothing to lose
	return nil
}

// get asks once, on a connection of its own, following no redirect.
func (p probe) get(ctx context.Context) *Health {
	scheme := "http"
	if p.protocol == types.ProtocolEnumHttps {
		scheme = "https"
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+p.address+p.path, nil)
	if err != nil {
		return unhealthy("Elb.InternalError")
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

func (p probe) judgeCode(code int) *Health {
	wanted, err := parseMatcher(p.matcher)
	if err == nil && wanted.match(code) {
		return nil
	}
	h := unhealthy("Target.ResponseCodeMismatch")
	h.Description = fmt.Sprintf("Health checks failed with these codes: [%d]", code)
	return h
}

func failureOf(err error) *Health {
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		return unhealthy("Target.Timeout")
	}
	return unhealthy("Target.FailedHealthChecks")
}

func unhealthy(reason string) *Health {
	h := defaultHealth("unhealthy", reason)
	return &h
}
