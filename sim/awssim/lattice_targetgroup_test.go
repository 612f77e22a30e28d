// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/sim/awssim/lattice"
)

// A target group is created in the background, found by id and by ARN, changed, listed and deleted.
func TestLatticeTargetGroup(t *testing.T) {
	inBubble(t, Config{Lattice: Lattice{CreateDelay: 3 * time.Second, DeleteDelay: 2 * time.Second}}, func(e *env) {
		made := e.latticeGroup("web")
		if made.Status != types.TargetGroupStatusCreateInProgress {
			t.Errorf("a new group is %s, want CREATE_IN_PROGRESS", made.Status)
		}

		register := &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: made.Id, Targets: latticeTargets(Target{ID: "10.0.0.1"})}
		refuses(e, e.lattice.RegisterTargets, "a group that is being created takes no targets", "ConflictException", register)
		refuses(e, e.lattice.DeleteTargetGroup, "nor can it be deleted", "ConflictException", &vpclattice.DeleteTargetGroupInput{TargetGroupIdentifier: made.Id})
		time.Sleep(3*time.Second + time.Millisecond)

		got := does(e, e.lattice.GetTargetGroup)(&vpclattice.GetTargetGroupInput{TargetGroupIdentifier: made.Arn})
		if got.Status != types.TargetGroupStatusActive || *got.Id != *made.Id || got.CreatedAt == nil {
			t.Errorf("got %s %s created %v, want it ACTIVE under the same id", got.Status, *got.Id, got.CreatedAt)
		}
		check := got.Config.HealthCheck
		if !*check.Enabled || *check.Path != "/" || *check.HealthCheckIntervalSeconds != 30 || *check.HealthyThresholdCount != 5 || check.Port != nil {
			t.Errorf("the health check of a group that says nothing is %+v", check)
		}

		changed := does(e, e.lattice.UpdateTargetGroup)(&vpclattice.UpdateTargetGroupInput{
			TargetGroupIdentifier: made.Id, HealthCheck: &types.HealthCheckConfig{Path: aws.String("/ready"), HealthCheckIntervalSeconds: aws.Int32(5), HealthCheckTimeoutSeconds: aws.Int32(2)},
		})
		if c := changed.Config.HealthCheck; *c.Path != "/ready" || *c.HealthCheckIntervalSeconds != 5 || *c.UnhealthyThresholdCount != 2 {
			t.Errorf("a changed health check is %+v", c)
		}
		changed = does(e, e.lattice.UpdateTargetGroup)(&vpclattice.UpdateTargetGroupInput{
			TargetGroupIdentifier: made.Id, HealthCheck: &types.HealthCheckConfig{Path: aws.String(""), HealthCheckIntervalSeconds: aws.Int32(0)},
		})
		if c := changed.Config.HealthCheck; *c.Path != "/" || *c.HealthCheckIntervalSeconds != 30 || *c.HealthCheckTimeoutSeconds != 2 {
			t.Errorf("empty and 0 go back to the default, the rest stays; got %+v", c)
		}

		list := does(e, e.lattice.ListTargetGroups)(&vpclattice.ListTargetGroupsInput{VpcIdentifier: aws.String(latticeVPC)})
		if len(list.Items) != 1 || *list.Items[0].Name != "web" {
			t.Errorf("listed %+v, want the one group", list.Items)
		}

		gone := does(e, e.lattice.DeleteTargetGroup)(&vpclattice.DeleteTargetGroupInput{TargetGroupIdentifier: made.Id})
		if gone.Status != types.TargetGroupStatusDeleteInProgress {
			t.Errorf("a group that is being deleted is %s", gone.Status)
		}
		time.Sleep(2*time.Second + time.Millisecond)
		refuses(e, e.lattice.GetTargetGroup, "it is gone", "ResourceNotFoundException", &vpclattice.GetTargetGroupInput{TargetGroupIdentifier: made.Id})
	})
}

