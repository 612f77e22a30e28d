// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

// action is what a step does. Its zero value does nothing.
type action int

const (
	// wait: nothing is to be done until time has passed or an object changes.
	wait action = iota
	// publish: make caBundle what ca.crt says.
	publish
	// establish: make a new authority, the signer from now on, and keep trusting the old.
	establish
	// issue: make a new serving pair.
	issue
	// retire: stop trusting every authority but the signer.
	retire
)

// step is what to do next.
type step struct {
	do action
	// after is when to look again, for wait.
	after time.Duration
	// serving, for establish: issue the first pair at once, since nobody trusts any other.
	serving bool
	// because says why, for people.
	because string
}

// bundles are the caBundles of the webhook configuration's entries; none when it is missing.
type bundles [][]byte

// are reports whether every entry has the bundle.
func (b bundles) are(want []byte) bool {
	return !slices.ContainsFunc(b, func(have []byte) bool { return !bytes.Equal(have, want) })
}

// trust is every certificate in them that can be read.
func (b bundles) trust() []*x509.Certificate {
	var out []*x509.Certificate
	for _, raw := range b {
		certs, _ := parseCerts(raw) // What API servers cannot read they do not trust.
		out = append(out, certs...)
	}
	return out
}

// seen is what a replica itself observed, by its own clock.
type seen struct {
	// published is since when neither ca.crt nor the webhook configuration has changed.
	published time.Time
	// served is since when the Secret has held its pair.
	served time.Time
}

// next reads off the objects which step comes next. It is the whole of the order that
// keeps every replica trusted.
func next(m material, b bundles, s seen, now time.Time, p Policy) step {
	if !m.ours {
		return follow(m, b, p)
	}
	if m.signer == nil {
		return begin(m, b, now)
	}

	// Renewal comes first, so that no fight over caBundle can keep it from happening.
	current := m.pair != nil && m.signer.issued(m.pair)
	if current {
		if due := renew(m, now, p); due.do != wait {
			return due
		}
	}

	if !b.are(encodeCerts(m.trust...)) {
		return step{do: publish, because: "caBundle differs from " + keyTrust}
	}
	if !current {
		return switchOver(s, now, p)
	}

	return settle(m, s, now, p)
}

// follow publishes what somebody else put into the Secret.
func follow(m material, b bundles, p Policy) step {
	if m.pair != nil && len(m.trust) > 0 && !b.are(encodeCerts(m.trust...)) {
		return step{do: publish, because: "caBundle differs from " + keyTrust}
	}
	return step{after: p.recheck()}
}

// begin makes the first authority, or one that replaces what was lost. As long as
// anybody trusts another, some replica may be serving a pair of it, and so the new one
// is published first.
func begin(m material, b bundles, now time.Time) step {
	why := "there is none"
	if m.exists && m.problem != nil {
		why = "the Secret could not be used: " + m.problem.Error()
	}
	return step{do: establish, serving: m.pair == nil && len(merge(now, b.trust())) == 0, because: why}
}

// switchOver issues the signer's first pair once every API server has heard of it.
func switchOver(s seen, now time.Time, p Policy) step {
	if left := s.published.Add(p.Propagation).Sub(now); left > 0 {
		return step{after: left}
	}
	return step{do: issue, because: "the new authority is published"}
}

// renew makes anew what is due, the authority before the pair that it would cut short.
func renew(m material, now time.Time, p Policy) step {
	if why := newSignerBecause(m, now); why != "" {
		return step{do: establish, because: why}
	}
	if why := newPairBecause(m, now, p); why != "" {
		return step{do: issue, because: why}
	}
	return step{}
}

func newSignerBecause(m material, now time.Time) string {
	if m.rotate == RotateCA {
		return fmt.Sprintf("annotation %s asks for it", v1alpha1.RotateAnnotation)
	}
	if !now.Before(renewAt(m.signer.cert)) {
		return "two thirds of the authority's life are over"
	}
	return ""
}

func newPairBecause(m material, now time.Time, p Policy) string {
	if m.rotate == RotateServing {
		return fmt.Sprintf("annotation %s asks for it", v1alpha1.RotateAnnotation)
	}
	if !m.pair.covers(p.Names) {
		return "the certificate does not cover the webhook's names"
	}
	if now.Before(m.pair.leaf.NotBefore) {
		return "the certificate is not valid yet"
	}
	if !now.Before(renewAt(m.pair.leaf)) {
		return "two thirds of the certificate's life are over"
	}

	return ""
}

// settle ends a rotation, or waits for the next.
func settle(m material, s seen, now time.Time, p Policy) step {
	after := min(p.recheck(), renewAt(m.signer.cert).Sub(now), renewAt(m.pair.leaf).Sub(now))
	if len(m.trust) == 1 {
		return step{after: after}
	}
	left := s.served.Add(p.Overlap).Sub(now)
	if left <= 0 {
		return step{do: retire, because: "the overlap is over"}
	}
	return step{after: min(after, left)}
}
