// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/index"
)

// TestByAddress: who asks for the pods at an address gets those and no neighbours.
func TestByAddress(t *testing.T) {
	cached, add := cachedPods(t)
	pods := unpackingIndexer{cached}
	put := func(name string, ips ...string) {
		pod := &corev1.Pod{}
		pod.Namespace, pod.Name = "shop", name
		for _, ip := range ips {
			pod.Status.PodIPs = append(pod.Status.PodIPs, corev1.PodIP{IP: ip})
		}
		if len(ips) > 0 {
			pod.Status.PodIP = ips[0]
		}
		add(pod)
	}
	put("one", "10.0.0.7", "2001:db8::7")
	put("neighbour", "10.0.0.6")
	put("other", "10.0.0.8")
	put("same", "10.0.0.6")
	put("mapped", "::ffff:10.0.0.9")
	put("both", "10.0.1.1", "10.0.1.2")
	put("none")

	want := func(address string, names ...string) {
		t.Helper()
		found, err := pods.ByIndex(index.ByAddress, "__all_namespaces/"+address)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range found {
			got = append(got, o.(*corev1.Pod).Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, names) {
			t.Errorf("at %s: got %v, want %v", address, got, names)
		}
	}
	want("10.0.0.7", "one")
	want("2001:db8::7", "one")
	want("2001:db8::6")
	want("10.0.0.6", "neighbour", "same")
	want("10.0.0.8", "other")
	want("10.0.0.9", "mapped")
	want("10.0.1.2", "both")
	want("nonsense")

	// What a pod had is not kept.
	put("neighbour", "10.0.0.5")
	put("both", "10.0.1.3")
	want("10.0.0.6", "same")
	want("10.0.0.5", "neighbour")
	want("10.0.1.2")
	want("10.0.1.3", "both")

	// Eight neighbours are under one value.
	if values := cached.ListIndexFuncValues(index.ByAddress); len(values) != 4 {
		t.Errorf("kept under %d values: %v", len(values), values)
	}

	broken := errors.New("broken")
	if _, err := byRange(func(any) ([]string, error) { return nil, broken })(nil); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}
