// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

var local = netip.MustParseAddr("127.0.0.1")

const stateHeader = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"

const statHeader = "# pxname,svname,qcur,scur,type,check_status,check_desc,last_chk,check_rise,check_health,mode,algo,\n"

// transcript is a socket that answers as a version of HAProxy would. What newer ones
// than 2.6 answer is taken from their source; none of them has run here.
type transcript struct {
	version string
	// rows of "show servers state" and of "show stat".
	state, stat string
	stopping    bool
	// reloads is how often it was reloaded.
	reloads int
	// judge is what it says of servers that it is only asked about; what HAProxy says of a check of its own when it is nil.
	judge func(command string) string
	// later is how far podgate's clock is ahead.
	later time.Duration

	mu  sync.Mutex
	got []string
	// asked counts the reads of the backend.
	asked int
}

func (s *transcript) serve(conn net.Conn) {
	line, _ := bufio.NewReader(conn).ReadString('\n')
	for command := range strings.SplitSeq(strings.TrimSpace(line), ";") {
		answer := ""
		switch {
		case command == marker:
			answer = "admin\n"
		case command == plain || strings.HasPrefix(command, "del server") && strings.HasSuffix(command, "_trial"):
		case strings.HasPrefix(command, "add server") && strings.Contains(command, "_trial "):
			answer = "config: backend 'web': server 'podgate_trial' has neither service port nor check port nor tcp_check rule 'connect' with port information.\n"
			if s.judge != nil {
				answer = s.judge(command)
			}
		case command == "show info":
			answer = fmt.Sprintf("Name: HAProxy\nVersion: %s\nPid: %d\nStart_time_sec: 9\nStopping: %d\n", s.version, 7+s.reloads, map[bool]int{true: 1}[s.stopping])
		case strings.HasPrefix(command, "show servers state"):
			answer = stateHeader + s.state
			s.mu.Lock()
			s.asked++
			s.mu.Unlock()
		case strings.HasPrefix(command, "show stat"):
			answer = statHeader + "web,BACKEND,0,0,1,,,,,,http,roundrobin,\n" + s.stat
		default:
			if strings.HasPrefix(command, "add server") {
				answer = "New server registered.\n"
			}
			s.mu.Lock()
			s.got = append(s.got, command)
			s.mu.Unlock()
		}

		_, _ = fmt.Fprintf(conn, "%s\n", answer)
	}
}

// changes gives the commands that were to change something.
func (s *transcript) changes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// reads returns how often the backend was read.
func (s *transcript) reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *transcript) provide(t *testing.T) (*Provider, balancer.Group) {
	t.Helper()
	p := New()
	start := time.Now()
	p.now = func() time.Time { return start.Add(s.later) }
	return p, Config{Backend: "web", Instances: []string{listen(t, s.serve)}}.Group()
}

func TestVersions(t *testing.T) {
	target := gate.Target{Addr: local, Port: 80}
	tests := []struct {
		version            string
		initState, waits   bool
		tooOld, unreadable bool
	}{
		{version: "2.4.22", tooOld: true},
		{version: "2.5.0", tooOld: true},
		{version: "2.6.12-1+deb12u3"},
		{version: "2.9.15"},
		{version: "3.0.11", waits: true},
		{version: "3.1-dev3", waits: true, initState: true},
		{version: "3.4.0", waits: true, initState: true},
		{version: "4.0", waits: true, initState: true},
		{version: "unknown", unreadable: true},
	}

	for _, tc := range tests {
		t.Run(tc.version, func(t *testing.T) {
			s := &transcript{version: tc.version}
			p, group := s.provide(t)
			err := p.Register(t.Context(), group, []gate.Target{target}, nil)
			switch {
			case tc.tooOld:
				checkError(t, "register", err, balancer.ErrInvalid, "2.6 or later is needed")
				return
			case tc.unreadable:
				checkError(t, "register", err, nil, "makes no sense")
				return
			case err != nil:
				t.Fatal(err)
			}

			name := nameOf("podgate_", balancer.Pod{}, target)
			add := "add server web/" + name + " 127.0.0.1:80 check inter 2000ms rise 2 fall 3 weight 100 id " + fmt.Sprint(idOf(name, nil))
			if tc.initState {
				add += " init-state fully-down"
			}

			want := []string{add, "set server web/" + name + " state drain", "disable health web/" + name, "set server web/" + name + " health down",
				"set server web/" + name + " weight 100%", "set server web/" + name + " state ready", "enable health web/" + name}
			if diff := cmp.Diff(want, s.changes()); diff != "" {
				t.Errorf("registered with other commands (-want +got):\n%s", diff)
			}

			s = &transcript{version: tc.version, state: "3 web 2 podgate_x 127.0.0.1 0 1 0 100 9 15 3 4 14 0 0 0 - 80 - 0 0 - - 0\n", stat: "web,podgate_x,0,0,2,L7OK,,,2,4,http,,\n"}
			p, group = s.provide(t)
			for range 2 {
				if err := p.Tend(t.Context(), group); err != nil {
					t.Fatal(err)
				}
				s.later += retried
			}

			want = []string{"set server web/podgate_x weight 0", "set server web/podgate_x state maint", "del server web/podgate_x"}
			if tc.waits {
				want = []string{want[0], want[1], "wait 50ms srv-removable web/podgate_x", want[2]}
			}

			if diff := cmp.Diff(want, s.changes()); diff != "" {
				t.Errorf("removed with other commands (-want +got):\n%s", diff)
			}
		})
	}
}

