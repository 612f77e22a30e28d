// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report holds what the experiment found, and shows it: as JSON, as a table
// for a terminal and as one self-contained page. It refuses to measure anything, and
// its page loads nothing from elsewhere.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// The experiment's runs.
const (
	// Instance is a rolling update behind the cluster's nodes, which are the load balancer's targets.
	Instance = "instance"
	// Ungated is a rolling update without readiness gates.
	Ungated = "ungated"
	// Gated has readiness gates.
	Gated = "gated"
	// GatedPrestop has readiness gates and a preStop hook that outlasts the drain.
	GatedPrestop = "gated-prestop"
	// Drain has readiness gates and the hook that podgate injects, none of its own.
	Drain = "drain"
	// DrainAdaptive has the same, and the hooks end when the pods are drained.
	DrainAdaptive = "drain-adaptive"
	// Unchecked is Drain for a new version that warms up: it answers errors at first, while its
	// health check passes.
	Unchecked = "unchecked"
	// Checked is the same with a ReadinessGate that asks the pods whether they are warm.
	Checked = "checked"
)

// Demo is the whole experiment. Times are in seconds; within a run they count from the update.
type Demo struct {
	// Finished is when the last run ended.
	Finished   time.Time  `json:"finished"`
	Parameters Parameters `json:"parameters"`
	Runs       []Run      `json:"runs"`
	// Problems say why the experiment did not succeed; empty if it did.
	Problems []string `json:"problems"`
}

// Parameters is what the runs have in common.
type Parameters struct {
	RatePerSecond  float64 `json:"ratePerSecond"`
	Replicas       int     `json:"replicas"`
	MaxSurge       string  `json:"maxSurge"`
	MaxUnavailable string  `json:"maxUnavailable"`
	// Profile is the kind of load balancer: alb, nlb or lattice, simulated; ingress, one that podgate made for an Ingress; or
	// haproxy, a real one.
	Profile string `json:"profile"`
	// RegistrationDelaySeconds is how long a simulated load balancer takes to check a new target, and
	// RoutableDelaySeconds how long it takes to send requests to one that is healthy.
	RegistrationDelaySeconds float64 `json:"registrationDelaySeconds,omitempty"`
	RoutableDelaySeconds     float64 `json:"routableDelaySeconds,omitempty"`
	// RoutingDelaySeconds is how long the data path sends requests to a target after the API says draining.
	RoutingDelaySeconds        float64     `json:"routingDelaySeconds"`
	DeregistrationDelaySeconds int         `json:"deregistrationDelaySeconds"`
	HealthCheck                HealthCheck `json:"healthCheck"`
	// TimeScale is how many times faster than the wall the simulator's clocks run.
	TimeScale float64 `json:"timeScale"`
	// Controller is the file that the controller was installed from.
	Controller string `json:"controller"`
}

// Real reports whether the load balancer was a real one.
func (p Parameters) Real() bool { return p.Profile == "haproxy" }

func (p Parameters) lattice() bool { return p.Profile == "lattice" }

func (p Parameters) ingress() bool { return p.Profile == "ingress" }

func (p Parameters) balancer() string {
	what := "simulated, profile " + p.Profile
	switch {
	case p.Real():
		return "HAProxy, a real one, outside the cluster"
	case p.lattice():
		what = "simulated, a service of VPC Lattice that clients name in the header Host"
	case p.ingress():
		what = "simulated, an Application Load Balancer that podgate made for the Ingress"
	}
	return fmt.Sprintf("%s, clocks %g times as fast as the wall's", what, p.scale())
}

// Name is what a sentence about the load balancer calls it.
func (p Parameters) Name() string {
	if p.lattice() {
		return "VPC Lattice"
	}
	return "the load balancer"
}

// Title is Name in a title.
func (p Parameters) Title() string {
	switch {
	case p.lattice():
		return "VPC Lattice"
	case p.ingress():
		return "an Ingress"
	}
	return "a load balancer"
}

// Kind is what a sentence calls it that speaks of it for the first time.
func (p Parameters) Kind() string {
	switch {
	case p.Real():
		return "a real HAProxy"
	case p.lattice():
		return "a simulated VPC Lattice"
	case p.ingress():
		return "an Ingress and the simulated load balancer that podgate made for it"
	}
	return "a simulated load balancer"
}

// HealthCheck is the target group's.
type HealthCheck struct {
	IntervalSeconds    int    `json:"intervalSeconds"`
	TimeoutSeconds     int    `json:"timeoutSeconds"`
	HealthyThreshold   int    `json:"healthyThreshold"`
	UnhealthyThreshold int    `json:"unhealthyThreshold"`
	Path               string `json:"path"`
}

