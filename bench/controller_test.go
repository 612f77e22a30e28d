// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExpand(t *testing.T) {
	got, err := expand("bin/podgate  --namespace {namespace} --at 127.0.0.1:{health-port} {other}", map[string]string{"namespace": "ns", "health-port": "81"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"bin/podgate", "--namespace", "ns", "--at", "127.0.0.1:81", "{other}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if _, err := expand(" ", nil); err == nil {
		t.Error("an empty command was taken")
	}
}

func TestParseStat(t *testing.T) {
	got, err := parseStat("42 (a ) b) S 1 42 42 0 -1 4194560 1000 0 0 0 150 50 0 0 20 0 12 0 100 1 2\n")
	if err != nil {
		t.Fatal(err)
	}
	if got != 2*time.Second {
		t.Errorf("150 and 50 ticks are 2 s: got %s", got)
	}
	if _, err := parseStat("42 gone"); err == nil {
		t.Error("nonsense was taken")
	}
}

func TestKibibytes(t *testing.T) {
	status := "Name:\tpodgate\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\nThreads:\t12\n"
	if got := kibibytes(status, "VmRSS"); got != 102400 {
		t.Errorf("VmRSS: got %v", got)
	}
	if got := kibibytes(status, "VmSwap"); got != 0 {
		t.Errorf("a line that is not there: got %v", got)
	}
}
