// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/internal/route/routetest"
)

// manifest is a file of the corpus: what people write, with other names.
type manifest struct {
	ingresses []*networkingv1.Ingress
	services  []*corev1.Service
	params    *elbv2.IngressClassParamsSpec
}

// readManifest reads a file. What is misspelt in it is a mistake of the file.
func readManifest(t *testing.T, file string) manifest {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	var m manifest
	for _, document := range strings.Split(string(text), "---\n") {
		var of struct {
			Kind string `json:"kind"`
		}
		if err := yaml.Unmarshal([]byte(document), &of); err != nil {
			t.Fatal(err)
		}

		var object any
		switch of.Kind {
		case "Ingress":
			m.ingresses = append(m.ingresses, &networkingv1.Ingress{})
			object = m.ingresses[len(m.ingresses)-1]
		case "Service":
			m.services = append(m.services, &corev1.Service{})
			object = m.services[len(m.services)-1]
		case "IngressClassParams":
			params := &elbv2.IngressClassParams{}
			m.params, object = &params.Spec, params
		default:
			t.Fatalf("%s: kind %q", file, of.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return m
}

// key is the group that an Ingress of the manifest is in.
func (m manifest) key(of *networkingv1.Ingress) Key {
	if m.params != nil && m.params.Group != nil {
		return Key{Name: m.params.Group.Name}
	}
	if name := of.Annotations[Prefix+"group.name"]; name != "" {
		return Key{Name: name}
	}
	return Key{Namespace: of.Namespace, Name: of.Name}
}

// build builds the load balancers of a manifest, in the order of their groups.
func (m manifest) build() ([]elb.Stack, []Problem) {
	look := Lookups{
		Service: func(namespace, name string) *corev1.Service {
			i := slices.IndexFunc(m.services, func(s *corev1.Service) bool { return s.Namespace == namespace && s.Name == name })
			if i < 0 {
				return nil
			}
			return m.services[i]
		},
		Subnets:       routetest.Subnets,
		SecurityGroup: routetest.SecurityGroup,
		TargetGroup:   func(_, named string) (string, error) { return named, nil },
		Certificates:  routetest.Certificates,
	}
	settings := Settings{Cluster: "blue", VPC: "vpc-1", Scheme: "internal", TargetType: "instance", SSLPolicy: "ELBSecurityPolicy-2016-08", Limits: ALB}

	groups := map[Key][]Member{}
	for _, of := range m.ingresses {
		groups[m.key(of)] = append(groups[m.key(of)], Member{Ingress: of, Params: m.params})
	}
	var stacks []elb.Stack
	var problems []Problem
	for _, key := range slices.SortedFunc(maps.Keys(groups), func(a, b Key) int { return strings.Compare(a.String(), b.String()) }) {
		stack, told := Build(Group{Key: key, Members: groups[key]}, settings, look)
		stacks, problems = append(stacks, stack), append(problems, told...)
	}
	return stacks, problems
}

// TestCorpus builds load balancers from manifests such as people have, and compares what becomes of them with what is in
// testdata/corpus.
func TestCorpus(t *testing.T) {
	for _, file := range routetest.Corpus(t, 30) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			routetest.Golden(t, file, outcome(readManifest(t, file).build()))
		})
	}
}

// TestCorpusIsNeverSilent takes each annotation of each manifest away, and gives it another value. If neither changes the
// load balancer or what people are told, the annotation was ignored without a word. An Ingress that is refused says why, and
// need not say more; and what is said of targets means nothing where there are none.
func TestCorpusIsNeverSilent(t *testing.T) {
	for _, file := range routetest.Corpus(t, 30) {
		read := readManifest(t, file)
		stacks, problems := read.build()
		if slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Refused }) {
			continue
		}

		whole := everything(read)
		for _, a := range read.annotations() {
			for _, name := range slices.Sorted(maps.Keys(a)) {
				short, ours := strings.CutPrefix(name, Prefix)
				if !ours || slices.Contains(OfTargets, short) && len(stacks[0].TargetGroups) == 0 {
					continue
				}

				value := a[name]
				delete(a, name)
				without := everything(read)
				a[name] = "?"
				garbled := everything(read)
				a[name] = value
				if without == whole && garbled == whole {
					t.Errorf("%s: annotation %s has no effect, and nobody is told", filepath.Base(file), name)
				}
			}
		}
	}
}