func TestLatticeTargetGroupRefusals(t *testing.T) {
	inBubble(t, Config{Lattice: Lattice{Quotas: lattice.Quotas{TargetGroups: 2}}}, func(e *env) {
		e.latticeGroup("web")
		config := &types.TargetGroupConfig{Port: aws.Int32(80), Protocol: types.TargetGroupProtocolHttp, VpcIdentifier: aws.String(latticeVPC)}
		create := func(name string, kind types.TargetGroupType, config *types.TargetGroupConfig) *vpclattice.CreateTargetGroupInput {
			return &vpclattice.CreateTargetGroupInput{Name: &name, Type: kind, Config: config}
		}

		refuses(e, e.lattice.CreateTargetGroup, "the name is taken", "ConflictException", create("web", types.TargetGroupTypeIp, config))
		refuses(e, e.lattice.CreateTargetGroup, "names have no double hyphen", "ValidationException", create("a--b", types.TargetGroupTypeIp, config))
		refuses(e, e.lattice.CreateTargetGroup, "names do not look like ids", "ValidationException", create("tg-1", types.TargetGroupTypeIp, config))
		refuses(e, e.lattice.CreateTargetGroup, "a port is needed", "ValidationException", create("api", types.TargetGroupTypeIp, &types.TargetGroupConfig{Protocol: "HTTP", VpcIdentifier: aws.String(latticeVPC)}))
		refuses(e, e.lattice.CreateTargetGroup, "the port is out of bounds", "ValidationException", create("api", types.TargetGroupTypeIp, &types.TargetGroupConfig{Port: aws.Int32(70000), Protocol: "HTTP", VpcIdentifier: aws.String(latticeVPC)}))
		refuses(e, e.lattice.CreateTargetGroup, "no such type", "ValidationException", create("api", "GENEVE", config))
		e.latticeGroup("api")
		refuses(e, e.lattice.CreateTargetGroup, "the quota", "ServiceQuotaExceededException", create("more", types.TargetGroupTypeIp, config))

		get := func(id string) *vpclattice.GetTargetGroupInput {
			return &vpclattice.GetTargetGroupInput{TargetGroupIdentifier: &id}
		}
		refuses(e, e.lattice.GetTargetGroup, "unknown", "ResourceNotFoundException", get("tg-00000000000000000"))
		refuses(e, e.lattice.GetTargetGroup, "not an id", "ValidationException", get("web"))
		refuses(e, e.lattice.GetTargetGroup, "another account's", "AccessDeniedException", get("arn:aws:vpc-lattice:eu-west-1:999999999999:targetgroup/tg-00000000000000000"))
		refuses(e, e.lattice.GetTargetGroup, "another region's", "ValidationException", get("arn:aws:vpc-lattice:us-east-1:123456789012:targetgroup/tg-00000000000000000"))
	})
}

// Accounts do not see each other's groups.
func TestLatticeAccounts(t *testing.T) {
	inBubble(t, Config{STS: STS{Accounts: map[string]string{"AKIAOTHER": "210987654321"}}}, func(e *env) {
		made := e.latticeGroup("web")
		other := e.latticeClient("AKIAOTHER")
		refuses(e, other.GetTargetGroup, "by id", "ResourceNotFoundException", &vpclattice.GetTargetGroupInput{TargetGroupIdentifier: made.Id})
		refuses(e, other.GetTargetGroup, "by ARN", "AccessDeniedException", &vpclattice.GetTargetGroupInput{TargetGroupIdentifier: made.Arn})
		if list := does(e, other.ListTargetGroups)(&vpclattice.ListTargetGroupsInput{}); len(list.Items) != 0 {
			t.Errorf("another account lists %+v", list.Items)
		}
	})
}

// Targets are keyed by address and port, come in pages, and each is refused by itself.
func TestLatticeTargets(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		group := e.latticeGroup("web").Arn
		out := e.latticeRegister(group, Target{ID: "10.0.0.1"}, Target{ID: "10.0.0.1", Port: 8080}, Target{ID: "fd00::1"}, Target{ID: "nonsense"})
		if len(out.Successful) != 2 || len(out.Unsuccessful) != 2 || *out.Unsuccessful[0].FailureCode != "UnsupportedTarget" {
			t.Errorf("registered %+v, refused %+v; want two of each", out.Successful, out.Unsuccessful)
		}

		want := map[Target]string{{ID: "10.0.0.1", Port: 80}: "UNUSED", {ID: "10.0.0.1", Port: 8080}: "UNUSED"}
		if diff := cmp.Diff(want, e.latticeStates(group)); diff != "" {
			t.Errorf("-want, +got:\n%s", diff)
		}
		if got := e.latticeStates(group, Target{ID: "10.0.0.1", Port: 8080}, Target{ID: "10.9.9.9", Port: 1}); len(got) != 1 {
			t.Errorf("of two targets that are asked for one is registered; got %v", got)
		}

		refuses(e, e.lattice.DeleteTargetGroup, "a group with targets", "ConflictException", &vpclattice.DeleteTargetGroupInput{TargetGroupIdentifier: group})
		e.latticeDeregister(group, Target{ID: "10.0.0.1"}, Target{ID: "10.9.9.9", Port: 1})
		if got := e.latticeStates(group); len(got) != 1 {
			t.Errorf("an unused target leaves at once; got %v", got)
		}
	})
}

