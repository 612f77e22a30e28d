// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/podgate/podgate/sim/awssim"
)

// latticeFlags are those of VPC Lattice. Of what AWS makes in the background the program makes groups and services in
// seconds, so that nobody takes a new one for finished.
func latticeFlags(f *flag.FlagSet, l *awssim.Lattice) {
	l.Timing = awssim.DefaultLattice()
	f.DurationVar(&l.CreateDelay, "lattice-create-delay", 2*time.Second, "how long a new target group or service is CREATE_IN_PROGRESS")
	f.DurationVar(&l.AssociateDelay, "lattice-associate-delay", 5*time.Second, "how long a new or changed association is in progress")
	f.DurationVar(&l.DeleteDelay, "lattice-delete-delay", 2*time.Second, "how long something deleted is DELETE_IN_PROGRESS")
	f.DurationVar(&l.ListLag, "lattice-list-lag", 0, "how long ListTargetGroups does not show a new group")
	f.DurationVar(&l.TokenLifetime, "lattice-token-lifetime", time.Hour, "how long a page token is good")
	f.DurationVar(&l.DrainDelay, "lattice-drain-delay", time.Minute, "how long a deregistered target is DRAINING")
	f.BoolVar(&l.StopUnchecked, "lattice-stop-unchecked", false, "end the traffic of draining targets without health checks as early as of others")
	f.BoolVar(&l.OpenNetworks, "lattice-open-networks", false, "let service networks answer without a VPC association")
	profileFlags(f, "lattice", l.Timing)
	f.Func("lattice-assume", "`key[=value]` of what AWS does not document; may be repeated; see docs/awssim.md", assume(l))
}

// assume reads one assumption.
func assume(l *awssim.Lattice) func(string) error {
	a := &l.Assumptions
	texts := map[string]*string{"token-reuse": &a.TokenReuse, "name-taken": &a.NameTaken}
	numbers := map[string]*int{"tls-port": &a.TLSPort, "highest-match": &a.HighestMatch, "vpcs-per-network": &l.Quotas.VPCsPerNetwork}
	switches := map[string]*bool{
		"refuse-whole-call": &a.RefuseWholeCall, "list-unregistered": &a.ListUnregistered, "refuse-draining": &a.RefuseDraining,
		"case-sensitive-path": &a.CaseSensitivePath, "match-query": &a.MatchQuery, "close-unknown-host": &a.CloseUnknownHost,
	}

	return func(text string) error {
		key, value, _ := strings.Cut(text, "=")
		if to := texts[key]; to != nil {
			if value != "conflict" && value != "validation" {
				return errors.New("wants conflict or validation")
			}
			*to = value
			return nil
		}

		var err error
		switch {
		case numbers[key] != nil:
			*numbers[key], err = strconv.Atoi(value)
		case switches[key] != nil:
			*switches[key], err = strconv.ParseBool(cmp.Or(value, "true"))
		default:
			err = fmt.Errorf("no assumption %q", key)
		}
		return err
	}
}
