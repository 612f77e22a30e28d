// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"fmt"
	"strings"

	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/plural"
)

// server is one server at one instance.
type server struct {
	serverState
	stat serverStat
	// own: podgate made it.
	own bool
}

func (s server) target() (gate.Target, bool) {
	t := gate.Target{Addr: s.addr, Port: int32(s.port)}
	return t, s.addr.IsValid() && s.port > 0
}

// phase is how far podgate is with a server of its own. It is read off HAProxy alone:
// podgate sets weight 0 on what leaves, and switches the checks on last of all.
type phase int

const (
	// present: registered, and nobody is about to change that.
	present phase = iota
	// leaving: deregistered; it goes when it has no connections or its time is up.
	leaving
	// unfinished: a registration was interrupted. It gets no traffic, or is up with its
	// checks still off.
	unfinished
)

func (s server) phase() phase {
	switch {
	case !s.own:
		return present
	case s.weight == 0:
		return leaving
	case s.checkState&checkEnabled == 0:
		return unfinished
	}
	return present
}

// unchecked: it gets traffic, and only its checks are off.
func (s server) unchecked() bool {
	return s.phase() == unfinished && s.admin == 0 && s.operation != opStopped
}

// idle: nobody uses it. A server of which "show stat" says nothing is not known to be.
func (s server) idle() bool { return s.stat.known() && s.stat.connections == 0 && s.stat.queued == 0 }

func (s serverStat) known() bool { return s != serverStat{} }

// Reasons of targets that are not healthy; "HAProxy." and a check's status, such as
// HAProxy.L4CON, are the others.
const (
	reasonPartial     = "HAProxy.MissingAtAnInstance"
	reasonDraining    = "HAProxy.Draining"
	reasonUnfinished  = "HAProxy.RegistrationInterrupted"
	reasonMaintenance = "HAProxy.Maintenance"
	reasonDrained     = "HAProxy.DrainedByHand"
	reasonNoWeight    = "HAProxy.WeightZero"
	reasonNoChecks    = "HAProxy.NotChecked"
	reasonStarting    = "HAProxy.SlowStart"
	reasonStopping    = "HAProxy.Stopping"
	reasonAgent       = "HAProxy.AgentDown"
	reasonChecking    = "HAProxy.InitialHealthChecking"
)

// passing are the statuses of a check that passed.
var passing = map[string]bool{"L4OK": true, "L6OK": true, "L7OK": true, "L7OKC": true, "PROCOK": true}

// health says how the server stands. Healthy needs a server that is up, weighs
// something and is in no maintenance or drain, and a completed check that passed: one
// that HAProxy takes for up before its first check is not.
func (s server) health() gate.Health {
	switch {
	case s.phase() == leaving:
		return gate.Health{State: gate.Draining, Reason: reasonDraining, Description: "Deregistered; it goes when its connections have ended", Connections: s.stat.connections + s.stat.queued}
	case s.unchecked():
		return gate.Health{State: gate.Unavailable, Reason: reasonNoChecks, Description: "Its health checks are off"}
	case s.phase() == unfinished:
		return gate.Health{State: gate.Draining, Reason: reasonUnfinished, Description: "Its registration was interrupted and is to be made again"}
	case s.admin&adminMaint != 0:
		return gate.Health{State: gate.Unused, Reason: reasonMaintenance, Description: "Somebody put the server into maintenance: set server BACKEND/SERVER state ready"}
	case s.admin&adminDrain != 0:
		return gate.Health{State: gate.Unused, Reason: reasonDrained, Description: "Somebody drains the server: set server BACKEND/SERVER state ready"}
	case s.weight == 0:
		return gate.Health{State: gate.Unused, Reason: reasonNoWeight, Description: "The server's weight is 0"}
	case s.checkState&checkConfigured == 0 || s.checkState&checkEnabled == 0:
		return gate.Health{State: gate.Unavailable, Reason: reasonNoChecks, Description: s.notChecked()}
	}

	return s.checked()
}

func (s server) notChecked() string {
	if s.stat.follows != "" {
		return fmt.Sprintf("HAProxy does not check the server, which has the state of %s (track)", s.stat.follows)
	}
	return "HAProxy does not check the server"
}

func (s server) checked() gate.Health {
	passed := passing[s.stat.check]
	switch {
	case s.operation == opRunning && passed && s.stat.passed >= s.stat.rise:
		return gate.Health{State: gate.Healthy}
	case s.operation == opStarting:
		return gate.Health{State: gate.Initial, Reason: reasonStarting, Description: "The server is up and gets more and more traffic"}
	case s.operation == opStopping:
		return gate.Health{State: gate.Unhealthy, Reason: reasonStopping, Description: "The application asks for no new traffic"}
	case passed && s.operation == opStopped && s.stat.agent != "":
		return gate.Health{State: gate.Unhealthy, Reason: reasonAgent, Description: "The agent-check says that the server is down: " + s.stat.agent}
	case passed || s.stat.check == "" || s.stat.check == "INI" || s.stat.check == "UNK":
		return gate.Health{State: gate.Initial, Reason: reasonChecking, Description: fmt.Sprintf("Not yet %s in a row %s passed", plural.Count(s.stat.rise, "health check"), plural.Of(s.stat.rise, "has", "have"))}
	}
	return gate.Health{State: gate.Unhealthy, Reason: "HAProxy." + s.stat.check, Description: strings.TrimSpace("Health checks failed: " + s.stat.why)}
}
