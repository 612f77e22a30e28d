// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"strings"

	"github.com/podgate/podgate/sim/awssim"
)

// acmFlags are those of ACM.
func acmFlags(f *flag.FlagSet, c *awssim.ACM) {
	f.DurationVar(&c.IssueDelay, "acm-issue-delay", 0, "how long a requested certificate is pending validation")
	f.Func("certificate", "`id=domain[,domain]` of a certificate in ACM; may be repeated", func(v string) error {
		id, domains, ok := strings.Cut(v, "=")
		if !ok {
			return errors.New("wants id=domain")
		}
		c.Certificates = append(c.Certificates, awssim.Certificate{ID: id, Domains: strings.Split(domains, ",")})
		return nil
	})
}
