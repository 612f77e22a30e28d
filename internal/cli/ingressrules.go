// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route"
)

// ListenerReport is a port of a load balancer as it should be.
type ListenerReport struct {
	Port     int32  `json:"port"`
	Protocol string `json:"protocol"`
	// Certificates are ARNs that an Ingress or its class names.
	Certificates []string `json:"certificates,omitempty"`
	// CertificatesFound: ACM is asked for certificates of hosts. Which ones there are is known to podgate, and not here.
	CertificatesFound bool `json:"certificatesFound,omitempty"`
	// Rules are those of all Ingresses of the group, in the order in which they apply.
	Rules []RuleReport `json:"rules"`
	// Otherwise is what becomes of requests that no rule matches.
	Otherwise string `json:"otherwise"`
}

// RuleReport is a rule of a listener.
type RuleReport struct {
	// Ingress is whose it is, as namespace/name.
	Ingress string `json:"ingress"`
	// Kept stands for whatever rules that Ingress has: it cannot be served as it is now.
	Kept  bool     `json:"kept,omitempty"`
	Hosts []string `json:"hosts,omitempty"`
	Paths []string `json:"paths,omitempty"`
	// Further are the other conditions of the rule.
	Further []string `json:"further,omitempty"`
	// To is what becomes of requests.
	To string `json:"to,omitempty"`
	// Shadowed are the paths of the rule that an earlier rule takes all requests for; a rule without paths has "/*".
	Shadowed []Shadow `json:"shadowed,omitempty"`
}

// Shadow is a path whose requests never come to its rule.
type Shadow struct {
	Path string `json:"path"`
	// Rule is the place of the rule that takes them, from 1 up, and Ingress is whose it is.
	Rule    int    `json:"rule"`
	Ingress string `json:"ingress"`
}

// listenersOf reports the listeners of a load balancer.
func listenersOf(stack elb.Stack) []ListenerReport {
	reports := []ListenerReport{}
	for _, l := range stack.Listeners {
		report := ListenerReport{Port: l.Port, Protocol: l.Protocol, Rules: []RuleReport{}, Otherwise: done(stack, l.Default)}
		for _, arn := range l.Certificates {
			if arn == uncertain {
				report.CertificatesFound = true
				continue
			}
			report.Certificates = append(report.Certificates, arn)
		}
		for i, r := range l.Rules {
			rule := RuleReport{Ingress: r.Owner, Kept: r.Kept}
			if !r.Kept {
				rule.Hosts, rule.Paths, rule.Further, rule.To = r.Match.Hosts, r.Match.Paths, besides(r.Match), done(stack, r.Action)
				rule.Shadowed = shadows(l.Rules[:i], r)
			}
			report.Rules = append(report.Rules, rule)
		}
		reports = append(reports, report)
	}
	return reports
}

// shadows finds the paths of a rule for which one of the rules before it takes all requests.
func shadows(before []elb.Rule, r elb.Rule) []Shadow {
	paths := r.Match.Paths
	if len(paths) == 0 {
		paths = []string{"/*"}
	}

	var found []Shadow
	for _, path := range paths {
		match := r.Match
		match.Paths = []string{path}
		i := slices.IndexFunc(before, func(b elb.Rule) bool { return !b.Kept && b.Match.Covers(match) })
		if i >= 0 {
			found = append(found, Shadow{Path: path, Rule: i + 1, Ingress: before[i].Owner})
		}
	}
	return found
}

// besides are the conditions of a match besides hosts and paths.
func besides(m route.Match) []string {
	var list []string
	if len(m.Methods) > 0 {
		list = append(list, "method "+alternatives(m.Methods))
	}
	for _, h := range m.Headers {
		list = append(list, "header "+h.Name+" "+alternatives(h.Values))
	}
	for _, any := range m.Queries {
		var values []string
		for _, q := range any {
			values = append(values, strings.TrimPrefix(q.Key+"="+q.Value, "="))
		}
		list = append(list, "query "+alternatives(values))
	}
	if len(m.Sources) > 0 {
		list = append(list, "from "+alternatives(m.Sources))
	}
	return list
}

func alternatives(values []string) string { return strings.Join(values, " or ") }

