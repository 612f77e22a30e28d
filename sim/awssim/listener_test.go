// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

func (e *env) listenerAttributes(arn string) map[string]string {
	e.Helper()
	out, err := e.elb.DescribeListenerAttributes(e.Context(), &elbv2.DescribeListenerAttributesInput{ListenerArn: &arn})
	if err != nil {
		e.Fatal(err)
	}
	return values(out.Attributes)
}

func (e *env) listenerAttribute(arn, key, value string) error {
	return second(e.elb.ModifyListenerAttributes(e.Context(), &elbv2.ModifyListenerAttributesInput{
		ListenerArn: &arn, Attributes: []types.ListenerAttribute{{Key: &key, Value: &value}},
	}))
}

// fixed answers every request itself, so that a listener needs no target group.
func fixed() types.Action {
	return types.Action{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("200")}}
}

func TestListenerAttributesByProtocol(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff})
	app, net := e.balancer("app", types.LoadBalancerTypeEnumApplication), e.balancer("net", types.LoadBalancerTypeEnumNetwork)
	group := e.group("net", network)
	plain := e.listen(app, types.ProtocolEnumHttp, 80, fixed())
	secure := e.listen(app, types.ProtocolEnumHttps, 443, fixed())
	tcp := e.listen(net, types.ProtocolEnumTcp, 80, forwardTo(group))
	tls := e.listen(net, types.ProtocolEnumTls, 443, forwardTo(group))

	if got := e.listenerAttributes(plain); got["routing.http.response.server.enabled"] != "true" || len(got) != 11 {
		t.Errorf("HTTP: %v", got)
	}
	if got := e.listenerAttributes(secure); len(got) != 19 {
		t.Errorf("HTTPS: %v", got)
	}
	if diff := cmp.Diff(map[string]string{"tcp.idle_timeout.seconds": "350"}, e.listenerAttributes(tcp)); diff != "" {
		t.Errorf("TCP (-want +got):\n%s", diff)
	}
	if got := e.listenerAttributes(tls); len(got) != 0 {
		t.Errorf("TLS: %v", got)
	}

	for name, tc := range map[string]struct {
		err        error
		code, text string
	}{
		"Unknown":  {err: e.listenerAttribute(plain, "color", "red"), code: "ValidationError", text: "Listener attribute key 'color' is not recognized"},
		"Other":    {err: e.listenerAttribute(tcp, "routing.http.response.server.enabled", "false"), code: "InvalidConfigurationRequest"},
		"Bounds":   {err: e.listenerAttribute(tcp, "tcp.idle_timeout.seconds", "59"), code: "ValidationError"},
		"Switch":   {err: e.listenerAttribute(plain, "routing.http.response.server.enabled", "no"), code: "ValidationError"},
		"Sniffing": {err: e.listenerAttribute(plain, "routing.http.response.x_content_type_options.header_value", "sniff"), code: "ValidationError"},
		"Gone":     {err: e.listenerAttribute(plain+"0", "routing.http.response.server.enabled", "true"), code: "ListenerNotFound"},
	} {
		if codeOf(tc.err) != tc.code || !strings.Contains(tc.err.Error(), tc.text) {
			t.Errorf("%s: %v, want %s that says %q", name, tc.err, tc.code, tc.text)
		}
	}
}

