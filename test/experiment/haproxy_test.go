// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/podgate/podgate/sim/awssim"
)

func TestProxyTellsTransitions(t *testing.T) {
	const header = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
	row := func(op, admin, weight int) string {
		return fmt.Sprintf("3 web 1 podgate_x 10.0.0.1 %d %d %d 100 1 1 2 0 6 0 0 0 - 8080 - 0 0 - - 0\n", op, admin, weight)
	}

	p := &proxy{now: map[awssim.Target]serverNow{}}
	for i, answer := range []string{header, header + row(0, 0, 100), "", header + row(2, 0, 100), header + row(2, 0, 100), header + row(2, 8, 0), header} {
		p.look(time.Unix(int64(i), 0), answer)
	}

	var got []string
	for _, s := range p.seen {
		if s.Target != (awssim.Target{ID: "10.0.0.1", Port: 8080}) {
			t.Errorf("a transition of %v", s.Target)
		}
		got = append(got, fmt.Sprintf("%d %s %s>%s", s.Time.Unix(), s.Clock, s.From, s.To))
	}

	// The third look had no answer, so the server may be healthy since the second.
	want := "1 api absent>initial, 1 api initial>healthy, 3 routing absent>routable, 5 api healthy>draining, 5 routing routable>absent, 6 api draining>absent"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
	}
}