// done is what becomes of requests by an action, for people.
func done(stack elb.Stack, a elb.Action) string {
	switch {
	case a.Redirect != nil:
		return redirected(*a.Redirect)
	case a.Answer != nil:
		return strings.TrimSpace(fmt.Sprintf("answer %d %s", a.Answer.Status, shortened(a.Answer.Body)))
	}

	var all []string
	for _, f := range a.Forward {
		text := backendName(stack, f.Group)
		if len(a.Forward) > 1 {
			text = strconv.Itoa(int(f.Weight)) + " to " + text
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// backendName is a target group for people: the port of the Service that it is for, or its own name where somebody else made it.
func backendName(stack elb.Stack, group string) string {
	for _, g := range stack.TargetGroups {
		if g.Resource == group {
			return "Service " + g.Binding.Service + ":" + g.Binding.Port
		}
	}
	return "target group " + shortGroup(group)
}

// redirected is where a client is sent.
func redirected(r route.Redirect) string {
	text := fmt.Sprintf("redirect %d to %s://%s:%s%s", r.Status, strings.ToLower(cmp.Or(r.Protocol, "#{protocol}")), cmp.Or(r.Host, "#{host}"), cmp.Or(r.Port, "#{port}"), cmp.Or(r.Path, "/#{path}"))
	if r.Query != "" {
		text += "?" + r.Query
	}
	return text
}

// mostShown is how many characters of an answer's body are shown.
const mostShown = 40

func shortened(body string) string {
	if body == "" {
		return ""
	}
	if runes := []rune(body); len(runes) > mostShown {
		body = string(runes[:mostShown]) + "..."
	}
	return strconv.Quote(body)
}

// never reports whether no request ever comes to a rule.
func (r RuleReport) never() bool {
	return len(r.Shadowed) > 0 && len(r.Shadowed) == max(len(r.Paths), 1)
}

// note is what is to be said of a rule.
func (r RuleReport) note() string {
	switch {
	case r.Kept:
		return "whatever rules it has stay: it cannot be served as it is"
	case r.never():
		return fmt.Sprintf("never applies: %s takes its requests", r.Shadowed[0].taker(r.Ingress))
	}
	var parts []string
	for _, s := range r.Shadowed {
		parts = append(parts, fmt.Sprintf("%s goes to %s", s.Path, s.taker(r.Ingress)))
	}
	return strings.Join(parts, "; ")
}

// taker names the rule that takes requests.
func (s Shadow) taker(ingress string) string {
	if s.Ingress == ingress {
		return fmt.Sprintf("rule %d", s.Rule)
	}
	return fmt.Sprintf("rule %d of Ingress %s", s.Rule, s.Ingress)
}

// write writes a listener's rules; those of one Ingress, unless all are wanted.
func (l ListenerReport) write(p *paper, ingress string) {
	heading := fmt.Sprintf("LISTENER %s:%d", l.Protocol, l.Port)
	p.printf("\n%s\n", p.paint(bold, heading))
	if len(l.Certificates) > 0 {
		p.printf("  certificates named: %s\n", strings.Join(l.Certificates, ", "))
	}
	if l.CertificatesFound {
		p.printf("  certificates of ACM for its hosts: which ones, only AWS knows; the event NoCertificate names a host that has none\n")
	}

	var rows [][]string
	others := 0
	for i, r := range l.Rules {
		if r.Ingress != ingress && !p.wide {
			others++
			continue
		}
		row := []string{strconv.Itoa(i + 1), cmp.Or(strings.Join(r.Hosts, ", "), "*"), cmp.Or(strings.Join(append(slices.Clone(r.Paths), r.Further...), ", "), "*"), or(r.To), r.note()}
		if r.Kept {
			row[1], row[2] = "-", "-"
		}
		if p.wide {
			row = slices.Insert(row, 1, r.Ingress)
		}
		rows = append(rows, row)
	}

	headings := []string{"RULE", "HOST", "PATH", "GOES TO", ""}
	if p.wide {
		headings = slices.Insert(headings, 1, "INGRESS")
	}
	if len(rows) > 0 {
		p.table(headings, rows)
	}
	if others > 0 {
		p.printf("and %s of other Ingresses: -o wide lists them\n", plural.Count(others, "rule"))
	}
	p.printf("else: %s\n", l.Otherwise)
}
