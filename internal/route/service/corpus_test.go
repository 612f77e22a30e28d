// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
	"github.com/podgate/podgate/internal/route/annotation"
	"github.com/podgate/podgate/internal/route/ingress"
)

var update = flag.Bool("update", false, "write the golden files")

func corpus(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

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

// vpc has three public subnets and two others.
func vpc() subnets.Seen {
	var seen subnets.Seen
	for _, name := range []string{"edge-a", "edge-b", "edge-c", "inner-a", "inner-b"} {
		place, zone, _ := strings.Cut(name, "-")
		s := subnets.Subnet{ID: "subnet-" + zone, VPC: "vpc-1", Zone: zone, Free: 250, IPv6: true, Tags: map[string]string{"Name": name, "kubernetes.io/role/elb": "1"}}
		if place == "inner" {
			s.ID, s.Tags = "subnet-inner-"+zone, map[string]string{"Name": name, "kubernetes.io/role/internal-elb": "1"}
		}
		seen.Subnets = append(seen.Subnets, s)
	}
	return seen
}

// acm has a certificate for *.example.com, and one that has expired.
func acm() []certificates.Certificate {
	const arn = "arn:aws:acm:eu-west-1:111122223333:certificate/"
	return []certificates.Certificate{
		{ARN: arn + "star", Names: []string{"*.example.com"}, Status: "ISSUED", Type: "AMAZON_ISSUED"},
		{ARN: arn + "old", Names: []string{"*.example.com"}, Status: "EXPIRED", Type: "IMPORTED", NotAfter: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)},
	}
}

// lookups find what is in this VPC.
func lookups() ingress.Lookups {
	return ingress.Lookups{
		Subnets: func(want subnets.Want) ([]string, error) {
			choice, err := subnets.Choose(vpc(), want)
			return choice.IDs, err
		},
		SecurityGroup: func(name string) (string, error) { return "sg-" + name, nil },
		Certificates: func(hosts []certificates.Host) []certificates.Found {
			return certificates.ForHosts(acm(), hosts, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
		},
	}
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
	files := corpus(t)
	if len(files) < 12 {
		t.Errorf("there are %d manifests", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s := readService(t, file)
			got := outcome(build(s))
			if !Asks(s) {
				got = "another controller's\n"
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}

			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestCorpusIsNeverSilent takes each annotation of each manifest away, and gives it another value. Each of the two changes the
// load balancer or what people are told, or else the annotation was ignored without a word; only what is so anyway may be taken
// away. A Service that is refused says why, and need not say more.
func TestCorpusIsNeverSilent(t *testing.T) {
	anyway := []string{"local-nodes.yaml nlb-target-type", "nlb-ip.yaml internal", "proxy-protocol.yaml backend-protocol"}
	for _, file := range corpus(t) {
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
		fmt.Fprintf(&out, "%s: %s %s %s in %s%s%s\n", s.Tags[StackTag], l.Name, l.Scheme, l.AddressType, strings.Join(l.Subnets, " "), inLine(" with ", l.Attributes), inLine(" tagged ", l.Tags))
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
		fmt.Fprintf(&out, "  %s %d%s%s -> %s\n", l.Protocol, l.Port, strings.TrimRight(" "+l.SSLPolicy+" "+l.ALPN+" "+strings.Join(l.Certificates, " "), " "), inLine(" with ", l.Attributes), l.Default)
		fmt.Fprintf(&out, "    %s %s: %s %s %d%s\n", g.Name, g.Resource, g.Protocol, g.TargetType, g.Port, inLine(" with ", g.Attributes)+inLine(" on ", g.Binding.Nodes))
		h := g.HealthCheck
		fmt.Fprintf(&out, "    check %s\n", strings.TrimRight(fmt.Sprintf("%s %s at %s: every %d s, %d s, %d up, %d down %s", h.Protocol, h.Path, h.Port, h.Interval, h.Timeout, h.Healthy, h.Unhealthy, h.Codes), " "))
	}
	for _, p := range problems {
		fmt.Fprintf(&out, "%s: %s %s: %s\n", p.Owner, []string{"", "notice", "partial", "refused"}[p.Severity], p.Reason, p.Message)
	}
	return out.String()
}

// inLine is a map in a line, after some text; nothing if it is empty.
func inLine(before string, m map[string]string) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, key+"="+m[key])
	}
	if len(list) == 0 {
		return ""
	}
	return before + strings.Join(list, " ")
}
