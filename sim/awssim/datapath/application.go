// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/faults"
)

// connectTimeout is an application load balancer's (ALB guide, HTTP 504).
const connectTimeout = 10 * time.Second

// destination is where one request goes.
type destination struct {
	group  string
	target faults.Target
	upstream
}

// answer answers one request at a listener of an application load balancer.
func (k *Socket) answer(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()

	k.path.clock.Lock()
	action := k.match(r)
	to, problem := k.destination(action)
	k.path.clock.Unlock()

	fail := func(status int) {
		if r.Context().Err() == nil { // a client that left has lost nothing
			k.path.record.AddFailure(faults.Failure{Time: arrived, TargetGroupARN: to.group, Target: to.target, HTTPStatus: status})
		}
	}

	switch {
	case action.Type == types.ActionTypeEnumFixedResponse:
		fixedResponse(w, action.FixedResponseConfig)
	case action.Type == types.ActionTypeEnumRedirect:
		redirect(w, r, k.Listener, action.RedirectConfig)
	case problem != 0:
		fail(problem)
		page5xx(w, problem)
	default:
		forward(w, r, to.upstream, fail)
	}
}

// destination chooses the target of a forward action, or returns the status.
func (k *Socket) destination(action types.Action) (destination, int) {
	if action.Type != types.ActionTypeEnumForward {
		return destination{}, 0
	}

	g := k.path.weighted(action.ForwardConfig.TargetGroups)
	if g == nil || g.group.Routing().Lambda {
		return destination{}, http.StatusServiceUnavailable
	}

	target := g.pick()
	if target == nil {
		return destination{group: g.group.ARN()}, http.StatusServiceUnavailable
	}

	return destination{
		group: g.group.ARN(), target: target.target,
		upstream: upstream{
			Address: target.address, Pool: target.pool,
			TLS:     g.group.Routing().TLS,
			Connect: k.path.clock.SocketTimeout(connectTimeout),
			Idle:    k.path.clock.SocketTimeout(k.IdleTimeout()),
		},
	}, 0
}

func fixedResponse(w http.ResponseWriter, c *types.FixedResponseActionConfig) {
	status, err := strconv.Atoi(*c.StatusCode)
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Content-Type", orText(c.ContentType, "text/plain"))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, orText(c.MessageBody, ""))
}

func redirect(w http.ResponseWriter, r *http.Request, l Listener, c *types.RedirectActionConfig) {
	host := r.Host
	if name, _, err := net.SplitHostPort(r.Host); err == nil {
		host = name
	}

	fill := strings.NewReplacer(
		"#{protocol}", strings.ToLower(string(l.Protocol)), "#{host}", host, "#{port}", strconv.Itoa(int(l.Port)),
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery,
	)

	to := url.URL{
		Scheme:   strings.ToLower(fill.Replace(orText(c.Protocol, "#{protocol}"))),
		Host:     net.JoinHostPort(fill.Replace(orText(c.Host, "#{host}")), fill.Replace(orText(c.Port, "#{port}"))),
		Path:     fill.Replace(orText(c.Path, "/#{path}")),
		RawQuery: fill.Replace(orText(c.Query, "#{query}")),
	}

	status := http.StatusFound
	if c.StatusCode == types.RedirectActionStatusCodeEnumHttp301 {
		status = http.StatusMovedPermanently
	}

	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Location", to.String())
	w.WriteHeader(status)
}

func orText(value *string, otherwise string) string {
	if value == nil {
		return otherwise
	}
	return *value
}
