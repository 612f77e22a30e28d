// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/subnets"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// Problem is why something of an Ingress or a Service is not served as it is asked for.
type Problem struct {
	// Severity is Notice, Partial or Refused.
	Severity string `json:"severity"`
	Reason   string `json:"reason"`
	// Message says what to do as well.
	Message string `json:"message"`
	// Told is when podgate told of it last, where that depends on what AWS has; else it follows from what is in the cluster.
	Told *metav1.Time `json:"told,omitempty"`
}

// severities are what those of problems are called.
var severities = map[routes.Severity]string{routes.Notice: "Notice", routes.Partial: "Partial", routes.Refused: "Refused"}

// refusal is the problem for which an object cannot be served as it is; nil: it can.
func refusal(problems []Problem) *Problem {
	i := slices.IndexFunc(problems, func(p Problem) bool { return p.Severity == severities[routes.Refused] })
	if i < 0 {
		return nil
	}
	return &problems[i]
}

// BalancerReport is what is known of an object's load balancer.
type BalancerReport struct {
	// Verdict is the answer in a sentence, and Next what to do.
	Verdict string `json:"verdict"`
	Next    string `json:"next,omitempty"`
	// Served: podgate serves the object, as far as its class and podgate's flags say.
	Served   bool            `json:"served"`
	Backends []BackendReport `json:"backends,omitempty"`
	// Hostname is the load balancer's, and Says what podgate told of that last.
	Hostname string         `json:"hostname,omitempty"`
	Says     *BalancerEvent `json:"says,omitempty"`
	// Events are the latest ones on the object, the latest first.
	Events []BalancerEvent `json:"events"`
	// Installation is podgate itself.
	Installation *Installation `json:"podgate"`
	// Unknown is what could not be read, and so not be told.
	Unknown gaps `json:"unknown,omitempty"`

	good bool
}

// mostEvents is how many events are shown.
const mostEvents = 10

// told takes from the events how the load balancer is, and returns the problems that only AWS knows of.
func (x *BalancerReport) told(events []BalancerEvent) []Problem {
	x.Events = append(x.Events, events[:min(len(events), mostEvents)]...)
	x.Says = newest(events)

	var further []Problem
	for i := range events {
		e := &events[i]
		if x.Says == nil && e.Type == corev1.EventTypeWarning && e.next() != "" {
			x.Says = e
		}
		if e.Reason == v1alpha1.ReasonNoCertificate {
			further = append(further, Problem{Severity: severities[routes.Partial], Reason: e.Reason, Message: e.Message, Told: &e.At})
		}
	}
	return further
}

// withTold adds problems that podgate told of to those that are known without it.
func withTold(problems, told []Problem) []Problem {
	for _, p := range told {
		if !slices.ContainsFunc(problems, func(known Problem) bool { return known.Message == p.Message }) {
			problems = append(problems, p)
		}
	}
	return problems
}

// deleted says what becomes of an object that is being deleted.
func (x *BalancerReport) deleted(claimed bool) {
	x.Verdict, x.Next = "is being deleted", "wait; the events say what holds it up, if something does"
	if claimed {
		x.Verdict += ": podgate takes away what it has of it at AWS first"
	}
}

// unserved says why podgate does not serve a namespace.
func (x *BalancerReport) unserved(asked ingressFlags) {
	if !asked.on {
		x.Verdict, x.Next = "is not served: podgate runs without --ingress", "set ingress.enabled in the chart"
		return
	}
	x.Verdict, x.Next = fmt.Sprintf("is not served: podgate serves namespace %s alone (--watch-namespace)", asked.watch), "nothing, if that is meant"
}

