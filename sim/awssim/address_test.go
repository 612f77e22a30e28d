// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"net"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// freePort is a port that nothing listens on.
func freePort(t *testing.T) int32 {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = free.Close() }()
	return int32(free.Addr().(*net.TCPAddr).Port)
}

// TestLoadBalancersShareAPort: on a loopback address each has one of its own, which is free again when it is deleted.
func TestLoadBalancersShareAPort(t *testing.T) {
	cfg := instant()
	cfg.EphemeralPorts = false
	e := start(t, cfg)
	port := freePort(t)

	says := func(text string) types.Action {
		return types.Action{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("200"), MessageBody: &text}}
	}
	ask := func(listener, host, text string) {
		t.Helper()
		address := e.sim.ListenerAddress(listener)
		if got, _, _ := net.SplitHostPort(address); got != host {
			t.Errorf("%s is at %s, want %s", text, got, host)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, body, _ := e.do(r); body != text {
			t.Errorf("%s answers %q", text, body)
		}
	}

	first, other := e.balancer("first", types.LoadBalancerTypeEnumApplication), e.balancer("other", types.LoadBalancerTypeEnumApplication)
	ask(e.listen(first, types.ProtocolEnumHttp, port, says("first")), "127.0.0.1", "first")
	ask(e.listen(other, types.ProtocolEnumHttp, port, says("other")), "127.0.1.1", "other")
	if err := second(e.elb.DeleteLoadBalancer(e.Context(), &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &first})); err != nil {
		t.Fatal(err)
	}
	ask(e.listen(e.balancer("again", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, port, says("again")), "127.0.0.1", "again")
}