func TestLatticeTargetPages(t *testing.T) {
	inBubble(t, Config{Lattice: Lattice{TokenLifetime: time.Minute}}, func(e *env) {
		group := e.latticeGroup("web").Id
		for i := range 3 {
			var targets []Target
			for j := range 100 {
				targets = append(targets, Target{ID: fmt.Sprintf("10.0.%d.%d", i, j)})
			}
			e.latticeRegister(group, targets...)
		}

		seen := map[string]bool{}
		in := &vpclattice.ListTargetsInput{TargetGroupIdentifier: group}
		pages := vpclattice.NewListTargetsPaginator(e.lattice, in)
		for count := 0; pages.HasMorePages(); count++ {
			out, err := pages.NextPage(e.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range out.Items {
				seen[*item.Id] = true
			}
			if count > 3 {
				t.Fatal("the pages do not end")
			}
		}
		if len(seen) != 300 {
			t.Errorf("listed %d targets, want 300", len(seen))
		}

		first := does(e, e.lattice.ListTargets)(&vpclattice.ListTargetsInput{TargetGroupIdentifier: group, MaxResults: aws.Int32(7)})
		if len(first.Items) != 7 {
			t.Errorf("a page of 7 has %d", len(first.Items))
		}
		refuses(e, e.lattice.ListTargetGroups, "a token of another list", "ValidationException", &vpclattice.ListTargetGroupsInput{NextToken: first.NextToken})
		time.Sleep(2 * time.Minute)
		refuses(e, e.lattice.ListTargets, "a token that is too old", "ValidationException", &vpclattice.ListTargetsInput{TargetGroupIdentifier: group, NextToken: first.NextToken})
		refuses(e, e.lattice.ListTargets, "a page too large", "ValidationException", &vpclattice.ListTargetsInput{TargetGroupIdentifier: group, MaxResults: aws.Int32(101)})

		if out, err := e.lattice.RegisterTargets(e.Context(), &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: group, Targets: make([]types.Target, 101)}); err == nil {
			t.Errorf("101 targets at once are registered: %+v", out)
		}
	})
}

func TestLatticeTags(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		name := "web"
		made := does(e, e.lattice.CreateTargetGroup)(&vpclattice.CreateTargetGroupInput{Name: &name, Type: types.TargetGroupTypeLambda, Tags: map[string]string{"a": "1", "b": "2"}})
		does(e, e.lattice.TagResource)(&vpclattice.TagResourceInput{ResourceArn: made.Arn, Tags: map[string]string{"b": "3", "c": ""}})
		does(e, e.lattice.UntagResource)(&vpclattice.UntagResourceInput{ResourceArn: made.Arn, TagKeys: []string{"a", "none"}})
		got := does(e, e.lattice.ListTagsForResource)(&vpclattice.ListTagsForResourceInput{ResourceArn: made.Arn})
		if diff := cmp.Diff(map[string]string{"b": "3", "c": ""}, got.Tags); diff != "" {
			t.Errorf("-want, +got:\n%s", diff)
		}
		unknown := strings.Replace(*made.Arn, *made.Id, "tg-00000000000000000", 1)
		refuses(e, e.lattice.ListTagsForResource, "nothing has this ARN", "ResourceNotFoundException", &vpclattice.ListTagsForResourceInput{ResourceArn: &unknown})
	})
}

