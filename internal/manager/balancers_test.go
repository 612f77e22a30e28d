// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/podgate/podgate/internal/balancer"
)

// TestOneAccountHasOneBudget: a role of podgate's own account draws on the budget of podgate's own calls to each service, as
// soon as one of those calls has shown which account that is.
func TestOneAccountHasOneBudget(t *testing.T) {
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/targetgroups/") {
			fmt.Fprint(w, `{"items":[]}`)
			return
		}
		fmt.Fprint(w, `<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions/></DescribeTargetHealthResult></DescribeTargetHealthResponse>`)
	}))
	t.Cleanup(aws.Close)
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAOWN")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")

	for kind, group := range map[balancer.Kind]string{
		"elbv2":   "arn:aws:elasticloadbalancing:eu-test-1:123456789012:targetgroup/web/0123456789abcdef",
		"lattice": "arn:aws:vpc-lattice:eu-test-1:123456789012:targetgroup/tg-0123456789abcdef0",
	} {
		var c Config
		c.AWS.Region, c.AWS.DescribeRate, c.AWS.DescribeBurst = "eu-test-1", 10, 10
		b, err := newBalancers(t.Context(), prometheus.NewRegistry(), c)
		if err != nil {
			t.Fatal(err)
		}

		own := balancer.Ref{Provider: kind, Group: group}
		role := balancer.Ref{Provider: kind, Group: group, RoleARN: "arn:aws:iam::123456789012:role/web"}
		if b.Drivers.Account(own) == b.Drivers.Account(role) {
			t.Errorf("%s: nobody knows podgate's account yet", kind)
		}
		if _, err := b.Health(t.Context(), balancer.Group{Ref: own}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if a, b := b.Drivers.Account(own), b.Drivers.Account(role); a != b {
			t.Errorf("%s: budgets %q and %q", kind, a, b)
		}
	}
}
