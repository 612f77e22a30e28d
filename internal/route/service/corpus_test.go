// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route/annotation"
	"github.com/podgate/podgate/internal/route/ingress"
	"github.com/podgate/podgate/internal/route/routetest"
)

// readService reads a file. What is misspelt in it is a mistake of the file.
func readService(t *testing.T, file string) *corev1.Service {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &corev1.Service{}
	if err := yaml.UnmarshalStrict(text, s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}

// lookups find what is in this VPC.
func lookups() ingress.Lookups {
	return ingress.Lookups{Subnets: routetest.Subnets, SecurityGroup: routetest.SecurityGroup, Certificates: routetest.Certificates}
}

func settings() ingress.Settings {
	return ingress.Settings{Cluster: "blue", VPC: "vpc-1", Scheme: "internal", TargetType: "instance", SSLPolicy: "ELBSecurityPolicy-2016-08", Limits: Limits}
}

// build builds the load balancer of a Service that asks for one.
func build(s *corev1.Service) (elb.Stack, []annotation.Problem) {
	if !Asks(s) {
		return elb.Stack{}, nil
	}
	return Build(s, elb.Observed{}, settings(), lookups())
}

// TestCorpus builds load balancers from manifests such as people have, and compares what becomes of them with what is in
// testdata/corpus.
func TestCorpus(t *testing.T) {
	for _, file := range routetest.Corpus(t, 12) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s := readService(t, file)
			got := outcome(build(s))
			if !Asks(s) {
				got = "another controller's\n"
			}
			routetest.Golden(t, file, got)
		})
	}
}

// TestCorpusIsNeverSilent takes each annotation of each manifest away, and gives it another value. Each of the two changes the
// load balancer or what people are told, or else the annotation was ignored without a word; only what is so anyway may be taken
// away. A Service that is refused says why, and need not say more.
func TestCorpusIsNeverSilent(t *testing.T) {
	anyway := []string{"local-nodes.yaml nlb-target-type", "nlb-ip.yaml internal", "proxy-protocol.yaml backend-protocol"}
	for _, file := range routetest.Corpus(t, 12) {
		s := readService(t, file)
		_, problems := build(s)
		if !Asks(s) || slices.ContainsFunc(problems, func(p annotation.Problem) bool { return p.Severity == annotation.Refused }) {
			continue
		}

		whole := everything(s)
		for _, name := range slices.Sorted(maps.Keys(s.Annotations)) {
			value := s.Annotations[name]
			delete(s.Annotations, name)
			without := everything(s)
			s.Annotations[name] = "?"
			garbled := everything(s)
			s.Annotations[name] = value

			// Of what is not served each value means the same.
			unserved := slices.ContainsFunc(problems, func(p annotation.Problem) bool {
				return p.Severity == annotation.Notice && strings.Contains(p.Message, strings.TrimPrefix(name, "service.beta.kubernetes.io/"))
			})
			if without == whole && !slices.Contains(anyway, filepath.Base(file)+" "+strings.TrimPrefix(name, Prefix)) || garbled == whole && !unserved {
				t.Errorf("%s: annotation %s has no effect, and nobody is told", filepath.Base(file), name)
			}
		}
	}
}

// everything is all that becomes of a Service.
func everything(s *corev1.Service) string {
	stack, problems := build(s)
	text, err := json.Marshal(stack)
	return fmt.Sprint(Asks(s), string(text), err, problems)
}

// outcome is what people want to know of a load balancer and of problems, in lines.
func outcome(s elb.Stack, problems []annotation.Problem) string {
	var out strings.Builder
	if len(s.Keep) > 0 {
		fmt.Fprintf(&out, "%s: stays as it is\n", s.Tags[StackTag])
	} else if len(s.Listeners) > 0 {
		l := s.LoadBalancer
		fmt.Fprintf(&out, "%s: %s %s %s in %s%s%s\n", s.Tags[StackTag], l.Name, l.Scheme, l.AddressType, strings.Join(l.Subnets, " "), routetest.InLine(" with ", l.Attributes), routetest.InLine(" tagged ", l.Tags))
		for _, id := range l.SecurityGroups {
			fmt.Fprintf(&out, "  security group %s\n", id)
		}
		if g := s.SecurityGroup; g != nil {
			fmt.Fprintf(&out, "  security group %s\n", g.Name)
			for _, p := range g.Ingress {
				fmt.Fprintf(&out, "    from %s%s to %s %d\n", p.CIDR, p.PrefixList, p.Protocol, p.From)
			}
		}
	}
	for i, l := range s.Listeners {
		g := s.TargetGroups[i]
		fmt.Fprintf(&out, "  %s %d%s%s -> %s\n", l.Protocol, l.Port, strings.TrimRight(" "+l.SSLPolicy+" "+l.ALPN+" "+strings.Join(l.Certificates, " "), " "), routetest.InLine(" with ", l.Attributes), l.Default)
		fmt.Fprintf(&out, "    %s %s: %s %s %d%s\n", g.Name, g.Resource, g.Protocol, g.TargetType, g.Port, routetest.InLine(" with ", g.Attributes)+routetest.InLine(" on ", g.Binding.Nodes))
		h := g.HealthCheck
		fmt.Fprintf(&out, "    check %s\n", strings.TrimRight(fmt.Sprintf("%s %s at %s: every %d s, %d s, %d up, %d down %s", h.Protocol, h.Path, h.Port, h.Interval, h.Timeout, h.Healthy, h.Unhealthy, h.Codes), " "))
	}
	out.WriteString(routetest.Lines(problems))
	return out.String()
}
