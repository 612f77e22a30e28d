// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestIngressFlags: what --ingress needs is said at the start, all at once, and nothing is needed without it.
func TestIngressFlags(t *testing.T) {
	const enough = "--ingress --cluster-name=shop --vpc-id=vpc-1"
	for args, want := range map[string][]string{
		"":          nil,
		enough:      nil,
		"--ingress": {"--cluster-name", "--vpc-id"},
		"--cluster-name=shop --default-target-type=pod":            nil,
		enough + " --target-group-bindings=annotated":              nil,
		enough + " --target-group-bindings=none":                   {"--target-group-bindings"},
		enough + " --default-target-type=pod":                      {"--default-target-type"},
		enough + " --default-load-balancer-scheme=public":          {"--default-load-balancer-scheme"},
		enough + " --default-target-type=ip":                       nil,
		enough + " --default-load-balancer-scheme=internet-facing": nil,
		"--ingress --cluster-name=shop":                            {"--vpc-id"},
		"--ingress --vpc-id=vpc-1":                                 {"--cluster-name"},
		"--gateway-api":                                            {"--gateway-api needs --cluster-name", "--gateway-api needs --vpc-id"},
		"--gateway-api --cluster-name=shop --vpc-id=vpc-1":         nil,
	} {
		c := Config{}
		fs := flag.NewFlagSet("podgate", flag.ContinueOnError)
		c.Bind(fs)
		c.Namespace = "podgate-system"
		if err := fs.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}

		err := c.Validate()
		if (err != nil) != (want != nil) {
			t.Errorf("%q: got %v", args, err)
		}
		for _, flag := range want {
			if err != nil && !strings.Contains(err.Error(), flag) {
				t.Errorf("%q: %v does not name %s", args, err, flag)
			}
		}
		if err != nil && len(strings.Split(err.Error(), "\n")) != len(want) {
			t.Errorf("%q: says more than is wrong: %v", args, err)
		}
	}
}

func TestRepeatedFlags(t *testing.T) {
	c := Config{}
	fs := flag.NewFlagSet("podgate", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.Bind(fs)
	if err := fs.Parse([]string{"--ingress-controller=a", "--ingress-controller=b", `--default-tags=team=a\,b, cost=1`, "--default-tags=team=c"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list{"a", "b"}, c.Ingress.Controllers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(pairs{"team": "c", "cost": "1"}, c.Ingress.Tags); diff != "" {
		t.Error(diff)
	}
	if got := c.Ingress.Controllers.String(); got != "a,b" {
		t.Error(got)
	}
	if tags := (pairs{"b": "1,2", "a": "3"}); tags.String() != `a=3,b=1\,2` {
		t.Error(tags.String())
	}

	for _, wrong := range []string{"--ingress-controller=", "--default-tags=team", "--default-tags==x", "--default-tags="} {
		if err := fs.Parse([]string{wrong}); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}
