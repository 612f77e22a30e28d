// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// issued is a certificate of Amazon for names, which is valid for another day.
func issued(arn string, names ...string) Certificate {
	return Certificate{ARN: arn, Names: names, Status: "ISSUED", Type: "AMAZON_ISSUED", Algorithm: "RSA_2048", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(0, 0, 1)}
}

func changed(c Certificate, change func(*Certificate)) Certificate {
	change(&c)
	return c
}

func TestForHosts(t *testing.T) {
	private := func(c *Certificate) { c.Type = "PRIVATE" }
	authority := func(c *Certificate) { c.Authority = "arn:ca" }
	imported := func(c *Certificate) { c.Type = "IMPORTED" }
	longer := func(c *Certificate) { c.NotAfter = c.NotAfter.AddDate(1, 0, 0) }
	expired := func(c *Certificate) { c.NotAfter = now }
	early := func(c *Certificate) { c.NotBefore = now.Add(time.Second) }
	pending := func(c *Certificate) { c.Status = "PENDING_VALIDATION" }
	curve := func(c *Certificate) { c.Algorithm = "EC_prime256v1" }
	host := func(name string, named ...string) Host { return Host{Name: name, Named: named} }
	const a, star, none = "a.example.com", "*.example.com", "no certificate in ACM is for host "
	const how = ": request or import one, or name one in the annotation certificate-arn"

	cases := map[string]struct {
		reason string
		have   []Certificate
		hosts  []Host
		want   []Found
	}{
		"None":         {reason: "no certificate", hosts: []Host{host(a)}, want: []Found{{Host: a, Problem: none + a + how}}},
		"Exact":        {reason: "the host's own, whatever the case", have: []Certificate{issued("1", "example.com", "A.Example.com")}, hosts: []Host{host("a.examplE.com")}, want: []Found{{Host: "a.examplE.com", ARNs: []string{"1"}}}},
		"Wildcard":     {reason: "a wildcard is one label", have: []Certificate{issued("1", "*.Example.com")}, hosts: []Host{host(a), host("b.a.example.com"), host("example.com")}, want: []Found{{Host: a, ARNs: []string{"1"}}, {Host: "b.a.example.com", Problem: none + "b.a.example.com" + how}, {Host: "example.com", Problem: none + "example.com" + how}}},
		"WildcardHost": {reason: "a host with a wildcard needs the same", have: []Certificate{issued("1", "*.com"), issued("2", star)}, hosts: []Host{host(star), host("*.com")}, want: []Found{{Host: star, ARNs: []string{"2"}}, {Host: "*.com", ARNs: []string{"1"}}}},
		"DeepWildcard": {reason: "a wildcard is not for every host above it", have: []Certificate{issued("1", "*.com")}, hosts: []Host{host(star)}, want: []Found{{Host: star, Problem: none + star + how}}},
		"Suffix":       {reason: "a name that only ends the same is another one", have: []Certificate{issued("1", star)}, hosts: []Host{host("a.myexample.com")}, want: []Found{{Host: "a.myexample.com", Problem: none + "a.myexample.com" + how}}},
		"EmptyLabel":   {reason: "a label is not empty", have: []Certificate{issued("1", star)}, hosts: []Host{host(".example.com")}, want: []Found{{Host: ".example.com", Problem: none + ".example.com" + how}}},
		"NoHost":       {reason: "a rule without a host", have: []Certificate{issued("1", star)}, hosts: []Host{host("")}, want: []Found{{Problem: "rules without a host have no certificate that could be looked for: name one in the annotation certificate-arn"}}},
		"Trusted":      {reason: "trust is first: of the public, of whom ACM does not know, of private authorities", have: []Certificate{changed(changed(issued("1", a), private), longer), changed(changed(issued("2", a), imported), longer), changed(issued("3", a), authority), issued("4", star)}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"4"}}}},
		"Imported":     {reason: "an imported one is better than a private one", have: []Certificate{changed(issued("1", a), authority), changed(issued("2", star), imported), changed(issued("3", a), private)}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"2"}}}},
		"ExactFirst":   {reason: "then the exact name", have: []Certificate{changed(issued("1", star), longer), issued("2", a)}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"2"}}}},
		"ExactOrBoth":  {reason: "a certificate with both names is exact", have: []Certificate{issued("1", star), issued("2", star, a)}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"2"}}}},
		"Longest":      {reason: "then the longest validity", have: []Certificate{issued("1", a), changed(issued("2", a), longer)}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"2"}}}},
		"ByARN":        {reason: "then the ARN, so that nothing changes without a cause", have: []Certificate{issued("2", a), issued("1", a)}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"1"}}}},
		"TwoKeys":      {reason: "both kinds of keys, for old clients and new ones", have: []Certificate{changed(issued("1", a), curve), changed(issued("2", a), curve), issued("3", star)}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"1", "3"}}}},
		"TwoKeysTrust": {reason: "but not one that is trusted less", have: []Certificate{changed(issued("1", a), curve), changed(issued("2", a), private)}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"1"}}}},
		"Expired":      {reason: "an expired one never", have: []Certificate{changed(issued("1", a), expired)}, hosts: []Host{host(a)}, want: []Found{{Host: a, Problem: "no certificate in ACM can be used for host a.example.com: 1 has expired"}}},
		"ExpiredOther": {reason: "but another one", have: []Certificate{changed(issued("1", a), expired), issued("2", star)}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"2"}}}},
		"Unusable":     {reason: "nor one that is not valid yet or not issued", have: []Certificate{changed(issued("2", a), early), changed(issued("1", a), pending)}, hosts: []Host{host(a)}, want: []Found{{Host: a, Problem: "no certificate in ACM can be used for host a.example.com: 1 has the status PENDING_VALIDATION, and only ISSUED can be used; 2 is not valid yet"}}},
		"ValidNow":     {reason: "from the first second on", have: []Certificate{changed(issued("1", a), func(c *Certificate) { c.NotBefore = now })}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"1"}}}},
		"NoDates":      {reason: "without dates ACM's status decides", have: []Certificate{changed(issued("1", a), func(c *Certificate) { c.NotBefore, c.NotAfter = time.Time{}, time.Time{} })}, hosts: []Host{host(a)}, want: []Found{{Host: a, ARNs: []string{"1"}}}},
		"Alone":        {reason: "one host without a certificate takes none from the others", have: []Certificate{issued("1", a)}, hosts: []Host{host("b.example.com"), host(a)}, want: []Found{{Host: "b.example.com", Problem: none + "b.example.com" + how}, {Host: a, ARNs: []string{"1"}}}},
		"Named":        {reason: "what an Ingress names wins, in its order", have: []Certificate{issued("1", a), changed(issued("2", star), private), changed(issued("3", a), imported)}, hosts: []Host{host(a, "3", "2")}, want: []Found{{Host: a, ARNs: []string{"3", "2"}}}},
		"NamedUnknown": {reason: "one that ACM does not know may be IAM's", hosts: []Host{host(a, "arn:iam")}, want: []Found{{Host: a, ARNs: []string{"arn:iam"}}}},
		"NamedNoHost":  {reason: "a rule without a host is for every name", have: []Certificate{issued("1", star)}, hosts: []Host{host("", "1")}, want: []Found{{ARNs: []string{"1"}}}},
		"NamedOther":   {reason: "one that is for other hosts is served, and told", have: []Certificate{issued("1", "b.example.com")}, hosts: []Host{host(a, "1")}, want: []Found{{Host: a, ARNs: []string{"1"}, Problem: "none of the certificates that are named is for host a.example.com: clients that check it refuse to connect"}}},
		"NamedSeveral": {reason: "one of several is enough", have: []Certificate{issued("1", a), issued("2", "b.example.com")}, hosts: []Host{host(a, "1", "2")}, want: []Found{{Host: a, ARNs: []string{"1", "2"}}}},
		"NamedExpired": {reason: "an expired one is not served even so", have: []Certificate{changed(issued("1", a), expired), changed(issued("2", a), pending), issued("3", a)}, hosts: []Host{host(a, "1", "2", "3")}, want: []Found{{Host: a, ARNs: []string{"3"}, Problem: "certificate 1 has expired; certificate 2 has the status PENDING_VALIDATION, and only ISSUED can be used"}}},
		"Harms":        {reason: "a private wildcard does not take the hosts of an Ingress that names its certificate", have: []Certificate{issued("1", a), changed(issued("2", star), private)}, hosts: []Host{host(a, "1"), host("b.example.com")}, want: []Found{{Host: a, ARNs: []string{"1"}}, {Host: "b.example.com", Problem: "no certificate in ACM can be used for host b.example.com: 2 is also for host a.example.com, whose Ingress names a certificate that clients trust more"}}},
		"HarmsNothing": {reason: "one that is as trusted does no harm", have: []Certificate{changed(issued("1", a), private), changed(issued("2", star), private)}, hosts: []Host{host(a, "1"), host("b.example.com")}, want: []Found{{Host: a, ARNs: []string{"1"}}, {Host: "b.example.com", ARNs: []string{"2"}}}},
		"HarmsNoOther": {reason: "nor one that is for none of those hosts", have: []Certificate{issued("1", a), changed(issued("2", "b.example.com"), private)}, hosts: []Host{host(a, "1"), host("b.example.com")}, want: []Found{{Host: a, ARNs: []string{"1"}}, {Host: "b.example.com", ARNs: []string{"2"}}}},
		"HarmsExpired": {reason: "nor beside one that is not served", have: []Certificate{changed(issued("1", a), expired), changed(issued("2", star), private)}, hosts: []Host{host(a, "1"), host("b.example.com")}, want: []Found{{Host: a, Problem: "certificate 1 has expired"}, {Host: "b.example.com", ARNs: []string{"2"}}}},
		"NamedByBoth":  {reason: "nor one that the other Ingress names itself", have: []Certificate{issued("1", a), changed(issued("2", star), private)}, hosts: []Host{host(a, "1", "2"), host("b.example.com")}, want: []Found{{Host: a, ARNs: []string{"1", "2"}}, {Host: "b.example.com", ARNs: []string{"2"}}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ForHosts(tc.have, tc.hosts, now)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestForHostsIsStable, whatever the order in which ACM lists certificates.
func TestForHostsIsStable(t *testing.T) {
	have := []Certificate{issued("1", "*.example.com"), issued("2", "a.example.com"), issued("3", "a.example.com")}
	hosts := []Host{{Name: "a.example.com"}}
	want := ForHosts(have, hosts, now)
	for range have {
		have = append(have[1:], have[0])
		if diff := cmp.Diff(want, ForHosts(have, hosts, now)); diff != "" {
			t.Errorf("the order changed the choice (-want +got):\n%s", diff)
		}
	}
	if !strings.HasPrefix(want[0].ARNs[0], "2") {
		t.Errorf("got %v", want)
	}
}