// stands says how the load balancer of an object is that podgate serves. claimed: podgate may have something of it at AWS, which
// stays where it is refused.
func (x *BalancerReport) stands(problems []Problem, claimed bool, stays string) {
	if refused := refusal(problems); refused != nil {
		x.Verdict, x.Next = "cannot be served as it is ("+refused.Reason+")", "correct what its problems name"
		if claimed {
			x.Verdict += "; " + stays
		}
		return
	}

	with := ""
	x.Next = "nothing to do"
	if n := len(problems); n > 0 {
		with, x.Next = ", with "+plural.Count(n, "problem"), "look at its problems"
	}

	working := x.Says == nil || x.Says.Reason == v1alpha1.ReasonLoadBalancerReady
	switch {
	case x.Hostname != "" && working:
		x.Verdict, x.good = "is served as "+x.Hostname+with, true
		x.backed()
	case x.Hostname != "":
		x.Verdict, x.Next = "is served as "+x.Hostname+with+"; "+x.Says.sentence(), x.Says.next()
	case x.Says != nil && x.Says.Type == corev1.EventTypeWarning:
		x.Verdict, x.Next = "is not served: "+x.Says.sentence(), x.Says.next()
	case x.Says != nil:
		x.Verdict, x.Next = "has no load balancer's name yet: "+x.Says.sentence(), x.Says.next()
	case claimed:
		x.Verdict, x.Next = "has no load balancer's name yet, and no event of late says what it waits for", "find out whether podgate runs: its log says what it does"
	default:
		x.Verdict = "is not taken up by podgate: it has neither podgate's finalizer nor an event"
		x.Next = "wait a few seconds; else find out whether podgate runs with --ingress and serves this namespace"
	}
}

// backed says whether something serves behind a load balancer that works.
func (x *BalancerReport) backed() {
	for _, b := range x.Backends {
		if why, next := b.trouble(); why != "" {
			x.Verdict, x.Next, x.good = x.Verdict+", but "+why, next, false
			return
		}
	}
}

// writeVerdict writes the answer.
func (x *BalancerReport) writeVerdict(p *paper, object string) {
	colour := red
	if x.good {
		colour = green
	}
	p.printf("%s %s.\n", object, p.paint(colour, strings.TrimSuffix(x.Verdict, ".")))
}

// writeRest writes backends, events and what is to be said of podgate.
func (x *BalancerReport) writeRest(p *paper) {
	for _, b := range x.Backends {
		b.write(p)
	}

	p.printf("\n%s\n", p.paint(bold, "EVENTS, the latest first"))
	if len(x.Events) == 0 {
		p.printf("none of late\n")
	}
	var rows [][]string
	for _, e := range x.Events {
		rows = append(rows, []string{p.ago(e.At.Time), e.Type, e.Reason, e.Message})
	}
	if len(rows) > 0 {
		p.table([]string{"AGO", "TYPE", "REASON", "MESSAGE"}, rows)
	}

	if p.wide || len(x.Installation.Trouble) > 0 {
		p.printf("\n")
		x.Installation.write(p)
	}
	if len(x.Unknown) > 0 {
		p.printf("\n")
	}
	p.gaps(x.Unknown)
}

// writeProblems writes what is wrong with an object, below a heading of its own where there is no indent.
func writeProblems(p *paper, problems []Problem, indent string) {
	if len(problems) > 0 && indent == "" {
		p.printf("\n%s\n", p.paint(bold, "PROBLEMS"))
		indent = "  "
	}
	for _, problem := range problems {
		heading := problem.Severity + " " + problem.Reason
		if problem.Told != nil {
			heading += ", told " + p.ago(problem.Told.Time) + " ago"
		}
		p.printf("%s%s %s\n", indent, p.paint(problem.colour(), heading+":"), problem.Message)
	}
}

func (p Problem) colour() string {
	if p.Severity == "Notice" {
		return yellow
	}
	return red
}

// uncertain stands for a certificate or a subnet of which only AWS knows.
const uncertain = "?"

// takenAsThere takes what only AWS knows to be there.
func takenAsThere(service func(namespace, name string) *corev1.Service) routes.Lookups {
	return routes.Lookups{
		Service:       service,
		Subnets:       func(subnets.Want) ([]string, error) { return []string{uncertain}, nil },
		SecurityGroup: func(name string) (string, error) { return name, nil },
		TargetGroup:   func(_, named string) (string, error) { return named, nil },
		Certificates: func(hosts []certificates.Host) []certificates.Found {
			var found []certificates.Found
			for _, h := range hosts {
				arns := h.Named
				if len(arns) == 0 {
					arns = []string{uncertain}
				}
				found = append(found, certificates.Found{Host: h.Name, ARNs: arns})
			}
			return found
		},
	}
}
