// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Policy says how long certificates live and how long the steps of a rotation take.
type Policy struct {
	// Names are the DNS names, or addresses, that the serving certificate is valid for; see DNSNames.
	Names []string
	// CAValidity is the life of an authority. It is replaced when two thirds are over.
	CAValidity time.Duration
	// ServingValidity is the life of a serving pair, cut short by its authority's end. It
	// is replaced when two thirds are over.
	ServingValidity time.Duration
	// Propagation is how long a new authority is published in caBundle before its first
	// pair is served: longer than an API server needs to hear of a change and a call may
	// take together. A call keeps to the caBundle that it began with, and may dial again
	// until its timeout: Go's HTTP/2 client does, one, two and four seconds later, when a
	// replica closes connections.
	Propagation time.Duration
	// Overlap is how long an old authority stays trusted after its last pair was replaced:
	// longer than any replica that is called can go without hearing of a change. A replica
	// that its node has lost stops being called after about 50 seconds.
	Overlap time.Duration
}

// DNSNames are the names by which API servers call podgate's Service in a namespace.
func DNSNames(namespace string) []string {
	name := ServiceName + "." + namespace + ".svc"
	return []string{name, name + ".cluster.local"}
}

// DefaultPolicy suits a podgate that runs in a namespace.
func DefaultPolicy(namespace string) Policy {
	const day = 24 * time.Hour
	return Policy{
		Names: DNSNames(namespace), CAValidity: 365 * day, ServingValidity: 90 * day,
		Propagation: 15 * time.Second, Overlap: 5 * time.Minute,
	}
}

// recheck bounds how long the runner sleeps, should a watch hang: several times shorter
// than the overlap.
func (p Policy) recheck() time.Duration {
	return min(time.Minute, max(p.Overlap/5, time.Second))
}

// validate refuses what would rotate without end.
func (p Policy) validate() error {
	if len(p.Names) == 0 {
		return errors.New("no DNS name for the webhook's certificate")
	}

	for _, name := range p.Names {
		probe := x509.Certificate{}
		probe.DNSNames, probe.IPAddresses = split([]string{name})
		if err := probe.VerifyHostname(name); err != nil {
			return fmt.Errorf("no certificate can be made for the name %q", name)
		}
	}

	if p.Propagation < 0 || p.Overlap < 0 {
		return fmt.Errorf("propagation wait %s and overlap %s must not be negative", p.Propagation, p.Overlap)
	}
	if p.ServingValidity < time.Minute {
		return fmt.Errorf("validity %s of the serving certificate is shorter than a minute", p.ServingValidity)
	}
	if p.CAValidity < p.ServingValidity {
		return fmt.Errorf("validity %s of the authority is shorter than the serving certificate's %s", p.CAValidity, p.ServingValidity)
	}

	if spare := p.ServingValidity / 3; p.Propagation+p.Overlap > spare {
		return fmt.Errorf("propagation wait %s and overlap %s take longer than %s, a third of the serving certificate's validity", p.Propagation, p.Overlap, spare)
	}

	return nil
}
