// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/balancer"
)

func groupXML(settings string) string {
	return "<TargetGroups><member><TargetGroupArn>" + testARN + "</TargetGroupArn><TargetGroupName>web</TargetGroupName>" + settings + "</member></TargetGroups>"
}

const webSettings = `<Protocol>HTTP</Protocol><TargetType>ip</TargetType><IpAddressType>ipv4</IpAddressType><HealthCheckEnabled>true</HealthCheckEnabled>
<HealthCheckIntervalSeconds>15</HealthCheckIntervalSeconds><HealthyThresholdCount>5</HealthyThresholdCount><UnhealthyThresholdCount>2</UnhealthyThresholdCount>`

func attribute(key, value string) string {
	return "<Attributes><member><Key>stickiness.enabled</Key><Value>false</Value></member><member><Key>" + key + "</Key><Value>" + value + "</Value></member></Attributes>"
}

func TestResolveReadsAnswers(t *testing.T) {
	web := balancer.Group{
		Ref: testRef, Name: "web", TargetType: "ip", Protocol: "HTTP", IPAddressType: "ipv4", HealthCheckEnabled: true,
		HealthCheckInterval: 15 * time.Second, HealthyThreshold: 5, UnhealthyThreshold: 2, DeregistrationDelay: 30 * time.Second,
	}

	with := func(change func(*balancer.Group)) balancer.Group {
		g := web
		change(&g)
		return g
	}

	delay30 := attribute("deregistration_delay.timeout_seconds", "30")
	tests := []struct {
		reason               string
		settings, attributes string
		want                 balancer.Group
	}{
		{"a usual group", webSettings, delay30, web},
		{"no delay", webSettings, attribute("deregistration_delay.timeout_seconds", "0"), with(func(g *balancer.Group) { g.DeregistrationDelay = 0 })},
		{"a delay that is not told is AWS's default", webSettings, "", with(func(g *balancer.Group) { g.DeregistrationDelay = 300 * time.Second })},
		{"a delay that is no number is AWS's default", webSettings, attribute("deregistration_delay.timeout_seconds", "soon"),
			with(func(g *balancer.Group) { g.DeregistrationDelay = 300 * time.Second })},
		{"a version of the protocol", webSettings + "<ProtocolVersion>HTTP1</ProtocolVersion>", delay30, with(func(g *balancer.Group) { g.Version = "HTTP1" })},
		{"checks switched off", strings.Replace(webSettings, "<HealthCheckEnabled>true", "<HealthCheckEnabled>false", 1), delay30,
			with(func(g *balancer.Group) { g.HealthCheckEnabled = false })},
		{"silence about checks is not off", strings.Replace(webSettings, "<HealthCheckEnabled>true</HealthCheckEnabled>", "", 1), delay30, web},
		{"each target is checked at its own port", webSettings + "<HealthCheckPort>traffic-port</HealthCheckPort>", delay30, web},
		{"all are checked at one port", webSettings + "<HealthCheckPort>32000</HealthCheckPort>", delay30, with(func(g *balancer.Group) { g.HealthCheckPort = 32000 })},
		{"instances are told, not refused", strings.Replace(webSettings, "<TargetType>ip", "<TargetType>instance", 1), delay30,
			with(func(g *balancer.Group) { g.TargetType = "instance" })},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			w := serve(t, func(action string, _ url.Values) answer {
				if action == "DescribeTargetGroups" {
					return result(action, groupXML(tc.settings))
				}
				return result(action, tc.attributes)
			})

			p := New(config(t, w.URL), testRegion)
			got, err := p.Resolve(t.Context(), balancer.Group{Ref: testRef, Name: "ignored, since there is an ARN"})
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("by ARN (-want +got):\n%s", diff)
			}

			got, err = p.Resolve(t.Context(), balancer.Group{Ref: balancer.Ref{}, Name: "web"})
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("by name (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResolveFindsNothing(t *testing.T) {
	other := strings.ReplaceAll(groupXML(webSettings), "web", "other")
	for name, a := range map[string]answer{
		"an empty list":         result("DescribeTargetGroups", "<TargetGroups/>"),
		"another group":         result("DescribeTargetGroups", other),
		"an error that says so": refusal(400, "TargetGroupNotFound", "One or more target groups not found"),
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, always(a))
			p := New(config(t, w.URL), testRegion)
			_, err := p.Resolve(t.Context(), balancer.Group{Ref: testRef})
			checkKind(t, err, balancer.ErrNotFound)
			_, err = p.Resolve(t.Context(), balancer.Group{Ref: balancer.Ref{}, Name: "web"})
			checkKind(t, err, balancer.ErrNotFound)
			if !strings.HasPrefix(balancer.Message(err), `describe target group of "web": `) {
				t.Errorf("got %q", balancer.Message(err))
			}
		})
	}
}

func TestWrongARNsAreRefusedWithoutACall(t *testing.T) {
	tests := []struct{ reason, arn, message string }{
		{"another region's", strings.Replace(testARN, "eu-test-1", "us-test-2", 1),
			"the group is in region us-test-2, this podgate serves eu-test-1; name a group in eu-test-1, or bind this one by a TargetBinding with spec.elbv2.region us-test-2"},
		{"a name", "web", "not an ARN; a target group's looks like arn:aws:elasticloadbalancing:eu-test-1:123456789012:targetgroup/name/0123456789abcdef"},
		{"another service's", "arn:aws:s3:::bucket", `the ARN is of service "s3", not of elasticloadbalancing`},
		{"a load balancer's", "arn:aws:elasticloadbalancing:eu-test-1:123456789012:loadbalancer/app/web/0123456789abcdef",
			`the ARN names "loadbalancer/app/web/0123456789abcdef", which is not a target group`},
		{"half of one", "arn:aws:elasticloadbalancing:eu-test-1:123456789012:targetgroup/web", `the ARN names "targetgroup/web", which is not a target group`},
	}

	w := serve(t, always(rows()))
	p := New(config(t, w.URL), testRegion)
	for _, tc := range tests {
		ref := balancer.Ref{Group: tc.arn}
		_, health := p.Health(t.Context(), balancer.Group{Ref: ref})
		_, resolve := p.Resolve(t.Context(), balancer.Group{Ref: ref})
		for _, err := range []error{health, resolve, p.Register(t.Context(), balancer.Group{Ref: ref}, targets(t, 1), nil), p.Deregister(t.Context(), balancer.Group{Ref: ref}, targets(t, 1))} {
			checkKind(t, err, balancer.ErrInvalid)
			if got := balancer.Message(err); !strings.HasSuffix(got, ` of "`+tc.arn+`": `+tc.message) {
				t.Errorf("%s: got %q", tc.reason, got)
			}
		}
	}

	_, err := p.Resolve(t.Context(), balancer.Group{})
	checkKind(t, err, balancer.ErrInvalid)

	if n := len(w.asked); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

func TestOtherPartitionsAreServed(t *testing.T) {
	arn := strings.Replace(testARN, "arn:aws:", "arn:aws-cn:", 1)
	w := serve(t, always(rows()))
	if _, err := New(config(t, w.URL), testRegion).Health(t.Context(), balancer.Group{Ref: balancer.Ref{Group: arn}}); err != nil {
		t.Error(err)
	}
}
