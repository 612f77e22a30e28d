// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

// epoch is when the tests' first authorities are made.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// testPolicy rotates within minutes.
var testPolicy = Policy{
	Names: []string{"podgate-webhook.podgate-system.svc"}, CAValidity: 3 * time.Hour, ServingValidity: time.Hour,
	Propagation: 10 * time.Second, Overlap: 5 * time.Minute,
}

func mustAuthority(t *testing.T, now time.Time) *authority {
	t.Helper()
	a, err := newAuthority(now, testPolicy.CAValidity)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustPair(t *testing.T, a *authority, now time.Time, names ...string) *pair {
	t.Helper()
	if names == nil {
		names = testPolicy.Names
	}
	p, err := a.issue(now, testPolicy.ServingValidity, names)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNext(t *testing.T) {
	ca0, ca1 := mustAuthority(t, epoch), mustAuthority(t, epoch)
	pair0, pair1 := mustPair(t, ca0, epoch), mustPair(t, ca1, epoch)
	old, both := []*x509.Certificate{ca0.cert}, []*x509.Certificate{ca1.cert, ca0.cert}
	oldPEM, bothPEM := encodeCerts(old...), encodeCerts(both...)
	settled := material{exists: true, ours: true, trust: old, signer: ca0, pair: pair0}
	rotating := material{exists: true, ours: true, trust: both, signer: ca1, pair: pair0}
	switched := material{exists: true, ours: true, trust: both, signer: ca1, pair: pair1}
	with := func(m material, change func(*material)) material { change(&m); return m }
	longAgo := seen{published: epoch.Add(-time.Hour), served: epoch.Add(-time.Hour)}

	cases := map[string]struct {
		reason   string
		material material
		bundles  bundles
		seen     seen
		at       time.Duration
		want     step
	}{
		"Installed": {
			reason:   "At first nobody trusts anything, so the first pair can be served at once.",
			material: material{ours: true}, bundles: bundles{nil},
			want: step{do: establish, serving: true},
		},
		"InstalledBeforeConfiguration": {
			reason:   "The Secret does not wait for the webhook configuration.",
			material: material{ours: true},
			want:     step{do: establish, serving: true},
		},
		"PreparedEmpty": {
			reason:   "An empty Secret that somebody created is filled.",
			material: material{exists: true, ours: true}, bundles: bundles{nil},
			want: step{do: establish, serving: true},
		},
		"DeletedWhileServing": {
			reason:   "The Secret was deleted: the old pair is served until its successor's authority is published.",
			material: material{ours: true, pair: pair0}, bundles: bundles{oldPEM},
			want: step{do: establish},
		},
		"DeletedAndForgotten": {
			reason:   "This replica has just started, but caBundle shows that others may be serving.",
			material: material{ours: true}, bundles: bundles{nil, oldPEM},
			want: step{do: establish},
		},
		"DeletedBundleGarbage": {
			reason:   "Nobody trusts what cannot be read.",
			material: material{ours: true}, bundles: bundles{[]byte("garbage")},
			want: step{do: establish, serving: true},
		},
		"SignerUnusable": {
			reason:   "Without a signer nothing could be renewed.",
			material: with(settled, func(m *material) { m.signer, m.problem = nil, errors.New("ca.key: no PEM data") }), bundles: bundles{oldPEM},
			want: step{do: establish},
		},
		"BundleEmpty":          {reason: "A new configuration gets its caBundle.", material: settled, bundles: bundles{nil}, want: step{do: publish}},
		"BundleChanged":        {reason: "A caBundle that somebody changed is repaired.", material: settled, bundles: bundles{oldPEM, bothPEM}, want: step{do: publish}},
		"ConfigurationMissing": {reason: "Without a configuration there is nothing to publish to.", material: settled, want: step{after: time.Minute}},
		"Settled":              {reason: "Nothing to do but to look again now and then.", material: settled, bundles: bundles{oldPEM, oldPEM}, seen: longAgo, want: step{after: time.Minute}},
		"ServingSoonDue": {
			reason:   "The next renewal is waited for to the point.",
			material: settled, bundles: bundles{oldPEM}, at: renewAt(pair0.leaf).Sub(epoch) - time.Second,
			want: step{after: time.Second},
		},
		"ServingDue": {
			reason:   "At two thirds of its life the pair is renewed, by the same authority, without a wait.",
			material: settled, bundles: bundles{oldPEM}, at: renewAt(pair0.leaf).Sub(epoch),
			want: step{do: issue},
		},
		"ServingExpired":         {reason: "Late is better than never.", material: settled, bundles: bundles{oldPEM}, at: 90 * time.Minute, want: step{do: issue}},
		"ServingDueBundleBroken": {reason: "A fight over caBundle does not keep the pair from its renewal.", material: settled, bundles: bundles{nil}, at: 50 * time.Minute, want: step{do: issue}},
		"ServingNotYetValid":     {reason: "A pair made by a clock that was ahead is no use.", material: settled, bundles: bundles{oldPEM}, at: -30 * time.Minute, want: step{do: issue}},
		"ServingRequested": {
			reason:   "The annotation asks for a new pair.",
			material: with(settled, func(m *material) { m.rotate = "serving" }), bundles: bundles{oldPEM},
			want: step{do: issue},
		},
		"OtherNames": {
			reason:   "A pair that does not cover the names is no use.",
			material: with(settled, func(m *material) { m.pair = mustPair(t, ca0, epoch, "elsewhere.svc") }), bundles: bundles{oldPEM},
			want: step{do: issue},
		},
		"UnknownRequest": {
			reason:   "An annotation that nobody understands asks for nothing.",
			material: with(settled, func(m *material) { m.rotate = "all" }), bundles: bundles{oldPEM}, seen: longAgo,
			want: step{after: time.Minute},
		},
		"AuthorityDue":     {reason: "At two thirds of its life the authority is replaced, before a pair is cut short by it.", material: settled, bundles: bundles{oldPEM}, at: 2 * time.Hour, want: step{do: establish}},
		"AuthorityExpired": {reason: "An expired authority is replaced and never issues.", material: settled, bundles: bundles{oldPEM}, at: 4 * time.Hour, want: step{do: establish}},
		"AuthorityRequested": {
			reason:   "The annotation asks for a new authority.",
			material: with(settled, func(m *material) { m.rotate = "ca" }), bundles: bundles{oldPEM},
			want: step{do: establish},
		},
		"RotationUnpublished": {reason: "First the new authority is published.", material: rotating, bundles: bundles{oldPEM}, seen: longAgo, want: step{do: publish}},
		"RotationHalfPublished": {
			reason:   "It counts as published when every entry has it.",
			material: rotating, bundles: bundles{bothPEM, oldPEM}, seen: longAgo,
			want: step{do: publish},
		},
		"RotationPropagating": {
			reason:   "API servers get time to hear of it.",
			material: rotating, bundles: bundles{bothPEM}, seen: seen{published: epoch}, at: 4 * time.Second,
			want: step{after: 6 * time.Second},
		},
		"RotationPropagated": {
			reason:   "Then it issues its first pair.",
			material: rotating, bundles: bundles{bothPEM}, seen: seen{published: epoch}, at: 10 * time.Second,
			want: step{do: issue},
		},
		"RotationRequestedTwice": {
			reason:   "A second request waits until the first has been served.",
			material: with(rotating, func(m *material) { m.rotate = "ca" }), bundles: bundles{bothPEM}, seen: seen{published: epoch}, at: time.Second,
			want: step{after: 9 * time.Second},
		},
		"Overlap": {
			reason:   "The old authority stays trusted until every replica has surely switched.",
			material: switched, bundles: bundles{bothPEM}, seen: seen{published: epoch, served: epoch}, at: 4*time.Minute + 50*time.Second,
			want: step{after: 10 * time.Second},
		},
		"OverlapOver": {
			reason:   "Then it leaves.",
			material: switched, bundles: bundles{bothPEM}, seen: seen{published: epoch, served: epoch}, at: 5 * time.Minute,
			want: step{do: retire},
		},
		"OverlapBundleBroken": {
			reason:   "A repair in the overlap still trusts both.",
			material: switched, bundles: bundles{oldPEM}, seen: longAgo,
			want: step{do: publish},
		},
		"PairLost": {
			reason:   "A signer that is published already replaces a lost pair.",
			material: with(settled, func(m *material) { m.pair = nil }), bundles: bundles{oldPEM}, seen: longAgo,
			want: step{do: issue},
		},
		"Foreign": {
			reason:   "A pair that somebody else provides is not renewed.",
			material: material{exists: true, trust: old, pair: pair0}, bundles: bundles{oldPEM}, at: 2 * time.Hour,
			want: step{after: time.Minute},
		},
		"ForeignPublished": {
			reason:   "But what it is signed by is published.",
			material: material{exists: true, trust: old, pair: pair0}, bundles: bundles{nil},
			want: step{do: publish},
		},
		"ForeignWithoutTrust": {
			reason:   "Unless its owner publishes it another way.",
			material: material{exists: true, pair: pair0}, bundles: bundles{oldPEM},
			want: step{after: time.Minute},
		},
		"ForeignGarbage": {
			reason:   "A Secret that somebody else filled is left alone, be it garbage.",
			material: material{exists: true, problem: errors.New("garbage")}, bundles: bundles{oldPEM},
			want: step{after: time.Minute},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := next(tc.material, tc.bundles, tc.seen, epoch.Add(tc.at), testPolicy)
			if got.do != wait && got.because == "" {
				t.Errorf("%s\nnext: the step does not say why", tc.reason)
			}
			got.because = ""
			if got != tc.want {
				t.Errorf("%s\nnext: want %+v, got %+v", tc.reason, tc.want, got)
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	if err := DefaultPolicy("podgate-system").validate(); err != nil {
		t.Fatalf("the default policy is refused: %v", err)
	}

	for name, change := range map[string]func(*Policy){
		"NoNames":      func(p *Policy) { p.Names = nil },
		"EmptyName":    func(p *Policy) { p.Names = []string{""} },
		"Negative":     func(p *Policy) { p.Overlap = -time.Second },
		"ShortServing": func(p *Policy) { p.ServingValidity = time.Second },
		"ShortCA":      func(p *Policy) { p.CAValidity = p.ServingValidity - 1 },
		"LongOverlap":  func(p *Policy) { p.Overlap = p.ServingValidity / 3 },
	} {
		t.Run(name, func(t *testing.T) {
			p := DefaultPolicy("podgate-system")
			change(&p)
			if p.validate() == nil {
				t.Errorf("want policy %+v refused", p)
			}
		})
	}
}