// Run is one rolling update under load.
type Run struct {
	Name string `json:"name"`
	// PrestopSeconds is how long the preStop hook sleeps, at most if it is adaptive; 0 is no hook.
	PrestopSeconds     int `json:"prestopSeconds"`
	GracePeriodSeconds int `json:"gracePeriodSeconds"`
	// WarmUpSeconds is for how long a pod of the new version answers errors at first, and SettleSeconds for how long it
	// answers others after that, which a metric says.
	WarmUpSeconds int `json:"warmUpSeconds,omitempty"`
	SettleSeconds int `json:"settleSeconds,omitempty"`

	Requests int `json:"requests"`
	// Attempts is what was counted at the sockets; it must equal Requests.
	Attempts int `json:"attempts"`
	Failed   int `json:"failed"`
	// StatusCodes counts requests by status code, or by class of error where there was none.
	StatusCodes map[string]int `json:"statusCodes"`
	// LongestOutageSeconds is the longest run of requests that all failed.
	LongestOutageSeconds float64 `json:"longestOutageSeconds"`
	// DeploymentCompleteSeconds is until the Deployment was complete.
	DeploymentCompleteSeconds float64 `json:"deploymentCompleteSeconds"`
	// RolloutSeconds is until the last old pod's object was gone.
	RolloutSeconds float64 `json:"rolloutSeconds"`
	// GateLatencySeconds is the slowest gate, from healthy in the load balancer's API to
	// the pod's condition being True as a watch sees it; absent without gates.
	GateLatencySeconds *float64 `json:"gateLatencySeconds"`
	// GateLatency tells more of the same.
	GateLatency *Latency `json:"gateLatency,omitempty"`
	// RegisterLatency is from containers ready to the target being registered, and
	// DeregisterLatency from the pod's deletion to its target draining.
	RegisterLatency   *Latency `json:"registerLatency,omitempty"`
	DeregisterLatency *Latency `json:"deregisterLatency,omitempty"`
	// ResponseLatency is of all requests, failures included, from their schedule on.
	ResponseLatency Latency `json:"responseLatency"`
	// NewConnections and ReusedConnections count requests by what they were sent on.
	NewConnections    int `json:"newConnections"`
	ReusedConnections int `json:"reusedConnections"`
	// LateSeconds is how far the load generator fell behind its schedule at worst.
	LateSeconds float64 `json:"lateSeconds"`

	// BeginSeconds and EndSeconds bound what was recorded.
	BeginSeconds float64  `json:"beginSeconds"`
	EndSeconds   float64  `json:"endSeconds"`
	Seconds      []Second `json:"seconds"`
	Lanes        []Lane   `json:"lanes"`
}

// Latency is a distribution in short.
type Latency struct {
	Count         int     `json:"count"`
	MedianSeconds float64 `json:"medianSeconds"`
	P99Seconds    float64 `json:"p99Seconds"`
	MaxSeconds    float64 `json:"maxSeconds"`
}

// Second counts the requests that were scheduled within one second.
type Second struct {
	// At is the second's start.
	At int `json:"at"`
	// OK counts good answers by version, Failed the others by outcome.
	OK     map[string]int `json:"ok"`
	Failed map[string]int `json:"failed,omitempty"`
}

// Lane is the life of one pod. A time that is absent did not come.
type Lane struct {
	Pod     string `json:"pod"`
	Version string `json:"version"`
	// Old tells that the pod existed before the update.
	Old     bool   `json:"old"`
	Address string `json:"address,omitempty"`

	Created         *float64 `json:"created,omitempty"`
	ContainersReady *float64 `json:"containersReady,omitempty"`
	// Registered and Healthy are the load balancer's API's.
	Registered *float64 `json:"registered,omitempty"`
	Healthy    *float64 `json:"healthy,omitempty"`
	// GateOpen is when the gate's condition was seen True.
	GateOpen    *float64 `json:"gateOpen,omitempty"`
	Ready       *float64 `json:"ready,omitempty"`
	Terminating *float64 `json:"terminating,omitempty"`
	// Stopped is when the pod's containers were seen not ready after it was told to end.
	Stopped *float64 `json:"stopped,omitempty"`
	Gone    *float64 `json:"gone,omitempty"`

	// Leaving is where the time of an old pod's end went.
	Leaving *Leaving `json:"leaving,omitempty"`

	// Target is what the API said of the pod's target.
	Target []Span `json:"target,omitempty"`
	// Routed is when the data path sent requests to it.
	Routed []Span `json:"routed,omitempty"`
}

// Span is a state over a time. To is absent while it lasts.
type Span struct {
	From   float64  `json:"from"`
	To     *float64 `json:"to,omitempty"`
	State  string   `json:"state"`
	Reason string   `json:"reason,omitempty"`
}

// WriteJSON writes the experiment to a file.
func (d Demo) WriteJSON(file string) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(file string) (Demo, error) {
	var d Demo
	b, err := os.ReadFile(file)
	if err != nil {
		return d, fmt.Errorf("read report: %w", err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("read report %s: %w", file, err)
	}
	return d, nil
}