// A server that was healthy until a reload is put back with traffic at once, whatever the
// version: init-state, of which a newer one is told for new pods, would keep it down.
func TestVersionsRestore(t *testing.T) {
	target := gate.Target{Addr: local, Port: 80}
	name := nameOf("podgate_", balancer.Pod{}, target)
	for _, version := range []string{"2.6.12", "3.0.11", "3.1.0", "3.4.0"} {
		s := &transcript{
			version: version,
			state:   "3 web 2 " + name + " 127.0.0.1 2 0 100 100 9 15 3 4 6 0 0 0 - 80 - 0 0 - - 0\n",
			stat:    "web," + name + ",0,0,2,L7OK,,,2,4,http,,\n",
		}

		p, group := s.provide(t)
		if got, err := p.Health(t.Context(), group); err != nil || got[target].State != gate.Healthy {
			t.Fatalf("%s: before the reload: %v, %v", version, got, err)
		}

		s.state, s.stat, s.reloads = "", "", 1
		if err := p.Register(t.Context(), group, []gate.Target{target}, nil); err != nil {
			t.Fatal(err)
		}

		want := []string{"add server web/" + name + " 127.0.0.1:80 check inter 2000ms rise 2 fall 3 weight 100 id " + fmt.Sprint(idOf(name, nil)), "set server web/" + name + " state ready", "enable health web/" + name}
		if diff := cmp.Diff(want, s.changes()); diff != "" {
			t.Errorf("%s: put back with other commands (-want +got):\n%s", version, diff)
		}
	}
}

func TestProcessThatStopsIsNotAsked(t *testing.T) {
	p, group := (&transcript{version: "2.6.12", stopping: true}).provide(t)
	_, err := p.Health(t.Context(), group)
	checkError(t, "health", err, nil, "is stopping")
}

// Servers in states that are hard to reach at will; a row is a server of podgate's.
func TestServerHealth(t *testing.T) {
	tests := []struct {
		reason                         string
		operation, admin, weight, mask int
		check                          string
		passed                         int
		want                           gate.State
	}{
		{"up, and its check passed", opRunning, 0, 100, 6, "L7OK", 4, gate.Healthy},
		{"up since it was added, before any check", opRunning, 0, 100, 6, "INI", 2, gate.Initial},
		{"up, and show stat does not know it yet", opRunning, 0, 100, 6, "", 0, gate.Initial},
		{"up, but too few checks passed", opRunning, 0, 100, 6, "L4OK", 1, gate.Initial},
		{"up, and its latest check failed", opRunning, 0, 100, 6, "L7STS", 3, gate.Unhealthy},
		{"warming up", opStarting, 0, 100, 6, "L7OK", 4, gate.Initial},
		{"asks for no new traffic", opStopping, 0, 100, 6, "L7OKC", 4, gate.Unhealthy},
		{"down, no check yet", opStopped, 0, 100, 6, "INI", 0, gate.Initial},
		{"down, the first check passed", opStopped, 0, 100, 6, "L7OK", 1, gate.Initial},
		{"down", opStopped, 0, 100, 6, "L4CON", 0, gate.Unhealthy},
		{"up without checks", opRunning, 0, 100, 2, "L7OK", 4, gate.Unavailable},
		{"just added", opStopped, 1, 100, 2, "", 0, gate.Draining},
		{"leaves", opRunning, 8, 0, 6, "L7OK", 4, gate.Draining},
		{"leaves, in maintenance", opStopped, 1, 0, 14, "L7OK", 0, gate.Draining},
		{"leaves, not drained yet", opRunning, 0, 0, 6, "L7OK", 4, gate.Draining},
		{"drained by hand", opRunning, 8, 100, 6, "L7OK", 4, gate.Unused},
		{"in maintenance by hand", opStopped, 1, 100, 14, "L7OK", 0, gate.Unused},
		{"in maintenance for its name", opStopped, 0x20, 100, 14, "L7OK", 0, gate.Unused},
	}

	for _, tc := range tests {
		s := server{own: true, serverState: serverState{operation: tc.operation, admin: tc.admin, weight: tc.weight, initialWeight: 100, checkState: tc.mask}, stat: serverStat{check: tc.check, rise: 2, passed: tc.passed}}
		got := s.health()
		if got.State != tc.want || (got.Reason == "") != (got.State == gate.Healthy) {
			t.Errorf("%s: %+v, want %s", tc.reason, got, tc.want)
		}
	}
}

