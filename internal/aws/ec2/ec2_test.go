// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/sim/awssim"
)

const region = "eu-test-1"

// clientOf is a client of what serves at an address.
func clientOf(address string, within podaws.Within) *EC2 {
	return New(aws.Config{
		Region: region, BaseEndpoint: &address, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}, region, within)
}

// simulate starts a simulator with the networks and returns a client of it.
func simulate(t *testing.T, vpcs ...awssim.VPC) (*awssim.Sim, *EC2) {
	t.Helper()
	sim, err := awssim.New(awssim.Config{
		ELB: awssim.ELB{Region: region}, DataPath: awssim.DataPath{NoDataPath: true}, EC2: awssim.EC2{VPCs: vpcs}, Throttle: awssim.ThrottleOff,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	return sim, clientOf(server.URL, nil)
}

// answering serves answers, one after the other, and the last one again and again. It returns the forms that it was sent.
func answering(t *testing.T, status int, bodies ...string) (*EC2, *[]url.Values) {
	t.Helper()
	var forms []url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		body := bodies[min(len(forms), len(bodies)-1)]
		forms = append(forms, r.PostForm)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return clientOf(server.URL, nil), &forms
}

var testVPC = awssim.VPC{
	ID: "vpc-1", CIDR: "10.1.0.0/16", IPv6CIDR: "2001:db8::/56", Tags: map[string]string{"Name": "shop"},
	Subnets: []awssim.Subnet{
		{ID: "subnet-1", Zone: region + "a", CIDR: "10.1.0.0/24", IPv6CIDR: "2001:db8:0:1::/64", Addresses: 7, Tags: map[string]string{"kubernetes.io/role/elb": "1", "Name": "one & only"}},
		{ID: "subnet-2", Zone: region + "b", CIDR: "10.1.1.0/24", Private: true},
		{ID: "subnet-3", Zone: region + "-x-1a", ZoneType: "local-zone", CIDR: "10.1.2.0/24"},
	},
}

func TestNetwork(t *testing.T) {
	_, client := simulate(t, testVPC, awssim.VPC{ID: "vpc-2", Subnets: []awssim.Subnet{{ID: "subnet-4", Zone: region + "a", CIDR: "10.0.0.0/24"}}})
	ctx := t.Context()

	subnets, err := client.Subnets(ctx, In("vpc-1"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Subnet{
		{
			ID: "subnet-1", VPC: "vpc-1", Zone: region + "a", ZoneID: "eut1-az1", State: "available", CIDR: "10.1.0.0/24", IPv6: []string{"2001:db8:0:1::/64"},
			Free: 7, Tags: map[string]string{"kubernetes.io/role/elb": "1", "Name": "one & only"},
		},
		{ID: "subnet-2", VPC: "vpc-1", Zone: region + "b", ZoneID: "eut1-az2", State: "available", CIDR: "10.1.1.0/24", Free: 250, Tags: map[string]string{}},
		{ID: "subnet-3", VPC: "vpc-1", Zone: region + "-x-1a", ZoneID: "eut1-az--x-1a", State: "available", CIDR: "10.1.2.0/24", Free: 250, Tags: map[string]string{}},
	}
	if diff := cmp.Diff(want, subnets); diff != "" {
		t.Error(diff)
	}

	tagged, err := client.Subnets(ctx, In("vpc-1"), Tagged("kubernetes.io/role/elb", "", "1"))
	if err != nil || len(tagged) != 1 || tagged[0].ID != "subnet-1" {
		t.Errorf("by tag: got %v, %v", tagged, err)
	}

	tables, err := client.RouteTables(ctx, In("vpc-1"))
	if err != nil {
		t.Fatal(err)
	}
	main := map[bool]RouteTable{}
	for _, table := range tables {
		table.ID = ""
		main[table.Main] = table
	}
	wantTables := map[bool]RouteTable{true: {VPC: "vpc-1", Main: true, Internet: true}, false: {VPC: "vpc-1", Subnets: []string{"subnet-2"}}}
	if diff := cmp.Diff(wantTables, main); diff != "" {
		t.Error(diff)
	}

	zones, err := client.Zones(ctx)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, z := range zones {
		types[z.Name] = z.Type
	}
	if types[region+"a"] != "availability-zone" || types[region+"-x-1a"] != "local-zone" {
		t.Errorf("got zones %v", zones)
	}
}

func TestSecurityGroups(t *testing.T) {
	_, client := simulate(t, testVPC)
	ctx := t.Context()
	made := SecurityGroup{Name: "k8s-shop-web", Description: "podgate", VPC: "vpc-1", Tags: map[string]string{"elbv2.k8s.aws/cluster": "shop", "a": ""}}
	id, err := client.CreateSecurityGroup(ctx, made)
	if err != nil {
		t.Fatal(err)
	}
	other, err := client.CreateSecurityGroup(ctx, SecurityGroup{Name: "other", Description: "other", VPC: "vpc-1"})
	if err != nil {
		t.Fatal(err)
	}

	rules := []Permission{
		{Protocol: "tcp", From: 80, To: 80, CIDR: "0.0.0.0/0"},
		{Protocol: "tcp", From: 80, To: 80, CIDR: "10.0.0.0/8"},
		{Protocol: "tcp", From: 80, To: 80, CIDR: "::/0"},
		{Protocol: "udp", From: 53, To: 99, PrefixList: "pl-1"},
		{Protocol: "-1", From: -1, To: -1, Group: other},
	}
	if err := client.AuthorizeIngress(ctx, id, rules...); err != nil {
		t.Fatal(err)
	}
	if err := client.CreateTags(ctx, id, map[string]string{"a": "b", "c": "d e"}); err != nil {
		t.Fatal(err)
	}

	found, err := client.SecurityGroups(ctx, In("vpc-1"), Tagged("elbv2.k8s.aws/cluster", "shop"))
	made.ID, made.Ingress, made.Tags = id, rules, map[string]string{"elbv2.k8s.aws/cluster": "shop", "a": "b", "c": "d e"}
	if diff := cmp.Diff([]SecurityGroup{made}, found); err != nil || diff != "" {
		t.Error(err, diff)
	}

	// A rule that is there already, or is gone already, is what was asked for. Of several nothing was done.
	for reason, call := range map[string]struct {
		err  error
		want bool
	}{
		"the same rule again":       {client.AuthorizeIngress(ctx, id, rules[0]), true},
		"the same rule and another": {client.AuthorizeIngress(ctx, id, rules[0], Permission{Protocol: "tcp", From: 1, To: 1, CIDR: "0.0.0.0/0"}), false},
		"a rule that is not there":  {client.RevokeIngress(ctx, id, Permission{Protocol: "tcp", From: 2, To: 2, CIDR: "0.0.0.0/0"}), true},
		"it and one that is there":  {client.RevokeIngress(ctx, id, rules[1], Permission{Protocol: "tcp", From: 2, To: 2, CIDR: "0.0.0.0/0"}), false},
	} {
		if (call.err == nil) != call.want {
			t.Errorf("%s: got %v", reason, call.err)
		}
	}

	if err := client.DeleteSecurityGroup(ctx, other); !errors.Is(err, balancer.ErrNotReady) || !strings.Contains(err.Error(), "still name it") {
		t.Errorf("a group that a rule names: got %v, want not ready", err)
	}
	if err := client.RevokeIngress(ctx, id, rules...); err != nil {
		t.Error(err)
	}
	if err := client.DeleteSecurityGroup(ctx, other); err != nil {
		t.Error(err)
	}
	if left, err := client.SecurityGroups(ctx, Filter{"group-id", []string{id}}); err != nil || len(left) != 1 || len(left[0].Ingress) != 0 {
		t.Errorf("got %v, %v, want no rules", left, err)
	}
}

func TestErrors(t *testing.T) {
	sim, client := simulate(t, testVPC)
	ctx := t.Context()
	ask := func() error { _, err := client.Subnets(ctx, In("vpc-1")); return err }
	create := func() error {
		_, err := client.CreateSecurityGroup(ctx, SecurityGroup{Name: "web", Description: "web", VPC: "vpc-1"})
		return err
	}
	tests := []struct {
		reason string
		fault  awssim.Fault
		call   func() error
		kind   error
		// text is part of what people are told.
		text string
	}{
		{"throttled", awssim.Fault{Error: &awssim.APIError{Code: "Throttling"}}, ask, balancer.ErrThrottled, `describe subnets of "vpc-id=vpc-1": RequestLimitExceeded`},
		{
			"not allowed", awssim.Fault{Error: &awssim.APIError{Code: "AccessDenied", Message: "Explicit deny."}}, create, balancer.ErrDenied,
			"UnauthorizedOperation: You are not authorized to perform this operation. Explicit deny. Allow ec2:CreateSecurityGroup in podgate's IAM policy",
		},
		{"AWS names the action itself", awssim.Fault{Error: &awssim.APIError{Code: "AccessDenied"}}, ask, balancer.ErrDenied, "because no identity-based policy allows the ec2:DescribeSubnets action"},
		{"quota", awssim.Fault{Error: &awssim.APIError{Code: "SecurityGroupLimitExceeded", Message: "Too many."}}, create, balancer.ErrQuota, "Too many. Raise the quota of VPC security groups"},
		{"a fault of AWS", awssim.Fault{Error: &awssim.APIError{Code: "InternalError", Message: "Oh.", Status: 500}}, ask, nil, "InternalError: Oh."},
		{"cut off", awssim.Fault{Truncate: true}, ask, nil, "describe subnets"},
		{"no answer", awssim.Fault{Drop: true}, ask, nil, "cannot reach the API: the connection was closed without an answer"},
		{"no such group", awssim.Fault{LatencySeconds: 0.001}, func() error { return client.DeleteSecurityGroup(ctx, "sg-9") }, balancer.ErrNotFound, `delete security group of "sg-9"`},
		{"no such VPC", awssim.Fault{LatencySeconds: 0.001}, func() error {
			_, err := client.CreateSecurityGroup(ctx, SecurityGroup{Name: "web", Description: "web", VPC: "vpc-9"})
			return err
		}, balancer.ErrInvalid, "Name a VPC that the account has"},
		{"a name that is taken", awssim.Fault{LatencySeconds: 0.001}, func() error {
			_, err := client.CreateSecurityGroup(ctx, SecurityGroup{Name: "default", Description: "web", VPC: "vpc-1"})
			return err
		}, balancer.ErrInvalid, "Delete the security group of that name"},
	}

	for _, tc := range tests {
		id, err := sim.AddFault(tc.fault)
		if err != nil {
			t.Fatal(err)
		}
		err = tc.call()
		if err := sim.RemoveFaults(id); err != nil {
			t.Fatal(err)
		}

		kind := error(nil)
		for _, k := range []error{balancer.ErrDenied, balancer.ErrInvalid, balancer.ErrNotFound, balancer.ErrNotReady, balancer.ErrQuota, balancer.ErrThrottled} {
			if errors.Is(err, k) {
				kind = k
			}
		}
		if err == nil || !errors.Is(kind, tc.kind) || !strings.Contains(balancer.Message(err), tc.text) {
			t.Errorf("%s: got %q (%v), want %q (%v)", tc.reason, balancer.Message(err), kind, tc.text, tc.kind)
		}
	}
}

// TestPages: a list is read to its end, or it is an error.
func TestPages(t *testing.T) {
	page := func(id, token string) string {
		return fmt.Sprintf(`<DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><subnetSet><item><subnetId>%s</subnetId></item></subnetSet><nextToken>%s</nextToken></DescribeSubnetsResponse>`, id, token)
	}

	client, forms := answering(t, http.StatusOK, page("subnet-1", "one"), page("subnet-2", "two"), page("subnet-3", ""))
	subnets, err := client.Subnets(t.Context(), In("vpc-1"))
	if err != nil || len(subnets) != 3 || subnets[2].ID != "subnet-3" {
		t.Errorf("got %v, %v", subnets, err)
	}
	if got := []string{(*forms)[0].Get("NextToken"), (*forms)[1].Get("NextToken"), (*forms)[2].Get("NextToken")}; !cmp.Equal(got, []string{"", "one", "two"}) {
		t.Errorf("asked with tokens %q", got)
	}

	client, _ = answering(t, http.StatusOK, page("subnet-1", "one"))
	if _, err := client.Subnets(t.Context()); err == nil || !strings.Contains(err.Error(), "followed by itself") {
		t.Errorf("a page that names itself: got %v", err)
	}
	client, _ = answering(t, http.StatusOK, page("subnet-1", "")[:100])
	if subnets, err := client.Subnets(t.Context()); err == nil {
		t.Errorf("half an answer: got %v", subnets)
	}
	client, _ = answering(t, http.StatusOK, page("subnet-1", "one"), "")
	if subnets, err := client.Subnets(t.Context()); err == nil {
		t.Errorf("an empty answer: got %v", subnets)
	}
}

// TestStrangeAnswers: what is no error document still says what the status says.
func TestStrangeAnswers(t *testing.T) {
	for status, kind := range map[int]error{http.StatusForbidden: balancer.ErrDenied, http.StatusTooManyRequests: balancer.ErrThrottled} {
		client, _ := answering(t, status, "<html>no</html>")
		if _, err := client.Zones(t.Context()); !errors.Is(err, kind) {
			t.Errorf("status %d: got %v, want %v", status, err, kind)
		}
	}
	client, _ := answering(t, http.StatusOK, "<html><body>sign in</body></html>")
	if zones, err := client.Zones(t.Context()); err == nil {
		t.Errorf("a page of a proxy: got %v", zones)
	}
	client, _ = answering(t, http.StatusOK, "{}")
	if err := client.DeleteSecurityGroup(t.Context(), "sg-1"); err == nil {
		t.Error("what is no document passes for success")
	}
}

// TestWithin: each call goes through the budget, under the name of its operation.
func TestWithin(t *testing.T) {
	sim, _ := simulate(t, testVPC)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)

	var charges []podaws.Charge
	refuse := error(nil)
	client := clientOf(server.URL, func(ctx context.Context, c podaws.Charge, call func(context.Context) error) error {
		if charges = append(charges, c); refuse != nil {
			return refuse
		}
		return call(ctx)
	})
	if _, err := client.Zones(t.Context()); err != nil {
		t.Fatal(err)
	}
	id, err := client.CreateSecurityGroup(t.Context(), SecurityGroup{Name: "web", Description: "web", VPC: "vpc-1"})
	if err != nil || id == "" {
		t.Fatal(id, err)
	}
	if diff := cmp.Diff([]podaws.Charge{{Service: "ec2", Operation: "DescribeAvailabilityZones"}, {Service: "ec2", Operation: "CreateSecurityGroup", Changes: true}}, charges); diff != "" {
		t.Error(diff)
	}

	refuse = balancer.ErrThrottled
	calls := len(sim.Calls(0))
	if err := client.DeleteSecurityGroup(t.Context(), id); !errors.Is(err, refuse) || len(sim.Calls(0)) != calls {
		t.Errorf("without budget: got %v, and %d calls", err, len(sim.Calls(0))-calls)
	}
}
