// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// serverStat is a server's row of "show stat".
type serverStat struct {
	// connections are those that it serves, queued the requests that wait for it.
	connections, queued int
	// attempts are the connections that failed, since HAProxy began.
	attempts int
	// check is the last completed check's status, such as L7OK or INI; empty when
	// nothing is checked.
	check string
	// why is HAProxy's word on that check, for people.
	why string
	// rise is how many checks in a row have to pass, passed how many did; a server that
	// is up has more than rise.
	rise, passed int
	// follows is the server whose state this one has (track); empty for its own.
	follows string
	// agent is HAProxy's word on the agent that says that the server is down; empty when none does.
	agent string
	// limit is the server's maxconn, and cookie says whether it has one, which sockets of level user do not tell.
	limit  int
	cookie bool
}

// backendStat is the row of the backend itself.
type backendStat struct {
	// told: there was such a row.
	told bool
	// mode is "http" or "tcp". cookie is the name of the one that keeps clients at their servers.
	mode, cookie string
}

type stat struct {
	backend backendStat
	servers map[string]serverStat
}

// statRows reads an answer to "show stat", each row by the names of its columns.
func statRows(answer string) ([]map[string]string, error) {
	header, ok := strings.CutPrefix(answer, "# ")
	if !ok {
		return nil, errors.New("show stat: no names of columns")
	}

	lines, err := csv.NewReader(strings.NewReader(header)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("show stat: %w", err)
	}
	if len(lines) == 0 {
		return nil, errors.New("show stat: no names of columns")
	}

	var rows []map[string]string
	for _, values := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = values[i]
		}
		rows = append(rows, row)
	}

	return rows, nil
}

// ofBackend: the row is that of a backend itself.
func ofBackend(row map[string]string) bool { return row["svname"] == "BACKEND" && row["type"] == "1" }

// parseStat reads the answer to "show stat BACKEND 6 -1": all rows or an error.
func parseStat(answer, backend string) (stat, error) {
	rows, err := statRows(answer)
	if err != nil {
		return stat{}, err
	}

	st := stat{servers: map[string]serverStat{}}
	for n, row := range rows {
		if row["pxname"] != backend {
			return stat{}, fmt.Errorf("show stat: row %d is of another backend", n+1)
		}
		if ofBackend(row) {
			st.backend = backendStat{told: true, mode: row["mode"], cookie: row["cookie"]}
			continue
		}
		s, err := readStat(row)
		if err != nil {
			return stat{}, fmt.Errorf("show stat: row %d: %w", n+1, err)
		}
		st.servers[row["svname"]] = s
	}

	return st, nil
}

// errNoRow: there is no such backend, or it is disabled.
var errNoRow = errors.New("show stat: no row of the backend")

// parseNumber finds a backend's number in the answer to "show stat -1 2 -1", which has all backends.
func parseNumber(answer, backend string) (string, error) {
	rows, err := statRows(answer)
	if err != nil {
		return "", err
	}

	for _, row := range rows {
		if !ofBackend(row) || row["pxname"] != backend {
			continue
		}
		if _, err := strconv.ParseUint(row["iid"], 10, 31); err != nil {
			return "", fmt.Errorf("show stat: iid is %.40q", row["iid"])
		}
		return row["iid"], nil
	}

	return "", errNoRow
}

func readStat(row map[string]string) (serverStat, error) {
	// An asterisk says that the next check runs already.
	s := serverStat{
		check: strings.TrimPrefix(row["check_status"], "* "), why: cmp.Or(row["last_chk"], row["check_desc"]),
		follows: row["tracked"], cookie: row["cookie"] != "",
	}

	// An agent that does not answer changes nothing, so only its word counts.
	if strings.TrimPrefix(row["agent_status"], "* ") == "L7STS" {
		s.agent = cmp.Or(row["last_agt"], row["agent_desc"])
	}

	var err error
	number := func(name string, needed bool) int {
		n, e := strconv.Atoi(row[name])
		if e != nil && (needed || row[name] != "") {
			err = errors.Join(err, fmt.Errorf("%s is %.40q", name, row[name]))
		}
		return n
	}

	if row["svname"] == "" {
		return s, errors.New("no svname")
	}

	s.connections, s.queued = number("scur", true), number("qcur", true)
	s.attempts = number("wretr", false) + number("econ", false)
	s.rise, s.passed, s.limit = number("check_rise", false), number("check_health", false), number("slim", false)
	return s, err
}