func TestUnfinishedIsUndoneWhenNobodyGoesOn(t *testing.T) {
	for since, want := range map[string]int{"29": 0, "30": 3} {
		s := &transcript{version: "2.6.12", state: "3 web 2 podgate_x 127.0.0.1 0 1 100 100 " + since + " 1 0 0 2 0 0 0 - 80 - 0 0 - - 0\n"}
		p, group := s.provide(t)
		if err := p.Tend(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		if got := s.changes(); len(got) != want {
			t.Errorf("after %s s: %q, want %d commands", since, got, want)
		}
	}
}

// TestTendGoesByWhatWasRead: what was read is done once, and what was read too long ago, or before a change, is read again.
func TestTendGoesByWhatWasRead(t *testing.T) {
	drained := "3 web 2 podgate_x 127.0.0.1 0 8 0 100 99 15 3 4 14 0 0 0 - 80 - 0 0 - - 0\n"
	tests := []struct {
		reason string
		before func(p *Provider, group balancer.Group, s *transcript)
		reads  int
	}{
		{"just read", func(*Provider, balancer.Group, *transcript) {}, 0},
		{"read too long ago", func(_ *Provider, _ balancer.Group, s *transcript) { s.later += DefaultCallTimeout }, 1},
		{"used up by the Tend before", func(p *Provider, group balancer.Group, _ *transcript) { _ = p.Tend(t.Context(), group) }, 1},
		{"changed since", func(p *Provider, group balancer.Group, _ *transcript) {
			_ = p.Deregister(t.Context(), group, []gate.Target{{Addr: local, Port: 81}})
		}, 1},
	}

	for _, tc := range tests {
		s := &transcript{version: "2.6.12", state: drained, stat: "web,podgate_x,0,0,2,L7OK,,,2,4,http,,\n"}
		p, group := s.provide(t)
		if _, err := p.Health(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		if got := s.changes(); len(got) > 0 {
			t.Errorf("Health changed something: %q", got)
		}

		tc.before(p, group, s)
		reads := s.reads()
		if !p.Due(group) {
			t.Errorf("%s: nothing is due", tc.reason)
		}
		if err := p.Tend(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		if got := s.reads() - reads; got != tc.reads {
			t.Errorf("%s: Tend read the group %d times, want %d", tc.reason, got, tc.reads)
		}
		if len(s.changes()) == 0 {
			t.Errorf("%s: Tend did nothing", tc.reason)
		}
	}
}

// TestNothingIsDue: a backend of which a read shows that nothing leaves it needs nobody, be it read once or again and again.
func TestNothingIsDue(t *testing.T) {
	s := &transcript{version: "2.6.12", state: "3 web 2 podgate_x 127.0.0.1 2 0 100 100 99 15 3 4 6 0 0 0 - 80 - 0 0 - - 0\n", stat: "web,podgate_x,0,0,2,L7OK,,,2,4,http,,\n"}
	p, group := s.provide(t)
	for range 2 {
		if _, err := p.Health(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		reads := s.reads()
		for range 2 {
			if p.Due(group) {
				t.Error("something is due where nothing leaves")
			}
		}
		if got := s.reads() - reads; got != 0 {
			t.Errorf("the question made %d reads", got)
		}
	}
}
