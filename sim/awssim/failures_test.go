// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFailures reads what a load balancer could not have answered from the control API.
func TestFailures(t *testing.T) {
	cases := map[string]struct {
		reason string
		f      answer
		want   []Failure
	}{
		"Answered":    {reason: "a request that a target answered was not lost", f: say("ok")},
		"TargetSays5": {reason: "a target's own 503 is an answer", f: sayStatus("503 Service Unavailable")},
		"HungUp":      {reason: "the target closed the connection", f: hangUp, want: []Failure{{HTTPStatus: 502}}},
		"CutOff": {
			reason: "the answer had begun",
			f: func(c net.Conn, _ *http.Request, _ int64) bool {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
				return false
			},
			want: []Failure{{HTTPStatus: 0}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := start(t, instant())
			b := serve(t, tc.f)
			group, address := e.front(b.Target)
			e.get(address, "/")
			for i := range tc.want {
				tc.want[i].TargetGroupARN, tc.want[i].Target = group, b.Target
			}
			if diff := cmp.Diff(tc.want, e.failures()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}

	t.Run("NoTarget", func(t *testing.T) {
		e := start(t, instant())
		group, address := e.front()
		e.get(address, "/")
		if diff := cmp.Diff([]Failure{{TargetGroupARN: group, HTTPStatus: 503}}, e.failures()); diff != "" {
			t.Errorf("an empty group is nobody's failure but its own (-want +got):\n%s", diff)
		}
	})
}

// failures are those on record, without their numbers and times.
func (e *env) failures() []Failure {
	e.Helper()
	var all []Failure
	if code := e.controlled("GET", "failures", "", &all); code != http.StatusOK {
		e.Fatalf("GET failures: %d", code)
	}

	var last int64
	for i := range all {
		if all[i].Seq <= last || all[i].Time.IsZero() {
			e.Errorf("failure %+v: want a number above %d and a time", all[i], last)
		}
		last = all[i].Seq
		all[i].Seq, all[i].Time = 0, time.Time{}
	}

	var none []Failure
	if e.controlled("GET", fmt.Sprintf("failures?since=%d", last), "", &none); len(none) != 0 {
		e.Errorf("failures since the last: %+v", none)
	}

	if len(all) == 0 {
		return nil
	}

	return all
}

// sayStatus answers with a status and no body.
func sayStatus(status string) answer {
	return func(c net.Conn, _ *http.Request, _ int64) bool {
		_, err := io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\n\r\n")
		return err == nil
	}
}
