// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package routetest is what the corpora of routes share: manifests with golden files beside them, and an AWS with a few subnets
// and certificates. It builds nothing: what a manifest becomes is up to each package.
package routetest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/subnets"
	"github.com/podgate/podgate/internal/route/annotation"
)

var update = flag.Bool("update", false, "write the golden files")

// Corpus are the manifests of testdata/corpus, of which there are so many at least.
func Corpus(t *testing.T, least int) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.yaml")
	if err != nil || len(files) < least {
		t.Fatalf("the corpus has %d, want %d: %v", len(files), least, err)
	}
	return files
}

// Golden compares what becomes of a manifest with the file beside it.
func Golden(t *testing.T, manifest, got string) {
	t.Helper()
	golden := strings.TrimSuffix(manifest, ".yaml") + ".txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("got\n%s\nand %s has\n%s", got, golden, want)
	}
}

// VPC has three public subnets and two others.
func VPC() subnets.Seen {
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

// Subnets chooses those of the VPC.
func Subnets(want subnets.Want) ([]string, error) {
	choice, err := subnets.Choose(VPC(), want)
	return choice.IDs, err
}

// SecurityGroup finds a security group of any name.
func SecurityGroup(name string) (string, error) { return "sg-" + name, nil }

// Certificates finds a certificate for *.example.com, and one that has expired.
func Certificates(hosts []certificates.Host) []certificates.Found {
	const arn = "arn:aws:acm:eu-west-1:111122223333:certificate/"
	return certificates.ForHosts([]certificates.Certificate{
		{ARN: arn + "star", Names: []string{"*.example.com"}, Status: "ISSUED", Type: "AMAZON_ISSUED"},
		{ARN: arn + "old", Names: []string{"*.example.com"}, Status: "EXPIRED", Type: "IMPORTED", NotAfter: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)},
	}, hosts, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
}

// Lines are problems, one in a line.
func Lines(problems []annotation.Problem) string {
	var out strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&out, "%s: %s %s: %s\n", p.Owner, []string{"", "notice", "partial", "refused"}[p.Severity], p.Reason, p.Message)
	}
	return out.String()
}

// InLine is a map in a line, after some text; nothing if it is empty.
func InLine(before string, m map[string]string) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, key+"="+m[key])
	}
	if len(list) == 0 {
		return ""
	}
	return before + strings.Join(list, " ")
}
