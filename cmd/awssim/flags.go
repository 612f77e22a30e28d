// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/podgate/podgate/sim/awssim"
)

// parse reads the command line: where to listen, and the configuration.
func parse(args []string, usage io.Writer) (string, awssim.Config, error) {
	var listen string
	var cfg awssim.Config
	f := flags(&listen, &cfg, usage)
	if err := f.Parse(args); err != nil {
		return "", cfg, err
	}
	if f.NArg() > 0 {
		return "", cfg, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return listen, cfg, nil
}

// flags are all flags, with their defaults written into listen and cfg.
func flags(listen *string, cfg *awssim.Config, usage io.Writer) *flag.FlagSet {
	*cfg = awssim.Config{}
	cfg.ALB, cfg.NLB = awssim.DefaultALB(), awssim.DefaultNLB()
	cfg.Accounts, cfg.Instances = map[string]string{}, map[string]string{}

	f := flag.NewFlagSet("awssim", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(listen, "listen", "127.0.0.1:4566", "`address` of the AWS API and of the control API")
	f.StringVar(&cfg.Region, "region", "eu-west-1", "the one region")
	f.StringVar(&cfg.AccountID, "account", "123456789012", "account of access keys that have no other")
	f.StringVar(&cfg.DataAddress, "data-address", "127.0.0.1", "address that listeners of load balancers bind")
	f.BoolVar(&cfg.NoDataPath, "no-data-path", false, "bind no listener of a load balancer")
	f.BoolVar(&cfg.EphemeralPorts, "ephemeral-ports", false, "bind listeners to free ports; GET /_awssim/listeners tells which")
	f.StringVar(&cfg.Profile, "profile", "auto", "timings of every group: alb, nlb, or auto: by its protocol")
	f.Float64Var(&cfg.TimeScale, "time-scale", 1, "how many times faster the simulator's own timers run")
	f.DurationVar(&cfg.ProvisionDelay, "provision-delay", 0, "how long a new load balancer is provisioning")
	f.DurationVar(&cfg.DescribeLag, "describe-lag", 0, "how far DescribeTargetHealth always lags behind")
	f.DurationVar(&cfg.CreateLag, "create-lag", 0, "how long calls do not find a new load balancer, listener or rule, nor delete a target group that was in use")
	f.DurationVar(&cfg.ChangeLag, "change-lag", 0, "how far calls that describe tags, attributes, settings and what is there lag behind")
	f.BoolVar(&cfg.Relaxed, "relaxed", false, "allow health-check intervals from 1 s, and checks that are off for ip and instance groups")
	f.BoolVar(&cfg.RefuseDraining, "refuse-draining", false, "answer InvalidTarget when a draining target is registered")
	f.StringVar(&cfg.Throttle, "throttle", awssim.ThrottleCurrent, "token buckets: current, classic (as documented earlier), off")
	f.IntVar(&cfg.Quotas.TargetGroups, "target-groups", 0, "quota of target groups (0: 3,000)")
	f.IntVar(&cfg.Quotas.TargetsPerGroup, "targets-per-group", 0, "quota of targets in a group (0: 1,000)")
	profileFlags(f, "alb", cfg.ALB)
	profileFlags(f, "nlb", cfg.NLB)
	latticeFlags(f, &cfg.Lattice)
	ec2Flags(f, &cfg.EC2)
	acmFlags(f, &cfg.ACM)
	f.Func("vpc-cidr", "`prefix` of the VPC; may be repeated; none: every address is inside", func(v string) error {
		p, err := netip.ParsePrefix(v)
		cfg.VPCCIDRs = append(cfg.VPCCIDRs, p)
		return err
	})

	f.Func("instance", "`id=address` of an instance; may be repeated", pairs(cfg.Instances))
	f.Func("access-key", "`id=account` of an access key; may be repeated", pairs(cfg.Accounts))
	f.Func("role", "`arn[,external id]` of a role that can be assumed; may be repeated; none: any can", func(v string) error {
		arn, id, _ := strings.Cut(v, ",")
		cfg.Roles = append(cfg.Roles, awssim.Role{ARN: arn, ExternalID: id})
		return nil
	})

	refused := &awssim.APIError{Code: "AccessDenied"}
	f.Func("deny-access-key", "access key `id` whose every call is refused; may be repeated", func(v string) error {
		cfg.Faults = append(cfg.Faults, awssim.Fault{AccessKeyID: v, Error: refused})
		return nil
	})

	f.Func("deny-operation", "`operation` that is refused; may be repeated", func(v string) error {
		cfg.Faults = append(cfg.Faults, awssim.Fault{Operation: v, Error: refused})
		return nil
	})

	f.Func("deny-role", "`arn` of a role that cannot be assumed; may be repeated", func(v string) error {
		cfg.Faults = append(cfg.Faults, awssim.Fault{Operation: "AssumeRole", RoleARN: v, Error: refused})
		return nil
	})

	return f
}

// profileFlags are the timings of one profile.
func profileFlags(f *flag.FlagSet, name string, p *awssim.Profile) {
	f.DurationVar(&p.RegistrationDelay, name+"-registration-delay", p.RegistrationDelay, "from registration to the first health check")
	f.IntVar(&p.InitialHealthyChecks, name+"-initial-healthy-checks", p.InitialHealthyChecks, "passed checks that make a new target healthy; 0: the healthy threshold")
	f.DurationVar(&p.RoutableDelay, name+"-routable-delay", p.RoutableDelay, "from healthy in the API to the first request")
	f.DurationVar(&p.UnhealthyRoutingDelay, name+"-unhealthy-routing-delay", p.UnhealthyRoutingDelay, "from unhealthy in the API to the last ordinary request")
	f.DurationVar(&p.DrainRoutingDelay, name+"-drain-routing-delay", p.DrainRoutingDelay, "from draining in the API to the last new request")
}

func pairs(into map[string]string) func(string) error {
	return func(v string) error {
		key, value, ok := strings.Cut(v, "=")
		if !ok {
			return errors.New("wants key=value")
		}
		into[key] = value
		return nil
	}
}