// The same client token answers the first result again, and with other parameters a conflict.
func TestLatticeClientToken(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		create := func(name string) *vpclattice.CreateTargetGroupInput {
			return &vpclattice.CreateTargetGroupInput{Name: &name, Type: types.TargetGroupTypeLambda, ClientToken: aws.String("token")}
		}
		first, second := does(e, e.lattice.CreateTargetGroup)(create("web")), does(e, e.lattice.CreateTargetGroup)(create("web"))
		if *first.Id != *second.Id {
			t.Errorf("the same token made %s and %s", *first.Id, *second.Id)
		}
		refuses(e, e.lattice.CreateTargetGroup, "the token with another name", "ConflictException", create("api"))
	})
}

// What no client of the SDK sends.
func TestLatticeRequests(t *testing.T) {
	cases := map[string]struct {
		reason, method, path, body, region string
		status                             int
		code                               string
	}{
		"Body":      {reason: "a body that is none", method: "POST", path: "/targetgroups", body: "{", status: 400, code: "ValidationException"},
		"Unknown":   {reason: "a parameter that is none", method: "POST", path: "/targetgroups", body: `{"name":"web","type":"LAMBDA","nonsense":1}`, status: 400, code: "ValidationException"},
		"Type":      {reason: "a name that is a number", method: "POST", path: "/targetgroups", body: `{"name":1,"type":"LAMBDA"}`, status: 400, code: "ValidationException"},
		"Required":  {reason: "no type", method: "POST", path: "/targetgroups", body: `{"name":"web"}`, status: 400, code: "ValidationException"},
		"Query":     {reason: "pages of text", method: "GET", path: "/targetgroups?maxResults=many", status: 400, code: "ValidationException"},
		"Operation": {reason: "no such operation", method: "PUT", path: "/targetgroups", status: 404, code: "UnknownOperationException"},
		"Later":     {reason: "an operation that is not modelled", method: "GET", path: "/authpolicy/svc-00000000000000000", status: 400, code: "ValidationException"},
		"Region":    {reason: "signed for another region", method: "GET", path: "/targetgroups", region: "us-east-1", status: 403, code: "InvalidSignatureException"},
		"Unsigned":  {reason: "not signed", method: "GET", path: "/targetgroups", region: "-", status: 403, code: "MissingAuthenticationTokenException"},
		"Good":      {reason: "what is right", method: "POST", path: "/targetgroups", body: `{"name":"web","type":"LAMBDA"}`, status: 201},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
			r := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
			if tc.region == "" {
				tc.region = e.sim.cfg.Region
			}
			if tc.region != "-" {
				r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20240101/"+tc.region+"/vpc-lattice/aws4_request, SignedHeaders=host, Signature=0")
			}
			answer := httptest.NewRecorder()
			e.handler.ServeHTTP(answer, r)
			if answer.Code != tc.status || answer.Header().Get("X-Amzn-Errortype") != tc.code {
				t.Errorf("%s: got %d %s: %s, want %d %s", tc.reason, answer.Code, answer.Header().Get("X-Amzn-Errortype"), answer.Body, tc.status, tc.code)
			}
			if answer.Code == http.StatusOK && answer.Body.Len() == 0 {
				t.Error("an answer without a body")
			}
		})
	}
}

// An address outside the VPC, or of the wrong family, is refused alone.
func TestLatticeAddresses(t *testing.T) {
	inBubble(t, Config{ELB: ELB{VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("fd00::/64")}}}, func(e *env) {
		v4 := e.latticeGroup("four").Id
		v6 := e.latticeGroup("six", func(c *types.TargetGroupConfig) { c.IpAddressType = types.IpAddressTypeIpv6 }).Id
		inside, outside, six := Target{ID: "10.0.0.1", Port: 80}, Target{ID: "192.168.0.1", Port: 80}, Target{ID: "fd00::1", Port: 80}

		for group, want := range map[*string]Target{v4: inside, v6: six} {
			out := e.latticeRegister(group, inside, outside, six)
			if diff := cmp.Diff(map[Target]string{want: "UNUSED"}, e.latticeStates(group)); diff != "" || len(out.Unsuccessful) != 2 {
				t.Errorf("%d refused, want 2; registered -want, +got:\n%s", len(out.Unsuccessful), diff)
			}
		}
	})
}
