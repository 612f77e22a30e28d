// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podgate/podgate/sim/awssim/wire"
)

const otherRole = "arn:aws:iam::222222222222:role/podgate"

func TestThrottling(t *testing.T) {
	cases := map[string]struct {
		reason              string
		mode                string
		operation           func(e *env, group string) error
		burst, afterASecond int
	}{
		"DescribeCurrent": {reason: "200 tokens, 50/s", mode: ThrottleCurrent, operation: describeOnce, burst: 200, afterASecond: 50},
		"DescribeClassic": {reason: "40 tokens, 10/s", mode: ThrottleClassic, operation: describeOnce, burst: 40, afterASecond: 10},
		"Register": {reason: "20 tokens, 4/s", mode: ThrottleCurrent, burst: 20, afterASecond: 4, operation: func(e *env, g string) error {
			return second(e.elb.DeregisterTargets(e.Context(), &elbv2.DeregisterTargetsInput{TargetGroupArn: &g, Targets: described(Target{ID: "10.0.0.1"})}))
		}},
		"Modify": {reason: "20 tokens less the three that made the group, 3/s", mode: ThrottleCurrent, burst: 17, afterASecond: 3, operation: func(e *env, g string) error {
			return second(e.elb.ModifyTargetGroup(e.Context(), &elbv2.ModifyTargetGroupInput{TargetGroupArn: &g}))
		}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{Throttle: tc.mode}, func(e *env) {
				g := e.used()
				until := func() (int, error) {
					for n := 0; ; n++ {
						if err := tc.operation(e, g); err != nil || n > 1000 {
							return n, err
						}
					}
				}

				n, err := until()
				if n != tc.burst || codeOf(err) != "Throttling" || !strings.Contains(err.Error(), "Rate exceeded") {
					t.Errorf("%s: %d calls, then %v", tc.reason, n, err)
				}

				time.Sleep(time.Second)
				if n, _ := until(); n != tc.afterASecond {
					t.Errorf("%s: %d calls a second later, want %d", tc.reason, n, tc.afterASecond)
				}
			})
		})
	}
}

func describeOnce(e *env, group string) error {
	return second(e.elb.DescribeTargetHealth(e.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group}))
}

func TestThrottlingCanBeOffAndIsByAccount(t *testing.T) {
	inBubble(t, Config{Throttle: ThrottleOff}, func(e *env) {
		g := e.group("web")
		for range 500 {
			if err := describeOnce(e, g); err != nil {
				t.Fatal(err)
			}
		}
	})

	inBubble(t, Config{STS: STS{Accounts: map[string]string{"AKIAOTHER": "222222222222"}}}, func(e *env) {
		for range 200 {
			if err := second(e.elb.DescribeTargetGroups(e.Context(), &elbv2.DescribeTargetGroupsInput{})); err != nil {
				t.Fatal(err)
			}
		}
		if err := second(e.client("AKIASAME").DescribeTargetGroups(e.Context(), &elbv2.DescribeTargetGroupsInput{})); codeOf(err) != "Throttling" {
			t.Errorf("another key of the same account shares its bucket: %v", err)
		}
		if err := second(e.client("AKIAOTHER").DescribeTargetGroups(e.Context(), &elbv2.DescribeTargetGroupsInput{})); err != nil {
			t.Errorf("another account has its own bucket: %v", err)
		}
	})
}