func TestListenerEncryption(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff})
	app := e.balancer("app", types.LoadBalancerTypeEnumApplication)
	create := func(edit func(*elbv2.CreateListenerInput)) error {
		in := &elbv2.CreateListenerInput{LoadBalancerArn: &app, Protocol: types.ProtocolEnumHttps, Port: aws.Int32(8443), Certificates: certificates("one"), DefaultActions: []types.Action{fixed()}}
		edit(in)
		return second(e.elb.CreateListener(e.Context(), in))
	}

	for name, tc := range map[string]struct {
		err        error
		code, text string
	}{
		"None": {err: create(func(in *elbv2.CreateListenerInput) { in.Certificates = nil }), code: "ValidationError", text: "A certificate must be specified for HTTPS listeners"},
		"Two":  {err: create(func(in *elbv2.CreateListenerInput) { in.Certificates = certificates("one", "two") }), code: "TooManyCertificates"},
		"Elsewhere": {err: create(func(in *elbv2.CreateListenerInput) {
			in.Certificates[0].CertificateArn = aws.String("arn:aws:acm:us-east-1:123456789012:certificate/one")
		}), code: "CertificateNotFound"},
		"Policy": {err: create(func(in *elbv2.CreateListenerInput) { in.SslPolicy = aws.String("Strong") }), code: "SSLPolicyNotFound"},
		"Plain":  {err: create(func(in *elbv2.CreateListenerInput) { in.Protocol = types.ProtocolEnumHttp }), code: "ValidationError"},
		"Mutual": {err: create(func(in *elbv2.CreateListenerInput) {
			in.MutualAuthentication = &types.MutualAuthenticationAttributes{Mode: aws.String("verify")}
		}), code: "ValidationError", text: "awssim does not model mutual authentication with mode 'verify'"},
	} {
		if codeOf(tc.err) != tc.code || !strings.Contains(tc.err.Error(), tc.text) {
			t.Errorf("%s: %v, want %s that says %q", name, tc.err, tc.code, tc.text)
		}
	}

	listener := e.listen(app, types.ProtocolEnumHttps, 443, fixed())
	l, err := e.elb.ModifyListener(e.Context(), &elbv2.ModifyListenerInput{ListenerArn: &listener, Protocol: types.ProtocolEnumHttp})
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Listeners[0]; got.Certificates != nil || got.SslPolicy != nil || got.MutualAuthentication != nil {
		t.Errorf("a listener that loses TLS keeps %+v", got)
	}
}

func TestListenerCertificates(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff})
	app := e.balancer("app", types.LoadBalancerTypeEnumApplication)
	secure, plain := e.listen(app, types.ProtocolEnumHttps, 443, fixed()), e.listen(app, types.ProtocolEnumHttp, 80, fixed())
	add := func(listener string, ids ...string) error {
		return second(e.elb.AddListenerCertificates(e.Context(), &elbv2.AddListenerCertificatesInput{ListenerArn: &listener, Certificates: certificates(ids...)}))
	}
	remove := func(id string) error {
		return second(e.elb.RemoveListenerCertificates(e.Context(), &elbv2.RemoveListenerCertificatesInput{ListenerArn: &secure, Certificates: certificates(id)}))
	}
	list := func() []string {
		t.Helper()
		var got []string
		pages := elbv2.NewDescribeListenerCertificatesPaginator(e.elb, &elbv2.DescribeListenerCertificatesInput{ListenerArn: &secure, PageSize: aws.Int32(1)})
		for pages.HasMorePages() {
			out, err := pages.NextPage(e.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range out.Certificates {
				_, id, _ := strings.Cut(*c.CertificateArn, "/")
				if *c.IsDefault {
					id += " by default"
				}
				got = append(got, id)
			}
		}
		return got
	}

	for _, id := range []string{"two", "two", "default"} {
		if err := add(secure, id); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"default by default", "two", "default"}, list()); diff != "" {
		t.Errorf("certificates (-want +got):\n%s", diff)
	}

	for _, id := range []string{"two", "default", "unknown"} {
		if err := remove(id); err != nil {
			t.Errorf("remove %s from the list: %v", id, err)
		}
	}
	if err := remove("default"); codeOf(err) != "OperationNotPermitted" {
		t.Errorf("remove the default certificate: %v", err)
	}
	if diff := cmp.Diff([]string{"default by default"}, list()); diff != "" {
		t.Errorf("certificates (-want +got):\n%s", diff)
	}

	if err := add(plain, "two"); codeOf(err) != "ValidationError" {
		t.Errorf("a listener without TLS: %v", err)
	}
	if err := add(secure, strings.Split(strings.Repeat("x", 26), "")...); err != nil {
		t.Errorf("the same certificate many times is one: %v", err)
	}
	another := e.listen(app, types.ProtocolEnumHttps, 8443, fixed())
	if err := add(another, strings.Split("abcdefghijklmnopqrstuvwx", "")...); err != nil {
		t.Errorf("24 certificates of another listener: %v", err)
	}
	if err := add(another, "y"); codeOf(err) != "TooManyCertificates" {
		t.Errorf("more than 25 certificates of one load balancer: %v", err)
	}
}

