// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
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
	const stat = "42 (a ) b) S 1 41 40 0 -1 4194560 1000 0 0 0 150 50 0 0 20 0 12 0 100 1 2 3\n"
	got, err := parseStat(stat)
	if err != nil {
		t.Fatal(err)
	}
	want := process{pid: 42, group: 41, cpu: 2 * time.Second, pages: 2} // 150 and 50 ticks
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	for _, nonsense := range []string{"42 gone", "42 (a) S 1", strings.Replace(stat, "150", "x", 1)} {
		if _, err := parseStat(nonsense); err == nil {
			t.Errorf("%q was taken", nonsense)
		}
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