func TestAssumedRoleActsInItsAccount(t *testing.T) {
	inBubble(t, Config{STS: STS{Roles: []Role{{ARN: otherRole, ExternalID: "secret"}}}}, func(e *env) {
		mine := e.group("web")
		_, err := e.sts("AKIATEST").AssumeRole(e.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(otherRole), RoleSessionName: aws.String("s")})
		if codeOf(err) != "AccessDenied" {
			t.Errorf("without the external id: %v", err)
		}

		cfg := e.config("AKIATEST")
		cfg.Credentials = stscreds.NewAssumeRoleProvider(e.sts("AKIATEST"), otherRole, func(o *stscreds.AssumeRoleOptions) {
			o.ExternalID, o.RoleSessionName = aws.String("secret"), "session"
		})

		base := aws.String("http://awssim.invalid")
		who, err := sts.NewFromConfig(cfg, func(o *sts.Options) { o.BaseEndpoint = base }).GetCallerIdentity(e.Context(), &sts.GetCallerIdentityInput{})
		if err != nil {
			t.Fatal(err)
		}

		if *who.Arn != "arn:aws:sts::222222222222:assumed-role/podgate/session" {
			t.Errorf("the role is %s", *who.Arn)
		}

		theirs := *e
		theirs.elb = elbv2.NewFromConfig(cfg, func(o *elbv2.Options) { o.BaseEndpoint = base })
		if group := theirs.group("web"); !strings.Contains(group, ":222222222222:") {
			t.Errorf("its group is %s", group)
		}

		if err := describeOnce(&theirs, mine); codeOf(err) != "ValidationError" {
			t.Errorf("a group of another account: %v", err)
		}

		calls := e.sim.Calls(0)
		if c := calls[len(calls)-4]; c.RoleARN != otherRole || c.ExternalID != "secret" || c.Service != "sts" {
			t.Errorf("the call is recorded as %+v", c)
		}

		time.Sleep(2 * time.Hour)
		key := calls[len(calls)-1].AccessKeyID
		if err := second(e.client(key).DescribeTargetGroups(e.Context(), &elbv2.DescribeTargetGroupsInput{})); codeOf(err) != "ExpiredToken" {
			t.Errorf("two hours later its credentials: %v", err)
		}
	})
}

func TestRefusedCredentials(t *testing.T) {
	refused := &wire.APIError{Code: "AccessDenied"}
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Faults: []Fault{
		{AccessKeyID: "AKIABAD", Error: refused},
		{Operation: "RegisterTargets", Error: refused},
		{Operation: "AssumeRole", RoleARN: otherRole, Error: refused},
	}})

	g := e.group("web")
	_, err := e.elb.RegisterTargets(e.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &g, Targets: described(Target{ID: "10.0.0.1"})})
	if codeOf(err) != "AccessDenied" || !strings.Contains(err.Error(), "not authorized to perform: elasticloadbalancing:RegisterTargets on resource: "+g) {
		t.Errorf("an operation that is refused: %v", err)
	}

	if err := second(e.client("AKIABAD").DescribeTargetGroups(e.Context(), &elbv2.DescribeTargetGroupsInput{})); codeOf(err) != "AccessDenied" {
		t.Errorf("a key that is refused: %v", err)
	}

	if err := second(e.sts("AKIATEST").AssumeRole(e.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(otherRole), RoleSessionName: aws.String("s")})); codeOf(err) != "AccessDenied" {
		t.Errorf("a role that is refused: %v", err)
	}

	if err := second(e.client("ASIAUNKNOWN").DescribeTargetGroups(e.Context(), &elbv2.DescribeTargetGroupsInput{})); codeOf(err) != "InvalidClientTokenId" {
		t.Errorf("a temporary key that nobody gave out: %v", err)
	}

	wrong := e.config("AKIATEST")
	wrong.Region = "us-east-1"
	client := elbv2.NewFromConfig(wrong, func(o *elbv2.Options) { o.BaseEndpoint = aws.String("http://awssim.invalid") })
	if err := second(client.DescribeTargetGroups(e.Context(), &elbv2.DescribeTargetGroupsInput{})); codeOf(err) != "SignatureDoesNotMatch" {
		t.Errorf("a signature for another region: %v", err)
	}

	unsigned := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Action=DescribeTargetGroups&Version=2015-12-01"))
	unsigned.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	recorder := httptest.NewRecorder()
	e.handler.ServeHTTP(recorder, unsigned)

	if recorder.Code != http.StatusForbidden || !strings.Contains(recorder.Body.String(), "MissingAuthenticationToken") {
		t.Errorf("no signature: %d %s", recorder.Code, recorder.Body)
	}
}