// annotations are those of all objects of a manifest.
func (m manifest) annotations() []map[string]string {
	var list []map[string]string
	for _, i := range m.ingresses {
		list = append(list, i.Annotations)
	}
	for _, s := range m.services {
		list = append(list, s.Annotations)
	}
	return list
}

// everything is all that becomes of a manifest.
func everything(m manifest) string {
	stacks, problems := m.build()
	text, err := json.Marshal(stacks)
	return fmt.Sprint(string(text), err, problems)
}

// outcome is what people want to know of load balancers and problems, in lines.
func outcome(stacks []elb.Stack, problems []Problem) string {
	var out strings.Builder
	for _, s := range stacks {
		l := s.LoadBalancer
		if len(s.Listeners) == 0 {
			fmt.Fprintf(&out, "%s: nothing\n", s.Tags[StackTag])
			continue
		}
		fmt.Fprintf(&out, "%s: %s %s in %s%s%s\n", s.Tags[StackTag], l.Scheme, l.AddressType, strings.Join(l.Subnets, " "), routetest.InLine(" with ", l.Attributes), routetest.InLine(" tagged ", l.Tags))
		for _, id := range l.SecurityGroups {
			fmt.Fprintf(&out, "  security group %s\n", id)
		}
		if s.SecurityGroup != nil {
			for _, p := range s.SecurityGroup.Ingress {
				fmt.Fprintf(&out, "  from %s to %d\n", cmp.Or(p.CIDR, p.PrefixList), p.From)
			}
		}
		for _, g := range s.TargetGroups {
			fmt.Fprintf(&out, "  target group %s: %s %s %s %d%s\n", g.Resource, g.Protocol, g.Version, g.TargetType, g.Port, routetest.InLine(" with ", g.Attributes)+routetest.InLine(" on ", g.Binding.Nodes))
			h := g.HealthCheck
			fmt.Fprintf(&out, "    check %s %s at %s: every %d s, %d s, %d up, %d down, %s\n", h.Protocol, h.Path, h.Port, h.Interval, h.Timeout, h.Healthy, h.Unhealthy, h.Codes)
		}
		for _, l := range s.Listeners {
			fmt.Fprintf(&out, "  %s %d%s%s\n", l.Protocol, l.Port, strings.TrimRight(" "+l.SSLPolicy+" "+strings.Join(l.Certificates, " "), " "), routetest.InLine(" with ", l.Attributes))
			for _, r := range l.Rules {
				fmt.Fprintf(&out, "    %s\n", ruleLine(r))
			}
			fmt.Fprintf(&out, "    else %s\n", actionLine(l.Default))
		}
	}
	out.WriteString(routetest.Lines(problems))
	return out.String()
}

func ruleLine(r elb.Rule) string {
	if r.Kept {
		return r.Owner + " as it is"
	}

	parts := []string{r.Owner}
	for _, field := range []struct {
		name   string
		values []string
	}{{"host", r.Match.Hosts}, {"path", r.Match.Paths}, {"method", r.Match.Methods}, {"source", r.Match.Sources}} {
		if len(field.values) > 0 {
			parts = append(parts, field.name+" "+strings.Join(field.values, " | "))
		}
	}
	for _, h := range r.Match.Headers {
		parts = append(parts, h.Name+": "+strings.Join(h.Values, " | "))
	}
	for _, q := range r.Match.Queries {
		parts = append(parts, fmt.Sprint("query ", q))
	}
	return strings.Join(parts, ", ") + " -> " + actionLine(r.Action)
}

func actionLine(a elb.Action) string {
	switch {
	case a.Redirect != nil:
		return strings.TrimRight(fmt.Sprintf("%d %s", a.Redirect.Status, address(*a.Redirect)), " ")
	case a.Answer != nil:
		return strings.TrimRight(fmt.Sprintf("%d %s", a.Answer.Status, a.Answer.Body), " ")
	}
	var list []string
	for _, f := range a.Forward {
		list = append(list, fmt.Sprintf("%s*%d", f.Group, f.Weight))
	}
	if a.Sticky > 0 {
		list = append(list, "for "+a.Sticky.String())
	}
	return strings.Join(list, " ")
}

// address is where a redirect leads.
func address(r route.Redirect) string {
	return fmt.Sprintf("%s://%s:%s%s?%s", cmp.Or(r.Protocol, "#{protocol}"), cmp.Or(r.Host, "#{host}"), cmp.Or(r.Port, "#{port}"), cmp.Or(r.Path, "/#{path}"), cmp.Or(r.Query, "#{query}"))
}
