// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"time"
)

func at(f float64) *float64 { return &f }

// sampleDemo is an experiment as it might come out, with small numbers.
func sampleDemo() Demo {
	d := Demo{
		Finished: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Parameters: Parameters{
			RatePerSecond: 200, Replicas: 5, MaxSurge: "25%", MaxUnavailable: "25%", Profile: "alb",
			RoutingDelaySeconds: 17, DeregistrationDelaySeconds: 30, TimeScale: 1, Controller: "podgate.yaml",
			HealthCheck: HealthCheck{IntervalSeconds: 5, TimeoutSeconds: 2, HealthyThreshold: 2, UnhealthyThreshold: 2, Path: "/healthz"},
		},
		Runs: []Run{sampleRun(Ungated, 0, 0), sampleRun(Gated, 0, 6), sampleRun(GatedPrestop, 40, 6)},
	}
	d.Problems = Verdict(d.Runs)
	return d
}

// sampleRun replaces five pods in two waves; opening a gate takes wait seconds.
func sampleRun(name string, prestop int, wait float64) Run {
	r := Run{
		Name: name, PrestopSeconds: prestop, GracePeriodSeconds: 30 + prestop,
		StatusCodes: map[string]int{}, BeginSeconds: -5,
		ResponseLatency: Latency{MedianSeconds: 0.002, P99Seconds: 0.01, MaxSeconds: 3.05},
	}

	stay := 0.3 + float64(prestop)
	for i := range 5 {
		wave := float64((i + 1) / 2)
		born := wave * (1.6 + wait) * 0.9
		healthy := born + 4.1
		ready := born + 1.2
		if wait > 0 {
			ready = healthy + 0.4
		}

		end := max(0.1, wave*(1.7+wait))
		r.Lanes = append(r.Lanes,
			Lane{
				Pod: fmt.Sprintf("web-5d4f-new%02d", i), Version: "v2", Address: fmt.Sprintf("10.0.0.%d", 20+i),
				Created: at(born), ContainersReady: at(born + 1.1), Registered: at(born + 1.2), Healthy: at(healthy), Ready: at(ready),
				Target: []Span{{From: born + 1.2, To: at(healthy), State: "initial", Reason: "Elb.InitialHealthChecking"}, {From: healthy, State: "healthy"}},
				Routed: []Span{{From: healthy + 1, State: "routable"}},
			},
			Lane{
				Pod: fmt.Sprintf("web-7c9b-old%02d", i), Version: "v1", Old: true, Address: fmt.Sprintf("10.0.0.%d", 10+i),
				Created: at(-20), ContainersReady: at(-19), Registered: at(-19), Healthy: at(-15), Ready: at(-14),
				Terminating: at(end), Stopped: at(end + stay), Gone: at(end + stay + 1),
				Target: []Span{{From: -15, To: at(end + 0.1), State: "healthy"}, {From: end + 0.1, To: at(end + 30.1), State: "draining"}},
				Routed: []Span{{From: -14, To: at(end + 17.1), State: "routable"}},
			})

		r.DeploymentCompleteSeconds = max(r.DeploymentCompleteSeconds, ready+0.1)
		r.RolloutSeconds = max(r.RolloutSeconds, end+stay+1)
	}

	for i, l := range r.Lanes {
		r.Lanes[i].Leaving = l.Leave()
	}

	r.EndSeconds = max(r.RolloutSeconds, r.DeploymentCompleteSeconds+17) + 6
	for s := int(r.BeginSeconds); s < int(r.EndSeconds); s++ {
		r.Seconds = append(r.Seconds, sampleSecond(r, float64(s)))
	}

	for _, s := range r.Seconds {
		r.StatusCodes["200"] += total(s.OK)
		for outcome, n := range s.Failed {
			r.StatusCodes[outcome] += n
			r.Failed += n
		}
	}

	for _, n := range r.StatusCodes {
		r.Requests += n
	}

	r.Attempts, r.NewConnections, r.ReusedConnections = r.Requests, r.Requests/2, r.Requests-r.Requests/2
	r.LateSeconds = 0.012
	r.RegisterLatency = &Latency{Count: 10, MedianSeconds: 0.1, P99Seconds: 0.12, MaxSeconds: 0.12}
	r.DeregisterLatency = &Latency{Count: 5, MedianSeconds: 0.08, P99Seconds: 0.1, MaxSeconds: 0.1}
	r.LongestOutageSeconds = 0.025 * float64(min(r.Failed, 1))
	if wait > 0 {
		r.GateLatencySeconds = at(0.71)
		r.GateLatency = &Latency{Count: 10, MedianSeconds: 0.42, P99Seconds: 0.71, MaxSeconds: 0.71}
	}

	return r
}

// sampleSecond shares 200 requests among the targets that are routed to.
func sampleSecond(r Run, t float64) Second {
	s := Second{At: int(t), OK: map[string]int{}}
	var routed, dead, fresh int
	for _, l := range r.Lanes {
		if span := l.Routed[0]; t < span.From || span.To != nil && t > *span.To {
			continue
		}
		routed++
		if l.Stopped != nil && t > *l.Stopped {
			dead++
		}
		if !l.Old {
			fresh++
		}
	}

	if n := 200 * dead / routed; n > 0 {
		s.Failed = map[string]int{"502": n}
	}

	if n := 200 * fresh / routed; n > 0 {
		s.OK["v2"] = n
	}

	if n := 200 - s.OK["v2"] - s.Failed["502"]; n > 0 {
		s.OK["v1"] = n
	}

	return s
}
