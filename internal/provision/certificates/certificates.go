// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certificates chooses certificates of ACM for the hosts of a load
// balancer, each host by itself: one without a certificate takes none from the
// others.
//
// It is pure: it is given the certificates and the time. It reads no Secret,
// since a load balancer serves certificates of ACM alone.
package certificates

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Certificate is a certificate as ACM describes it.
type Certificate struct {
	ARN string
	// Names are the domain name and the alternative ones. One may begin with *., which is one label.
	Names []string
	// Status is ISSUED or one that no client is served with.
	Status string
	// Type is AMAZON_ISSUED, IMPORTED or PRIVATE.
	Type string
	// Authority is the ARN of the private authority that issued it, if one did.
	Authority string
	// Algorithm is the key's, such as RSA_2048 or EC_prime256v1.
	Algorithm           string
	NotBefore, NotAfter time.Time
}

// Host is a host of an Ingress.
type Host struct {
	// Name may begin with *., as in Ingresses. It is empty for rules without a host.
	Name string
	// Named are the ARNs that the Ingress names; none: they are looked for.
	Named []string
}

// Found is what a host gets.
type Found struct {
	Host string
	// ARNs are of certificates, the best one first. There are several where an Ingress names several, or for clients that
	// know only one kind of key.
	ARNs []string
	// Problem is for people, and empty if there is none. It concerns this host alone. There may be certificates nevertheless.
	Problem string
	// Unknown: nobody could tell what there is for the host. It keeps what it has.
	Unknown bool
}

// ForHosts returns for each host in turn the certificates for it. Those that an Ingress names win for its hosts: none that
// clients would trust less is chosen for another host if it is for those hosts as well.
func ForHosts(have []Certificate, hosts []Host, now time.Time) []Found {
	c := chooser{have: have, hosts: hosts, now: now}
	found := make([]Found, 0, len(hosts))
	for _, h := range hosts {
		if len(h.Named) > 0 {
			found = append(found, c.named(h))
			continue
		}
		found = append(found, c.search(h.Name))
	}
	return found
}

type chooser struct {
	have []Certificate
	now  time.Time
	// hosts are all of them. Some have certificates that their Ingresses name.
	hosts []Host
}

// named are the certificates that an Ingress names, without those that AWS refuses. ACM does not know those of IAM, which
// are taken at their word.
func (c *chooser) named(h Host) Found {
	found := Found{Host: h.Name}
	var unfit []string
	covered := h.Name == ""
	for _, arn := range h.Named {
		i := slices.IndexFunc(c.have, func(have Certificate) bool { return have.ARN == arn })
		if i < 0 {
			covered = true
		} else if why := c.unusable(c.have[i]); why != "" {
			unfit = append(unfit, fmt.Sprintf("certificate %s %s", arn, why))
			continue
		} else if match(c.have[i], h.Name) != none {
			covered = true
		}
		found.ARNs = append(found.ARNs, arn)
	}

	switch {
	case len(unfit) > 0:
		found.Problem = strings.Join(unfit, "; ")
	case !covered:
		found.Problem = fmt.Sprintf("none of the certificates that are named is for host %s: clients that check it refuse to connect", h.Name)
	}
	return found
}

// search finds the best certificate for a host, and the best of those with the other kind of key that is as trusted.
func (c *chooser) search(host string) Found {
	var fit []Certificate
	var unfit []string
	for _, have := range c.have {
		if match(have, host) == none {
			continue
		}
		if why := cmp.Or(c.unusable(have), c.harms(have)); why != "" {
			unfit = append(unfit, fmt.Sprintf("%s %s", have.ARN, why))
			continue
		}
		fit = append(fit, have)
	}

	if len(fit) == 0 {
		slices.Sort(unfit)
		return Found{Host: host, Problem: missing(host, unfit)}
	}

	slices.SortFunc(fit, func(a, b Certificate) int { return better(a, b, host) })
	found := Found{Host: host, ARNs: []string{fit[0].ARN}}
	for _, other := range fit[1:] {
		if trust(other) == trust(fit[0]) && elliptic(other) != elliptic(fit[0]) {
			found.ARNs = append(found.ARNs, other.ARN)
			break
		}
	}
	return found
}

func missing(host string, unfit []string) string {
	if host == "" {
		return "rules without a host have no certificate that could be looked for: name one in the annotation certificate-arn"
	}
	if len(unfit) == 0 {
		return fmt.Sprintf("no certificate in ACM is for host %s: request or import one, or name one in the annotation certificate-arn", host)
	}
	return fmt.Sprintf("no certificate in ACM can be used for host %s: %s", host, strings.Join(unfit, "; "))
}

// unusable says why clients cannot be served with a certificate.
func (c *chooser) unusable(of Certificate) string {
	switch {
	case !of.NotAfter.IsZero() && !c.now.Before(of.NotAfter):
		return "has expired"
	case of.Status != "ISSUED":
		return fmt.Sprintf("has the status %s, and only ISSUED can be used", of.Status)
	case c.now.Before(of.NotBefore):
		return "is not valid yet"
	}
	return ""
}

// harms says that a certificate is also for a host whose Ingress names one that is trusted more: the load balancer would
// choose between the two by itself.
func (c *chooser) harms(of Certificate) string {
	for _, h := range c.hosts {
		if match(of, h.Name) == none || slices.Contains(h.Named, of.ARN) {
			continue
		}
		for _, have := range c.have {
			if slices.Contains(h.Named, have.ARN) && c.unusable(have) == "" && trust(have) < trust(of) {
				return fmt.Sprintf("is also for host %s, whose Ingress names a certificate that clients trust more", h.Name)
			}
		}
	}
	return ""
}

// better orders certificates for a host, the best one first.
func better(a, b Certificate, host string) int {
	return cmp.Or(
		cmp.Compare(trust(a), trust(b)),
		cmp.Compare(match(a, host), match(b, host)),
		b.NotAfter.Compare(a.NotAfter),
		strings.Compare(a.ARN, b.ARN),
	)
}

// trust is lower for certificates that more clients trust: those of public authorities, then those whose authority ACM does
// not know, then those of private ones.
func trust(of Certificate) int {
	switch {
	case of.Authority != "" || of.Type == "PRIVATE":
		return 2
	case of.Type == "AMAZON_ISSUED":
		return 0
	}
	return 1
}

func elliptic(of Certificate) bool { return strings.HasPrefix(of.Algorithm, "EC") }

// How a certificate is for a host, the better way first.
const (
	exact = iota
	wildcard
	none
)

// match reports how a certificate is for a host, whatever the case.
func match(of Certificate, host string) int {
	host = strings.ToLower(host)
	best := none
	for _, name := range of.Names {
		name = strings.ToLower(name)
		if name == host {
			return exact
		}

		label, domain, _ := strings.Cut(host, ".")
		if rest, is := strings.CutPrefix(name, "*."); is && label != "" && rest == domain {
			best = wildcard
		}
	}
	return best
}
