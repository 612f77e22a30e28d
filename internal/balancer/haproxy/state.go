// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/podgate/podgate/internal/plural"
)

// serverState is a row of "show servers state". The numbers are documented in
// HAProxy's management guide under that command, format 1.
type serverState struct {
	name string
	id   int
	// addr is invalid for a server that has none yet, or a socket's path.
	addr           netip.Addr
	port           int
	operation      int // srv_op_state
	admin          int // srv_admin_state, a mask
	weight         int // srv_uweight, as set at runtime
	initialWeight  int // srv_iweight
	since          time.Duration
	checkResult    int  // srv_check_result; 0 while a check runs
	checkState     int  // srv_check_state, a mask
	checkCompleted int  // srv_check_health, a counter of checks
	agentState     int  // srv_agent_state, a mask like checkState
	tls            bool // srv_use_ssl
}

// Values of the fields of serverState.
const (
	opStopped  = 0
	opStarting = 1
	opRunning  = 2
	opStopping = 3

	adminMaint = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
	adminDrain = 0x08 | 0x10

	checkConfigured = 0x02
	checkEnabled    = 0x04
)

// parseState reads the answer to "show servers state BACKEND": all rows or an error.
// Columns are found by their names, so that a version that adds some is read, too.
func parseState(answer string) ([]serverState, error) {
	lines := strings.Split(strings.TrimSpace(answer), "\n")
	if lines[0] != "1" {
		return nil, fmt.Errorf("show servers state: format %.40q, not 1", lines[0])
	}
	if len(lines) < 2 || !strings.HasPrefix(lines[1], "# ") {
		return nil, errors.New("show servers state: no names of columns")
	}

	columns := strings.Fields(lines[1][2:])
	servers := make([]serverState, 0, len(lines)-2)
	names := map[string]bool{}
	for n, line := range lines[2:] {
		values := strings.Fields(line)
		if len(values) != len(columns) {
			return nil, fmt.Errorf("show servers state: row %d has %s for %s", n+1, plural.Count(len(values), "value"), plural.Count(len(columns), "column"))
		}

		s, err := readState(columns, values)
		if err != nil {
			return nil, fmt.Errorf("show servers state: row %d: %w", n+1, err)
		}
		if names[s.name] {
			return nil, fmt.Errorf("show servers state: row %d: server %.40q again", n+1, s.name)
		}

		names[s.name] = true
		servers = append(servers, s)
	}

	return servers, nil
}

func readState(columns, values []string) (serverState, error) {
	row := map[string]string{}
	for i, c := range columns {
		row[c] = values[i]
	}

	s := serverState{name: row["srv_name"]}
	if s.name == "" {
		return s, errors.New("no srv_name")
	}

	// What is no address is a server that podgate does not serve.
	s.addr, _ = netip.ParseAddr(row["srv_addr"])
	s.addr = s.addr.Unmap()
	var seconds int
	for name, to := range map[string]*int{
		"srv_id": &s.id, "srv_port": &s.port, "srv_op_state": &s.operation, "srv_admin_state": &s.admin, "srv_uweight": &s.weight, "srv_iweight": &s.initialWeight,
		"srv_time_since_last_change": &seconds, "srv_check_result": &s.checkResult, "srv_check_state": &s.checkState, "srv_check_health": &s.checkCompleted,
		"srv_agent_state": &s.agentState,
	} {
		n, err := strconv.Atoi(row[name])
		if err != nil {
			return s, fmt.Errorf("%s is %.40q", name, row[name])
		}
		*to = n
	}

	if s.operation < opStopped || s.operation > opStopping || s.admin < 0 || s.weight < 0 || s.initialWeight < 0 || s.port < 0 || s.port > 65535 {
		return s, errors.New("a number is out of its range")
	}

	s.since, s.tls = time.Duration(max(seconds, 0))*time.Second, row["srv_use_ssl"] == "1"
	return s, nil
}
