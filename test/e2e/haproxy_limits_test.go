// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/csv"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// TestHAProxyMaxConn is a rolling update while servers have all the connections that
// maxConn allows and requests wait in HAProxy for one: none is lost by a server that comes
// or leaves. HAProxy itself gives up on a request that waits longer than timeout queue,
// 10 s here, which none does.
func TestHAProxyMaxConn(t *testing.T) {
	// Twenty requests come at once, more than four servers take. At 200 ms a request and 30
	// requests a second three servers are busy for half of the time: a queue does not grow
	// from one burst to the next, not even on a machine that is twice as slow.
	const most = 4
	a := behindHAProxy()
	a.Replicas, a.HAProxy = 3, &env.Backend{MaxConn: most}
	p := start(t, options{}).behind(a, 1)
	p.lb.URL += "slow?seconds=0.2"
	p.assertNoneLost(p.loadedBy(load.Config{URL: p.lb.URL, Rate: 30, Burst: 20}, func(*load.Generator) { p.rollout() }))

	for name, s := range p.stats() {
		if name == "BACKEND" && s["qmax"] == 0 {
			t.Error("no request ever waited for a connection: nothing was shown")
		}
		if strings.HasPrefix(name, "podgate_") && (s["slim"] != most || s["smax"] < most) {
			t.Errorf("server %s may have %d sessions and had up to %d, want maxConn, %d, reached", name, s["slim"], s["smax"], most)
		}
	}
}

// TestHAProxyFull updates an application whose backend holds exactly as many servers as it
// has pods, and then asks for more pods than fit: the update makes room pod by pod and
// loses nothing, what does not fit waits and is told, and goes on when there is room.
func TestHAProxyFull(t *testing.T) {
	a := behindHAProxy()
	a.Replicas, a.MaxSurge, a.MaxUnavailable = 3, "1", "1"
	a.HAProxy = &env.Backend{MaxServers: 3}
	p := start(t, options{}).behind(a, 1)
	p.underLoad(func() {
		p.rollout()
		p.waitEvent("TooManyTargets")
		p.waitReason("Synced")

		p.app.Replicas = 5
		p.apply()
		p.eventually("five pods", func(context.Context) (bool, error) { return len(p.alive()) == 5, nil })
		p.waitReason("TooManyTargets")

		// Long enough for whoever would make room by taking out what serves.
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(lookInterval) {
			if n := len(p.proxies[0].Servers("web")); n != 3 {
				t.Errorf("the full backend has %d servers, want 3", n)
				break
			}
		}

		p.patchBinding(`{"spec":{"haproxy":{"maxServers":5}}}`)
		p.settled()
		p.waitReason("Synced")
	})
}

// stats are the numbers of "show stat", by server or BACKEND and by column.
func (p *proxied) stats() map[string]map[string]int {
	p.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(p.proxies[0].Say("show stat web 6 -1"))).ReadAll()
	p.must(err)
	all := map[string]map[string]int{}
	for _, row := range rows[1:] {
		numbers := map[string]int{}
		for i, column := range rows[0] {
			if n, err := strconv.Atoi(row[i]); err == nil {
				numbers[column] = n
			}
		}
		all[row[1]] = numbers
	}

	return all
}

// binding is the application's, as the tests' client knows it.
func (p *proxied) binding() *unstructured.Unstructured {
	b := &unstructured.Unstructured{}
	b.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("TargetBinding"))
	b.SetNamespace(p.app.Namespace)
	b.SetName(p.app.Name)
	return b
}

// waitReason waits until the binding's condition Ready has a reason.
func (p *proxied) waitReason(reason string) {
	p.t.Helper()
	p.eventually("the binding to say "+reason, func(ctx context.Context) (bool, error) {
		u, b := p.binding(), v1alpha1.TargetBinding{}
		if err := p.cluster.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
			return false, err
		}
		err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &b)
		c := meta.FindStatusCondition(b.Status.Conditions, "Ready")
		return c != nil && c.Reason == reason, err
	})
}

func (p *proxied) patchBinding(patch string) {
	p.t.Helper()
	p.must(p.cluster.Patch(p.ctx, p.binding(), client.RawPatch(types.MergePatchType, []byte(patch))))
}
