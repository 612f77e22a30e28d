// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// controlled calls the control API and reads its answer into out.
func (e *env) controlled(method, path, body string, out any) int {
	e.Helper()
	recorder := httptest.NewRecorder()
	e.handler.ServeHTTP(recorder, httptest.NewRequest(method, "/_awssim/"+path, strings.NewReader(body)))
	if err := json.Unmarshal(recorder.Body.Bytes(), out); err != nil {
		e.Fatalf("%s %s: %v: %s", method, path, err, recorder.Body)
	}
	return recorder.Code
}

func TestControlAPI(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{EphemeralPorts: true}})
	g := e.used()
	one := Target{ID: "10.0.0.1", Port: 80}
	ok := func(method, path, format string, args ...any) map[string]any {
		t.Helper()
		out := map[string]any{}
		if code := e.controlled(method, path, fmt.Sprintf(format, args...), &out); code != http.StatusOK {
			t.Fatalf("%s %s: %d %v", method, path, code, out)
		}
		return out
	}

	ok("POST", "health", `{"targetGroupArn":%q,"target":{"id":"10.0.0.1","port":80},"state":"unhealthy","reason":"Target.Timeout"}`, g)
	e.register(g, one)

	if diff := cmp.Diff(map[Target]string{one: "unhealthy"}, e.states(g)); diff != "" {
		t.Errorf("scripted (-want +got):\n%s", diff)
	}

	ok("DELETE", "health", `{"targetGroupArn":%q,"target":{"id":"10.0.0.1","port":80}}`, g)
	if diff := cmp.Diff(map[Target]string{one: "initial"}, e.states(g)); diff != "" {
		t.Errorf("no longer scripted (-want +got):\n%s", diff)
	}

	ok("DELETE", "targets", `{"targetGroupArn":%q,"target":{"id":"10.0.0.1","port":80}}`, g)
	if got := e.states(g); len(got) != 0 {
		t.Errorf("the lost target is there: %v", got)
	}

	id := ok("POST", "faults", `{"operation":"DescribeTargetHealth","count":1,"error":{"code":"Throttling","message":"Rate exceeded"}}`)["id"]
	if err := describeOnce(e, g); codeOf(err) != "Throttling" {
		t.Errorf("fault %v: %v", id, err)
	}

	again := ok("POST", "faults", `{"drop":true}`)["id"].(string)
	var faults []Fault
	if e.controlled("GET", "faults", "", &faults); len(faults) != 1 || faults[0].ID != again {
		t.Errorf("faults in force: %+v", faults)
	}

	ok("DELETE", "faults/"+again, "")
	ok("POST", "faults", `{"drop":true}`)
	ok("DELETE", "faults", "")

	if err := describeOnce(e, g); err != nil {
		t.Errorf("with all faults gone: %v", err)
	}

	var calls []Call
	e.controlled("GET", "calls", "", &calls)
	last := calls[len(calls)-1]
	want := Call{Seq: last.Seq, Time: last.Time, Service: "elasticloadbalancing", Operation: "DescribeTargetHealth", AccessKeyID: "AKIATEST", TargetGroupARN: g, HTTPStatus: 200, DurationSeconds: last.DurationSeconds}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("last call (-want +got):\n%s", diff)
	}

	if e.controlled("GET", fmt.Sprintf("calls?since=%d", last.Seq), "", &calls); len(calls) != 0 {
		t.Errorf("calls since the last: %+v", calls)
	}

	var transitions []Transition
	if e.controlled("GET", "transitions", "", &transitions); len(transitions) == 0 || transitions[0].From != "absent" || transitions[0].To != "unhealthy" || transitions[0].Target != one {
		t.Errorf("transitions: %+v", transitions)
	}

	var settings Settings
	e.controlled("GET", "config", "", &settings)

	if settings.Profiles["alb"].DrainRoutingDelaySeconds != 17 || settings.Profiles["nlb"].DrainRoutingDelaySeconds != 120 || len(settings.Operations) != 41 || len(settings.EC2.VPCs) != 1 {
		t.Errorf("settings: %+v", settings)
	}

	var listeners []ListenerInfo
	if e.controlled("GET", "listeners", "", &listeners); len(listeners) != 1 || !strings.HasPrefix(listeners[0].Address, "127.0.0.1:") || listeners[0].Port != 80 {
		t.Errorf("listeners: %+v", listeners)
	}

	ok("POST", "instances", `{"i-1":"10.0.0.1"}`)
	ok("POST", "ec2/vpcs", `{"id":"vpc-x","subnets":[{"id":"subnet-x","zone":"eu-west-1a","cidr":"10.0.0.0/24"}]}`)
	ok("POST", "ec2/instances", `[{"id":"i-2","subnet":"subnet-x","address":"10.0.0.77"}]`)
	if diff := cmp.Diff([]string{"10.0.0.1", "10.0.0.77"}, texts(e.does("DescribeInstances"), "reservationSet.item.instancesSet.item.privateIpAddress")); diff != "" {
		t.Errorf("instances (-want +got):\n%s", diff)
	}

	for _, bad := range [][3]string{
		{"POST", "health", `{"targetGroupArn":"nope","state":"healthy"}`},
		{"POST", "health", `{"colour":"red"}`},
		{"POST", "faults", `{}`},
		{"DELETE", "faults/fault-99", ``},
		{"DELETE", "targets", `{"targetGroupArn":"nope"}`},
		{"POST", "ec2/vpcs", `{"id":"vpc-y","subnets":[{"id":"subnet-y"}]}`},
		{"POST", "ec2/instances", `[{"id":"i-2","subnet":"nowhere"}]`},
		{"POST", "acm/expired", `{"certificateArn":"nope"}`},
		{"GET", "calls?since=x", ``},
		{"GET", "nothing", ``},
	} {
		out := map[string]string{}
		if code := e.controlled(bad[0], bad[1], bad[2], &out); code < 400 || out["error"] == "" {
			t.Errorf("%v: %d %v, want an error that says why", bad, code, out)
		}
	}
}
