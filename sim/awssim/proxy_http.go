// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/datapath"
)

// connectTimeout is an application load balancer's (ALB guide, HTTP 504).
const connectTimeout = 10 * time.Second

// destination is where one request goes.
type destination struct {
	group  string
	target Target
	datapath.Upstream
}

// route answers one request at a listener of an application load balancer.
func (s *Sim) route(l *listener, w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	s.mu.Lock()
	action := l.match(r)
	to, problem := s.destination(l, action)
	s.mu.Unlock()
	fail := func(status int) {
		if r.Context().Err() == nil { // a client that left has lost nothing
			s.record.AddFailure(Failure{Time: arrived, TargetGroupARN: to.group, Target: to.target, HTTPStatus: status})
		}
	}

	switch {
	case action.Type == types.ActionTypeEnumFixedResponse:
		fixedResponse(w, action.FixedResponseConfig)
	case action.Type == types.ActionTypeEnumRedirect:
		redirect(w, r, l, action.RedirectConfig)
	case problem != 0:
		fail(problem)
		datapath.Page5xx(w, problem)
	default:
		datapath.Forward(w, r, to.Upstream, fail)
	}
}

// destination chooses the target of a forward action, or says the status.
func (s *Sim) destination(l *listener, action types.Action) (destination, int) {
	if action.Type != types.ActionTypeEnumForward {
		return destination{}, 0
	}

	g := s.groups[s.weighted(action.ForwardConfig.TargetGroups)]
	if g == nil || g.lambda() {
		return destination{}, http.StatusServiceUnavailable
	}

	target := g.pick()
	if target == nil {
		return destination{group: g.arn()}, http.StatusServiceUnavailable
	}

	return destination{
		group: g.arn(), target: target.target,
		Upstream: datapath.Upstream{
			Address: target.address, Pool: target.pool,
			TLS:     g.view.Protocol == types.ProtocolEnumHttps,
			Connect: s.socketTimeout(connectTimeout),
			Idle:    s.socketTimeout(seconds(l.balancer.attributes, attrIdleTimeout)),
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

func redirect(w http.ResponseWriter, r *http.Request, l *listener, c *types.RedirectActionConfig) {
	host := r.Host
	if name, _, err := net.SplitHostPort(r.Host); err == nil {
		host = name
	}

	fill := strings.NewReplacer(
		"#{protocol}", strings.ToLower(string(l.view.Protocol)), "#{host}", host, "#{port}", strconv.Itoa(int(*l.view.Port)),
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
