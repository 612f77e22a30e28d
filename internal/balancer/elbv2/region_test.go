// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
)

// regions answers every call and notes for which region it was signed.
type regions struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func serveRegions(t *testing.T) *regions {
	t.Helper()
	r := &regions{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		scope := strings.Split(req.Header.Get("Authorization"), "/") // AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/...
		action := req.FormValue("Action")
		r.mu.Lock()
		r.asked = append(r.asked, action+" in "+scope[min(2, len(scope)-1)])
		r.mu.Unlock()
		a := rows()
		if action == "AssumeRole" {
			a = session("ASIAROLE")
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))

	t.Cleanup(r.Close)
	return r
}

func TestGroupsOfSeveralRegions(t *testing.T) {
	elsewhere := strings.Replace(testARN, "eu-test-1", "us-test-2", 1)
	tests := []struct {
		reason string
		own    string // podgate's region
		ref    balancer.Ref
		want   []string
		says   string // of an error
	}{
		{reason: "podgate's own", own: testRegion, ref: balancer.Ref{Group: testARN}, want: []string{"DescribeTargetHealth in eu-test-1"}},
		{reason: "the binding's", own: testRegion, ref: balancer.Ref{Group: elsewhere, Region: "us-test-2"}, want: []string{"DescribeTargetHealth in us-test-2"}},
		{
			reason: "a role is assumed there, too", own: testRegion, ref: balancer.Ref{Group: elsewhere, Region: "us-test-2", RoleARN: testRole},
			want: []string{"AssumeRole in us-test-2", "DescribeTargetHealth in us-test-2"},
		},
		{reason: "podgate has none", ref: balancer.Ref{Group: elsewhere}, want: []string{"DescribeTargetHealth in us-test-2"}},
		{reason: "nobody said so", own: testRegion, ref: balancer.Ref{Group: elsewhere}, says: "bind this one by a TargetBinding with spec.elbv2.region us-test-2"},
		{reason: "the binding contradicts itself", own: testRegion, ref: balancer.Ref{Group: elsewhere, Region: testRegion}, says: "the binding says region eu-test-1: correct one of them"},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			r := serveRegions(t)
			_, err := New(config(t, r.URL), tc.own).Health(t.Context(), balancer.Group{Ref: tc.ref})
			if tc.says != "" {
				checkKind(t, err, balancer.ErrInvalid)
			}
			if err != nil && (tc.says == "" || !strings.Contains(balancer.Message(err), tc.says)) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(tc.want, r.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNameNeedsARegion(t *testing.T) {
	r := serveRegions(t)
	p := New(config(t, r.URL), "")
	_, err := p.Resolve(t.Context(), balancer.Group{Ref: balancer.Ref{}, Name: "web"})
	checkKind(t, err, balancer.ErrInvalid)
	if !strings.Contains(balancer.Message(err), "no AWS region is known: set podgate's --aws-region") || len(r.asked) > 0 {
		t.Errorf("got %v after %q", err, r.asked)
	}
	_, _ = p.Resolve(t.Context(), balancer.Group{Ref: balancer.Ref{Region: "us-test-2"}, Name: "web"})
	if diff := cmp.Diff([]string{"DescribeTargetGroups in us-test-2"}, r.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// Without a configuration every call says why, and none is made.
func TestUnconfigured(t *testing.T) {
	p := New(config(t, "http://127.0.0.1:1"), testRegion, podaws.Unconfigured(errors.New("no profile x")))
	_, err := p.Health(t.Context(), balancer.Group{Ref: testRef})
	checkKind(t, err, balancer.ErrDenied)
	if !strings.Contains(balancer.Message(err), "the configuration for AWS cannot be read: no profile x") {
		t.Errorf("got %v", err)
	}
}