func TestListenerMovesToAnotherPort(t *testing.T) {
	e := start(t, instant())
	app := e.balancer("app", types.LoadBalancerTypeEnumApplication)
	listener := e.listen(app, types.ProtocolEnumHttp, 80, fixed())
	e.listen(app, types.ProtocolEnumHttp, 81, fixed())
	before := e.sim.ListenerAddress(listener)

	change := func(port int32) error {
		return second(e.elb.ModifyListener(e.Context(), &elbv2.ModifyListenerInput{ListenerArn: &listener, Port: &port}))
	}
	if err := change(81); codeOf(err) != "DuplicateListener" {
		t.Errorf("a port that is taken: %v", err)
	}
	if err := change(8080); err != nil {
		t.Fatal(err)
	}

	after := e.sim.ListenerAddress(listener)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+after+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := e.do(r); status != 200 || after == before {
		t.Errorf("status %d at %s, before at %s", status, after, before)
	}
}

func TestRedirectIsAnsweredWhole(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	listener := e.listen(e.balancer("app", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, 80, types.Action{
		Type:           types.ActionTypeEnumRedirect,
		RedirectConfig: &types.RedirectActionConfig{Protocol: aws.String("HTTPS"), StatusCode: types.RedirectActionStatusCodeEnumHttp301},
	})
	out, err := e.elb.DescribeListeners(e.Context(), &elbv2.DescribeListenersInput{ListenerArns: []string{listener}})
	if err != nil {
		t.Fatal(err)
	}

	r := out.Listeners[0].DefaultActions[0].RedirectConfig
	got := []string{*r.Protocol, aws.ToString(r.Host), aws.ToString(r.Port), aws.ToString(r.Path), aws.ToString(r.Query)}
	if diff := cmp.Diff([]string{"HTTPS", "#{host}", "#{port}", "/#{path}", "#{query}"}, got); diff != "" {
		t.Errorf("redirect (-want +got):\n%s", diff)
	}
}

func TestSSLPoliciesAreDescribed(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	out, err := e.elb.DescribeSSLPolicies(e.Context(), &elbv2.DescribeSSLPoliciesInput{Names: []string{"ELBSecurityPolicy-TLS13-1-2-2021-06"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.SslPolicies) != 1 || !cmp.Equal(out.SslPolicies[0].SslProtocols, []string{"TLSv1.2", "TLSv1.3"}) {
		t.Errorf("policies %+v", out.SslPolicies)
	}
	if err := second(e.elb.DescribeSSLPolicies(e.Context(), &elbv2.DescribeSSLPoliciesInput{Names: []string{"Strong"}})); codeOf(err) != "SSLPolicyNotFound" {
		t.Errorf("a policy that is not there: %v", err)
	}
}

// TestListenerGetsTLSOnItsPort changes the protocol, for which the same port is bound again.
func TestListenerGetsTLSOnItsPort(t *testing.T) {
	port := freePort(t)
	cfg := instant()
	cfg.EphemeralPorts = false
	e := start(t, cfg)
	listener := e.listen(e.balancer("app", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, port, fixed())

	for _, step := range []struct {
		scheme string
		change *elbv2.ModifyListenerInput
	}{
		{"http", nil},
		{"https", &elbv2.ModifyListenerInput{ListenerArn: &listener, Protocol: types.ProtocolEnumHttps, Certificates: certificates("one")}},
		{"http", &elbv2.ModifyListenerInput{ListenerArn: &listener, Protocol: types.ProtocolEnumHttp}},
	} {
		if step.change != nil {
			if err := second(e.elb.ModifyListener(e.Context(), step.change)); err != nil {
				t.Fatal(err)
			}
		}

		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, step.scheme+"://"+e.sim.ListenerAddress(listener)+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, _ := e.do(r); status != 200 {
			t.Errorf("over %s: status %d", step.scheme, status)
		}
	}
}
