// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/podgate/podgate/sim/awssim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunSaysWhereItListensAndEndsCleanly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"--listen", "127.0.0.1:0", "--profile", "nlb", "--alb-drain-routing-delay", "5s", "--instance", "i-1=10.0.0.1",
			"--lattice-drain-delay", "90s", "--lattice-routable-delay", "3s", "--lattice-assume", "name-taken=validation", "--lattice-assume", "tls-port=8443", "--lattice-assume", "match-query"}, w, io.Discard)
		_ = w.Close()
	}()

	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}

	var address string
	if _, err := fmt.Sscanf(line, "awssim: API at http://%s region eu-west-1", &address); err != nil {
		t.Fatalf("%v in %q", err, line)
	}

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/_awssim/config")
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = response.Body.Close() }()
	var settings awssim.Settings
	if err := json.NewDecoder(response.Body).Decode(&settings); err != nil {
		t.Fatal(err)
	}

	if settings.Profile != "nlb" || settings.Profiles["alb"].DrainRoutingDelaySeconds != 5 {
		t.Errorf("the flags did not arrive: %+v", settings)
	}
	if l := settings.Lattice; l.DrainDelaySeconds != 90 || l.Timing.RoutableDelaySeconds != 3 || l.Assumptions.NameTaken != "validation" || l.Assumptions.TLSPort != 8443 || !l.Assumptions.MatchQuery {
		t.Errorf("the flags of VPC Lattice did not arrive: %+v", l)
	}

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("end: %v", err)
	}
}

func TestFlagsThatContradict(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   string
		want   string
	}{
		"Profile":   {reason: "a profile that is none", args: "--profile elb", want: `profile "elb"`},
		"Throttle":  {reason: "a mode that is none", args: "--throttle some", want: `throttle mode "some"`},
		"TimeScale": {reason: "time that runs backwards", args: "--time-scale -1", want: "time scale -1"},
		"Prefix":    {reason: "an address in place of a prefix", args: "--vpc-cidr 10.0.0.1", want: "vpc-cidr"},
		"Pair":      {reason: "an instance without an address", args: "--instance i-1", want: "key=value"},
		"Operation": {reason: "refusing an operation that is not there", args: "--deny-operation Nope", want: `no operation "Nope"`},
		"Assume":    {reason: "an assumption that is none", args: "--lattice-assume nope", want: `no assumption "nope"`},
		"Answer":    {reason: "an answer that is none", args: "--lattice-assume name-taken=denied", want: "wants conflict or validation"},
		"Argument":  {reason: "a word too many", args: "extra", want: `unexpected argument "extra"`},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), append([]string{"--listen", "127.0.0.1:0"}, strings.Fields(tc.args)...), io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want it to say %q", tc.reason, err, tc.want)
			}
		})
	}
}
