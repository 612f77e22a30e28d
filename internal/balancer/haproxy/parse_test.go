// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"strings"
	"testing"
)

const stateRow = "3 web 2 p1 127.0.0.1 2 0 100 100 1 15 3 4 6 0 0 0 - 8080 - 0 0 - - 0\n"

const statRow = `web,p1,0,3,2,* L7STS,HTTP status error,"a ""b"", c",2,4,http,,` + "\n"

func TestParseState(t *testing.T) {
	rows, err := parseState(stateHeader + stateRow)
	if err != nil {
		t.Fatal(err)
	}

	want := serverState{name: "p1", id: 2, addr: local, port: 8080, operation: 2, weight: 100, initialWeight: 100, since: 1e9, checkResult: 3, checkState: 6, checkCompleted: 4}
	if len(rows) != 1 || rows[0] != want {
		t.Errorf("got %+v, want %+v", rows, want)
	}

	for reason, answer := range map[string]string{
		"empty": "", "another format": "2" + stateHeader[1:], "no header": "1\n", "cut off in a row": stateHeader + stateRow[:40],
		"a number that is none": stateHeader + strings.Replace(stateRow, " 100 ", " x ", 1), "a server twice": stateHeader + stateRow + stateRow,
		"an unknown operational state": stateHeader + strings.Replace(stateRow, "127.0.0.1 2", "127.0.0.1 9", 1),
	} {
		if rows, err := parseState(answer); err == nil {
			t.Errorf("%s: read as %+v", reason, rows)
		}
	}
}

func TestParseStat(t *testing.T) {
	st, err := parseStat(statHeader+"web,BACKEND,0,0,1,,,,,,tcp,leastconn,\n"+statRow, "web")
	if err != nil {
		t.Fatal(err)
	}

	want := serverStat{connections: 3, check: "L7STS", why: `a "b", c`, rise: 2, passed: 4}
	if st.servers["p1"] != want || st.backend != (backendStat{told: true, mode: "tcp"}) {
		t.Errorf("got %+v, want %+v", st, want)
	}

	for reason, answer := range map[string]string{
		"empty": "", "no header": statRow, "cut off in a row": statHeader + statRow[:9], "cut off in a quote": statHeader + strings.TrimSuffix(statRow, "c\",2,4,http,,\n"),
		"another backend": statHeader + strings.Replace(statRow, "web", "api", 1), "no connections": statHeader + strings.Replace(statRow, ",3,", ",,", 1),
	} {
		if st, err := parseStat(answer, "web"); err == nil {
			t.Errorf("%s: read as %+v", reason, st)
		}
	}
}

func TestParseNumber(t *testing.T) {
	const names = "# pxname,svname,iid,type,\n"
	for reason, tc := range map[string]struct{ answer, want string }{
		"the one of the name":    {names + "api,BACKEND,3,1,\nweb,BACKEND,5,1,\n", "5"},
		"not the frontend":       {names + "web,FRONTEND,2,0,\nweb,BACKEND,5,1,\n", "5"},
		"there is none":          {answer: names + "api,BACKEND,3,1,\n"},
		"no number":              {answer: names + "web,BACKEND,5 ; x,1,\n"},
		"a server of that name":  {answer: names + "web,BACKEND,5,2,\n"},
		"no header":              {answer: "web,BACKEND,5,1,\n"},
		"numbers are not in it":  {answer: "# pxname,svname,type,\nweb,BACKEND,1,\n"},
		"cut off inside a quote": {answer: names + "web,\"BACK"},
	} {
		if got, err := parseNumber(tc.answer, "web"); got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: got %q, %v, want %q", reason, got, err, tc.want)
		}
	}
}

// Whatever is read is complete and within its bounds.
func FuzzState(f *testing.F) {
	f.Add(stateHeader + stateRow)
	f.Add(stateHeader)
	f.Add("1\n# srv_name srv_addr\np1 ::1\n")
	f.Fuzz(func(t *testing.T, answer string) {
		rows, err := parseState(answer)
		if err != nil {
			if rows != nil {
				t.Errorf("rows came with %v", err)
			}
			return
		}

		if lines := strings.Count(strings.TrimSpace(answer), "\n") - 1; len(rows) != lines {
			t.Errorf("%d rows of %d lines", len(rows), lines)
		}

		for _, row := range rows {
			if row.name == "" || row.port < 0 || row.port > 65535 || row.operation < opStopped || row.operation > opStopping || row.since < 0 {
				t.Errorf("read %+v", row)
			}
			_ = server{serverState: row, own: true}.health()
		}
	})
}

func FuzzStat(f *testing.F) {
	f.Add(statHeader+statRow, "web")
	f.Add(statHeader+"web,BACKEND,0,0,1,,,,,,http,roundrobin,\n", "web")
	f.Add("# pxname\n\"", "web")
	f.Add("# ", "web")
	f.Fuzz(func(t *testing.T, answer, backend string) {
		st, err := parseStat(answer, backend)
		if err != nil && st.servers != nil {
			t.Errorf("servers came with %v", err)
		}
		if _, unnamed := st.servers[""]; unnamed {
			t.Error("a server without a name")
		}
		for _, s := range st.servers {
			_ = server{stat: s, own: true}.health()
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add("a\nadmin\n\nb\n\nadmin\n\n", 2)
	f.Add("admin", 1)
	f.Fuzz(func(t *testing.T, raw string, n int) {
		answers, level, err := split(raw, n)
		if err == nil && (len(answers) != n || n > 0 && !levels[level]) {
			t.Errorf("%d answers to %d commands at level %q", len(answers), n, level)
		}
	})
}
